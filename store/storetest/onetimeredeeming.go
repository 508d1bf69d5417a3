package storetest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/gatewarden/auth/password"
)

// onceRedeeming checks Redeem.
func onceRedeeming(t *testing.T, open opener[oneTimeStore]) {
	check(t, open, "the first to redeem is told so, later ones that it was used", onceRedeemsFirst)
	check(t, open, "what is not there is unknown", onceUnknown)
	check(t, open, "a record is good until the instant it expires, and not used up then", onceExpires)
	check(t, open, "Redeem removes the other unused records of the user and purpose, and nothing else",
		onceRedeemEndsOthers)
	check(t, open, "if 32 callers redeem one record at once, one is the first", onceRedeemRace)
	check(t, open, "if 32 callers redeem the records of a user at once, one is the first", onceRedeemSeveralRace)
	check(t, open, "a call with a cancelled context changes all or nothing", onceCancelled)
}

func onceRedeemsFirst(t *testing.T, open opener[oneTimeStore]) {
	s := open(t)
	r := onceRecord("alice", "1", 0)
	s.add(r)
	at := noon.Add(time.Minute)
	s.redeem(r, at, password.OneTimeFirst)
	if got := s.find(r.Digest); got == nil || !got.Used.Equal(at) {
		t.Errorf("the record is now %+v, want another one", got)
	}
	s.redeem(r, at, password.OneTimeUsed)
	s.redeem(r, r.ExpiresAt.Add(time.Hour), password.OneTimeUsed)
}

func onceUnknown(t *testing.T, open opener[oneTimeStore]) {
	s := open(t)
	s.redeem(onceRecord("alice", "1", 0), noon, password.OneTimeUnknown)
}

func onceExpires(t *testing.T, open opener[oneTimeStore]) {
	s := open(t)
	r := onceRecord("alice", "1", 0)
	s.add(r)
	s.redeem(r, r.ExpiresAt, password.OneTimeExpired)
	if got := s.find(r.Digest); got == nil || !got.Used.IsZero() {
		t.Errorf("the record is now %+v, want another one", got)
	}
	s.redeem(r, r.ExpiresAt.Add(-time.Microsecond), password.OneTimeFirst)
}

func onceRedeemEndsOthers(t *testing.T, open opener[oneTimeStore]) {
	s := open(t)
	r, twin, old := onceRecord("alice", "1", 0), onceRecord("alice", "2", 0), onceRecord("alice", "3", 0)
	otherPurpose, used, bob := onceRecord("alice", "o", 0), onceRecord("alice", "u", 0), onceRecord("bob", "b", 0)
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

func onceRedeemRace(t *testing.T, open opener[oneTimeStore]) {
	s := open(t)
	for round := range 8 {
		r := onceRecord("alice", fmt.Sprint(round), 0)
		s.add(r)
		verdicts := s.race(32, func(int) *password.OneTimeRecord { return r })
		if verdicts[password.OneTimeFirst] != 1 || verdicts[password.OneTimeUsed] != 31 {
			t.Fatalf("race: got %v, want OneTimeFirst 1 times and OneTimeUsed 31 times", verdicts)
		}
	}
}

func onceRedeemSeveralRace(t *testing.T, open opener[oneTimeStore]) {
	s := open(t)
	for round := range 8 {
		var all [4]*password.OneTimeRecord
		for i := range all {
			all[i] = onceRecord("alice", fmt.Sprint(round, i), 0)
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

func onceCancelled(t *testing.T, open opener[oneTimeStore]) {
	s := open(t)
	r, twin := onceRecord("alice", "1", 0), onceRecord("alice", "2", 0)
	s.add(r)
	s.add(twin)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Redeem(ctx, r.Digest, noon)
	used := !s.find(r.Digest).Used.IsZero()
	if used != (err == nil) || used == (s.find(twin.Digest) != nil) {
		t.Errorf("error %v, used %v, the other: %+v", err, used, s.find(twin.Digest))
	}
	s.add(onceRecord("alice", "after", 0)) // the store still works
}
