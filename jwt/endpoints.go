package jwt

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
)

// The errors for a browser that has no refresh token.
var (
	errNoCookie = noToken("the request has no cookie of Config.Cookie.Name: the browser did not keep it, or did " +
		"not send it")
	errTwoCookies = noToken("the request has several cookies of Config.Cookie.Name, of which another host may have " +
		"set one")
)

func noToken(why string) error {
	return &auth.Error{Kind: auth.ErrInvalid, Code: codeNotValid, Detail: "There is no refresh token.",
		Cause: errors.New(why)}
}

// errOtherScopes is the error for a login with a credential that is limited to
// scopes that no token here can have.
var errOtherScopes error = &auth.Error{Kind: auth.ErrInsufficient,
	Detail: "The credential presented is limited to scopes that no token here has.",
	Cause:  errors.New("the credential is limited to scopes that are not among Config.Scopes")}

func (h handler) serveObtain(w http.ResponseWriter, r backend.Request) {
	options, err := h.options(r)
	if err != nil {
		h.login.Refuse(w, r.Request, err)
		return
	}
	pair, err := h.Issue(r.Context(), r.User.UserID(), options)
	if err != nil {
		h.login.Refuse(w, r.Request, err)
		return
	}
	if !h.finish(w, r, pair.SessionID) {
		return
	}
	h.answer(w, pair)
}

func (h handler) serveSliding(w http.ResponseWriter, r backend.Request) {
	options, err := h.options(r)
	if err != nil {
		h.login.Refuse(w, r.Request, err)
		return
	}
	sliding, err := h.IssueSliding(r.Context(), r.User.UserID(), options)
	if err != nil {
		h.login.Refuse(w, r.Request, err)
		return
	}
	if !h.finish(w, r, sliding.SessionID) {
		return
	}
	backend.WriteJSON(w, http.StatusOK, map[string]string{"token": sliding.Token.Reveal()})
}

func (h handler) serveRefresh(w http.ResponseWriter, r backend.Request) {
	token, ok := h.refreshToken(w, r)
	if !ok {
		return
	}
	pair, err := h.Refresh(r.Context(), token)
	if err != nil {
		if h.browser && auth.KindOf(err) == auth.ErrInvalid {
			h.cookie.Clear(w.Header())
		}
		h.own.Refuse(w, r.Request, err)
		return
	}
	h.answer(w, pair)
}

func (h handler) serveVerify(w http.ResponseWriter, r backend.Request) {
	token, ok := h.field(w, r, "token")
	if !ok {
		return
	}
	if _, err := h.Verify(r.Context(), token); err != nil {
		h.own.Refuse(w, r.Request, err)
		return
	}
	backend.WriteJSON(w, http.StatusOK, struct{}{})
}

// serveLogout ends the session of a refresh token, as TokenBlacklistView of simplejwt does.
func (h handler) serveLogout(w http.ResponseWriter, r backend.Request) {
	if h.browser {
		h.serveBrowserLogout(w, r)
		return
	}
	token, ok := h.refreshToken(w, r)
	if !ok {
		return
	}
	if err := h.Logout(r.Context(), token); err != nil {
		h.own.Refuse(w, r.Request, err)
		return
	}
	backend.WriteJSON(w, http.StatusOK, struct{}{})
}

// serveBrowserLogout clears a browser's cookie whatever it was worth, but not if
// the store could not be told. The login would go on then, and no client could end it. Of
// two of one name both are ended.
func (h handler) serveBrowserLogout(w http.ResponseWriter, r backend.Request) {
	cookies := r.CookiesNamed(h.cookie.FullName())
	if len(cookies) == 0 {
		h.own.Refuse(w, r.Request, errNoCookie)
		return
	}
	for _, cookie := range cookies {
		if err := h.Logout(r.Context(), cookie.Value); err != nil && auth.KindOf(err) != auth.ErrInvalid &&
			auth.KindOf(err) != auth.ErrMalformed {
			h.own.Refuse(w, r.Request, err)
			return
		}
	}
	h.cookie.Clear(w.Header())
	backend.WriteJSON(w, http.StatusOK, struct{}{})
}

func (h handler) serveSlidingRefresh(w http.ResponseWriter, r backend.Request) {
	token, ok := h.field(w, r, "token")
	if !ok {
		return
	}
	sliding, err := h.RefreshSliding(r.Context(), token)
	if err != nil {
		h.own.Refuse(w, r.Request, err)
		return
	}
	backend.WriteJSON(w, http.StatusOK, map[string]string{"token": sliding.Token.Reveal()})
}

func (h handler) serveLogoutAll(w http.ResponseWriter, r backend.Request) {
	if _, err := h.RevokeAll(r.Context(), r.User.UserID()); err != nil {
		h.own.Refuse(w, r.Request, err)
		return
	}
	h.events.SendOf(r.Request, auth.Event{Kind: auth.EventLogout, UserID: r.User.UserID()})
	if h.browser {
		h.cookie.Clear(w.Header())
	}
	w.WriteHeader(http.StatusNoContent)
}

