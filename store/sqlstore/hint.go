package sqlstore

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// withHint adds what an operator can do to an error of a server that has a usual cause, which it knows by the code. It
// leaves out an error that shows a DSN.
func withHint(err error) error {
	if err == nil {
		return nil
	}
	if showsDSN(err) {
		return errDSN
	}
	var done *hintError
	if help := hintOf(err); help != "" && !errors.As(err, &done) {
		return &hintError{help, err}
	}
	return err
}

// unreachable returns the error of the first query of a server, unless its usual cause is known.
func unreachable(server string, err error) error {
	if hintOf(err) != "" {
		return err
	}
	return fmt.Errorf("sqlstore: %s cannot be reached, or does not answer: %w", server, err)
}

// hintError is an error of a server with its usual cause.
type hintError struct {
	help  string
	cause error
}

func (e *hintError) Error() string {
	return "sqlstore: " + e.help + ": " + strings.TrimPrefix(e.cause.Error(), "sqlstore: ")
}

func (e *hintError) Unwrap() error { return e.cause }

var errDSN = errors.New("sqlstore: the DSN cannot be read, and is not shown here because it may hold a password. " +
	"Characters such as / ? # @ and spaces in a password must be escaped")

// dsnShown finds the errors of drivers that repeat a DSN which they cannot read, or took a part of the password for the
// name of the database or host, as in postgres://app:12/secret@db.example/app.
var dsnShown = regexp.MustCompile(`cannot parse|missing "=" after|\b(database|host)=[^ ]*@|database "[^"]*@`)

// showsDSN reports whether the text of an error may hold a part of a password.
func showsDSN(err error) bool {
	var parse *url.Error
	return errors.As(err, &parse) && parse.Op == "parse" || dsnShown.MatchString(err.Error())
}

// hintOf returns the usual cause of an error, or "".
func hintOf(err error) string {
	switch state := sqlState(err); {
	case state == "28P01", state == "28000":
		return "PostgreSQL refuses the user or the password of the DSN"
	case state == "3D000":
		return "the database of the DSN does not exist in PostgreSQL"
	case state == "42501":
		return "the user of the DSN lacks a right in PostgreSQL, see the README of sqlstore for what to grant"
	case state == "25006", state == "0A000" && strings.Contains(err.Error(), "recovery"): // of BEGIN READ WRITE
		return "PostgreSQL takes no changes: this is a replica, or the database is read-only"
	case strings.HasPrefix(state, "57P"):
		return "PostgreSQL is starting or stopping"
	case state == "53100":
		return "the disk of PostgreSQL is full"
	case state == "53300":
		return "PostgreSQL has no connection left, see max_connections and the limits of the pools"
	case state == "54000" && strings.Contains(err.Error(), "NOTIFY"): // 54000 is of other limits, too
		return "the queue of notifications of PostgreSQL is full. End the session that listens and keeps a " +
			"transaction open, see pg_stat_activity. Then run SELECT pg_notification_queue_usage(), which makes room"
	case state == "26000", state == "42P05":
		return "a pooler such as PgBouncer gave a prepared statement to another connection, " +
			"see the README of sqlstore for what to set"
	}
	switch mysqlError(err) {
	case 1045, 1698:
		return "MySQL refuses the user or the password of the DSN"
	case 1046:
		return "the DSN names no database of MySQL"
	case 1049:
		return "the database of the DSN does not exist in MySQL"
	case 1044, 1142, 1143, 1227:
		return "the user of the DSN lacks a right in MySQL, see the README of sqlstore for what to grant"
	case 1290, 1792, 1836:
		return "MySQL takes no changes: this is a replica, or the server is read-only"
	case 1021, 1114:
		return "the disk of MySQL is full, or a table must not grow"
	case 1040, 1203:
		return "MySQL has no connection left, see max_connections and the limits of the pools"
	case 1665:
		return "MySQL writes its binary log by statements; set binlog_format to ROW or MIXED"
	}
	return ""
}
