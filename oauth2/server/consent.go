package server

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
)

// interactionTTL is how long a page waits for an answer.
const interactionTTL = 30 * time.Minute

// serveAuthorize is the authorization endpoint (RFC 6749 §3.1).
//
// A request that needs its user to sign in, or that came by POST, is kept as an
// interaction: the address that the browser comes back to is short, has nothing of
// the request in it, and needs no cookie of another site's POST.
func (h *handler) serveAuthorize(w http.ResponseWriter, r *http.Request) {
	h.pages.secure(w, "")
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost:
	default:
		w.Header().Set("Allow", "GET, HEAD, POST")
		h.showError(w, r, wrongMethod("The method must be GET or POST.", r))
		return
	}
	req, err := requestOf(r)
	if err != nil {
		h.showError(w, r, err)
		return
	}
	if r.Method == http.MethodPost && (req.form.Get("interaction") != "" || req.form.Get("allow") != "") {
		h.signedIn(w, r, func(w http.ResponseWriter, r *http.Request, p person) { h.answerConsent(w, r, p, req.form) })
		return
	}
	if id := req.form.Get("interaction"); id != "" {
		h.resume(w, r, id)
		return
	}
	client, a, err := h.client(r.Context(), req)
	if err != nil {
		h.showError(w, r, err)
		return
	}
	if err := h.read(r.Context(), req, client, a); err != nil {
		h.redirectError(w, r, a, err)
		return
	}
	if r.Method == http.MethodPost {
		h.later(w, r, a, func(returnTo string) { http.Redirect(w, r, returnTo, http.StatusSeeOther) })
		return
	}
	h.visiting(w, r, func(w http.ResponseWriter, r *http.Request, p *person) { h.proceed(w, r, client, a, p) })
}

// later keeps a request and calls send with the address that goes on with it.
func (s *Server) later(w http.ResponseWriter, r *http.Request, a *authorization, send func(returnTo string)) {
	id, err := s.pend(r.Context(), person{}, kindRequest, a)
	if err != nil {
		s.showError(w, r, err)
		return
	}
	send(s.config.Path + "/authorize/?" + url.Values{"interaction": {id}}.Encode())
}

// resume goes on with a request that was kept.
func (h *handler) resume(w http.ResponseWriter, r *http.Request, id string) {
	var a authorization
	found, err := h.pending(r.Context(), id, kindRequest, &a)
	if err != nil {
		h.showError(w, r, err)
		return
	}
	if found == nil {
		h.showError(w, r, refuse(CodeInvalidRequest, "This page has expired or was answered before. "+
			"Please go back to the application and try again.", errNoInteraction))
		return
	}
	client, err := h.still(r.Context(), &a)
	if err != nil {
		h.showError(w, r, err)
		return
	}
	h.visiting(w, r, func(w http.ResponseWriter, r *http.Request, p *person) { h.proceed(w, r, client, &a, p) })
}

// still returns the client of a request that was kept, if it could ask the same
// now.
func (s *Server) still(ctx context.Context, a *authorization) (*Client, error) {
	client, cause, err := s.registered(ctx, a.ClientID)
	if err != nil {
		return nil, err
	}
	if cause == nil {
		cause = client.changed(a)
	}
	if cause != nil {
		return nil, ofClient(a.ClientID, refuse(CodeInvalidRequest,
			"The application has changed meanwhile. Please go back to it and try again.", cause))
	}
	return client, nil
}

// changed says why a client could not ask the same now. It is nil if the client could.
func (c *Client) changed(a *authorization) error {
	lost := func(has func(string) bool, names []string) string {
		if i := slices.IndexFunc(names, func(name string) bool { return !has(name) }); i >= 0 {
			return names[i]
		}
		return ""
	}
	scope := lost(func(name string) bool { return slices.Contains(c.Scopes, name) }, a.Scopes)
	resource := lost(c.mayAskFor, a.Resources)
	switch {
	case !matchRedirect(c.RedirectURIs, a.RedirectURI):
		return wrong("the redirect_uri is not registered any more", a.RedirectURI, c.RedirectURIs...)
	case !c.Allows(GrantAuthorizationCode):
		return grantNotAllowed(c, GrantAuthorizationCode)
	case scope != "":
		return wrong("the client does not have the scope any more", scope, c.Scopes...)
	case resource != "":
		return wrong("the client does not have the resource any more", resource, c.Resources...)
	}
	return nil
}

