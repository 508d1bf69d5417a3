package main

import (
	"context"
	"database/sql"
	"errors"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/examples/internal/database"
	"github.com/gatewarden/auth/password"
)

// sqlUsers are users in a table of SQL.
type sqlUsers struct {
	read *sql.DB
	// update runs a change in a transaction, and bounds its wait for other writers.
	update func(ctx context.Context, change func(conn *sql.Conn) error) error
	engine database.Engine
}

// updateOf is the update of a database that no other program writes to.
func updateOf(db *sql.DB) func(context.Context, func(*sql.Conn) error) error {
	return func(ctx context.Context, change func(conn *sql.Conn) error) error {
		conn, err := db.Conn(ctx)
		if err != nil {
			return err
		}
		defer conn.Close()
		if _, err := conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
			return err
		}
		end := context.WithoutCancel(ctx) // a transaction that is left open fails the next one
		if err := change(conn); err != nil {
			_, fault := conn.ExecContext(end, "ROLLBACK")
			return errors.Join(err, fault)
		}
		_, err = conn.ExecContext(end, "COMMIT")
		return err
	}
}

// openSQLUsers makes the tables of users, and the users of a fresh store. Several demos may start at once.
func openSQLUsers(ctx context.Context, us *sqlUsers, hasher *password.Hasher) (*users, error) {
	if err := us.createTable(ctx, "demo_users", `name `+us.engine.Text()+` PRIMARY KEY,
		encoded `+us.engine.Text()+` NOT NULL, active BOOLEAN NOT NULL, admin BOOLEAN NOT NULL`); err != nil {
		return nil, err
	}
	if err := us.openSignUps(ctx); err != nil {
		return nil, err
	}
	var count int
	if err := us.read.QueryRowContext(ctx, "SELECT COUNT(*) FROM demo_users").Scan(&count); err != nil || count > 0 {
		return newUsers(us), err
	}
	first, err := firstUsers(ctx, hasher) // before the transaction, because a hash takes its time
	if err != nil {
		return nil, err
	}
	return newUsers(us), us.update(ctx, func(conn *sql.Conn) error {
		for _, u := range first {
			if _, err := us.add(ctx, conn, u.name, u.encoded, u.active, u.admin); err != nil {
				return err
			}
		}
		return nil
	})
}

// createTable makes a table if it is not there. If it is, the user of the database needs no right to make tables.
func (us *sqlUsers) createTable(ctx context.Context, name, columns string) error {
	look := func() error {
		var n int
		return us.read.QueryRowContext(ctx, "SELECT COUNT(*) FROM "+name+" WHERE 1 = 0").Scan(&n)
	}
	if look() == nil {
		return nil
	}
	_, err := us.exec(ctx, "CREATE TABLE IF NOT EXISTS "+name+" ("+columns+")")
	if err != nil && look() == nil {
		return nil // PostgreSQL refuses a table that another demo made at the same time
	}
	return err
}

// add adds a user in a transaction, and reports false if the name is taken.
func (us *sqlUsers) add(ctx context.Context, conn *sql.Conn, name, encoded string, active, admin bool) (bool, error) {
	return inserted(conn.ExecContext(ctx, us.engine.InsertNew("demo_users", 4), name, encoded, active, admin))
}

// inserted reports whether a statement inserted a row.
func inserted(result sql.Result, err error) (bool, error) {
	if err != nil {
		return false, err
	}
	n, err := result.RowsAffected()
	return n > 0, err
}

// exec runs one statement and returns how many rows it changed.
func (us *sqlUsers) exec(ctx context.Context, statement string, args ...any) (n int64, err error) {
	err = us.update(ctx, func(conn *sql.Conn) error {
		result, err := conn.ExecContext(ctx, us.engine.SQL(statement), args...)
		if err != nil {
			return err
		}
		n, err = result.RowsAffected()
		return err
	})
	return n, err
}

func (us *sqlUsers) find(ctx context.Context, name string) (*user, error) {
	u := &user{}
	query := us.engine.SQL("SELECT name, encoded, active, admin FROM demo_users WHERE name = ?")
	err := us.read.QueryRowContext(ctx, query, name).Scan(&u.name, &u.encoded, &u.active, &u.admin)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, auth.ErrUserNotFound
	}
	if err != nil {
		return nil, err
	}
	return u, nil
}

// setActive reports whether there is such a user.
func (us *sqlUsers) setActive(ctx context.Context, name string, active bool) (bool, error) {
	n, err := us.exec(ctx, "UPDATE demo_users SET active = ? WHERE name = ?", active, name)
	return n > 0, err
}

// setPassword stores a password in place of the one that u was loaded with.
func (us *sqlUsers) setPassword(ctx context.Context, u auth.User, encoded string) error {
	n, err := us.exec(ctx, "UPDATE demo_users SET encoded = ? WHERE name = ? AND encoded = ?",
		encoded, u.UserID(), u.(*user).encoded)
	if err != nil || n > 0 {
		return err
	}
	return password.ErrChanged
}
