package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/gatewarden/auth/store/sqlstore/internal/touches"
)

// touchWriter writes the touches of one table. It holds those that are pending.
type touchWriter struct {
	db     *DB
	table  string // without the prefix
	buffer *touches.Buffer
	// use writes the last use of a record, unless the record has expired.
	use string
	// slide also writes the expiry, which is in an index and costs more. It does not move an expiry that was brought
	// forward since the use.
	slide string
	// touchAll does both for many records at once. It is empty if the engine writes them one by one.
	touchAll string
}

// closeTimeout is how long DB.Close waits for the last uses to be written.
const closeTimeout = 5 * time.Second

// touchWriterOf returns the touchWriter of a table, which all stores on the table share. A touch is written into
// the records that are live and fit a condition.
func (db *DB) touchWriterOf(table, condition string) *touchWriter {
	db.usesMu.Lock()
	defer db.usesMu.Unlock()
	if u := db.uses[table]; u != nil {
		return u
	}
	const used = `last_used = CASE WHEN last_used > ? THEN last_used ELSE ? END`
	update := `UPDATE {prefix}` + table + ` SET ` + used
	where := ` WHERE digest = ? AND (expires_at IS NULL OR expires_at > ?) AND ` + condition
	u := &touchWriter{db: db, table: table, use: db.sql(update + where),
		slide: db.sql(update + `, expires_at = CASE WHEN expires_at >= ? AND expires_at < ? THEN ?
			ELSE expires_at END` + where)}
	if all := db.dialect.touchAll(table, condition); all != "" {
		u.touchAll = db.sql(all)
	}
	u.buffer = touches.New(touches.Config{Table: db.prefix + table, Logger: db.logger, Busy: ErrBusy,
		Write: func(ctx context.Context, pending func() []touches.Touch) error {
			return u.transact(ctx, false, pending)
		},
		// It gives up soon if others write.
		WriteNow: func(ctx context.Context, pending func() []touches.Touch) error {
			return u.transact(ctx, true,
				pending)
		},
	})
	db.uses[table] = u
	return u
}

// closeUses writes all that is pending.
func (db *DB) closeUses() (errs []error) {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	db.usesMu.Lock()
	defer db.usesMu.Unlock()
	for _, u := range db.uses {
		errs = append(errs, u.buffer.Close(ctx))
	}
	return errs
}

// touch is Touch of the stores.
func (u *touchWriter) touch(ctx context.Context, digest string, used, expires, liveUntil time.Time) error {
	return u.buffer.Touch(ctx, touches.Touch{Digest: digest, Used: unixMicro(used), ExpiresAt: unixMicro(expires),
		LiveUntil: unixMicro(liveUntil)})
}

// transact writes touches in a transaction of their own.
func (u *touchWriter) transact(ctx context.Context, now bool, pending func() []touches.Touch) error {
	err := u.db.transact(ctx, now, func(ctx context.Context, conn *sql.Conn) error {
		return u.write(ctx, conn, pending())
	})
	if err != nil && strings.Contains(err.Error(), "sql: database is closed") { // which has no value
		return fmt.Errorf("%w: %w", touches.ErrGone, err)
	}
	return err
}

// write writes touches in a transaction.
func (u *touchWriter) write(ctx context.Context, conn *sql.Conn, pending []touches.Touch) error {
	if u.touchAll == "" {
		return u.writeEach(ctx, conn, pending)
	}
	for len(pending) > 0 {
		part := make([]touchJSON, 0, len(pending))
		var later []touches.Touch
		seen := make(map[string]bool, len(pending))
		for _, t := range pending {
			if seen[t.Digest] { // a statement changes a record once
				later = append(later, t)
				continue
			}
			seen[t.Digest] = true
			part = append(part, jsonOf(t))
		}
		text, err := json.Marshal(part)
		if err != nil {
			return err
		}
		if _, err := conn.ExecContext(ctx, u.touchAll, string(text)); err != nil {
			return err
		}
		pending = later
	}
	return nil
}

// touchJSON is a touch as the statement of dialect.touchAll reads it. A touch that moves no expiry has neither Live nor
// Ends.
type touchJSON struct {
	Digest string `json:"digest"`
	Used   int64  `json:"used"`
	Since  int64  `json:"since"`
	Live   *int64 `json:"live"`
	Ends   *int64 `json:"ends"`
}

func jsonOf(t touches.Touch) touchJSON {
	written := touchJSON{Digest: t.Digest, Used: t.Used, Since: t.Since}
	if t.Slides() {
		written.Live, written.Ends = &t.LiveUntil, &t.ExpiresAt
	}
	return written
}

