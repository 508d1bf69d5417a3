package storetest

import (
	"fmt"
	"testing"
)

// limitStore is a store that counts what a user has against a limit.
type limitStore struct {
	// fill adds the i-th of those that are there before, without a limit.
	fill func(i int)
	// add adds the i-th of those that come at once, and reports whether it was added and
	// what made room.
	add func(i, limit int, evict bool) (added bool, evicted []string, err error)
	// count returns how many are live.
	count func() int
}

// checkLimitRace checks that a limit that is nearly reached holds for many at once.
func checkLimitRace(t *testing.T, open openFunc[limitStore]) {
	const limit, before, many = 100, 80, 60
	for _, row := range []struct {
		evict              bool
		wantAdded, evicted int
	}{{false, limit - before, 0}, {true, many, before + many - limit}} {
		sentence := fmt.Sprintf("60 at once with room for 20 leave exactly the limit, evicting %v", row.evict)
		check(t, open, sentence, func(t *testing.T, open openFunc[limitStore]) {
			s := open(t)
			for i := range before {
				s.fill(i)
			}
			added, evicted := s.addAtOnce(t, many, limit, row.evict)
			if n := s.count(); n != limit || added != row.wantAdded || evicted != row.evicted {
				t.Errorf("got %d live, %d added, %d evicted, want %d, %d and %d",
					n, added, evicted, limit, row.wantAdded, row.evicted)
			}
		})
	}
}

// addAtOnce adds many at once, and returns how many were added and evicted. It fails if one is
// evicted twice.
func (s limitStore) addAtOnce(t *testing.T, many, limit int, evict bool) (added, evicted int) {
	t.Helper()
	var told, gone tally
	atOnce(many, func(i int) {
		ok, ids, err := s.add(i, limit, evict)
		if err != nil {
			t.Error(err)
		} else if ok {
			told.add(fmt.Sprint(i))
		}
		gone.add(ids...)
	})
	gone.wantOnce(t, "was evicted")
	return len(told.counts), len(gone.counts)
}
