package login

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
)

const (
	maxBody = 64 << 10 // the longest answer that comes by POST, in bytes
	maxCode = 4 << 10  // the longest code
)

// callback is [Handlers].Callback.
func (h *handler) callback(w http.ResponseWriter, r *http.Request, p *provider) {
	method := http.MethodGet
	if p.formPost {
		method = http.MethodPost
	}
	if r.Method != method {
		h.wrongMethod(w, r, p, method)
		return
	}
	a, f := h.finish(w, r, p)
	if f != nil {
		f.provider, f.attempt = p, a
		h.fail(w, r, *f)
	}
}

// finish ends an attempt; a failure has not been answered yet.
func (h *handler) finish(w http.ResponseWriter, r *http.Request, p *provider) (*attempt, *failure) {
	ctx, now := r.Context(), time.Now()
	form, err := readAnswer(r, p.formPost)
	if err != nil {
		return nil, &failure{Reason: reasonInvalid, cause: err}
	}
	if len(form["state"]) != 1 {
		return nil, &failure{Reason: reasonInvalid, cause: errors.New("there is no state, or more than one")}
	}
	a := h.find(r, p, form.Get("state"), now)
	if a == nil {
		return nil, &failure{Reason: reasonExpired, cause: errors.New("this browser has no attempt of that state")}
	}
	// Whatever comes of it, it comes once.
	fresh, err := h.config.Store.PutOnce(ctx, a.once(), time.Unix(a.Expires, 0), now)
	if err != nil {
		return a, &failure{Reason: reasonUnavailable, cause: err}
	}
	h.drop(w, p, a)
	if !fresh {
		return a, &failure{Reason: reasonUsed, cause: errors.New("the attempt was used before")}
	}
	e, err := p.endpoints(ctx, now)
	if err != nil {
		return a, &failure{Reason: reasonUnavailable, cause: err}
	}
	if f := checkAnswer(p, e, a, form); f != nil {
		return a, f
	}
	tokens, err := p.exchange(ctx, e, url.Values{"grant_type": {"authorization_code"}, "code": form["code"],
		"redirect_uri": {h.RedirectURI(p.name)}, "code_verifier": {a.Verifier}}, now)
	if err != nil {
		return a, failureOf(err)
	}
	if p.prolong != nil {
		if tokens, err = p.prolong(ctx, e, tokens, now); err != nil {
			return a, failureOf(err)
		}
	}
	profile, err := p.profile(ctx, &answer{endpoints: e, tokens: tokens, attempt: a, clients: []string{p.clientID}, form: form, now: now})
	if err != nil {
		return a, failureOf(err)
	}
	profile.finish(p)
	if !profile.check() {
		return a, &failure{Reason: reasonUntrusted, cause: errors.New("the provider names no subject, or one that cannot be kept")}
	}
	if a.Purpose == toLink {
		return a, h.finishLink(w, r, p, a, profile, tokens, now)
	}
	return a, h.signIn(w, r, p, a, profile, tokens, now)
}

// readAnswer returns the parameters that a browser came back with.
func readAnswer(r *http.Request, formPost bool) (url.Values, error) {
	if formPost {
		return formOf(r)
	}
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, errors.New("the query is none")
	}
	return values, nil
}

// formOf returns the fields of a form that is the body of r.
func formOf(r *http.Request) (url.Values, error) {
	body, err := backend.ReadBody(r, maxBody)
	if err != nil {
		return nil, err
	}
	if body.Type != backend.TypeForm {
		return nil, errors.New("the body is no form")
	}
	return body.Form()
}

