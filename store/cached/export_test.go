package cached

import "time"

// At has a store of this package take an instant for now.
func At[S any](store S, now time.Time) S {
	clock, stopped := func() time.Time { return now }, func() time.Duration { return 0 }
	switch s := any(store).(type) {
	case *KnoxStore:
		s.records.now, s.records.clock = clock, stopped
	case *SessionStore:
		s.records.now, s.records.clock = clock, stopped
	case *OAuthStore:
		s.access.now, s.clients.now, s.access.clock, s.clients.clock = clock, clock, stopped, stopped
	case *JWTStore:
		s.valid.now, s.valid.clock = clock, stopped
	}
	return store
}

// Len returns how many records are kept.
func (s *KnoxStore) Len() int { return len(s.records.entries) }
