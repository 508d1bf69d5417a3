package failover

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/gatewarden/auth/faults/internal/proxy"
	"github.com/gatewarden/auth/internal/testserver"
	"github.com/gatewarden/auth/store/cached"
	"github.com/gatewarden/auth/store/sqlstore"
	"github.com/gatewarden/auth/store/sqlstore/pgnotify"
)

// The channel and the longest time for which pgnotify says that a revocation elsewhere may be missed.
const (
	channel   = "gatewarden_faults"
	staleFor  = 4 * time.Second
	machine   = 2 * time.Second // that a busy machine may add
	cacheTime = time.Minute     // the TTL of the caches, far above
)

// listening is an instance with a cache that hears of revocations, and one without that revokes.
type listening struct {
	server   *testserver.Server
	caches   *service
	revokes  *service
	listener *proxy.Proxy // of the connection that hears
	pool     *proxy.Proxy // of the other connections of the instance with the cache
}

// hear tells a cache of revocations until the test ends.
func hear(t testing.TB, dsn string, cache cached.Cache, log *logText) {
	t.Helper()
	listener := must[*pgnotify.Listener](t)(pgnotify.Listen(t.Context(), pgnotify.Config{DSN: dsn, Channel: channel,
		Caches: []cached.Cache{cache}, Logger: log.logger()}))
	t.Cleanup(listener.Close)
}

func newListening(t testing.TB) *listening {
	t.Helper()
	l := &listening{server: testserver.NewPostgreSQL(t)}
	database, log := l.server.Database(t), &logText{}
	// The server acknowledges what is on its disk, as it does by default. Those of tests are faster otherwise.
	dsn := at(t, database.DSN, hostOf(t, database.URL), "synchronous_commit=on")
	l.listener, l.pool = proxy.New(t, hostOf(t, dsn)), proxy.New(t, hostOf(t, dsn))
	config := sqlstore.Config{NotifyChannel: channel, Logger: log.logger()}
	_, elsewhere := postgreSQLStores(t, dsn, config)
	l.revokes = newService(t, elsewhere, newSigningKey(t), &logText{})
	_, stores := postgreSQLStores(t, at(t, dsn, l.pool.Address(), ""), config)
	tokens := must[*cached.KnoxStore](t)(cached.Knox(stores.knox, cached.Config{TTL: cacheTime}))
	hear(t, at(t, dsn, l.listener.Address(), ""), tokens, log)
	stores.knox, stores.touchInterval = tokens, time.Hour
	l.caches = newService(t, stores, newSigningKey(t), log)
	return l
}

// cachedToken returns a token that the cache believes.
func (s *service) cachedToken(t testing.TB) string {
	t.Helper()
	token := s.login("alice").text("token")
	for range 2 { // the first use is written, which drops it from the cache
		if got := s.check(token).status; got != 200 {
			t.Fatalf("got %d for a new token, want 200", got)
		}
	}
	return token
}

// watchYes checks a token all the time, and returns the times at which it was good and the answers in all. The check
// that finds a silent server waits until its own end, so several run at once.
func (s *service) watchYes(token string) (stop func() (yes time.Time, answers map[int]int)) {
	var mu sync.Mutex
	var running sync.WaitGroup
	var last time.Time
	counts, stopped := map[int]int{}, make(chan struct{})
	for range 4 {
		running.Go(func() {
			next := time.NewTicker(pause)
			defer next.Stop()
			for {
				select {
				case <-stopped:
					return
				case <-next.C:
				}
				asked := time.Now()
				status := s.sendIn(time.Second, "GET", "/me", "Token "+token, "").status
				mu.Lock()
				counts[status]++
				if status == 200 && asked.After(last) {
					last = asked
				}
				mu.Unlock()
			}
		})
	}
	return func() (time.Time, map[int]int) {
		close(stopped)
		running.Wait()
		return last, counts
	}
}

