package external

import (
	"context"
	"crypto/subtle"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
)

// same compares in constant time.
func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// start implements [Handlers].Start.
func (h *handler) start(w http.ResponseWriter, r *http.Request, p *provider) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.wrongMethod(w, r, p, "GET, HEAD")
		return
	}
	a := &attempt{Purpose: toSignIn}
	if err := h.readStart(r, p, a); err != nil {
		h.fail(w, r, failure{Reason: reasonInvalid, provider: p, cause: err})
		return
	}
	h.send(w, r, p, a)
}

const maxAppState = 256

const base64urlChars = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// The causes of a refused start.
var (
	errNoReturnTo = errors.New("return_to is missing, which apps must send where Config.SignIn is nil")
	errChallenge  = errors.New("code_challenge is missing, or not of S256 (RFC 7636 §4.2)")
	errAppState   = errors.New("state is longer than 256 bytes, or has other characters than RFC 6749 appendix A.5")
)

func (l *Logins) readStart(r *http.Request, p *provider, a *attempt) error {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return errQuery
	}
	for name, values := range query {
		if len(values) > 1 {
			return failedValue("a parameter is repeated", name)
		}
	}
	a.Next = "/"
	if len(query.Get("next")) > maxNext {
		return errLongNext
	}
	if next, ok := backend.LocalPath(query.Get("next")); ok {
		a.Next = next
	}
	if text := query.Get("max_age"); text != "" && p.maxAge {
		seconds, err := strconv.ParseUint(text, 10, 31)
		if err != nil {
			return failedValue("max_age is no number of seconds", text)
		}
		age := int(seconds)
		a.MaxAge = &age
	}
	a.ReturnTo = query.Get("return_to")
	switch {
	case a.ReturnTo == "" && l.config.SignIn == nil:
		return errNoReturnTo
	case a.ReturnTo == "":
		return nil
	case !slices.Contains(l.config.Apps.Redirects, a.ReturnTo):
		to := a.ReturnTo
		a.ReturnTo = ""
		return failedSetting("Config.Apps.Redirects", "return_to is not registered", to, l.config.Apps.Redirects...)
	}
	a.Challenge, a.AppState = query.Get("code_challenge"), query.Get("state")
	switch {
	case query.Get("code_challenge_method") != "S256", len(a.Challenge) != len(challenge("")),
		strings.Trim(a.Challenge, base64urlChars) != "":
		return errChallenge
	case len(a.AppState) > maxAppState ||
		strings.ContainsFunc(a.AppState, func(r rune) bool { return r < ' ' || r > '~' }):
		return errAppState
	}
	return nil
}

// send has the browser keep the attempt, and go to the provider (RFC 6749 §4.1.1).
func (l *Logins) send(w http.ResponseWriter, r *http.Request, p *provider, a *attempt) {
	now := time.Now()
	e, err := p.endpoints(r.Context(), now)
	if err != nil {
		l.fail(w, r, failure{Reason: reasonUnavailable, provider: p, attempt: a, cause: err})
		return
	}
	if err := l.saveAttempt(w, r, p, a, now); err != nil {
		l.fail(w, r, failure{Reason: reasonInvalid, provider: p, cause: err})
		return
	}
	query := url.Values{"response_type": {"code"}, "client_id": {p.clientID}, "redirect_uri": {l.RedirectURI(p.name)},
		"state": {a.State}}
	for name, value := range p.params {
		query.Set(name, value)
	}
	if !p.withoutPKCE {
		query.Set("code_challenge", challenge(a.Verifier))
		query.Set("code_challenge_method", "S256")
	}
	if len(p.scopes) > 0 {
		query.Set("scope", strings.Join(p.scopes, " "))
	}
	if p.nonce {
		query.Set("nonce", a.Nonce)
	}
	if p.formPost {
		query.Set("response_mode", "form_post")
	}
	if a.MaxAge != nil {
		query.Set("max_age", strconv.Itoa(*a.MaxAge))
	}
	redirect(w, withQuery(e.authorize, query))
}

// redirect answers 303 (RFC 9110 §15.4.4). The next site gets no Referer.
func redirect(w http.ResponseWriter, to string) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Location", to)
	w.WriteHeader(http.StatusSeeOther)
}

// link implements [Handlers].Link: it starts an attempt that links an identity to the signed-in user.
func (h *handler) link(w http.ResponseWriter, r *http.Request, p *provider) {
	user, ok := h.requireRecentLogin(w, r, p)
	if !ok {
		return
	}
	stamp := backend.Stamp(backendName, user)
	h.send(w, r, p, &attempt{Purpose: toLink, Next: h.config.Pages.AccountURL, UserID: user.UserID(), Stamp: stamp})
}

