package cached

import (
	"context"
	"time"

	"github.com/gatewarden/auth/jwt"
)

// JWTStore is a [jwt.Store] with a cache in front. It caches Revoked, which every request with an access token
// asks, and hands all else through. It is a [Cache], and safe for concurrent use.
//
// It keeps that a token is not revoked. That a login expires may be seen here up to Config.TTL late. Its access
// tokens expire no later than it does, so this matters within Issuer.Leeway alone. Sliding and refresh tokens are
// looked up each time, because they end at their use.
type JWTStore struct {
	store jwt.Store
	valid *table[claimed, struct{}]
}

var _ jwt.Store = (*JWTStore)(nil)

// claimed is what of a [jwt.Claimed] decides whether a token without a digest is revoked.
type claimed struct {
	userID     string
	sessionID  string
	generation int64
	issuedAt   int64 // in microseconds since 1970, of tokens without a generation
}

// JWT returns a cache in front of store. The error says what is wrong with config.
func JWT(store jwt.Store, config Config) (*JWTStore, error) {
	config, err := config.checked()
	if err != nil {
		return nil, err
	}
	return &JWTStore{store, newTable[claimed, struct{}](config)}, nil
}

// Revoked implements [jwt.Store].
func (s *JWTStore) Revoked(ctx context.Context, c jwt.Claimed, now time.Time) (bool, error) {
	if c.Digest != "" {
		return s.store.Revoked(ctx, c, now)
	}
	if err := ctx.Err(); err != nil {
		return false, err
	}
	key := claimed{userID: c.UserID, sessionID: c.SessionID, generation: c.Generation}
	if c.Generation < 0 {
		key.issuedAt = c.IssuedAt.UnixMicro()
	}
	clock := s.valid.clock()
	asked := clock + now.Sub(s.valid.now()) // the caller may have done much since now
	_, read, ok := s.valid.getAt(key, max(asked, clock))
	if ok {
		return false, nil
	}
	revoked, err := s.store.Revoked(ctx, c, now)
	if err == nil && !revoked {
		read.began = min(asked, clock)
		s.valid.put(read, key, struct{}{}, time.Time{}, [3]owner{{user, c.UserID}, {login, c.SessionID}})
	}
	return revoked, err
}

// Start implements [jwt.Store].
func (s *JWTStore) Start(ctx context.Context, family *jwt.Session, first, adopted *jwt.Refresh, limit int,
	evict bool) (jwt.Started, error) {
	started, err := s.store.Start(ctx, family, first, adopted, limit, evict)
	if err != nil || len(started.Evicted) > 0 {
		s.Forget(family.UserID)
	}
	if (err != nil || started.Seen) && adopted != nil && adopted.Digest != first.Digest {
		s.forgetLoginOf(ctx, adopted.Digest) // it is another one than family
	}
	return started, err
}

// Find implements [jwt.Store].
func (s *JWTStore) Find(ctx context.Context, digest string) (*jwt.Refresh, *jwt.Session, error) {
	return s.store.Find(ctx, digest)
}

// Rotate implements [jwt.Store].
func (s *JWTStore) Rotate(ctx context.Context, old string, now time.Time, grace time.Duration,
	next *jwt.Refresh) (jwt.Rotation, error) {
	rotation, err := s.store.Rotate(ctx, old, now, grace, next)
	if err != nil {
		s.valid.forget(owner{login, next.SessionID})
	}
	s.endReused(rotation)
	return rotation, err
}

// Use implements [jwt.Store].
func (s *JWTStore) Use(ctx context.Context, digest string, now, ends time.Time) (jwt.Rotation, error) {
	if err := ctx.Err(); err != nil { // the store was not called, so nothing has changed
		return jwt.Rotation{}, err
	}
	rotation, err := s.store.Use(ctx, digest, now, ends)
	if err != nil {
		s.forgetLoginOf(ctx, digest)
	}
	s.endReused(rotation)
	return rotation, err
}

// forgetLoginOf forgets the user of a token that may have ended its login, or everything if that is not known. So a
// client with a token that was used cannot empty the cache of others.
func (s *JWTStore) forgetLoginOf(ctx context.Context, digest string) {
	// A request that ended in the middle must not end this look-up.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_, family, err := s.store.Find(ctx, digest)
	if err != nil || family == nil {
		s.ForgetAll()
		return
	}
	s.Forget(family.UserID)
}

// endReused forgets the family of a token that was used twice, which has ended.
func (s *JWTStore) endReused(rotation jwt.Rotation) {
	if rotation.Verdict == jwt.Reused && rotation.Session != nil {
		s.Forget(rotation.Session.UserID)
	}
}

// List implements [jwt.Store].
func (s *JWTStore) List(ctx context.Context, userID, after string, limit int,
	now time.Time) ([]*jwt.Session, error) {
	return s.store.List(ctx, userID, after, limit, now)
}

// Revoke implements [jwt.Store].
func (s *JWTStore) Revoke(ctx context.Context, userID, id string, now time.Time) (bool, error) {
	defer s.Forget(userID)
	return s.store.Revoke(ctx, userID, id, now)
}

// RevokeAll implements [jwt.Store].
func (s *JWTStore) RevokeAll(ctx context.Context, userID, kept, stamp string, now time.Time) ([]string, error) {
	defer s.Forget(userID)
	return s.store.RevokeAll(ctx, userID, kept, stamp, now)
}

// Purge implements [jwt.Store].
func (s *JWTStore) Purge(ctx context.Context, now time.Time, limit int) (int, error) {
	return s.store.Purge(ctx, now, limit)
}

// Forget implements [Cache].
func (s *JWTStore) Forget(userID string) { s.valid.forget(owner{user, userID}) }

// ForgetAll implements [Cache].
func (s *JWTStore) ForgetAll() { s.valid.forgetAll() }

// Suspend implements [Cache].
func (s *JWTStore) Suspend() (resume func()) { return s.valid.suspend() }
