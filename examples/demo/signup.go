package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"strings"

	"github.com/gatewarden/auth"
)

// openSignUps makes the table of the users that came from elsewhere, by the id that external.Config.Accounts.NewUser is
// given.
func (us *sqlUsers) openSignUps(ctx context.Context) error {
	text := us.engine.Text()
	return us.createTable(ctx, "demo_signups", "id "+text+" PRIMARY KEY, name "+text+" NOT NULL")
}

// signUp returns the user that was made with this id, or makes one without a password. All of it is one transaction,
// and the id comes first, so that of two logins at once with one id the second one waits for the user of the first.
func (us *sqlUsers) signUp(ctx context.Context, id, wanted string) (auth.User, error) {
	var name string
	err := us.update(ctx, func(conn *sql.Conn) error {
		added, err := inserted(conn.ExecContext(ctx, us.engine.InsertNew("demo_signups", 2), id, ""))
		if err != nil {
			return err
		}
		if !added {
			return conn.QueryRowContext(ctx, us.engine.SQL("SELECT name FROM demo_signups WHERE id = ?"), id).
				Scan(&name)
		}
		if name, err = us.addFree(ctx, conn, wanted); err != nil {
			return err
		}
		_, err = conn.ExecContext(ctx, us.engine.SQL("UPDATE demo_signups SET name = ? WHERE id = ?"), name, id)
		return err
	})
	if err != nil {
		return nil, err
	}
	return us.find(ctx, name)
}

// addFree adds a user and returns the name: the first of names that is free.
func (us *sqlUsers) addFree(ctx context.Context, conn *sql.Conn, wanted string) (string, error) {
	for name := range names(wanted) {
		if added, err := us.add(ctx, conn, name, "", true, false); err != nil || added {
			return name, err
		}
	}
	return "", errNoName
}

var errNoName = errors.New("no name is free")

// names are those to try for a user that wants one: this one in letters that a name may have, then with numbers.
func names(wanted string) iter.Seq[string] {
	wanted = strings.Map(func(r rune) rune {
		if isNameRune(r) {
			return r
		}
		return '_'
	}, wanted)
	wanted = wanted[:min(len(wanted), 100)]
	return func(yield func(string) bool) {
		if !yield(wanted) {
			return
		}
		for n := 2; n < 1000; n++ {
			if !yield(fmt.Sprint(wanted, "-", n)) {
				return
			}
		}
	}
}

// isNameRune reports whether the name of a user may have a character.
func isNameRune(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("-_.@", r)
}
