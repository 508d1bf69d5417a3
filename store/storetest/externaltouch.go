package storetest

import (
	"testing"
	"time"

	"github.com/gatewarden/auth/oauth2/external"
)

// externalTouch checks Touch.
func externalTouch(t *testing.T, open openFunc[externalStore]) {
	check(t, open, "Touch writes the fields of its arguments and no others", externalTouchWrites)
	check(t, open, "Touch changes an identity only if ID, user, issuer and subject match", externalTouchExact)
	check(t, open, "Touch does not restore an identity that was unlinked", externalTouchUnlinked)
}

func externalTouchWrites(t *testing.T, open openFunc[externalStore]) {
	s := open(t)
	for _, i := range []*external.Identity{externalIdentity("alice", "1"), externalIdentity("alice", "2"),
		externalIdentity("bob", "3")} {
		s.link(i, i.UserID)
	}
	for _, want := range []external.Identity{
		{Provider: odd, Email: odd, EmailVerified: false, Name: odd, LastUsed: fraction},
		{LastUsed: fraction.Add(time.Microsecond)},
		{Provider: "p", Email: "e", EmailVerified: true, Name: "n", LastUsed: fraction.Add(time.Hour)},
	} {
		want.ID, want.UserID, want.Issuer, want.Subject, want.Created = "1", "alice", externalIssuer, "1",
			fraction.Add(time.Minute)
		seen := want
		s.must(s.Touch(s.Context(), &seen))
		want.Created = noon
		if got := s.find("1"); !sameIdentity(got, &want) {
			t.Errorf("now  %+v\nwant %+v", got, want)
		}
	}
	for user, id := range map[string]string{"alice": "2", "bob": "3"} {
		if got := s.find(id); !sameIdentity(got, externalIdentity(user, id)) {
			t.Errorf("another identity: got %+v, want it unchanged", got)
		}
	}
	s.wantIDs("alice", "1", "2")
}

func externalTouchExact(t *testing.T, open openFunc[externalStore]) {
	s := open(t)
	s.link(externalIdentity("alice", "1"), "alice")
	s.link(externalIdentity("alice", "2"), "alice")
	for sentence, change := range map[string]func(*external.Identity){
		"another ID":          func(i *external.Identity) { i.ID = "3" },
		"the ID of another":   func(i *external.Identity) { i.ID = "2" },
		"another user":        func(i *external.Identity) { i.UserID = "bob" },
		"a user like it":      func(i *external.Identity) { i.UserID = "Alice" },
		"another issuer":      func(i *external.Identity) { i.Issuer += "x" },
		"another subject":     func(i *external.Identity) { i.Subject = "9" },
		"the key of another":  func(i *external.Identity) { i.Subject = "2" },
		"nothing but the key": func(i *external.Identity) { i.ID, i.UserID = "", "" },
		"nothing but the ID":  func(i *external.Identity) { i.UserID, i.Issuer, i.Subject = "", "", "" },
	} {
		seen := externalIdentity("alice", "1")
		seen.Name, seen.Email = "touched", "touched"
		change(seen)
		s.must(s.Touch(s.Context(), seen))
		for _, id := range []string{"1", "2"} {
			if got := s.find(id); !sameIdentity(got, externalIdentity("alice", id)) {
				t.Errorf("%s: got %+v, want the identity unchanged", sentence, got)
			}
		}
		s.wantIDs("alice", "1", "2")
		s.wantIDs("bob")
		if got := s.find("9"); got != nil {
			t.Errorf("%s: added %+v, want nil", sentence, got)
		}
	}
}

func externalTouchUnlinked(t *testing.T, open openFunc[externalStore]) {
	s := open(t)
	s.link(externalIdentity("alice", "1"), "alice")
	s.unlink("alice", "1", false, external.UnlinkRemoved)
	s.must(s.Touch(s.Context(), externalIdentity("alice", "1")))
	if got := s.find("1"); got != nil {
		t.Errorf("find: got %+v, want nil", got)
	}
	s.wantIDs("alice")
	// It does not come back through a user that linked it meanwhile either.
	for _, user := range []string{"alice", "bob"} {
		next := externalIdentity(user, "next")
		next.Subject = "1"
		s.link(next, user)
		seen := externalIdentity("alice", "1")
		seen.Name = "touched"
		s.must(s.Touch(s.Context(), seen))
		if got := s.find("1"); !sameIdentity(got, next) {
			t.Errorf("the record is now %+v, want another one", got)
		}
		s.unlink(user, "next", false, external.UnlinkRemoved)
	}
}
