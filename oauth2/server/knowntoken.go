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
type known struct {
	server *Server
	access *Access
	// opaque says that the hash in the record's digest is that of an opaque token. The hash of a
	// JWT's record is that of its owner's shard and its "jti", and both are public: a text of
	// these proves nothing.
	opaque bool
	told   atomic.Pointer[told]
}

// told is what was told of a token while its grant was this one. Grants are replaced, never
// changed. So the token is good until the first of the two expires, and both need not be looked at again.
type told struct {
	grant *Grant
	token *oauth2.Token
	until time.Time
}

// kept is a record with what is known of it before it, in one piece of memory.
type kept struct {
	own known
	Access
}

// keep returns a copy of a new record, with what is known of it.
func (s *Server) keep(access Access, opaque bool) *Access {
	k := &kept{Access: access}
	k.own.server, k.own.access, k.own.opaque = s, &k.Access, opaque
	k.Access.known = &k.own
	return &k.Access
}

// isOpaque reports whether s made this record, with an opaque token.
func (s *Server) isOpaque(access *Access) bool {
	k := s.knownOf(access)
	return k != nil && k.opaque
}

// knownOf returns what s knows of a record, or nil: a store has built the record, or another
// Server made it.
func (s *Server) knownOf(access *Access) *known {
	if k := access.known; k != nil && k.access == access && k.server == s {
		return k
	}
	return nil
}

// toldOf returns what was told of an access token, if it is good yet, or nil.
func (s *Server) toldOf(access *Access, grant *Grant, at time.Time) *oauth2.Token {
	if access == nil {
		return nil
	}
	if k := s.knownOf(access); k != nil {
		if t := k.told.Load(); t != nil && t.grant == grant && at.Before(t.until) {
			return t.token
		}
	}
	return nil
}

// tell returns what is told of an access token that is good.
func (s *Server) tell(access *Access, grant *Grant) *oauth2.Token {
	token := oauth2.Token{
		Issuer: s.config.Issuer, Subject: grant.UserID, ClientID: grant.ClientID, Audience: access.Audience,
		Scope: access.Scopes, ID: access.ID, GrantID: grant.ID, Type: "Bearer", IssuedAt: access.Issued,
		Expiry: access.ExpiresAt, Auth: grant.AuthInfo, Stamp: grant.Stamp,
	}
	k := s.knownOf(access)
	if k == nil {
		return &token
	}
	shared := oauth2.SharedToken(token)
	k.told.Store(&told{grant, shared, backend.Earlier(access.ExpiresAt, grant.ExpiresAt)})
	return shared
}
