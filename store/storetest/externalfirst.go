package storetest

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"
)

// externalFirst checks LinkFirst.
func externalFirst(t *testing.T, open openFunc[externalStore]) {
	check(t, open, "LinkFirst links to a user without an identity of the issuer, and returns the owner of a linked one",
		externalFirstLinks)
	check(t, open, "LinkFirst adds nothing to a user who has an identity of the issuer", externalFirstRefuses)
	check(t, open, "of 32 identities of one issuer that LinkFirst links to one user at once one is", externalFirstRace)
}

// linkFirst checks what LinkFirst returns.
func (s externalStore) linkFirst(user, subject, issuer, owner string, linked bool) {
	s.Helper()
	identity := externalIdentity(user, user+" "+issuer+subject)
	identity.Issuer, identity.Subject = issuer, subject
	got, added, err := s.LinkFirst(s.Context(), identity)
	if err != nil || got != owner || added != linked {
		s.Errorf("LinkFirst of %s to %s returned %q, %v, %v, want %q, %v", subject, user, got, added, err,
			owner, linked)
	}
}

func externalFirstLinks(t *testing.T, open openFunc[externalStore]) {
	s := open(t)
	s.reserve("r", "1", noon.Add(time.Hour), "r", "")
	s.linkFirst("alice", "1", externalIssuer, "alice", true)
	if got := s.find("1"); got == nil || got.UserID != "alice" {
		t.Errorf("found %+v, want that of alice", got)
	}
	s.linkFirst("alice", "1", externalIssuer, "alice", false) // it is there
	s.linkFirst("bob", "1", externalIssuer, "alice", false)
	s.linkFirst("alice", "1", externalIssuer+"/", "alice", true) // another issuer
	s.linkFirst("bob", "2", externalIssuer, "bob", true)
	// The reservation of the key is gone: it links nothing later.
	late := externalIdentity("carol", "late")
	late.Subject = "1"
	if owner, linked, err := s.Confirm(s.Context(), "r", late, noon); owner != "alice" || linked || err != nil {
		t.Errorf("Confirm returned %q, %v, %v, want alice", owner, linked, err)
	}
}

func externalFirstRefuses(t *testing.T, open openFunc[externalStore]) {
	s := open(t)
	s.link(externalIdentity("alice", "1"), "alice")
	s.reserve("r", "2", noon.Add(time.Hour), "r", "")
	s.linkFirst("alice", "2", externalIssuer, "", false)
	if s.find("2") != nil || len(s.list("alice")) != 1 {
		t.Errorf("alice has %+v, want one", s.list("alice"))
	}
	s.reserve("other", "2", noon.Add(time.Hour), "r", "")    // it stays
	s.linkFirst("Alice", "3", externalIssuer, "Alice", true) // another user
	removed, _, err := s.Unlink(s.Context(), "alice", "1", false)
	if err != nil || removed == nil {
		t.Fatalf("Unlink: got %v, %v, want a record", removed, err)
	}
	s.linkFirst("alice", "2", externalIssuer, "alice", true)
}

func externalFirstRace(t *testing.T, open openFunc[externalStore]) {
	s := open(t)
	for round := range externalRounds {
		user := fmt.Sprint("contended", round)
		var linked atomic.Int32
		atOnce(32, func(i int) {
			owner, first, err := s.LinkFirst(s.Context(), externalIdentity(user, fmt.Sprint(user, " ", i)))
			switch {
			case err != nil:
				t.Error(err)
			case first:
				linked.Add(1)
			case owner != "":
				t.Errorf("got the owner %q, want none", owner)
			}
		})
		if linked.Load() != 1 || len(s.list(user)) != 1 {
			t.Errorf("%d were told that they linked, and %s has %d, want 1", linked.Load(), user, len(s.list(user)))
		}
	}
}
