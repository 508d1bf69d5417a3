package sqlstore

import (
	"context"
	"database/sql"
	"strings"
	"time"

	"github.com/gatewarden/auth/store/transfer"
)

// This file writes the records of other engines. Rows are written many at a time.

// insertArgs is how many values a statement may have. Each engine takes more, and is not faster with them.
const insertArgs = 4000

// Whole implements [transfer.Target].
func (*TransferStore) Whole() bool { return true }

// Import implements [transfer.Target] in one transaction. A row whose record is of no use any more gives way.
func (s *TransferStore) Import(ctx context.Context, kind transfer.Kind, records []transfer.Record,
	now time.Time) (added int, err error) {
	t, err := tableOf(kind, records...)
	if err != nil {
		return 0, err
	}
	return transactValue(ctx, s.db, func(ctx context.Context, conn *sql.Conn) (int, error) {
		there, err := s.lookupByKeys(ctx, conn, t, records)
		if err != nil {
			return 0, err
		}
		fresh, over := freshOf(records, there, now)
		if err := s.remove(ctx, conn, t, over); err != nil {
			return 0, err
		}
		return len(fresh), s.insert(ctx, conn, t, fresh)
	})
}

// freshOf returns those records that are to be added, and what is of no use any more and has the key of one of them.
func freshOf(records []transfer.Record, there map[string]transfer.Record,
	now time.Time) (fresh, over []transfer.Record) {
	if len(there) == 0 {
		return records, nil
	}
	for _, r := range records {
		old := there[r.Key()]
		if old != nil && old.Keep(now) {
			continue
		}
		if fresh = append(fresh, r); old != nil {
			over = append(over, old)
		}
	}
	return fresh, over
}

// Replace implements [transfer.Target] in one transaction.
func (s *TransferStore) Replace(ctx context.Context, kind transfer.Kind, records []transfer.Record,
	_ time.Time) error {
	t, err := tableOf(kind, records...)
	if err != nil {
		return err
	}
	return s.db.update(ctx, func(ctx context.Context, conn *sql.Conn) error {
		if err := s.remove(ctx, conn, t, records); err != nil {
			return err
		}
		return s.insert(ctx, conn, t, records)
	})
}

// Remove implements [transfer.Target] in one transaction.
func (s *TransferStore) Remove(ctx context.Context, kind transfer.Kind, like []transfer.Record, _ time.Time) error {
	t, err := tableOf(kind, like...)
	if err != nil {
		return err
	}
	return s.db.update(ctx, func(ctx context.Context, conn *sql.Conn) error { return s.remove(ctx, conn, t, like) })
}

// remove removes records with all that belongs to them, in a transaction.
func (s *TransferStore) remove(ctx context.Context, conn *sql.Conn, t *transferTable, like []transfer.Record) error {
	for _, part := range t.parts {
		if _, err := s.db.execForKeys(ctx, conn, `DELETE FROM {prefix}`+part.table+` WHERE `+part.owner+` IN {keys}`,
			keysOf(like)); err != nil {
			return err
		}
	}
	return t.eachKeys(like, func(condition string, args []any) error {
		_, err := conn.ExecContext(ctx, s.db.sql(`DELETE FROM {prefix}`+t.table+` WHERE `+condition), args...)
		return err
	})
}

// insert adds records whose keys are free, in a transaction.
func (s *TransferStore) insert(ctx context.Context, conn *sql.Conn, t *transferTable, records []transfer.Record) error {
	rows := make([][]any, len(records))
	for i, r := range records {
		rows[i] = t.values(r)
	}
	if err := s.db.insertRows(ctx, conn, t.table, t.columns, rows); err != nil {
		return err
	}
	for _, part := range t.parts {
		var rows [][]any
		for _, r := range records {
			rows = append(rows, part.values(r)...)
		}
		if err := s.db.insertRows(ctx, conn, part.table, part.columns, rows); err != nil {
			return err
		}
	}
	return nil
}

// insertRows inserts rows by few statements, in a transaction.
func (db *DB) insertRows(ctx context.Context, conn *sql.Conn, table, columns string, rows [][]any) error {
	row := `(` + arguments(columns) + `)`
	most := max(1, insertArgs/(strings.Count(columns, ",")+1))
	for len(rows) > 0 {
		part := rows[:min(len(rows), most)]
		rows = rows[len(part):]
		args := make([]any, 0, insertArgs)
		for _, values := range part {
			args = append(args, values...)
		}
		statement := `INSERT INTO {prefix}` + table + ` (` + columns + `) VALUES ` + row +
			strings.Repeat(`, `+row, len(part)-1)
		if _, err := conn.ExecContext(ctx, db.sql(statement), args...); err != nil {
			return err
		}
	}
	return nil
}

// keysOf returns the keys of records.
func keysOf(records []transfer.Record) []string {
	keys := make([]string, len(records))
	for i, r := range records {
		keys[i] = r.Key()
	}
	return keys
}
