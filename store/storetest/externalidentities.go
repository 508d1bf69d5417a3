package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/gatewarden/auth/oauth2/external"
)

// externalIdentities checks Link, Identity and Identities.
func externalIdentities(t *testing.T, open openFunc[externalStore]) {
	check(t, open, "an identity is found as it was linked", externalFindsAsLinked)
	check(t, open, "an identity that was never linked is nil", externalFindsNothing)
	check(t, open, "issuer and subject are told apart byte by byte", externalKeysExact)
	check(t, open, "users and identifiers are told apart byte by byte", externalUsersExact)
	check(t, open, "Link returns the owner of a linked identity and changes nothing", externalLinkTells)
	check(t, open, "another identity with the same ID is an error and changes nothing", externalSameID)
	check(t, open, "any user may link an identity that was unlinked", externalLinkAgain)
	check(t, open, "Identities returns those of a user, the oldest first, then by ID", externalListOrder)
}

func externalFindsAsLinked(t *testing.T, open openFunc[externalStore]) {
	s := open(t)
	full := &external.Identity{ID: odd + "id", UserID: odd + "user", Issuer: odd + "issuer", Subject: odd + "subject",
		Provider: odd + "provider",
		Email:    odd + "@example", EmailVerified: true, Name: odd + "\u2028\r\n\t '; DROP TABLE identities; --",
		Created: fraction, LastUsed: fraction.Add(time.Microsecond)}
	bare := &external.Identity{ID: "bare", UserID: "alice", Issuer: "i", Subject: "s"}
	for _, want := range []*external.Identity{full, bare} {
		passed := *want
		s.link(&passed, want.UserID)
		got, err := s.Identity(s.Context(), want.Issuer, want.Subject)
		if err != nil || !sameIdentity(got, want) {
			t.Errorf("found %+v\nwant  %+v, %v", got, want, err)
		}
		if all := s.list(want.UserID); len(all) != 1 || !sameIdentity(all[0], want) {
			t.Errorf("listed %+v\nwant   %+v", all, want)
		}
	}
}

func externalFindsNothing(t *testing.T, open openFunc[externalStore]) {
	s := open(t)
	if got := s.find("1"); got != nil {
		t.Errorf("find: got %+v, want nil", got)
	}
	if all := s.list("alice"); len(all) != 0 {
		t.Errorf("list: got %+v, want an empty list", all)
	}
}

func externalKeysExact(t *testing.T, open openFunc[externalStore]) {
	s := open(t)
	keys := [][2]string{{"https://a.example/", "Zo\u00eb"}}
	for _, other := range [][2]string{
		{"https://a.example", "Zo\u00eb"}, {"HTTPS://a.example/", "Zo\u00eb"}, {"https://a.example/ ", "Zo\u00eb"},
		{" https://a.example/", "Zo\u00eb"},
		{"https://a.example/", "zo\u00eb"}, {"https://a.example/", "Zo\u00cb"}, {"https://a.example/", "Zoe\u0308"},
		{"https://a.example/", "Zoe"},
		{"https://a.example/", "Zo\u00eb "}, {"https://a.example/", " Zo\u00eb"}, {"https://a.example/", "Zo\u00eb\n"},
		{"https://a.example/", "Zo%"}, {"https://a.example/", "Zo_"},
		{"https://a.example/Zo", "\u00eb"}, {"https://a.example", "/Zo\u00eb"}, {"Zo\u00eb", "https://a.example/"},
		{"https://a.example/", ""}, {"", "Zo\u00eb"}, {"https://a.example/", "1"}, {"https://a.example/", "01"},
		{"https://a.example/", "1.0"},
	} {
		if got, err := s.Identity(s.Context(), other[0], other[1]); got != nil || err != nil {
			t.Errorf("%q: Identity: got %+v, %v, want nil", other, got, err)
		}
		keys = append(keys, other)
	}
	for i, key := range keys {
		user := fmt.Sprint("user", i)
		s.link(&external.Identity{ID: fmt.Sprint(i), UserID: user, Issuer: key[0], Subject: key[1], Created: noon,
			LastUsed: noon}, user)
	}
	for i, key := range keys {
		got, err := s.Identity(s.Context(), key[0], key[1])
		if err != nil || got == nil || got.UserID != fmt.Sprint("user", i) || got.Issuer != key[0] ||
			got.Subject != key[1] {
			t.Errorf("Identity of %q: got %+v, %v, want the identity of user%d", key, got, err, i)
		}
	}
}

