package failover

import (
	"fmt"
	"testing"
	"time"

	"github.com/gatewarden/auth/store/cached"
	"github.com/gatewarden/auth/store/sqlstore"
)

// hearing starts an instance with a cache on one address, which hears of revocations by another one.
func (r *replicated) hearing(t testing.TB, pool, listener string, ttl time.Duration) *service {
	t.Helper()
	log := &logText{}
	_, stores := postgreSQLStores(t, at(t, r.database.DSN, pool, ""),
		sqlstore.Config{NotifyChannel: channel, Logger: log.logger()})
	tokens := must[*cached.KnoxStore](t)(cached.Knox(stores.knox, cached.Config{TTL: ttl}))
	hear(t, at(t, r.database.DSN, listener, ""), tokens, log)
	stores.knox, stores.touchInterval = tokens, time.Hour
	return newService(t, stores, newSigningKey(t), log)
}

func TestUnitNotificationsInAFailover(t *testing.T) {
	t.Parallel()
	onlyFull(t)
	t.Run("a listener follows the address to the new primary and hears what is revoked there", func(t *testing.T) {
		t.Parallel()
		r := newReplicated(t, false)
		s := r.hearing(t, r.address.Address(), r.address.Address(), cacheTime)
		token := s.cachedToken(t)
		r.standby.WaitCaughtUp(t)
		r.primary.Kill(t)
		until(t, "no check is answered from the cache", func() bool { return s.check(token).status == 503 })
		r.failOver(t)
		until(t, "the connection is back", func() bool { return s.log.has("connection is back") })
		until(t, "the token is cached again", func() bool { return s.check(token).status == 200 })
		r.revokeElsewhere(t, token)
		revoked := time.Now()
		until(t, "the cache is told", func() bool { return s.check(token).status == 401 })
		if took := time.Since(revoked); took > staleFor+machine {
			t.Errorf("the revocation took %v, want at most %v", took, staleFor)
		}
		row(t, "pgnotify, failover", "503 meanwhile, and revocations at the new primary are heard")
	})
	t.Run("a listener that stays with an old primary hears nothing, and the TTL is the bound", func(t *testing.T) {
		t.Parallel()
		const ttl = 5 * time.Second
		r := newReplicated(t, false)
		s := r.hearing(t, r.address.Address(), hostOf(t, r.database.URL), ttl)
		token := s.cachedToken(t)
		r.standby.WaitCaughtUp(t)
		r.failOver(t) // while the old primary lives
		r.address.Cut()
		until(t, "the service answers", func() bool { return s.stores.ping(t.Context()) == nil })
		until(t, "the token is cached again", func() bool { return s.check(token).status == 200 })
		r.revokeElsewhere(t, token)
		stop := s.watchYes(token)
		revoked := time.Now()
		until(t, "the token is refused", func() bool { return s.check(token).status == 401 })
		yes, _ := stop()
		if stale := yes.Sub(revoked); stale > ttl+machine {
			t.Errorf("the token was good for %v, want at most the TTL %v", stale, ttl)
		}
		if s.log.has("suspended") {
			t.Errorf("the listener noticed something, which it cannot:\n%s", s.log)
		}
		row(t, "pgnotify, listener with an old primary that lives", fmt.Sprintf("stale yes for %v with a TTL of %v",
			max(0, yes.Sub(revoked)).Round(time.Millisecond), ttl))
	})
}

// revokeElsewhere revokes a token by another instance, on the new primary.
func (r *replicated) revokeElsewhere(t testing.TB, token string) {
	t.Helper()
	other := r.hearing(t, r.standbyHost(t), r.standbyHost(t), cacheTime)
	if got := other.logout(token).status; got != 204 {
		t.Fatalf("got %d for a logout, want 204", got)
	}
}
