package server

import (
	"sync/atomic"

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
// changed.
type told struct {
	grant *Grant
	token *oauth2.Token
}

// keep gives a new record what is known of it, before a store or another goroutine has it.
func (s *Server) keep(access *Access, opaque bool) {
	access.known = &known{server: s, access: access, opaque: opaque}
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

// tokenOf returns what is told of an access token.
func (s *Server) tokenOf(access *Access, grant *Grant) *oauth2.Token {
	k := s.knownOf(access)
	if k != nil {
		if t := k.told.Load(); t != nil && t.grant == grant {
			return t.token
		}
	}
	token := oauth2.Token{
		Issuer: s.config.Issuer, Subject: grant.UserID, ClientID: grant.ClientID, Audience: access.Audience,
		Scope: access.Scopes, ID: access.ID, GrantID: grant.ID, Type: "Bearer", IssuedAt: access.Issued,
		Expiry: access.ExpiresAt, Auth: grant.AuthInfo, Stamp: grant.Stamp,
	}
	if k == nil {
		return &token
	}
	shared := oauth2.SharedToken(token)
	k.told.Store(&told{grant, shared})
	return shared
}
