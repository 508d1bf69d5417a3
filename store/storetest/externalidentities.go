package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/gatewarden/auth/oauth2/external"
)

func loginIdentities(t *testing.T, open func(t *testing.T) loginStore) {
	t.Run("an identity is found as it was linked", func(t *testing.T) {
		s := open(t)
		full := &external.Identity{ID: odd + "id", UserID: odd + "user", Issuer: odd + "issuer", Subject: odd + "subject", Provider: odd + "provider",
			Email: odd + "@example", EmailVerified: true, Name: odd + "\u2028\r\n\t '; DROP TABLE identities; --", Created: fraction, LastUsed: fraction.Add(time.Microsecond)}
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
	})
	t.Run("one that is nobody's is nil", func(t *testing.T) {
		s := open(t)
		if got := s.find("1"); got != nil {
			t.Errorf("%+v", got)
		}
		if all := s.list("alice"); len(all) != 0 {
			t.Errorf("%+v", all)
		}
	})
	t.Run("issuer and subject are told apart byte by byte", func(t *testing.T) {
		s := open(t)
		keys := [][2]string{{"https://a.example/", "Zo\u00eb"}}
		for _, other := range [][2]string{
			{"https://a.example", "Zo\u00eb"}, {"HTTPS://a.example/", "Zo\u00eb"}, {"https://a.example/ ", "Zo\u00eb"}, {" https://a.example/", "Zo\u00eb"},
			{"https://a.example/", "zo\u00eb"}, {"https://a.example/", "Zo\u00cb"}, {"https://a.example/", "Zoe\u0308"}, {"https://a.example/", "Zoe"},
			{"https://a.example/", "Zo\u00eb "}, {"https://a.example/", " Zo\u00eb"}, {"https://a.example/", "Zo\u00eb\n"}, {"https://a.example/", "Zo%"}, {"https://a.example/", "Zo_"},
			{"https://a.example/Zo", "\u00eb"}, {"https://a.example", "/Zo\u00eb"}, {"Zo\u00eb", "https://a.example/"},
			{"https://a.example/", ""}, {"", "Zo\u00eb"}, {"https://a.example/", "1"}, {"https://a.example/", "01"}, {"https://a.example/", "1.0"},
		} {
			if got, err := s.Identity(s.Context(), other[0], other[1]); got != nil || err != nil {
				t.Errorf("%q: %+v, %v", other, got, err)
			}
			keys = append(keys, other)
		}
		for i, key := range keys {
			user := fmt.Sprint("user", i)
			s.link(&external.Identity{ID: fmt.Sprint(i), UserID: user, Issuer: key[0], Subject: key[1], Created: noon, LastUsed: noon}, user)
		}
		for i, key := range keys {
			got, err := s.Identity(s.Context(), key[0], key[1])
			if err != nil || got == nil || got.UserID != fmt.Sprint("user", i) || got.Issuer != key[0] || got.Subject != key[1] {
				t.Errorf("%q: %+v, %v", key, got, err)
			}
		}
	})
	t.Run("users and identifiers are told apart byte by byte", func(t *testing.T) {
		s := open(t)
		names := []string{"alice", "Alice", "alice ", " alice", "al\u00efce", "al\u00cfce", "ali\u0308ce", "al_ce", "al%", "1", "01", "1.0"}
		for i, name := range names {
			s.link(&external.Identity{ID: name, UserID: name, Issuer: loginIssuer, Subject: fmt.Sprint(i), Created: noon, LastUsed: noon}, name)
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
			t.Errorf("%d, %v", n, err)
		}
		if n, err := s.RemoveUser(s.Context(), "alice"); n != 1 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		for _, name := range names[3:] {
			if all := s.list(name); len(all) != 1 {
				t.Errorf("%q has %+v", name, all)
			}
		}
		if all := s.list("Alice"); len(all) != 1 {
			t.Errorf("Alice has %+v", all)
		}
	})
	t.Run("Link returns whose it is, and changes nothing if there is one of its key", func(t *testing.T) {
		s := open(t)
		s.link(loginIdentity("alice", "1"), "alice")
		for _, user := range []string{"bob", "alice"} {
			other := &external.Identity{ID: "of " + user, UserID: user, Issuer: loginIssuer, Subject: "1", Provider: "other", Email: "other@example.com", Name: "Other", Created: fraction, LastUsed: fraction}
			s.link(other, "alice")
			if got := s.find("1"); !sameIdentity(got, loginIdentity("alice", "1")) {
				t.Errorf("now %+v", got)
			}
			other.Subject = "2 of " + user
			s.link(other, user) // its ID is free still
		}
		s.link(loginIdentity("alice", "1"), "alice") // the very same
		s.wantIDs("alice", "1", "of alice")
		s.wantIDs("bob", "of bob")
	})
	t.Run("another identity with the same ID is an error and changes nothing", func(t *testing.T) {
		s := open(t)
		s.link(loginIdentity("alice", "1"), "alice")
		for _, user := range []string{"alice", "bob"} {
			other := loginIdentity(user, "1")
			other.Subject = "another"
			if owner, err := s.Link(s.Context(), other); err == nil {
				t.Errorf("%s: no error, but %q", user, owner)
			}
			if got := s.find("another"); got != nil {
				t.Errorf("%s: %+v", user, got)
			}
		}
		if all := s.list("alice"); len(all) != 1 || !sameIdentity(all[0], loginIdentity("alice", "1")) {
			t.Errorf("%+v", all)
		}
		s.wantIDs("bob")
	})
	t.Run("what was unlinked is free for anybody", func(t *testing.T) {
		s := open(t)
		s.link(loginIdentity("alice", "1"), "alice")
		s.unlink("alice", "1", false, external.UnlinkRemoved)
		s.link(loginIdentity("bob", "1"), "bob")
		s.wantIDs("alice")
		s.wantIDs("bob", "1")
	})
	t.Run("Identities returns those of a user, the oldest first, then by ID", func(t *testing.T) {
		s := open(t)
		for _, row := range []struct {
			id    string
			after time.Duration
		}{{"d", time.Microsecond}, {"b", time.Hour}, {"a", time.Hour}, {"\u00e4", time.Hour}, {"B", time.Hour}, {"c", -time.Hour}, {"e", 0}, {"a1", time.Hour}, {"f", time.Hour - time.Microsecond}} {
			i := loginIdentity("alice", row.id)
			i.Created, i.LastUsed = noon.Add(row.after), noon.Add(-row.after)
			s.link(i, "alice")
		}
		s.link(loginIdentity("bob", "of bob"), "bob")
		s.wantIDs("alice", "c", "e", "d", "f", "B", "a", "a1", "b", "\u00e4")
		s.wantIDs("bob", "of bob")
	})
}

