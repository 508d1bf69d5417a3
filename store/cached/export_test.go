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

// Apart returns a store, made anew until these users, the client web and the grant 1 have slots of their own. A test
// can then say that one of them is kept when another is forgotten.
func Apart[S any](fresh func() (S, error), users ...string) (S, error) {
	for {
		store, err := fresh()
		if err != nil {
			return store, err
		}
		var slot func(owner) uint16
		switch s := any(store).(type) {
		case *KnoxStore:
			slot = s.records.slot
		case *OAuthStore:
			slot = s.access.slot
		}
		used := map[uint16]bool{slot(owner{client, "web"}): true, slot(owner{grant, "1"}): true}
		for _, id := range users {
			used[slot(owner{user, id})] = true
		}
		if len(used) == len(users)+2 {
			return store, nil
		}
	}
}

// Len returns how many records are kept.
func (s *KnoxStore) Len() int { return len(s.records.entries) }
