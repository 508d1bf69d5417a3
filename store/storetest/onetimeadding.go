package storetest

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatewarden/auth/password"
)

// oneTimeAdding checks Add, its limit and Find.
func oneTimeAdding(t *testing.T, open openFunc[oneTimeStore]) {
	check(t, open, "a record is found as it was added", oneTimeFindsAsAdded)
	check(t, open, "adding a record with a stored digest is an error and changes nothing", oneTimeSameDigest)
	check(t, open, "over the limit Add removes the oldest live records of the user and purpose", oneTimeOverLimit)
	check(t, open, "32 at once never exceed the limit", oneTimeLimitRace)
}

func oneTimeFindsAsAdded(t *testing.T, open openFunc[oneTimeStore]) {
	s := open(t)
	full := oneTimeRecord("älice", "full", 0)
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

func oneTimeSameDigest(t *testing.T, open openFunc[oneTimeStore]) {
	s := open(t)
	s.add(oneTimeRecord("alice", "1", 0))
	s.add(oneTimeRecord("bob", "b", 0))
	other := oneTimeRecord("bob", "2", 0)
	other.Digest = oneTimeRecord("alice", "1", 0).Digest
	if err := s.Add(t.Context(), other, 1, noon); err == nil {
		t.Error("got no error, want one")
	}
	if got := s.find(other.Digest); got == nil || got.UserID != "alice" {
		t.Errorf("the record is now %+v, want another one", got)
	}
	s.expect(oneTimeRecord("bob", "b", 0), true)
}

func oneTimeOverLimit(t *testing.T, open openFunc[oneTimeStore]) {
	s := open(t)
	otherPurpose, used, expired := oneTimeRecord("alice", "o", -time.Hour), oneTimeRecord("alice", "u", -time.Hour),
		oneTimeRecord("alice", "e", -time.Hour)
	otherPurpose.Purpose, used.Used, expired.ExpiresAt = "other", noon, noon
	bob := oneTimeRecord("bob", "b", -time.Hour)
	records := []*password.OneTimeRecord{otherPurpose, used, expired, bob}
	for _, minute := range []int{2, 0, 1} { // not in the order of their ages
		records = append(records, oneTimeRecord("alice", fmt.Sprint(minute), time.Duration(minute)*time.Minute))
	}
	for _, r := range records {
		s.add(r)
	}
	// As old as any, but the one that is wanted.
	fresh := oneTimeRecord("alice", "new", -time.Hour)
	fresh.ExpiresAt = noon.Add(time.Hour)
	if err := s.Add(t.Context(), fresh, 2, noon); err != nil {
		t.Fatal(err)
	}
	for _, r := range append(records, fresh) {
		gone := r.Digest == oneTimeRecord("alice", "0", 0).Digest || r.Digest == oneTimeRecord("alice", "1", 0).Digest
		s.expect(r, !gone)
	}
}

func oneTimeLimitRace(t *testing.T, open openFunc[oneTimeStore]) {
	s := open(t)
	atOnce(32, func(i int) {
		if err := s.Add(t.Context(), oneTimeRecord("alice", fmt.Sprint(i), time.Duration(i)*time.Second), 3,
			noon); err != nil {
			t.Error(err)
		}
	})
	left := 0
	for i := range 32 {
		if s.find(oneTimeRecord("alice", fmt.Sprint(i), 0).Digest) != nil {
			left++
		}
	}
	if left != 3 {
		t.Errorf("%d are left, want 3", left)
	}
}

// oneTimeRemoving checks RemoveUnused and Purge.
func oneTimeRemoving(t *testing.T, open openFunc[oneTimeStore]) {
	check(t, open, "RemoveUnused removes the unused records of a user for every purpose, and counts them",
		oneTimeRemovesUnused)
	check(t, open, "a record is removed or redeemed, not both", oneTimeRemoveRace)
	check(t, open, "Purge removes what has expired, used or not, at most limit, and counts it", oneTimePurges)
}

func oneTimeRemovesUnused(t *testing.T, open openFunc[oneTimeStore]) {
	s := open(t)
	otherPurpose, used, expired := oneTimeRecord("alice", "o", 0), oneTimeRecord("alice", "u", 0),
		oneTimeRecord("alice", "e", -2*time.Hour)
	otherPurpose.Purpose, used.Used = "other", noon
	unused := []*password.OneTimeRecord{oneTimeRecord("alice", "1", 0), otherPurpose, expired}
	bob := oneTimeRecord("bob", "b", 0)
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

func oneTimeRemoveRace(t *testing.T, open openFunc[oneTimeStore]) {
	s := open(t)
	for round := range 8 {
		r := oneTimeRecord("alice", fmt.Sprint(round), 0)
		s.add(r)
		var ends atomic.Int32
		atOnce(16, func(i int) {
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

func oneTimePurges(t *testing.T, open openFunc[oneTimeStore]) {
	s := open(t)
	at := noon.Add(time.Minute)
	for i := range 5 {
		r := oneTimeRecord("alice", fmt.Sprint(i), 0)
		if r.ExpiresAt = at; i == 0 {
			r.Used = noon
		}
		s.add(r)
	}
	live, used := oneTimeRecord("alice", "live", 0), oneTimeRecord("alice", "used", 0)
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