func loginTouch(t *testing.T, open func(t *testing.T) loginStore) {
	t.Run("Touch writes what was told, and nothing else", func(t *testing.T) {
		s := open(t)
		for _, i := range []*external.Identity{loginIdentity("alice", "1"), loginIdentity("alice", "2"), loginIdentity("bob", "3")} {
			s.link(i, i.UserID)
		}
		for _, want := range []external.Identity{
			{Provider: odd, Email: odd, EmailVerified: false, Name: odd, LastUsed: fraction},
			{LastUsed: fraction.Add(time.Microsecond)},
			{Provider: "p", Email: "e", EmailVerified: true, Name: "n", LastUsed: fraction.Add(time.Hour)},
		} {
			want.ID, want.UserID, want.Issuer, want.Subject, want.Created = "1", "alice", loginIssuer, "1", fraction.Add(time.Minute)
			seen := want
			s.must(s.Touch(s.Context(), &seen))
			want.Created = noon
			if got := s.find("1"); !sameIdentity(got, &want) {
				t.Errorf("now  %+v\nwant %+v", got, want)
			}
		}
		for user, id := range map[string]string{"alice": "2", "bob": "3"} {
			if got := s.find(id); !sameIdentity(got, loginIdentity(user, id)) {
				t.Errorf("another, now %+v", got)
			}
		}
		s.wantIDs("alice", "1", "2")
	})
	t.Run("Touch writes nothing unless ID, user and key are those of one", func(t *testing.T) {
		s := open(t)
		s.link(loginIdentity("alice", "1"), "alice")
		s.link(loginIdentity("alice", "2"), "alice")
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
			seen := loginIdentity("alice", "1")
			seen.Name, seen.Email = "touched", "touched"
			change(seen)
			s.must(s.Touch(s.Context(), seen))
			for _, id := range []string{"1", "2"} {
				if got := s.find(id); !sameIdentity(got, loginIdentity("alice", id)) {
					t.Errorf("%s: now %+v", sentence, got)
				}
			}
			s.wantIDs("alice", "1", "2")
			s.wantIDs("bob")
			if got := s.find("9"); got != nil {
				t.Errorf("%s: added %+v", sentence, got)
			}
		}
	})
	t.Run("what was unlinked does not come back", func(t *testing.T) {
		s := open(t)
		s.link(loginIdentity("alice", "1"), "alice")
		s.unlink("alice", "1", false, external.UnlinkRemoved)
		s.must(s.Touch(s.Context(), loginIdentity("alice", "1")))
		if got := s.find("1"); got != nil {
			t.Errorf("%+v", got)
		}
		s.wantIDs("alice")
		// Nor does it through who linked it meanwhile.
		for _, user := range []string{"alice", "bob"} {
			next := loginIdentity(user, "next")
			next.Subject = "1"
			s.link(next, user)
			seen := loginIdentity("alice", "1")
			seen.Name = "touched"
			s.must(s.Touch(s.Context(), seen))
			if got := s.find("1"); !sameIdentity(got, next) {
				t.Errorf("now %+v", got)
			}
			s.unlink(user, "next", false, external.UnlinkRemoved)
		}
	})
}

