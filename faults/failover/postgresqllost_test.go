package failover

import (
	"testing"

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
	if !full() {
		t.Skip("only in the long form")
	}
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
	t.Run("synchronous replication acknowledges nothing while the standby does not answer", func(t *testing.T) {
		t.Parallel()
		r := newReplicated(t, true)
		s := r.one(t, r.address.Address())
		w := prepare(t, s)
		r.wire.Hold()
		logout, login := make(chan reply, 1), make(chan reply, 1)
		go func() { logout <- s.logout(w.revoked) }()
		go func() { login <- s.login("carol") }()
		for what, answer := range map[string]chan reply{"logout": logout, "login": login} {
			if got := <-answer; got.status != 503 || got.took > answerIn+answerIn/10 {
				t.Errorf("got %d for a %s after %v, want 503 within %v", got.status, what, got.took, answerIn)
			} else {
				row(t, "PostgreSQL, synchronous standby that is silent: "+what, "503 after "+got.took.String())
			}
		}
		if got := s.check(w.others); got.status != 200 {
			t.Errorf("got %d for a check, want that checks go on", got.status)
		}
		r.primary.Kill(t)
		r.failOver(t)
		until(t, "the service answers", func() bool { return s.stores.ping(t.Context()) == nil })
		row(t, "PostgreSQL, synchronous standby that was silent: the token after a logout that was not acknowledged",
			"answer "+httpStatus(s.check(w.revoked)))
	})
}
