package server

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"strings"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
)

// AuthorizationCode is the authorization code grant (RFC 6749 §4.1) with PKCE
// (RFC 7636).
type AuthorizationCode struct{}

// Name returns "authorization_code".
func (AuthorizationCode) Name() string { return GrantAuthorizationCode }

// Exchange redeems a code, once. A second use ends everything that came of the
// first (RFC 6749 §4.1.2), and so does a wrong verifier: somebody else has the
// code then, or the client tries them out.
func (AuthorizationCode) Exchange(ctx context.Context, s *Server, r *TokenRequest) (*TokenResponse, error) {
	secret := r.Form.Get("code")
	if secret == "" {
		return nil, refuse(CodeInvalidRequest, "The code is missing.")
	}
	if !backend.OwnsToken(secret, s.code) {
		return nil, errGrant
	}
	digest := backend.TokenDigest(secret, s.code)
	code, grant, err := s.config.Store.FindCode(ctx, digest)
	if err != nil {
		return nil, err
	}
	if code == nil || grant.ClientID != r.Client.ID {
		return nil, errGrant
	}
	if !code.Redeemed.IsZero() || !code.verifies(r.Form.Get("code_verifier")) {
		return nil, s.burn(ctx, grant, r)
	}
	if !code.redirects(r.Form.Get("redirect_uri"), r.Client) || !grant.Live(r.Now) {
		return nil, errGrant
	}
	scopes, err := s.stillAllowed(r.Client, grant)
	if err != nil {
		return nil, err
	}
	resources, err := s.stillFor(r.Client, grant, r.Form.All("resource"))
	if err != nil {
		return nil, err
	}
	user, err := s.userOf(ctx, grant)
	if err != nil {
		return nil, err
	}
	m, err := s.mint(ctx, minting{client: r.Client, grant: grant, scopes: scopes, resources: resources, nonce: code.Nonce, user: user,
		refresh: s.grants[GrantRefreshToken] != nil && r.Client.Allows(GrantRefreshToken), now: r.Now})
	if err != nil {
		return nil, err
	}
	verdict, err := s.config.Store.Redeem(ctx, digest, r.Now, m.tokens)
	switch {
	case err != nil:
		return nil, err
	case verdict == Reused:
		s.observe(ctx, auth.EventReuse, grant.UserID, grant.ID)
		return nil, errGrant
	case verdict != Redeemed:
		return nil, errGrant
	}
	s.observe(ctx, auth.EventIssued, grant.UserID, grant.ID)
	return m.response, nil
}

// burn ends a grant whose code came again, or from somebody who has nothing else.
func (s *Server) burn(ctx context.Context, grant *Grant, r *TokenRequest) error {
	ended, err := s.config.Store.End(ctx, grant.ID, r.Now)
	if err != nil {
		return err
	}
	if ended {
		s.observe(ctx, auth.EventReuse, grant.UserID, grant.ID)
	}
	return errGrant
}

// verifies checks a code verifier (RFC 7636 §4.6). Where there was no challenge
// there must be no verifier: somebody took the challenge out (RFC 9700 §4.8.2).
func (c *Code) verifies(verifier string) bool {
	if c.Challenge == "" {
		return verifier == ""
	}
	if len(verifier) < 43 || len(verifier) > 128 || strings.Trim(verifier, alphanumeric+"-._~") != "" {
		return false
	}
	sum := sha256.Sum256([]byte(verifier))
	return subtle.ConstantTimeCompare([]byte(base64.RawURLEncoding.EncodeToString(sum[:])), []byte(c.Challenge)) == 1
}

// redirects checks the redirect URI: the very one of the authorization request, if
// that had one, and else none or the one there is (RFC 6749 §4.1.3).
func (c *Code) redirects(uri string, client *Client) bool {
	if c.RedirectURI == "" {
		return uri == "" || len(client.RedirectURIs) == 1 && client.RedirectURIs[0] == uri
	}
	return uri == c.RedirectURI
}

// userOf loads the user of a grant, who must be as when it was given. It is nil
// for a grant of a client's own.
func (s *Server) userOf(ctx context.Context, grant *Grant) (auth.User, error) {
	if grant.UserID == "" {
		return nil, nil
	}
	user, err := s.config.LoadUser.Load(ctx, grant.UserID)
	if err != nil {
		return nil, userRefused(err)
	}
	if !backend.SameStamp(grant.Stamp, stampOf(user)) {
		return nil, errGrant
	}
	return user, nil
}
