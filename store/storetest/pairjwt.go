package storetest

import (
	"context"
	"time"

	"github.com/gatewarden/auth/jwt"
)

// JWTPair returns a store for [JWT] that sends its calls to two stores in turn.
func JWTPair(first, second jwt.Store) jwt.Store {
	return jwtPair{newPair(first, second)}
}

type jwtPair struct{ *pair[jwt.Store] }

func (p jwtPair) Revoked(ctx context.Context, claimed jwt.Claimed, now time.Time) (bool, error) {
	return p.next().Revoked(ctx, claimed, now)
}

func (p jwtPair) Purge(ctx context.Context, now time.Time, limit int) (int, error) {
	return p.next().Purge(ctx, now, limit)
}

func (p jwtPair) Start(ctx context.Context, session *jwt.Session, first, adopted *jwt.Refresh, limit int,
	evict bool) (jwt.Started, error) {
	return p.next().Start(ctx, session, first, adopted, limit, evict)
}

func (p jwtPair) Find(ctx context.Context, digest string) (*jwt.Refresh, *jwt.Session, error) {
	return p.next().Find(ctx, digest)
}

func (p jwtPair) Rotate(ctx context.Context, old string, now time.Time, grace time.Duration,
	next *jwt.Refresh) (jwt.Rotation, error) {
	return p.next().Rotate(ctx, old, now, grace, next)
}

func (p jwtPair) Use(ctx context.Context, digest string, now, ends time.Time) (jwt.Rotation, error) {
	return p.next().Use(ctx, digest, now, ends)
}

func (p jwtPair) List(ctx context.Context, userID, after string, limit int, now time.Time) ([]*jwt.Session, error) {
	return p.next().List(ctx, userID, after, limit, now)
}

func (p jwtPair) Revoke(ctx context.Context, userID, id string, now time.Time) (bool, error) {
	return p.next().Revoke(ctx, userID, id, now)
}

func (p jwtPair) RevokeAll(ctx context.Context, userID, kept, stamp string, now time.Time) ([]string, error) {
	return p.next().RevokeAll(ctx, userID, kept, stamp, now)
}

// JWTKeysPair returns a store for [JWTKeys] that sends its calls to two stores in turn.
func JWTKeysPair(first, second jwt.KeyStore) jwt.KeyStore {
	return jwtKeyPair{newPair(first, second)}
}

type jwtKeyPair struct{ *pair[jwt.KeyStore] }

func (p jwtKeyPair) Keys(ctx context.Context) ([]*jwt.KeyRecord, error) {
	return p.next().Keys(ctx)
}

func (p jwtKeyPair) Add(ctx context.Context, record *jwt.KeyRecord, last string) (bool, error) {
	return p.next().Add(ctx, record, last)
}

func (p jwtKeyPair) Change(ctx context.Context, before *jwt.KeyRecord, signs, ends time.Time) (bool, error) {
	return p.next().Change(ctx, before, signs, ends)
}

func (p jwtKeyPair) SetEnd(ctx context.Context, id string, ends time.Time) (bool, error) {
	return p.next().SetEnd(ctx, id, ends)
}

func (p jwtKeyPair) Remove(ctx context.Context, id string) (bool, error) {
	return p.next().Remove(ctx, id)
}
