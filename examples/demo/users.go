package main

import (
	"context"
	"database/sql"
	"errors"
	"strings"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/examples/internal/database"
	"github.com/gatewarden/auth/oauth2/external"
	"github.com/gatewarden/auth/password"
)

// user is the application's own type; two methods make it one of auth's.
type user struct {
	name, encoded string
	active, admin bool
}

func (u *user) UserID() string { return u.name }

// AuthStamp ends all that was issued to the user when the password changes.
func (u *user) AuthStamp() string { return u.encoded }

// account is a user of a fresh store. That everybody knows the passwords is what a demo is for.
type account struct {
	Name, Password  string
	Inactive, Admin bool
}

var accounts = []account{
	{Name: "alice", Password: "correct-horse-battery"},
	{Name: "bob", Password: "staple-tractor-lamp"},
	{Name: "carol", Password: "closed-account-99", Inactive: true},
	{Name: "admin", Password: "only-for-the-demo", Admin: true},
}

// users is the application's own table of users.
type users struct {
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

// openUsers makes the tables of users, and the users of a fresh store. Several demos may start at once.
func openUsers(ctx context.Context, us *users, hasher *password.Hasher) (*users, error) {
	if err := us.createTable(ctx, "demo_users", `name `+us.engine.Text()+` PRIMARY KEY,
		encoded `+us.engine.Text()+` NOT NULL, active BOOLEAN NOT NULL, admin BOOLEAN NOT NULL`); err != nil {
		return nil, err
	}
	if err := us.openSignUps(ctx); err != nil {
		return nil, err
	}
	var count int
	if err := us.read.QueryRowContext(ctx, "SELECT COUNT(*) FROM demo_users").Scan(&count); err != nil || count > 0 {
		return us, err
	}
	encoded := make([]string, len(accounts))
	for i, u := range accounts { // before the transaction, because a hash takes its time
		var err error
		if encoded[i], err = hasher.Hash(ctx, u.Password); err != nil {
			return nil, err
		}
	}
	return us, us.update(ctx, func(conn *sql.Conn) error {
		for i, u := range accounts {
			if _, err := us.add(ctx, conn, u.Name, encoded[i], !u.Inactive, u.Admin); err != nil {
				return err
			}
		}
		return nil
	})
}

// createTable makes a table if it is not there. If it is, the user of the database needs no right to make tables.
func (us *users) createTable(ctx context.Context, name, columns string) error {
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
func (us *users) add(ctx context.Context, conn *sql.Conn, name, encoded string, active, admin bool) (bool, error) {
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
func (us *users) exec(ctx context.Context, statement string, args ...any) (n int64, err error) {
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

// load is the auth.UserLoader of all backends.
func (us *users) load(ctx context.Context, id string) (auth.User, error) {
	u, err := us.find(ctx, id)
	if err != nil {
		return nil, err
	}
	if !u.active {
		return nil, auth.ErrUserInactive
	}
	return u, nil
}

// byName is the password.AccountFinder of the login.
func (us *users) byName(ctx context.Context, name string) (auth.User, string, error) {
	u, err := us.find(ctx, name)
	if err != nil {
		return nil, "", err
	}
	if !u.active {
		return u, u.encoded, auth.ErrUserInactive
	}
	return u, u.encoded, nil
}

func (us *users) find(ctx context.Context, name string) (*user, error) {
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
func (us *users) setActive(ctx context.Context, name string, active bool) (bool, error) {
	n, err := us.exec(ctx, "UPDATE demo_users SET active = ? WHERE name = ?", active, name)
	return n > 0, err
}

// setPassword stores a password in place of the one that u was loaded with.
func (us *users) setPassword(ctx context.Context, u auth.User, encoded string) error {
	n, err := us.exec(ctx, "UPDATE demo_users SET encoded = ? WHERE name = ? AND encoded = ?",
		encoded, u.UserID(), u.(*user).encoded)
	if err != nil || n > 0 {
		return err
	}
	return password.ErrChanged
}

// claims reports an address that nobody proved to have, and that a user has here: who
// they are they must show by signing in.
func (us *users) claims(ctx context.Context, email external.Email) (bool, error) {
	name, ok := strings.CutSuffix(strings.ToLower(email.Address), "@example.com")
	if !ok || email.Verified {
		return false, nil
	}
	_, err := us.find(ctx, name)
	if errors.Is(err, auth.ErrUserNotFound) {
		return false, nil
	}
	return err == nil, err
}
