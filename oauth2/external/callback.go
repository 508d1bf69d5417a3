package external

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
)

const (
	maxBody = 64 << 10 // the longest answer that comes by POST, in bytes
	maxCode = 4 << 10  // the longest code
)

// callback implements [Handlers].Callback.
func (h *handler) callback(w http.ResponseWriter, r *http.Request, p *provider) {
	var a *attempt
	var f *failure
	switch {
	case r.Method == http.MethodGet:
		a, f = h.finish(w, r, p)
	case !p.formPost:
		h.wrongMethod(w, r, p, http.MethodGet)
		return
	case r.Method == http.MethodPost:
		a, f = h.relay(w, r, p)
	default:
		h.wrongMethod(w, r, p, "GET, POST")
		return
	}
	if f != nil {
		f.provider, f.attempt = p, a
		h.fail(w, r, *f)
	}
}

// finish ends an attempt. A failure has not been answered yet.
func (h *handler) finish(w http.ResponseWriter, r *http.Request, p *provider) (*attempt, *failure) {
	ctx, now := r.Context(), time.Now()
	form, f := h.readCallback(r, p, now)
	if f != nil {
		return nil, f
	}
	a, f := h.attemptOf(r, p, form, now)
	if f != nil {
		return nil, f
	}
	// Whatever comes of it, it comes once.
	fresh, err := h.config.Store.PutOnce(ctx, a.replayKey(), time.Unix(a.Expires, 0), now)
	if err != nil {
		return a, &failure{Reason: reasonUnavailable, cause: err}
	}
	h.clearAttempt(w, p, a)
	if !fresh {
		return a, &failure{Reason: reasonUsed, cause: errAttemptUsed}
	}
	e, err := p.endpoints(ctx, now)
	if err != nil {
		return a, &failure{Reason: reasonUnavailable, cause: err}
	}
	if f := checkCallback(p, e, a, form); f != nil {
		return a, f
	}
	tokens, err := h.redeem(ctx, p, e, a, form.Get("code"), now)
	if err != nil {
		return a, failureOf(err)
	}
	profile, err := p.profile(ctx,
		&loginResult{endpoints: e, tokens: tokens, attempt: a, clients: []string{p.clientID}, form: form, now: now})
	if err != nil {
		return a, failureOf(err)
	}
	profile.finish(p)
	if !profile.check() {
		return a, &failure{Reason: reasonUntrusted, cause: errNoSubject}
	}
	if a.Purpose == toLink {
		return a, h.finishLink(w, r, p, a, profile, tokens, now)
	}
	return a, h.signIn(w, r, p, a, profile, tokens, now)
}

// redeem exchanges a code for tokens (RFC 6749 §4.1.3). If OAuth2Quirks.Extend is set, a second request exchanges these
// tokens for others that live longer.
func (l *Logins) redeem(ctx context.Context, p *provider, e *endpoints, a *attempt, code string,
	now time.Time) (*Tokens, error) {
	form := url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {l.RedirectURI(p.name)}}
	if !p.withoutPKCE {
		form.Set("code_verifier", a.Verifier)
	}
	tokens, err := p.exchange(ctx, e, form, now)
	if err != nil || p.extend == nil {
		return tokens, err
	}
	extension := p.extend(tokens)
	if len(extension) == 0 {
		return tokens, nil
	}
	return p.exchange(ctx, e, maps.Clone(extension), now)
}

// readCallback returns the parameters that a browser came back with.
func (l *Logins) readCallback(r *http.Request, p *provider, now time.Time) (url.Values, *failure) {
	if p.formPost {
		return l.openCallback(r, p, now)
	}
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, &failure{Reason: reasonInvalid, cause: errQuery}
	}
	return values, nil
}

// attemptOf returns the attempt that an answer belongs to.
func (l *Logins) attemptOf(r *http.Request, p *provider, form url.Values, now time.Time) (*attempt, *failure) {
	if len(form["state"]) != 1 {
		return nil, &failure{Reason: reasonInvalid, cause: stateFault(form)}
	}
	a, err := l.openAttempt(r, p, form.Get("state"), now)
	if err != nil {
		return nil, &failure{Reason: reasonExpired, cause: withProviderError(err, form)}
	}
	return a, nil
}

// formOf returns the fields of a form that is the body of r.
func formOf(r *http.Request) (url.Values, error) {
	body, err := backend.ReadBody(r, maxBody)
	if err != nil {
		return nil, err
	}
	if body.Type != backend.TypeForm {
		return nil, errNoForm
	}
	return body.Form()
}

