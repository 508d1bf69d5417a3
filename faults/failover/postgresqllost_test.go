package failover

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/gatewarden/auth/store/sqlstore"
)

// one starts a service on the address of the primary.
func (r *replicated) one(t testing.TB, address string) *service {
	t.Helper()
	log := &logText{}
	_, stores := postgreSQLStores(t, at(t, r.database.DSN, address, ""), sqlstore.Config{Logger: log.logger()})
	return newService(t, stores, newSigningKey(t), log)
}

func TestUnitWhatPostgreSQLLoses(t *testing.T) {
	t.Parallel()
	onlyFull(t)
	t.Run("asynchronous replication loses what the standby had not received", func(t *testing.T) {
		t.Parallel()
		r := newReplicated(t, false)
		s := r.one(t, r.address.Address())
		w := prepare(t, s)
		r.standby.WaitCaughtUp(t)
		r.wire.Hold()
		w.change(t, s)
		r.primary.Kill(t)
		r.failOver(t)
		until(t, "the service answers", func() bool { return s.stores.ping(t.Context()) == nil })
		w.wantLost(t, s)
		lostRow(t, "PostgreSQL, asynchronous standby that lags")
	})
	t.Run("asynchronous replication loses nothing that the standby had received", func(t *testing.T) {
		t.Parallel()
		r := newReplicated(t, false)
		s := r.one(t, r.address.Address())
		w := prepare(t, s)
		w.change(t, s)
		r.standby.WaitCaughtUp(t)
		r.primary.Kill(t)
		r.failOver(t)
		until(t, "the service answers", func() bool { return s.stores.ping(t.Context()) == nil })
		w.wantKept(t, s)
		row(t, "PostgreSQL, asynchronous standby that has caught up", "nothing is lost")
	})
	t.Run("synchronous replication acknowledges nothing while the standby does not answer", silentStandby)
	t.Run("changes that wait for a silent standby take the connections of checks", waitingChanges)
}

// silentStandby has a synchronous standby that does not answer.
func silentStandby(t *testing.T) {
	t.Parallel()
	r := newReplicated(t, true)
	s := r.one(t, r.address.Address())
	w := prepare(t, s)
	r.wire.Hold()
	logout, login := make(chan reply, 1), make(chan reply, 1)
	go func() { logout <- s.logout(w.revoked) }()
	go func() { login <- s.login("carol") }()
	for what, answer := range map[string]chan reply{"logout": logout, "login": login} {
		if got := <-answer; got.status != 503 || got.took > answerIn+machine {
			t.Errorf("got %d for a %s after %v, want 503 within %v", got.status, what, got.took, answerIn)
		} else {
			row(t, "PostgreSQL, synchronous standby that is silent: "+what,
				"503 after "+got.took.Round(time.Second).String())
		}
	}
	if got := s.check(w.others); got.status != 200 {
		t.Errorf("got %d for a check, want that checks go on", got.status)
	}
	before := s.check(w.revoked).status
	r.primary.Kill(t)
	r.failOver(t)
	until(t, "the service answers", func() bool { return s.stores.ping(t.Context()) == nil })
	after := s.check(w.revoked).status
	if before != 401 || after != 200 {
		t.Errorf("got %d before the failover and %d after it, want 401 and 200: PostgreSQL gave up waiting for the "+
			"standby, and kept the logout on the primary alone", before, after)
	}
	row(t, "PostgreSQL, synchronous standby that is silent: a logout that was answered with 503",
		"in force until the failover, and not after it")
}

// waitingChanges has more changes wait for a silent standby than there are connections.
func waitingChanges(t *testing.T) {
	t.Parallel()
	r := newReplicated(t, true)
	db, s := r.opened(t, r.address.Address())
	w := prepare(t, s)
	r.wire.Hold()
	var logins sync.WaitGroup
	for i := range 3 * poolSize {
		logins.Go(func() {
			if got := s.login(fmt.Sprint("user", i)).status; got != 503 {
				t.Errorf("got %d for a login, want 503", got)
			}
		})
	}
	until(t, "all connections wait", func() bool { return db.Reader().Stats().InUse == poolSize })
	got := s.check(w.others)
	logins.Wait()
	if got.took < time.Second {
		t.Errorf("got a check after %v, want that it waits for a connection as docs/operations.md says", got.took)
	}
	again := s.check(w.others)
	if again.status != 200 {
		t.Errorf("got %d for a check when no change waits, want 200", again.status)
	}
	row(t, "PostgreSQL, synchronous standby that is silent, more logins than connections: check of a live token",
		fmt.Sprintf("%d after %v", got.status, got.took.Round(100*time.Millisecond)))
}