// options turns the credential of a request into what is issued for it. Scopes
// never grow, and what a token makes never outlives it.
func (h handler) options(r backend.Request) (Options, error) {
	var options Options
	terms, err := backend.TermsOf(r.Credential, h.config.Issue.AllowFromToken, time.Now())
	if err != nil {
		return options, err
	}
	options.IP, options.UserAgent = backend.ClientOf(r.Request)
	options.AuthInfo = terms.AuthInfo
	if h.config.Issue.Before != nil {
		if err := h.config.Issue.Before(r.Request, r.User, &options); err != nil {
			return options, err
		}
	}
	if options.Scopes, options.Limited, err = terms.Narrow(options.Scopes, options.Limited); err != nil {
		return options, err
	}
	other := func(scope string) bool { return !slices.Contains(h.config.Scopes, scope) }
	if terms.Limited && (h.config.Scopes == nil || slices.ContainsFunc(options.Scopes, other)) {
		return options, errOtherScopes
	}
	options.end, options.proved = terms.MaxExpiresAt, r.User
	return options, nil
}

// finish finishes a login and tells of it. If that fails, it ends what was issued, answers, and returns false.
func (h handler) finish(w http.ResponseWriter, r backend.Request, id string) bool {
	err := backend.FinishOrRevoke(r.Context(), r.Credential, backend.Issued{Backend: h.Backend(),
		UserID:       r.User.UserID(),
		CredentialID: id, Logger: h.config.Logger, Revoke: func(ctx context.Context) error {
			_, err := h.Revoke(ctx, r.User.UserID(), id)
			return err
		}})
	if err != nil {
		h.login.Refuse(w, r.Request, err)
		return false
	}
	h.events.SendOf(r.Request, auth.Event{Kind: auth.EventLogin, UserID: r.User.UserID(), CredentialID: id})
	return true
}

// answer writes a pair: the refresh token of a browser into its cookie.
func (h handler) answer(w http.ResponseWriter, pair *Pair) {
	body := map[string]string{"access": pair.Access.Reveal()}
	if h.browser {
		h.cookie.Set(w.Header(), pair.Refresh.Reveal(), max(time.Until(pair.RefreshExpires), time.Second))
	} else if pair.Refresh != "" {
		body["refresh"] = pair.Refresh.Reveal()
	}
	backend.WriteJSON(w, http.StatusOK, body)
}

// refreshToken returns the refresh token of a request, or answers it.
func (h handler) refreshToken(w http.ResponseWriter, r backend.Request) (string, bool) {
	if !h.browser {
		return h.field(w, r, "refresh")
	}
	// Two of one name do not count, because one of them may be planted.
	token, count := h.cookie.Value(r.Request)
	if token == "" || count != 1 {
		err := errNoCookie
		if count > 1 {
			err = errTwoCookies
		}
		h.own.Refuse(w, r.Request, err)
		return "", false
	}
	return token, true
}

// field returns a string of the body, or answers the request.
func (h handler) field(w http.ResponseWriter, r backend.Request, name string) (string, bool) {
	body, err := readBody(r.Request)
	if err == nil {
		err = body.faults(name)
	}
	if err != nil {
		h.own.Refuse(w, r.Request, err)
		return "", false
	}
	return body.text(name), true
}

// rewordLogin puts the refusal of a login into the words of simplejwt. What a
// backend refused is told as a missing member only if it had both that simplejwt
// knows: it may read others.
func rewordLogin(r *http.Request, p *auth.Problem) {
	kind := auth.KindOf(p.Err)
	if kind == auth.ErrInvalid {
		p.Detail, p.Code = detailNoAccount, "no_active_account"
	} else if kind != auth.ErrNoCredentials && kind != auth.ErrMalformed {
		return
	}
	if r.Header.Get("Authorization") != "" {
		return
	}
	body, fault := readBody(r)
	if kind == auth.ErrInvalid && (body["username"] == nil || body["password"] == nil) {
		return
	}
	if fault == nil {
		fault = body.faults("username", "password")
	}
	stated, ok := fault.(*auth.Error)
	switch {
	case !ok:
	case stated == errBodyType && p.Status == errBodyType.Status:
		p.Code, p.Challenges = errBodyType.Code, nil // the backend knows what it reads
	default:
		p.Status, p.Code, p.Detail, p.Extensions, p.Challenges = stated.Status, stated.Code, stated.Detail,
			stated.Extensions, nil
		p.Err = errors.Join(p.Err, stated) // the headers of stated are set, too
	}
}

const detailNoAccount = "No active account found with the given credentials"
