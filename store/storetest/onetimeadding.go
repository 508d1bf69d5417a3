package storetest

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatewarden/auth/password"
)

// onceAdding checks Add, its limit and Find.
func onceAdding(t *testing.T, open opener[oneTimeStore]) {
	check(t, open, "a record is found as it was added", onceFindsAsAdded)
	check(t, open, "adding a record with a stored digest is an error and changes nothing", onceSameDigest)
	check(t, open, "over the limit Add removes the oldest live records of the user and purpose", onceOverLimit)
	check(t, open, "32 at once never exceed the limit", onceLimitRace)
}

func onceFindsAsAdded(t *testing.T, open opener[oneTimeStore]) {
	s := open(t)
	full := onceRecord("älice", "full", 0)
	full.About, full.Stamp, full.Used = `'; DROP TABLE onetime; -- "%_\ `+"\u2028 日本", "stamp", noon.Add(time.Second)
	bare := &password.OneTimeRecord{Digest: "bare", UserID: "alice", Purpose: "p", Created: noon,
		ExpiresAt: noon.Add(time.Microsecond)}
	for _, want := range []*password.OneTimeRecord{full, bare} {
		s.add(want)
		if got := s.find(want.Digest); got == nil || !sameOnce(got, want) {
			t.Errorf("found %+v\nwant  %+v", got, want)
		}
	}
	if got := s.find("nothing"); got != nil {
		t.Errorf("found %+v, which was never added, want nil", got)
	}
}

func onceSameDigest(t *testing.T, open opener[oneTimeStore]) {
	s := open(t)
	s.add(onceRecord("alice", "1", 0))
	s.add(onceRecord("bob", "b", 0))
	other := onceRecord("bob", "2", 0)
	other.Digest = onceRecord("alice", "1", 0).Digest
	if err := s.Add(t.Context(), other, 1, noon); err == nil {
		t.Error("got no error, want one")
	}
	if got := s.find(other.Digest); got == nil || got.UserID != "alice" {
		t.Errorf("the record is now %+v, want another one", got)
	}
	s.expect(onceRecord("bob", "b", 0), true)
}

func onceOverLimit(t *testing.T, open opener[oneTimeStore]) {
	s := open(t)
	otherPurpose, used, expired := onceRecord("alice", "o", -time.Hour), onceRecord("alice", "u", -time.Hour),
		onceRecord("alice", "e", -time.Hour)
	otherPurpose.Purpose, used.Used, expired.ExpiresAt = "other", noon, noon
	bob := onceRecord("bob", "b", -time.Hour)
	records := []*password.OneTimeRecord{otherPurpose, used, expired, bob}
	for _, minute := range []int{2, 0, 1} { // not in the order of their ages
		records = append(records, onceRecord("alice", fmt.Sprint(minute), time.Duration(minute)*time.Minute))
	}
	for _, r := range records {
		s.add(r)
	}
	// As old as any, but the one that is wanted.
	fresh := onceRecord("alice", "new", -time.Hour)
	fresh.ExpiresAt = noon.Add(time.Hour)
	if err := s.Add(t.Context(), fresh, 2, noon); err != nil {
		t.Fatal(err)
	}
	for _, r := range append(records, fresh) {
		gone := r.Digest == onceRecord("alice", "0", 0).Digest || r.Digest == onceRecord("alice", "1", 0).Digest
		s.expect(r, !gone)
	}
}

func onceLimitRace(t *testing.T, open opener[oneTimeStore]) {
	s := open(t)
	parallel(32, func(i int) {
		if err := s.Add(t.Context(), onceRecord("alice", fmt.Sprint(i), time.Duration(i)*time.Second), 3,
			noon); err != nil {
			t.Error(err)
		}
	})
	left := 0
	for i := range 32 {
		if s.find(onceRecord("alice", fmt.Sprint(i), 0).Digest) != nil {
			left++
		}
	}
	if left != 3 {
		t.Errorf("%d are left, want 3", left)
	}
}

// onceRemoving checks RemoveUnused and Purge.
func onceRemoving(t *testing.T, open opener[oneTimeStore]) {
	check(t, open, "RemoveUnused removes the unused records of a user for every purpose, and counts them",
		onceRemovesUnused)
	check(t, open, "a record is removed or redeemed, not both", onceRemoveRace)
	check(t, open, "Purge removes what has expired, used or not, at most limit, and counts it", oncePurges)
}

func onceRemovesUnused(t *testing.T, open opener[oneTimeStore]) {
	s := open(t)
	otherPurpose, used, expired := onceRecord("alice", "o", 0), onceRecord("alice", "u", 0),
		onceRecord("alice", "e", -2*time.Hour)
	otherPurpose.Purpose, used.Used = "other", noon
	unused := []*password.OneTimeRecord{onceRecord("alice", "1", 0), otherPurpose, expired}
	bob := onceRecord("bob", "b", 0)
	for _, r := range append(unused, used, bob) {
		s.add(r)
	}
	for _, want := range []int{3, 0} {
		if n, err := s.RemoveUnused(t.Context(), "alice"); n != want || err != nil {
			t.Errorf("%d, %v, want %d", n, err, want)
		}
	}
	for _, r := range unused {
		s.expect(r, false)
	}
	s.redeem(used, noon, password.OneTimeUsed)
	s.expect(bob, true)
}

func onceRemoveRace(t *testing.T, open opener[oneTimeStore]) {
	s := open(t)
	for round := range 8 {
		r := onceRecord("alice", fmt.Sprint(round), 0)
		s.add(r)
		var ends atomic.Int32
		parallel(16, func(i int) {
			if i == 8 {
				ends.Add(int32(s.removeUnused("alice")))
				return
			}
			verdict, err := s.Redeem(t.Context(), r.Digest, noon)
			if err != nil {
				t.Error(err)
			}
			if verdict == password.OneTimeFirst {
				ends.Add(1)
			}
		})
		if ends.Load() != 1 {
			t.Fatalf("it ended %d times, want 1", ends.Load())
		}
	}
}

func oncePurges(t *testing.T, open opener[oneTimeStore]) {
	s := open(t)
	at := noon.Add(time.Minute)
	for i := range 5 {
		r := onceRecord("alice", fmt.Sprint(i), 0)
		if r.ExpiresAt = at; i == 0 {
			r.Used = noon
		}
		s.add(r)
	}
	live, used := onceRecord("alice", "live", 0), onceRecord("alice", "used", 0)
	used.Used = noon
	s.add(live)
	s.add(used)
	for i, want := range []int{2, 2, 1, 0} {
		if n, err := s.Purge(t.Context(), at, 2); n != want || err != nil {
			t.Errorf("batch %d: %d, %v, want %d", i, n, err, want)
		}
	}
	s.expect(live, true)
	s.expect(used, true)
}
