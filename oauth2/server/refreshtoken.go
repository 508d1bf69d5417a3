package server

import (
	"context"
	"strings"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/internal/redact"
)

// RefreshToken is the refresh token grant (RFC 6749 §6). A client that has it gets
// a refresh token with every grant of a user.
//
// Each use replaces the token. One that comes again after its use was stolen, or
// its successor was. These cannot be told apart, so the grant ends (RFC 9700 §4.14.2).
type RefreshToken struct{}

// Name returns "refresh_token".
func (RefreshToken) Name() string { return GrantRefreshToken }

// Exchange replaces a refresh token and issues an access token of the same or
// fewer scopes.
func (RefreshToken) Exchange(ctx context.Context, s *Server, r *TokenRequest) (*TokenResponse, error) {
	secret, refresh, grant, err := s.findRefresh(ctx, r)
	if err != nil {
		return nil, err
	}
	may, err := s.tokenPermissions(r.Client, grant, refreshTarget(r.Form))
	if err != nil {
		return nil, err
	}
	user, err := s.userOf(ctx, grant)
	if err != nil {
		return nil, err
	}
	m, err := s.createTokens(ctx, tokenSpec{client: r.Client, grant: grant, permissions: may,
		user: user, refresh: true, now: r.Now})
	if err != nil {
		return nil, err
	}
	if err := s.rotate(ctx, r, secret, refresh, grant, m); err != nil {
		return nil, err
	}
	s.sendEvent(ctx, auth.EventRefreshed, grant.UserID, grant.ID)
	return m.response, nil
}

// findRefresh returns the refresh token of a request and its grant, if they are good.
func (s *Server) findRefresh(ctx context.Context, r *TokenRequest) (string, *Refresh, *Grant, error) {
	fail := func(err error) (string, *Refresh, *Grant, error) { return "", nil, nil, err }
	secret := r.Form.Get("refresh_token")
	if secret == "" {
		return fail(refuse(CodeInvalidRequest, "The refresh_token is missing.",
			failedCheck("the refresh_token is missing")))
	}
	if !backend.OwnsToken(secret, s.refreshPrefix) {
		return fail(errGrant(errNotARefresh))
	}
	refresh, grant, err := s.config.Store.FindRefresh(ctx, backend.TokenDigest(secret, s.refreshPrefix))
	switch {
	case err != nil:
		return fail(err)
	case refresh == nil:
		return fail(errGrant(errRefreshUnknown))
	case grant.ClientID != r.Client.ID: // the token stays good for its owner
		return fail(errGrant(failedValue("the refresh token was issued to another client", "", grant.ClientID)))
	case !refresh.Rotated.IsZero() && r.Now.Sub(refresh.Rotated) >= s.graceOf(r.Client):
		// This comes before anything that could refuse the token for less.
		return fail(s.revokeGrant(ctx, grant, r, reusedRefresh))
	}
	if cause := refresh.fault(grant, r.Now); cause != nil {
		return fail(errGrant(cause))
	}
	return secret, refresh, grant, nil
}

// rotate replaces a refresh token in the store.
func (s *Server) rotate(ctx context.Context, r *TokenRequest, secret string, old *Refresh, grant *Grant,
	m *createdTokens) error {
	grace := s.graceOf(r.Client)
	if grace > 0 {
		if err := m.seal(secret); err != nil {
			return err
		}
	}
	rotation, err := s.config.Store.Rotate(ctx, old.Digest, r.Now, grace, m.tokens)
	if err != nil {
		return err
	}
	switch rotation.Verdict {
	case Redeemed:
		return nil
	case Retried:
		successor, err := unseal(secret, rotation.Sealed)
		m.response.refresh = redact.New(successor)
		return err
	case Reused:
		return errGrant(&reuseError{reusedRefresh, grant})
	}
	return errGrant(verdictFaults[rotation.Verdict])
}

// reusedRefresh says which check failed when a refresh token comes again.
const reusedRefresh = "the refresh token was used before (RFC 9700 §4.14.2), see Config.Tokens.Grace and " +
	"Client.RefreshGrace"

// fault says why a refresh token that is the client's is not good, or nil.
func (r *Refresh) fault(grant *Grant, now time.Time) error {
	if cause := grant.fault(now); cause != nil {
		return cause
	}
	if !now.Before(r.ExpiresAt) {
		return errRefreshExpired
	}
	return nil
}

// refreshTarget returns what a refresh asks for. The grant keeps what was granted (RFC 6749 §6).
func refreshTarget(form Form) tokenTarget {
	want := tokenTarget{resources: form.All("resource")}
	if text := form.Get("scope"); text != "" {
		want.scopes = strings.Split(text, " ")
	}
	return want
}

// refreshTokens are what the refresh token grant adds besides itself.
type refreshTokens struct{}

func (refreshTokens) register(r *registry) {
	r.addAudit(auditGrace)
	r.addAudit(func(a *auditor) {
		for _, c := range a.clients {
			if c.Public() && c.Allows(GrantRefreshToken) {
				a.add("RFC 9700 §2.2.2", "client "+c.ID,
					"its refresh tokens rotate, but are not bound to a key (RFC 9449)")
			}
		}
		if idle := a.config.Tokens.Lifetimes.RefreshIdle; idle > 30*24*time.Hour {
			a.add("RFC 9700 §4.14.2", "Tokens.Lifetimes.RefreshIdle",
				"a refresh token that is not used is good for %v", idle)
		}
	})
}

// refreshes reports whether a client gets refresh tokens with the grants of users.
func (s *Server) refreshes(client *Client) bool {
	return s.features.grants[GrantRefreshToken] != nil && client.Allows(GrantRefreshToken)
}
