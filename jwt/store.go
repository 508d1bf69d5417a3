package jwt

import (
	"context"
	"time"

	"github.com/gatewarden/auth"
)

// Store keeps sessions with their refresh tokens. [NewMemoryStore] returns one, package
// sqlstore has one over database/sql, and storetest.JWT checks yours.
//
// Each method is atomic and safe for concurrent use, and reads no clock. A record that is not there is no
// error. An error says that the store cannot tell, and that nothing was changed or, if the connection broke
// at the wrong moment, all of it. A returned [Session] or [Refresh] is shared, so both sides must leave it as
// it is.
//
// A session is live while it has not ended and its ExpiresAt is later than now.
type Store interface {
	RefreshStore
	SessionStore
	Revocations

	// Purge removes at most limit sessions with their refresh tokens, and returns how
	// many. It removes those that have expired at now, if each of their refresh tokens
	// expired KeepExpired ago or earlier. Until then a used token of theirs is known
	// again: an adopted one may outlive the session. It also removes those that ended
	// KeepEnded ago or earlier, because their tokens are refused whether they are known
	// or not. An adopted token is the exception. Another session could be started with
	// it, so its session stays until that token expired KeepExpired ago.
	Purge(ctx context.Context, now time.Time, limit int) (int, error)
}

// RefreshStore starts sessions and rotates their refresh tokens. See [Store] for what holds for its methods.
type RefreshStore interface {
	// Start adds a session with its first refresh token. If adopted is not nil,
	// it is a refresh token of another system that the first one replaces: it
	// is added as rotated into first, and if its digest is there already,
	// nothing is added, its session ends at session.Created, and Seen is
	// reported. If adopted and first have one digest, the adopted token stays good:
	// first alone is added, as adopted, and Seen ends no session. Otherwise a first
	// digest that is there is an error, and so is a session that is there.
	//
	// If the user has limit sessions already that are live at session.Created, where a
	// limit of 0 is no limit, it adds nothing and uses nothing up, and reports OverLimit.
	// With evict it ends those created first then, until there is room. Counting,
	// ending and adding are one step.
	Start(ctx context.Context, session *Session, first, adopted *Refresh, limit int, evict bool) (Started, error)

	// Find returns the refresh token with this digest and its session, whatever
	// became of them, or nil and nil.
	Find(ctx context.Context, digest string) (*Refresh, *Session, error)

	// Rotate uses up the refresh token with the digest old. It adds next, of
	// the same session, moves the session's LastUsed to now and ExpiresAt to that
	// of next, and forgets the Sealed of the token that is used. Of
	// many calls at once with one digest, one is Rotated. [Verdict] says what a token
	// that is no good answers, and what becomes of its session.
	//
	// It also forgets tokens of the session that expired KeepExpired ago or
	// earlier, oldest first, at least up to one that did not, so that many refreshes
	// do not fill the store.
	Rotate(ctx context.Context, old string, now time.Time, grace time.Duration, next *Refresh) (Rotation, error)

	// Use uses the refresh token with this digest and leaves it good, for
	// Config.Compat.AllowRefreshReuse. It moves the session's LastUsed to now, and ExpiresAt of the
	// token and of its session to ends, but never to an earlier instant. Of many calls
	// at once with one digest, all are Kept. A token that Rotate used is Reused. The other
	// verdicts are as those of Rotate.
	Use(ctx context.Context, digest string, now, ends time.Time) (Rotation, error)
}

// SessionStore lists and revokes the sessions of a user. See [Store] for what holds for its methods.
type SessionStore interface {
	// List returns at most limit of the user's sessions that are live at now, in order
	// of ID from the greatest, which is the newest: those with an ID less than after
	// or, if that is "", all. There need be no session with the ID after. Its cost must
	// not grow with the number of sessions that the user has or had.
	List(ctx context.Context, userID, after string, limit int, now time.Time) ([]*Session, error)

	// Revoke ends the user's session with this identifier, and reports whether it
	// was live at now.
	Revoke(ctx context.Context, userID, id string, now time.Time) (bool, error)

	// RevokeAll ends all sessions of the user that are live at now but the one
	// with the identifier kept, which may be "", and returns their identifiers.
	// It gives stamp to the one that is kept, if it is there, live and the
	// user's. In the same step it revokes what other issuers issued to the user until
	// now and, if kept is "", adds one to the user's generation.
	RevokeAll(ctx context.Context, userID, kept, stamp string, now time.Time) ([]string, error)
}

// KeepExpired is for how long a store keeps a token after its expiry. No Leeway
// is longer, so the token is of no use any more.
const KeepExpired = maxLeeway

// KeepEnded is for how long a store keeps a session that has ended. Nothing needs it any
// more, but until then the log can tell a session that was revoked from one that never was.
const KeepEnded = time.Hour

// Session begins with a login: it is a refresh token, and all that come of it, which OAuth calls a token family. It is
// the unit of revocation. The claim "sid" of every token in it is its ID.
type Session struct {
	ID       string
	UserID   string
	ClientID string // of an OAuth 2 client, or ""

	Scopes  []string
	Limited bool // to Scopes

	Created      time.Time
	LastUsed     time.Time // the last refresh
	ExpiresAt    time.Time // of the newest refresh token
	MaxExpiresAt time.Time // never later than this, however often it is refreshed
	RevokedAt    time.Time // zero unless ended before its time

	IP        string
	UserAgent string
	Stamp     string        // hash of the user's auth.Stamper stamp, or ""
	AuthInfo  auth.AuthInfo // AuthTime in microseconds
	Claims    []byte        // what its tokens say besides, a JSON object, or nil
}

