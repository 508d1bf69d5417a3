package transfer

import (
	"cmp"
	"slices"
	"time"

	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/oauth2/server"
)

// JWTLogin is a login of package jwt with its refresh tokens, in order of digest. The key is the identifier of the
// family.
type JWTLogin struct {
	*jwt.Session
	Tokens []*jwt.Refresh
}

func (*JWTLogin) Kind() Kind    { return JWTLogins }
func (r *JWTLogin) Key() string { return r.ID }

// Keep drops refresh tokens that nothing needs to know again, and keeps the family by the rule of jwt.Store.Purge.
func (r *JWTLogin) Keep(now time.Time) bool {
	r.Tokens = slices.DeleteFunc(r.Tokens, func(token *jwt.Refresh) bool {
		return !now.Before(token.ExpiresAt.Add(jwt.KeepExpired))
	})
	slices.SortFunc(r.Tokens, func(a, b *jwt.Refresh) int { return cmp.Compare(a.Digest, b.Digest) })
	if !now.Before(r.ExpiresAt) && len(r.Tokens) == 0 {
		return false
	}
	if r.RevokedAt.IsZero() || now.Before(r.RevokedAt.Add(jwt.KeepEnded)) {
		return true
	}
	return slices.ContainsFunc(r.Tokens, func(token *jwt.Refresh) bool { return token.Adopted })
}

// OAuthGrant is a grant of the authorization server with what was issued for it, in order of digest. The key is the
// identifier of the grant.
type OAuthGrant struct {
	*server.Grant
	Codes   []*server.Code // one at most; none if the client acts for itself
	Access  []*server.Access
	Refresh []*server.Refresh
}

func (*OAuthGrant) Kind() Kind    { return OAuthGrants }
func (r *OAuthGrant) Key() string { return r.ID }

// Keep drops tokens that expired. A code stays for as long as its grant, because a second use ends the grant.
func (r *OAuthGrant) Keep(now time.Time) bool {
	r.Access = slices.DeleteFunc(r.Access, func(t *server.Access) bool { return !now.Before(t.ExpiresAt) })
	r.Refresh = slices.DeleteFunc(r.Refresh, func(t *server.Refresh) bool { return !now.Before(t.ExpiresAt) })
	slices.SortFunc(r.Codes, func(a, b *server.Code) int { return cmp.Compare(a.Digest, b.Digest) })
	slices.SortFunc(r.Access, func(a, b *server.Access) int { return cmp.Compare(a.Digest, b.Digest) })
	slices.SortFunc(r.Refresh, func(a, b *server.Refresh) int { return cmp.Compare(a.Digest, b.Digest) })
	return now.Before(r.ExpiresAt) && (r.RevokedAt.IsZero() || now.Before(r.RevokedAt.Add(server.KeepEnded)))
}
