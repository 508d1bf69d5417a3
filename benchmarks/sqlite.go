package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	_ "modernc.org/sqlite"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/benchmarks/internal/paired"
	"github.com/gatewarden/auth/internal/floor"
	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/session"
	"github.com/gatewarden/auth/store/sqlstore"
)

// This file builds the lines of knox and session over SQLite. Users are rows of the same file.

// base is a database with users, as an application has.
type base struct {
	db       *sqlstore.DB
	findUser *sql.Stmt
	findHash *sql.Stmt
	stamped  bool
}

// openBase makes a file that goes with the world.
func openBase(w *world) (*base, error) {
	folder, err := os.MkdirTemp("", "gatewarden-benchmark")
	if err != nil {
		return nil, err
	}
	w.atEnd(func() { _ = os.RemoveAll(folder) })
	db, err := sqlstore.OpenSQLite(context.Background(), "sqlite", filepath.Join(folder, "bench.db"), sqlstore.Config{})
	if err != nil {
		return nil, err
	}
	w.atEnd(func() { _ = db.Close() })
	b := &base{db: db, stamped: w.stamped}
	if err := b.addUsers(w); err != nil {
		return nil, err
	}
	b.findUser, err = db.Reader().Prepare("SELECT id, active, stamp FROM users WHERE id = ?")
	if err != nil {
		return nil, err
	}
	b.findHash, err = db.Reader().Prepare("SELECT user_id FROM floor WHERE hash = ?")
	return b, err
}

