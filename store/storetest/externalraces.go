package storetest

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatewarden/auth/oauth2/external"
)

// externalRaces checks what links and unlinks identities at once.
func externalRaces(t *testing.T, open openFunc[externalStore]) {
	check(t, open, "if 32 users link one identity at once, one gets it and all learn the owner", externalLinkRace)
	check(t, open, "of 32 identities of one ID that are linked at once one is, and no other one is lost",
		externalSameIDRace)
	check(t, open, "if the last two identities of a user are unlinked at once, one stays", externalLastTwoRace)
	check(t, open, "if 32 callers unlink eight identities of a user at once, one stays and each is removed once",
		externalUnlinkRace)
	check(t, open, "Touch does not restore an identity that is unlinked, or of a user that is removed, at the "+
		"same time", externalTouchRace)
}

func externalLinkRace(t *testing.T, open openFunc[externalStore]) {
	s := open(t)
	for round := range externalRounds {
		subject := fmt.Sprint("contended", round)
		owners := make([]string, 32)
		var linked atomic.Int32
		atOnce(len(owners), func(i int) {
			user := fmt.Sprint("user", i)
			identity := externalIdentity(user, fmt.Sprint(subject, " ", i))
			identity.Subject = subject
			var first bool
			var err error
			if owners[i], first, err = s.Link(s.Context(), identity); err != nil {
				t.Error(err)
			}
			if first {
				linked.Add(1)
			}
		})
		if linked.Load() != 1 {
			t.Errorf("%d were told that they linked, want 1", linked.Load())
		}
		got := s.find(subject)
		if got == nil {
			t.Fatal("no user has it")
		}
		for i, owner := range owners {
			externalHasOrNot(s, fmt.Sprint("user", i), subject, owner, got.UserID)
		}
	}
}

// externalHasOrNot checks that a user was told the owner of a subject, and has it only as its owner.
func externalHasOrNot(s externalStore, user, subject, told, owner string) {
	s.Helper()
	if told != owner {
		s.Errorf("%s was told %q, %q has it", user, told, owner)
	}
	want := 0
	if user == owner {
		want = 1
	}
	has := slices.DeleteFunc(s.list(user), func(i *external.Identity) bool { return i.Subject != subject })
	if len(has) != want {
		s.Errorf("%s has %d, want %d", user, len(has), want)
	}
}

func externalSameIDRace(t *testing.T, open openFunc[externalStore]) {
	s := open(t)
	var linked atomic.Int32
	atOnce(32, func(i int) {
		same := externalIdentity("alice", "same")
		same.Subject = fmt.Sprint("same", i)
		if owner, first, err := s.Link(s.Context(), same); err == nil && first && owner == "alice" {
			linked.Add(1)
		}
		owner, first, err := s.Link(s.Context(), externalIdentity("bob", fmt.Sprint(i)))
		if owner != "bob" || !first || err != nil {
			t.Errorf("Link: got %q, %v, %v, want \"bob\" and true", owner, first, err)
		}
	})
	if linked.Load() != 1 {
		t.Errorf("%d of 32 were linked, want 1", linked.Load())
	}
	s.wantIDs("alice", "same")
	if n := len(s.list("bob")); n != 32 {
		t.Errorf("got %d of 32 identities, want all", n)
	}
}

func externalLastTwoRace(t *testing.T, open openFunc[externalStore]) {
	s := open(t)
	for round := range 4 * externalRounds {
		user := fmt.Sprint("user", round)
		for i := range 2 {
			s.link(externalIdentity(user, fmt.Sprint(user, i)), user)
		}
		var verdicts [2]external.UnlinkVerdict
		atOnce(2, func(i int) {
			var err error
			if _, verdicts[i], err = s.Unlink(s.Context(), user, fmt.Sprint(user, i), true); err != nil {
				t.Error(err)
			}
		})
		if slices.Sort(verdicts[:]); verdicts != [2]external.UnlinkVerdict{external.UnlinkRemoved,
			external.UnlinkLast} {
			t.Errorf("two calls of Unlink: got verdicts %v, want one UnlinkRemoved and one UnlinkLast", verdicts)
		}
		if n := len(s.list(user)); n != 1 {
			t.Errorf("%d identities stayed, want 1", n)
		}
	}
}

