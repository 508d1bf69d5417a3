// Package sqlstore has the stores of every backend over database/sql.
//
//	db, err := sqlstore.OpenSQLite(ctx, "sqlite", "app.db", sqlstore.Config{})
//	store, err := sqlstore.Knox(ctx, db)
//	tokens, err := knox.New(knox.Config{Store: store, …})
//
// [OpenSQLite] keeps everything in one file, for a program that runs once. [NewPostgreSQL] and [NewMySQL] are for
// programs that run several times on one database. Nothing else changes. The driver is the program's choice; import
// one, such as modernc.org/sqlite, jackc/pgx/v5/stdlib or go-sql-driver/mysql.
//
// Each store creates and migrates its own tables when it is opened, which any number of programs may do at once. The
// README has the schema, what to grant, and how to apply migrations by hand.
//
// # Last uses
//
// The last use of a token or session is not written in the request. A DB collects last
// uses and writes them about once a second, many in one transaction. Its stores show them at
// once. At most 65,536 uses of tokens wait, and as many of sessions. Further ones are
// dropped while so many wait, and the next use of the token or session tries again.
//
// A use that moves the expiry is written in the request if the token or session would
// expire within 10 s otherwise. If the database is busy then, the use waits as others do.
//
// Other programs on the file, and queries of your own, go by the row. They see a use when
// it is written. A token that has expired according to its row is expired for them, and
// their purge removes it.
//
// [DB.Close] writes what is pending. A program that is killed (kill -9, a power failure)
// loses about the last second of uses: the devices page shows an older last use, and a
// token or session that slides expires as if it had not been used in that second. If the
// database cannot be written, uses wait until it can, and are lost if the program is
// killed before.
//
// A revoked token does not come back by a use that was pending, and a new one with the
// same digest is not touched by it. An expiry that a query of your own brings forward
// stays.
package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// Config is the configuration of a [DB].
type Config struct {
	// TablePrefix starts the name of every table; empty is "gatewarden_". It
	// may have lower-case letters, digits and "_".
	TablePrefix string

	// BusyTimeout is how long a change waits for its turn to write, in total: for
	// the changes of this program before it and for the locks of other programs.
	// Then it fails with [ErrBusy]. 0 is 5 s; negative values are refused.
	//
	// In PostgreSQL and MySQL it is the longest that a change may take in all, with the waits for locks and with all
	// tries, but for the COMMIT, which has 10 s. A change that was not answered but may have been made fails with
	// another error, which says so.
	//
	// In SQLite the last use of a token or session that a request writes itself waits at most 50 ms for other
	// programs, and at most 1 s for changes of this one.
	BusyTimeout time.Duration

	// ReadTimeout is how long a read may take in PostgreSQL and MySQL, with the wait for a connection of the pool. Then
	// it fails with [ErrNoAnswer]. A context that ends sooner comes first. 0 is 5 s, negative values are refused.
	// SQLite has no server that could be silent, so this changes nothing there.
	ReadTimeout time.Duration

	// ManualMigrations keeps the stores from making and changing tables. A store whose tables are missing or old is
	// not opened then, with [ErrSchema]. Apply what [DB.MigrationSQL] returns.
	ManualMigrations bool

	// AllowNewerTables opens stores whose tables are one version newer than this program, with a warning in the log.
	// It is for the time in which programs of both versions run side by side. Otherwise such tables are refused with
	// [ErrSchema] at the start. A program that runs already goes on either way.
	AllowNewerTables bool

	// NotifyChannel is the channel on which each revocation is told to other instances, by NOTIFY of PostgreSQL. It
	// may have up to 63 characters of a-z, 0-9 and "_". Package pgnotify listens on it. If empty, nothing is told.
	// Other engines refuse it.
	NotifyChannel string

	// Logger is told, at Warn, when last uses cannot be written or come too fast, and, at
	// Info, when they are written again. It is also told, at Warn, when a function that
	// [DB.Update] runs leaves rows open. If nil, it is slog.Default().
	Logger *slog.Logger
}

const defaultBusyTimeout = 5 * time.Second

// DB is a database that stores are opened on. It is safe for concurrent use.
type DB struct {
	read        *sql.DB
	write       *sql.DB
	own         *sql.DB // Writer, or nil if it is write
	dialect     dialect
	prefix      string
	words       *strings.Replacer // see sql
	busyTimeout time.Duration
	readTimeout time.Duration // 0 in SQLite
	queue       *writeQueue
	file        *file // nil if it is not known
	pool        *pool // nil in SQLite

	heldMu       sync.Mutex
	heldConns    int       // connections that rows of a change hold, see releaseConn
	releaseStart time.Time // since when a change waits for its connection, or zero

	manual     bool // Config.ManualMigrations
	allowNewer bool // Config.AllowNewerTables

	channel string // Config.NotifyChannel

	logger *slog.Logger

	usesMu sync.Mutex
	uses   map[string]*touchWriter // by table
}

// configure checks the configuration and takes it over.
func (db *DB) configure(config Config) error {
	var err error
	if db.prefix, err = checkedPrefix(config.TablePrefix); err != nil {
		return err
	}
	if config.BusyTimeout < 0 {
		return fmt.Errorf("Config.BusyTimeout is %v, which is negative", config.BusyTimeout)
	}
	if config.ReadTimeout < 0 {
		return fmt.Errorf("Config.ReadTimeout is %v, which is negative", config.ReadTimeout)
	}
	if err := checkedChannel(db.dialect.name(), config.NotifyChannel); err != nil {
		return err
	}
	db.channel = config.NotifyChannel
	db.words = newWords(db.dialect, db.prefix)
	db.busyTimeout, db.queue = cmp.Or(config.BusyTimeout, defaultBusyTimeout), newWriteQueue()
	db.logger, db.uses = config.Logger, make(map[string]*touchWriter)
	db.manual, db.allowNewer = config.ManualMigrations, config.AllowNewerTables
	return nil
}

