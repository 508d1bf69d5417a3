package storetest

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gatewarden/auth/session"
)

// sessionRevoking checks Revoke and RevokeAll.
func sessionRevoking(t *testing.T, open openFunc[sessionStore]) {
	check(t, open, "revoking one leaves the others and other users'", sessionRevokesOne)
	check(t, open, "if many callers revoke one record at once, one of them is told so", sessionRevokeRace)
	check(t, open, "revoking all leaves other users', and the one that is kept", sessionRevokesAll)
}

func sessionRevokesOne(t *testing.T, open openFunc[sessionStore]) {
	s := open(t)
	s.add(sessionRecord("alice", "1", 0))
	s.add(sessionRecord("alice", "2", 0))
	s.add(sessionRecord("bob", "b", 0))
	for _, step := range []struct {
		user, id string
		want     bool
	}{{"bob", "1", false}, {"alice", "b", false}, {"alice", "1", true}, {"alice", "1", false}} {
		if got, err := s.Revoke(t.Context(), step.user, step.id); got != step.want || err != nil {
			t.Errorf("Revoke %s of %s: got %v, %v, want %v", step.id, step.user, got, err, step.want)
		}
	}
	if got := append(s.list("alice", noon), s.list("bob", noon)...); !slices.Equal(got, []string{"2", "b"}) {
		t.Errorf("left %v, want [2 b]", got)
	}
}

func sessionRevokeRace(t *testing.T, open openFunc[sessionStore]) {
	s := open(t)
	s.add(sessionRecord("alice", "1", 0))
	var mu sync.Mutex
	told := 0
	atOnce(16, func(int) {
		found, err := s.Revoke(t.Context(), "alice", "1")
		if err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		if found {
			told++
		}
	})
	if told != 1 {
		t.Errorf("%d callers were told so, want 1", told)
	}
}

func sessionRevokesAll(t *testing.T, open openFunc[sessionStore]) {
	s := open(t)
	for i := range 3 {
		s.add(sessionRecord("alice", fmt.Sprint(i), time.Duration(-i)*40*time.Minute)) // the last has expired
	}
	s.add(sessionRecord("bob", "b", 0))
	ids, err := s.RevokeAll(t.Context(), "alice", sessionRecord("alice", "1", 0).Digest)
	slices.Sort(ids)
	if err != nil || !slices.Equal(ids, []string{"0", "2"}) {
		t.Errorf("revoked %v, %v, want [0 2]", ids, err)
	}
	if ids, err = s.RevokeAll(t.Context(), "alice", sessionRecord("bob", "b", 0).Digest); err != nil ||
		!slices.Equal(ids, []string{"1"}) {
		t.Errorf("then revoked %v, %v, want [1]", ids, err)
	}
	if ids, err = s.RevokeAll(t.Context(), "alice", ""); err != nil || len(ids) != 0 {
		t.Errorf("then revoked %v, %v, want nothing", ids, err)
	}
	if len(s.list("alice", time.Time{})) != 0 || len(s.list("bob", noon)) != 1 {
		t.Error("other records are left than those of bob, or than the kept one")
	}
}

// sessionLogoutRaces checks that a logout wins against what is in flight.
func sessionLogoutRaces(t *testing.T, open openFunc[sessionStore]) {
	check(t, open, "no call that runs during a logout restores the session", sessionLogoutRace)
	check(t, open, "no call that runs during RevokeAll restores a session", sessionLogoutAllRace)
	check(t, open, "a logout wins over a replacement, whichever comes first", sessionLogoutReplaceRace)
}

