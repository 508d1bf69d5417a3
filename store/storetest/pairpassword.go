package storetest

import (
	"context"
	"time"

	"github.com/gatewarden/auth/password"
)

// OneTimePair returns a store for [OneTime] that sends its calls to two stores in turn.
func OneTimePair(first, second password.OneTimeStore) password.OneTimeStore {
	return oneTimePair{newPair(first, second)}
}

type oneTimePair struct{ *pair[password.OneTimeStore] }

func (p oneTimePair) Add(ctx context.Context, record *password.OneTimeRecord, limit int, now time.Time) error {
	return p.next().Add(ctx, record, limit, now)
}

func (p oneTimePair) Find(ctx context.Context, digest string) (*password.OneTimeRecord, error) {
	return p.next().Find(ctx, digest)
}

func (p oneTimePair) Redeem(ctx context.Context, digest string, now time.Time) (password.OneTimeVerdict, error) {
	return p.next().Redeem(ctx, digest, now)
}

func (p oneTimePair) RemoveUnused(ctx context.Context, userID string) (int, error) {
	return p.next().RemoveUnused(ctx, userID)
}

func (p oneTimePair) Purge(ctx context.Context, now time.Time, limit int) (int, error) {
	return p.next().Purge(ctx, now, limit)
}

// ThrottlePair returns a store for [Throttle] that sends its calls to two stores in turn.
func ThrottlePair(first, second password.ThrottleStore) password.ThrottleStore {
	return throttlePair{newPair(first, second)}
}

type throttlePair struct{ *pair[password.ThrottleStore] }

func (p throttlePair) Update(ctx context.Context, keys []string, now time.Time,
	change func(counters []password.Counter)) error {
	return p.next().Update(ctx, keys, now, change)
}

func (p throttlePair) Purge(ctx context.Context, now time.Time, limit int) (int, error) {
	return p.next().Purge(ctx, now, limit)
}
