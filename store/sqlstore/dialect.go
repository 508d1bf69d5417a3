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
//   - Texts are compared byte by byte. A migration sees to that by the type or collation of the columns.
//   - A text is never NULL, unless NULL means something, so an empty text and NULL stay two values.
type dialect interface {
	// name is also the folder of the migrations.
	name() string

	// placeholders writes each "?" of a statement as the engine does.
	placeholders(statement string) string
	// quote quotes a name that is a reserved word in some engine.
	quote(name string) string
	// rowLock ends a query that locks its rows.
	rowLock(lock lock) string
	// locksRows reports whether an owner is locked by its row in the table owners.
	locksRows() bool
	// lockTableFor returns a statement that must come before a change of rows that many transactions lock with
	// {share}, or "" if the lock of a row is given in order.
	lockTableFor(table string) string
	// prepares reports whether the store prepares its queries. Otherwise the driver does.
	prepares() bool

	// insertNew inserts a row, and reports false if its key is there already. The transaction goes on.
	insertNew(ctx context.Context, db *DB, in execer, table, columns string, args ...any) (bool, error)
	// touchAll returns a statement that writes many touches, given as one JSON array, into the records that fit a
	// condition. It is empty if the engine writes one after another as fast.
	touchAll(table, condition string) string
	// fault says what an error of the engine means for a transaction.
	fault(err error) fault
}

// lock is how a query locks its rows until the end of its transaction.
type lock int

const (
	forUpdate  lock = iota // no other transaction changes or locks them
	forShare               // no other transaction changes them
	skipLocked             // forUpdate, without the rows that another transaction has locked
)

// fault is what an error of the engine means for the transaction that it ended.
type fault int

const (
	permanent      fault = iota // the error is the answer
	retryable                   // the engine ended this transaction because of a deadlock: the same one may succeed
	duplicateKey                // a key is there already: another transaction was faster
	alreadyApplied              // the object of a CREATE, ADD or DROP is there already, or gone
)

// execer is a pool, or the connection of a transaction.
type execer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// sql returns a statement as the engine takes it. In the statement,
//   - {prefix} starts the name of a table,
//   - {lock} ends a query in a transaction that goes on to change the rows or to decide by them,
//   - {share} ends one in a transaction that must see no change of a row that many read,
//   - {skip} ends one that leaves out rows that other transactions are changing,
//   - {key} is a column with this name,
//   - "?" is an argument.
func (db *DB) sql(statement string) string {
	return db.dialect.placeholders(db.words.Replace(statement))
}

// newWords returns what replaces the words in braces of a statement.
func newWords(d dialect, prefix string) *strings.Replacer {
	return strings.NewReplacer("{prefix}", prefix, "{lock}", d.rowLock(forUpdate), "{share}", d.rowLock(forShare),
		"{skip}", d.rowLock(skipLocked), "{key}", d.quote("key"))
}

// insert returns a statement that inserts a row with these columns.
func insert(table, columns string) string {
	return `INSERT INTO {prefix}` + table + ` (` + columns + `) VALUES (` + arguments(columns) + `)`
}

// arguments returns a "?" for each column.
func arguments(columns string) string {
	return "?" + strings.Repeat(", ?", strings.Count(columns, ","))
}
