package password

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/gatewarden/auth/internal/expiry"
	"github.com/gatewarden/auth/internal/recordindex"
)

// OneTimeRecord is a one-time token as a [OneTimeStore] keeps it. It holds
// nothing that could be used as a token. Times are UTC, with microseconds.
type OneTimeRecord struct {
	Digest    string // identifies the token to the store, at most 64 characters
	UserID    string
	Purpose   Purpose
	About     string // what the token is about, such as an e-mail address
	Stamp     string // hash of the user's AuthStamp, empty if the user has no stamp
	Created   time.Time
	ExpiresAt time.Time // never zero
	Used      time.Time // zero is not yet
}

// Live reports whether the record is unused and has not expired at now.
func (rec *OneTimeRecord) Live(now time.Time) bool {
	return rec.Used.IsZero() && now.Before(rec.ExpiresAt)
}

// OneTimeStore keeps one-time tokens. [NewMemoryOneTimeStore] returns one,
// package sqlstore has one over database/sql, and storetest.OneTime checks yours.
//
// Each method is atomic and safe for concurrent use, and reads no clock. What
// is not there is no error. An error says that the store cannot tell, and that
// nothing was changed or, if the connection broke at the wrong moment, all of
// it. A returned record is shared: it must not be changed.
type OneTimeStore interface {
	// Add adds record. If its user then has more than limit records of its
	// purpose that are live at now, those created first are removed until
	// there are limit, but never record itself. limit is at least 1. Of many at
	// once, never more than limit are left. A digest that is there already is an error.
	Add(ctx context.Context, record *OneTimeRecord, limit int, now time.Time) error

	// Find returns the record with this digest, used or expired or not, or nil.
	Find(ctx context.Context, digest string) (*OneTimeRecord, error)

	// Redeem uses the record with this digest up: if it is live at now, it is
	// marked as used then, the unused records of the same user and purpose are
	// removed, and the verdict is OneTimeFirst. Of many at once, with this
	// digest or with others of the same user and purpose, one gets that.
	Redeem(ctx context.Context, digest string, now time.Time) (OneTimeVerdict, error)

	// RemoveUnused removes all records of a user that have not been used,
	// whatever their purpose, and returns how many.
	RemoveUnused(ctx context.Context, userID string) (int, error)

	// Purge removes at most limit records, used or not, that have expired at
	// now, and returns how many.
	Purge(ctx context.Context, now time.Time, limit int) (int, error)
}

// OneTimeVerdict is what became of [OneTimeStore].Redeem.
type OneTimeVerdict int

// The verdicts. A record that was used is OneTimeUsed, expired or not.
const (
	OneTimeUnknown OneTimeVerdict = iota // there is no such record
	OneTimeFirst                         // it was live, and is used now
	OneTimeUsed                          // it was used before
	OneTimeExpired                       // it had expired, unused
)

// MemoryOneTimeStore is a [OneTimeStore] in memory, for tests and programs of
// one instance that may forget all tokens when they end.
type MemoryOneTimeStore struct {
	mu      sync.Mutex
	records *recordindex.Index[OneTimeRecord] // by digest and by user
}

var _ OneTimeStore = (*MemoryOneTimeStore)(nil)

// NewMemoryOneTimeStore returns an empty store.
func NewMemoryOneTimeStore() *MemoryOneTimeStore {
	return &MemoryOneTimeStore{records: recordindex.New(func(r *OneTimeRecord) recordindex.Fields {
		return recordindex.Fields{Digest: r.Digest, UserID: r.UserID, ID: r.Digest,
			Created: r.Created, ExpiresAt: r.ExpiresAt}
	})}
}

// Add implements [OneTimeStore].
func (s *MemoryOneTimeStore) Add(_ context.Context, record *OneTimeRecord, limit int, now time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.records.Get(record.Digest) != nil {
		return errors.New("password: digest exists")
	}
	surplus, _ := s.records.Surplus(record.UserID, now, max(limit, 1), true, func(other *OneTimeRecord) bool {
		return other.Purpose == record.Purpose && other.Used.IsZero()
	})
	for _, oldest := range surplus {
		s.records.Remove(oldest)
	}
	kept := *record
	s.records.Put(&kept)
	return nil
}

// Find implements [OneTimeStore].
func (s *MemoryOneTimeStore) Find(_ context.Context, digest string) (*OneTimeRecord, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.records.Get(digest), nil
}

// Redeem implements [OneTimeStore].
func (s *MemoryOneTimeStore) Redeem(_ context.Context, digest string, now time.Time) (OneTimeVerdict, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	record := s.records.Get(digest)
	switch {
	case record == nil:
		return OneTimeUnknown, nil
	case !record.Used.IsZero():
		return OneTimeUsed, nil
	case !record.Live(now):
		return OneTimeExpired, nil
	}
	used := *record
	used.Used = now
	s.records.Put(&used)
	for _, other := range s.records.ByUser(record.UserID) {
		if other.Purpose == record.Purpose && other.Used.IsZero() {
			s.records.Remove(other)
		}
	}
	return OneTimeFirst, nil
}

// RemoveUnused implements [OneTimeStore].
func (s *MemoryOneTimeStore) RemoveUnused(_ context.Context, userID string) (n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, record := range s.records.ByUser(userID) {
		if record.Used.IsZero() {
			s.records.Remove(record)
			n++
		}
	}
	return n, nil
}

// Purge implements [OneTimeStore]. Others have their turn meanwhile.
func (s *MemoryOneTimeStore) Purge(ctx context.Context, now time.Time, limit int) (int, error) {
	return expiry.PurgeAll(ctx, limit, func(limit int) (int, bool) {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.records.Purge(now, limit, s.records.Remove)
	})
}
