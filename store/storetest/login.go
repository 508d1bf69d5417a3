package storetest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatewarden/auth/oauth2/login"
)

// Login checks a [login.Store].
func Login(t *testing.T, open func(t *testing.T) login.Store) {
	for _, part := range []struct {
		name string
		run  func(t *testing.T, open func(t *testing.T) loginStore)
	}{{"identities", loginIdentities}, {"touching", loginTouch}, {"unlinking", loginUnlink}, {"removing a user", loginRemoveUser},
		{"keys", loginKeys}, {"codes", loginCodes}, {"purging", loginPurge}, {"races", loginRaces}, {"races of codes and keys", loginOnceRaces}} {
		t.Run(part.name, func(t *testing.T) {
			part.run(t, func(t *testing.T) loginStore { return loginStore{t, open(t)} })
		})
	}
	t.Run("what is passed and returned is not changed afterwards", func(t *testing.T) {
		s := loginStore{t, open(t)}
		passed, code, taken := loginIdentity("alice", "1"), loginCode("alice", "c"), loginCode("alice", "t")
		s.link(passed, "alice")
		s.link(loginIdentity("alice", "2"), "alice")
		s.must(s.AddCode(s.Context(), code))
		s.must(s.AddCode(s.Context(), taken))
		s.take("t", noon)
		found, listed := s.find("1"), s.list("alice")
		seen := loginIdentity("alice", "1")
		seen.Provider, seen.Email, seen.EmailVerified, seen.Name, seen.Created, seen.LastUsed = "p", "e", false, "n", fraction, fraction
		s.must(s.Touch(s.Context(), seen))
		again := *seen
		again.Name = "later"
		s.must(s.Touch(s.Context(), &again))
		removed := s.unlink("alice", "1", true, login.UnlinkRemoved)
		_, err := s.RemoveUser(s.Context(), "alice")
		s.must(err)
		s.link(loginIdentity("bob", "1"), "bob")
		for sentence, i := range map[string]*login.Identity{"passed to Link": passed, "found": found, "listed": listed[0]} {
			if !sameIdentity(i, loginIdentity("alice", "1")) {
				t.Errorf("%s, then %+v", sentence, i)
			}
		}
		if seen.Name != "n" || !seen.Created.Equal(fraction) {
			t.Errorf("passed to Touch, then %+v", seen)
		}
		if removed == nil || removed.Name != "later" || removed.UserID != "alice" {
			t.Errorf("unlinked, then %+v", removed)
		}
		if !sameCode(code, loginCode("alice", "c")) || !sameCode(taken, loginCode("alice", "t")) {
			t.Errorf("passed to AddCode, then %+v and %+v", code, taken)
		}
	})
	t.Run("a context that has ended is an error, and changes nothing", func(t *testing.T) {
		prepare := func() loginStore {
			s := loginStore{t, open(t)}
			s.link(loginIdentity("alice", "1"), "alice")
			s.link(loginIdentity("alice", "2"), "alice")
			s.must(s.AddCode(s.Context(), loginCode("alice", "old")))
			s.put("old", noon.Add(time.Hour), noon, true)
			return s
		}
		// state is what there is, and takes the codes and keys.
		state := func(s loginStore) string {
			all := []any{s.list("alice"), s.list("bob"), s.find("1"), s.find("new")}
			for _, name := range []string{"old", "new"} {
				code, err := s.TakeCode(s.Context(), name, noon)
				s.must(err)
				fresh, err := s.PutOnce(s.Context(), name, noon.Add(time.Hour), noon)
				s.must(err)
				all = append(all, code, fresh)
			}
			return recordText(all)
		}
		want := state(prepare())
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		touched := loginIdentity("alice", "1")
		touched.Name = "new"
		for name, call := range map[string]func(s loginStore) error{
			"Identity":   func(s loginStore) error { return errorOf(s.Identity(ctx, loginIssuer, "1")) },
			"Identities": func(s loginStore) error { return errorOf(s.Identities(ctx, "alice")) },
			"Link":       func(s loginStore) error { return errorOf(s.Link(ctx, loginIdentity("bob", "new"))) },
			"Link of one that is there": func(s loginStore) error {
				return errorOf(s.Link(ctx, loginIdentity("alice", "1")))
			},
			"Touch":      func(s loginStore) error { return s.Touch(ctx, touched) },
			"Unlink":     func(s loginStore) error { _, _, err := s.Unlink(ctx, "alice", "1", false); return err },
			"RemoveUser": func(s loginStore) error { return errorOf(s.RemoveUser(ctx, "alice")) },
			"PutOnce":    func(s loginStore) error { return errorOf(s.PutOnce(ctx, "new", noon.Add(time.Hour), noon)) },
			"AddCode":    func(s loginStore) error { return s.AddCode(ctx, loginCode("alice", "new")) },
			"TakeCode":   func(s loginStore) error { return errorOf(s.TakeCode(ctx, "old", noon)) },
			"Purge":      func(s loginStore) error { return errorOf(s.Purge(ctx, noon.Add(9*time.Hour), 9)) },
		} {
			s := prepare()
			if err := call(s); err == nil {
				t.Errorf("%s went on", name)
			}
			if got := state(s); got != want {
				t.Errorf("%s changed\n%s\nto\n%s", name, want, got)
			}
		}
	})
}

