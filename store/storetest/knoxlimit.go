package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/gatewarden/auth/knox"
)

// knoxLimit checks the limit of Add, and what makes room.
func knoxLimit(t *testing.T, open openFunc[knoxStore]) {
	check(t, open, "over the limit nothing is added", knoxOverLimit)
	check(t, open, "expired records do not count against the limit and are not evicted", knoxLimitExpired)
	check(t, open, "eviction ends the oldest until there is room", knoxEvicts)
	check(t, open, "eviction passes over the spared record, unless it is the only one", knoxEvictsSpares)
	check(t, open, "records of another stamp do not count against the limit and are not evicted", knoxLimitStamp)
	check(t, open, "32 at once never exceed the limit", knoxLimitRace)
	checkLimitRace(t, knoxLimited(open))
}

func knoxOverLimit(t *testing.T, open openFunc[knoxStore]) {
	s := open(t)
	s.add(record("alice", "1", 0))
	never := record("alice", "2", 0)
	never.ExpiresAt = time.Time{}
	s.add(never)
	s.add(record("bob", "b", 0))
	added, err := s.Add(t.Context(), record("alice", "3", 0), 2, false, revokedAtNoon)
	if err != nil || !added.OverLimit || len(added.Evicted) != 0 {
		t.Errorf("Add: got %+v, %v, want OverLimit true and nothing evicted", added, err)
	}
	if got := s.list("alice", noon); len(got) != 2 {
		t.Errorf("listed %v afterwards, want 2 entries", got)
	}
}

func knoxLimitExpired(t *testing.T, open openFunc[knoxStore]) {
	s := open(t)
	expired := record("alice", "old", -2*time.Hour)
	expired.ExpiresAt = noon
	s.add(expired)
	s.add(record("alice", "1", 0))
	for _, evict := range []bool{false, true} {
		added, err := s.Add(t.Context(), record("alice", fmt.Sprint("2", evict), 0), 3, evict, revokedAtNoon)
		if err != nil || added.OverLimit || len(added.Evicted) != 0 {
			t.Errorf("evict %v: %+v, %v, want OverLimit to be false and nothing evicted", evict, added, err)
		}
	}
	if s.find(expired.Digest) == nil {
		t.Error("the expired record is gone; it is Purge's")
	}
}

func knoxEvicts(t *testing.T, open openFunc[knoxStore]) {
	s := open(t)
	for i := range 4 {
		s.add(record("alice", fmt.Sprint(i), time.Duration(i)*time.Minute))
	}
	added, err := s.Add(t.Context(), record("alice", "new", time.Hour), 3, true, revokedAtNoon)
	slices.Sort(added.Evicted)
	if err != nil || added.OverLimit || !slices.Equal(added.Evicted, []string{"0", "1"}) {
		t.Errorf("Add: got %+v, %v, want OverLimit false and Evicted [0 1]", added, err)
	}
	if got, want := s.list("alice", noon), []string{"new", "3", "2"}; !slices.Equal(got, want) {
		t.Errorf("left %v, want %v", got, want)
	}
}

func knoxEvictsSpares(t *testing.T, open openFunc[knoxStore]) {
	for limit, want := range map[int][]string{3: {"1"}, 2: {"1", "2"}, 1: {"0", "1", "2"}} {
		s := open(t)
		for i := range 3 {
			s.add(record("alice", fmt.Sprint(i), time.Duration(i)*time.Minute))
		}
		spared := revokedAtNoon
		spared.Exempt = "0"
		added, err := s.Add(t.Context(), record("alice", "new", time.Hour), limit, true, spared)
		slices.Sort(added.Evicted)
		if err != nil || added.OverLimit || !slices.Equal(added.Evicted, want) {
			t.Errorf("limit %d: %+v, %v, want %v", limit, added, err, want)
		}
		spared.Exempt = "9" // another one's, or gone
		if added, err := s.Add(t.Context(), record("alice", "next", 2*time.Hour), limit, true, spared); err != nil ||
			len(added.Evicted) != 1 {
			t.Errorf("limit %d, no such record: %+v, %v, want one evicted", limit, added, err)
		}
	}
}

func knoxLimitStamp(t *testing.T, open openFunc[knoxStore]) {
	s := open(t)
	for i, stamp := range []string{"", "new ", "old"} {
		dead := record("alice", fmt.Sprint("dead", i), time.Duration(i)*time.Second)
		dead.Stamp = stamp
		s.add(dead)
	}
	stamped := func(id string) *knox.Record {
		r := record("alice", id, time.Minute)
		r.Stamp = "new"
		return r
	}
	s.add(stamped("1"))
	if added, err := s.Add(t.Context(), stamped("2"), 2, false, revokedAtNoon); err != nil || added.OverLimit {
		t.Errorf("Add: got %+v, %v, want OverLimit false", added, err)
	}
	if added, err := s.Add(t.Context(), stamped("3"), 2, false, revokedAtNoon); err != nil || !added.OverLimit {
		t.Errorf("one too many: %+v, %v, want OverLimit", added, err)
	}
	if added, err := s.Add(t.Context(), stamped("3"), 2, true, revokedAtNoon); err != nil ||
		!slices.Equal(added.Evicted, []string{"1"}) {
		t.Errorf("evicting: %+v, %v, want [1]", added, err)
	}
	if got, want := s.list("alice", noon), []string{"dead2", "dead1", "dead0", "3", "2"}; !slices.Equal(got, want) {
		t.Errorf("left %v, want %v", got, want)
	}
}

func knoxLimitRace(t *testing.T, open openFunc[knoxStore]) {
	for _, evict := range []bool{false, true} {
		s := knoxLimited(open)(t)
		added, evicted := s.addAtOnce(t, 32, 3, evict)
		if left := s.count(); left != 3 || added-evicted != 3 {
			t.Errorf("evict %v: %d left of %d added and %d evicted, want 3", evict, left, added, evicted)
		}
	}
}

// knoxLimited opens stores of knox for checkLimitRace.
func knoxLimited(open openFunc[knoxStore]) openFunc[limitStore] {
	return func(t *testing.T) limitStore {
		s := open(t)
		return limitStore{
			fill: func(i int) { s.add(record("alice", fmt.Sprint("old", i), time.Duration(i-1000)*time.Second)) },
			add: func(i, limit int, evict bool) (bool, []string, error) {
				added, err := s.Add(t.Context(), record("alice", fmt.Sprint(i), time.Duration(i)*time.Second), limit,
					evict, revokedAtNoon)
				return !added.OverLimit, added.Evicted, err
			},
			count: func() int { return len(s.page("alice", "", 1000, noon)) },
		}
	}
}
