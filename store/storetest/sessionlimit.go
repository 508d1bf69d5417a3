package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// sessionLimit checks the limit of Add, and what makes room.
func sessionLimit(t *testing.T, open openFunc[sessionStore]) {
	check(t, open, "over the limit nothing changes", sessionOverLimit)
	check(t, open, "the session that is replaced does not count against the limit", sessionLimitReplaced)
	check(t, open, "another user's session that is replaced makes no room", sessionLimitOther)
	check(t, open, "expired records do not count against the limit and are not evicted", sessionLimitExpired)
	check(t, open, "records of another stamp do not count against the limit and are not evicted", sessionLimitStamp)
	check(t, open, "eviction ends the oldest until there is room", sessionEvicts)
	check(t, open, "32 at once never exceed the limit", sessionLimitRace)
	checkLimitRace(t, sessionLimited(open))
}

func sessionOverLimit(t *testing.T, open openFunc[sessionStore]) {
	s := open(t)
	s.add(sessionRecord("alice", "1", 0))
	s.add(sessionRecord("alice", "2", 0))
	others := sessionRecord("bob", "b", 0)
	s.add(others)
	added, err := s.Add(t.Context(), sessionRecord("alice", "3", 0), others.Digest, 2, false, noon)
	if err != nil || !added.OverLimit || added.Replaced != nil || len(added.Evicted) != 0 {
		t.Errorf("Add: got %+v, %v, want OverLimit true and Replaced nil and nothing evicted", added, err)
	}
	if got := s.list("alice", noon); len(got) != 2 || s.find(others.Digest) == nil {
		t.Errorf("now %v", got)
	}
}

func sessionLimitReplaced(t *testing.T, open openFunc[sessionStore]) {
	for _, evict := range []bool{false, true} {
		s := open(t)
		s.add(sessionRecord("alice", "1", 0))
		s.add(sessionRecord("alice", "2", time.Minute))
		added, err := s.Add(t.Context(), sessionRecord("alice", "3", time.Hour), sessionRecord("alice", "2", 0).Digest,
			2, evict, noon)
		if err != nil || added.OverLimit || len(added.Evicted) != 0 || added.Replaced == nil {
			t.Errorf("evict %v: %+v, %v", evict, added, err)
		}
		if got := s.list("alice", noon); !slices.Equal(got, []string{"3", "1"}) {
			t.Errorf("evict %v: left %v, want [3 1]", evict, got)
		}
	}
}

func sessionLimitOther(t *testing.T, open openFunc[sessionStore]) {
	s := open(t)
	s.add(sessionRecord("alice", "1", 0))
	s.add(sessionRecord("bob", "b", 0))
	bobs := sessionRecord("bob", "b", 0).Digest
	if added, err := s.Add(t.Context(), sessionRecord("alice", "2", 0), bobs, 1, false, noon); err != nil ||
		!added.OverLimit || added.Replaced != nil {
		t.Errorf("Add: got %+v, %v, want OverLimit true and Replaced nil", added, err)
	}
	if got := s.find(bobs); got == nil || got.IsTombstone() {
		t.Errorf("over the limit bob's session became %+v, want it unchanged", got)
	}
	added, err := s.Add(t.Context(), sessionRecord("alice", "2", 0), bobs, 1, true, noon)
	if err != nil || !slices.Equal(added.Evicted, []string{"1"}) || added.Replaced == nil || added.Replaced.ID != "b" {
		t.Errorf("Add: got %+v, %v, want Evicted [1] and a Replaced and ID \"b\"", added, err)
	}
	if got := append(s.list("alice", noon), s.list("bob", noon)...); !slices.Equal(got, []string{"2"}) {
		t.Errorf("left %v, want [2]", got)
	}
}

func sessionLimitExpired(t *testing.T, open openFunc[sessionStore]) {
	s := open(t)
	expired := sessionRecord("alice", "old", -time.Hour)
	expired.ExpiresAt = noon
	s.add(expired)
	for i, evict := range []bool{false, true} {
		added, err := s.Add(t.Context(), sessionRecord("alice", fmt.Sprint(i), 0), "", 2, evict, noon)
		if err != nil || added.OverLimit || len(added.Evicted) != 0 {
			t.Errorf("evict %v: %+v, %v, want OverLimit to be false and nothing evicted", evict, added, err)
		}
	}
	if s.find(expired.Digest) == nil {
		t.Error("the expired record is gone; it is Purge's")
	}
}

func sessionLimitStamp(t *testing.T, open openFunc[sessionStore]) {
	s := open(t)
	void := sessionRecord("alice", "void", 0)
	void.Stamp = "old"
	s.add(void)
	for i, evict := range []bool{false, true} {
		added, err := s.Add(t.Context(), sessionRecord("alice", fmt.Sprint(i), 0), "", 2, evict, noon)
		if err != nil || added.OverLimit || len(added.Evicted) != 0 {
			t.Errorf("evict %v: %+v, %v, want OverLimit to be false and nothing evicted", evict, added, err)
		}
	}
}

func sessionEvicts(t *testing.T, open openFunc[sessionStore]) {
	s := open(t)
	for i := range 4 {
		s.add(sessionRecord("alice", fmt.Sprint(i), time.Duration(i)*time.Minute))
	}
	added, err := s.Add(t.Context(), sessionRecord("alice", "new", time.Hour), "", 3, true, noon)
	slices.Sort(added.Evicted)
	if err != nil || added.OverLimit || !slices.Equal(added.Evicted, []string{"0", "1"}) {
		t.Errorf("Add: got %+v, %v, want OverLimit false and Evicted [0 1]", added, err)
	}
	if got, want := s.list("alice", noon), []string{"new", "3", "2"}; !slices.Equal(got, want) {
		t.Errorf("left %v, want %v", got, want)
	}
}

func sessionLimitRace(t *testing.T, open openFunc[sessionStore]) {
	for _, evict := range []bool{false, true} {
		s := sessionLimited(open)(t)
		added, evicted := s.addAtOnce(t, 32, 3, evict)
		if left := s.count(); left != 3 || added-evicted != 3 {
			t.Errorf("evict %v: %d left of %d added and %d evicted, want 3", evict, left, added, evicted)
		}
	}
}

// sessionLimited opens stores of sessions for checkLimitRace.
func sessionLimited(open openFunc[sessionStore]) openFunc[limitStore] {
	return func(t *testing.T) limitStore {
		s := open(t)
		return limitStore{
			fill: func(i int) {
				s.add(sessionRecord("alice", fmt.Sprint("old", i),
					time.Duration(i-1000)*time.Second))
			},
			add: func(i, limit int, evict bool) (bool, []string, error) {
				r := sessionRecord("alice", fmt.Sprint(i), time.Duration(i)*time.Second)
				added, err := s.Add(t.Context(), r, "", limit, evict, noon)
				return !added.OverLimit, added.Evicted, err
			},
			count: func() int { return len(s.page("alice", "", 1000, noon)) },
		}
	}
}
