package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/gatewarden/auth/session"
)

// SessionStore is a [session.Store] in a database.
type SessionStore struct {
	db        *DB
	insert    string
	uses      *touchWriter
	find      query
	list      query
	listAfter query
}

var _ session.Store = (*SessionStore)(nil)

// Sessions opens the session store of a database, and creates or migrates its
// table.
func Sessions(ctx context.Context, db *DB) (*SessionStore, error) {
	if err := db.migrate(ctx, "sessions"); err != nil {
		return nil, err
	}
	s := &SessionStore{db: db, insert: db.sql(insert("sessions", sessionColumns)),
		uses: db.touchWriterOf("sessions", `user_id <> ''`)} // no tombstone
	var errs [3]error
	s.find, errs[0] = db.prepare(ctx, sessionSelect+`digest = ?`)
	s.list, errs[1] = db.prepare(ctx, sessionSelect+`user_id = ? AND expires_at > ? ORDER BY id DESC LIMIT ?`)
	s.listAfter, errs[2] = db.prepare(ctx, sessionSelect+`user_id = ? AND id < ? AND expires_at > ?
		ORDER BY id DESC LIMIT ?`)
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	return s, nil
}

const sessionSelect = `SELECT ` + sessionColumns + ` FROM {prefix}sessions WHERE `

// Add implements [session.Store] in one transaction.
func (s *SessionStore) Add(ctx context.Context, r *session.Record, replaced string, limit int, evict bool,
	now time.Time) (session.Added, error) {
	return transactValue(ctx, s.db, func(ctx context.Context, conn *sql.Conn) (session.Added, error) {
		added, err := s.admit(ctx, conn, r, replaced, limit, evict, now)
		if err != nil || added.OverLimit {
			return added, err
		}
		if added.Replaced != nil {
			if err := s.putTombstone(ctx, conn, added.Replaced, now); err != nil {
				return added, err
			}
		}
		return added, s.add(ctx, conn, r)
	})
}

// admit makes room for a session, and returns what Add does, in a transaction.
func (s *SessionStore) admit(ctx context.Context, conn *sql.Conn, r *session.Record, replaced string, limit int,
	evict bool, now time.Time) (added session.Added, err error) {
	if limit > 0 {
		if err = s.db.lockOwner(ctx, conn, r.UserID); err != nil {
			return added, err
		}
	}
	if added.Replaced, err = s.session(ctx, conn, replaced); err != nil || limit <= 0 {
		return added, err
	}
	err = s.makeRoom(ctx, conn, &added, r, replaced, limit, evict, now)
	return added, err
}

// session returns the session of a digest with its last use, and nil if there is none or a tombstone, in a
// transaction.
func (s *SessionStore) session(ctx context.Context, conn *sql.Conn, digest string) (*session.Record, error) {
	if digest == "" {
		return nil, nil
	}
	if err := s.uses.flushFor(ctx, conn, `digest = ?`, digest); err != nil {
		return nil, err
	}
	found, err := s.rows(ctx, conn, `digest = ? {lock}`, digest)
	if err != nil || len(found) == 0 || found[0].IsTombstone() {
		return nil, err
	}
	return found[0], nil
}

// putTombstone puts the tombstone of a session in its place, in a transaction.
func (s *SessionStore) putTombstone(ctx context.Context, conn *sql.Conn, r *session.Record, now time.Time) error {
	statement := s.db.sql(`DELETE FROM {prefix}sessions WHERE digest = ?`)
	if _, err := conn.ExecContext(ctx, statement, r.Digest); err != nil {
		return err
	}
	if err := s.db.notify(ctx, conn, r.UserID); err != nil {
		return err
	}
	return s.add(ctx, conn, r.Tombstone(now))
}

// sessionRivals are the records that Store.Add counts against a limit.
const sessionRivals = `user_id = ? AND stamp = ? AND expires_at > ? AND digest <> ?`

// makeRoom removes the oldest rivals of a session until one more makes at most limit, and writes into
// added what became of it.
func (s *SessionStore) makeRoom(ctx context.Context, conn *sql.Conn, added *session.Added, r *session.Record,
	replaced string, limit int, evict bool, now time.Time) error {
	if err := s.uses.flushUser(ctx, conn, r.UserID, now); err != nil {
		return err
	}
	rivals := []any{r.UserID, r.Stamp, micros(now), replaced}
	have := 0
	counting := s.db.sql(`SELECT COUNT(*) FROM {prefix}sessions WHERE ` + sessionRivals)
	if err := queryRow(ctx, conn, counting, rivals...).Scan(&have); err != nil || have < limit {
		return err
	}
	if !evict {
		*added = session.Added{OverLimit: true}
		return nil
	}
	var err error
	added.Evicted, err = s.end(ctx, conn, sessionRivals+` ORDER BY created, id, digest LIMIT ?`,
		append(rivals, have-limit+1)...)
	if err != nil {
		return err
	}
	return s.db.notifyEnded(ctx, conn, r.UserID, added.Evicted)
}

func (s *SessionStore) add(ctx context.Context, conn *sql.Conn, r *session.Record) error {
	_, err := conn.ExecContext(ctx, s.insert, sessionValues(r)...)
	if err == nil && !r.IsTombstone() { // touches change no tombstone
		s.uses.buffer.Drop(r.Digest)
	}
	return err
}

// rows returns the records that fit a condition, and locks them, in a transaction.
func (s *SessionStore) rows(ctx context.Context, conn *sql.Conn, condition string,
	args ...any) ([]*session.Record, error) {
	rows, err := conn.QueryContext(ctx, s.db.sql(sessionSelect+condition), args...)
	return all(rows, err, scanSession)
}

// Find implements [session.Store].
func (s *SessionStore) Find(ctx context.Context, digest string) (*session.Record, error) {
	pending := s.uses.buffer.View()
	r, err := scanSession(s.find.row(ctx, digest))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if !r.IsTombstone() {
		applyPending(pending, digest, &r.LastUsed, &r.ExpiresAt)
	}
	return r, nil
}

// Touch implements [session.Store]. It writes about once a second, as the package says. If the
// touch must not wait, Touch writes at once and, if others write, gives up soon and leaves
// it to the next second.
func (s *SessionStore) Touch(ctx context.Context, touch session.Touch) error {
	return s.uses.touch(ctx, touch.Digest, touch.Used, touch.ExpiresAt, touch.LiveUntil)
}

// List implements [session.Store].
func (s *SessionStore) List(ctx context.Context, userID, after string, limit int,
	now time.Time) ([]*session.Record, error) {
	pending := s.uses.buffer.View()
	live := liveAt(pending, now)
	part := func(after string) ([]*session.Record, error) {
		statement, args := s.list, []any{userID, live, limit}
		if after != "" {
			statement, args = s.listAfter, []any{userID, after, live, limit}
		}
		return readAll(ctx, statement, scanSession, args...)
	}
	return livePage(after, limit, part, func(r *session.Record) bool {
		applyPending(pending, r.Digest, &r.LastUsed, &r.ExpiresAt)
		return r.Live(now)
	}, func(r *session.Record) string { return r.ID })
}
