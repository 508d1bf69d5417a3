package knox

import (
	"time"

	"github.com/gatewarden/auth"
)

// Record is a token as a [Store] keeps it. It holds nothing that could be used
// as a token. Times are UTC, with microseconds.
type Record struct {
	// What each request reads comes first: it is close together in memory.
	cache     *cachedCredential // nil in a record that a store built
	UserID    string
	ExpiresAt time.Time     // zero is never
	Slide     time.Duration // how far use prolongs it, 0 is not at all
	LastUsed  time.Time     // zero is never
	Stamp     string        // hash of the user's AuthStamp, empty if the user has no stamp

	Digest string // identifies the token to the store
	ID     string // identifies the token to its user, and is no secret

	Name    string   // what the user calls it, may be empty
	Scopes  []string // what it is limited to, if Limited
	Limited bool

	Created      time.Time
	MaxExpiresAt time.Time // the instant past which it does not slide, zero if it may slide for ever

	IP        string // where it was issued to
	UserAgent string
	AuthInfo  auth.AuthInfo
}

// Live reports whether the record has not expired at now.
func (rec *Record) Live(now time.Time) bool {
	return rec.ExpiresAt.IsZero() || now.Before(rec.ExpiresAt)
}

// Token is a token that was issued or proved, as a credential: it tells all
// about it but the secret. It is immutable.
type Token struct {
	record *Record
	tokens *Tokens
}

var (
	_ auth.Credential   = (*Token)(nil)
	_ auth.Scoped       = (*Token)(nil)
	_ auth.AuthInformer = (*Token)(nil)
	_ auth.Expirer      = (*Token)(nil)
)

// Backend returns the Config.Name of the Tokens it belongs to.
func (t *Token) Backend() string { return t.tokens.config.Name }

// ID returns the identifier by which [Tokens.Revoke] ends the token.
func (t *Token) ID() string { return t.record.ID }

// UserID returns the identifier of the user it was issued to.
func (t *Token) UserID() string { return t.record.UserID }

// Name returns what the user calls it.
func (t *Token) Name() string { return t.record.Name }

// Scopes returns what the token is limited to, if it is. The slice must not be
// changed.
func (t *Token) Scopes() (scopes []string, limited bool) {
	return t.record.Scopes, t.record.Limited
}

// Ambient returns false, as [Tokens.Ambient] does.
func (t *Token) Ambient() bool { return false }

// Created returns when it was issued.
func (t *Token) Created() time.Time { return t.record.Created }

// IdleExpiresAt returns when it expires unless use prolongs it before. Zero is never. It is
// "expiry" in answers.
func (t *Token) IdleExpiresAt() time.Time { return t.record.ExpiresAt }

// ExpiresAt returns the latest instant at which it could be good. Zero is
// never, for one that does not expire and one that slides without end.
func (t *Token) ExpiresAt() time.Time {
	if t.record.Slide > 0 {
		return t.record.MaxExpiresAt
	}
	return t.record.ExpiresAt
}

// LastUsed returns when it was last used, as exactly as Config.TouchInterval
// has it written. Zero is never.
func (t *Token) LastUsed() time.Time { return t.record.LastUsed }

// IP returns the address of the client it was issued to, and UserAgent what
// that client called itself. Either may be empty.
func (t *Token) IP() string { return t.record.IP }

// UserAgent is described at IP.
func (t *Token) UserAgent() string { return t.record.UserAgent }

// AuthInfo returns when and how the user logged in to get it.
func (t *Token) AuthInfo() auth.AuthInfo { return t.record.AuthInfo }

// Issued is a new token and, this once, its secret.
type Issued struct {
	*Token
	Secret auth.Secret // what the client sends
}