func externalUsersExact(t *testing.T, open openFunc[externalStore]) {
	s := open(t)
	names := []string{"alice", "Alice", "alice ", " alice", "al\u00efce", "al\u00cfce", "ali\u0308ce", "al_ce", "al%",
		"1", "01", "1.0"}
	for i, name := range names {
		s.link(&external.Identity{ID: name, UserID: name, Issuer: externalIssuer, Subject: fmt.Sprint(i), Created: noon,
			LastUsed: noon}, name)
	}
	for i, name := range names {
		if all := s.list(name); len(all) != 1 || all[0].ID != name || all[0].Subject != fmt.Sprint(i) {
			t.Errorf("%q has %+v", name, all)
		}
	}
	s.unlink("Alice", "alice", false, external.UnlinkUnknown)
	s.unlink("alice", "Alice", false, external.UnlinkUnknown)
	s.unlink("alice ", "alice ", false, external.UnlinkRemoved)
	if n, err := s.RemoveUser(s.Context(), "ALICE"); n != 0 || err != nil {
		t.Errorf("RemoveUser: got %d, %v, want 0", n, err)
	}
	if n, err := s.RemoveUser(s.Context(), "alice"); n != 1 || err != nil {
		t.Errorf("RemoveUser: got %d, %v, want 1", n, err)
	}
	for _, name := range names[3:] {
		if all := s.list(name); len(all) != 1 {
			t.Errorf("%q has %+v, want 1 entry", name, all)
		}
	}
	if all := s.list("Alice"); len(all) != 1 {
		t.Errorf("Alice has %+v, want 1 entry", all)
	}
}

func externalLinkTells(t *testing.T, open openFunc[externalStore]) {
	s := open(t)
	s.link(externalIdentity("alice", "1"), "alice")
	for _, user := range []string{"bob", "alice"} {
		other := &external.Identity{ID: "of " + user, UserID: user, Issuer: externalIssuer, Subject: "1",
			Provider: "other", Email: "other@example.com", Name: "Other", Created: fraction, LastUsed: fraction}
		s.link(other, "alice")
		if got := s.find("1"); !sameIdentity(got, externalIdentity("alice", "1")) {
			t.Errorf("the record is now %+v, want another one", got)
		}
		other.Subject = "2 of " + user
		s.link(other, user) // its ID is free still
	}
	s.link(externalIdentity("alice", "1"), "alice") // the very same
	s.wantIDs("alice", "1", "of alice")
	s.wantIDs("bob", "of bob")
}

func externalSameID(t *testing.T, open openFunc[externalStore]) {
	s := open(t)
	s.link(externalIdentity("alice", "1"), "alice")
	for _, user := range []string{"alice", "bob"} {
		other := externalIdentity(user, "1")
		other.Subject = "another"
		if owner, linked, err := s.Link(s.Context(), other); err == nil {
			t.Errorf("%s: got %q, %v and no error, want an error", user, owner, linked)
		}
		if got := s.find("another"); got != nil {
			t.Errorf("%s: find: got %+v, want nil", user, got)
		}
	}
	if all := s.list("alice"); len(all) != 1 || !sameIdentity(all[0], externalIdentity("alice", "1")) {
		t.Errorf("list: got %+v, want 1 entry and %+v", all, externalIdentity("alice", "1"))
	}
	s.wantIDs("bob")
}

func externalLinkAgain(t *testing.T, open openFunc[externalStore]) {
	s := open(t)
	s.link(externalIdentity("alice", "1"), "alice")
	s.unlink("alice", "1", false, external.UnlinkRemoved)
	s.link(externalIdentity("bob", "1"), "bob")
	s.wantIDs("alice")
	s.wantIDs("bob", "1")
}

func externalListOrder(t *testing.T, open openFunc[externalStore]) {
	s := open(t)
	for _, row := range []struct {
		id    string
		after time.Duration
	}{{"d", time.Microsecond}, {"b", time.Hour}, {"a", time.Hour}, {"\u00e4", time.Hour}, {"B", time.Hour},
		{"c", -time.Hour}, {"e", 0}, {"a1", time.Hour}, {"f", time.Hour - time.Microsecond}} {
		i := externalIdentity("alice", row.id)
		i.Created, i.LastUsed = noon.Add(row.after), noon.Add(-row.after)
		s.link(i, "alice")
	}
	s.link(externalIdentity("bob", "of bob"), "bob")
	s.wantIDs("alice", "c", "e", "d", "f", "B", "a", "a1", "b", "\u00e4")
	s.wantIDs("bob", "of bob")
}
