package knox_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/authtest"
	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/knox"
)

// revokeOthers calls RevokeOthers as what changes a password does: with the
// request that credential proved, if there is one, and the user of afterwards.
func (s *service) revokeOthers(credential auth.Credential, user auth.User) error {
	s.t.Helper()
	r := httptest.NewRequest("POST", "/password", nil)
	if credential != nil {
		r = r.WithContext(auth.WithIdentity(r.Context(), user, credential))
	}
	w := httptest.NewRecorder()
	err := s.tokens.RevokeOthers(w, r, user)
	if len(w.Header()) != 0 {
		s.t.Errorf("it set %v", w.Header())
	}
	return err
}

// changePassword gives a user another stamp and returns them as they then are.
func (s *service) changePassword(name, stamp string) auth.User {
	s.people.set(func() { s.people.stamps[name] = stamp })
	return &person{name, stamp}
}

// prove returns what a token is as a credential.
func (s *service) prove(token string) auth.Credential {
	s.t.Helper()
	_, credential, err := s.tokens.VerifyToken(s.t.Context(), token)
	if err != nil {
		s.t.Fatal(err)
	}
	return credential
}

func TestAChangeOfPasswordEndsAllTokensButTheOneItCameWith(t *testing.T) {
	s := start(t, nil)
	current, other, bobs := s.login("alice"), s.login("alice"), s.login("bob")
	credential := s.prove(current)
	alice := s.changePassword("alice", "new")
	if s.me(current) != 401 {
		t.Fatal("the stamp is not compared, so nothing is proved here")
	}
	if err := s.revokeOthers(credential, alice); err != nil {
		t.Fatal(err)
	}
	if s.me(current) != 200 || s.me(other) != 401 || s.me(bobs) != 200 {
		t.Errorf("current %d, other %d, bob's %d", s.me(current), s.me(other), s.me(bobs))
	}
	if n := len(s.rows("alice")); n != 1 || s.events.count(auth.EventRevoked) != 1 {
		t.Errorf("%d rows, %d events", n, s.events.count(auth.EventRevoked))
	}
}

func TestNoTokenIsLeftByWhatNoTokenOfTheUserProved(t *testing.T) {
	for sentence, credential := range map[string]func(s *service) auth.Credential{
		"nothing proved it":         func(*service) auth.Credential { return nil },
		"another backend proved it": func(*service) auth.Credential { return authtest.Credential{} },
		"another user's token did":  func(s *service) auth.Credential { return s.prove(s.login("bob")) },
		"a token that is revoked by now": func(s *service) auth.Credential {
			credential := s.prove(s.login("alice")).(*knox.Token)
			if found, err := s.tokens.Revoke(s.t.Context(), "alice", credential.ID()); !found || err != nil {
				s.t.Fatalf("got %v, %v, want true and no error", found, err)
			}
			return credential
		},
		// Its store is the same, so that only the name tells them apart.
		"a token by another name": func(s *service) auth.Credential {
			token := s.login("alice")
			other, err := knox.New(knox.Config{Store: s.store, LoadUser: s.people.load, Name: "elsewhere"})
			if err != nil {
				s.t.Fatal(err)
			}
			_, credential, err := other.VerifyToken(s.t.Context(), token)
			if err != nil {
				s.t.Fatal(err)
			}
			return credential
		},
	} {
		s := start(t, nil)
		token, bobs := s.login("alice"), s.login("bob")
		if err := s.revokeOthers(credential(s), s.changePassword("alice", "new")); err != nil {
			t.Errorf("%s: %v", sentence, err)
		}
		if n := len(s.rows("alice")); n != 0 || s.me(token) != 401 || s.me(bobs) != 200 {
			t.Errorf("%s: %d rows left", sentence, n)
		}
	}
}

// keeping is a store that remembers what it was told to keep.
type keeping struct {
	knox.Store
	kept string
}

func (k *keeping) RevokeAll(ctx context.Context, userID, kept, stamp string, ending knox.Ending) ([]string, error) {
	k.kept = kept
	return k.Store.RevokeAll(ctx, userID, kept, stamp, ending)
}

func TestAnotherUsersTokenIsNothingToKeep(t *testing.T) {
	store := &keeping{Store: knox.NewMemoryStore()}
	s := start(t, func(c *knox.Config) { c.Store = store })
	if err := s.revokeOthers(s.prove(s.login("bob")), &person{name: "alice"}); err != nil || store.kept != "" {
		t.Errorf("kept %q, %v", store.kept, err)
	}
	if err := s.revokeOthers(s.prove(s.login("bob")), &person{name: "bob"}); err != nil || store.kept == "" {
		t.Errorf("kept %q, %v", store.kept, err)
	}
}

func TestAStoreThatIsDownRevokesNoOthersAndSaysSo(t *testing.T) {
	store := &faulty{Store: knox.NewMemoryStore()}
	s := start(t, func(c *knox.Config) { c.Store = store })
	s.login("alice")
	store.all.Store(true)
	if err := s.revokeOthers(nil, &person{name: "alice"}); err == nil || auth.KindOf(err) != nil {
		t.Errorf("%v, of kind %v", err, auth.KindOf(err))
	}
	store.all.Store(false)
	if n := len(s.rows("alice")); n != 1 {
		t.Errorf("%d rows", n)
	}
}

func TestTokensThatDiedWithAPasswordAreNeitherListedNorCounted(t *testing.T) {
	s := start(t, func(c *knox.Config) { c.Limit = 2 })
	s.login("alice")
	s.login("alice")
	s.changePassword("alice", "new") // and no token is revoked
	if items := s.list(basicOf("alice")); len(items) != 0 {
		t.Errorf("listed %v", items)
	}
	current := s.login("alice")
	if items := s.list("Token " + current); len(items) != 1 || items[0]["current"] != true {
		t.Errorf("listed %v", items)
	}
	s.login("alice")
	if got := s.do("POST", "/auth/login/", basicOf("alice"), ""); got.status != 403 {
		t.Errorf("a third: %d", got.status)
	}
}

func TestTokensOfAUserWhoMayNotLogInAreNotListed(t *testing.T) {
	s := start(t, nil)
	s.login("alice")
	s.people.set(func() { s.people.inactive["alice"] = true })
	if tokens, _, err := s.tokens.List(t.Context(), "alice", backend.Page{}); !errors.Is(err, auth.ErrUserInactive) ||
		tokens != nil {
		t.Errorf("got %v, %v, want no tokens and ErrUserInactive", tokens, err)
	}
	s.people.set(func() { s.people.inactive["alice"] = false })
	if tokens, _, err := s.tokens.List(t.Context(), "alice", backend.Page{}); err != nil || len(tokens) != 1 ||
		time.Until(tokens[0].IdleExpiresAt()) <= 0 {
		t.Errorf("got %v, %v, want one token that has not expired", tokens, err)
	}
}
