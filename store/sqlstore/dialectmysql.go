package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// mysql is the dialect of MySQL and MariaDB.
type mysql struct{}

func (mysql) name() string { return "mysql" }

// begin starts a transaction. The default, REPEATABLE READ, would show a query after a lock what was there before the
// transaction waited for the lock. It also locks gaps between rows, which makes deadlocks.
func (mysql) begin() []string {
	return []string{"SET TRANSACTION ISOLATION LEVEL READ COMMITTED", "START TRANSACTION"}
}

// commit ends the transaction by a statement. The driver's own COMMIT and ROLLBACK have no context, and would wait for
// a silent server without end. After an error of the statement the connection is closed, and Rollback asks no server.
func (mysql) commit(ctx context.Context, conn *sql.Conn, tx *sql.Tx) error {
	err := endBy(ctx, conn, "COMMIT")
	leave(tx)
	return err
}

func (mysql) rollback(ctx context.Context, conn *sql.Conn, tx *sql.Tx) error {
	err := endBy(ctx, conn, "ROLLBACK")
	leave(tx)
	return err
}

// leave gives the connection of a transaction back that a statement has ended. The driver sends a ROLLBACK for that,
// also to a server that is silent by now, so pool.releaseConn waits for it.
func leave(tx *sql.Tx) {
	go func() { _ = tx.Rollback() }()
}

// endBy runs a statement that ends a transaction. After an error of ExecContext, conn would wait for rows that are
// open.
func endBy(ctx context.Context, conn *sql.Conn, statement string) (err error) {
	gone := conn.Raw(func(c any) error {
		plain, ok := c.(driver.Conn)
		if !ok {
			return driver.ErrBadConn
		}
		err = execute(ctx, plain, statement)
		return nil
	})
	return errors.Join(err, gone)
}

func (mysql) check(ctx context.Context, db *sql.DB, warn func(text string)) error {
	settings := map[string]string{}
	rows, err := db.QueryContext(ctx, `SHOW VARIABLES
		WHERE Variable_name IN ('version', 'sql_mode', 'log_bin', 'binlog_format', 'autocommit',
			'character_set_client', 'innodb_flush_log_at_trx_commit')`)
	_, err = all(rows, err, func(row scanner) (name string, err error) {
		var value string
		err = row.Scan(&name, &value)
		settings[strings.ToLower(name)] = value
		return name, err
	})
	if err != nil {
		return unreachable("MySQL", err)
	}
	switch mode := settings["sql_mode"]; {
	case !isNewMySQL(settings["version"]):
		return fmt.Errorf("sqlstore: the server is MySQL or MariaDB %s, and MySQL 8.0 and MariaDB 10.6 are the oldest "+
			"that work", settings["version"])
	case !strings.Contains(mode, "STRICT_"):
		return fmt.Errorf("sqlstore: sql_mode is %q, which cuts values off that do not fit. It must hold "+
			"STRICT_TRANS_TABLES or STRICT_ALL_TABLES", mode)
	case strings.Contains(mode, "EMPTY_STRING_IS_NULL"):
		return errors.New("sqlstore: sql_mode holds EMPTY_STRING_IS_NULL, but an empty text and NULL are two values")
	case settings["autocommit"] == "OFF":
		return errors.New("sqlstore: autocommit is off, so single statements would not be committed")
	case settings["character_set_client"] != "utf8mb4":
		return fmt.Errorf("sqlstore: the connections have the character set %s, and names need utf8mb4. "+
			"Leave charset out of the DSN", settings["character_set_client"])
	case settings["log_bin"] == "ON" && settings["binlog_format"] == "STATEMENT":
		return errors.New("sqlstore: binlog_format is STATEMENT, which cannot log transactions at READ COMMITTED. " +
			"It must be ROW or MIXED")
	}
	if settings["innodb_flush_log_at_trx_commit"] != "1" {
		warn("innodb_flush_log_at_trx_commit is not 1, so a crash of the server may undo a logout that was " +
			"acknowledged")
	}
	return nil
}

var mysqlVersion = regexp.MustCompile(`^(?:5\.5\.5-)?(\d+)\.(\d+)`) // some servers put 5.5.5 before MariaDB's version

// isNewMySQL reports whether a version is one that the stores work with. One that cannot be read is not refused.
func isNewMySQL(version string) bool {
	found := mysqlVersion.FindStringSubmatch(version)
	if found == nil {
		return true
	}
	major, _ := strconv.Atoi(found[1])
	minor, _ := strconv.Atoi(found[2])
	if strings.Contains(version, "MariaDB") {
		return major > 10 || major == 10 && minor >= 6
	}
	return major >= 8
}

func (mysql) placeholders(statement string) string { return statement }

func (mysql) isConnClosed(error) bool { return false } // the driver says driver.ErrBadConn

// Locks of rows are given in the order in which they were asked for.
func (mysql) lockTableFor(string) string { return "" }

func (mysql) quote(name string) string { return "`" + name + "`" }

func (mysql) rowLock(l lock) string {
	switch l {
	case forShare:
		return "LOCK IN SHARE MODE" // MariaDB has no FOR SHARE
	case skipLocked:
		return "FOR UPDATE SKIP LOCKED"
	}
	return "FOR UPDATE"
}

func (mysql) locksRows() bool { return true }

func (mysql) prepares() bool { return true }

// insertNew goes by the error, which ends the statement and not the transaction. INSERT IGNORE would also ignore that
// a value does not fit. The number of rows of ON DUPLICATE KEY UPDATE depends on a setting of the connection.
func (m mysql) insertNew(ctx context.Context, db *DB, in execer, table, columns string, args ...any) (bool, error) {
	_, err := in.ExecContext(ctx, db.sql(insert(table, columns)), args...)
	if err != nil && m.fault(err) == duplicateKey {
		return false, nil
	}
	return err == nil, err
}

func (mysql) touchAll(table, condition string) string {
	return `UPDATE JSON_TABLE(?, '$[*]' COLUMNS (
			digest VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$.digest', used BIGINT PATH '$.used',
			since BIGINT PATH '$.since', live BIGINT PATH '$.live', ends BIGINT PATH '$.ends')) AS v
		JOIN {prefix}` + table + ` AS t ON t.digest = CAST(v.digest AS BINARY)
		SET t.last_used = CASE WHEN t.last_used > v.used THEN t.last_used ELSE v.used END,
			t.expires_at = CASE WHEN t.expires_at >= v.live AND t.expires_at < v.ends THEN v.ends ELSE t.expires_at END
		WHERE (t.expires_at IS NULL OR t.expires_at > v.since) AND ` + condition
}

// fault goes by the number of the error.
// https://dev.mysql.com/doc/mysql-errors/8.0/en/server-error-reference.html
func (mysql) fault(err error) fault {
	switch mysqlError(err) {
	case 1205, 1213: // a lock was waited for too long, a deadlock
		return retryable
	case 1020: // MariaDB: the record has changed since it was read
		return retryable
	case 1062, 1586: // duplicate entry
		return duplicateKey
	case 1050, 1060, 1061, 1091: // table, column or index exists; what a DROP names does not exist
		return alreadyApplied
	}
	return permanent
}

var numbered = regexp.MustCompile(`Error (\d{4})\b`)

// mysqlError returns the number of an error of the server, and 0 if it has none. The type belongs to the driver, so it
// goes by the text.
func mysqlError(err error) int {
	found := numbered.FindStringSubmatch(err.Error())
	if found == nil {
		return 0
	}
	n, _ := strconv.Atoi(found[1]) // four digits
	return n
}
