package external

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/internal/redact"
)

// FromToken signs in by an access token that the SDK of a provider gave to a native app,
// which sent it here. The provider is asked whether it was issued for this client: any
// other app that a person signed in to has tokens of theirs. [OAuth2Quirks].CheckToken
// asks, and of the presets [Facebook] has it. Apps of others go by [Logins.Authenticate].
// Once the login is complete, and the second factor passed if there is one, call
// [Logins.CompleteLink].
//
// Errors are answered by Guard.Refuse:
//
//   - [auth.ErrInvalid]: the token is not good, or another client's
//   - [auth.ErrInsufficient]: the person may not sign in, or has no account yet. Code
//     says which
//   - any other error: the provider, the store or a hook failed
func (l *Logins) FromToken(ctx context.Context, providerName string,
	token auth.Secret) (auth.User, *Credential, error) {
	p := l.providers[providerName]
	switch {
	case p == nil || p.checkToken == nil:
		return nil, nil, fmt.Errorf("oauth2/external: there is no provider %q, or it cannot tell of whom a token is",
			providerName)
	case !validToken(token.Reveal()) || len(token) > maxToken:
		return nil, nil, &auth.Error{Kind: auth.ErrInvalid, Cause: errNotAToken}
	}
	asking, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	tokens := &Tokens{access: redact.New(token.Reveal())}
	if err := p.checkToken(asking, &API{provider: p, tokens: tokens}); err != nil {
		return nil, nil, failureOf(err).err()
	}
	return l.fromNativeApp(ctx, p, &loginResult{tokens: tokens, now: time.Now()})
}

// FromIDToken signs a person in by an ID token. The SDK of a provider gave the token to a native app or to a page of
// this service, such as Google One Tap, and the app sent it here. The audience must be ClientID or one of AppClientIDs
// of the provider, which tells two providers of one issuer apart. The nonce must be the one that this service made for
// this login. Give it as it is in the token, because some SDKs hash it. A nonce can be used once. Errors are those of
// [Logins.FromToken]. Call [Logins.CompleteLink] as after FromToken.
func (l *Logins) FromIDToken(ctx context.Context, providerName string, idToken auth.Secret,
	nonce string) (auth.User, *Credential, error) {
	p := l.providers[providerName]
	switch {
	case p == nil || p.clients == nil:
		return nil, nil, fmt.Errorf("oauth2/external: there is no provider %q, or it issues no ID tokens", providerName)
	case nonce == "":
		return nil, nil, errors.New("oauth2/external: FromIDToken without a nonce")
	case !validToken(idToken.Reveal()) || len(idToken) > maxToken:
		return nil, nil, &auth.Error{Kind: auth.ErrInvalid, Cause: errNotAToken}
	}
	return l.fromNativeApp(ctx, p, &loginResult{tokens: &Tokens{id: redact.New(idToken.Reveal())},
		attempt: &attempt{Nonce: nonce},
		clients: p.clients, now: time.Now()})
}

// fromNativeApp signs in the person of a token that came from an app.
func (l *Logins) fromNativeApp(ctx context.Context, p *provider, a *loginResult) (auth.User, *Credential, error) {
	profile, err := p.profile(ctx, a)
	if err != nil {
		return nil, nil, failureOf(err).err()
	}
	profile.finish(p)
	if !profile.check() {
		return nil, nil, &auth.Error{Kind: auth.ErrInvalid, Cause: errNoSubject}
	}
	if a.tokens.ID() != "" {
		until := a.now.Add(minReplayTTL)
		if a.expires.After(until) {
			until = a.expires
		}
		fresh, err := l.config.Store.PutOnce(ctx, "id token "+a.replayKey, until, a.now)
		switch {
		case err != nil:
			return nil, nil, backend.Outage(err)
		case !fresh:
			return nil, nil, &auth.Error{Kind: auth.ErrInvalid, Cause: errIDTokenUsed}
		}
	}
	resolved, f := l.resolveUser(ctx, profile, a.now)
	if f != nil {
		return nil, nil, f.err()
	}
	return resolved.user, l.credential(profile, resolved, a.now), nil
}

// minReplayTTL is how long a nonce cannot be used again, if its ID token does not live longer. Another
// token with that nonce may live longer than the one that came first.
const minReplayTTL = 24 * time.Hour

// nonceReplayKey returns the key of an ID token in the [ReplayStore]. Its signature is not part of
// it: of one by ECDSA any person can make another one that is valid.
// Its audience is not either: no two providers of one issuer share a client, so the provider's own
// stands for all that it accepts.
func nonceReplayKey(issuer, clientID, nonce string) string {
	// Texts alone are always JSON, and no two lists are one text.
	text, _ := json.Marshal([]string{issuer, clientID, nonce})
	return digest(string(text))
}

// expiryOf returns until when a verified ID token can be used.
func expiryOf(claims map[string]any) time.Time {
	number, _ := claims["exp"].(json.Number)
	seconds, _ := number.Float64()
	return time.Unix(int64(seconds), 0).Add(leeway + time.Second)
}

// err is a failure as an error for a caller that is no browser.
func (f *failure) err() error {
	told := texts[f.Reason]
	switch f.Reason {
	case reasonUnavailable:
		return backend.Outage(f.cause)
	case reasonUntrusted, reasonRefused, reasonUsed:
		return &auth.Error{Kind: auth.ErrInvalid, Cause: f.cause}
	}
	return &auth.Error{Kind: auth.ErrInsufficient, Code: string(f.Reason),
		Detail: strings.ReplaceAll(told.title, "{provider}", "the provider") + ".", Cause: f.cause}
}