// Live reports whether the session has not ended and not expired at now.
func (f *Session) Live(now time.Time) bool { return f.RevokedAt.IsZero() && now.Before(f.ExpiresAt) }

// Refresh is a refresh token, or a sliding one, as a store keeps it.
type Refresh struct {
	Digest    string // the store's key: the shard of the user (see backend.Shard), and a hash of the claim "jti"
	SessionID string
	Issued    time.Time
	ExpiresAt time.Time
	Rotated   time.Time // zero until it is replaced
	Successor string    // digest of the token that replaced it, or ""
	Adopted   bool      // made by another system, and taken over by RefreshStore.Start, which sets it
	// Sealed is this token, encrypted so that only a holder of its predecessor can
	// read it. Nil without a grace. It is kept with the predecessor's use and
	// forgotten when this token is used itself.
	Sealed []byte
}

// Started is what became of RefreshStore.Start.
type Started struct {
	Seen       bool     // the adopted token was used before: nothing was added
	OverLimit  bool     // nothing was added, and the adopted token is as it was
	Evicted    []string // identifiers of the sessions that made room
	Generation int64    // of the user, 0 at first
}

// Verdict is the answer of a store to the use of a refresh token.
type Verdict int

// The verdicts, in the order in which they are looked for.
const (
	// Unknown: there is no such token. Nothing was changed.
	Unknown Verdict = iota
	// Revoked: its session was ended. Nothing was changed.
	Revoked
	// Expired: it or its session has expired. Nothing was changed.
	Expired
	// Rotated: it was used now, and next took its place.
	Rotated
	// Retried: it was used less than grace ago, and its successor, with its
	// Sealed, was not used yet. Nothing was changed. Of two requests
	// the later one may be served first, so less than grace ahead is the same.
	Retried
	// Reused: it was used before, by whomever. Its session is ended now.
	Reused
	// Kept: it was used by RefreshStore.Use now, and stays good.
	Kept
)

// Rotation is the outcome of RefreshStore.Rotate and RefreshStore.Use.
type Rotation struct {
	Verdict    Verdict
	Session    *Session // as it is after the verdict, nil if Unknown
	Generation int64    // of the user, if Rotated, Retried or Kept
	Sealed     []byte   // of the successor, if Retried
}

// Claimed is what a token says of itself, for Revocations.Revoked.
//
// It is void in each of these cases:
//
//   - SessionID is not "" and names no live session of UserID.
//   - Digest is not "" and names a refresh token that was rotated Grace ago or
//     earlier, or one of a session that was ended. With a SessionID, also if it names
//     no refresh token of that session, or one that is expired.
//   - Generation is less than the user's.
//   - Generation is negative, as in tokens that others issued, and everything of the
//     user until IssuedAt or later was voided. IssuedAt is in whole seconds: what was
//     issued in the second of the voiding is void.
type Claimed struct {
	SessionID  string // "sid", or "" for a token of no session
	UserID     string
	Generation int64         // "gen", negative if missing
	IssuedAt   time.Time     // "iat"
	Digest     string        // of a sliding token, which a refresh replaces, or a refresh token, else ""
	Grace      time.Duration // with Digest
}

// KeyStore keeps the keys of a [Keyring]. [NewMemoryKeyStore] returns one,
// package sqlstore has one over database/sql, and storetest.JWTKeys checks
// yours. Methods are as those of [Store].
type KeyStore interface {
	// Keys returns all records, in order of SignsFrom, then of ID.
	Keys(ctx context.Context) ([]*KeyRecord, error)
	// Add adds a record if the last one of Keys with its Algorithm has the
	// identifier last, or if there is no such record and last is "", and reports whether it
	// did: of many instances that replace one key at once, one does. A record with
	// the same ID is an error.
	Add(ctx context.Context, record *KeyRecord, last string) (bool, error)
	// Change writes SignsFrom and ExpiresAt of the record with the identifier of before,
	// if both are still as they are in before, and reports whether it did. The
	// comparison and the write are one step: of two instances that change a key at
	// the same time, one does, so no instance takes back an end that it did not see.
	Change(ctx context.Context, before *KeyRecord, signs, ends time.Time) (bool, error)
	// SetEnd writes ExpiresAt of the record with this identifier if that is zero or
	// later than ends, and reports whether it did: it never gives back trust that
	// another instance ended at the same time.
	SetEnd(ctx context.Context, id string, ends time.Time) (bool, error)
	// Remove removes a record, and reports whether there was one.
	Remove(ctx context.Context, id string) (bool, error)
}

// KeyRecord is a key as a store keeps it.
type KeyRecord struct {
	ID        string // "kid"
	Algorithm Algorithm
	Sealed    []byte    // the JWK, encrypted with an application key
	Created   time.Time // when it was published
	SignsFrom time.Time // from when it signs, until one with a later SignsFrom does
	ExpiresAt time.Time // when it is trusted no more, zero is not decided
}
