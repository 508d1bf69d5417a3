package server

import (
	"context"
	"time"
)

// Store keeps clients, what users agreed to, and what was issued.
// [NewMemoryStore] returns one, package sqlstore has one over database/sql, and
// storetest.OAuth checks yours. [HashFinder] is optional.
//
// Each method is atomic and safe for concurrent use, and reads no clock. What
// is not there is no error. An error says that the store cannot tell, and that
// nothing was changed or, if the connection broke at the wrong moment, all of
// it. What is passed or returned is shared: it must not be changed. Times are
// UTC, in microseconds. Lists are in the order that is said, and may be nil.
//
// Digests are opaque strings of 46 characters of the alphabet of base64url.
type Store interface {
	ClientStore
	InteractionStore
	ConsentStore
	GrantStore
	TokenStore
	ReplayStore

	// Purge removes what can be of no use any more at now: grants that expired, or that
	// ended KeepEnded ago or earlier, with all that is theirs, and of others the access
	// and refresh tokens that expired, interactions and keys of PutOnce. The tokens of a
	// grant that ended are refused whether they are known or not, and their reuse has
	// nothing left to end. It removes at most limit and returns
	// how many. If there are fewer than limit, nothing is left to remove. What goes
	// with a grant is not counted.
	Purge(ctx context.Context, now time.Time, limit int) (int, error)
}

// ReplayStore remembers what must be used once only, such as the identifier of a signed assertion. See [Store].
type ReplayStore interface {
	// PutOnce notes a key until expires, and reports whether it was not there,
	// or had expired at now. Of many calls at once with one key, one is told so.
	PutOnce(ctx context.Context, key string, expires, now time.Time) (bool, error)
}
