package cached

import (
	"context"
	"time"

	"github.com/gatewarden/auth/knox"
)

// KnoxStore is a [knox.Store] with a cache in front. It caches Find and hands all else through. It is a [Cache],
// and safe for concurrent use.
//
// It is no [knox.HashFinder], whatever its store is: a token that the cache does not have is looked up in the
// store by its digest.
type KnoxStore struct {
	store   knox.Store
	records *table[string, *knox.Record] // by digest
}

var _ knox.Store = (*KnoxStore)(nil)

// Knox returns a cache in front of store. The error says what is wrong with config.
func Knox(store knox.Store, config Config) (*KnoxStore, error) {
	config, err := config.checked()
	if err != nil {
		return nil, err
	}
	return &KnoxStore{store, newTable[string, *knox.Record](config)}, nil
}

// Find implements [knox.Store]. What is in the cache needs no store, so an outage of at most Config.TTL may pass
// unnoticed.
func (s *KnoxStore) Find(ctx context.Context, digest string) (*knox.Record, error) {
	record, read, ok := s.records.get(digest)
	if ok {
		return record, nil
	}
	record, err := s.store.Find(ctx, digest)
	if err == nil && record != nil {
		s.records.put(read, digest, record, record.ExpiresAt, [3]owner{{user, record.UserID}})
	}
	return record, err
}

// Add implements [knox.Store].
func (s *KnoxStore) Add(ctx context.Context, record *knox.Record, limit int, evict bool,
	ending knox.Ending) (knox.Added, error) {
	added, err := s.store.Add(ctx, record, limit, evict, ending)
	s.records.drop(record.Digest)
	if err != nil || len(added.Evicted) > 0 {
		s.Forget(record.UserID)
	}
	return added, err
}

// Touch implements [knox.Store].
func (s *KnoxStore) Touch(ctx context.Context, touch knox.Touch) error {
	err := s.store.Touch(ctx, touch)
	if err == nil { // or the record is as it was, or lives longer
		s.records.drop(touch.Digest)
	}
	return err
}

// List implements [knox.Store].
func (s *KnoxStore) List(ctx context.Context, userID, after string, limit int,
	now time.Time) ([]*knox.Record, error) {
	return s.store.List(ctx, userID, after, limit, now)
}

// Revoke implements [knox.Store].
func (s *KnoxStore) Revoke(ctx context.Context, userID, id string, ending knox.Ending) (bool, error) {
	defer s.Forget(userID)
	return s.store.Revoke(ctx, userID, id, ending)
}

// RevokeAll implements [knox.Store].
func (s *KnoxStore) RevokeAll(ctx context.Context, userID, kept, stamp string,
	ending knox.Ending) ([]string, error) {
	defer s.Forget(userID)
	return s.store.RevokeAll(ctx, userID, kept, stamp, ending)
}

// Purge implements [knox.Store].
func (s *KnoxStore) Purge(ctx context.Context, limit int, ending knox.Ending) ([]*knox.Record, error) {
	defer s.records.markPurged(ending.At)
	return s.store.Purge(ctx, limit, ending)
}

// Ended implements [knox.Store].
func (s *KnoxStore) Ended(ctx context.Context, userID string, since time.Time,
	limit int) ([]*knox.EndedToken, error) {
	return s.store.Ended(ctx, userID, since, limit)
}

// PurgeEnded implements [knox.Store].
func (s *KnoxStore) PurgeEnded(ctx context.Context, before time.Time, limit int) (int, error) {
	return s.store.PurgeEnded(ctx, before, limit)
}

// ForgetToken drops what is kept of one digest, as Forget does of a user. It is for a store that tells of changes of
// single records.
func (s *KnoxStore) ForgetToken(digest string) { s.records.drop(digest) }

// Forget implements [Cache].
func (s *KnoxStore) Forget(userID string) { s.records.forget(owner{user, userID}) }

// ForgetAll implements [Cache].
func (s *KnoxStore) ForgetAll() { s.records.forgetAll() }

// Suspend implements [Cache].
func (s *KnoxStore) Suspend() (resume func()) { return s.records.suspend() }