// proceed goes on with a request of whoever is signed in; p is nil for nobody.
func (s *Server) proceed(w http.ResponseWriter, r *http.Request, client *Client, a *authorization, p *person) {
	if cause := s.mustLogIn(a, p); cause != nil {
		if p != nil && a.SentToLogin && s.askedInVain(a, p) {
			s.redirectError(w, r, a, refuse(CodeLoginRequired,
				"Another user signed in, or when they did is not known.", cause))
			return
		}
		if a.prompts("none") {
			s.redirectError(w, r, a, refuse(CodeLoginRequired, "The user must sign in.", cause))
			return
		}
		kept := *a
		kept.SentToLogin = true
		s.later(w, r, &kept, func(returnTo string) {
			s.config.SignIn(w, r, SignInRequest{ReturnTo: returnTo, Fresh: p != nil, MaxAge: a.MaxAge, Hint: a.LoginHint, ACR: a.ACR, Client: client})
		})
		return
	}
	if p.user.UserID() == client.ID {
		// Its tokens would be taken for the client's own (RFC 9068 §5).
		s.redirectError(w, r, a, refuse(CodeAccessDenied, "The user has the name of the client.", errUserIsClient))
		return
	}
	if _, _, err := p.terms.Narrow(a.Scopes, true); err != nil {
		s.redirectError(w, r, a, refuse(CodeAccessDenied, "The user signed in for less than that.", err))
		return
	}
	recall := false
	if !client.FirstParty || a.prompts("consent") {
		consent, err := s.config.Store.Consent(r.Context(), p.user.UserID(), client.ID)
		if err != nil {
			s.redirectError(w, r, a, err)
			return
		}
		// Nothing proves which program on the user's machine it is that asks (RFC
		// 8252 §8.6).
		recall = consent.Covers(a.Scopes, a.Resources) && !a.prompts("consent") && !(client.Public() && isNative(a.RedirectURI))
		if !recall {
			if a.prompts("none") {
				s.redirectError(w, r, a, refuse(CodeConsentRequired, "The user must agree.", errMustAgree))
				return
			}
			s.showConsent(w, r, client, a, *p, consent)
			return
		}
	}
	s.approve(w, r, client, a, *p, nil, recall)
}

// The causes of refusals at the pages.
var (
	errNoInteraction = errors.New("the interaction is unknown, expired or answered, or of another page")
	errMustAgree     = errors.New("the prompt is none, and the user has not agreed to these scopes and resources, or " +
		"the client is a program on the user's machine (RFC 8252 §8.6)")
	errNotSignedIn = errors.New("no user is signed in")
	errPromptLogin = errors.New("the prompt wants a new login, and the login does not tell that it came " +
		"after the request")
	errMaxAge       = errors.New("the login is older than max_age, or does not tell when it was")
	errDenied       = errors.New("the user did not agree")
	errNotRecalled  = errors.New("the consent was withdrawn, or the client removed or disabled meanwhile")
	errTaken        = errors.New("the form was answered before, or has expired")
	errOtherUser    = errors.New("the page was shown to another user")
	errOtherSession = errors.New("the page was shown in another session of the user")
)

// mustLogIn says why a user must sign in, or again. It is nil if the user need not.
func (s *Server) mustLogIn(a *authorization, p *person) error {
	if p == nil {
		return errNotSignedIn
	}
	at := p.login.AuthTime
	// What a browser or proxy proves anew with every request, such as Basic, has no
	// session, and does not tell when somebody was last there.
	sinceAsked := p.session != "" && !at.IsZero() && !at.Before(a.Asked)
	switch {
	case a.Subject != "" && a.Subject != p.user.UserID():
		return wrong("another user than that of the id_token_hint is signed in", p.user.UserID(), a.Subject)
	case sinceAsked:
		return nil
	case a.prompts("login") || a.prompts("select_account"):
		return errPromptLogin
	case a.MaxAge >= 0 && (p.session == "" || at.IsZero() || time.Since(at) > a.MaxAge):
		return errMaxAge
	}
	return nil
}

// askedInVain reports a login after which another one would not help: of another
// user than the client has an ID token of (OpenID Connect Core §3.1.2.1), or by
// something that does not tell when it was.
func (s *Server) askedInVain(a *authorization, p *person) bool {
	return p.session == "" || p.login.AuthTime.IsZero() || a.Subject != "" && a.Subject != p.user.UserID() && !p.login.AuthTime.Before(a.Asked)
}

// showConsent asks the user. What is shown is kept: the form has nothing but the
// identifier of the interaction and the answer.
func (s *Server) showConsent(w http.ResponseWriter, r *http.Request, client *Client, a *authorization, p person, before *Consent) {
	id, err := s.pend(r.Context(), p, kindConsent, a)
	if err != nil {
		s.redirectError(w, r, a, err)
		return
	}
	page := ConsentPage{Layout: s.question(r, "Allow access?"), Client: client, Interaction: id, Action: s.config.Path + "/authorize/",
		ReturnsTo: hostOf(a.RedirectURI), Native: isNative(a.RedirectURI)}
	for _, name := range a.Scopes {
		if scope := s.scope(name); scope != nil {
			page.Scopes = append(page.Scopes, ConsentScope{*scope, before != nil && slices.Contains(before.Scopes, name)})
		}
	}
	for _, id := range a.Resources {
		if resource := s.resource(id); resource != nil && len(s.config.Resources) > 1 {
			page.Resources = append(page.Resources, *resource)
		}
	}
	s.pages.secure(w, a.RedirectURI)
	s.show(w, r, http.StatusOK, s.pages.Consent, page)
}

