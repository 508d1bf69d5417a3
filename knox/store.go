package knox

import (
	"context"
	"time"
)

// Store keeps tokens, and what is left of those that ended. [NewMemoryStore] returns one, package sqlstore
// has one over database/sql, and storetest.Knox checks yours. [HashFinder] is optional.
//
// Each method is atomic and safe for concurrent use, and reads no clock. A record that is not there is no
// error. An error says that the store cannot tell, and that nothing was changed or, if the connection broke
// at the wrong moment, all of it. A returned [Record] is shared, so both sides must leave it as it is.
type Store interface {
	TokenStore
	EndedStore
}

// TokenStore keeps tokens. See [Store] for what holds for its methods.
//
// What a method removes has ended as ending says. If ending.Keep is set, the store adds ending.Of(record)
// of each record to its [EndedStore] in the same step: a token is never in both, and never lost.
type TokenStore interface {
	// Add adds record if its user has fewer than limit records that are live
	// at ending.At and have record's Stamp. Others are of no use. A limit
	// of 0 is no limit. If there are as many, it adds nothing and reports so or,
	// with evict, removes of these the ones created first until there is room,
	// and returns their identifiers. The record with the ID
	// ending.Exempt stays, unless limit is 1. Counting, removing and adding are one
	// step: of many at once, never more than limit are left. A digest that is
	// there already is an error.
	Add(ctx context.Context, record *Record, limit int, evict bool, ending Ending) (Added, error)

	// Find returns the record with this digest, expired or not, or nil.
	Find(ctx context.Context, digest string) (*Record, error)

	// Touch writes into the record with this digest, if there is one that is
	// live at touch.Used, that it was used then and, if touch.ExpiresAt is later
	// than what is there, touch.ExpiresAt. It does not add a record or move LastUsed
	// back, and it gives no expiry to a record without one.
	//
	// If a write is dear, a store may return at once and write about a second later,
	// many touches in one step. Until then its other methods work as if all were
	// written. A touch that slides must be written before LiveUntil, so one that comes
	// shortly before is written at once. If the program is killed before, the record keeps its
	// older last use and expiry. An error says that the touch was not kept. It fails no
	// request.
	Touch(ctx context.Context, touch Touch) error

	// List returns at most limit of the user's records that are live at now, in order
	// of ID from the greatest, which is the newest: those with an ID less than after
	// or, if that is "", all. There need be no record with the ID after. Its cost must
	// not grow with the number of records that the user has.
	List(ctx context.Context, userID, after string, limit int, now time.Time) ([]*Record, error)

	// Revoke removes the user's record with this identifier, and reports
	// whether there was one.
	Revoke(ctx context.Context, userID, id string, ending Ending) (bool, error)

	// RevokeAll removes all records of the user but the one with the digest
	// kept, which may be "", and returns their identifiers. It gives stamp to
	// the one that is kept, if it is there and the user's, in the same step. All
	// go at once, not one by one: others wait for it.
	RevokeAll(ctx context.Context, userID, kept, stamp string, ending Ending) ([]string, error)

	// Purge removes at most limit records that are not live at ending.At, and
	// returns them. Each is returned to one caller only.
	Purge(ctx context.Context, limit int, ending Ending) ([]*Record, error)
}

// EndedStore keeps what is left of tokens that ended, for a list of what happened. It keeps all of them, in
// any number and with any identifiers, until PurgeEnded. See [Store] for what holds for its methods.
type EndedStore interface {
	// Ended returns what is kept of the user's tokens that ended after since,
	// the last of them first, and at most limit.
	Ended(ctx context.Context, userID string, since time.Time, limit int) ([]*EndedToken, error)

	// PurgeEnded removes what is kept of at most limit tokens that ended at
	// before or earlier, and returns of how many.
	PurgeEnded(ctx context.Context, before time.Time, limit int) (int, error)
}

// Added is what became of TokenStore.Add.
type Added struct {
	OverLimit bool     // nothing was added
	Evicted   []string // identifiers of the records that made room
}
