package storetest

import (
	"context"
	"testing"
	"time"

	"github.com/gatewarden/auth/oauth2/external"
)

// loginCalls checks what holds for every method.
func loginCalls(t *testing.T, open opener[loginStore]) {
	check(t, open, "what is passed and returned is not changed afterwards", loginOwnCopies)
	check(t, open, "a context that has ended is an error, and changes nothing", loginCancelled)
}

func loginOwnCopies(t *testing.T, open opener[loginStore]) {
	s := open(t)
	passed, code, taken := loginIdentity("alice", "1"), loginCode("alice", "c"), loginCode("alice", "t")
	s.link(passed, "alice")
	s.link(loginIdentity("alice", "2"), "alice")
	s.must(s.AddCode(s.Context(), code))
	s.must(s.AddCode(s.Context(), taken))
	s.take("t", noon)
	found, listed := s.find("1"), s.list("alice")
	seen := loginIdentity("alice", "1")
	seen.Provider, seen.Email, seen.EmailVerified, seen.Name, seen.Created, seen.LastUsed = "p", "e", false, "n",
		fraction, fraction
	s.must(s.Touch(s.Context(), seen))
	again := *seen
	again.Name = "later"
	s.must(s.Touch(s.Context(), &again))
	removed := s.unlink("alice", "1", true, external.UnlinkRemoved)
	_, err := s.RemoveUser(s.Context(), "alice")
	s.must(err)
	s.link(loginIdentity("bob", "1"), "bob")
	for sentence, i := range map[string]*external.Identity{"passed to Link": passed, "found": found,
		"listed": listed[0]} {
		if !sameIdentity(i, loginIdentity("alice", "1")) {
			t.Errorf("%s and changed later: the store has %+v, want the identity unchanged", sentence, i)
		}
	}
	if seen.Name != "n" || !seen.Created.Equal(fraction) {
		t.Errorf("passed to Touch and changed later: %+v, want Name n", seen)
	}
	if removed == nil || removed.Name != "later" || removed.UserID != "alice" {
		t.Errorf("returned by Unlink: %+v, want the last name and user", removed)
	}
	if !sameCode(code, loginCode("alice", "c")) || !sameCode(taken, loginCode("alice", "t")) {
		t.Errorf("passed to AddCode and changed later: %+v and %+v, want both unchanged", code, taken)
	}
}

func loginCancelled(t *testing.T, open opener[loginStore]) {
	prepare := func() loginStore {
		s := open(t)
		s.link(loginIdentity("alice", "1"), "alice")
		s.link(loginIdentity("alice", "2"), "alice")
		s.must(s.AddCode(s.Context(), loginCode("alice", "old")))
		s.put("old", noon.Add(time.Hour), noon, true)
		s.reserve("old", "old", noon, "old", "")
		return s
	}
	want := prepare().state()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	touched := loginIdentity("alice", "1")
	touched.Name = "new"
	for name, call := range map[string]func(s loginStore) error{
		"Identity":   func(s loginStore) error { return errorOf(s.Identity(ctx, loginIssuer, "1")) },
		"Identities": func(s loginStore) error { return errorOf(s.Identities(ctx, "alice")) },
		"Link":       func(s loginStore) error { return errorOfThree(s.Link(ctx, loginIdentity("bob", "new"))) },
		"Link of one that is there": func(s loginStore) error {
			return errorOfThree(s.Link(ctx, loginIdentity("alice", "1")))
		},
		"LinkFirst": func(s loginStore) error { return errorOfThree(s.LinkFirst(ctx, loginIdentity("bob", "new"))) },
		"LinkFirst of a user who has one": func(s loginStore) error {
			return errorOfThree(s.LinkFirst(ctx, loginIdentity("alice", "new")))
		},
		"Touch":      func(s loginStore) error { return s.Touch(ctx, touched) },
		"Unlink":     func(s loginStore) error { return errorOfThree(s.Unlink(ctx, "alice", "1", false)) },
		"RemoveUser": func(s loginStore) error { return errorOf(s.RemoveUser(ctx, "alice")) },
		"PutOnce":    func(s loginStore) error { return errorOf(s.PutOnce(ctx, "new", noon.Add(time.Hour), noon)) },
		"AddCode":    func(s loginStore) error { return s.AddCode(ctx, loginCode("alice", "new")) },
		"TakeCode":   func(s loginStore) error { return errorOf(s.TakeCode(ctx, "old", noon)) },
		"Reserve": func(s loginStore) error {
			return errorOfThree(s.Reserve(ctx, loginReservation("new", "new", noon), noon))
		},
		"Confirm": func(s loginStore) error {
			return errorOfThree(s.Confirm(ctx, "old", loginIdentity("bob", "old"), noon))
		},
		"Purge": func(s loginStore) error { return errorOf(s.Purge(ctx, noon.Add(9*time.Hour), 9)) },
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
func (s loginStore) state() string {
	s.Helper()
	all := []any{s.list("alice"), s.list("bob"), s.find("1"), s.find("new")}
	for _, name := range []string{"old", "new"} {
		code, err := s.TakeCode(s.Context(), name, noon)
		s.must(err)
		fresh, err := s.PutOnce(s.Context(), name, noon.Add(time.Hour), noon)
		s.must(err)
		reserved, _, err := s.Reserve(s.Context(), loginReservation("of "+name, name, noon), noon)
		s.must(err)
		all = append(all, code, fresh, reserved)
	}
	return recordText(all)
}