// hostOf is where an address leads, for people: its host, or the scheme of one
// that is a program's.
func hostOf(uri string) string {
	u, err := url.Parse(uri)
	if err != nil || u.Host == "" {
		scheme, _, _ := strings.Cut(uri, ":")
		return scheme
	}
	return u.Host
}

// answerConsent takes the answer to a consent page: of the user who saw it, in the
// session in which they did, and once (RFC 6749 §10.12).
func (s *Server) answerConsent(w http.ResponseWriter, r *http.Request, p person, form Form) {
	var a authorization
	if err := s.take(r.Context(), form.Get("interaction"), p, kindConsent, &a); err != nil {
		s.showError(w, r, err)
		return
	}
	client, err := s.still(r.Context(), &a)
	if err != nil {
		s.showError(w, r, err)
		return
	}
	if form.Get("allow") == "" {
		s.redirectError(w, r, &a, refuse(CodeAccessDenied, "The user did not agree.", errDenied))
		return
	}
	at := now()
	s.approve(w, r, client, &a, p, &Consent{UserID: p.user.UserID(), ClientID: client.ID, Scopes: a.Scopes, Resources: a.Resources, Created: at, Updated: at}, false)
}

// approve adds the grant and sends its code.
func (s *Server) approve(w http.ResponseWriter, r *http.Request, client *Client, a *authorization, p person, remember *Consent, recall bool) {
	lifetimes, err := s.lifetimes(LifetimeRequest{client, GrantAuthorizationCode, a.Scopes, a.Resources})
	if err != nil {
		s.redirectError(w, r, a, err)
		return
	}
	at := now()
	grant := &Grant{
		ID: backend.NewID(), ClientID: client.ID, UserID: p.user.UserID(), Type: GrantAuthorizationCode, Scopes: a.Scopes, Resources: a.Resources,
		SessionID: p.session, Offline: slices.Contains(a.Scopes, "offline_access"), AuthInfo: p.login, Stamp: stampOf(p.user),
		Created: at, LastUsed: at, ExpiresAt: at.Add(lifetimes.Code), MaxExpiresAt: at.Add(lifetimes.RefreshAbsolute),
	}
	secret := backend.NewToken(s.code, p.user.UserID(), backend.DefaultTokenLength)
	code := &Code{Digest: backend.TokenDigest(secret, s.code), GrantID: grant.ID, Challenge: a.Challenge, Nonce: a.Nonce, ExpiresAt: grant.ExpiresAt}
	if a.Sent {
		code.RedirectURI = a.RedirectURI
	}
	limit := s.roomFor(grant)
	added, err := s.config.Store.Approve(r.Context(), Approval{Grant: grant, Code: code, Remember: remember, Recall: recall,
		Limit: limit.most, EvictOldest: limit.evict})
	switch {
	case err != nil:
		s.redirectError(w, r, a, err)
	case added.Refused:
		s.redirectError(w, r, a, refuse(CodeAccessDenied,
			"The consent was withdrawn, or the client disabled, meanwhile.", errNotRecalled))
	case added.OverLimit:
		s.redirectError(w, r, a, refuse(CodeAccessDenied,
			"The user has given as much access as one may. Some must be withdrawn first.", limit.err))
	default:
		s.tellEvicted(r.Context(), added, grant)
		s.respond(w, r, a, [][2]string{{"code", secret}})
	}
}

// redirectError sends an error to the client (RFC 6749 §4.1.2.1).
func (s *Server) redirectError(w http.ResponseWriter, r *http.Request, a *authorization, err error) {
	status := http.StatusSeeOther
	if a.FormPost {
		status = http.StatusOK
	}
	s.report(r, status, ofClient(a.ClientID, err))
	var e *Error
	if !errors.As(err, &e) {
		e = refuse(CodeTemporarilyUnavailable, "The server cannot answer now.", err)
	}
	s.respond(w, r, a, [][2]string{{"error", e.Code}, {"error_description", e.description()}})
}

// respond sends the answer to the client, with the state it sent and who answers
// (RFC 9207 §2). The status is 303: another one could make the browser send its
// form to the client (RFC 9700 §4.12).
func (s *Server) respond(w http.ResponseWriter, r *http.Request, a *authorization, params [][2]string) {
	params = append(params, [2]string{"state", a.State}, [2]string{"iss", s.config.Issuer})
	if a.FormPost {
		s.postTo(w, r, a.RedirectURI, params)
		return
	}
	h := w.Header()
	h.Set("Location", withParams(a.RedirectURI, params))
	w.WriteHeader(http.StatusSeeOther)
}

