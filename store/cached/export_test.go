package cached

import "time"

// At has a store of this package take an instant for now.
func At[S any](store S, now time.Time) S {
	clock := func() time.Time { return now }
	switch s := any(store).(type) {
	case *KnoxStore:
		s.records.now = clock
	case *SessionStore:
		s.records.now = clock
	case *OAuthStore:
		s.access.now, s.clients.now = clock, clock
	case *JWTStore:
		s.valid.now = clock
	}
	return store
}

// Len returns how many records are kept.
func (s *KnoxStore) Len() int { return len(s.records.entries) }