func loginUnlink(t *testing.T, open func(t *testing.T) loginStore) {
	t.Run("Unlink removes one of a user's by its ID, and returns it", func(t *testing.T) {
		s := open(t)
		for _, id := range []string{"1", "2", "3"} {
			s.link(loginIdentity("alice", id), "alice")
		}
		s.link(loginIdentity("bob", "b"), "bob")
		for i, id := range []string{"2", "1"} {
			if got := s.unlink("alice", id, i == 0, external.UnlinkRemoved); !sameIdentity(got, loginIdentity("alice", id)) {
				t.Errorf("removed %+v", got)
			}
			s.unlink("alice", id, i == 0, external.UnlinkUnknown)
			if got := s.find(id); got != nil {
				t.Errorf("left %+v", got)
			}
		}
		s.wantIDs("alice", "3")
		s.wantIDs("bob", "b")
	})
	t.Run("what a user has not is unknown, and changes nothing", func(t *testing.T) {
		s := open(t)
		s.link(loginIdentity("alice", "1"), "alice")
		s.link(loginIdentity("bob", "2"), "bob")
		for _, keepLast := range []bool{true, false} {
			s.unlink("alice", "2", keepLast, external.UnlinkUnknown)
			s.unlink("alice", "3", keepLast, external.UnlinkUnknown)
			s.unlink("alice", "", keepLast, external.UnlinkUnknown)
			s.unlink("nobody", "1", keepLast, external.UnlinkUnknown)
		}
		s.wantIDs("alice", "1")
		s.wantIDs("bob", "2")
	})
	t.Run("the last stays with keepLast, whatever others have, and goes without", func(t *testing.T) {
		s := open(t)
		for _, i := range []*external.Identity{loginIdentity("alice", "1"), loginIdentity("alice", "2"), loginIdentity("Alice", "3"), loginIdentity("bob", "4")} {
			s.link(i, i.UserID)
		}
		s.unlink("alice", "1", true, external.UnlinkRemoved)
		for range 2 {
			s.unlink("alice", "2", true, external.UnlinkLast)
			if got := s.find("2"); !sameIdentity(got, loginIdentity("alice", "2")) {
				t.Errorf("now %+v", got)
			}
		}
		s.unlink("alice", "2", false, external.UnlinkRemoved)
		s.wantIDs("alice")
		s.wantIDs("Alice", "3")
		s.wantIDs("bob", "4")
	})
}

func loginRemoveUser(t *testing.T, open func(t *testing.T) loginStore) {
	t.Run("RemoveUser removes all identities and codes of a user, and counts the identities", func(t *testing.T) {
		s := open(t)
		for _, i := range []*external.Identity{loginIdentity("alice", "1"), loginIdentity("alice", "2"), loginIdentity("alice", "3"), loginIdentity("bob", "4"), loginIdentity("Alice", "5")} {
			s.link(i, i.UserID)
		}
		for _, c := range []*external.Code{loginCode("alice", "c1"), loginCode("alice", "c2"), loginCode("bob", "c3"), loginCode("Alice", "c4")} {
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
				t.Errorf("%s: %+v", digest, code)
			}
		}
		s.put("alice", noon.Add(time.Hour), noon, false)
		if got := s.find("2"); got != nil {
			t.Errorf("%+v", got)
		}
		s.link(loginIdentity("bob", "1"), "bob")
	})
	t.Run("codes go though there is no identity, and count for nothing", func(t *testing.T) {
		s := open(t)
		s.must(s.AddCode(s.Context(), loginCode("alice", "c")))
		if n, err := s.RemoveUser(s.Context(), "alice"); n != 0 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		if code := s.take("c", noon); code != nil {
			t.Errorf("%+v", code)
		}
	})
}
