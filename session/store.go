package session

import (
	"context"
	"time"
)

// Store keeps sessions. [NewMemoryStore] returns one, package sqlstore has one
// over database/sql, and storetest.Sessions checks yours. [HashFinder] is optional.
//
// Each method is atomic and safe for concurrent use, and reads no clock. What
// is not there is no error. An error says that the store cannot tell, and that
// nothing was changed or, if the connection broke at the wrong moment, all of
// it. A returned [Record] is shared: it must not be changed.
type Store interface {
	// Add adds record, and puts what Tombstone(now) returns in place of the one with
	// the digest replaced, if that is not "" and there is one that is no tombstone
	// itself: the session that the browser had until now, of whichever user. If
	// record's user then still has limit records that are live at now and of
	// record's stamp (0 is no limit, and those of another stamp are void), it
	// does nothing at all and reports so or, with evict, removes such ones,
	// those created first, until there is room. A digest that is there already
	// is an error.
	Add(ctx context.Context, record *Record, replaced string, limit int, evict bool, now time.Time) (Added, error)

	// Find returns the record with this digest, expired or not, or nil.
	Find(ctx context.Context, digest string) (*Record, error)

	// Touch writes into the record with this digest, if there is one that is
	// live at touch.Used and no tombstone, that it was used then and, if touch.ExpiresAt
	// is later than what is there, touch.ExpiresAt. It does not add a record or move
	// LastUsed back.
	//
	// If a write is dear, a store may return at once and write about a second later,
	// many touches in one step. Until then its other methods work as if all were
	// written. A touch that slides must be written before LiveUntil, so one that comes
	// shortly before is written at once. If the program is killed before, the record keeps its
	// older last use and expiry. An error says that the touch was not kept. It fails no
	// request.
	Touch(ctx context.Context, touch Touch) error

	// Replace adds successor, which has the ID and the user of the record with
	// this digest, and puts what Tombstone(now) returns in place of that record, if
	// there is one that is live at now and no tombstone. It reports whether it did.
	// Otherwise it adds nothing: nothing comes back after a logout.
	Replace(ctx context.Context, digest string, successor *Record, now time.Time) (bool, error)

	// List returns at most limit of the user's records that are live at now, in order
	// of ID from the greatest, which is the newest: those with an ID less than after
	// or, if that is "", all. There need be no record with the ID after. Its cost must
	// not grow with the number of records that the user has.
	List(ctx context.Context, userID, after string, limit int, now time.Time) ([]*Record, error)

	// Revoke removes the user's record with this identifier, and reports
	// whether there was one.
	Revoke(ctx context.Context, userID, id string) (bool, error)

	// RevokeAll removes all records of the user but the one with the digest
	// kept, which may be "", and returns their identifiers. All go at once, not one
	// by one: others wait for it.
	RevokeAll(ctx context.Context, userID, kept string) ([]string, error)

	// Purge removes at most limit records that are not live at now, and
	// returns them. Each is returned to one caller only.
	Purge(ctx context.Context, now time.Time, limit int) ([]*Record, error)
}

// Added is what became of Store.Add.
type Added struct {
	OverLimit bool     // nothing was changed
	Replaced  *Record  // the one that was replaced, or nil
	Evicted   []string // identifiers of the records that made room
}
