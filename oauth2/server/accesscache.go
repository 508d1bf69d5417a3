package server

import (
	"sync/atomic"
	"time"

	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/oauth2"
)

// known is what the Server that made an access token keeps with its record, so that a check
// makes nothing.
//
// It names the record and the Server. It counts for these alone: a store that copies a record
// copies the pointer too, and other Servers may share the store.
type accessCache struct {
	server *Server
	access *Access
	// opaque says that the hash in the record's digest is that of an opaque token. The hash of a
	// JWT's record is that of its owner's shard and its "jti", and both are public: a text of
	// these proves nothing.
	opaque bool
	cached atomic.Pointer[cachedToken]
}

// cachedToken is what was told of a token while its grant was this one. Grants are replaced, never
// changed. So the token is good until the first of the two expires, and both need not be looked at again.
type cachedToken struct {
	grant *Grant
	token *oauth2.Token
	until time.Time
}

// accessWithCache is a record with what is known of it before it, in one piece of memory.
type accessWithCache struct {
	cache accessCache
	Access
}

// withCache returns a copy of a new record, with what is known of it.
func (s *Server) withCache(access Access, opaque bool) *Access {
	k := &accessWithCache{Access: access}
	k.cache.server, k.cache.access, k.cache.opaque = s, &k.Access, opaque
	k.Access.cache = &k.cache
	return &k.Access
}

// isOpaque reports whether s made this record, with an opaque token.
func (s *Server) isOpaque(access *Access) bool {
	k := s.cacheOf(access)
	return k != nil && k.opaque
}

// cacheOf returns what s knows of a record, or nil: a store has built the record, or another
// Server made it.
func (s *Server) cacheOf(access *Access) *accessCache {
	if k := access.cache; k != nil && k.access == access && k.server == s {
		return k
	}
	return nil
}

// cachedTokenOf returns what was told of an access token, if it is good yet, or nil.
func (s *Server) cachedTokenOf(access *Access, grant *Grant, at time.Time) *oauth2.Token {
	if access == nil {
		return nil
	}
	if k := s.cacheOf(access); k != nil {
		if t := k.cached.Load(); t != nil && t.grant == grant && at.Before(t.until) {
			return t.token
		}
	}
	return nil
}

// newToken returns what is told of an access token that is good.
func (s *Server) newToken(access *Access, grant *Grant) *oauth2.Token {
	token := oauth2.Token{
		Issuer: s.config.Issuer, Subject: grant.UserID, ClientID: grant.ClientID, Audience: access.Audience,
		Scope: access.Scopes, ID: access.ID, GrantID: grant.ID, Type: "Bearer", IssuedAt: access.Issued,
		Expiry: access.ExpiresAt, Auth: grant.AuthInfo, Stamp: grant.Stamp,
	}
	k := s.cacheOf(access)
	if k == nil {
		return &token
	}
	shared := oauth2.SharedToken(token)
	k.cached.Store(&cachedToken{grant, shared, backend.Earlier(access.ExpiresAt, grant.ExpiresAt)})
	return shared
}
