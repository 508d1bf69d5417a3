package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/gatewarden/auth/knox"
)

// KnoxStore is a [knox.Store] in a database.
type KnoxStore struct {
	db        *DB
	insert    string
	find      query
	list      query
	listAfter query
	uses      *touchWriter
}

var _ knox.Store = (*KnoxStore)(nil)

const (
	knoxLive = `(expires_at IS NULL OR expires_at > ?)`
	// knoxRivals are the records that Store.Add counts against a limit.
	knoxRivals = `user_id = ? AND stamp = ? AND ` + knoxLive
	knoxSelect = `SELECT ` + knoxColumns + ` FROM {prefix}knox_tokens WHERE `
)

// Knox opens the knox store of a database, and creates or migrates its tables.
func Knox(ctx context.Context, db *DB) (*KnoxStore, error) {
	if err := db.migrate(ctx, "knox"); err != nil {
		return nil, err
	}
	s := &KnoxStore{db: db, uses: db.touchWriterOf("knox_tokens", "TRUE"),
		insert: db.sql(insert("knox_tokens", knoxColumns))}
	var errs [3]error
	s.find, errs[0] = db.prepare(ctx, knoxSelect+`digest = ?`)
	s.list, errs[1] = db.prepare(ctx, knoxSelect+`user_id = ? AND `+knoxLive+` ORDER BY id DESC LIMIT ?`)
	s.listAfter, errs[2] = db.prepare(ctx, knoxSelect+`user_id = ? AND id < ? AND `+knoxLive+`
		ORDER BY id DESC LIMIT ?`)
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	return s, nil
}

// Add implements [knox.Store] in one transaction.
func (s *KnoxStore) Add(ctx context.Context, r *knox.Record, limit int, evict bool,
	ending knox.Ending) (knox.Added, error) {
	return transactValue(ctx, s.db, func(ctx context.Context, conn *sql.Conn) (added knox.Added, err error) {
		if limit > 0 {
			if added, err = s.makeRoom(ctx, conn, r, limit, evict, ending); err != nil || added.OverLimit {
				return added, err
			}
		}
		_, err = conn.ExecContext(ctx, s.insert, knoxValues(r)...)
		if err == nil {
			s.uses.buffer.Drop(r.Digest)
		}
		return added, err
	})
}

// makeRoom ends the oldest rivals of a record until one more makes at most limit, and returns what became of them.
func (s *KnoxStore) makeRoom(ctx context.Context, conn *sql.Conn, r *knox.Record, limit int, evict bool,
	ending knox.Ending) (added knox.Added, err error) {
	if err := s.db.lockOwner(ctx, conn, r.UserID); err != nil {
		return added, err
	}
	if err := s.uses.flushUser(ctx, conn, r.UserID, ending.At); err != nil {
		return added, err
	}
	rivals := []any{r.UserID, r.Stamp, ending.At.UnixMicro()}
	have := 0
	counting := s.db.sql(`SELECT COUNT(*) FROM {prefix}knox_tokens WHERE ` + knoxRivals)
	if err := queryRow(ctx, conn, counting, rivals...).Scan(&have); err != nil || have < limit {
		return added, err
	}
	// Some of them may be ending just now, which only those find out who lock them.
	locked, err := queryStrings(ctx, conn, s.db.sql(`SELECT id FROM {prefix}knox_tokens WHERE `+knoxRivals+` {lock}`),
		rivals...)
	if err != nil || len(locked) < limit {
		return added, err
	}
	if !evict {
		added.OverLimit = true
		return added, nil
	}
	spare := ending.Exempt
	if limit == 1 {
		spare = ""
	}
	added.Evicted, err = s.end(ctx, conn, ending, knoxRivals+` AND id <> ? ORDER BY created, id, digest LIMIT ?`,
		append(rivals, spare, len(locked)-limit+1)...)
	if err != nil {
		return added, err
	}
	return added, s.db.notifyEnded(ctx, conn, r.UserID, added.Evicted)
}

// Find implements [knox.Store].
func (s *KnoxStore) Find(ctx context.Context, digest string) (*knox.Record, error) {
	pending := s.uses.buffer.View()
	r, err := scanKnox(s.find.row(ctx, digest))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	applyPending(pending, digest, &r.LastUsed, &r.ExpiresAt)
	return r, nil
}

// Touch implements [knox.Store]. It writes about once a second, as the package says. If the
// touch must not wait, Touch writes at once and, if others write, gives up soon and leaves
// it to the next second.
func (s *KnoxStore) Touch(ctx context.Context, touch knox.Touch) error {
	return s.uses.touch(ctx, touch.Digest, touch.Used, touch.ExpiresAt, touch.LiveUntil)
}

// List implements [knox.Store].
func (s *KnoxStore) List(ctx context.Context, userID, after string, limit int,
	now time.Time) ([]*knox.Record, error) {
	pending := s.uses.buffer.View()
	live := liveAt(pending, now)
	part := func(after string) ([]*knox.Record, error) {
		statement, args := s.list, []any{userID, live, limit}
		if after != "" {
			statement, args = s.listAfter, []any{userID, after, live, limit}
		}
		return readAll(ctx, statement, scanKnox, args...)
	}
	return livePage(after, limit, part, func(r *knox.Record) bool {
		applyPending(pending, r.Digest, &r.LastUsed, &r.ExpiresAt)
		return r.Live(now)
	}, func(r *knox.Record) string { return r.ID })
}
