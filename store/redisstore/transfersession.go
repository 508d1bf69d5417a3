package redisstore

import (
	"cmp"
	"context"
	"time"

	"github.com/gatewarden/auth/store/transfer"
)

// transferSessions moves sessions, and tombstones of those that got another cookie.
type transferSessions struct {
	typed[transfer.Session]
	*sessionStore
}

func (m transferSessions) own() kind { return sessionRecords }

func (m transferSessions) refOf(record transfer.Record) ref {
	r := record.(transfer.Session)
	return ref{tagOfOwner(cmp.Or(r.UserID, r.Owner)), r.Digest}
}

func (m transferSessions) page(ctx context.Context, after string, limit int,
	now time.Time) ([]transfer.Record, string, error) {
	return m.db.pageOf(ctx, m.db.indexesOf(sessionExpiry), expiring(now), after, limit, memberRef, m.load)
}

// count returns the number of sessions that have not expired. It reads the index of expiry and not the sessions.
func (m transferSessions) count(ctx context.Context, now time.Time) (int, error) {
	return m.db.countOf(ctx, sessionRecords, m.db.indexesOf(sessionExpiry), expiring(now), memberRef)
}

func (m transferSessions) find(ctx context.Context, like []transfer.Record) ([]ref, error) {
	return m.db.findPlaced(ctx, m, sessionPlaces, like, tagOfDigest)
}

func (m transferSessions) load(ctx context.Context, at []ref) ([]transfer.Record, error) {
	uses, err := rowsOf[useRow](ctx, m.db, sessionUses, at) // first: see readRecord
	if err != nil {
		return nil, err
	}
	rows, err := rowsOf[sessionRow](ctx, m.db, sessionRecords, at)
	if err != nil {
		return nil, err
	}
	records := make([]transfer.Record, len(at))
	for i, row := range rows {
		if row != nil {
			records[i] = transfer.Session{Record: row.record(at[i].name, useOf(uses[i]))}
		}
	}
	return records, nil
}

func (m transferSessions) add(ctx context.Context, c *change, t tag, records []transfer.Record, now time.Time) error {
	for _, record := range records {
		r := record.(transfer.Session).Record
		if err := m.place(ctx, t, r, now); err != nil {
			return err
		}
		if r.IsTombstone() {
			m.putTombstone(c, t, r, now)
		} else {
			m.put(c, t, r, now)
		}
	}
	return nil
}

func (m transferSessions) remove(ctx context.Context, c *change, t tag, names []string) error {
	found, err := m.loadAll(ctx, c, t, names)
	if err != nil {
		return err
	}
	for _, r := range found {
		if r != nil {
			m.end(c, t, r)
		}
	}
	return nil
}
