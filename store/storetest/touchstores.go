package storetest

import (
	"time"

	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/session"
)

// knoxTouched is a store of knox for checkTouches.
func knoxTouched(s knoxStore) touchStore {
	recordOf := func(user, id string, expires time.Duration) *knox.Record {
		r := record(user, id, -time.Hour)
		r.ExpiresAt = noon.Add(expires)
		return r
	}
	return touchStore{
		pair: isPair(s.Store),
		add: func(user, id string, expires time.Duration, limit int, now time.Duration) bool {
			ending := knox.Ending{At: noon.Add(now)}
			added, err := s.Add(s.t.Context(), recordOf(user, id, expires), limit, false, ending)
			if err != nil {
				s.t.Error(err)
			}
			return !added.OverLimit
		},
		find: func(user, id string) (used, expires time.Duration, found bool) {
			if r := s.find(recordOf(user, id, 0).Digest); r != nil {
				return r.LastUsed.Sub(noon), r.ExpiresAt.Sub(noon), true
			}
			return 0, 0, false
		},
		touch: func(user, id string, used, expires, liveUntil time.Duration) {
			s.touch(recordOf(user, id, liveUntil), noon.Add(used), noon.Add(expires))
		},
		list: func(user, after string, limit int, now time.Duration) []string {
			return s.page(user, after, limit, noon.Add(now))
		},
		end: func(user, id string) {
			if found, err := s.Revoke(s.t.Context(), user, id, revokedAtNoon); !found || err != nil {
				s.t.Errorf("Revoke: %v, %v, want true", found, err)
			}
		},
		purge: func(limit int, now time.Duration) (ids []string) {
			purged, err := s.Purge(s.t.Context(), limit, knox.Ending{Reason: knox.EndExpired, At: noon.Add(now)})
			if err != nil {
				s.t.Error(err)
			}
			for _, r := range purged {
				ids = append(ids, r.ID)
			}
			return ids
		},
	}
}

// sessionTouched is a store of sessions for checkTouches.
func sessionTouched(s sessionStore) touchStore {
	recordOf := func(user, id string, expires time.Duration) *session.Record {
		r := sessionRecord(user, id, -time.Hour)
		r.ExpiresAt = noon.Add(expires)
		return r
	}
	return touchStore{
		pair: isPair(s.Store),
		add: func(user, id string, expires time.Duration, limit int, now time.Duration) bool {
			added, err := s.Add(s.t.Context(), recordOf(user, id, expires), "", limit, false, noon.Add(now))
			if err != nil {
				s.t.Error(err)
			}
			return !added.OverLimit
		},
		find: func(user, id string) (used, expires time.Duration, found bool) {
			if r := s.find(recordOf(user, id, 0).Digest); r != nil {
				return r.LastUsed.Sub(noon), r.ExpiresAt.Sub(noon), true
			}
			return 0, 0, false
		},
		touch: func(user, id string, used, expires, liveUntil time.Duration) {
			s.touch(recordOf(user, id, liveUntil), noon.Add(used), noon.Add(expires))
		},
		list: func(user, after string, limit int, now time.Duration) []string {
			return s.page(user, after, limit, noon.Add(now))
		},
		end: func(user, id string) {
			if found, err := s.Revoke(s.t.Context(), user, id); !found || err != nil {
				s.t.Errorf("Revoke: %v, %v, want true", found, err)
			}
		},
		purge: func(limit int, now time.Duration) (ids []string) {
			purged, err := s.Purge(s.t.Context(), noon.Add(now), limit)
			if err != nil {
				s.t.Error(err)
			}
			for _, r := range purged {
				ids = append(ids, r.ID)
			}
			return ids
		},
	}
}
