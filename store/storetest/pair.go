package storetest

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/session"
)

// pair sends the calls of a store to two stores on the same data in turn. Two instances of a program have such stores.
// A race of 32 calls is then one between two instances with 16 calls each.
type pair[S any] struct {
	stores [2]S
	calls  atomic.Uint64
}

func newPair[S any](first, second S) *pair[S] { return &pair[S]{stores: [2]S{first, second}} }

func (p *pair[S]) next() S { return p.stores[p.calls.Add(1)%2] }

func (*pair[S]) isPair() {}

// isPair reports whether a store is one of two stores.
func isPair(store any) bool {
	_, ok := store.(interface{ isPair() })
	return ok
}

// KnoxPair returns a store for [Knox] that sends its calls to two stores in turn. A touch goes to both, since a
// store may show its own touches before it writes them.
func KnoxPair(first, second knox.Store) knox.Store {
	return knoxPair{newPair(first, second)}
}

type knoxPair struct{ *pair[knox.Store] }

func (p knoxPair) Add(ctx context.Context, record *knox.Record, limit int, evict bool,
	ending knox.Ending) (knox.Added, error) {
	return p.next().Add(ctx, record, limit, evict, ending)
}

func (p knoxPair) Find(ctx context.Context, digest string) (*knox.Record, error) {
	return p.next().Find(ctx, digest)
}

func (p knoxPair) Touch(ctx context.Context, touch knox.Touch) error {
	return errors.Join(p.stores[0].Touch(ctx, touch), p.stores[1].Touch(ctx, touch))
}

func (p knoxPair) List(ctx context.Context, userID, after string, limit int, now time.Time) ([]*knox.Record, error) {
	return p.next().List(ctx, userID, after, limit, now)
}

func (p knoxPair) Revoke(ctx context.Context, userID, id string, ending knox.Ending) (bool, error) {
	return p.next().Revoke(ctx, userID, id, ending)
}

func (p knoxPair) RevokeAll(ctx context.Context, userID, kept, stamp string, ending knox.Ending) ([]string, error) {
	return p.next().RevokeAll(ctx, userID, kept, stamp, ending)
}

func (p knoxPair) Purge(ctx context.Context, limit int, ending knox.Ending) ([]*knox.Record, error) {
	return p.next().Purge(ctx, limit, ending)
}

func (p knoxPair) Ended(ctx context.Context, userID string, since time.Time, limit int) ([]*knox.EndedToken, error) {
	return p.next().Ended(ctx, userID, since, limit)
}

func (p knoxPair) PurgeEnded(ctx context.Context, before time.Time, limit int) (int, error) {
	return p.next().PurgeEnded(ctx, before, limit)
}

// SessionsPair returns a store for [Sessions] that sends its calls to two stores in turn. A touch goes to both, since a
// store may show its own touches before it writes them.
func SessionsPair(first, second session.Store) session.Store {
	return sessionPair{newPair(first, second)}
}

type sessionPair struct{ *pair[session.Store] }

func (p sessionPair) Add(ctx context.Context, record *session.Record, replaced string, limit int, evict bool,
	now time.Time) (session.Added, error) {
	return p.next().Add(ctx, record, replaced, limit, evict, now)
}

func (p sessionPair) Find(ctx context.Context, digest string) (*session.Record, error) {
	return p.next().Find(ctx, digest)
}

func (p sessionPair) Touch(ctx context.Context, touch session.Touch) error {
	return errors.Join(p.stores[0].Touch(ctx, touch), p.stores[1].Touch(ctx, touch))
}

func (p sessionPair) Replace(ctx context.Context, digest string, successor *session.Record,
	now time.Time) (bool, error) {
	return p.next().Replace(ctx, digest, successor, now)
}

func (p sessionPair) List(ctx context.Context, userID, after string, limit int,
	now time.Time) ([]*session.Record, error) {
	return p.next().List(ctx, userID, after, limit, now)
}

func (p sessionPair) Revoke(ctx context.Context, userID, id string) (bool, error) {
	return p.next().Revoke(ctx, userID, id)
}

func (p sessionPair) RevokeAll(ctx context.Context, userID, kept string) ([]string, error) {
	return p.next().RevokeAll(ctx, userID, kept)
}

func (p sessionPair) Purge(ctx context.Context, now time.Time, limit int) ([]*session.Record, error) {
	return p.next().Purge(ctx, now, limit)
}
