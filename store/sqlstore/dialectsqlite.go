package sqlstore

import (
	"context"
	"database/sql"
	"strings"
)

// sqlite is the dialect of SQLite.
type sqlite struct{}

func (sqlite) name() string { return "sqlite" }

func (sqlite) placeholders(statement string) string { return statement }

func (sqlite) quote(name string) string { return `"` + name + `"` }

// The lock of beginImmediate is on all owners, tables and rows.

func (sqlite) rowLock(lock) string { return "" }
func (sqlite) locksRows() bool     { return false }

func (sqlite) lockTableFor(string) string { return "" }

func (sqlite) prepares() bool { return true }

func (sqlite) insertNew(ctx context.Context, db *DB, in execer, table, columns string, args ...any) (bool, error) {
	return changed(in.ExecContext(ctx, db.sql(insert(table, columns)+` ON CONFLICT DO NOTHING`), args...))
}

func (sqlite) touchAll(string, string) string { return "" }

// Changes are made one after another, so there are no deadlocks.
func (sqlite) fault(error) fault { return permanent }

// beginImmediate takes the one write lock of the file at once. A transaction that reads
// first and writes later fails, whatever the busy timeout, if another wrote in
// between.
func beginImmediate(ctx context.Context, conn *sql.Conn) error {
	_, err := conn.ExecContext(ctx, "BEGIN IMMEDIATE")
	return err
}

// isLocked reports whether beginImmediate failed, and began nothing, because another program has the lock. It goes by
// the text, which is SQLite's own. Each driver has another type.
func isLocked(err error) bool { return strings.Contains(err.Error(), "database is locked") }
