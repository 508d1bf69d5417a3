package jwt_test

import (
	"context"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/jwt"
)

// plain is a user without a stamp.
type plain string

func (p plain) UserID() string { return string(p) }

func TestAUserWhoGetsOrLosesTheirStampIsAnother(t *testing.T) {
	stamped := false
	tokens, _, _ := newTokens(t, func(c *jwt.Config) {
		c.Compat.AllowNoSession = true // of those without a session
		c.LoadUser = func(_ context.Context, id string) (auth.User, error) {
			if stamped {
				return person{id, "a1"}, nil
			}
			return plain(id), nil
		}
	})
	for range 2 {
		pair, err := tokens.Issue(t.Context(), "alice", jwt.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := tokens.VerifyToken(t.Context(), pair.Access.Reveal()); err != nil {
			t.Fatal(err)
		}
		stamped = !stamped
		if _, _, err := tokens.VerifyToken(t.Context(), pair.Access.Reveal()); auth.KindOf(err) != auth.ErrInvalid {
			t.Errorf("a stamp now, %v: %v", stamped, err)
		}
	}
}

func TestAPurgeGoesOnUntilNothingIsLeft(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tokens, _, events := newTokens(t, nil)
		for range 501 {
			if _, err := tokens.Issue(t.Context(), "alice", jwt.Options{}); err != nil {
				t.Fatal(err)
			}
		}
		if n, err := tokens.RevokeAll(t.Context(), "alice"); n != 501 || err != nil ||
			events.count(auth.EventRevoked) != 501 {
			t.Errorf("%d revoked, %d said, %v", n, events.count(auth.EventRevoked), err)
		}
		time.Sleep(25 * time.Hour)
		if n, err := auth.PurgeAll(t.Context(), tokens); n != 501 || err != nil {
			t.Errorf("%d purged, %v", n, err)
		}
	})
}

func TestThePasswordChangesAndTheLoginInUseStays(t *testing.T) {
	tokens, people, _ := newTokens(t, nil)
	issue := func(user string) *jwt.Pair {
		pair, err := tokens.Issue(t.Context(), user, jwt.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return pair
	}
	here, there, bob := issue("alice"), issue("alice"), issue("bob")
	people.change(func() { people.stamps["alice"] = "a2" })
	_, credential, _ := tokens.VerifyToken(t.Context(), bob.Access.Reveal())
	if credential == nil {
		t.Fatal("bob is out")
	}
	// The credential of the request under way, proved before the change.
	people.change(func() { people.stamps["alice"] = "a1" })
	user, credential, err := tokens.VerifyToken(t.Context(), here.Access.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	people.change(func() { people.stamps["alice"] = "a2" })
	r := httptest.NewRequest("POST", "/", nil)
	r = r.WithContext(auth.WithIdentity(r.Context(), user, credential))
	if err := tokens.RevokeOthers(httptest.NewRecorder(), r, person{"alice", "a2"}); err != nil {
		t.Fatal(err)
	}
	if _, err := tokens.Refresh(t.Context(), there.Refresh.Reveal()); auth.KindOf(err) != auth.ErrInvalid {
		t.Errorf("another login: %v", err)
	}
	if _, _, err := tokens.VerifyToken(t.Context(), here.Access.Reveal()); auth.KindOf(err) != auth.ErrInvalid {
		t.Errorf("the access token of before: %v", err)
	}
	next, err := tokens.Refresh(t.Context(), here.Refresh.Reveal())
	if err != nil {
		t.Fatal("the login in use: ", err)
	}
	if _, _, err := tokens.VerifyToken(t.Context(), next.Access.Reveal()); err != nil {
		t.Errorf("its next access token: %v", err)
	}
	if _, _, err := tokens.VerifyToken(t.Context(), bob.Access.Reveal()); err != nil {
		t.Errorf("bob: %v", err)
	}
	// A request without a user: nothing is left.
	if err := tokens.RevokeOthers(httptest.NewRecorder(), httptest.NewRequest("POST", "/", nil),
		person{"alice", "a2"}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := tokens.VerifyToken(t.Context(), next.Access.Reveal()); auth.KindOf(err) != auth.ErrInvalid {
		t.Error(err)
	}
}
