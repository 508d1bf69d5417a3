package cached

import (
	"context"
	"time"

	"github.com/gatewarden/auth/session"
)

// SessionStore is a [session.Store] with a cache in front. It caches Find and hands all else through. It is a
// [Cache], and safe for concurrent use.
//
// It is no [session.HashFinder], whatever its store is. Marks are not cached. If another process gives a session a
// new cookie, the old cookie is good here until Config.TTL is over, or ForgetToken is called.
type SessionStore struct {
	store   session.Store
	records *table[string, *session.Record] // by digest
}

var _ session.Store = (*SessionStore)(nil)

// Sessions returns a cache in front of store. The error says what is wrong with config.
func Sessions(store session.Store, config Config) (*SessionStore, error) {
	config, err := config.checked()
	if err != nil {
		return nil, err
	}
	return &SessionStore{store, newTable[string, *session.Record](config)}, nil
}

// Find implements [session.Store]. What is in the cache needs no store, so an outage of at most Config.TTL may pass
// unnoticed.
func (s *SessionStore) Find(ctx context.Context, digest string) (*session.Record, error) {
	record, read, ok := s.records.get(digest)
	if ok {
		return record, nil
	}
	record, err := s.store.Find(ctx, digest)
	if err == nil && record != nil && !record.IsTombstone() {
		s.records.put(read, digest, record, record.ExpiresAt, [3]owner{{user, record.UserID}})
	}
	return record, err
}

// Add implements [session.Store].
func (s *SessionStore) Add(ctx context.Context, record *session.Record, replaced string, limit int, evict bool,
	now time.Time) (session.Added, error) {
	added, err := s.store.Add(ctx, record, replaced, limit, evict, now)
	s.records.drop(record.Digest, replaced)
	if err != nil || len(added.Evicted) > 0 {
		s.Forget(record.UserID)
	}
	return added, err
}

// Touch implements [session.Store].
func (s *SessionStore) Touch(ctx context.Context, touch session.Touch) error {
	err := s.store.Touch(ctx, touch)
	if err == nil { // or the record is as it was, or lives longer
		s.records.drop(touch.Digest)
	}
	return err
}

// Replace implements [session.Store].
func (s *SessionStore) Replace(ctx context.Context, digest string, successor *session.Record,
	now time.Time) (bool, error) {
	defer s.records.drop(digest, successor.Digest)
	return s.store.Replace(ctx, digest, successor, now)
}

// List implements [session.Store].
func (s *SessionStore) List(ctx context.Context, userID, after string, limit int,
	now time.Time) ([]*session.Record, error) {
	return s.store.List(ctx, userID, after, limit, now)
}

// Revoke implements [session.Store].
func (s *SessionStore) Revoke(ctx context.Context, userID, id string) (bool, error) {
	defer s.Forget(userID)
	return s.store.Revoke(ctx, userID, id)
}

// RevokeAll implements [session.Store].
func (s *SessionStore) RevokeAll(ctx context.Context, userID, kept string) ([]string, error) {
	defer s.Forget(userID)
	return s.store.RevokeAll(ctx, userID, kept)
}

// Purge implements [session.Store].
func (s *SessionStore) Purge(ctx context.Context, now time.Time, limit int) ([]*session.Record, error) {
	defer s.records.markPurged(now)
	return s.store.Purge(ctx, now, limit)
}

// ForgetToken drops what is kept of one digest, as Forget does of a user. It is for a store that tells of changes of
// single records.
func (s *SessionStore) ForgetToken(digest string) { s.records.drop(digest) }

// Forget implements [Cache].
func (s *SessionStore) Forget(userID string) { s.records.forget(owner{user, userID}) }

// ForgetAll implements [Cache].
func (s *SessionStore) ForgetAll() { s.records.forgetAll() }

// Suspend implements [Cache].
func (s *SessionStore) Suspend() (resume func()) { return s.records.suspend() }