// checkCallback checks the parameters of a callback, before a request is sent to the provider.
func checkCallback(p *provider, e *endpoints, a *attempt, form url.Values) *failure {
	if a.Provider != p.name { // each has its own redirect URI (RFC 9700 §4.4.2)
		return &failure{Reason: reasonUntrusted, cause: errOtherProvider}
	}
	for _, name := range []string{"code", "error", "iss", "user"} {
		if len(form[name]) > 1 { // RFC 6749 §3.1
			return &failure{Reason: reasonInvalid, cause: failedValue("a parameter is repeated (RFC 6749 §3.1)", name)}
		}
	}
	// An answer of somebody else says nothing, not even what went wrong (RFC 9207 §2.4).
	iss, has := form.Get("iss"), form.Has("iss")
	switch {
	case has && p.isIssuer == nil:
		return &failure{Reason: reasonUntrusted, cause: failedSetting("OAuth2.ResponseIssuer",
			"the answer has an iss, and the provider is not known to send one", iss)}
	case has && !p.isIssuer(iss):
		return &failure{Reason: reasonUntrusted, cause: failedSetting("Issuer of the provider",
			"the iss of the answer is another issuer (RFC 9207 §2.4)", iss, p.iss)}
	case !has && e.issuerInAnswers:
		return &failure{Reason: reasonUntrusted, cause: failedValue(
			"the answer has no iss, and the metadata says that there is one (RFC 9207 §2.4)", "", p.iss)}
	}
	if says := callbackError(form); says != nil {
		f := &failure{Reason: reasonRefused, cause: says}
		switch says.code {
		case "access_denied", "consent_required", "interaction_required", "login_required":
			f.Reason = reasonDenied
		case "server_error", "temporarily_unavailable":
			f.Reason = reasonUnavailable
		}
		if slices.Contains(p.codes.AccessDenied, says.code) {
			f.Reason = reasonDenied
		}
		return f
	}
	if code := form.Get("code"); code == "" || len(code) > maxCode {
		return &failure{Reason: reasonInvalid, cause: errNoCode}
	}
	return nil
}

// stateFault says what is wrong where an answer has not one state.
func stateFault(form url.Values) error {
	if len(form["state"]) > 1 {
		return failedValue("a parameter is repeated (RFC 6749 §3.1)", "state")
	}
	return withProviderError(errNoState, form)
}

var errNoState = errors.New("the state is missing")

// withProviderError adds the error of a callback that belongs to no attempt. It may be of another person.
func withProviderError(err error, form url.Values) error {
	if says := callbackError(form); says != nil {
		return fmt.Errorf("%w; %w", err, says)
	}
	return err
}

// failureOf says what an error of a provider or of a hook is.
func failureOf(err error) *failure {
	f := &failure{Reason: reasonUnavailable, cause: err}
	switch {
	case isUntrusted(err):
		f.Reason = reasonUntrusted
	case isRefusal(err):
		f.Reason = reasonRefused
	case errors.Is(err, ErrAccountExists):
		f.Reason = reasonAccountExists
	case errors.Is(err, ErrNotAllowed), auth.KindOf(err) == auth.ErrInsufficient:
		f.Reason = reasonNotAllowed
	}
	return f
}

// withoutFragment returns the address to redirect to. If the browser came with a fragment, it would keep that, so an
// empty one is added.
func withoutFragment(p *provider, to string) string {
	if p.fragment && !strings.Contains(to, "#") {
		return to + "#"
	}
	return to
}

// appURL is where an app gets its answer.
func appURL(a *attempt, name, value string) string {
	query := url.Values{name: {value}}
	if a.AppState != "" {
		query.Set("state", a.AppState)
	}
	return withQuery(a.ReturnTo, query)
}

// finishLink gives an identity to the user that asked for it.
func (h *handler) finishLink(w http.ResponseWriter, r *http.Request, p *provider, a *attempt, profile *Profile,
	tokens *Tokens, now time.Time) *failure {
	ctx := r.Context()
	user, f := h.load(ctx, a.UserID)
	if f != nil {
		f.account = true
		return f
	}
	refuse := func(reason reason, cause error) *failure {
		return &failure{Reason: reason, cause: cause, account: true}
	}
	if h.config.Linking.Disabled {
		return refuse(reasonNoProvider, errNoLinking)
	}
	if !backend.SameStamp(a.Stamp, backend.Stamp(backendName, user)) {
		return refuse(reasonSignIn, errStampChanged)
	}
	if f := h.checkSameUser(r, a); f != nil {
		return f
	}
	if h.config.Accounts.Allow != nil {
		if err := h.config.Accounts.Allow(ctx, profile); err != nil {
			return failureOf(hookError("Config.Accounts.Allow", err))
		}
	}
	if f := h.linkTo(ctx, user, profile, now); f != nil {
		f.account = true
		return f
	}
	if f := h.keepTokens(ctx, user, profile, tokens); f != nil {
		return f
	}
	redirect(w, withoutFragment(p, a.Next))
	return nil
}

// checkSameUser refuses a link if the user that began it is not signed in any more.
func (h *handler) checkSameUser(r *http.Request, a *attempt) *failure {
	user, credential, err := h.guard.Authenticate(r)
	switch {
	case err != nil:
		return &failure{Reason: reasonOf(err), cause: err, account: true}
	case user.UserID() != a.UserID:
		return &failure{Reason: reasonSignIn, account: true, cause: failedValue(
			"another user than the one that began is signed in by now", user.UserID(), a.UserID)}
	}
	if err := mayLink(r, user, credential); err != nil {
		return &failure{Reason: reasonNotAllowed, cause: err, account: true}
	}
	return nil
}