// person is who is signed in.
type person struct {
	user    auth.User
	login   auth.AuthInfo
	session string // identifies the session, if the credential does
	terms   backend.Terms
}

// visiting calls next with who is signed in, or nil.
func (h *handler) visiting(w http.ResponseWriter, r *http.Request,
	next func(http.ResponseWriter, *http.Request, *person)) {
	h.guard.Optional()(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, ok := auth.UserFrom[auth.User](r.Context())
		if !ok {
			next(w, r, nil)
			return
		}
		credential, _ := auth.CredentialFrom[auth.Credential](r.Context())
		terms, err := backend.TermsOf(credential, false, time.Now())
		if err != nil {
			h.guard.Refuse(w, r, err)
			return
		}
		p := &person{user: user, login: terms.AuthInfo, terms: terms}
		p.login.AuthTime = backend.StoreTime(p.login.AuthTime)
		if session, ok := auth.As[interface{ ID() string }](credential); ok {
			p.session = session.ID()
		}
		next(w, r, p)
	})).ServeHTTP(w, r)
}

// signedIn is visiting for what nobody else may do. It checks the origin of
// unsafe requests before anybody is authenticated.
func (h *handler) signedIn(w http.ResponseWriter, r *http.Request,
	next func(http.ResponseWriter, *http.Request, person)) {
	if err := h.guard.CheckOrigin(r); err != nil {
		h.showError(w, r, errForgery(err))
		return
	}
	h.visiting(w, r, func(w http.ResponseWriter, r *http.Request, p *person) {
		switch {
		case p != nil:
			next(w, r, *p)
		case r.Method == http.MethodGet || r.Method == http.MethodHead:
			h.config.SignIn(w, r, SignInRequest{ReturnTo: r.URL.RequestURI(), MaxAge: -1})
		default:
			h.showError(w, r, errForgery(errNotSignedIn))
		}
	})
}

// errForgery refuses a form.
func errForgery(cause error) *Error {
	return &Error{Code: CodeAccessDenied, Description: "This form was not sent from its own page, by who saw it, " +
		"or you are signed out. Please go back and try again.", Status: http.StatusForbidden, Cause: cause}
}

// The kinds of interactions. The answer to one is none to another.
const (
	kindRequest = "request" // an authorization request that goes on after a login
	kindConsent = "consent"
	kindLogout  = "logout"
)

// pended is the Data of an interaction.
type pended struct {
	Kind  string          `json:"kind"`
	Asked json.RawMessage `json:"asked"`
}

// pend keeps what a page asks, and returns the secret that names it in addresses
// and forms. With a zero person any holder of the secret may go on with it. The page
// of a user is for that user alone.
func (s *Server) pend(ctx context.Context, p person, kind string, asked any) (secret string, err error) {
	text, err := json.Marshal(asked)
	if err != nil {
		return "", err
	}
	data, err := json.Marshal(pended{kind, text})
	if err != nil {
		return "", err
	}
	i := &Interaction{ID: backend.NewID(), SessionID: p.session, Created: now(), Data: data}
	if p.user != nil {
		i.UserID = p.user.UserID()
	}
	i.ExpiresAt = i.Created.Add(interactionTTL)
	secret = backend.NewToken("", i.UserID, backend.DefaultTokenLength)
	i.Digest = digestOf(secret)
	return secret, s.config.Store.AddInteraction(ctx, i)
}

// pending returns an interaction of a kind, or nil, and reads what it asks into
// asked.
func (s *Server) pending(ctx context.Context, secret, kind string, asked any) (*Interaction, error) {
	if !backend.OwnsToken(secret, "") {
		return nil, nil
	}
	i, err := s.config.Store.Interaction(ctx, digestOf(secret), now())
	if err != nil || i == nil {
		return nil, err
	}
	var data pended
	if err := json.Unmarshal(i.Data, &data); err != nil || data.Kind != kind {
		return nil, err
	}
	return i, json.Unmarshal(data.Asked, asked)
}

// take uses up the interaction of a form. It is errForgery if there is none that
// this person saw in this session.
func (s *Server) take(ctx context.Context, secret string, p person, kind string, asked any) error {
	i, err := s.pending(ctx, secret, kind, asked)
	if err != nil {
		return err
	}
	switch {
	case i == nil:
		return errForgery(errNoInteraction)
	case i.UserID != p.user.UserID():
		return errForgery(errOtherUser)
	case i.SessionID != p.session:
		return errForgery(errOtherSession)
	}
	if i, err = s.config.Store.ConsumeInteraction(ctx, i.Digest, now()); err != nil {
		return err
	}
	if i == nil {
		return errForgery(errTaken)
	}
	return nil
}
