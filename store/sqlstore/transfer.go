package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gatewarden/auth/store/transfer"
)

// TransferStore reads and writes the records of all stores of a database, to move them to another engine. It is a
// [transfer.Target], and so also a [transfer.Source].
type TransferStore struct{ db *DB }

var _ transfer.Target = (*TransferStore)(nil)

// Transfer opens the records of all stores of a database, and creates or migrates all tables.
//
//	from, err := sqlstore.Transfer(ctx, sqlite)
//	to, err := sqlstore.Transfer(ctx, postgres)
//	report, err := transfer.Copy(ctx, from, to, transfer.Options{})
func Transfer(ctx context.Context, db *DB) (*TransferStore, error) {
	for _, component := range components {
		if err := db.migrate(ctx, component); err != nil {
			return nil, err
		}
	}
	return &TransferStore{db}, nil
}

// Export implements [transfer.Source]. The order is that of the primary key. Last uses of this DB that are pending are
// in the records.
func (s *TransferStore) Export(ctx context.Context, kind transfer.Kind, after string, limit int,
	now time.Time) (page transfer.Page, err error) {
	t, err := tableOf(kind)
	if err != nil {
		return page, err
	}
	var position []any
	if after != "" {
		if position, err = t.position(after); err != nil {
			return page, err
		}
	}
	rows, err := s.part(ctx, t, position, limit)
	if err != nil {
		return page, err
	}
	var unreadable []error
	for _, row := range rows {
		switch {
		case row.unreadable != nil:
			unreadable = append(unreadable, row.unreadable)
		case row.record.Keep(now):
			page.Records = append(page.Records, row.record)
		}
	}
	if len(rows) == limit {
		page.Next = positionOf(rows[limit-1].order)
	}
	if len(unreadable) > 0 {
		return page, &transfer.UnreadableError{Errs: unreadable}
	}
	return page, nil
}

// part reads the first rows after a position. With two columns it reads the rest of the group of the first column, and
// then those after it: no engine needs more than its index for either query.
func (s *TransferStore) part(ctx context.Context, t *transferTable, position []any, limit int) ([]transferRow, error) {
	ordered := ` ORDER BY ` + strings.Join(t.order, ", ") + ` LIMIT ?`
	if position == nil {
		return s.read(ctx, s.db.read, t, everyRow+ordered, limit)
	}
	var found []transferRow
	for i := len(t.order) - 1; i >= 0 && len(found) < limit; i-- {
		conditions := make([]string, i+1)
		for j := range i {
			conditions[j] = t.order[j] + " = ?"
		}
		conditions[i] = t.order[i] + " > ?"
		args := append(slices.Clone(position[:i+1]), limit-len(found))
		rows, err := s.read(ctx, s.db.read, t, strings.Join(conditions, " AND ")+ordered, args...)
		if err != nil {
			return nil, err
		}
		found = append(found, rows...)
	}
	return found, nil
}

// Lookup implements [transfer.Source].
func (s *TransferStore) Lookup(ctx context.Context, kind transfer.Kind, like []transfer.Record,
	now time.Time) ([]transfer.Record, error) {
	t, err := tableOf(kind, like...)
	if err != nil {
		return nil, err
	}
	there, err := s.lookupByKeys(ctx, s.db.read, t, like)
	if err != nil {
		return nil, err
	}
	found := make([]transfer.Record, len(like))
	for i, r := range like {
		if one := there[r.Key()]; one != nil && one.Keep(now) {
			found[i] = one
		}
	}
	return found, nil
}

// Count implements [transfer.Source].
func (s *TransferStore) Count(ctx context.Context, kind transfer.Kind, now time.Time) (n int, err error) {
	t, err := tableOf(kind)
	if err != nil {
		return 0, err
	}
	var args []any
	if t.keptArgs != nil {
		args = t.keptArgs(now)
	}
	err = s.db.read.QueryRowContext(ctx, s.db.sql(`SELECT COUNT(*) FROM {prefix}`+t.table+` t WHERE `+t.kept), args...).
		Scan(&n)
	return n, withHint(err)
}

