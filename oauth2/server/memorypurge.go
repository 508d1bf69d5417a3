package server

import (
	"context"
	"time"

	"github.com/gatewarden/auth/internal/expiry"
)

// expiring is what of a [MemoryStore] expires first, by the keys of its maps.
type expiring struct {
	grants, access, refresh, interactions, once *expiry.Queue[string]
}

func (s *MemoryStore) newExpiring() expiring {
	return expiring{
		grants:       expiry.NewOfMap(s.grants, (*grantRecord).until),
		access:       expiry.New(s.accessExpiry, s.access.Len),
		refresh:      expiry.NewOfMap(s.refresh, func(r *Refresh) time.Time { return r.ExpiresAt }),
		interactions: expiry.NewOfMap(s.interactions, func(i *Interaction) time.Time { return i.ExpiresAt }),
		once:         expiry.NewOfMap(s.once, func(until time.Time) time.Time { return until }),
	}
}

// Purge implements [Store]. Others have their turn meanwhile.
func (s *MemoryStore) Purge(ctx context.Context, now time.Time, limit int) (int, error) {
	step := func(queue *expiry.Queue[string], remove func(key string)) func(limit int) (int, bool) {
		return expiry.Step(&s.mu, queue, now, remove)
	}
	return expiry.PurgeAll(ctx, limit,
		step(s.expiring.grants, func(id string) { s.remove(s.grants[id]) }),
		step(s.expiring.access, func(digest string) {
			e := s.access.Get(digest)
			s.access.Remove(digest)
			delete(e.of.access, digest)
		}),
		step(s.expiring.refresh, func(digest string) {
			r := s.refresh[digest]
			delete(s.refresh, digest)
			delete(s.grants[r.GrantID].refresh, digest)
		}),
		step(s.expiring.interactions, s.removePage),
		step(s.expiring.once, func(key string) { delete(s.once, key) }))
}