func (b *base) addUsers(w *world) error {
	tx, err := b.db.Writer().Begin()
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	_, err = tx.Exec(`CREATE TABLE users (id TEXT PRIMARY KEY, active INTEGER, stamp TEXT) WITHOUT ROWID;
		CREATE TABLE floor (hash BLOB PRIMARY KEY, user_id TEXT) WITHOUT ROWID`)
	if err != nil {
		return err
	}
	for _, id := range w.ids {
		stamp := ""
		if user, ok := w.users[id].(*stampedAccount); ok {
			stamp = user.stamp
		}
		if _, err := tx.Exec("INSERT INTO users VALUES (?, 1, ?)", id, stamp); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// load is the UserLoader of an application with its users in the same file.
func (b *base) load(ctx context.Context, id string) (auth.User, error) {
	var found, stamp string
	var active bool
	err := b.findUser.QueryRowContext(ctx, id).Scan(&found, &active, &stamp)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, auth.ErrUserNotFound
	case err != nil:
		return nil, err
	case !active:
		return nil, auth.ErrUserInactive
	case b.stamped:
		return &stampedAccount{found, stamp}, nil
	}
	return &account{found}, nil
}

// finder is the floor's: one SELECT by the hash of the token, and one of the user.
func (b *base) finder(w *world, tokens []string) (floor.Finder[auth.User], error) {
	tx, err := b.db.Writer().Begin()
	if err != nil {
		return nil, err
	}
	defer func() { _ = tx.Rollback() }()
	for i, token := range tokens {
		hash := floor.Hash(token)
		if _, err := tx.Exec("INSERT INTO floor VALUES (?, ?)", hash[:], w.ids[i]); err != nil {
			return nil, err
		}
	}
	return func(token string) (auth.User, bool) {
		hash := floor.Hash(token)
		var id string
		if err := b.findHash.QueryRow(hash[:]).Scan(&id); err != nil {
			return nil, false
		}
		user, err := b.load(context.Background(), id)
		return user, err == nil
	}, tx.Commit()
}

func (b *base) knox() (*knox.Tokens, error) {
	store, err := sqlstore.Knox(context.Background(), b.db)
	if err != nil {
		return nil, err
	}
	return knox.New(knox.Config{Store: store, LoadUser: b.load})
}

func (b *base) sessions(touch time.Duration) (*session.Sessions, error) {
	store, err := sqlstore.Sessions(context.Background(), b.db)
	if err != nil {
		return nil, err
	}
	return session.New(session.Config{Store: store, LoadUser: b.load, TouchInterval: touch})
}

// perRound is how many tokens are used for the first time in a round.
const perRound = 1000

// firstUses returns what is measured of tokens that are used for the first time. issue makes a token of each
// of the first perRound users. table is where the store keeps them.
func (b *base) firstUses(c *client, table string, issue func() ([]string, error)) paired.Side {
	var begun time.Time
	return paired.Side{Op: c.do, MaxOps: min(perRound, len(c.world.ids)),
		Prepare: func() (err error) {
			c.values, err = issue()
			c.next, begun = 0, time.Now().Truncate(time.Microsecond)
			return err
		},
		Settle: func() error {
			last := (c.next + len(c.values) - 1) % len(c.values)
			return b.awaitUse(table, c.world.ids[last], begun)
		}}
}

// awaitUse waits until the last use of a user's token is in the file, which may be a second later. Methods of the
// store may tell of it before.
func (b *base) awaitUse(table, userID string, begun time.Time) error {
	for range 100 {
		var used sql.NullInt64
		err := b.db.Reader().QueryRow("SELECT max(last_used) FROM "+table+" WHERE user_id = ?", userID).Scan(&used)
		if err != nil || used.Int64 >= begun.UnixMicro() {
			return err
		}
		time.Sleep(100 * time.Millisecond)
	}
	return fmt.Errorf("10 s after the use of a token it is not in %s", table)
}

// some returns a world of the first perRound users.
func (w *world) some() *world {
	return &world{ids: w.ids[:min(perRound, len(w.ids))], users: w.users, stamped: w.stamped}
}

func knoxSQLite(first bool) func(w *world) (comparison, error) {
	return func(w *world) (comparison, error) {
		b, err := openBase(w)
		if err != nil {
			return comparison{}, err
		}
		tokens, err := b.knox()
		if err != nil {
			return comparison{}, err
		}
		ours, secrets, err := knoxClient(w, tokens)
		if err != nil {
			return comparison{}, err
		}
		find, err := b.finder(w, secrets)
		if err != nil {
			return comparison{}, err
		}
		least := w.authorized(floor.Header("Token", find, w.innerFloor()), "Token", secrets)
		if !first {
			begun := time.Now().Truncate(time.Microsecond)
			c, err := pair(ours, least)
			return c, errors.Join(err, b.awaitUse(tokenTable, w.ids[len(w.ids)-1], begun))
		}
		entry := b.firstUses(ours, tokenTable, func() ([]string, error) {
			fresh, err := issueKnox(w.some(), tokens)
			return prefixed("Token ", fresh), err
		})
		floorSide, err := least.side()
		return comparison{entry, floorSide}, err
	}
}

func sessionSQLite(first bool) func(w *world) (comparison, error) {
	return func(w *world) (comparison, error) {
		b, err := openBase(w)
		if err != nil {
			return comparison{}, err
		}
		touch := time.Duration(0)
		if first {
			touch = time.Millisecond // a session counts as used at its login, and no line lasts a minute
		}
		sessions, err := b.sessions(touch)
		if err != nil {
			return comparison{}, err
		}
		ours, values, err := sessionClient(w, sessions)
		if err != nil {
			return comparison{}, err
		}
		find, err := b.finder(w, values)
		if err != nil {
			return comparison{}, err
		}
		least := w.client(floor.Cookie(cookieName, find, w.innerFloor()), "Cookie", cookies(values), http.StatusOK)
		if !first {
			return pair(ours, least)
		}
		some := ours.values[:min(perRound, len(ours.values))]
		entry := b.firstUses(ours, "gatewarden_sessions", func() ([]string, error) { return some, nil })
		floorSide, err := least.side()
		return comparison{entry, floorSide}, err
	}
}

func knoxOverSQLite(w *world) (*client, error) {
	b, err := openBase(w)
	if err != nil {
		return nil, err
	}
	tokens, err := b.knox()
	if err != nil {
		return nil, err
	}
	c, _, err := knoxClient(w, tokens)
	return c, err
}

func sessionOverSQLite(w *world) (*client, error) {
	b, err := openBase(w)
	if err != nil {
		return nil, err
	}
	sessions, err := b.sessions(0)
	if err != nil {
		return nil, err
	}
	c, _, err := sessionClient(w, sessions)
	return c, err
}
