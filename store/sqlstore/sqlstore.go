// Package sqlstore has the stores of every backend over database/sql.
//
//	db, err := sqlstore.OpenSQLite(ctx, "sqlite", "app.db", sqlstore.Config{})
//	store, err := sqlstore.Knox(ctx, db)
//	tokens, err := knox.New(knox.Config{Store: store, …})
//
// The driver is the program's choice; import one, such as
// modernc.org/sqlite. Each store creates and migrates its own tables when it is
// opened, which any number of programs may do at once. The schema is in
// migrations/.
package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Config is the configuration of a [DB].
type Config struct {
	// TablePrefix starts the name of every table; empty is "gatewarden_". It
	// may have lower-case letters, digits and "_".
	TablePrefix string
}

// DB is a database that stores are opened on. It is safe for concurrent use.
type DB struct {
	read, write *sql.DB
	dialect     dialect
	prefix      string
}

// dialect is what differs from one engine to another.
type dialect interface {
	// name is also the folder of the migrations.
	name() string
	// begin starts a transaction that may write and in which what is read
	// stays true until it is committed.
	begin(ctx context.Context, conn *sql.Conn) error
}

func newDB(read, write *sql.DB, d dialect, config Config) (*DB, error) {
	prefix := config.TablePrefix
	if prefix == "" {
		prefix = "gatewarden_"
	}
	if strings.Trim(prefix, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" {
		return nil, fmt.Errorf("sqlstore: table prefix %q has other characters than a-z, 0-9 and _", prefix)
	}
	return &DB{read: read, write: write, dialect: d, prefix: prefix}, nil
}

// Reader returns the pool for queries, for tables of the application's own in
// the same database.
func (db *DB) Reader() *sql.DB { return db.read }

// Writer returns the pool for changes. In SQLite it has one connection, so
// that writers wait for each other in the program rather than in the file.
func (db *DB) Writer() *sql.DB { return db.write }

// Ping returns an error if the database does not answer a query.
func (db *DB) Ping(ctx context.Context) error {
	var one int
	return db.read.QueryRowContext(ctx, "SELECT 1 FROM (SELECT COUNT(*) FROM "+db.prefix+"schema) AS s").Scan(&one)
}

// Close closes the database. Stores that were opened on it fail from then on.
func (db *DB) Close() error {
	if db.read == db.write {
		return db.write.Close()
	}
	return errors.Join(db.read.Close(), db.write.Close())
}

// table puts the prefix into the {prefix} places of a statement.
func (db *DB) table(statement string) string {
	return strings.ReplaceAll(statement, "{prefix}", db.prefix)
}

// endTimeout is how long the end of a transaction may take after the request
// that began it is gone.
const endTimeout = 10 * time.Second

// update runs change in a transaction: all of it happens, or nothing. The
// transaction is the connection's, since database/sql cannot begin one in the
// mode that SQLite needs.
func (db *DB) update(ctx context.Context, change func(conn *sql.Conn) error) (err error) {
	conn, err := db.write.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := db.dialect.begin(ctx, conn); err != nil {
		discard(conn) // it may have begun for all we know
		return err
	}
	// Whether a transaction ended must not hang on a client that went away.
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTimeout)
	defer cancel()
	committed := false
	defer func() { // after a panic, too
		if !committed {
			if _, e := conn.ExecContext(ending, "ROLLBACK"); e != nil {
				discard(conn)
			}
		}
	}()
	if err := change(conn); err != nil {
		return err
	}
	if _, err := conn.ExecContext(ending, "COMMIT"); err != nil {
		return err
	}
	committed = true
	return nil
}

// discard keeps a connection in an unknown state out of the pool.
func discard(conn *sql.Conn) {
	_ = conn.Raw(func(any) error { return driver.ErrBadConn })
}

// micros is a time as it is stored: microseconds since 1970, NULL for the zero
// time.
func micros(at time.Time) any {
	if at.IsZero() {
		return nil
	}
	return at.UnixMicro()
}

// instant reads what micros wrote.
func instant(stored sql.NullInt64) time.Time {
	if !stored.Valid {
		return time.Time{}
	}
	return time.UnixMicro(stored.Int64).UTC()
}
