package redisstore

import (
	"context"
	"time"

	"github.com/gatewarden/auth/store/transfer"
)

// transferOneTime moves one-time tokens.
type transferOneTime struct {
	typed[transfer.OneTimeToken]
	*oneTimeStore
}

func (m transferOneTime) own() kind { return onceRecords }

func (m transferOneTime) refOf(record transfer.Record) ref {
	r := record.(transfer.OneTimeToken)
	return ref{tagOfOwner(r.UserID), r.Digest}
}

func (m transferOneTime) page(ctx context.Context, after string, limit int,
	now time.Time) ([]transfer.Record, string, error) {
	return m.db.pageOf(ctx, m.db.indexesOf(onceExpiry), expiring(now), after, limit, memberRef, m.load)
}

func (m transferOneTime) find(ctx context.Context, like []transfer.Record) ([]ref, error) {
	return m.db.findPlaced(ctx, m, oncePlaces, like, tagOfDigest)
}

func (m transferOneTime) load(ctx context.Context, at []ref) ([]transfer.Record, error) {
	return loadRows(ctx, m.db, onceRecords, at, func(digest string, row *oneTimeRow) transfer.Record {
		return transfer.OneTimeToken{OneTimeRecord: row.record(digest)}
	})
}

func (m transferOneTime) add(ctx context.Context, c *change, t tag, records []transfer.Record, now time.Time) error {
	for _, record := range records {
		r := record.(transfer.OneTimeToken).OneTimeRecord
		if err := m.db.storeTag(ctx, onceRecords, oncePlaces, r.Digest, t, ttlUntil(r.ExpiresAt, now)); err != nil {
			return err
		}
		m.put(c, t, r, now)
	}
	return nil
}

func (m transferOneTime) remove(ctx context.Context, c *change, t tag, names []string) error {
	if err := m.read(ctx, c, t, names); err != nil {
		return err
	}
	for _, digest := range names {
		r, err := m.oneTimeStore.load(ctx, c, t, digest)
		if err != nil {
			return err
		}
		if r != nil {
			m.oneTimeStore.remove(c, t, r)
		}
	}
	return nil
}

// transferCounters moves counters of failed logins.
type transferCounters struct {
	typed[*transfer.ThrottleCount]
	*throttleStore
	names *names
}

func (m transferCounters) own() kind { return throttleCounters }

func (m transferCounters) refOf(record transfer.Record) ref {
	return ref{throttleTag, record.(*transfer.ThrottleCount).Digest}
}

// page goes by the indexes of each hour, which are few.
func (m transferCounters) page(ctx context.Context, after string, limit int,
	now time.Time) ([]transfer.Record, string, error) {
	hours, err := m.names.of(ctx, throttleExpiry, after == "", nil)
	if err != nil {
		return nil, "", err
	}
	return m.db.pageOf(ctx, hours, expiring(now), after, limit, memberRef, m.load)
}

func (m transferCounters) find(_ context.Context, like []transfer.Record) ([]ref, error) {
	return homes(m, like), nil
}

func (m transferCounters) load(ctx context.Context, at []ref) ([]transfer.Record, error) {
	return loadRows(ctx, m.db, throttleCounters, at, func(key string, row *counterRow) transfer.Record {
		return &transfer.ThrottleCount{Digest: key, Counter: row.counter()}
	})
}

// add has Redis keep a counter for longer than the store does, since a later run of the copy counts what an earlier one
// wrote.
func (m transferCounters) add(ctx context.Context, c *change, _ tag, records []transfer.Record, now time.Time) error {
	keys := make([]string, len(records))
	for i, record := range records {
		keys[i] = m.refOf(record).name
	}
	was, err := m.rows(ctx, c, keys)
	if err != nil {
		return err
	}
	for i, record := range records {
		m.writeFor(c, keys[i], was[i], counterRowOf(record.(*transfer.ThrottleCount).Counter), now, slack)
	}
	return nil
}

func (m transferCounters) remove(ctx context.Context, c *change, _ tag, names []string) error {
	was, err := m.rows(ctx, c, names)
	if err != nil {
		return err
	}
	for i, key := range names {
		m.write(c, key, was[i], counterRow{}, time.Time{})
	}
	return nil
}