// checkAnswer checks what came back before anything is sent anywhere.
func checkAnswer(p *provider, e *endpoints, a *attempt, form url.Values) *failure {
	if a.Provider != p.name { // each has its own redirect URI (RFC 9700 §4.4.2)
		return &failure{Reason: reasonUntrusted, cause: errors.New("the attempt is of another provider")}
	}
	for _, name := range []string{"code", "error", "iss", "user"} {
		if len(form[name]) > 1 { // RFC 6749 §3.1
			return &failure{Reason: reasonInvalid, cause: errors.New("the parameter " + name + " is repeated")}
		}
	}
	// An answer of somebody else says nothing, not even what went wrong (RFC 9207 §2.4).
	iss, has := form.Get("iss"), form.Has("iss")
	switch {
	case has && (p.isIssuer == nil || !p.isIssuer(iss)):
		return &failure{Reason: reasonUntrusted, cause: errors.New("the answer is of another issuer (iss)")}
	case !has && e.issuerInAnswers:
		return &failure{Reason: reasonUntrusted, cause: errors.New("the answer does not say whose it is (iss)")}
	}
	if code := form.Get("error"); code != "" {
		f := &failure{Reason: reasonRefused, cause: errors.New("the provider says " + strconv.Quote(backend.CleanText(code, 100)))}
		switch code {
		case "access_denied", "user_cancelled_login", "user_cancelled_authorize", "consent_required", "interaction_required", "login_required":
			f.Reason = reasonDenied
		case "server_error", "temporarily_unavailable":
			f.Reason = reasonUnavailable
		}
		return f
	}
	if code := form.Get("code"); code == "" || len(code) > maxCode {
		return &failure{Reason: reasonInvalid, cause: errors.New("there is no code, or a very long one")}
	}
	return nil
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

// signIn makes a credential of who came back.
func (l *Logins) signIn(w http.ResponseWriter, r *http.Request, p *provider, a *attempt, profile *Profile, tokens *Tokens, now time.Time) *failure {
	ctx := r.Context()
	user, f := l.who(ctx, profile, now)
	if f != nil {
		return f
	}
	if l.config.KeepTokens != nil {
		if err := l.config.KeepTokens(ctx, user, profile, tokens); err != nil {
			return failureOf(err)
		}
	}
	login := &Credential{profile, now}
	to := a.Next
	if a.ReturnTo != "" {
		code, err := l.issueCode(ctx, user, login, a.Challenge, now)
		if err != nil {
			return &failure{Reason: reasonUnavailable, cause: err}
		}
		to = appURL(a, "login_code", code)
	} else if err := l.config.SignIn(w, r, user, login); errors.Is(err, ErrAnswered) {
		return nil
	} else if err != nil {
		return accountFailure(err)
	}
	l.events.SendOf(r, auth.Event{Kind: auth.EventLogin, UserID: user.UserID()})
	redirect(w, landing(p, to))
	return nil
}

// landing is where a browser goes. One that came with a fragment would keep it.
func landing(p *provider, to string) string {
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

// who returns the user whose identity it is, by the steps of [Config].
func (l *Logins) who(ctx context.Context, p *Profile, now time.Time) (auth.User, *failure) {
	c := l.config
	if c.Allow != nil {
		if err := c.Allow(ctx, p); err != nil {
			return nil, failureOf(err)
		}
	}
	known, err := c.Store.Identity(ctx, p.Issuer, p.Subject)
	if err != nil {
		return nil, &failure{Reason: reasonUnavailable, cause: err}
	}
	if known != nil {
		seen := identityOf(p, known.UserID, now)
		seen.ID, seen.Created = known.ID, known.Created
		if err := c.Store.Touch(ctx, seen); err != nil {
			l.logger().WarnContext(ctx, "oauth2/login: what an identity is called was not noted", "error", err)
		}
		return l.load(ctx, known.UserID)
	}
	user, err := l.newcomer(ctx, p)
	switch {
	case err != nil:
		return nil, failureOf(err)
	case user == nil:
		return nil, &failure{Reason: reasonNoAccount, cause: errors.New("nobody has this identity")}
	}
	found, f := l.load(ctx, user.UserID()) // before anything is linked to somebody who is not there
	if f != nil {
		return nil, f
	}
	identity := identityOf(p, found.UserID(), now)
	owner, err := c.Store.Link(ctx, identity)
	if err != nil {
		return nil, &failure{Reason: reasonUnavailable, cause: err}
	}
	if owner != found.UserID() { // another login was faster
		return l.load(ctx, owner)
	}
	l.changed(ctx, found, Linked, identity)
	return found, nil
}

// newcomer returns the user that an identity of nobody is to be linked to, or nil.
func (l *Logins) newcomer(ctx context.Context, p *Profile) (auth.User, error) {
	c := l.config
	if c.ByEmail != nil && p.Email.Authoritative {
		account, err := c.ByEmail(ctx, p.Email.Address)
		switch {
		case errors.Is(err, auth.ErrUserNotFound):
		case err != nil:
			return nil, err
		case account.User == nil:
			return nil, errors.New("oauth2/login: Config.ByEmail returned neither a user nor an error")
		case account.Verified:
			return account.User, nil
		case c.DropUnverified == nil:
			return nil, ErrAccountExists
		default:
			if err := c.DropUnverified(ctx, account.User, p); err != nil {
				return nil, err
			}
		}
	}
	if c.NewUser == nil {
		return nil, nil
	}
	user, err := c.NewUser(ctx, p)
	if err == nil && user == nil {
		err = errors.New("oauth2/login: Config.NewUser returned neither a user nor an error")
	}
	return user, err
}

// load finds a user by Config.LoadUser.
func (l *Logins) load(ctx context.Context, id string) (auth.User, *failure) {
	user, err := l.config.LoadUser.Load(ctx, id)
	if err != nil {
		return nil, accountFailure(err)
	}
	return user, nil
}

// accountFailure says what an error about a user is.
func accountFailure(err error) *failure {
	switch {
	case errors.Is(err, auth.ErrUserInactive), errors.Is(err, auth.ErrUserNotFound), auth.KindOf(err) == auth.ErrInvalid:
		return &failure{Reason: reasonInactive, cause: err}
	case auth.KindOf(err) == auth.ErrInsufficient:
		return &failure{Reason: reasonNotAllowed, cause: err}
	}
	return &failure{Reason: reasonUnavailable, cause: err}
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
	refuse := func(reason reason, cause string) *failure {
		return &failure{Reason: reason, cause: errors.New(cause), account: true}
	}
	if h.config.NoLinking {
		return refuse(reasonNoProvider, "Config.NoLinking is set by now")
	}
	if !backend.SameStamp(a.Stamp, backend.Stamp(backendName, user)) {
		return refuse(reasonSignIn, "the user's stamp has changed")
	}
	// Who began must still be who is signed in. A POST of another site brings no cookie
	// of a session, so there the attempt alone says who began.
	if !p.formPost {
		now, credential, err := h.guard.Authenticate(r)
		switch {
		case err != nil:
			return &failure{Reason: reasonOf(err), cause: err, account: true}
		case now.UserID() != a.UserID:
			return refuse(reasonSignIn, "another user is signed in by now")
		}
		if err := mayLink(r, now, credential); err != nil {
			return &failure{Reason: reasonNotAllowed, cause: err, account: true}
		}
	}
	if h.config.Allow != nil {
		if err := h.config.Allow(ctx, profile); err != nil {
			return failureOf(err)
		}
	}
	identity := identityOf(profile, a.UserID, now)
	owner, err := h.config.Store.Link(ctx, identity)
	switch {
	case err != nil:
		return &failure{Reason: reasonUnavailable, cause: err, account: true}
	case owner != a.UserID:
		return refuse(reasonTaken, "the identity is another user's")
	}
	if h.config.KeepTokens != nil {
		if err := h.config.KeepTokens(ctx, user, profile, tokens); err != nil {
			return failureOf(err)
		}
	}
	h.changed(ctx, user, Linked, identity)
	redirect(w, landing(p, a.Next))
	return nil
}