func sessionLogoutRace(t *testing.T, open openFunc[sessionStore]) {
	s := open(t)
	for round := range 8 {
		r := sessionRecord("alice", fmt.Sprint(round), 0)
		s.add(r)
		atOnce(24, func(i int) {
			switch {
			case i == 12:
				if found, err := s.Revoke(t.Context(), "alice", r.ID); !found || err != nil {
					t.Errorf("Revoke: got %v, %v, want true", found, err)
				}
			case i%6 == 0: // the identifier stays: revoking it ends the successor too
				successor := *r
				successor.Digest += fmt.Sprint(" after ", i)
				if _, err := s.Replace(t.Context(), r.Digest, &successor, noon); err != nil {
					t.Error(err)
				}
			default:
				s.touch(r, noon.Add(time.Duration(i)*time.Second), noon.Add(2*time.Hour))
			}
		})
		if left := s.list("alice", noon); len(left) != 0 {
			t.Fatalf("%v is back, want nothing", left)
		}
	}
}

func sessionLogoutAllRace(t *testing.T, open openFunc[sessionStore]) {
	s := open(t)
	for round := range 8 {
		var records []*session.Record
		for i := range 3 {
			r := sessionRecord("alice", fmt.Sprint(round, " ", i), 0)
			s.add(r)
			records = append(records, r)
		}
		var ended tally
		atOnce(24, func(i int) {
			switch {
			case i == 12:
				ids, err := s.RevokeAll(t.Context(), "alice", "")
				if err != nil {
					t.Error(err)
				}
				ended.add(ids...)
			case i%2 == 0:
				successor := *records[i%3]
				successor.Digest += fmt.Sprint(" after ", i)
				s.replace(records[i%3].Digest, &successor)
			default:
				s.touch(records[i%3], noon.Add(time.Duration(i)*time.Second), noon.Add(2*time.Hour))
			}
		})
		if left := s.list("alice", noon); len(left) != 0 || len(ended.counts) != 3 {
			t.Fatalf("%v is back, %v were ended, want nothing and 3 entries", left, ended.counts)
		}
	}
}

func sessionLogoutReplaceRace(t *testing.T, open openFunc[sessionStore]) {
	s := open(t)
	for round := range 16 {
		r := sessionRecord("alice", fmt.Sprint(round), 0)
		s.add(r)
		successor := *r
		successor.Digest += " after"
		atOnce(2, func(i int) {
			if i == 0 {
				s.wantRevoked("alice", r.ID)
				return
			}
			replaced := s.replace(r.Digest, &successor)
			if mark := s.find(r.Digest); replaced && (mark == nil || !mark.IsTombstone()) {
				t.Errorf("replaced, and left %+v, want a mark", mark)
			}
		})
		if got := s.find(successor.Digest); got != nil {
			t.Fatalf("%+v is back, want nil", got)
		}
	}
}

// sessionPurging checks Purge.
func sessionPurging(t *testing.T, open openFunc[sessionStore]) {
	check(t, open, "purging removes what has expired, in batches, each once", sessionPurges)
}

func sessionPurges(t *testing.T, open openFunc[sessionStore]) {
	s := open(t)
	for i := range 10 {
		r := sessionRecord("alice", fmt.Sprint(i), 0)
		r.ExpiresAt = noon.Add(time.Duration(i) * time.Minute)
		s.add(r)
	}
	at := noon.Add(6 * time.Minute) // 0 to 6 have expired
	if first, err := s.Purge(t.Context(), at, 3); err != nil || len(first) != 3 || first[0].UserID != "alice" {
		t.Fatalf("Purge: got %v, %v, want 3 entries and UserID \"alice\"", first, err)
	}
	var mu sync.Mutex
	seen := map[string]bool{}
	purgeAtOnce(func() {
		purged, err := s.Purge(t.Context(), at, 100)
		if err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		for _, r := range purged {
			if seen[r.ID] {
				t.Errorf("%s was purged twice, want once", r.ID)
			}
			seen[r.ID] = true
		}
	})
	if left := s.list("alice", time.Time{}); len(seen) != 4 || len(left) != 3 {
		t.Errorf("purged %v after the first three, left %v, want 4 entries and 3 entries", seen, left)
	}
}