func TestUnitNotificationsUnderFaults(t *testing.T) {
	t.Parallel()
	const allSilent = "all connections of the instance are silent"
	for name, fault := range map[string]struct {
		hurt func(t *testing.T, l *listening)
		heal func(t *testing.T, l *listening)
	}{
		"the connection that hears is cut": {
			func(_ *testing.T, l *listening) { l.listener.Refuse(); l.listener.Cut() },
			func(_ *testing.T, l *listening) { l.listener.Resume() },
		},
		"the connection that hears is silent": {
			func(_ *testing.T, l *listening) { l.listener.Hold() },
			func(_ *testing.T, l *listening) { l.listener.Resume() },
		},
		allSilent: {
			func(_ *testing.T, l *listening) { l.listener.Hold(); l.pool.Hold() },
			func(_ *testing.T, l *listening) { l.listener.Resume(); l.pool.Resume() },
		},
	} {
		t.Run(name+": no yes is older than the bound", func(t *testing.T) {
			t.Parallel()
			if name != allSilent { // the tests of pgnotify have the others, with a shorter bound
				onlyFull(t)
			}
			l := newListening(t)
			revoked, other := l.caches.cachedToken(t), l.caches.cachedToken(t)
			fault.hurt(t, l)
			stop := l.caches.watchYes(revoked)
			if got := l.revokes.logout(revoked).status; got != 204 {
				t.Errorf("got %d for a logout elsewhere, want 204", got)
			}
			acknowledged := time.Now()
			until(t, "the caches are suspended", func() bool { return l.caches.log.has("caches are suspended") })
			suspended := time.Now()
			if got := l.caches.sendIn(time.Second, "GET", "/me", "Token "+revoked, "").status; got == 200 {
				t.Error("got 200 for a token that was revoked elsewhere while the caches are suspended")
			}
			yes, answers := stop()
			stale := max(0, yes.Sub(acknowledged))
			if stale > staleFor+machine {
				t.Errorf("a token that was revoked elsewhere was good for %v, want at most %v", stale, staleFor)
			}
			for status := range answers {
				if status != 200 && status != 401 && status != 503 {
					t.Errorf("got the answers %v, want 200, 401 and 503 only", answers)
				}
			}
			fault.heal(t, l)
			l.wantBack(t, revoked, other)
			row(t, "pgnotify, "+name, fmt.Sprintf("stale yes for %v, caches suspended after %v",
				stale.Round(time.Millisecond), suspended.Sub(acknowledged).Round(time.Millisecond)))
		})
	}
}

// wantBack fails unless the caches are used again, and told of revocations.
func (l *listening) wantBack(t *testing.T, revoked, other string) {
	t.Helper()
	until(t, "the connection is back", func() bool { return l.caches.log.has("connection is back") })
	if got := l.caches.check(revoked).status; got != 401 {
		t.Errorf("got %d for a token that was revoked elsewhere, want 401", got)
	}
	until(t, "the cache answers while the database does not", func() bool {
		if l.caches.check(other).status != 200 {
			return false
		}
		l.pool.Hold()
		defer l.pool.Resume()
		return l.caches.sendIn(time.Second, "GET", "/me", "Token "+other, "").status == 200
	})
	if got := l.revokes.logout(other).status; got != 204 {
		t.Errorf("got %d for a logout elsewhere, want 204", got)
	}
	until(t, "the cache is told", func() bool { return l.caches.check(other).status == 401 })
}

func TestUnitNotificationsAfterARestart(t *testing.T) {
	t.Parallel()
	onlyFull(t)
	t.Run("a server that was killed and is back: only 503s meanwhile, and caches go on", func(t *testing.T) {
		t.Parallel()
		l := newListening(t)
		revoked, other := l.caches.cachedToken(t), l.caches.cachedToken(t)
		if got := l.revokes.logout(revoked).status; got != 204 {
			t.Fatalf("got %d for a logout elsewhere, want 204", got)
		}
		stop := l.caches.watchYes(other)
		l.server.Kill(t)
		until(t, "no check is answered", func() bool { return l.caches.check(other).status == 503 })
		if got := l.caches.check(revoked).status; got == 200 {
			t.Error("got 200 for a token that was revoked")
		}
		l.server.Start(t)
		l.wantBack(t, revoked, other)
		_, answers := stop()
		row(t, "pgnotify, server killed and restarted", fmt.Sprintf("checks of a live token by status: %v", answers))
	})
}
