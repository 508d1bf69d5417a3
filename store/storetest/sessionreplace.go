package storetest

import (
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/gatewarden/auth/session"
)

// sessionReplacing checks Replace, and Add in place of a session.
func sessionReplacing(t *testing.T, open openFunc[sessionStore]) {
	check(t, open, "Add ends the session that it replaces, also if it belongs to another user", sessionAddReplaces)
	check(t, open, "if many calls of Add replace one session at once, one of them replaces it", sessionAddRace)
	check(t, open, "Replace moves a live record to a new digest", sessionReplaces)
	check(t, open, "a mark proves nothing and is never prolonged, until it is purged", sessionMark)
	check(t, open, "if many callers replace one session at once, one of them does", sessionReplaceRace)
}

func sessionAddReplaces(t *testing.T, open openFunc[sessionStore]) {
	s := open(t)
	expired := sessionRecord("carol", "old", -10*time.Hour)
	for _, old := range []*session.Record{sessionRecord("alice", "1", 0), sessionRecord("bob", "2", 0), expired} {
		s.add(old)
		added, err := s.Add(t.Context(), sessionRecord("alice", "after "+old.ID, time.Minute), old.Digest, 0, false,
			noon)
		if err != nil || added.Replaced == nil || added.Replaced.ID != old.ID || added.Replaced.UserID != old.UserID {
			t.Errorf("Add in place of %s of %s: got %+v, %v, want it replaced", old.ID, old.UserID, added, err)
		}
		if mark := s.find(old.Digest); !reflect.DeepEqual(normalSession(mark), normalSession(old.Tombstone(noon))) {
			t.Errorf("Add in place of %s of %s: left %+v, want its mark", old.ID, old.UserID, mark)
		}
	}
	added, err := s.Add(t.Context(), sessionRecord("alice", "4", 0), "never there", 0, false, noon)
	if err != nil || added.Replaced != nil || len(s.list("alice", noon)) != 4 {
		t.Errorf("Add with an unknown session to replace: got %+v, %v, want nothing replaced and 4 sessions", added,
			err)
	}
}

func sessionAddRace(t *testing.T, open openFunc[sessionStore]) {
	s := open(t)
	old := sessionRecord("alice", "old", 0)
	s.add(old)
	var mu sync.Mutex
	told := 0
	atOnce(16, func(i int) {
		added, err := s.Add(t.Context(), sessionRecord("alice", fmt.Sprint(i), time.Minute), old.Digest, 0, false, noon)
		if err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		if added.Replaced != nil {
			told++
		}
	})
	if left := s.list("alice", noon); told != 1 || len(left) != 16 {
		t.Errorf("%d were told so, left %v, want 1 and 16 entries", told, left)
	}
}

func sessionReplaces(t *testing.T, open openFunc[sessionStore]) {
	s := open(t)
	old, expired := sessionRecord("alice", "1", 0), sessionRecord("alice", "2", -2*time.Hour)
	s.add(old)
	s.add(expired)
	successor := *old
	successor.Digest, successor.Stamp = "successor", "new stamp"
	for _, step := range []struct {
		sentence string
		digest   string
		now      time.Time
		want     bool
	}{
		{"of what is not there", "never there", noon, false},
		{"of an expired one", expired.Digest, noon, false},
		{"at the instant it expires", old.Digest, old.ExpiresAt, false},
		{"of a live one", old.Digest, noon, true},
		{"of one that was replaced", old.Digest, noon, false},
	} {
		if got, err := s.Replace(t.Context(), step.digest, &successor, step.now); got != step.want || err != nil {
			t.Errorf("%s: Replace: got %v, %v, want %v", step.sentence, got, err, step.want)
		}
	}
	if !reflect.DeepEqual(normalSession(s.find(old.Digest)), normalSession(old.Tombstone(noon))) ||
		!reflect.DeepEqual(normalSession(s.find("successor")), normalSession(&successor)) {
		t.Errorf("found %+v", s.find("successor"))
	}
}

func sessionMark(t *testing.T, open openFunc[sessionStore]) {
	s := open(t)
	old := sessionRecord("alice", "1", 0)
	s.add(old)
	successor := *old
	successor.Digest = "successor"
	if replaced, err := s.Replace(t.Context(), old.Digest, &successor, noon); !replaced || err != nil {
		t.Fatalf("Replace: got %v, %v, want true", replaced, err)
	}
	tombstone := old.Tombstone(noon)
	s.touch(old, noon.Add(time.Second), noon.Add(time.Hour))
	another := *old
	another.Digest = "another"
	if replaced, err := s.Replace(t.Context(), old.Digest, &another, noon); replaced || err != nil {
		t.Errorf("replaced %v, %v, want false", replaced, err)
	}
	if added, err := s.Add(t.Context(), &another, old.Digest, 2, false, noon); added.Replaced != nil ||
		added.OverLimit || err != nil {
		t.Errorf("Add: got %+v, %v, want Replaced nil and OverLimit false", added, err)
	}
	if ids, err := s.RevokeAll(t.Context(), "alice", ""); len(ids) != 2 || err != nil {
		t.Errorf("revoked %v, %v, want 2 entries", ids, err)
	}
	if got := s.find(old.Digest); got == nil || !got.IsTombstone() ||
		!reflect.DeepEqual(normalSession(got), normalSession(tombstone)) {
		t.Errorf("the tombstone is %+v, want it unchanged", got)
	}
	if purged, err := s.Purge(t.Context(), tombstone.ExpiresAt, 10); len(purged) != 1 || err != nil ||
		s.find(old.Digest) != nil {
		t.Errorf("purged %v, %v, want the tombstone", purged, err)
	}
}

func sessionReplaceRace(t *testing.T, open openFunc[sessionStore]) {
	s := open(t)
	old := sessionRecord("alice", "1", 0)
	s.add(old)
	var mu sync.Mutex
	told := 0
	atOnce(16, func(i int) {
		successor := *old
		successor.Digest = fmt.Sprint("successor ", i)
		replaced, err := s.Replace(t.Context(), old.Digest, &successor, noon)
		if err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		if replaced {
			told++
		}
	})
	if left := s.list("alice", noon); told != 1 || len(left) != 1 {
		t.Errorf("%d were told so, left %v, want 1 and 1 entry", told, left)
	}
}
