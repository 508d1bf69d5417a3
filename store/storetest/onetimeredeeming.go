package storetest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/gatewarden/auth/password"
)

// oneTimeRedeeming checks Redeem.
func oneTimeRedeeming(t *testing.T, open openFunc[oneTimeStore]) {
	check(t, open, "the first to redeem is told so, later ones that it was used", oneTimeRedeemsFirst)
	check(t, open, "what is not there is unknown", oneTimeUnknown)
	check(t, open, "a record is good until the instant it expires, and not used up then", oneTimeExpires)
	check(t, open, "Redeem removes the other unused records of the user and purpose, and nothing else",
		oneTimeRedeemEndsOthers)
	check(t, open, "if 32 callers redeem one record at once, one is the first", oneTimeRedeemRace)
	check(t, open, "if 32 callers redeem the records of a user at once, one is the first", oneTimeRedeemSeveralRace)
	check(t, open, "a call with a cancelled context changes all or nothing", oneTimeCancelled)
}

func oneTimeRedeemsFirst(t *testing.T, open openFunc[oneTimeStore]) {
	s := open(t)
	r := oneTimeRecord("alice", "1", 0)
	s.add(r)
	at := noon.Add(time.Minute)
	s.redeem(r, at, password.OneTimeFirst)
	if got := s.find(r.Digest); got == nil || !got.Used.Equal(at) {
		t.Errorf("the record is now %+v, want another one", got)
	}
	s.redeem(r, at, password.OneTimeUsed)
	s.redeem(r, r.ExpiresAt.Add(time.Hour), password.OneTimeUsed)
}

func oneTimeUnknown(t *testing.T, open openFunc[oneTimeStore]) {
	s := open(t)
	s.redeem(oneTimeRecord("alice", "1", 0), noon, password.OneTimeUnknown)
}

func oneTimeExpires(t *testing.T, open openFunc[oneTimeStore]) {
	s := open(t)
	r := oneTimeRecord("alice", "1", 0)
	s.add(r)
	s.redeem(r, r.ExpiresAt, password.OneTimeExpired)
	if got := s.find(r.Digest); got == nil || !got.Used.IsZero() {
		t.Errorf("the record is now %+v, want another one", got)
	}
	s.redeem(r, r.ExpiresAt.Add(-time.Microsecond), password.OneTimeFirst)
}

func oneTimeRedeemEndsOthers(t *testing.T, open openFunc[oneTimeStore]) {
	s := open(t)
	r, twin, old := oneTimeRecord("alice", "1", 0), oneTimeRecord("alice", "2", 0), oneTimeRecord("alice", "3", 0)
	otherPurpose, used := oneTimeRecord("alice", "o", 0), oneTimeRecord("alice", "u", 0)
	bob := oneTimeRecord("bob", "b", 0)
	otherPurpose.Purpose, used.Used = "other", noon
	old.ExpiresAt = noon.Add(time.Second)
	for _, each := range []*password.OneTimeRecord{r, twin, old, otherPurpose, used, bob} {
		s.add(each)
	}
	s.redeem(twin, noon.Add(time.Hour), password.OneTimeExpired) // ends nothing
	s.expect(r, true)
	s.redeem(r, noon.Add(time.Minute), password.OneTimeFirst)
	s.redeem(twin, noon.Add(time.Minute), password.OneTimeUnknown)
	s.expect(old, false)
	for _, each := range []*password.OneTimeRecord{r, otherPurpose, used, bob} {
		s.expect(each, true)
	}
}

func oneTimeRedeemRace(t *testing.T, open openFunc[oneTimeStore]) {
	s := open(t)
	for round := range 8 {
		r := oneTimeRecord("alice", fmt.Sprint(round), 0)
		s.add(r)
		verdicts := s.race(32, func(int) *password.OneTimeRecord { return r })
		if verdicts[password.OneTimeFirst] != 1 || verdicts[password.OneTimeUsed] != 31 {
			t.Fatalf("race: got %v, want OneTimeFirst 1 times and OneTimeUsed 31 times", verdicts)
		}
	}
}

func oneTimeRedeemSeveralRace(t *testing.T, open openFunc[oneTimeStore]) {
	s := open(t)
	for round := range 8 {
		var all [4]*password.OneTimeRecord
		for i := range all {
			all[i] = oneTimeRecord("alice", fmt.Sprint(round, i), 0)
			s.add(all[i])
		}
		verdicts := s.race(32, func(i int) *password.OneTimeRecord { return all[i%len(all)] })
		if verdicts[password.OneTimeFirst] != 1 || verdicts[password.OneTimeUsed] != 7 ||
			verdicts[password.OneTimeUnknown] != 24 {
			t.Fatalf("race: got %v, want OneTimeFirst 1 times and OneTimeUsed 7 times and OneTimeUnknown 24 times",
				verdicts)
		}
	}
}

func oneTimeCancelled(t *testing.T, open openFunc[oneTimeStore]) {
	s := open(t)
	r, twin := oneTimeRecord("alice", "1", 0), oneTimeRecord("alice", "2", 0)
	s.add(r)
	s.add(twin)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Redeem(ctx, r.Digest, noon)
	used := !s.find(r.Digest).Used.IsZero()
	if used != (err == nil) || used == (s.find(twin.Digest) != nil) {
		t.Errorf("error %v, used %v, the other: %+v", err, used, s.find(twin.Digest))
	}
	s.add(oneTimeRecord("alice", "after", 0)) // the store still works
}
