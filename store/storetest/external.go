package storetest

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/gatewarden/auth/oauth2/external"
)

// External checks an [external.Store].
func External(t *testing.T, open func(t *testing.T) external.Store) {
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
		removed := s.unlink("alice", "1", true, external.UnlinkRemoved)
		_, err := s.RemoveUser(s.Context(), "alice")
		s.must(err)
		s.link(loginIdentity("bob", "1"), "bob")
		for sentence, i := range map[string]*external.Identity{"passed to Link": passed, "found": found, "listed": listed[0]} {
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

// loginStore adds what tests say often.
type loginStore struct {
	*testing.T
	external.Store
}

func (s loginStore) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func (s loginStore) link(i *external.Identity, want string) {
	s.Helper()
	if owner, err := s.Link(s.Context(), i); owner != want || err != nil {
		s.Fatalf("Link of %q: %q, %v, want %q", i.ID, owner, err, want)
	}
}

// find returns the identity of loginIssuer with this subject.
func (s loginStore) find(subject string) *external.Identity {
	s.Helper()
	i, err := s.Identity(s.Context(), loginIssuer, subject)
	s.must(err)
	return i
}

func (s loginStore) list(user string) []*external.Identity {
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

func (s loginStore) unlink(user, id string, keepLast bool, want external.UnlinkVerdict) *external.Identity {
	s.Helper()
	i, verdict, err := s.Unlink(s.Context(), user, id, keepLast)
	if verdict != want || err != nil || (i != nil) != (want == external.UnlinkRemoved) {
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

func (s loginStore) take(digest string, now time.Time) *external.Code {
	s.Helper()
	code, err := s.TakeCode(s.Context(), digest, now)
	s.must(err)
	return code
}

const loginIssuer = "https://accounts.example"

// loginIdentity is one of loginIssuer's whose subject is its ID.
func loginIdentity(user, id string) *external.Identity {
	return &external.Identity{ID: id, UserID: user, Issuer: loginIssuer, Subject: id, Provider: "accounts", Email: user + "@example.com", EmailVerified: true,
		Name: "Name of " + user, Created: noon, LastUsed: noon.Add(time.Second)}
}

// loginCode is good for a minute.
func loginCode(user, digest string) *external.Code {
	return &external.Code{Digest: digest, UserID: user, Stamp: "stamp of " + user, Challenge: "challenge", Data: []byte(`{"of":"` + user + `"}`), ExpiresAt: noon.Add(time.Minute)}
}

// sameIdentity compares the instants of times, not how they are written.
func sameIdentity(a, b *external.Identity) bool {
	if a == nil || b == nil {
		return a == b
	}
	x, y := *a, *b
	for _, at := range []*time.Time{&x.Created, &x.LastUsed, &y.Created, &y.LastUsed} {
		*at = at.UTC()
	}
	return x == y
}

func sameCode(a, b *external.Code) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Digest == b.Digest && a.UserID == b.UserID && a.Stamp == b.Stamp && a.Challenge == b.Challenge && slices.Equal(a.Data, b.Data) && a.ExpiresAt.Equal(b.ExpiresAt)
}
