package sqlstore

import (
	"context"
	"database/sql"
	"strings"
)

// sqlite is the dialect of SQLite.
type sqlite struct{}

func (sqlite) name() string { return "sqlite" }

// begin takes the one write lock of the file at once. A transaction that reads
// first and writes later fails, whatever the busy timeout, if another wrote in
// between.
func (sqlite) begin(ctx context.Context, conn *sql.Conn) error {
	_, err := conn.ExecContext(ctx, "BEGIN IMMEDIATE")
	return err
}

// locked goes by the text, which is SQLite's own. Each driver has another type.
func (sqlite) locked(err error) bool { return strings.Contains(err.Error(), "database is locked") }

// The lock of begin is on all owners, tables and rows.

func (sqlite) lockOwner(context.Context, *DB, *sql.Conn, string) error { return nil }
func (sqlite) lockSchema(context.Context, *sql.Conn) error             { return nil }
func (sqlite) rowLock(bool) string                                     { return "" }

func (sqlite) placeholders(statement string) string { return statement }

func (sqlite) quote(name string) string { return `"` + name + `"` }

func (sqlite) insertNew(table, columns string) string {
	return insert(table, columns) + ` ON CONFLICT DO NOTHING`
}

func (sqlite) first(table, key, condition, order string) string {
	return key + ` IN (SELECT ` + key + ` FROM {prefix}` + table + ` WHERE ` + condition + `
		ORDER BY ` + order + ` LIMIT ?)`
}
