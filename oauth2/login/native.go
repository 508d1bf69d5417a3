package login

import (
	"context"
	"fmt"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/internal/issue"
)

// FromToken signs in by an access token that the SDK of a provider gave to a native app,
// which sent it here. The provider is asked whether it was issued for this client: any
// other app that a person signed in to has tokens of theirs. Of the presets [Facebook]
// tells that; apps of others go by [Logins.Authenticate].
//
// Errors are answered by Guard.Refuse:
//
//   - [auth.ErrInvalid]: the token is not good, or another client's
//   - [auth.ErrInsufficient]: the person may not sign in, or has no account yet; Code
//     says which
//   - any other error: the provider, the store or a hook failed
func (l *Logins) FromToken(ctx context.Context, providerName string, token auth.Secret) (auth.User, *Login, error) {
	p := l.providers[providerName]
	switch {
	case p == nil || p.issuedHere == nil:
		return nil, nil, fmt.Errorf("oauth2/login: provider %q is not there, or cannot tell whose a token is", providerName)
	case !validToken(token.Reveal()) || len(token) > maxToken:
		return nil, nil, auth.ErrInvalid
	}
	now := time.Now()
	profile, err := p.profileOf(ctx, token, now)
	if err != nil {
		return nil, nil, failureOf(err).err()
	}
	user, f := l.who(ctx, profile, now)
	if f != nil {
		return nil, nil, f.err()
	}
	return user, &Login{profile, now}, nil
}

// profileOf returns whose an access token of this client is.
func (p *provider) profileOf(ctx context.Context, token auth.Secret, now time.Time) (*Profile, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*p.timeout)
	defer cancel()
	if err := p.issuedHere(ctx, token); err != nil {
		return nil, err
	}
	profile, err := p.profile(ctx, &answer{tokens: &Tokens{Access: token}, now: now})
	if err != nil {
		return nil, err
	}
	profile.finish(p)
	if !profile.check() {
		return nil, untrusted("the provider names no subject, or one that cannot be kept")
	}
	return profile, nil
}

// err is a failure as an error for who is no browser.
func (f *failure) err() error {
	told := texts[f.Reason]
	switch f.Reason {
	case reasonUnavailable:
		return issue.Undecided(f.cause)
	case reasonUntrusted, reasonRefused:
		return &auth.Error{Kind: auth.ErrInvalid, Cause: f.cause}
	}
	return &auth.Error{Kind: auth.ErrInsufficient, Code: string(f.Reason), Detail: told.title + ".", Cause: f.cause}
}
