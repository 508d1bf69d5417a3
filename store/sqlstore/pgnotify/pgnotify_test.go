package pgnotify_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/store/cached"
	"github.com/gatewarden/auth/store/sqlstore/pgnotify"
)

func TestUnitARevocationIsInForceOnOtherInstances(t *testing.T) {
	dsn := database(t)
	first, second := newInstance(t, dsn, dsn), newInstance(t, dsn, dsn)
	first.add(t, "alice", "1")
	first.add(t, "bob", "2")
	for _, i := range []*instance{first, second} {
		i.want(t, "1", true)
		i.want(t, "2", true)
	}
	first.revoke(t, "alice", "1")
	first.want(t, "1", false)
	second.heard.next(t, "forget alice")
	second.want(t, "1", false)
	second.want(t, "2", true)
}

// TestUnitHowLongARevocationTakes logs it, as no test may depend on the speed of a machine.
func TestUnitHowLongARevocationTakes(t *testing.T) {
	dsn := database(t)
	first, second := newInstance(t, dsn, dsn), newInstance(t, dsn, dsn)
	const n = 1000
	var all []time.Duration
	for i := range n {
		user, id := fmt.Sprint("user ", i), fmt.Sprint(i)
		first.add(t, user, id)
		second.want(t, id, true)
		first.revoke(t, user, id)
		committed := time.Now()
		second.heard.next(t, "forget "+user)
		all = append(all, time.Since(committed))
		second.want(t, id, false)
	}
	slices.Sort(all)
	t.Logf("from the end of Revoke on one instance until the other one refuses, of %d: p50 %v, p99 %v, longest %v",
		n, all[n/2], all[n*99/100], all[n-1])
}

type member string

func (m member) UserID() string { return string(m) }

func TestUnitAUserThatIsDisabledElsewhere(t *testing.T) {
	dsn := database(t)
	db := openDB(t, dsn)
	exec(t, db, `CREATE TABLE members (name text PRIMARY KEY, off boolean NOT NULL)`)
	exec(t, db, `INSERT INTO members VALUES ('alice', FALSE)`)
	users := auth.CacheUsers(func(ctx context.Context, id string) (auth.User, error) {
		var off bool
		err := db.Reader().QueryRowContext(ctx, `SELECT off FROM members WHERE name = $1`, id).Scan(&off)
		if off {
			return nil, auth.ErrUserInactive
		}
		return member(id), err
	}, auth.UserCache{TTL: time.Hour})
	h := newHeard()
	listen(t, pgnotify.Config{DSN: dsn, Caches: []cached.Cache{users, h}})
	h.next(t, "suspend", "resume")
	in := func(want bool) {
		t.Helper()
		if u, err := users.Load(t.Context(), "alice"); (err == nil) != want {
			t.Errorf("got %v, %v, want that alice is in: %v", u, err, want)
		}
	}
	in(true)
	elsewhere := openDB(t, dsn)
	set := func(off bool, fault error) {
		t.Helper()
		err := elsewhere.Update(t.Context(), func(conn *sql.Conn) error {
			if _, err := conn.ExecContext(t.Context(), `UPDATE members SET off = $1`, off); err != nil {
				return err
			}
			if err := elsewhere.UserChangedIn(t.Context(), conn, "alice"); err != nil {
				return err
			}
			return fault
		})
		if !errors.Is(err, fault) {
			t.Fatal(err)
		}
	}
	set(true, errors.New("undone")) // tells nothing
	in(true)
	set(true, nil)
	h.next(t, "forget alice")
	in(false)
	exec(t, elsewhere, `UPDATE members SET off = FALSE`)
	if err := elsewhere.UserChanged(t.Context(), "alice"); err != nil {
		t.Fatal(err)
	}
	h.next(t, "forget alice")
	in(true)
}

func TestUnitNamesThatAreOdd(t *testing.T) {
	dsn := database(t)
	h, db := hear(t, dsn), openDB(t, dsn)
	for name, want := range map[string]string{
		`'"\%_ ` + "\u202e\U0001f512":     `forget '"\%_ ` + "\u202e\U0001f512",
		"<&>":                             "forget <&>",
		"nul \x00":                        "forget nul \x00",
		strings.Repeat("x", 10_000):       "forget all",
		strings.Repeat("\U0001f512", 1e3): "forget " + strings.Repeat("\U0001f512", 1e3),
		"not UTF-8 \xff":                  "forget all",
		"":                                "forget all",
	} {
		if err := db.UserChanged(t.Context(), name); err != nil {
			t.Errorf("%.40q: %v", name, err)
		}
		h.next(t, want)
	}
}

func TestUnitANotificationThatCannotBeReadEmptiesTheCaches(t *testing.T) {
	dsn := database(t)
	i := newInstance(t, dsn, dsn)
	for _, payload := range []string{"", "junk", "{}", `{"user":""}`, `{"user":"alice"} {}`, `{"user":7}`,
		`{"user":"alice","version":2}`, `["alice"]`, `null`, `{"all":true}`} {
		exec(t, i.db, `SELECT pg_notify($1, $2)`, channel, payload)
		i.heard.next(t, "forget all")
	}
	if got := strings.Count(i.log.String(), "cannot be read"); got != 1 {
		t.Errorf("got %d lines in the log, want one a minute:\n%s", got, i.log)
	}
	exec(t, i.db, `SELECT pg_notify($1, $2)`, channel, `{"user":"alice"}`)
	i.heard.next(t, "forget alice")
}

func TestUnitAClosedListener(t *testing.T) {
	dsn := database(t)
	h, db := newHeard(), openDB(t, dsn)
	listener := listen(t, pgnotify.Config{DSN: dsn, Caches: []cached.Cache{h}})
	h.next(t, "suspend", "resume")
	listener.Close()
	listener.Close()
	for since, open := time.Now(), 1; open > 0; { // the server needs a moment to see it go
		if err := db.Reader().QueryRowContext(t.Context(), `SELECT COUNT(*) FROM pg_stat_activity
			WHERE datname = current_database() AND application_name = 'gatewarden-pgnotify'`).Scan(&open); err != nil {
			t.Fatal(err)
		}
		if time.Since(since) > patience {
			t.Fatalf("got %d connections that listen, want that they are closed", open)
		}
	}
	if err := db.UserChanged(t.Context(), "alice"); err != nil {
		t.Fatal(err)
	}
	if len(h.events) > 0 {
		t.Errorf("got %q after Close", <-h.events)
	}
}
