package server

import (
	"context"

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
		return nil, refuse(CodeInvalidRequest, "The code is missing.", failedCheck("the code is missing"))
	}
	if !backend.OwnsToken(secret, s.codePrefix) {
		return nil, errGrant(errNotACode)
	}
	digest := backend.TokenDigest(secret, s.codePrefix)
	code, grant, err := s.config.Store.FindCode(ctx, digest)
	if err != nil {
		return nil, err
	}
	if code == nil {
		return nil, errGrant(errCodeUnknown)
	}
	if grant.ClientID != r.Client.ID {
		return nil, errGrant(failedValue("the code was issued to another client", "", grant.ClientID))
	}
	if !code.Redeemed.IsZero() {
		return nil, s.revokeGrant(ctx, grant, r, "the code was redeemed before")
	}
	if code.Challenge == "" && r.Client.Public() { // the client had a secret when it asked
		return nil, errGrant(errChallengeMissing)
	}
	if failed := code.verifierFault(r.Form.Get("code_verifier")); failed != "" {
		return nil, s.revokeGrant(ctx, grant, r, failed)
	}
	if cause := code.fault(r.Form.Get("redirect_uri"), r, grant); cause != nil {
		return nil, errGrant(cause)
	}
	may, err := s.tokenPermissions(r.Client, grant, tokenTarget{resources: r.Form.All("resource")})
	if err != nil {
		return nil, err
	}
	user, err := s.userOf(ctx, grant)
	if err != nil {
		return nil, err
	}
	m, err := s.createTokens(ctx, tokenSpec{client: r.Client, grant: grant, permissions: may,
		nonce: code.Nonce, user: user,
		refresh: s.refreshes(r.Client), now: r.Now})
	if err != nil {
		return nil, err
	}
	verdict, err := s.config.Store.Redeem(ctx, digest, r.Now, m.tokens)
	switch {
	case err != nil:
		return nil, err
	case verdict == Reused:
		return nil, errGrant(&reuseError{"the code was redeemed before", grant})
	case verdict != Redeemed:
		return nil, errGrant(verdictFaults[verdict])
	}
	s.sendEvent(ctx, auth.EventIssued, grant.UserID, grant.ID)
	return m.response, nil
}

// fault says why a code that is the client's is not good, or nil.
func (c *Code) fault(uri string, r *TokenRequest, grant *Grant) error {
	if !c.redirects(uri, r.Client) {
		want := r.Client.RedirectURIs
		if c.RedirectURI != "" {
			want = []string{c.RedirectURI}
		}
		return failedValue("the redirect_uri is not that of the authorization request (RFC 6749 §4.1.3)", uri, want...)
	}
	return grant.fault(r.Now)
}

// redirects checks the redirect URI: the very one of the authorization request, if
// that had one, and otherwise nothing or the one there is (RFC 6749 §4.1.3).
func (c *Code) redirects(uri string, client *Client) bool {
	if c.RedirectURI == "" {
		return uri == "" || len(client.RedirectURIs) == 1 && client.RedirectURIs[0] == uri
	}
	return uri == c.RedirectURI
}
