package session_test

import (
	"context"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/internal/texttest"
	"github.com/gatewarden/auth/session"
)

// strict is a store of the strictest database: it answers a text that it cannot keep with an error.
type strict struct{ session.Store }

func (s strict) Add(ctx context.Context, r *session.Record, replaced string, limit int, evict bool,
	now time.Time) (session.Added, error) {
	if err := texttest.CheckStorable(r, replaced); err != nil {
		return session.Added{}, err
	}
	return s.Store.Add(ctx, r, replaced, limit, evict, now)
}

func (s strict) Find(ctx context.Context, digest string) (*session.Record, error) {
	if err := texttest.CheckStorable(digest); err != nil {
		return nil, err
	}
	return s.Store.Find(ctx, digest)
}

func (s strict) Revoke(ctx context.Context, userID, id string) (bool, error) {
	if err := texttest.CheckStorable(userID, id); err != nil {
		return false, err
	}
	return s.Store.Revoke(ctx, userID, id)
}

func (s strict) RevokeAll(ctx context.Context, userID, kept string) ([]string, error) {
	if err := texttest.CheckStorable(userID, kept); err != nil {
		return nil, err
	}
	return s.Store.RevokeAll(ctx, userID, kept)
}

func TestUnitOddTextsInRequests(t *testing.T) {
	s := newService(t, session.Config{Store: strict{session.NewMemoryStore()}})
	texttest.Run(t, texttest.Unstorable, "as the identifier of a session is unknown", func(t *testing.T, id string) {
		cookie := s.login("alice")
		got := s.do("DELETE", "/session/sessions/"+url.PathEscape(id), "", "Cookie", cookie, "Sec-Fetch-Site",
			"same-origin")
		if got.StatusCode != 404 {
			t.Errorf("got %d, want 404", got.StatusCode)
		}
	})
	texttest.Run(t, texttest.Unstorable, "as a cookie or the name of a client fails no request", func(t *testing.T,
		text string) {
		s.login("alice", "User-Agent", text, "Cookie", "__Host-session="+text)
		if got := s.do("GET", "/public", "", "Cookie", "__Host-session="+text); got.StatusCode != 200 {
			t.Errorf("got %d, want 200", got.StatusCode)
		}
	})
}

func TestUnitOddTextsOfApplications(t *testing.T) {
	sessions, err := session.New(session.Config{Store: strict{session.NewMemoryStore()},
		LoadUser: func(_ context.Context, id string) (auth.User, error) { return &person{id, "1"}, nil }})
	if err != nil {
		t.Fatal(err)
	}
	signIn := func(id string, options session.Options) (*session.Session, error) {
		return sessions.SignIn(httptest.NewRecorder(), httptest.NewRequest("POST", "/", nil), &person{id, "1"}, options)
	}
	texttest.Run(t, texttest.Unstorable, "as a UserID is an error of the application at login, and has no sessions",
		func(t *testing.T, id string) {
			if _, err := signIn(id, session.Options{}); auth.KindOf(err) != auth.ErrInternal {
				t.Errorf("got %v from SignIn, want auth.ErrInternal", err)
			}
			if n, err := sessions.RevokeAll(t.Context(), id); n != 0 || err != nil {
				t.Errorf("got %d, %v from RevokeAll, want none", n, err)
			}
			if found, err := sessions.Revoke(t.Context(), id, "1"); found || err != nil {
				t.Errorf("got %v, %v from Revoke, want none", found, err)
			}
		})
	texttest.Run(t, texttest.Unstorable, "as an AMR is an error of the backend of the login", func(t *testing.T,
		amr string) {
		_, err := signIn("alice", session.Options{AuthInfo: auth.AuthInfo{AMR: []string{"pwd", amr}}})
		if auth.KindOf(err) != auth.ErrInternal {
			t.Errorf("got %v, want auth.ErrInternal", err)
		}
	})
	texttest.Run(t, texttest.Storable, "as a UserID is a user", func(t *testing.T, id string) {
		if signed, err := signIn(id, session.Options{}); err != nil || signed.UserID() != id {
			t.Errorf("got %v, %v, want a session of %q", signed, err, id)
		}
	})
}
