package failover

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/internal/testserver"
	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/store/sqlstore"
)

// lastUses returns the last use of each token of alice by its identifier, as the store has it.
func (s *service) lastUses(t testing.TB) map[string]time.Time {
	t.Helper()
	uses := make(map[string]time.Time)
	for _, r := range must[[]*knox.Record](t)(s.stores.knox.List(t.Context(), "alice", "", 100, time.Now())) {
		uses[r.ID] = r.LastUsed
	}
	return uses
}

// find returns the record of a token.
func (s *service) find(t testing.TB, token string) *knox.Record {
	t.Helper()
	return must[*knox.Record](t)(s.stores.knox.Find(t.Context(), backend.TokenDigest(token, "")))
}

// purger is the purge of a store as auth.PurgeEvery calls it.
type purger struct{ store knox.Store }

func (p purger) Purge(ctx context.Context, limit int) (int, error) {
	purged, err := p.store.Purge(ctx, limit, knox.Ending{Reason: knox.EndExpired, At: time.Now()})
	return len(purged), err
}

// addExpired adds tokens of mallory that have expired.
func addExpired(t testing.TB, s *service, n int) {
	t.Helper()
	past := backend.StoreTime(time.Now().Add(-time.Hour))
	for range n {
		r := &knox.Record{Digest: digest(), ID: backend.NewID(), UserID: "mallory", Created: past,
			ExpiresAt: past.Add(time.Minute)}
		if _, err := s.stores.knox.Add(t.Context(), r, 0, false, knox.Ending{At: past}); err != nil {
			t.Fatal(err)
		}
	}
}

// expiredLeft returns how many tokens of mallory are stored.
func expiredLeft(t testing.TB, db *sqlstore.DB) (n int) {
	t.Helper()
	const query = `SELECT COUNT(*) FROM gatewarden_knox_tokens WHERE user_id = 'mallory'`
	if err := db.Reader().QueryRowContext(t.Context(), query).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestUnitTouchesAndPurgesInAFailover(t *testing.T) {
	t.Parallel()
	t.Run("a use that is written after a failover brings no token back, and purges go on", func(t *testing.T) {
		t.Parallel()
		r, log := newReplicated(t, false), &logText{}
		direct := r.one(t, hostOf(t, r.database.URL))
		dsn := at(t, r.database.DSN, r.address.Address(), "")
		_, stores := postgreSQLStores(t, dsn, sqlstore.Config{Logger: log.logger()})
		s := newService(t, stores, newSigningKey(t), log)
		used, revoked := s.usesThatWait(t, r, direct)
		if got := direct.logout(revoked).status; got != 204 {
			t.Fatalf("got %d for a logout, want 204", got)
		}
		addExpired(t, direct, 250)
		r.standby.WaitCaughtUp(t)
		purging, stop := context.WithCancel(t.Context())
		defer stop()
		go auth.PurgeEvery(purging, 100*time.Millisecond, log.logger(), purger{s.stores.knox})
		r.primary.Kill(t)
		r.address.Resume()
		until(t, "the purge fails", func() bool { return log.has("cannot purge") })
		until(t, "the uses fail", func() bool { return log.has("cannot write last uses") })
		r.failOver(t)
		until(t, "the uses are written", func() bool { return log.has("last uses are written again") })
		moved, after := r.opened(t, r.standbyHost(t))
		if id := s.find(t, used).ID; after.lastUses(t)[id].IsZero() {
			t.Error("the last use of a token was not written after the failover")
		}
		for _, instance := range []*service{s, after} {
			if got := instance.check(revoked).status; got != 401 {
				t.Errorf("got %d for a token that was revoked while its use waited, want 401", got)
			}
			if got := instance.check(used).status; got != 200 {
				t.Errorf("got %d for the other token, want 200", got)
			}
		}
		until(t, "the purge goes on", func() bool { return expiredLeft(t, moved) == 0 })
		row(t, "PostgreSQL, last uses and a purge in a failover",
			"written and done after it, and no revoked token is back")
	})
}

// opened is one, with its database.
func (r *replicated) opened(t testing.TB, address string) (*sqlstore.DB, *service) {
	t.Helper()
	log := &logText{}
	db, stores := postgreSQLStores(t, at(t, r.database.DSN, address, ""), sqlstore.Config{Logger: log.logger()})
	return db, newService(t, stores, newSigningKey(t), log)
}

// usesThatWait returns two tokens with last uses that wait in the service while the address is silent. Uses wait for a
// second, so a busy machine may have written them before the address is silent. Then it tries again.
func (s *service) usesThatWait(t testing.TB, r *replicated, direct *service) (first, second string) {
	t.Helper()
	until(t, "uses wait", func() bool {
		r.address.Resume()
		first, second = s.login("alice").text("token"), s.login("alice").text("token")
		if s.check(first).status != 200 || s.check(second).status != 200 {
			t.Fatal("a new token is not good")
		}
		r.address.Hold()
		return direct.find(t, first).LastUsed.IsZero() && direct.find(t, second).LastUsed.IsZero()
	})
	return first, second
}

func TestUnitTouchesWhileTheServerIsDown(t *testing.T) {
	t.Parallel()
	onlyFull(t)
	t.Run("last uses that wait are bounded, and written when the server is back", func(t *testing.T) {
		t.Parallel()
		server, log := testserver.NewPostgreSQL(t), &logText{}
		dsn := at(t, server.Database(t).DSN, hostOf(t, server.Admin().URL), "synchronous_commit=on")
		db, stores := postgreSQLStores(t, dsn, sqlstore.Config{Logger: log.logger()})
		_, others := postgreSQLStores(t, dsn, sqlstore.Config{})
		s := newService(t, stores, newSigningKey(t), log)
		elsewhere := newService(t, others, newSigningKey(t), &logText{})
		token := s.login("alice").text("token")
		if got := s.check(token).status; got != 200 {
			t.Fatalf("got %d for a new token, want 200", got)
		}
		used := s.find(t, token).LastUsed // with what waits
		server.Kill(t)
		kept, dropped := touchMany(t, stores.knox, 70_000)
		if kept > 65_536 || dropped == 0 {
			t.Errorf("got %d uses kept and %d dropped, want at most 65,536 kept", kept, dropped)
		}
		until(t, "the log says it", func() bool { return log.has("cannot write last uses") })
		server.Start(t)
		until(t, "the last use is what it was before the server was killed", func() bool {
			return !used.IsZero() && elsewhere.find(t, token).LastUsed.Equal(used)
		})
		until(t, "nothing waits", func() bool { s.check(token); return log.has("last uses are written again") })
		if err := db.Close(); err != nil {
			t.Errorf("got %v, want that no use is lost", err)
		}
		row(t, "PostgreSQL, last uses while the server is down",
			fmt.Sprintf("%d wait, %d dropped, all written after it", kept, dropped))
	})
}

// touchMany uses so many tokens, and returns how many uses wait and how many were dropped.
func touchMany(t *testing.T, store knox.Store, n int) (kept, dropped int) {
	t.Helper()
	now := backend.StoreTime(time.Now())
	for i := range n {
		err := store.Touch(t.Context(), knox.Touch{Digest: fmt.Sprint("digest ", i), Used: now,
			ExpiresAt: now.Add(2 * time.Hour), LiveUntil: now.Add(time.Hour)})
		if errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		if err == nil {
			kept++
		} else {
			dropped++
		}
	}
	return kept, dropped
}
