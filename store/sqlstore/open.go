package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// NewPostgreSQL uses a PostgreSQL database, version 13 or later, by a pool that is open already. Its driver tells the
// SQLSTATE of an error, as jackc/pgx/v5/stdlib and lib/pq do.
//
//	pool, err := sql.Open("pgx", "postgres://app@db.example/app?sslmode=verify-full")
//	db, err := sqlstore.NewPostgreSQL(ctx, pool, sqlstore.Config{})
//
// The application may use the pool for its own tables, too. [DB.Close] closes it. Set a limit by SetMaxOpenConns: the
// pools of all programs together must stay below max_connections of the server.
//
// Every change is one statement, or one short transaction at READ COMMITTED that locks the rows it decides by. There
// are no advisory locks and no temporary tables. The server must not be a replica, and its encoding must be UTF8.
//
// The error says what is wrong: the server cannot be reached, it refuses the password, the database does not exist, it
// is too old, or does not answer within 10 s. It never holds the password of the DSN.
func NewPostgreSQL(ctx context.Context, db *sql.DB, config Config) (*DB, error) {
	return newPooled(ctx, db, postgresql{}, config)
}

// NewMySQL uses a database of MySQL 8.0 or later, or of MariaDB 10.6 or later, by a pool that is open already. The
// errors of its driver begin with "Error" and the number, as those of go-sql-driver/mysql do.
//
//	pool, err := sql.Open("mysql", "app:PASSWORD@tcp(db.example:3306)/app?tls=true&interpolateParams=true")
//	db, err := sqlstore.NewMySQL(ctx, pool, sqlstore.Config{})
//
// With interpolateParams=true a statement is sent once and not three times. The settings that would break what the
// stores promise are refused: an SQL mode that is not strict or takes an empty text for NULL, autocommit that is off,
// and another character set than utf8mb4. All of them are right by default. parseTime, clientFoundRows and the
// collation may be what the application needs. For the rest see [NewPostgreSQL].
func NewMySQL(ctx context.Context, db *sql.DB, config Config) (*DB, error) {
	return newPooled(ctx, db, mysql{}, config)
}

// checkTimeout is how long a server may take to say which one it is.
const checkTimeout = 10 * time.Second

// newPooled uses a database of an engine that many connections change at once.
func newPooled(ctx context.Context, db *sql.DB, engine pooled, config Config) (*DB, error) {
	if db == nil {
		return nil, errors.New("sqlstore: the pool is nil")
	}
	opened := &DB{read: db, write: db, dialect: engine}
	if err := opened.configure(config); err != nil {
		return nil, fmt.Errorf("sqlstore: %w", err)
	}
	opened.readTimeout = cmp.Or(config.ReadTimeout, defaultReadTimeout)
	logger := cmp.Or(config.Logger, slog.Default())
	opened.pool = &pool{db: db, engine: engine, wait: cmp.Or(config.BusyTimeout, defaultBusyTimeout), logger: logger,
		migrating: make(chan struct{}, 1)}
	warn := func(text string) { logger.Warn("sqlstore: " + text) }
	limited, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	if err := engine.check(limited, db, warn); err != nil {
		return nil, withHint(err)
	}
	return opened, nil
}
