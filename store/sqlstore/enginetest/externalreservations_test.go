package enginetest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/gatewarden/auth/store/sqlstore"
)

var (
	errOther = errors.New("another login made the account")
	errCrash = errors.New("the process ended")
)

// accounts are the users of an application, in the database of the store.
type accounts struct {
	testing.TB
	db    *sqlstore.DB
	store *sqlstore.ExternalStore
}

func openAccounts(t testing.TB, path string) accounts {
	t.Helper()
	db := openSQLite(t, path)
	store, err := sqlstore.External(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(t.Context(), func(conn *sql.Conn) error {
		_, err := conn.ExecContext(t.Context(),
			`CREATE TABLE IF NOT EXISTS accounts (id INTEGER PRIMARY KEY, name TEXT)`)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return accounts{t, db, store}
}

// login reserves, and makes the user and links the identity in one transaction. The function before ends the
// transaction with its error.
func (a accounts) login(ctx context.Context, name string, now time.Time, before func() error) (owner string,
	err error) {
	id, owner, err := a.store.Reserve(ctx, loginReservation("", name, now), now)
	if err != nil || owner != "" {
		return owner, err
	}
	err = a.db.Update(ctx, func(conn *sql.Conn) error {
		result, err := conn.ExecContext(ctx, `INSERT INTO accounts (name) VALUES (?)`, name)
		if err != nil {
			return err
		}
		number, err := result.LastInsertId()
		if err != nil {
			return err
		}
		identity := loginIdentity("", name, now)
		identity.UserID = fmt.Sprint(number)
		var linked bool
		owner, linked, err = a.store.ConfirmIn(ctx, conn, id, identity, now)
		switch {
		case err != nil:
			return err
		case !linked:
			return errOther
		}
		return before()
	})
	if errors.Is(err, errOther) {
		return owner, nil
	}
	return owner, err
}

// count returns how many accounts there are of a name.
func (a accounts) count(name string) (n int) {
	a.Helper()
	err := a.db.Reader().QueryRowContext(a.Context(), `SELECT COUNT(*) FROM accounts WHERE name = ?`, name).Scan(&n)
	if err != nil {
		a.Fatal(err)
	}
	return n
}

func TestUnitAccountsAndIdentitiesInOneTransaction(t *testing.T) {
	now := time.Now().UTC().Truncate(time.Microsecond)
	goOn := func() error { return nil }
	t.Run("of 60 first logins of two processes at once one makes the account that all have", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "accounts.db")
		handles := []accounts{openAccounts(t, path), openAccounts(t, path)}
		owners := make([]string, 60)
		var all sync.WaitGroup
		for i := range owners {
			all.Go(func() {
				var err error
				if owners[i], err = handles[i%2].login(t.Context(), "alice", now, goOn); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if n := handles[0].count("alice"); n != 1 {
			t.Errorf("got %d accounts, want 1", n)
		}
		for i, owner := range owners {
			if owner == "" || owner != owners[0] {
				t.Errorf("login %d is of the user %q, and the first of %q", i, owner, owners[0])
			}
		}
	})
	t.Run("a process that ends in the transaction leaves no account, and the next login makes one", func(t *testing.T) {
		a := openAccounts(t, filepath.Join(t.TempDir(), "accounts.db"))
		for range 3 {
			if _, err := a.login(t.Context(), "bob", now, func() error { return errCrash }); !errors.Is(err, errCrash) {
				t.Fatal(err)
			}
			if n := a.count("bob"); n != 0 {
				t.Errorf("got %d accounts, want none", n)
			}
		}
		owner, err := a.login(t.Context(), "bob", now, goOn)
		if err != nil || owner == "" || a.count("bob") != 1 {
			t.Errorf("got the user %q of %d accounts, %v", owner, a.count("bob"), err)
		}
		identity, err := a.store.Identity(t.Context(), "https://accounts.example", "bob")
		if err != nil || identity == nil || identity.UserID != owner {
			t.Errorf("got the identity %+v, %v, want one of user %q", identity, err, owner)
		}
	})
	t.Run("ConfirmIn without a reservation links nothing", func(t *testing.T) {
		a := openAccounts(t, filepath.Join(t.TempDir(), "accounts.db"))
		err := a.db.Update(t.Context(), func(conn *sql.Conn) error {
			owner, linked, err := a.store.ConfirmIn(t.Context(), conn, "unknown", loginIdentity("", "carol", now), now)
			if owner != "" || linked {
				t.Errorf("got %q, %v, want no owner", owner, linked)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}
