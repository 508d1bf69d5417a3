package storetest

import (
	"testing"
	"time"

	"github.com/gatewarden/auth/oauth2/external"
)

// externalUnlink checks Unlink.
func externalUnlink(t *testing.T, open openFunc[externalStore]) {
	check(t, open, "Unlink removes one identity of a user by its ID, and returns it", externalUnlinksOne)
	check(t, open, "Unlink answers UnlinkUnknown for an identity that the user does not have, and changes nothing",
		externalUnlinksUnknown)
	check(t, open, "Unlink with keepLast keeps the last identity of a user, and removes it without keepLast",
		externalKeepsLast)
}

func externalUnlinksOne(t *testing.T, open openFunc[externalStore]) {
	s := open(t)
	for _, id := range []string{"1", "2", "3"} {
		s.link(externalIdentity("alice", id), "alice")
	}
	s.link(externalIdentity("bob", "b"), "bob")
	for i, id := range []string{"2", "1"} {
		if got := s.unlink("alice", id, i == 0, external.UnlinkRemoved); !sameIdentity(got,
			externalIdentity("alice", id)) {
			t.Errorf("Unlink returned %+v, want the identity that was linked", got)
		}
		s.unlink("alice", id, i == 0, external.UnlinkUnknown)
		if got := s.find(id); got != nil {
			t.Errorf("left %+v, want nil", got)
		}
	}
	s.wantIDs("alice", "3")
	s.wantIDs("bob", "b")
}

func externalUnlinksUnknown(t *testing.T, open openFunc[externalStore]) {
	s := open(t)
	s.link(externalIdentity("alice", "1"), "alice")
	s.link(externalIdentity("bob", "2"), "bob")
	for _, keepLast := range []bool{true, false} {
		s.unlink("alice", "2", keepLast, external.UnlinkUnknown)
		s.unlink("alice", "3", keepLast, external.UnlinkUnknown)
		s.unlink("alice", "", keepLast, external.UnlinkUnknown)
		s.unlink("nobody", "1", keepLast, external.UnlinkUnknown)
	}
	s.wantIDs("alice", "1")
	s.wantIDs("bob", "2")
}

func externalKeepsLast(t *testing.T, open openFunc[externalStore]) {
	s := open(t)
	for _, i := range []*external.Identity{externalIdentity("alice", "1"), externalIdentity("alice", "2"),
		externalIdentity("Alice", "3"), externalIdentity("bob", "4")} {
		s.link(i, i.UserID)
	}
	s.unlink("alice", "1", true, external.UnlinkRemoved)
	for range 2 {
		s.unlink("alice", "2", true, external.UnlinkLast)
		if got := s.find("2"); !sameIdentity(got, externalIdentity("alice", "2")) {
			t.Errorf("the record is now %+v, want another one", got)
		}
	}
	s.unlink("alice", "2", false, external.UnlinkRemoved)
	s.wantIDs("alice")
	s.wantIDs("Alice", "3")
	s.wantIDs("bob", "4")
}

// externalRemoveUser checks RemoveUser.
func externalRemoveUser(t *testing.T, open openFunc[externalStore]) {
	check(t, open, "RemoveUser removes all identities and codes of a user, and counts the identities",
		externalRemovesUser)
	check(t, open, "RemoveUser removes the codes of a user without identities, and does not count them",
		externalRemovesCodes)
}

func externalRemovesUser(t *testing.T, open openFunc[externalStore]) {
	s := open(t)
	for _, i := range []*external.Identity{externalIdentity("alice", "1"), externalIdentity("alice", "2"),
		externalIdentity("alice", "3"), externalIdentity("bob", "4"), externalIdentity("Alice", "5")} {
		s.link(i, i.UserID)
	}
	for _, c := range []*external.Code{externalCode("alice", "c1"), externalCode("alice", "c2"),
		externalCode("bob", "c3"),
		externalCode("Alice", "c4")} {
		s.must(s.AddCode(s.Context(), c))
	}
	s.put("alice", noon.Add(time.Hour), noon, true)
	for _, want := range []int{3, 0} {
		if n, err := s.RemoveUser(s.Context(), "alice"); n != want || err != nil {
			t.Errorf("%d, %v, want %d", n, err, want)
		}
	}
	s.wantIDs("alice")
	s.wantIDs("bob", "4")
	s.wantIDs("Alice", "5")
	for digest, there := range map[string]bool{"c1": false, "c2": false, "c3": true, "c4": true} {
		if code := s.take(digest, noon); (code != nil) != there {
			t.Errorf("%s: take: got %+v, want found to be %v", digest, code, there)
		}
	}
	s.put("alice", noon.Add(time.Hour), noon, false)
	if got := s.find("2"); got != nil {
		t.Errorf("find: got %+v, want nil", got)
	}
	s.link(externalIdentity("bob", "1"), "bob")
}

func externalRemovesCodes(t *testing.T, open openFunc[externalStore]) {
	s := open(t)
	s.must(s.AddCode(s.Context(), externalCode("alice", "c")))
	if n, err := s.RemoveUser(s.Context(), "alice"); n != 0 || err != nil {
		t.Errorf("RemoveUser: got %d, %v, want 0", n, err)
	}
	if code := s.take("c", noon); code != nil {
		t.Errorf("take: got %+v, want nil", code)
	}
}