// writeEach writes touches one after another, in a transaction. A prepared statement for each row is as fast as
// one statement for many.
func (u *touchWriter) writeEach(ctx context.Context, conn *sql.Conn, pending []touches.Touch) (err error) {
	prepared := map[string]*sql.Stmt{}
	defer func() {
		for _, statement := range prepared {
			if e := statement.Close(); err == nil {
				err = e
			}
		}
	}()
	for _, t := range pending {
		text, args := u.use, []any{t.Used, t.Used, t.Digest, t.Since}
		if t.Slides() {
			text, args = u.slide, []any{t.Used, t.Used, t.LiveUntil, t.ExpiresAt, t.ExpiresAt, t.Digest, t.Since}
		}
		statement := prepared[text]
		if statement == nil {
			if statement, err = conn.PrepareContext(ctx, text); err != nil {
				return err
			}
			prepared[text] = statement
		}
		if _, err := statement.ExecContext(ctx, args...); err != nil {
			return err
		}
	}
	return nil
}

// flushFor writes the touches that are pending for the records that fit a condition, in a transaction
// that goes on to end, count or replace them.
func (u *touchWriter) flushFor(ctx context.Context, conn *sql.Conn, condition string, args ...any) error {
	view := u.buffer.View()
	if view.Len() == 0 {
		return nil
	}
	digests, err := queryStrings(ctx, conn, u.db.sql(`SELECT digest FROM {prefix}`+u.table+` WHERE `+condition),
		args...)
	if err != nil {
		return err
	}
	return u.write(ctx, conn, view.Of(digests...))
}

// flushExpired is flushFor for the first records that have expired, of which a purge
// removes at most limit. Those that live longer by a touch leave the place to others.
func (u *touchWriter) flushExpired(ctx context.Context, conn *sql.Conn, condition string, now time.Time,
	limit int) error {
	return u.flushFor(ctx, conn, condition, micros(now), limit+u.overdue(now))
}

// flushUser is flushFor for the records of a user that count against a limit only if a
// touch is written.
func (u *touchWriter) flushUser(ctx context.Context, conn *sql.Conn, userID string, now time.Time) error {
	if u.overdue(now) == 0 {
		return nil
	}
	return u.flushFor(ctx, conn, `user_id = ? AND expires_at <= ?`, userID, micros(now))
}

// overdue returns how many records may have expired at now only because a touch is
// pending. That takes an engine that was busy for long, since touches are written in time.
func (u *touchWriter) overdue(now time.Time) int {
	view := u.buffer.View()
	if earliest := view.Earliest(); earliest == 0 || earliest > now.UnixMicro() {
		return 0
	}
	return view.Len()
}

// applyPending writes the pending touch of a record, if there is one, into the fields of the record.
func applyPending(view touches.View, digest string, lastUsed, expiresAt *time.Time) {
	pending := view.Of(digest)
	if len(pending) == 0 {
		return
	}
	used, expires := unixMicro(*lastUsed), unixMicro(*expiresAt)
	for _, t := range pending {
		used, expires = t.Apply(used, expires)
	}
	*lastUsed, *expiresAt = fromMicro(used), fromMicro(expires)
}

// liveAt is the instant after which a record must expire according to its row, if it is
// to be live at now with what is pending.
func liveAt(view touches.View, now time.Time) int64 {
	if earliest := view.Earliest(); earliest != 0 {
		return min(now.UnixMicro(), earliest-1)
	}
	return now.UnixMicro()
}

// livePage reads the records of a user until limit of them are live. A part has at most
// limit records, and its first one comes after the ID that it is given.
func livePage[R any](after string, limit int, part func(after string) ([]R, error), live func(R) bool,
	id func(R) string) ([]R, error) {
	var page []R
	for {
		records, err := part(after)
		if err != nil {
			return nil, err
		}
		for _, record := range records {
			if len(page) < limit && live(record) {
				page = append(page, record)
			}
		}
		if len(records) < limit || len(page) >= limit {
			return page, nil
		}
		after = id(records[len(records)-1])
	}
}

// unixMicro is a time in microseconds since 1970, and 0 for the zero time.
func unixMicro(at time.Time) int64 {
	if at.IsZero() {
		return 0
	}
	return at.UnixMicro()
}

// fromMicro reads what unixMicro made.
func fromMicro(at int64) time.Time {
	if at == 0 {
		return time.Time{}
	}
	return time.UnixMicro(at).UTC()
}
