package database

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/gatewarden/auth/store/sqlstore"
)

const (
	// maxConnections is the size of a pool. Four programs then stay below the 100 connections that PostgreSQL allows by
	// default.
	maxConnections = 20
	// connectTimeout is how long a server may take to accept a connection, if the address does not say otherwise.
	connectTimeout = 5 * time.Second
	// startTimeout is how long it may take until the first query has its answer.
	startTimeout = 6 * time.Second
)

// openPostgreSQL opens a database by pgx, which reads the parameters of the address, such as sslmode and
// connect_timeout, and the variables of the environment that psql reads.
func openPostgreSQL(ctx context.Context, address string, stores sqlstore.Config) (*sqlstore.DB, error) {
	const form = "postgres://USER:PASSWORD@HOST:PORT/NAME"
	if _, ok := parse(address); !ok {
		return nil, malformed(form)
	}
	config, err := pgx.ParseConfig(address)
	if err != nil {
		_, reason, found := strings.Cut(err.Error(), "`: ") // after the address
		if !found {
			return nil, malformed(form)
		}
		return nil, errors.New("-db: " + reason)
	}
	config.ConnectTimeout = cmp.Or(config.ConnectTimeout, connectTimeout)
	return openPool(ctx, stdlib.OpenDB(*config), stores, sqlstore.NewPostgreSQL)
}

// openMySQL opens a database by go-sql-driver/mysql, which reads the parameters of the address, such as tls.
func openMySQL(ctx context.Context, address string, stores sqlstore.Config) (*sqlstore.DB, error) {
	config, err := mysqlConfig(address)
	if err != nil {
		return nil, err
	}
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return nil, fmt.Errorf("-db: %w", err)
	}
	// config.Timeout does not include the handshake.
	return openPool(ctx, sql.OpenDB(sqlstore.ConnectWithin(config.Timeout, connector)), stores, sqlstore.NewMySQL)
}

// mysqlConfig turns an address into what the driver takes. The driver has a form of its own, in which user and password
// cannot be escaped.
func mysqlConfig(address string) (*mysql.Config, error) {
	const form = "mysql://USER:PASSWORD@HOST:PORT/NAME"
	u, ok := parse(address)
	if !ok || u.Hostname() == "" {
		return nil, malformed(form)
	}
	config, err := mysql.ParseDSN("tcp(" + u.Host + ")/?" + u.RawQuery)
	if err != nil {
		return nil, fmt.Errorf("-db: parameters of mysql://: %w", err)
	}
	config.User, config.DBName = u.User.Username(), strings.TrimPrefix(u.Path, "/")
	config.Passwd, _ = u.User.Password()
	if config.DBName == "" {
		return nil, errors.New("-db: mysql:// names no database, as in " + form)
	}
	config.Timeout = cmp.Or(config.Timeout, connectTimeout)
	if !u.Query().Has("interpolateParams") {
		config.InterpolateParams = true // one round trip for a statement, and not three
	}
	config.ClientFoundRows = true      // an UPDATE that finds its row counts it, also if nothing changes
	config.Logger = &mysql.NopLogger{} // what it says is in the errors, too
	return config, nil
}

// parse reads an address. A "/", "?", "#" or "@" of a password that is not escaped would make a part of it a port or
// the name of a database, and errors name these.
func parse(address string) (u *url.URL, ok bool) {
	u, err := url.Parse(address)
	if err != nil || u.Fragment != "" || strings.Contains(u.Path+u.RawQuery, "@") {
		return nil, false
	}
	return u, true
}

// openPool opens the stores' database on a pool.
func openPool(ctx context.Context, pool *sql.DB, config sqlstore.Config,
	open func(context.Context, *sql.DB, sqlstore.Config) (*sqlstore.DB, error)) (*sqlstore.DB, error) {
	pool.SetMaxOpenConns(maxConnections)
	pool.SetMaxIdleConns(maxConnections)
	pool.SetConnMaxIdleTime(time.Minute)
	pool.SetConnMaxLifetime(3 * time.Minute) // before a firewall or wait_timeout of MySQL ends it
	limited, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	db, err := open(limited, pool, config)
	if err != nil {
		return nil, errors.Join(err, pool.Close())
	}
	return db, nil
}
