// Package database opens the database that the flag -db of an example names, and has what an application needs to know
// of it for tables of its own.
//
//	db, err := database.Open(ctx, "postgres://app:PASSWORD@db.example/app", sqlstore.Config{})
//	tokens, err := sqlstore.Knox(ctx, db.DB)
//	row := db.Reader().QueryRowContext(ctx, db.Engine.SQL("SELECT email FROM users WHERE name = ?"), name)
//
// [OpenRedis] does so for Redis, which has keys in place of tables.
//
// No error of the package holds the password of an address.
package database

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	_ "modernc.org/sqlite"

	"github.com/gatewarden/auth/store/sqlstore"
)

// Forms says what -db may be.
const Forms = "sqlite:PATH, postgres://USER:PASSWORD@HOST:PORT/NAME, mysql://USER:PASSWORD@HOST:PORT/NAME, " +
	redisForm + " or redis://HOST:PORT?cluster=true"

// ErrAddress is the error of [Open] for a text that is no address. It does not repeat the text, which may hold a
// password.
var ErrAddress = errors.New("-db: want " + Forms)

// DB is an SQL database with the stores of every backend. See [RedisDB] for Redis. It is safe for concurrent use.
type DB struct {
	*sqlstore.DB
	Engine Engine
}

// Open opens the SQL database at an address. A server has to answer within a few seconds. The error is [ErrAddress] if
// the text is no address, or that of a Redis, which [OpenRedis] opens.
func Open(ctx context.Context, address string, config sqlstore.Config) (*DB, error) {
	engine, err := EngineOf(address)
	if err != nil {
		return nil, err
	}
	open := map[Engine]func(context.Context, string, sqlstore.Config) (*sqlstore.DB, error){
		SQLite: openSQLite, PostgreSQL: openPostgreSQL, MySQL: openMySQL,
	}[engine]
	if open == nil {
		return nil, ErrAddress
	}
	db, err := open(ctx, address, config)
	if err != nil {
		return nil, err
	}
	return &DB{db, engine}, nil
}

// KeyFile returns where the application key of a SQLite file is. A server has no such place.
func KeyFile(address string) (path string, ok bool) {
	path, ok = strings.CutPrefix(address, "sqlite:")
	return path + ".key", ok
}

func openSQLite(ctx context.Context, address string, config sqlstore.Config) (*sqlstore.DB, error) {
	return sqlstore.OpenSQLite(ctx, "sqlite", strings.TrimPrefix(address, "sqlite:"), config)
}

// Engine is what differs between databases in statements of an application. Its text is the name that
// [sqlstore.SchemaSQL] knows.
type Engine string

const (
	SQLite     Engine = "sqlite"
	PostgreSQL Engine = "postgresql"
	MySQL      Engine = "mysql" // and MariaDB
	Redis      Engine = "redis" // which has no statements
)

// EngineOf returns the engine of an address, or [ErrAddress].
func EngineOf(address string) (Engine, error) {
	scheme, rest, _ := strings.Cut(address, ":")
	switch {
	case scheme == "sqlite":
		return SQLite, nil
	case (scheme == "postgres" || scheme == "postgresql") && strings.HasPrefix(rest, "//"):
		return PostgreSQL, nil
	case scheme == "mysql" && strings.HasPrefix(rest, "//"):
		return MySQL, nil
	case (scheme == "redis" || scheme == "rediss") && strings.HasPrefix(rest, "//"):
		return Redis, nil
	}
	return "", ErrAddress
}

// SQL returns a statement in which each "?" is an argument as the engine takes it.
func (e Engine) SQL(statement string) string {
	if e != PostgreSQL {
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

// InsertNew returns a statement that inserts a row into a table, and changes no row if its key is there already. If
// another transaction is inserting the key, the statement waits for its end.
func (e Engine) InsertNew(table string, columns int) string {
	values := "(?" + strings.Repeat(", ?", columns-1) + ")"
	if e == MySQL {
		return "INSERT IGNORE INTO " + table + " VALUES " + values
	}
	return e.SQL("INSERT INTO " + table + " VALUES " + values + " ON CONFLICT DO NOTHING")
}

// Text is the type of a column with a text of at most 512 bytes that is compared by bytes: Alice is not alice.
func (e Engine) Text() string {
	switch e {
	case PostgreSQL:
		return `TEXT COLLATE "C"`
	case MySQL:
		return "VARBINARY(512)"
	}
	return "TEXT"
}

// Line returns an error as one line. Some drivers tell of each address that they tried in a line of its own.
func Line(err error) string {
	var line strings.Builder
	for part := range strings.Lines(err.Error()) {
		switch part = strings.TrimSpace(part); {
		case part == "":
		case line.Len() == 0:
			line.WriteString(part)
		case strings.HasSuffix(line.String(), ":"):
			line.WriteString(" " + part)
		default:
			line.WriteString("; " + part)
		}
	}
	return line.String()
}

// malformed is the error for an address that cannot be read. What a parser says of it may hold a part of the password.
func malformed(form string) error {
	return fmt.Errorf("-db cannot be read as %s. In user and password write %%3A for \":\", %%2F for \"/\", "+
		"%%3F for \"?\", %%23 for \"#\", %%40 for \"@\" and %%25 for \"%%\"", form)
}
