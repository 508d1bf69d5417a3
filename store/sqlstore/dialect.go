package sqlstore

import (
	"context"
	"database/sql"
	"strings"
)

// dialect is what differs from one engine to another. SQL that is not the same in SQLite, PostgreSQL
// and MySQL is in an implementation of dialect or in the migrations of an engine, and nowhere else.
//
// What needs no method:
//   - Times are integers, see micros.
//   - Flags are Go's bool. A migration gives them the type of the engine.
//   - Texts are compared byte by byte. A migration sees to that by the collation of the columns.
//   - A text is never NULL, unless NULL means something, so an empty text and NULL stay two values.
type dialect interface {
	// name is also the folder of the migrations.
	name() string

	// begin starts a transaction that may write and in which what is read
	// stays true until it is committed. It does not wait for other programs.
	begin(ctx context.Context, conn *sql.Conn) error
	// locked reports whether begin failed, and began nothing, because another
	// program has the lock.
	locked(err error) bool
	// lockOwner is DB.lockOwner. An engine that locks rows makes and locks the row of the user in the
	// table owners, which it then makes with every component.
	lockOwner(ctx context.Context, db *DB, conn *sql.Conn, userID string) error
	// lockSchema makes other programs that migrate wait until the transaction of conn ends.
	lockSchema(ctx context.Context, conn *sql.Conn) error
	// rowLock ends a query, so that no other transaction changes its rows until this one ends. With
	// shared, others may lock the rows in the same way. It is empty if begin makes sure of that.
	rowLock(shared bool) string

	// placeholders writes each "?" of a statement as the engine does.
	placeholders(statement string) string
	// quote quotes a name that is a reserved word in some engine.
	quote(name string) string
	// insertNew returns a statement that inserts a row, and does nothing if its key is there already.
	insertNew(table, columns string) string
	// first returns the condition that a row is among the first ones that fit a condition. Its last
	// argument is their number. The condition may also be the one of a DELETE or UPDATE of the table.
	first(table, key, condition, order string) string
}

// sql returns a statement as the engine takes it. In the statement,
//   - {prefix} starts the name of a table,
//   - {lock} ends a query in a transaction that goes on to change the rows or to decide by them,
//   - {share} ends one in a transaction that must see no change of a row that many read,
//   - {key} is a column with this name,
//   - "?" is an argument.
func (db *DB) sql(statement string) string {
	return db.dialect.placeholders(db.words.Replace(statement))
}

// newWords returns what replaces the words in braces of a statement.
func newWords(d dialect, prefix string) *strings.Replacer {
	return strings.NewReplacer("{prefix}", prefix, "{lock}", d.rowLock(false), "{share}", d.rowLock(true),
		"{key}", d.quote("key"))
}

// insert returns a statement that inserts a row with these columns.
func insert(table, columns string) string {
	return `INSERT INTO {prefix}` + table + ` (` + columns + `) VALUES (` + arguments(columns) + `)`
}

// arguments returns a "?" for each column.
func arguments(columns string) string {
	return "?" + strings.Repeat(", ?", strings.Count(columns, ","))
}