// rowsQueryer is a pool, or the connection of a transaction.
type rowsQueryer interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// transferRow is a record with the position of its row.
type transferRow struct {
	record     transfer.Record
	order      []string
	unreadable error // why there is no record, or nil
}

// orderedRow scans the columns of the order before those of the record, so that an error can name the row.
type orderedRow struct {
	scanner
	order []string
}

func (r *orderedRow) Scan(fields ...any) error {
	all := make([]any, 0, len(r.order)+len(fields))
	for i := range r.order {
		all = append(all, &r.order[i])
	}
	return r.scanner.Scan(append(all, fields...)...)
}

// read returns the records that fit a condition, with all that belongs to them. It also returns the rows of those that
// cannot be read.
func (s *TransferStore) read(ctx context.Context, in rowsQueryer, t *transferTable, condition string,
	args ...any) ([]transferRow, error) {
	pending := s.pending(t)
	rows, err := in.QueryContext(ctx, s.db.sql(`SELECT `+strings.Join(t.order, ", ")+`, `+t.columns+`
		FROM {prefix}`+t.table+` WHERE `+condition), args...)
	found, err := all(rows, err, func(row scanner) (transferRow, error) {
		ordered := &orderedRow{row, make([]string, len(t.order))}
		record, err := t.scan(ordered)
		if err != nil {
			return transferRow{order: ordered.order, unreadable: fmt.Errorf("sqlstore: a record of %s cannot be read, "+
				"its key is %q: %w", t.kind, strings.Join(ordered.order, " "), err)}, nil
		}
		pending(record)
		return transferRow{record: record, order: ordered.order}, nil
	})
	if err != nil {
		return nil, withHint(err)
	}
	return found, s.readParts(ctx, in, t, found)
}

// pending returns a function that puts last uses which are not written yet into a record.
func (s *TransferStore) pending(t *transferTable) func(transfer.Record) {
	s.db.usesMu.Lock()
	uses := s.db.uses[t.table]
	s.db.usesMu.Unlock()
	if uses == nil {
		return func(transfer.Record) {}
	}
	view := uses.buffer.View()
	return func(record transfer.Record) {
		switch r := record.(type) {
		case transfer.KnoxToken:
			applyPending(view, r.Digest, &r.LastUsed, &r.ExpiresAt)
		case transfer.Session:
			if !r.IsTombstone() {
				applyPending(view, r.Digest, &r.LastUsed, &r.ExpiresAt)
			}
		}
	}
}

// lookupByKeys returns the stored records that have the keys of wanted, by key. It includes expired records.
func (s *TransferStore) lookupByKeys(ctx context.Context, in rowsQueryer, t *transferTable,
	wanted []transfer.Record) (map[string]transfer.Record, error) {
	found := make(map[string]transfer.Record)
	err := t.eachKeys(wanted, func(condition string, args []any) error {
		rows, err := s.read(ctx, in, t, condition, args...)
		for _, row := range rows {
			if row.unreadable != nil {
				return row.unreadable
			}
			found[row.record.Key()] = row.record
		}
		return err
	})
	return found, err
}

// positionOf is a position of Export as a text. It has ASCII characters only, whatever is in the key.
func positionOf(order []string) string {
	escaped := make([]string, len(order))
	for i, text := range order {
		escaped[i] = url.QueryEscape(text)
	}
	return strings.Join(escaped, "&")
}

// position reads what positionOf wrote.
func (t *transferTable) position(after string) ([]any, error) {
	parts := strings.Split(after, "&")
	if len(parts) != len(t.order) {
		return nil, fmt.Errorf("sqlstore: %q is no position in %s", after, t.kind)
	}
	position := make([]any, len(parts))
	for i, part := range parts {
		text, err := url.QueryUnescape(part)
		position[i] = text
		if err == nil && t.numbered {
			position[i], err = strconv.ParseInt(text, 10, 64)
		}
		if err != nil {
			return nil, fmt.Errorf("sqlstore: %q is no position in %s: %w", after, t.kind, err)
		}
	}
	return position, nil
}
