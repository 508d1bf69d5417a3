package storetest

import (
	"fmt"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gatewarden/auth/knox"
)

// knoxRevoking checks Revoke and RevokeAll.
func knoxRevoking(t *testing.T, open openFunc[knoxStore]) {
	check(t, open, "revoking one leaves the others and other users'", knoxRevokesOne)
	check(t, open, "revoking all leaves other users'", knoxRevokesAll)
	check(t, open, "revoking all but one leaves that one as it was, with the new stamp", knoxRevokesOthers)
	check(t, open, "RevokeAll keeps a token only if it belongs to the user and is stored", knoxKeepsOwn)
	check(t, open, "if RevokeAll and uses run at once, exactly the kept token is left", knoxRevokeRace)
	check(t, open, "RevokeAll does not restore the kept token if it is revoked at the same time", knoxKeepRace)
	check(t, open, "if many callers revoke one record at once, one of them is told so", knoxRevokeOneRace)
}

func knoxRevokesOne(t *testing.T, open openFunc[knoxStore]) {
	s := open(t)
	s.add(record("alice", "1", 0))
	s.add(record("alice", "2", 0))
	s.add(record("bob", "b", 0))
	for _, step := range []struct {
		user, id string
		want     bool
	}{{"bob", "1", false}, {"alice", "b", false}, {"alice", "1", true}, {"alice", "1", false}} {
		if got, err := s.Revoke(t.Context(), step.user, step.id, revokedAtNoon); got != step.want || err != nil {
			t.Errorf("Revoke %s of %s: got %v, %v, want %v", step.id, step.user, got, err, step.want)
		}
	}
	if got := append(s.list("alice", noon), s.list("bob", noon)...); !slices.Equal(got, []string{"2", "b"}) {
		t.Errorf("left %v, want [2 b]", got)
	}
}

func knoxRevokesAll(t *testing.T, open openFunc[knoxStore]) {
	s := open(t)
	s.add(record("alice", "1", 0))
	s.add(record("alice", "2", -time.Minute))
	s.add(record("bob", "b", 0))
	ids, err := s.RevokeAll(t.Context(), "alice", "", "", revokedAtNoon)
	slices.Sort(ids)
	if err != nil || !slices.Equal(ids, []string{"1", "2"}) {
		t.Errorf("revoked %v, %v, want [1 2]", ids, err)
	}
	if ids, err = s.RevokeAll(t.Context(), "alice", "", "", revokedAtNoon); err != nil || len(ids) != 0 {
		t.Errorf("then revoked %v, %v, want nothing", ids, err)
	}
	if s.find(record("alice", "1", 0).Digest) != nil || len(s.list("bob", noon)) != 1 {
		t.Error("other records are left than those of bob, or than the kept one")
	}
}

func knoxRevokesOthers(t *testing.T, open openFunc[knoxStore]) {
	s := open(t)
	kept := record("alice", "1", 0)
	kept.Name, kept.Stamp, kept.LastUsed = "phone", "old", noon
	s.add(kept)
	s.add(record("alice", "2", 0))
	s.add(record("alice", "3", -20*time.Hour)) // expired
	bobs := record("bob", "b", 0)
	bobs.Stamp = "bob's"
	s.add(bobs)
	ids, err := s.RevokeAll(t.Context(), "alice", kept.Digest, "new", revokedAtNoon)
	slices.Sort(ids)
	if err != nil || !slices.Equal(ids, []string{"2", "3"}) {
		t.Errorf("revoked %v, %v, want [2 3]", ids, err)
	}
	want := *kept
	want.Stamp = "new"
	if got := s.find(kept.Digest); got == nil || !reflect.DeepEqual(normal(got), normal(&want)) {
		t.Errorf("kept %+v, want %+v", got, want)
	}
	if got := s.find(bobs.Digest); got == nil || got.Stamp != "bob's" {
		t.Errorf("the token of another user is now %+v, want its stamp unchanged", got)
	}
	if got := s.list("alice", time.Time{}); !slices.Equal(got, []string{"1"}) {
		t.Errorf("left %v, want [1]", got)
	}
}

