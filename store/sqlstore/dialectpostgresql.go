package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// postgresql is the dialect of PostgreSQL.
type postgresql struct{}

func (postgresql) name() string { return "postgresql" }

// begin starts a transaction. At READ COMMITTED a statement sees what was committed before it began, so a query after
// a lock sees all that the holders of the lock before it wrote. It does not say READ WRITE, so that
// default_transaction_read_only holds for all changes.
func (postgresql) begin() []string {
	return []string{"BEGIN ISOLATION LEVEL READ COMMITTED"}
}

// The drivers end a transaction within the context of BeginTx. Commit also finds out that the server undid it.

func (postgresql) commit(_ context.Context, _ *sql.Conn, tx *sql.Tx) error   { return tx.Commit() }
func (postgresql) rollback(_ context.Context, _ *sql.Conn, tx *sql.Tx) error { return tx.Rollback() }

// minPostgreSQL is the oldest version that is known to work, as the server numbers it.
const minPostgreSQL = 130000

func (postgresql) check(ctx context.Context, db *sql.DB, warn func(text string)) error {
	var version int
	var number, encoding, durable string
	var replica bool
	if err := db.QueryRowContext(ctx, `SELECT CAST(current_setting('server_version_num') AS integer),
		current_setting('server_version'), current_setting('server_encoding'), pg_is_in_recovery(),
		current_setting('synchronous_commit')`).Scan(&version, &number, &encoding, &replica, &durable); err != nil {
		return unreachable("PostgreSQL", err)
	}
	switch {
	case version < minPostgreSQL:
		return fmt.Errorf("sqlstore: the server is PostgreSQL %s, and version 13 is the oldest that works", number)
	case encoding != "UTF8":
		return fmt.Errorf("sqlstore: the database has the encoding %s, and only UTF8 holds all names", encoding)
	case replica:
		return errors.New("sqlstore: the server is a replica of PostgreSQL, which takes no changes")
	}
	if durable == "off" {
		warn("synchronous_commit of PostgreSQL is off, so a crash of the server may undo a logout that was " +
			"acknowledged")
	}
	return nil
}

func (postgresql) placeholders(statement string) string {
	if !strings.Contains(statement, "?") {
		return statement
	}
	var numbered strings.Builder
	for i, part := range strings.Split(statement, "?") {
		if i > 0 {
			numbered.WriteString("$" + strconv.Itoa(i))
		}
		numbered.WriteString(part)
	}
	return numbered.String()
}

func (postgresql) quote(name string) string { return `"` + name + `"` }

func (postgresql) rowLock(l lock) string {
	switch l {
	case forShare:
		return "FOR SHARE"
	case skipLocked:
		return "FOR UPDATE SKIP LOCKED"
	}
	return "FOR UPDATE"
}

func (postgresql) locksRows() bool { return true }

// A prepared query belongs to one connection, which a pooler such as PgBouncer gives to another program. The drivers
// prepare queries themselves, in the way that the DSN names.
func (postgresql) prepares() bool { return false }

func (postgresql) insertNew(ctx context.Context, db *DB, in execer, table, columns string, args ...any) (bool, error) {
	return changed(in.ExecContext(ctx, db.sql(insert(table, columns)+` ON CONFLICT DO NOTHING`), args...))
}

// touchAll leaves last_used out of every index, so that a touch that moves no expiry writes no index (HOT).
func (postgresql) touchAll(table, condition string) string {
	return `UPDATE {prefix}` + table + ` AS t SET
			last_used = CASE WHEN t.last_used > v.used THEN t.last_used ELSE v.used END,
			expires_at = CASE WHEN t.expires_at >= v.live AND t.expires_at < v.ends THEN v.ends ELSE t.expires_at END
		FROM jsonb_to_recordset(CAST(? AS jsonb))
			AS v (digest text COLLATE "C", used bigint, since bigint, live bigint, ends bigint)
		WHERE t.digest = v.digest AND (t.expires_at IS NULL OR t.expires_at > v.since) AND ` + condition
}

// fault goes by the SQLSTATE, which pgx and lib/pq tell in the same way.
// https://www.postgresql.org/docs/current/errcodes-appendix.html
func (postgresql) fault(err error) fault {
	switch sqlState(err) {
	case "40001", "40P01", "55P03": // serialization_failure, deadlock_detected, lock_not_available (lock_timeout)
		return retryable
	// unique_violation, duplicate_table, and duplicate_object of the type of a table: two create the same table at once
	case "23505", "42P07", "42710":
		return duplicateKey
	}
	return permanent
}

// isConnClosed looks at the SQLSTATE of a shutdown, and of pg_terminate_backend.
func (postgresql) isConnClosed(err error) bool { return strings.HasPrefix(sqlState(err), "57P0") }

// lockTableFor makes a transaction wait its turn for rows of a table that others keep locking with {share}. Without it
// they pass a transaction that waits for such a row. Plain reads go on.
func (postgresql) lockTableFor(table string) string {
	return `LOCK TABLE {prefix}` + table + ` IN EXCLUSIVE MODE`
}

// sqlState returns the SQLSTATE of an error, or "" if it has none.
func sqlState(err error) string {
	var state interface{ SQLState() string }
	if errors.As(err, &state) {
		return state.SQLState()
	}
	return ""
}