// unlink implements [Handlers].Unlink.
func (h *handler) unlink(w http.ResponseWriter, r *http.Request, p *provider) {
	user, ok := h.requireRecentLogin(w, r, p)
	if !ok {
		return
	}
	refuse := func(reason reason, cause error) {
		h.fail(w, r, failure{Reason: reason, provider: p, cause: cause, account: true})
	}
	form, err := formOf(r)
	if err != nil {
		refuse(reasonInvalid, err)
		return
	}
	id := form.Get("id")
	if !backend.ValidID(id) { // one that is not there is not linked
		redirect(w, h.config.Pages.AccountURL)
		return
	}
	other := false
	if h.config.Linking.HasOtherWay != nil {
		if other, err = h.config.Linking.HasOtherWay(r.Context(), user); err != nil {
			refuse(reasonUnavailable, hookError("Config.Linking.HasOtherWay", err))
			return
		}
	}
	identity, verdict, err := h.config.Store.Unlink(r.Context(), user.UserID(), id, !other)
	switch {
	case err != nil:
		refuse(reasonUnavailable, err)
	case verdict == UnlinkLast:
		refuse(reasonLastWay, errLastWay)
	default: // one that is not there is not linked
		if verdict == UnlinkRemoved {
			h.changed(r.Context(), user, Unlinked, identity)
		}
		redirect(w, h.config.Pages.AccountURL)
	}
}

// requireRecentLogin returns the signed-in user, if the user may link and unlink: linking is not disabled, the request
// is a POST of this site, and the user has just signed in. Otherwise it answers the request.
func (h *handler) requireRecentLogin(w http.ResponseWriter, r *http.Request, p *provider) (auth.User, bool) {
	refuse := func(reason reason, cause error) (auth.User, bool) {
		h.fail(w, r, failure{Reason: reason, provider: p, cause: cause, account: true})
		return nil, false
	}
	if h.config.Linking.Disabled {
		return refuse(reasonNoProvider, errNoLinking)
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return refuse(reasonMethod, failedValue("the method is not one of the endpoint", r.Method, http.MethodPost))
	}
	if err := h.guard.CheckOrigin(r); err != nil {
		return refuse(reasonOrigin, err)
	}
	user, credential, err := h.guard.Authenticate(r)
	if err != nil {
		return refuse(reasonOf(err), err)
	}
	if err := mayLink(r, user, credential); err != nil {
		return refuse(reasonNotAllowed, err)
	}
	if f := h.checkFresh(credential); f != nil {
		return refuse(f.Reason, f.cause)
	}
	return user, true
}

func isMachine(user auth.User) bool {
	if _, ok := auth.As[auth.Machine](user); ok {
		return true
	}
	_, ok := auth.As[*auth.Machine](user)
	return ok
}

// errNotSignedIn refuses a credential that is no sign-in: a token that could link an
// account would be worth a login for ever.
var errNotSignedIn = errors.New("oauth2/external: only a user that signed in with a browser may link an account: " +
	"the credential must be auth.Primary and have an ID, as a session does")

// mayLink refuses machines, limited credentials, tokens, and what a browser or proxy
// proves anew with every request, which does not tell when the user was last there.
func mayLink(r *http.Request, user auth.User, credential auth.Credential) error {
	if isMachine(user) {
		return errNotSignedIn
	}
	primary, ok := auth.As[auth.Primary](credential)
	login, isLogin := auth.As[interface{ ID() string }](credential)
	if !ok || !primary.Primary() || !isLogin || login.ID() == "" {
		return errNotSignedIn
	}
	return auth.FullAccess(r, user, credential)
}

// reasonOf returns the reason for an error of Guard.Authenticate.
func reasonOf(err error) reason {
	switch auth.KindOf(err) {
	case nil:
		return reasonUnavailable
	case auth.ErrCrossOrigin:
		return reasonOrigin
	}
	return reasonSignIn
}

// changed tells the application.
func (l *Logins) changed(ctx context.Context, user auth.User, change Change, identity *Identity) {
	if l.config.Linking.Changed == nil {
		return
	}
	if err := l.config.Linking.Changed(ctx, user, change, identity); err != nil {
		l.logger().ErrorContext(ctx, "oauth2/external: Config.Linking.Changed", "change", change, "error", err)
	}
}
