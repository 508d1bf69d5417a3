package server

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"strings"
	"time"

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
		return nil, refuse(CodeInvalidRequest, "The code is missing.", check("the code is missing"))
	}
	if !backend.OwnsToken(secret, s.code) {
		return nil, errGrant(errNotACode)
	}
	digest := backend.TokenDigest(secret, s.code)
	code, grant, err := s.config.Store.FindCode(ctx, digest)
	if err != nil {
		return nil, err
	}
	if code == nil {
		return nil, errGrant(errCodeUnknown)
	}
	if grant.ClientID != r.Client.ID {
		return nil, errGrant(wrong("the code was issued to another client", "", grant.ClientID))
	}
	if !code.Redeemed.IsZero() {
		return nil, s.burn(ctx, grant, r, "the code was redeemed before")
	}
	if failed := code.verifierFault(r.Form.Get("code_verifier")); failed != "" {
		return nil, s.burn(ctx, grant, r, failed)
	}
	if cause := code.fault(r.Form.Get("redirect_uri"), r, grant); cause != nil {
		return nil, errGrant(cause)
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
		return nil, errGrant(&reuse{"the code was redeemed before", grant})
	case verdict != Redeemed:
		return nil, errGrant(verdictFaults[verdict])
	}
	s.observe(ctx, auth.EventIssued, grant.UserID, grant.ID)
	return m.response, nil
}

// burn ends a grant whose code came again, or from somebody who has nothing else.
func (s *Server) burn(ctx context.Context, grant *Grant, r *TokenRequest, failed string) error {
	ended, err := s.config.Store.End(ctx, grant.ID, r.Now)
	switch {
	case err != nil:
		return err
	case ended:
		return errGrant(&reuse{failed, grant})
	}
	return errGrant(check(failed + ", and its grant had ended already"))
}

// The causes of codes and refresh tokens that are no good.
var (
	errNotACode       = errors.New("the code is none of this server by its form, see Config.Prefix")
	errCodeUnknown    = errors.New("no such code is kept: it was never issued, or has been purged")
	errNotARefresh    = errors.New("the refresh_token is none of this server by its form, see Config.Prefix")
	errRefreshUnknown = errors.New("no such refresh token is kept: it was never issued, or has been purged")
	errRefreshExpired = errors.New("the refresh token has expired, see Lifetimes.RefreshIdle and RefreshAbsolute")
	errGrantRevoked   = errors.New("the grant was ended: revoked, withdrawn, signed out, or a code or token came twice")
	errGrantExpired   = errors.New("the grant has expired, see Lifetimes")
	errUserChanged    = errors.New("the AuthStamp of the user has changed, as with a new password")
)

// verdictFaults are the causes that go with what a store says.
var verdictFaults = map[Verdict]error{
	Unknown: errors.New("the code or refresh token is not kept any more"),
	Revoked: errGrantRevoked,
	Expired: errors.New("the code, the refresh token or its grant has expired meanwhile"),
}

// fault says why a grant is not live. It is nil if the grant is live.
func (g *Grant) fault(now time.Time) error {
	switch {
	case !g.RevokedAt.IsZero():
		return errGrantRevoked
	case !g.Live(now):
		return errGrantExpired
	}
	return nil
}

// fault says why a code that is the client's is not good, or nil.
func (c *Code) fault(uri string, r *TokenRequest, grant *Grant) error {
	if !c.redirects(uri, r.Client) {
		want := r.Client.RedirectURIs
		if c.RedirectURI != "" {
			want = []string{c.RedirectURI}
		}
		return wrong("the redirect_uri is not that of the authorization request (RFC 6749 §4.1.3)", uri, want...)
	}
	return grant.fault(r.Now)
}

// verifierFault checks a code verifier (RFC 7636 §4.6), and says what is wrong with it, or "". Without a challenge
// there must be no verifier, because an attacker can take the challenge out (RFC 9700 §4.8.2).
func (c *Code) verifierFault(verifier string) string {
	switch {
	case c.Challenge == "" && verifier != "":
		return "a code_verifier came, and the authorization request had no code_challenge (RFC 9700 §4.8.2)"
	case c.Challenge == "":
		return ""
	case verifier == "":
		return "the code_verifier is missing (RFC 7636 §4.5)"
	case len(verifier) < 43 || len(verifier) > 128 || strings.Trim(verifier, alphanumeric+"-._~") != "":
		return "the code_verifier is not 43 to 128 unreserved characters (RFC 7636 §4.1)"
	}
	sum := sha256.Sum256([]byte(verifier))
	if subtle.ConstantTimeCompare([]byte(base64.RawURLEncoding.EncodeToString(sum[:])), []byte(c.Challenge)) != 1 {
		return "the code_verifier does not fit the code_challenge of the authorization request (RFC 7636 §4.6)"
	}
	return ""
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
		return nil, errGrant(errUserChanged)
	}
	return user, nil
}