func knoxKeepsOwn(t *testing.T, open openFunc[knoxStore]) {
	s := open(t)
	bobs, gone := record("bob", "b", 0), record("alice", "0", 0)
	s.add(bobs)
	for _, kept := range []string{bobs.Digest, gone.Digest} {
		s.add(record("alice", "1", 0))
		if ids, err := s.RevokeAll(t.Context(), "alice", kept, "new", revokedAtNoon); err != nil ||
			!slices.Equal(ids, []string{"1"}) {
			t.Errorf("revoked %v, %v, want [1]", ids, err)
		}
		if got := s.find(bobs.Digest); got == nil || got.Stamp != "" {
			t.Errorf("the token of another user is now %+v, want its stamp unchanged", got)
		}
		if s.find(gone.Digest) != nil {
			t.Error("what was not there is")
		}
	}
}

func knoxRevokeRace(t *testing.T, open openFunc[knoxStore]) {
	for round := range 4 {
		s := open(t)
		kept := record("alice", "0", 0)
		s.add(kept)
		var others []*knox.Record
		for i := range 8 {
			others = append(others, record("alice", fmt.Sprint(i+1), 0))
			s.add(others[i])
		}
		told := knoxRevokeAtOnce(s, kept, others)
		if got := s.list("alice", time.Time{}); !slices.Equal(got, []string{"0"}) {
			t.Fatalf("round %d left %v, want [0]", round, got)
		}
		if got := s.find(kept.Digest); got.Stamp != "new" || !got.LastUsed.Equal(noon.Add(time.Minute)) {
			t.Errorf("kept %+v", got)
		}
		for _, other := range others {
			if told.counts[other.ID] != 1 || s.find(other.Digest) != nil {
				t.Errorf("%s was revoked %d times, want once", other.ID, told.counts[other.ID])
			}
		}
	}
}

// knoxRevokeAtOnce revokes and touches eight records in four ways each, and touches the one that is
// kept. It returns the records that a call said it revoked.
func knoxRevokeAtOnce(s knoxStore, kept *knox.Record, others []*knox.Record) *tally {
	var told tally
	atOnce(4*len(others), func(i int) {
		other := others[i/4]
		switch i % 4 {
		case 0:
			told.add(s.revokeAll("alice", kept.Digest, "new", revokedAtNoon)...)
		case 1:
			if s.revoke("alice", other.ID, revokedAtNoon) {
				told.add(other.ID)
			}
		case 2:
			s.touch(other, noon.Add(time.Minute), noon.Add(20*time.Hour))
		case 3:
			s.touch(kept, noon.Add(time.Minute), noon.Add(20*time.Hour))
		}
	})
	return &told
}

func knoxKeepRace(t *testing.T, open openFunc[knoxStore]) {
	s := open(t)
	for round := range 8 {
		kept := record("alice", fmt.Sprint(round), 0)
		s.add(kept)
		atOnce(16, func(i int) {
			switch {
			case i == 8:
				if !s.revoke("alice", kept.ID, revokedAtNoon) {
					t.Error("Revoke: it was not there")
				}
			case i%2 == 0:
				if ids := s.revokeAll("alice", kept.Digest, "new", revokedAtNoon); len(ids) != 0 {
					t.Errorf("revoked %v, want nothing", ids)
				}
			default:
				s.touch(kept, noon.Add(time.Minute), noon.Add(20*time.Hour))
			}
		})
		if s.find(kept.Digest) != nil {
			t.Fatal("the record is back after its end")
		}
	}
}

func knoxRevokeOneRace(t *testing.T, open openFunc[knoxStore]) {
	s := open(t)
	s.add(record("alice", "1", 0))
	var mu sync.Mutex
	told := 0
	atOnce(16, func(int) {
		found, err := s.Revoke(t.Context(), "alice", "1", revokedAtNoon)
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