func externalUnlinkRace(t *testing.T, open openFunc[externalStore]) {
	s := open(t)
	for round := range externalRounds {
		user := fmt.Sprint("user", round)
		for i := range 8 {
			s.link(externalIdentity(user, fmt.Sprint(user, i)), user)
		}
		var removed tally
		atOnce(32, func(i int) {
			identity, verdict, err := s.Unlink(s.Context(), user, fmt.Sprint(user, i%8), true)
			if err != nil || (identity != nil) != (verdict == external.UnlinkRemoved) {
				t.Errorf("Unlink: got %+v, %v, %v, want an identity only with UnlinkRemoved", identity, verdict, err)
			}
			if identity != nil {
				removed.add(identity.ID)
			}
		})
		left := s.list(user)
		if len(left) != 1 || len(removed.counts) != 7 || removed.counts[left[0].ID] != 0 {
			t.Errorf("%d left, removed %v", len(left), removed.counts)
		}
		removed.wantOnce(t, "was removed")
	}
}

func externalTouchRace(t *testing.T, open openFunc[externalStore]) {
	s := open(t)
	for round := range 4 * externalRounds {
		user := fmt.Sprint("user", round)
		s.link(externalIdentity(user, user), user)
		atOnce(9, func(i int) {
			var err error
			switch {
			case i != 4:
				err = s.Touch(s.Context(), externalIdentity(user, user))
			case round%2 == 0:
				_, _, err = s.Unlink(s.Context(), user, user, false)
			default:
				_, err = s.RemoveUser(s.Context(), user)
			}
			if err != nil {
				t.Error(err)
			}
		})
		if got := s.find(user); got != nil {
			t.Errorf("find: got %+v, want nil", got)
		}
		s.wantIDs(user)
	}
}

// externalOnceRaces checks what puts keys and takes codes at once.
func externalOnceRaces(t *testing.T, open openFunc[externalStore]) {
	check(t, open, "if 32 callers put a key at once, one of them gets fresh", externalPutRace)
	check(t, open, "of 32 that add a code of one digest at once one does, and of 32 that take it one gets it",
		externalCodeRace)
	check(t, open, "purges at once remove each key and code once", externalPurgeRace)
	check(t, open, "Purge does not remove a key that is put again at the same time", externalPutPurgeRace)
}

func externalPutRace(t *testing.T, open openFunc[externalStore]) {
	s := open(t)
	for round := range externalRounds {
		// A new one, and then the same when it expired.
		for _, now := range []time.Time{noon, noon.Add(time.Hour)} {
			var fresh atomic.Int32
			atOnce(32, func(int) {
				if ok, err := s.PutOnce(s.Context(), fmt.Sprint(round), now.Add(time.Hour), now); err != nil {
					t.Error(err)
				} else if ok {
					fresh.Add(1)
				}
			})
			if fresh.Load() != 1 {
				t.Errorf("%d of 32 keys were fresh, want 1", fresh.Load())
			}
		}
	}
}

func externalCodeRace(t *testing.T, open openFunc[externalStore]) {
	s := open(t)
	for round := range externalRounds {
		digest := fmt.Sprint(round)
		var added, taken atomic.Int32
		atOnce(32, func(i int) {
			if s.AddCode(s.Context(), externalCode(fmt.Sprint("user", i), digest)) == nil {
				added.Add(1)
			}
		})
		atOnce(32, func(int) {
			if code, err := s.TakeCode(s.Context(), digest, noon); err != nil {
				t.Error(err)
			} else if code != nil {
				taken.Add(1)
			}
		})
		if added.Load() != 1 || taken.Load() != 1 {
			t.Errorf("%d added, %d taken, want 1 and 1", added.Load(), taken.Load())
		}
	}
}

func externalPurgeRace(t *testing.T, open openFunc[externalStore]) {
	s := open(t)
	for i := range 40 {
		s.put(fmt.Sprint(i), noon, noon.Add(-time.Hour), true)
		c := externalCode("alice", fmt.Sprint(i))
		c.ExpiresAt = noon
		s.must(s.AddCode(s.Context(), c))
	}
	var total atomic.Int32
	purgeAtOnce(func() {
		n, err := s.Purge(s.Context(), noon, 14)
		if err != nil {
			t.Error(err)
		}
		total.Add(int32(n))
	})
	if total.Load() != 80 {
		t.Errorf("purged %d keys and codes, want each of 80 once", total.Load())
	}
}

func externalPutPurgeRace(t *testing.T, open openFunc[externalStore]) {
	s := open(t)
	for round := range externalRounds {
		key := fmt.Sprint(round)
		s.put(key, noon, noon.Add(-time.Hour), true)
		atOnce(8, func(i int) {
			var err error
			if i%2 == 0 {
				_, err = s.Purge(s.Context(), noon, 100)
			} else {
				_, err = s.PutOnce(s.Context(), key, noon.Add(time.Hour), noon)
			}
			if err != nil {
				t.Error(err)
			}
		})
		s.put(key, noon.Add(time.Hour), noon, false)
	}
}

// externalRounds is how often a race is run.
const externalRounds = 8
