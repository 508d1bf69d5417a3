package storetest

import (
	"fmt"
	"sync"
	"testing"
)

// limited is a store that counts what a user has against a limit.
type limited struct {
	// fill adds the i-th of those that are there before, without a limit.
	fill func(i int)
	// add adds the i-th of those that come at once, and reports whether it was added and
	// what made room.
	add func(i, limit int, evict bool) (added bool, evicted []string, err error)
	// count returns how many are live.
	count func() int
}

// checkLimitRace checks that a limit that is nearly reached holds for many at once.
func checkLimitRace(t *testing.T, open func(t *testing.T) limited) {
	const limit, before, many = 100, 80, 60
	for _, evict := range []bool{false, true} {
		t.Run(fmt.Sprintf("60 at once with room for 20 leave exactly the limit, evicting %v", evict), func(t *testing.T) {
			s := open(t)
			for i := range before {
				s.fill(i)
			}
			var mu sync.Mutex
			added, evicted := 0, map[string]bool{}
			parallel(many, func(i int) {
				ok, ids, err := s.add(i, limit, evict)
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					t.Error(err)
				}
				if ok {
					added++
				}
				for _, id := range ids {
					if evicted[id] {
						t.Errorf("%s was evicted twice", id)
					}
					evicted[id] = true
				}
			})
			wantAdded, wantEvicted := limit-before, 0
			if evict {
				wantAdded, wantEvicted = many, before+many-limit
			}
			if n := s.count(); n != limit || added != wantAdded || len(evicted) != wantEvicted {
				t.Errorf("got %d live, %d added, %d evicted, want %d, %d and %d", n, added, len(evicted), limit, wantAdded, wantEvicted)
			}
		})
	}
}
