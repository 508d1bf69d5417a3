package storetest

import (
	"context"
	"testing"
	"time"

	"github.com/gatewarden/auth/oauth2/external"
)

// externalCalls checks what holds for every method.
func externalCalls(t *testing.T, open openFunc[externalStore]) {
	check(t, open, "what is passed and returned is not changed afterwards", externalOwnCopies)
	check(t, open, "a context that has ended is an error, and changes nothing", externalCancelled)
}

func externalOwnCopies(t *testing.T, open openFunc[externalStore]) {
	s := open(t)
	passed, code, taken := externalIdentity("alice", "1"), externalCode("alice", "c"), externalCode("alice", "t")
	s.link(passed, "alice")
	s.link(externalIdentity("alice", "2"), "alice")
	s.must(s.AddCode(s.Context(), code))
	s.must(s.AddCode(s.Context(), taken))
	s.take("t", noon)
	found, listed := s.find("1"), s.list("alice")
	seen := externalIdentity("alice", "1")
	seen.Provider, seen.Email, seen.EmailVerified, seen.Name, seen.Created, seen.LastUsed = "p", "e", false, "n",
		fraction, fraction
	s.must(s.Touch(s.Context(), seen))
	again := *seen
	again.Name = "later"
	s.must(s.Touch(s.Context(), &again))
	removed := s.unlink("alice", "1", true, external.UnlinkRemoved)
	_, err := s.RemoveUser(s.Context(), "alice")
	s.must(err)
	s.link(externalIdentity("bob", "1"), "bob")
	for sentence, i := range map[string]*external.Identity{"passed to Link": passed, "found": found,
		"listed": listed[0]} {
		if !sameIdentity(i, externalIdentity("alice", "1")) {
			t.Errorf("%s and changed later: the store has %+v, want the identity unchanged", sentence, i)
		}
	}
	if seen.Name != "n" || !seen.Created.Equal(fraction) {
		t.Errorf("passed to Touch and changed later: %+v, want Name n", seen)
	}
	if removed == nil || removed.Name != "later" || removed.UserID != "alice" {
		t.Errorf("returned by Unlink: %+v, want the last name and user", removed)
	}
	if !sameCode(code, externalCode("alice", "c")) || !sameCode(taken, externalCode("alice", "t")) {
		t.Errorf("passed to AddCode and changed later: %+v and %+v, want both unchanged", code, taken)
	}
}

func externalCancelled(t *testing.T, open openFunc[externalStore]) {
	prepare := func() externalStore {
		s := open(t)
		s.link(externalIdentity("alice", "1"), "alice")
		s.link(externalIdentity("alice", "2"), "alice")
		s.must(s.AddCode(s.Context(), externalCode("alice", "old")))
		s.put("old", noon.Add(time.Hour), noon, true)
		s.reserve("old", "old", noon, "old", "")
		return s
	}
	want := prepare().state()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	touched := externalIdentity("alice", "1")
	touched.Name = "new"
	for name, call := range map[string]func(s externalStore) error{
		"Identity":   func(s externalStore) error { return errorOf(s.Identity(ctx, externalIssuer, "1")) },
		"Identities": func(s externalStore) error { return errorOf(s.Identities(ctx, "alice")) },
		"Link":       func(s externalStore) error { return errorOfThree(s.Link(ctx, externalIdentity("bob", "new"))) },
		"Link of one that is there": func(s externalStore) error {
			return errorOfThree(s.Link(ctx, externalIdentity("alice", "1")))
		},
		"LinkFirst": func(s externalStore) error {
			return errorOfThree(s.LinkFirst(ctx, externalIdentity("bob", "new")))
		},
		"LinkFirst of a user who has one": func(s externalStore) error {
			return errorOfThree(s.LinkFirst(ctx, externalIdentity("alice", "new")))
		},
		"Touch":      func(s externalStore) error { return s.Touch(ctx, touched) },
		"Unlink":     func(s externalStore) error { return errorOfThree(s.Unlink(ctx, "alice", "1", false)) },
		"RemoveUser": func(s externalStore) error { return errorOf(s.RemoveUser(ctx, "alice")) },
		"PutOnce":    func(s externalStore) error { return errorOf(s.PutOnce(ctx, "new", noon.Add(time.Hour), noon)) },
		"AddCode":    func(s externalStore) error { return s.AddCode(ctx, externalCode("alice", "new")) },
		"TakeCode":   func(s externalStore) error { return errorOf(s.TakeCode(ctx, "old", noon)) },
		"Reserve": func(s externalStore) error {
			return errorOfThree(s.Reserve(ctx, externalReservation("new", "new", noon), noon))
		},
		"Confirm": func(s externalStore) error {
			return errorOfThree(s.Confirm(ctx, "old", externalIdentity("bob", "old"), noon))
		},
		"Purge": func(s externalStore) error { return errorOf(s.Purge(ctx, noon.Add(9*time.Hour), 9)) },
	} {
		s := prepare()
		if err := call(s); err == nil {
			t.Errorf("%s went on, want an error", name)
		}
		if got := s.state(); got != want {
			t.Errorf("%s changed\n%s\nto\n%s", name, want, got)
		}
	}
}

// errorOfThree is errorOf for a method with three results.
func errorOfThree[A, B any](_ A, _ B, err error) error { return err }

// state returns what there is. It takes the codes and keys.
func (s externalStore) state() string {
	s.Helper()
	all := []any{s.list("alice"), s.list("bob"), s.find("1"), s.find("new")}
	for _, name := range []string{"old", "new"} {
		code, err := s.TakeCode(s.Context(), name, noon)
		s.must(err)
		fresh, err := s.PutOnce(s.Context(), name, noon.Add(time.Hour), noon)
		s.must(err)
		reserved, _, err := s.Reserve(s.Context(), externalReservation("of "+name, name, noon), noon)
		s.must(err)
		all = append(all, code, fresh, reserved)
	}
	return recordText(all)
}
