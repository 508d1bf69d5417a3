package external

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/internal/redact"
)

// ErrRejected is returned by [Logins.Refresh] for tokens that the provider takes no more.
var ErrRejected = errors.New("oauth2/external: the provider rejects the token")

// ErrUnchecked is the error of [Logins.Refresh] for a provider that answered and has no keys that can be had.
var ErrUnchecked = errors.New("oauth2/external: the new ID token cannot be checked now")

// Refresh asks a provider for new tokens (RFC 6749 §6). The identity says which provider that is, and of which person
// the tokens are: it is one of [Logins.Identities], or was made by [Profile.Identity] when
// Config.Accounts.KeepTokens got the tokens.
// Of its fields Provider, Issuer and Subject are read.
//
// If the answer has an ID token, it must be of this identity, for this client, and be good otherwise, as at a login but
// for the nonce (OpenID Connect Core §12.2). If the answer has no refresh token, the old one stays good. Errors are
//
//   - [ErrRejected]: the provider takes refresh no more
//   - [ErrUntrusted]: the answer is not what it should be, such as an ID token of somebody else. No tokens are
//     returned, and the provider may take refresh no more. Let the user sign in again
//   - [ErrUnchecked]: the provider has taken refresh, and the keys for its new ID token cannot be fetched. The
//     returned Tokens hold the refresh token to try with later, and no other token
//   - any other error: the provider cannot be asked. The same refresh token can be tried again
func (l *Logins) Refresh(ctx context.Context, identity *Identity, refresh auth.Secret) (*Tokens, error) {
	p, err := l.providerOf(identity)
	if err != nil {
		return nil, err
	}
	if refresh == "" {
		return nil, errors.New("oauth2/external: Refresh without a refresh token")
	}
	now := time.Now()
	e, err := p.endpoints(ctx, now)
	if err != nil {
		return nil, err
	}
	// A provider may take each refresh token once, so what the check needs must be there before it is sent.
	if p.ready != nil {
		if err := p.ready(ctx, now); err != nil {
			return nil, err
		}
	}
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh.Reveal()}}
	tokens, err := p.exchange(ctx, e, form, now)
	if err == nil && p.checkRefreshed != nil {
		answer := &loginResult{endpoints: e, tokens: tokens, clients: []string{p.clientID}, now: now}
		err = p.checkRefreshed(ctx, answer, identity)
		if err != nil && !isRefusal(err) && !isUntrusted(err) {
			return tokens.unchecked(refresh), fmt.Errorf("%w: %w", ErrUnchecked, err)
		}
	}
	switch {
	case isRefusal(err):
		return nil, fmt.Errorf("%w: %w", ErrRejected, err)
	case isUntrusted(err):
		return nil, fmt.Errorf("%w: %w", ErrUntrusted, err)
	case err != nil:
		return nil, err
	}
	if tokens.Refresh() == "" {
		tokens.refresh = redact.New(refresh.Reveal())
	}
	return tokens, nil
}

// unchecked returns the tokens without those that were not checked. The refresh token is the next one, if there is one.
func (t *Tokens) unchecked(last auth.Secret) *Tokens {
	next := &Tokens{refresh: t.refresh}
	if t.Refresh() == "" {
		next.refresh = redact.New(last.Reveal())
	}
	return next
}

// providerOf returns the provider of an identity.
func (l *Logins) providerOf(identity *Identity) (*provider, error) {
	if identity == nil || identity.Subject == "" {
		return nil, errors.New("oauth2/external: Refresh without an identity that has a Subject")
	}
	p := l.providers[identity.Provider]
	if p == nil {
		return nil, fmt.Errorf("oauth2/external: there is no provider %q", identity.Provider)
	}
	if identity.Issuer != p.issuer && !p.mayIssue(identity.Issuer) {
		return nil, fmt.Errorf("oauth2/external: provider %q has no identities of the issuer %q", p.name,
			identity.Issuer)
	}
	return p, nil
}

// checkRefreshed checks the ID token of an answer to a refresh token, if there is one.
func (rp *relyingParty) checkRefreshed(ctx context.Context, a *loginResult, identity *Identity) error {
	if a.tokens.ID() == "" {
		return nil
	}
	token, claims, err := rp.verifySigned(ctx, a)
	if err != nil {
		return err
	}
	switch issuer := rp.issuerOf(token); {
	case issuer != identity.Issuer:
		return untrustedValue("the new ID token is of another issuer than the tokens (OpenID Connect Core §12.2)",
			issuer, identity.Issuer)
	case token.Subject() != identity.Subject:
		return untrustedValue("the new ID token is of another subject than the tokens (OpenID Connect Core §12.2)",
			token.Subject(), identity.Subject)
	}
	return checkParties(token, claims, a)
}
