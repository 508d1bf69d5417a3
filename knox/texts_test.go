package knox_test

import (
	"context"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/internal/texttest"
	"github.com/gatewarden/auth/knox"
)

// strict is a store of the strictest database: it answers a text that it cannot keep with an error.
type strict struct{ knox.Store }

func (s strict) Add(ctx context.Context, r *knox.Record, limit int, evict bool, ending knox.Ending) (knox.Added,
	error) {
	if err := texttest.CheckStorable(r, ending); err != nil {
		return knox.Added{}, err
	}
	return s.Store.Add(ctx, r, limit, evict, ending)
}

func (s strict) Find(ctx context.Context, digest string) (*knox.Record, error) {
	if err := texttest.CheckStorable(digest); err != nil {
		return nil, err
	}
	return s.Store.Find(ctx, digest)
}

func (s strict) Revoke(ctx context.Context, userID, id string, ending knox.Ending) (bool, error) {
	if err := texttest.CheckStorable(userID, id, ending); err != nil {
		return false, err
	}
	return s.Store.Revoke(ctx, userID, id, ending)
}

func (s strict) RevokeAll(ctx context.Context, userID, kept, stamp string, ending knox.Ending) ([]string, error) {
	if err := texttest.CheckStorable(userID, kept, stamp, ending); err != nil {
		return nil, err
	}
	return s.Store.RevokeAll(ctx, userID, kept, stamp, ending)
}

func (s strict) Ended(ctx context.Context, userID string, since time.Time, limit int) ([]*knox.EndedToken, error) {
	if err := texttest.CheckStorable(userID); err != nil {
		return nil, err
	}
	return s.Store.Ended(ctx, userID, since, limit)
}

// anybody loads a user with any identifier.
func anybody(_ context.Context, id string) (auth.User, error) { return &person{id, ""}, nil }

func startStrict(t *testing.T, change func(*knox.Config)) *service {
	t.Helper()
	return start(t, func(c *knox.Config) {
		c.Store, c.LoadUser, c.KeepEnded = strict{c.Store}, anybody, time.Hour
		if change != nil {
			change(c)
		}
	})
}

func TestUnitOddTextsInRequests(t *testing.T) {
	s := startStrict(t, nil)
	texttest.Run(t, texttest.Unstorable, "as the identifier of a token is unknown", func(t *testing.T, id string) {
		got := s.do("DELETE", "/auth/tokens/"+url.PathEscape(id)+"/", basicOf("alice"), "")
		if got.status != 404 {
			t.Errorf("got %d %s, want 404", got.status, got.text)
		}
	})
	texttest.Run(t, texttest.Unstorable, "in the name of a client does not fail a login",
		func(t *testing.T, name string) {
			got := s.do("POST", "/auth/login/", basicOf("alice"), "", "User-Agent", name)
			if got.status != 200 {
				t.Errorf("got %d %s, want 200", got.status, got.text)
			}
		})
	t.Run("a name of a device is cut and cleaned, and its emoji stay", func(t *testing.T) {
		for name, want := range map[string]string{
			`phone \u0000\ud83d\udd12 `:         "phone \U0001f512 ",
			strings.Repeat(`\ud83d\udd12`, 500): strings.Repeat("\U0001f512", 25),
		} {
			got := s.do("POST", "/auth/login/", basicOf("alice"), `{"name":"`+name+`"}`)
			rows := s.rows("alice")
			if got.status != 200 || rows[0].Name != want {
				t.Errorf("got %d and the name %q, want %q", got.status, rows[0].Name, want)
			}
		}
	})
}

func TestUnitOddTextsOfApplications(t *testing.T) {
	s := startStrict(t, nil)
	texttest.Run(t, texttest.Unstorable, "as a UserID is an error of the application at issue, and has no tokens",
		func(t *testing.T, id string) {
			if _, err := s.tokens.Issue(t.Context(), id, knox.Options{}); auth.KindOf(err) != auth.ErrInternal {
				t.Errorf("got %v from Issue, want auth.ErrInternal", err)
			}
			if n, err := s.tokens.RevokeAll(t.Context(), id); n != 0 || err != nil {
				t.Errorf("got %d, %v from RevokeAll, want none", n, err)
			}
			if ended, err := s.tokens.Ended(t.Context(), id); len(ended) != 0 || err != nil {
				t.Errorf("got %d, %v from Ended, want none", len(ended), err)
			}
			if found, err := s.tokens.Revoke(t.Context(), id, "1"); found || err != nil {
				t.Errorf("got %v, %v from Revoke, want none", found, err)
			}
		})
	texttest.Run(t, texttest.Unstorable, "as an ACR is an error of the backend of the login", func(t *testing.T,
		acr string) {
		_, err := s.tokens.Issue(t.Context(), "alice", knox.Options{AuthInfo: auth.AuthInfo{ACR: acr}})
		if auth.KindOf(err) != auth.ErrInternal {
			t.Errorf("got %v, want auth.ErrInternal", err)
		}
	})
	texttest.Run(t, texttest.Storable, "as a UserID is a user", func(t *testing.T, id string) {
		issued, err := s.tokens.Issue(t.Context(), id, knox.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if user, _, err := s.tokens.VerifyToken(t.Context(), issued.Secret.Reveal()); err != nil ||
			user.UserID() != id {
			t.Errorf("got %v, %v, want the user %q", user, err, id)
		}
	})
	t.Run("a token that another format reads as an odd digest is unknown", func(t *testing.T) {
		s := startStrict(t, func(c *knox.Config) {
			c.Token.Foreign = []knox.ForeignToken{func(token string) (string, bool) { return token, true }}
		})
		for name, token := range texttest.Unstorable {
			if _, _, err := s.tokens.VerifyToken(t.Context(), token); auth.KindOf(err) != auth.ErrInvalid {
				t.Errorf("%s: got %v, want auth.ErrInvalid", name, err)
			}
		}
	})
}
