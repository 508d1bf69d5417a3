package external

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"time"

	"github.com/gatewarden/auth"
)

// signIn makes a credential of a person that came back.
func (l *Logins) signIn(w http.ResponseWriter, r *http.Request, p *provider, a *attempt, profile *Profile,
	tokens *Tokens, now time.Time) *failure {
	resolved, f := l.resolveUser(r.Context(), profile, now)
	if f != nil {
		return f
	}
	login, to, answered := l.credential(profile, resolved, now), a.Next, false
	if a.ReturnTo != "" {
		to, f = l.codeFor(r.Context(), a, resolved, login, tokens)
	} else {
		answered, f = l.finishSignIn(w, r, resolved, login, tokens)
	}
	if f != nil || answered {
		return f
	}
	l.events.SendOf(r, auth.Event{Kind: auth.EventLogin, UserID: resolved.user.UserID()})
	redirect(w, withoutFragment(p, to))
	return nil
}

// codeFor returns where an app gets the code of a login.
func (l *Logins) codeFor(ctx context.Context, a *attempt, resolved *resolvedUser, login *Credential,
	tokens *Tokens) (string, *failure) {
	// The owner of an account that existed may have to pass a second factor yet.
	if resolved.unlinked == nil {
		if f := l.keepTokens(ctx, resolved.user, login.Profile, tokens); f != nil {
			return "", f
		}
	}
	code, err := l.issueCode(ctx, resolved, login, a.Challenge)
	if err != nil {
		return "", &failure{Reason: reasonUnavailable, cause: err}
	}
	return appURL(a, "login_code", code), nil
}

// finishSignIn signs a browser in, and then links an account that existed. If any step fails, the browser gets
// nothing of what Config.SignIn put into the headers. It returns true if Config.SignIn has answered.
func (l *Logins) finishSignIn(w http.ResponseWriter, r *http.Request, resolved *resolvedUser, login *Credential,
	tokens *Tokens) (answered bool, f *failure) {
	ctx, before := r.Context(), w.Header().Clone()
	if resolved.unlinked == nil {
		f = l.keepTokens(ctx, resolved.user, login.Profile, tokens)
	}
	if f == nil {
		answered, f = l.callSignIn(w, r, resolved.user, login)
	}
	if f == nil && !answered && resolved.unlinked != nil {
		if f = l.linkFound(ctx, resolved); f == nil {
			f = l.keepTokens(ctx, resolved.user, login.Profile, tokens)
		}
	}
	if f != nil {
		clear(w.Header())
		maps.Copy(w.Header(), before)
	}
	return answered, f
}

func (l *Logins) callSignIn(w http.ResponseWriter, r *http.Request, user auth.User,
	login *Credential) (answered bool, f *failure) {
	err := l.config.SignIn(w, r, user, login)
	switch {
	case errors.Is(err, ErrAnswered):
		return true, nil
	case err != nil:
		return false, accountFailure(hookError("Config.SignIn", err))
	}
	return false, nil
}

// keepTokens gives the application the tokens of the provider.
func (l *Logins) keepTokens(ctx context.Context, user auth.User, p *Profile, tokens *Tokens) *failure {
	if l.config.Accounts.KeepTokens == nil {
		return nil
	}
	if err := l.config.Accounts.KeepTokens(ctx, user, p, tokens); err != nil {
		return failureOf(hookError("Config.Accounts.KeepTokens", err))
	}
	return nil
}
