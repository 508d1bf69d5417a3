package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/examples/internal/database"
	"github.com/gatewarden/auth/store/sqlstore"
)

// person is what the service itself keeps of a user, or of a sign-up that led to one. Replace it by your own tables.
type person struct {
	signUp  string // the id of a sign-up; then only name is set beside it
	name    string
	encoded string
	active  bool
	admin   bool
}

// key tells persons apart. A sign-up has an id for its key, and a user a name.
func (p person) key() string {
	if p.signUp != "" {
		return "sign-up " + p.signUp
	}
	return "user " + p.name
}

// people are the tables of users.
type people interface {
	read(ctx context.Context) (map[string]person, error)
	write(ctx context.Context, all []person) error
	remove(ctx context.Context, all []person) error
}

// openPlaceSQL opens an SQL database. Only a target may be new.
func openPlaceSQL(ctx context.Context, c *call, mustExist bool) (copyStore, error) {
	if path, ok := strings.CutPrefix(c.db, "sqlite:"); ok && mustExist {
		if _, err := os.Stat(path); err != nil {
			return copyStore{}, err
		}
	}
	db, err := database.Open(ctx, c.db, sqlstore.Config{Logger: slog.New(slog.DiscardHandler)})
	if errors.Is(err, database.ErrAddress) {
		return copyStore{}, usageError{err}
	}
	if err != nil {
		return copyStore{}, err
	}
	users := sqlPeople{db}
	if mustExist { // before any table is made
		_, err = sqlUsers{db.Reader(), db.Engine}.find(ctx, "-")
	} else {
		err = users.makeTables(ctx)
	}
	if err != nil && !errors.Is(err, auth.ErrUserNotFound) {
		return copyStore{}, errors.Join(fmt.Errorf("the users cannot be read: %w", err), db.Close())
	}
	records, err := sqlstore.Transfer(ctx, db.DB)
	if err != nil {
		return copyStore{}, errors.Join(err, db.Close())
	}
	return copyStore{records, users, db}, nil
}

// sqlPeople are users in the tables of the demo.
type sqlPeople struct{ *database.DB }

// makeTables makes the tables that the demo would make.
func (d sqlPeople) makeTables(ctx context.Context) error {
	text := d.Engine.Text()
	return d.Update(ctx, func(conn *sql.Conn) error {
		for _, table := range []string{
			"demo_users (name " + text + " PRIMARY KEY, encoded " + text + " NOT NULL, active BOOLEAN NOT NULL, " +
				"admin BOOLEAN NOT NULL)",
			"demo_signups (id " + text + " PRIMARY KEY, name " + text + " NOT NULL)",
		} {
			if _, err := conn.ExecContext(ctx, "CREATE TABLE IF NOT EXISTS "+table); err != nil {
				return err
			}
		}
		return nil
	})
}

func (d sqlPeople) read(ctx context.Context) (map[string]person, error) {
	all := make(map[string]person)
	for _, query := range []string{
		"SELECT '', name, encoded, active, admin FROM demo_users",
		"SELECT id, name, '', FALSE, FALSE FROM demo_signups",
	} {
		if err := d.readInto(ctx, all, query); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (d sqlPeople) readInto(ctx context.Context, all map[string]person, query string) error {
	rows, err := d.Reader().QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var p person
		if err := rows.Scan(&p.signUp, &p.name, &p.encoded, &p.active, &p.admin); err != nil {
			return fmt.Errorf("user %q cannot be read: %w", p.name, err)
		}
		all[p.key()] = p
	}
	return rows.Err()
}

func (d sqlPeople) write(ctx context.Context, all []person) error {
	return d.inBatches(ctx, all, func(conn *sql.Conn, p person) error {
		if err := d.delete(ctx, conn, p); err != nil {
			return err
		}
		statement, args := "INSERT INTO demo_users VALUES (?, ?, ?, ?)", []any{p.name, p.encoded, p.active, p.admin}
		if p.signUp != "" {
			statement, args = "INSERT INTO demo_signups VALUES (?, ?)", []any{p.signUp, p.name}
		}
		_, err := conn.ExecContext(ctx, d.Engine.SQL(statement), args...)
		return err
	})
}

func (d sqlPeople) remove(ctx context.Context, all []person) error {
	return d.inBatches(ctx, all, func(conn *sql.Conn, p person) error { return d.delete(ctx, conn, p) })
}

func (d sqlPeople) delete(ctx context.Context, conn *sql.Conn, p person) error {
	statement, key := "DELETE FROM demo_users WHERE name = ?", p.name
	if p.signUp != "" {
		statement, key = "DELETE FROM demo_signups WHERE id = ?", p.signUp
	}
	_, err := conn.ExecContext(ctx, d.Engine.SQL(statement), key)
	return err
}

// inBatches calls change for all, a few hundred in a transaction.
func (d sqlPeople) inBatches(ctx context.Context, all []person, change func(conn *sql.Conn, p person) error) error {
	const atOnce = 500
	for len(all) > 0 {
		part := all[:min(len(all), atOnce)]
		all = all[len(part):]
		if err := d.Update(ctx, func(conn *sql.Conn) error {
			for _, p := range part {
				if err := change(conn, p); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			return err
		}
	}
	return nil
}
