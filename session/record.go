package session

import (
	"time"

	"github.com/gatewarden/auth"
)

// Record is a session as a [Store] keeps it. It holds nothing that could be
// used as a cookie. Times are UTC, with microseconds.
type Record struct {
	// What each request reads comes first: it is close together in memory.
	cache     *cachedCredential // nil in a record that a store built
	UserID    string
	ExpiresAt time.Time // when it ends unless it is used before
	LastUsed  time.Time
	Stamp     string // hash of the user's AuthStamp, empty if the user has no stamp

	Digest string // identifies the session to the store
	ID     string // identifies the session to its user, is no secret, and names the user's shard: see [backend.NewIDOf]
	Owner  string // of a tombstone: the user of the session. See Tombstone

	Scopes     []string // what it is limited to, if Limited
	Limited    bool
	Remembered bool // its cookie outlives the browser

	Created      time.Time
	Idle         time.Duration // use moves ExpiresAt so far
	MaxExpiresAt time.Time     // the instant past which use does not move it

	IP        string // where the login came from
	UserAgent string
	AuthInfo  auth.AuthInfo
}

// Live reports whether the record has not expired at now.
func (rec *Record) Live(now time.Time) bool { return now.Before(rec.ExpiresAt) }

// tombstoneTTL is how long a tombstone is kept: longer than a request takes.
const tombstoneTTL = time.Minute

// Tombstone returns the record that a store keeps for a minute in place of one
// that another has replaced. It has no UserID and proves nothing. But a request
// that was under way with the old cookie is known by it, so that its answer does
// not clear the new one, and a logout ends the successor.
func (rec *Record) Tombstone(now time.Time) *Record {
	return &Record{Digest: rec.Digest, ID: rec.ID, Owner: rec.UserID, Created: now, LastUsed: now,
		ExpiresAt: now.Add(tombstoneTTL), MaxExpiresAt: now.Add(tombstoneTTL)}
}

// IsTombstone reports whether this is the tombstone of a session that got another cookie.
func (rec *Record) IsTombstone() bool { return rec.UserID == "" }

// Session is a session that was started or proved, as a credential. It is
// immutable.
type Session struct {
	record   *Record
	sessions *Sessions
}

var (
	_ auth.Credential   = (*Session)(nil)
	_ auth.Scoped       = (*Session)(nil)
	_ auth.Ambient      = (*Session)(nil)
	_ auth.Primary      = (*Session)(nil)
	_ auth.AuthInformer = (*Session)(nil)
	_ auth.Expirer      = (*Session)(nil)
)

// Backend returns the Config.Name of the Sessions it belongs to.
func (s *Session) Backend() string { return s.sessions.config.Name }

// ID returns the identifier by which [Sessions.Revoke] ends the session. It
// stays when the cookie changes.
func (s *Session) ID() string { return s.record.ID }

// UserID returns the identifier of the user that logged in.
func (s *Session) UserID() string { return s.record.UserID }

// Scopes returns what the session is limited to, if it is. The slice must not
// be changed.
func (s *Session) Scopes() (scopes []string, limited bool) {
	return s.record.Scopes, s.record.Limited
}

// Ambient returns true, as [Sessions.Ambient] does.
func (s *Session) Ambient() bool { return true }

// Primary returns true: a session may be turned into a token.
func (s *Session) Primary() bool { return true }

// Remembered reports whether the cookie outlives the browser.
func (s *Session) Remembered() bool { return s.record.Remembered }

// Created returns when the user logged in.
func (s *Session) Created() time.Time { return s.record.Created }

// IdleExpiresAt returns when the session ends unless it is used before. It is "expiry" in answers.
func (s *Session) IdleExpiresAt() time.Time { return s.record.ExpiresAt }

// ExpiresAt returns when the session ends however often it is used.
func (s *Session) ExpiresAt() time.Time { return s.record.MaxExpiresAt }

// LastUsed returns when it was last used, as exactly as Config.TouchInterval
// has it written.
func (s *Session) LastUsed() time.Time { return s.record.LastUsed }

// IP returns the address of the browser at login, or "" if it was not known.
func (s *Session) IP() string { return s.record.IP }

// UserAgent returns what the browser called itself at login.
func (s *Session) UserAgent() string { return s.record.UserAgent }

// AuthInfo returns when and how the user logged in.
func (s *Session) AuthInfo() auth.AuthInfo { return s.record.AuthInfo }