// checkedPrefix returns the prefix of a configuration, or an error if it may not start the name of a table.
func checkedPrefix(prefix string) (string, error) {
	prefix = cmp.Or(prefix, "gatewarden_")
	if strings.Trim(prefix, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" {
		return "", fmt.Errorf("table prefix %q has other characters than a-z, 0-9 and _", prefix)
	}
	if len(prefix) > maxPrefix {
		return "", fmt.Errorf("table prefix %q has more than %d characters", prefix, maxPrefix)
	}
	return prefix, nil
}

// maxPrefix leaves room for the longest name of a table or index in PostgreSQL, which has 63 characters.
const maxPrefix = 32

// Reader returns the pool for queries, for tables of the application's own in
// the same database.
func (db *DB) Reader() *sql.DB { return db.read }

// Writer returns the pool for changes to tables of the application's own. In PostgreSQL and MySQL it is the pool of
// [NewPostgreSQL] or [NewMySQL], as Reader is. In SQLite it
// has one connection. It waits for the locks of others, which are the stores, too, for
// at most Config.BusyTimeout, whatever its contexts say, and it does not notice that the
// file was removed. [DB.Update] has its turn with the stores and notices both.
func (db *DB) Writer() *sql.DB {
	if db.own == nil {
		return db.write
	}
	return db.own
}

// Ping returns an error if the database does not answer a query, or if the
// file of [OpenSQLite] was removed or replaced by another one.
func (db *DB) Ping(ctx context.Context) error {
	if err := db.file.check(); err != nil {
		return err
	}
	var one int
	return db.query(`SELECT 1 FROM (SELECT COUNT(*) FROM {prefix}schema) AS s`).row(ctx).Scan(&one)
}

// Close writes the last uses that are pending, for at most 5 s, and closes the database.
// Stores that were opened on it fail from then on. If last uses are lost, the error says
// how many, and the database is closed all the same.
func (db *DB) Close() error {
	errs := db.closeUses()
	if db.read == db.write {
		return errors.Join(append(errs, db.write.Close())...)
	}
	errs = append(errs, db.read.Close(), db.write.Close())
	if db.own != nil {
		errs = append(errs, db.own.Close())
	}
	return errors.Join(errs...)
}

// endTimeout is how long the rollback of a transaction may take after the request
// that began it is gone.
const endTimeout = 10 * time.Second

// update runs a change of a store in a transaction. The change closes its rows.
func (db *DB) update(ctx context.Context, change func(ctx context.Context, conn *sql.Conn) error) error {
	return db.transact(ctx, false, change)
}

// exec runs one statement in a transaction of its own.
func (db *DB) exec(ctx context.Context, statement string, args ...any) (result sql.Result, err error) {
	if db.pool != nil {
		return db.pool.exec(ctx, statement, args...)
	}
	err = db.transact(ctx, false, func(ctx context.Context, conn *sql.Conn) (err error) {
		result, err = conn.ExecContext(ctx, statement, args...)
		return err
	})
	return result, err
}

// transact is update, for a touch or for another change.
func (db *DB) transact(ctx context.Context, touch bool,
	change func(ctx context.Context, conn *sql.Conn) error) error {
	if db.pool != nil {
		p := *db.pool
		if touch {
			p.wait = min(p.wait, touchTurn)
		}
		return p.transact(ctx, change)
	}
	return db.run(ctx, touch, func(conn *sql.Conn) error { return change(ctx, conn) },
		func(conn *sql.Conn, fault error) error {
			if fault != nil {
				discard(conn)
			}
			_ = conn.Close()
			return nil
		})
}

// run runs change in a transaction that is the connection's, since database/sql cannot begin one in
// the mode that SQLite needs. Then release returns the connection to its pool. fault says why the
// transaction could not be rolled back, and is nil if it was, or was committed. An error of release
// is added to the one of run.
func (db *DB) run(ctx context.Context, touch bool, change func(conn *sql.Conn) error,
	release func(conn *sql.Conn, fault error) error) (err error) {
	conn, err := db.begin(ctx, touch)
	if err != nil {
		return err
	}
	defer db.queue.release(touch)
	committed := false
	defer func() { // after a panic, too
		var fault error
		if !committed {
			fault = end(ctx, conn, "ROLLBACK")
		}
		if more := release(conn, fault); more != nil {
			err = joined(err, more)
		}
	}()
	if err := change(conn); err != nil {
		return err
	}
	if err := db.file.check(); err != nil {
		return err
	}
	if err := end(ctx, conn, "COMMIT"); err != nil {
		return err
	}
	committed = true
	return nil
}

// joined adds a fault to an error.
func joined(err, fault error) error {
	if err == nil {
		return fault
	}
	return errors.Join(err, fault)
}

// end ends a transaction. Whether it does must not hang on a client that went away. A COMMIT
// has no deadline either: a driver that gives up on one cannot say whether it was done.
func end(ctx context.Context, conn *sql.Conn, how string) error {
	ctx = context.WithoutCancel(ctx)
	if how != "COMMIT" {
		limited, cancel := context.WithTimeout(ctx, endTimeout)
		defer cancel()
		ctx = limited
	}
	_, err := conn.ExecContext(ctx, how)
	return err
}

// discard keeps a connection in an unknown state out of the pool.
func discard(conn *sql.Conn) {
	_ = conn.Raw(func(any) error { return driver.ErrBadConn })
}
