package failover

import (
	"fmt"
	"testing"
	"time"

	"github.com/gatewarden/auth/store/sqlstore"
)

// This file has two primaries at once.

// wantSplit fails unless a token that one service ends is still good at the other one.
func wantSplit(t *testing.T, what string, ends, other *service, token string) {
	t.Helper()
	if got := ends.logout(token); got.status != 204 {
		t.Fatalf("got %d for a logout, want 204", got.status)
	}
	if here, there := ends.check(token).status, other.check(token).status; here != 401 || there != 200 {
		t.Errorf("got %d where the token was ended and %d elsewhere, want 401 and 200: they are apart", here, there)
		return
	}
	row(t, "PostgreSQL, two primaries: "+what, "a token that one instance ended is good at the other")
}

func TestUnitTwoPrimaries(t *testing.T) {
	t.Parallel()
	onlyFull(t)
	t.Run("connections that are open stay with the old primary until they are cut", openConnections)
	t.Run("with synchronous replication the old primary acknowledges nothing, and answers checks", synchronousSplit)
	t.Run("SetConnMaxLifetime bounds how long an instance stays with the old primary", shortConnections)
	t.Run("target_session_attrs does not tell two primaries apart", oldPrimaryBack)
	t.Run("target_session_attrs passes over an old primary that is back as a standby", oldPrimaryStandby)
}

// openConnections promotes the standby while the primary lives, and cuts the connections later.
func openConnections(t *testing.T) {
	t.Parallel()
	r := newReplicated(t, false)
	stays := r.one(t, r.address.Address())
	w := prepare(t, stays)
	third := stays.login("carol").text("token")
	r.standby.WaitCaughtUp(t)
	r.failOver(t) // while the primary lives
	moved := r.one(t, r.standbyHost(t))
	wantSplit(t, "an instance with open connections to the old one goes on with it", moved, stays, w.revoked)
	wantSplit(t, "what it ends is lost", stays, moved, w.others)
	r.address.Cut()
	until(t, "the service answers", func() bool { return stays.stores.ping(t.Context()) == nil })
	if got := stays.check(w.revoked).status; got != 401 {
		t.Errorf("got %d after the connections were cut, want 401", got)
	}
	if got := stays.logout(third).status; got != 204 {
		t.Errorf("got %d for a logout, want 204", got)
	}
	if got := moved.check(third).status; got != 401 {
		t.Errorf("got %d elsewhere, want 401", got)
	}
	row(t, "PostgreSQL, two primaries: the proxy cuts the connections to the old one", "all instances agree again")
}

// synchronousSplit promotes a synchronous standby while the primary lives.
func synchronousSplit(t *testing.T) {
	t.Parallel()
	r := newReplicated(t, true)
	stays := r.one(t, r.address.Address())
	w := prepare(t, stays)
	r.failOver(t)
	moved := r.one(t, r.standbyHost(t))
	wantSplit(t, "synchronous replication, an instance with open connections", moved, stays, w.revoked)
	if got := stays.logout(w.others); got.status != 503 {
		t.Errorf("got %d for a logout at the old primary, want 503", got.status)
	}
}

// shortConnections has connections that end by themselves.
func shortConnections(t *testing.T) {
	t.Parallel()
	r := newReplicated(t, false)
	db, stays := r.opened(t, r.address.Address())
	db.Writer().SetConnMaxLifetime(2 * time.Second)
	w := prepare(t, stays)
	r.standby.WaitCaughtUp(t)
	r.failOver(t) // while the primary lives, and nothing cuts the connections
	ended := time.Now()
	if got := r.one(t, r.standbyHost(t)).logout(w.revoked).status; got != 204 {
		t.Fatalf("got %d for a logout, want 204", got)
	}
	until(t, "the instance is at the new primary", func() bool { return stays.check(w.revoked).status == 401 })
	row(t, "PostgreSQL, two primaries: SetConnMaxLifetime of 2 s", fmt.Sprint("all instances agree after ",
		time.Since(ended).Round(100*time.Millisecond)))
}

// oldPrimaryBack starts the old primary again, as a primary.
func oldPrimaryBack(t *testing.T) {
	t.Parallel()
	r, moved, both, w := twoServers(t)
	r.primary.Start(t)
	_, stores := postgreSQLStores(t, both, sqlstore.Config{})
	s := newService(t, stores, newSigningKey(t), &logText{})
	wantSplit(t, "the old one is back, and comes first in the DSN", moved, s, w.revoked)
}

// oldPrimaryStandby starts the old primary again, as a standby.
func oldPrimaryStandby(t *testing.T) {
	t.Parallel()
	r, moved, both, w := twoServers(t)
	r.primary.StartAsStandby(t)
	_, stores := postgreSQLStores(t, both, sqlstore.Config{})
	s := newService(t, stores, newSigningKey(t), &logText{})
	if got := moved.logout(w.revoked).status; got != 204 {
		t.Fatalf("got %d for a logout, want 204", got)
	}
	if got := s.check(w.revoked).status; got != 401 {
		t.Errorf("got %d for a token that was ended, want 401", got)
	}
	row(t, "PostgreSQL, the old primary is back as a standby, and the DSN has target_session_attrs=read-write",
		"all instances use the new one")
}

// twoServers kills the primary and promotes the standby. It returns a service on the new primary, and a DSN that names
// both, the old one first.
func twoServers(t *testing.T) (r *replicated, moved *service, both string, w *things) {
	t.Helper()
	r = newReplicated(t, false)
	s := r.one(t, r.address.Address())
	w = prepare(t, s)
	r.standby.WaitCaughtUp(t)
	r.primary.Kill(t)
	r.standby.Promote(t)
	both = at(t, r.database.DSN, hostOf(t, r.database.URL)+","+r.standbyHost(t), "target_session_attrs=read-write")
	return r, r.one(t, r.standbyHost(t)), both, w
}

// TestUnitReplicaByMistake has connections go to a standby that was not promoted, and which lags.
func TestUnitReplicaByMistake(t *testing.T) {
	t.Parallel()
	onlyFull(t)
	for settings, want := range map[string]int{"": 200, "target_session_attrs=read-write": 503} {
		name := "a check by a standby that lags is refused with target_session_attrs=read-write"
		if settings == "" {
			name = "a check by a standby that lags finds what was ended without target_session_attrs"
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newReplicated(t, false)
			log := &logText{}
			_, stores := postgreSQLStores(t, at(t, r.database.DSN, r.address.Address(), settings), sqlstore.Config{})
			s := newService(t, stores, newSigningKey(t), log)
			w := prepare(t, s)
			r.standby.WaitCaughtUp(t)
			r.wire.Hold()
			w.change(t, s)
			r.address.Point(r.standbyHost(t))
			r.address.Cut()
			var got int
			until(t, "the connections are at the standby", func() bool {
				got = s.check(w.revoked).status
				return got == want
			})
			if change := s.login("carol").status; change != 503 {
				t.Errorf("got %d for a login at a standby, want 503", change)
			}
			words := "this is a replica"
			if want == 503 {
				words = "read only"
			}
			if !log.has(words) {
				t.Errorf("the log does not say %q:\n%s", words, log)
			}
			row(t, "PostgreSQL, an address that leads to a standby: "+name, fmt.Sprint("check of an ended token ", got))
		})
	}
}
