package server

import (
	"errors"
	"net/http"
	"slices"

	"github.com/gatewarden/auth/backend"
)

// The causes of refusals at the pages.
var (
	errNoInteraction = errors.New("the interaction is unknown, expired or answered, or of another page")
	errMustAgree     = errors.New("the prompt is none, and the user has not agreed to these scopes and resources, or " +
		"the client is a program on the user's machine (RFC 8252 §8.6)")
	errOtherVersion = errors.New("the request was kept by another version of this program")
	errNotSignedIn  = errors.New("no user is signed in")
	errPromptLogin  = errors.New("the prompt wants a new login, and the login does not tell that it came " +
		"after the request")
	errMaxAge          = errors.New("the login is older than max_age, or does not tell when it was")
	errDenied          = errors.New("the user did not agree")
	errConsentGone     = errors.New("the consent was withdrawn, or the client removed or disabled meanwhile")
	errInteractionUsed = errors.New("the form, or its request in another tab, was answered before, or has expired")
	errAnswered        = errors.New("the request was answered before: it leads to one code")
	errOtherUser       = errors.New("the page was shown to another user")
	errNeverShown      = errors.New("the request of another site has a Sec-Fetch-Dest that shows no page, such as a " +
		"frame or an image, and the user must be asked")
	errOtherSession = errors.New("the page was shown in another session of the user")
)

// showConsent asks the user. What is shown is kept: the form has nothing but the
// identifier of the interaction and the answer.
func (s *Server) showConsent(w http.ResponseWriter, r *http.Request, client *Client, a *authorization,
	p signedInUser, before *Consent) {
	if neverShown(r) {
		s.showError(w, r, ofClient(client.ID, errFormRejected(errNeverShown)))
		return
	}
	id, err := s.saveInteraction(r.Context(), p, kindConsent, a)
	if err != nil {
		s.redirectError(w, r, a, err)
		return
	}
	page := ConsentPage{Layout: s.question(r, "Allow access?"), Client: client, Interaction: id,
		Action:    s.config.Endpoints.Path + "/authorize/",
		ReturnsTo: hostOf(a.RedirectURI), Native: client.Public() && isNative(a.RedirectURI)}
	page.Permissions = s.shownPermissions(a.Permissions, before.agreedBefore(a.Permissions))
	s.pages.secure(w, a.RedirectURI)
	s.show(w, r, http.StatusOK, s.pages.Consent, page)
}

// answerConsent takes the answer to a consent page: of the user that saw it, in the
// same session, and once (RFC 6749 §10.12).
func (s *Server) answerConsent(w http.ResponseWriter, r *http.Request, p signedInUser, form Form) {
	var a authorization
	page, err := s.findAnswered(r.Context(), form.Get("interaction"), p, kindConsent, &a)
	if err != nil {
		s.showError(w, r, err)
		return
	}
	client, err := s.revalidate(r.Context(), &a)
	if err != nil {
		s.showError(w, r, err)
		return
	}
	if form.Get("allow") == "" {
		if err := s.markUsed(r.Context(), page, &a); err != nil {
			s.showError(w, r, err)
			return
		}
		s.redirectError(w, r, &a, refuse(CodeAccessDenied, "The user did not agree.", errDenied))
		return
	}
	if s.mustLogIn(&a, &p) != nil {
		s.requireNewLogin(w, r, page, &a)
		return
	}
	if _, _, err := p.terms.Narrow(a.Permissions.Scopes(), true); err != nil {
		s.showError(w, r, refuse(CodeAccessDenied, "You signed in for less than that.", err))
		return
	}
	at := now()
	s.approveAuthorization(w, r, client, &a, p, Approval{Interaction: page.Digest, Remember: &Consent{
		UserID: p.user.UserID(), ClientID: client.ID, Permissions: a.Permissions.withOffline(), Created: at,
		Updated: at}})
}

// approveAuthorization adds the grant to what of is about, and sends its code.
func (s *Server) approveAuthorization(w http.ResponseWriter, r *http.Request, client *Client, a *authorization,
	p signedInUser, of Approval) {
	lifetimes, err := s.lifetimes(LifetimeRequest{client, GrantAuthorizationCode, a.Permissions})
	switch {
	case err != nil && of.Interaction != "": // as for the store below
		s.showError(w, r, err)
		return
	case err != nil:
		s.redirectError(w, r, a, err)
		return
	}
	at := now()
	grant := &Grant{
		ID: backend.NewIDOf(p.user.UserID()), ClientID: client.ID, UserID: p.user.UserID(),
		Type:        GrantAuthorizationCode,
		Permissions: a.Permissions, Extra: a.Extra, SessionID: p.session, AuthInfo: p.login, Stamp: stampOf(p.user),
		Offline: slices.Contains(a.Permissions.Scopes(), offlineAccess),
		Created: at, LastUsed: at, ExpiresAt: at.Add(lifetimes.Code), MaxExpiresAt: at.Add(lifetimes.RefreshAbsolute),
	}
	secret := s.codeFor(a, p)
	code := &Code{Digest: backend.TokenDigest(secret, s.codePrefix), GrantID: grant.ID, Challenge: a.Challenge,
		Nonce: a.Nonce, ExpiresAt: grant.ExpiresAt}
	if a.Sent {
		code.RedirectURI = a.RedirectURI
	}
	limit := s.limitFor(grant)
	of.Request, of.RequestExpires = a.answerKey(), a.answerExpires()
	of.Grant, of.Code, of.Limit, of.EvictOldest = grant, code, limit.most, limit.evict
	added, err := s.config.Store.Approve(r.Context(), of)
	switch {
	case err != nil && of.Interaction != "": // the page is still good, so the user can send the form again
		s.showError(w, r, err)
	case err != nil:
		s.redirectError(w, r, a, err)
	case added.Answered && of.Interaction == "":
		s.resendCode(w, r, a, secret)
	case added.Answered:
		s.showError(w, r, errFormRejected(errInteractionUsed))
	case added.Refused:
		s.redirectError(w, r, a, refuse(CodeAccessDenied,
			"The consent was withdrawn, or the client disabled, meanwhile.", errConsentGone))
	case added.OverLimit:
		s.redirectError(w, r, a, refuse(CodeAccessDenied,
			"The user has given as much access as one may. Some must be withdrawn first.", limit.err))
	default:
		s.reportEvicted(r.Context(), added, grant)
		s.respond(w, r, a, [][2]string{{"code", secret}})
	}
}
