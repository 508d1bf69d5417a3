package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"github.com/gatewarden/auth/store/sqlstore/internal/schema"
)

//go:embed migrations
var migrations embed.FS

// ErrSchema is returned by the functions that open a store if another version of this
// package made its tables, or if they must be migrated and [Config].ManualMigrations is set. Nothing was changed then.
var ErrSchema = schema.ErrForeign

// migrateWait is the longest that a migration of PostgreSQL or MySQL may take, with the wait for other programs.
const migrateWait = 15 * time.Minute

// migrate brings the tables of one component to its newest version. Programs that start at once wait for each other
// here. The second one finds nothing to do.
func (db *DB) migrate(ctx context.Context, component string) error {
	if db.dialect.locksRows() && component != "owners" {
		if err := db.migrate(ctx, "owners"); err != nil {
			return err
		}
	}
	scripts, err := scriptsOf(db.dialect, db.prefix)
	if err != nil {
		return err
	}
	scripts.AllowNewer = db.allowNewer
	scripts.Newer = db.logNewer
	switch {
	case db.manual:
		err = db.wantCurrent(ctx, scripts, component)
	case db.pool != nil:
		err = db.pool.migrate(ctx, scripts, component)
	default:
		err = db.update(ctx, func(ctx context.Context, conn *sql.Conn) error {
			return scripts.Migrate(ctx, conn, component)
		})
	}
	if err != nil {
		return fmt.Errorf("sqlstore: tables of %s: %w", component, withHint(err))
	}
	return nil
}

// scriptsOf returns the migrations of an engine.
func scriptsOf(d dialect, prefix string) (schema.Scripts, error) {
	folder, err := fs.Sub(migrations, "migrations/"+d.name())
	scripts := schema.Scripts{Folder: folder, Prefix: prefix, Placeholders: d.placeholders,
		Done: func(err error) bool { return d.fault(err) == alreadyApplied }}
	switch d.name() {
	case (postgresql{}).name():
		scripts.Lock = `LOCK TABLE {prefix}schema IN SHARE ROW EXCLUSIVE MODE`
	case (mysql{}).name():
		scripts.TableOptions = ` ENGINE=InnoDB` // no other engine locks rows
	}
	return scripts, err
}

// wantCurrent returns an error if the tables of a component must be migrated.
func (db *DB) wantCurrent(ctx context.Context, scripts schema.Scripts, component string) error {
	current, err := isCurrent(ctx, scripts, db.read, component)
	if current || errors.Is(err, ErrSchema) || err != nil && hintOf(err) != "" { // such as a missing right
		return err
	}
	return errors.Join(&pendingError{}, err)
}

// isCurrent reports whether the tables of a component have the newest version. No migration locks what it reads.
func isCurrent(ctx context.Context, scripts schema.Scripts, db *sql.DB, component string) (bool, error) {
	limited, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	return scripts.Current(limited, db, component)
}

// pendingError is an [ErrSchema] for tables that must be migrated by hand.
type pendingError struct{}

func (*pendingError) Error() string {
	return "they are missing or old, or the user may not use their schema, and Config.ManualMigrations is set. " +
		"Apply what MigrationSQL returns (authctl migrate prints it)"
}

func (*pendingError) Is(target error) bool { return target == ErrSchema }

// migrate brings the tables of one component to the newest version. It returns without a lock if they have that
// version.
func (p *pool) migrate(ctx context.Context, scripts schema.Scripts, component string) error {
	current, err := isCurrent(ctx, scripts, p.db, component)
	if current || errors.Is(err, ErrSchema) {
		return err
	}
	longWait := *p // a migration may take longer than another change
	longWait.wait = migrateWait
	if scripts.Lock != "" {
		return longWait.transact(ctx, func(ctx context.Context, conn *sql.Conn) error {
			return scripts.Migrate(ctx, conn, component)
		})
	}
	// Two migrations at once would wait for each other's connections if the pool has no more.
	select {
	case p.migrating <- struct{}{}:
		defer func() { <-p.migrating }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := scripts.Create(ctx, p.db); err != nil {
		return err
	}
	return longWait.migrateInSteps(ctx, scripts, component)
}

// migrateInSteps migrates in an engine that commits at every statement that changes a table. A transaction on another
// connection has the lock of a row meanwhile, so it needs two connections.
func (p *pool) migrateInSteps(ctx context.Context, scripts schema.Scripts, component string) error {
	if p.db.Stats().MaxOpenConnections == 1 {
		return errors.New("the pool has one connection, and a migration needs two, see sql.DB.SetMaxOpenConns")
	}
	if err := p.makeLock(ctx, scripts.Prefix); err != nil {
		return err
	}
	return p.transact(ctx, func(ctx context.Context, lock *sql.Conn) error {
		if _, err := queryStrings(ctx, lock, `SELECT component FROM `+scripts.Prefix+`schema WHERE component = 'lock' `+
			p.engine.rowLock(forUpdate)); err != nil {
			return err
		}
		conn, err := p.db.Conn(ctx)
		if err != nil {
			return err
		}
		defer conn.Close()
		return scripts.MigrateInSteps(ctx, conn, component)
	})
}

// makeLock makes the row that a migration locks. It writes only if there is no such row, since to write one that
// another migration has locked means to wait for it, outside the tries of a transaction.
func (p *pool) makeLock(ctx context.Context, prefix string) error {
	return p.retry(ctx, maxDuplicates, func(ctx context.Context) error {
		var there int
		if err := p.db.QueryRowContext(ctx, `SELECT COUNT(*) FROM `+prefix+`schema WHERE component = 'lock'`).
			Scan(&there); err != nil || there > 0 {
			return err
		}
		db := &DB{dialect: p.engine, words: newWords(p.engine, prefix)}
		_, err := p.engine.insertNew(ctx, db, p.db, "schema", "component, version, checksum", "lock", 0, "")
		return err
	})
}

// logNewer tells an operator that a program runs on tables of a newer version.
func (db *DB) logNewer(component string) {
	cmp.Or(db.logger, slog.Default()).Warn("sqlstore: the tables are newer than this program, which "+
		"Config.AllowNewerTables takes. Update the program soon", "component", component)
}