func loginIdentities(t *testing.T, open func(t *testing.T) loginStore) {
	t.Run("an identity is found as it was linked", func(t *testing.T) {
		s := open(t)
		full := &login.Identity{ID: odd + "id", UserID: odd + "user", Issuer: odd + "issuer", Subject: odd + "subject", Provider: odd + "provider",
			Email: odd + "@example", EmailVerified: true, Name: odd + "\u2028\r\n\t '; DROP TABLE identities; --", Created: fraction, LastUsed: fraction.Add(time.Microsecond)}
		bare := &login.Identity{ID: "bare", UserID: "alice", Issuer: "i", Subject: "s"}
		for _, want := range []*login.Identity{full, bare} {
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
			s.link(&login.Identity{ID: fmt.Sprint(i), UserID: user, Issuer: key[0], Subject: key[1], Created: noon, LastUsed: noon}, user)
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
			s.link(&login.Identity{ID: name, UserID: name, Issuer: loginIssuer, Subject: fmt.Sprint(i), Created: noon, LastUsed: noon}, name)
		}
		for i, name := range names {
			if all := s.list(name); len(all) != 1 || all[0].ID != name || all[0].Subject != fmt.Sprint(i) {
				t.Errorf("%q has %+v", name, all)
			}
		}
		s.unlink("Alice", "alice", false, login.UnlinkUnknown)
		s.unlink("alice", "Alice", false, login.UnlinkUnknown)
		s.unlink("alice ", "alice ", false, login.UnlinkRemoved)
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
			other := &login.Identity{ID: "of " + user, UserID: user, Issuer: loginIssuer, Subject: "1", Provider: "other", Email: "other@example.com", Name: "Other", Created: fraction, LastUsed: fraction}
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
		s.unlink("alice", "1", false, login.UnlinkRemoved)
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
		for _, i := range []*login.Identity{loginIdentity("alice", "1"), loginIdentity("alice", "2"), loginIdentity("bob", "3")} {
			s.link(i, i.UserID)
		}
		for _, want := range []login.Identity{
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
		for sentence, change := range map[string]func(*login.Identity){
			"another ID":          func(i *login.Identity) { i.ID = "3" },
			"the ID of another":   func(i *login.Identity) { i.ID = "2" },
			"another user":        func(i *login.Identity) { i.UserID = "bob" },
			"a user like it":      func(i *login.Identity) { i.UserID = "Alice" },
			"another issuer":      func(i *login.Identity) { i.Issuer += "x" },
			"another subject":     func(i *login.Identity) { i.Subject = "9" },
			"the key of another":  func(i *login.Identity) { i.Subject = "2" },
			"nothing but the key": func(i *login.Identity) { i.ID, i.UserID = "", "" },
			"nothing but the ID":  func(i *login.Identity) { i.UserID, i.Issuer, i.Subject = "", "", "" },
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
		s.unlink("alice", "1", false, login.UnlinkRemoved)
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
			s.unlink(user, "next", false, login.UnlinkRemoved)
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
			if got := s.unlink("alice", id, i == 0, login.UnlinkRemoved); !sameIdentity(got, loginIdentity("alice", id)) {
				t.Errorf("removed %+v", got)
			}
			s.unlink("alice", id, i == 0, login.UnlinkUnknown)
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
			s.unlink("alice", "2", keepLast, login.UnlinkUnknown)
			s.unlink("alice", "3", keepLast, login.UnlinkUnknown)
			s.unlink("alice", "", keepLast, login.UnlinkUnknown)
			s.unlink("nobody", "1", keepLast, login.UnlinkUnknown)
		}
		s.wantIDs("alice", "1")
		s.wantIDs("bob", "2")
	})
	t.Run("the last stays with keepLast, whatever others have, and goes without", func(t *testing.T) {
		s := open(t)
		for _, i := range []*login.Identity{loginIdentity("alice", "1"), loginIdentity("alice", "2"), loginIdentity("Alice", "3"), loginIdentity("bob", "4")} {
			s.link(i, i.UserID)
		}
		s.unlink("alice", "1", true, login.UnlinkRemoved)
		for range 2 {
			s.unlink("alice", "2", true, login.UnlinkLast)
			if got := s.find("2"); !sameIdentity(got, loginIdentity("alice", "2")) {
				t.Errorf("now %+v", got)
			}
		}
		s.unlink("alice", "2", false, login.UnlinkRemoved)
		s.wantIDs("alice")
		s.wantIDs("Alice", "3")
		s.wantIDs("bob", "4")
	})
}

func loginRemoveUser(t *testing.T, open func(t *testing.T) loginStore) {
	t.Run("RemoveUser removes all identities and codes of a user, and counts the identities", func(t *testing.T) {
		s := open(t)
		for _, i := range []*login.Identity{loginIdentity("alice", "1"), loginIdentity("alice", "2"), loginIdentity("alice", "3"), loginIdentity("bob", "4"), loginIdentity("Alice", "5")} {
			s.link(i, i.UserID)
		}
		for _, c := range []*login.Code{loginCode("alice", "c1"), loginCode("alice", "c2"), loginCode("bob", "c3"), loginCode("Alice", "c4")} {
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

func loginKeys(t *testing.T, open func(t *testing.T) loginStore) {
	t.Run("a key is fresh once, until it expires", func(t *testing.T) {
		s := open(t)
		minute, hour := noon.Add(time.Minute), noon.Add(time.Hour)
		s.put("k", minute, noon, true)
		s.put("k", hour, noon, false) // and that does not prolong it
		s.put("k", hour, noon.Add(-time.Hour), false)
		s.put("k", hour, minute.Add(-time.Microsecond), false)
		s.put("k", hour, minute, true)
		s.put("k", hour, minute, false)
		s.put("k", hour.Add(time.Hour), hour.Add(-time.Microsecond), false)
		s.put("k", hour.Add(time.Hour), hour.Add(time.Microsecond), true)
	})
	t.Run("keys are told apart byte by byte", func(t *testing.T) {
		s := open(t)
		for _, fresh := range []bool{true, false} {
			for _, key := range []string{"k", "K", "k ", " k", "", odd, odd + " ", "\u00e9", "\u00c9", "e\u0301", "1", "01", "%", "_"} {
				s.put(key, noon.Add(time.Hour), noon, fresh)
			}
		}
	})
	t.Run("a key and a code of one name are two", func(t *testing.T) {
		s := open(t)
		s.put("x", noon.Add(time.Hour), noon, true)
		s.must(s.AddCode(s.Context(), loginCode("alice", "x")))
		if code := s.take("x", noon); code == nil {
			t.Error("no code")
		}
		s.put("x", noon.Add(time.Hour), noon, false)
	})
}

func loginCodes(t *testing.T, open func(t *testing.T) loginStore) {
	t.Run("a code is returned as it was added, once", func(t *testing.T) {
		s := open(t)
		full := &login.Code{Digest: odd, UserID: odd, Stamp: odd, Challenge: odd, Data: []byte("{\"a\":\"\\u0000\u00fc \x00\xff'\"}"), Expires: fraction.Add(time.Minute)}
		bare := &login.Code{Digest: "bare", UserID: "alice", Expires: noon.Add(time.Hour)}
		for _, code := range []*login.Code{full, bare} {
			passed := *code
			s.must(s.AddCode(s.Context(), &passed))
		}
		for _, want := range []*login.Code{full, bare} {
			if got := s.take(want.Digest, noon); !sameCode(got, want) {
				t.Errorf("taken %+v\nwant  %+v", got, want)
			}
			if got := s.take(want.Digest, noon); got != nil {
				t.Errorf("taken again: %+v", got)
			}
		}
	})
	t.Run("digests are told apart byte by byte", func(t *testing.T) {
		s := open(t)
		digests := []string{"d", "D", "d ", " d", "\u00e9", "e\u0301", "1", "01"}
		for _, digest := range digests {
			if got := s.take(digest, noon); got != nil {
				t.Errorf("%q: %+v", digest, got)
			}
			s.must(s.AddCode(s.Context(), loginCode("of "+digest, digest)))
		}
		for _, digest := range digests {
			if got := s.take(digest, noon); !sameCode(got, loginCode("of "+digest, digest)) {
				t.Errorf("%q: %+v", digest, got)
			}
		}
	})
	t.Run("a code of a digest that is there is an error and changes nothing", func(t *testing.T) {
		s := open(t)
		s.must(s.AddCode(s.Context(), loginCode("alice", "c")))
		for _, user := range []string{"bob", "alice"} {
			other := loginCode(user, "c")
			other.Stamp, other.Challenge, other.Data, other.Expires = "s", "other", []byte("[]"), fraction.Add(time.Hour)
			if err := s.AddCode(s.Context(), other); err == nil {
				t.Errorf("%s: no error", user)
			}
		}
		if got := s.take("c", noon); !sameCode(got, loginCode("alice", "c")) {
			t.Errorf("%+v", got)
		}
	})
	t.Run("a code is there until the instant it expires", func(t *testing.T) {
		s := open(t)
		for _, digest := range []string{"a", "b"} {
			s.must(s.AddCode(s.Context(), loginCode("alice", digest)))
		}
		expires := loginCode("alice", "a").Expires
		for _, at := range []time.Time{expires, expires.Add(time.Microsecond), expires.Add(time.Hour)} {
			if got := s.take("a", at); got != nil {
				t.Errorf("%v: %+v", at, got)
			}
		}
		if got := s.take("b", expires.Add(-time.Microsecond)); got == nil {
			t.Error("it was gone before")
		}
	})
}

func loginPurge(t *testing.T, open func(t *testing.T) loginStore) {
	purge := func(s loginStore, now time.Time, limit int, want ...int) {
		s.Helper()
		for step, want := range want {
			if n, err := s.Purge(s.Context(), now, limit); n != want || err != nil {
				s.Errorf("step %d: %d, %v, want %d", step, n, err, want)
			}
		}
	}
	add := func(s loginStore, keys, codes int, expires time.Time) {
		s.Helper()
		name := expires.Sub(noon).String()
		for i := range keys {
			s.put(fmt.Sprint(name, i), expires, noon.Add(-time.Hour), true)
		}
		for i := range codes {
			c := loginCode("alice", fmt.Sprint(name, i))
			c.Expires = expires
			s.must(s.AddCode(s.Context(), c))
		}
	}
	t.Run("Purge removes at most limit keys and limit codes, and counts both", func(t *testing.T) {
		for _, row := range []struct {
			keys, codes int
			want        []int
		}{{3, 3, []int{4, 2, 0}}, {5, 1, []int{3, 2, 1, 0}}, {1, 5, []int{3, 2, 1, 0}}, {0, 2, []int{2, 0}}, {2, 0, []int{2, 0}}, {0, 0, []int{0}}} {
			s := open(t)
			add(s, row.keys, row.codes, noon)
			purge(s, noon, 2, row.want...)
		}
		s := open(t)
		add(s, 2, 2, noon)
		purge(s, noon, 100, 4, 0)
	})
	t.Run("it removes what expired at now or before, and nothing else", func(t *testing.T) {
		s := open(t)
		soon := noon.Add(time.Microsecond)
		s.link(loginIdentity("alice", "1"), "alice")
		for _, expires := range []time.Time{soon, noon, noon.Add(-time.Minute)} {
			add(s, 1, 1, expires)
		}
		purge(s, noon.Add(-time.Minute-time.Microsecond), 9, 0)
		purge(s, noon.Add(-time.Microsecond), 9, 2, 0)
		purge(s, noon, 9, 2, 0)
		// At an instant when all were good: what is not there was removed.
		then := noon.Add(-time.Hour)
		for _, expires := range []time.Time{noon.Add(-time.Minute), noon, soon} {
			name := expires.Sub(noon).String() + "0"
			if got := s.take(name, then); (got != nil) != expires.Equal(soon) {
				t.Errorf("%s: %+v", name, got)
			}
			s.put(name, expires, then, !expires.Equal(soon))
		}
		s.wantIDs("alice", "1")
	})
}

func loginRaces(t *testing.T, open func(t *testing.T) loginStore) {
	const rounds = 8
	t.Run("of 32 users that link one identity at once one gets it, and all are told who", func(t *testing.T) {
		s := open(t)
		for round := range rounds {
			subject := fmt.Sprint("contended", round)
			owners := make([]string, 32)
			together(len(owners), func(i int) {
				user := fmt.Sprint("user", i)
				identity := loginIdentity(user, fmt.Sprint(subject, " ", i))
				identity.Subject = subject
				var err error
				if owners[i], err = s.Link(s.Context(), identity); err != nil {
					t.Error(err)
				}
			})
			got := s.find(subject)
			if got == nil {
				t.Fatal("nobody has it")
			}
			for i, owner := range owners {
				if owner != got.UserID {
					t.Errorf("user%d was told %q, %q has it", i, owner, got.UserID)
				}
			}
			for i := range owners {
				want := 0
				if user := fmt.Sprint("user", i); user == got.UserID {
					want = 1
				}
				has := slices.DeleteFunc(s.list(fmt.Sprint("user", i)), func(i *login.Identity) bool { return i.Subject != subject })
				if len(has) != want {
					t.Errorf("user%d has %d, want %d", i, len(has), want)
				}
			}
		}
	})
	t.Run("of 32 identities of one ID that are linked at once one is, and of one user's own none is lost", func(t *testing.T) {
		s := open(t)
		var linked atomic.Int32
		together(32, func(i int) {
			same := loginIdentity("alice", "same")
			same.Subject = fmt.Sprint("same", i)
			if owner, err := s.Link(s.Context(), same); err == nil && owner == "alice" {
				linked.Add(1)
			}
			if owner, err := s.Link(s.Context(), loginIdentity("bob", fmt.Sprint(i))); owner != "bob" || err != nil {
				t.Errorf("%q, %v", owner, err)
			}
		})
		if linked.Load() != 1 {
			t.Errorf("%d linked", linked.Load())
		}
		s.wantIDs("alice", "same")
		if n := len(s.list("bob")); n != 32 {
			t.Errorf("%d of 32", n)
		}
	})
	t.Run("of two that unlink a user's last two at once one stays", func(t *testing.T) {
		s := open(t)
		for round := range 4 * rounds {
			user := fmt.Sprint("user", round)
			for i := range 2 {
				s.link(loginIdentity(user, fmt.Sprint(user, i)), user)
			}
			var verdicts [2]login.UnlinkVerdict
			together(2, func(i int) {
				var err error
				if _, verdicts[i], err = s.Unlink(s.Context(), user, fmt.Sprint(user, i), true); err != nil {
					t.Error(err)
				}
			})
			if slices.Sort(verdicts[:]); verdicts != [2]login.UnlinkVerdict{login.UnlinkRemoved, login.UnlinkLast} {
				t.Errorf("%v", verdicts)
			}
			if n := len(s.list(user)); n != 1 {
				t.Errorf("%d stayed", n)
			}
		}
	})
	t.Run("of 32 that unlink a user's eight at once one stays, and each is removed once", func(t *testing.T) {
		s := open(t)
		for round := range rounds {
			user := fmt.Sprint("user", round)
			for i := range 8 {
				s.link(loginIdentity(user, fmt.Sprint(user, i)), user)
			}
			var mu sync.Mutex
			removed := make(map[string]int)
			together(32, func(i int) {
				identity, verdict, err := s.Unlink(s.Context(), user, fmt.Sprint(user, i%8), true)
				if err != nil || (identity != nil) != (verdict == login.UnlinkRemoved) {
					t.Errorf("%+v, %v, %v", identity, verdict, err)
				}
				if identity != nil {
					mu.Lock()
					defer mu.Unlock()
					removed[identity.ID]++
				}
			})
			left := s.list(user)
			if len(left) != 1 || len(removed) != 7 || removed[left[0].ID] != 0 {
				t.Errorf("%d left, removed %v", len(left), removed)
			}
			for id, n := range removed {
				if n != 1 {
					t.Errorf("%s was removed %d times", id, n)
				}
			}
		}
	})
	t.Run("what is touched while it is unlinked or its user removed does not come back", func(t *testing.T) {
		s := open(t)
		for round := range 4 * rounds {
			user := fmt.Sprint("user", round)
			s.link(loginIdentity(user, user), user)
			together(9, func(i int) {
				var err error
				switch {
				case i != 4:
					err = s.Touch(s.Context(), loginIdentity(user, user))
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
				t.Errorf("%+v", got)
			}
			s.wantIDs(user)
		}
	})
}

func loginOnceRaces(t *testing.T, open func(t *testing.T) loginStore) {
	const rounds = 8
	t.Run("of 32 that put a key at once one is told that it is fresh", func(t *testing.T) {
		s := open(t)
		for round := range rounds {
			// A new one, and then the same when it expired.
			for _, now := range []time.Time{noon, noon.Add(time.Hour)} {
				var fresh atomic.Int32
				together(32, func(int) {
					if ok, err := s.PutOnce(s.Context(), fmt.Sprint(round), now.Add(time.Hour), now); err != nil {
						t.Error(err)
					} else if ok {
						fresh.Add(1)
					}
				})
				if fresh.Load() != 1 {
					t.Errorf("%d fresh", fresh.Load())
				}
			}
		}
	})
	t.Run("of 32 that add a code of one digest at once one does, and of 32 that take it one gets it", func(t *testing.T) {
		s := open(t)
		for round := range rounds {
			digest := fmt.Sprint(round)
			var added, taken atomic.Int32
			together(32, func(i int) {
				if s.AddCode(s.Context(), loginCode(fmt.Sprint("user", i), digest)) == nil {
					added.Add(1)
				}
			})
			together(32, func(int) {
				if code, err := s.TakeCode(s.Context(), digest, noon); err != nil {
					t.Error(err)
				} else if code != nil {
					taken.Add(1)
				}
			})
			if added.Load() != 1 || taken.Load() != 1 {
				t.Errorf("%d added, %d taken", added.Load(), taken.Load())
			}
		}
	})
	t.Run("purges at once remove each key and code once", func(t *testing.T) {
		s := open(t)
		for i := range 40 {
			s.put(fmt.Sprint(i), noon, noon.Add(-time.Hour), true)
			c := loginCode("alice", fmt.Sprint(i))
			c.Expires = noon
			s.must(s.AddCode(s.Context(), c))
		}
		var total atomic.Int32
		together(8, func(int) {
			n, err := s.Purge(s.Context(), noon, 7)
			if err != nil {
				t.Error(err)
			}
			total.Add(int32(n))
		})
		if total.Load() != 80 {
			t.Errorf("%d of 80", total.Load())
		}
	})
	t.Run("a key that is put again while it is purged is there", func(t *testing.T) {
		s := open(t)
		for round := range rounds {
			key := fmt.Sprint(round)
			s.put(key, noon, noon.Add(-time.Hour), true)
			together(8, func(i int) {
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
	})
}

// loginStore adds what tests say often.
type loginStore struct {
	*testing.T
	login.Store
}

func (s loginStore) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func (s loginStore) link(i *login.Identity, want string) {
	s.Helper()
	if owner, err := s.Link(s.Context(), i); owner != want || err != nil {
		s.Fatalf("Link of %q: %q, %v, want %q", i.ID, owner, err, want)
	}
}

// find returns the identity of loginIssuer with this subject.
func (s loginStore) find(subject string) *login.Identity {
	s.Helper()
	i, err := s.Identity(s.Context(), loginIssuer, subject)
	s.must(err)
	return i
}

func (s loginStore) list(user string) []*login.Identity {
	s.Helper()
	all, err := s.Identities(s.Context(), user)
	s.must(err)
	return all
}

func (s loginStore) wantIDs(user string, want ...string) {
	s.Helper()
	var got []string
	for _, i := range s.list(user) {
		got = append(got, i.ID)
	}
	if !slices.Equal(got, want) {
		s.Errorf("%s has %q, want %q", user, got, want)
	}
}

func (s loginStore) unlink(user, id string, keepLast bool, want login.UnlinkVerdict) *login.Identity {
	s.Helper()
	i, verdict, err := s.Unlink(s.Context(), user, id, keepLast)
	if verdict != want || err != nil || (i != nil) != (want == login.UnlinkRemoved) {
		s.Errorf("Unlink of %s's %s: %+v, %v, %v, want %v", user, id, i, verdict, err, want)
	}
	return i
}

func (s loginStore) put(key string, expires, now time.Time, want bool) {
	s.Helper()
	if fresh, err := s.PutOnce(s.Context(), key, expires, now); fresh != want || err != nil {
		s.Errorf("PutOnce of %q: %v, %v, want %v", key, fresh, err, want)
	}
}

func (s loginStore) take(digest string, now time.Time) *login.Code {
	s.Helper()
	code, err := s.TakeCode(s.Context(), digest, now)
	s.must(err)
	return code
}

const loginIssuer = "https://accounts.example"

// loginIdentity is one of loginIssuer's whose subject is its ID.
func loginIdentity(user, id string) *login.Identity {
	return &login.Identity{ID: id, UserID: user, Issuer: loginIssuer, Subject: id, Provider: "accounts", Email: user + "@example.com", EmailVerified: true,
		Name: "Name of " + user, Created: noon, LastUsed: noon.Add(time.Second)}
}

// loginCode is good for a minute.
func loginCode(user, digest string) *login.Code {
	return &login.Code{Digest: digest, UserID: user, Stamp: "stamp of " + user, Challenge: "challenge", Data: []byte(`{"of":"` + user + `"}`), Expires: noon.Add(time.Minute)}
}

// sameIdentity compares the instants of times, not how they are written.
func sameIdentity(a, b *login.Identity) bool {
	if a == nil || b == nil {
		return a == b
	}
	x, y := *a, *b
	for _, at := range []*time.Time{&x.Created, &x.LastUsed, &y.Created, &y.LastUsed} {
		*at = at.UTC()
	}
	return x == y
}

func sameCode(a, b *login.Code) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Digest == b.Digest && a.UserID == b.UserID && a.Stamp == b.Stamp && a.Challenge == b.Challenge && slices.Equal(a.Data, b.Data) && a.Expires.Equal(b.Expires)
}
