package jwt_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/internal/texttest"
	"github.com/gatewarden/auth/jwt"
)

// strict is a store of the strictest database: it answers a text that it cannot keep with an error.
type strict struct{ jwt.Store }

func (s strict) Start(ctx context.Context, f *jwt.Session, first, adopted *jwt.Refresh, limit int,
	evict bool) (jwt.Started, error) {
	if err := texttest.CheckStorable(f, first, adopted); err != nil {
		return jwt.Started{}, err
	}
	return s.Store.Start(ctx, f, first, adopted, limit, evict)
}

func (s strict) Find(ctx context.Context, digest string) (*jwt.Refresh, *jwt.Session, error) {
	if err := texttest.CheckStorable(digest); err != nil {
		return nil, nil, err
	}
	return s.Store.Find(ctx, digest)
}

func (s strict) Revoke(ctx context.Context, userID, id string, now time.Time) (bool, error) {
	if err := texttest.CheckStorable(userID, id); err != nil {
		return false, err
	}
	return s.Store.Revoke(ctx, userID, id, now)
}

func (s strict) RevokeAll(ctx context.Context, userID, kept, stamp string, now time.Time) ([]string, error) {
	if err := texttest.CheckStorable(userID, kept, stamp); err != nil {
		return nil, err
	}
	return s.Store.RevokeAll(ctx, userID, kept, stamp, now)
}

func (s strict) Revoked(ctx context.Context, c jwt.Claimed, now time.Time) (bool, error) {
	if err := texttest.CheckStorable(c); err != nil {
		return false, err
	}
	return s.Store.Revoked(ctx, c, now)
}

func anybody(_ context.Context, id string) (auth.User, error) { return person{id, ""}, nil }

func TestUnitOddTextsOfApplications(t *testing.T) {
	tokens, _, _ := newTokens(t, func(c *jwt.Config) { c.Store, c.LoadUser = strict{c.Store}, anybody })
	texttest.Run(t, texttest.Unstorable, "as a UserID is an error of the application, and has no logins",
		func(t *testing.T, id string) {
			if _, err := tokens.Issue(t.Context(), id, jwt.Options{}); auth.KindOf(err) != auth.ErrInternal {
				t.Errorf("got %v from Issue, want auth.ErrInternal", err)
			}
			if _, err := tokens.RevokeAll(t.Context(), id); auth.KindOf(err) != auth.ErrInternal {
				t.Errorf("got %v from RevokeAll, want auth.ErrInternal, because nothing became void", err)
			}
			if found, err := tokens.Revoke(t.Context(), id, "1"); found || err != nil {
				t.Errorf("got %v, %v from Revoke for the user, want none", found, err)
			}
		})
	texttest.Run(t, texttest.Unstorable, "as the identifier of a login is unknown", func(t *testing.T, id string) {
		if found, err := tokens.Revoke(t.Context(), "alice", id); found || err != nil {
			t.Errorf("got %v, %v, want none", found, err)
		}
	})
	texttest.Run(t, texttest.Unstorable, "as an ACR is an error of the backend of the login", func(t *testing.T,
		acr string) {
		_, err := tokens.Issue(t.Context(), "alice", jwt.Options{AuthInfo: auth.AuthInfo{ACR: acr}})
		if auth.KindOf(err) != auth.ErrInternal {
			t.Errorf("got %v, want auth.ErrInternal", err)
		}
	})
	texttest.Run(t, texttest.Unstorable, "as the name of a client fails no login", func(t *testing.T, name string) {
		if _, err := tokens.Issue(t.Context(), "alice", jwt.Options{UserAgent: name, IP: name}); err != nil {
			t.Errorf("got %v, want no error", err)
		}
	})
	texttest.Run(t, texttest.Storable, "as a UserID is a user", func(t *testing.T, id string) {
		pair, err := tokens.Issue(t.Context(), id, jwt.Options{})
		if err != nil {
			t.Fatal(err)
		}
		user, _, err := tokens.VerifyToken(t.Context(), pair.Access.Reveal())
		if err != nil || user.UserID() != id {
			t.Errorf("got %v, %v, want the user %q", user, err, id)
		}
	})
}

func TestUnitOddTextsInTokensOfOthers(t *testing.T) {
	tokens, _, secret := besideDjango(t, func(c *jwt.Config) { c.Store, c.LoadUser = strict{c.Store}, anybody })
	odd := map[string]string{"of 513 bytes": strings.Repeat("x", 513), "with a NUL": "al\x00ice"}
	for name, id := range odd {
		t.Run("a user "+name+" is not recognized, whatever is asked", func(t *testing.T) {
			access := django(t, secret, "access", map[string]any{"user_id": id})
			refresh := django(t, secret, "refresh", map[string]any{"user_id": id})
			_, _, verified := tokens.VerifyToken(t.Context(), access)
			_, refreshed := tokens.Refresh(t.Context(), refresh)
			for what, err := range map[string]error{"VerifyToken": verified, "Refresh": refreshed,
				"Verify": second(tokens.Verify(t.Context(), access)), "Logout": tokens.Logout(t.Context(), refresh)} {
				if auth.KindOf(err) != auth.ErrInvalid {
					t.Errorf("got %v from %s, want auth.ErrInvalid", err, what)
				}
			}
		})
	}
	t.Run("a jti of any length is used up once", func(t *testing.T) {
		refresh := django(t, secret, "refresh", map[string]any{"jti": strings.Repeat("\u00e9", 1_000)})
		if _, err := tokens.Refresh(t.Context(), refresh); err != nil {
			t.Errorf("got %v the first time, want a pair", err)
		}
		if _, err := tokens.Refresh(t.Context(), refresh); auth.KindOf(err) != auth.ErrInvalid {
			t.Errorf("got %v the second time, want auth.ErrInvalid", err)
		}
	})
	t.Run("a refresh token with an ACR that no store keeps is invalid", func(t *testing.T) {
		refresh := django(t, secret, "refresh", map[string]any{"acr": strings.Repeat("x", 2_000), "jti": "acr"})
		if _, err := tokens.Refresh(t.Context(), refresh); auth.KindOf(err) != auth.ErrInvalid {
			t.Errorf("got %v, want auth.ErrInvalid", err)
		}
	})
	t.Run("without Revocations an issuer may have a subject of any length", func(t *testing.T) {
		key, id := signing(t, jwt.ES256), strings.Repeat("x", 600)
		token := foreignToken(t, key, map[string]any{"sub": id})
		user, _, err := foreignVerifier(t, key, nil).VerifyToken(t.Context(), token)
		if err != nil || user.UserID() != id {
			t.Errorf("got %v, want the user of 600 bytes", err)
		}
		v := foreignVerifier(t, key, func(i *jwt.Issuer) { i.Revocations = strict{jwt.NewMemoryStore()} })
		if _, _, err := v.VerifyToken(t.Context(), token); auth.KindOf(err) != auth.ErrInvalid {
			t.Errorf("got %v with Revocations, want auth.ErrInvalid", err)
		}
	})
	t.Run("a machine with a long name is not recognized with Revocations", func(t *testing.T) {
		key := signing(t, jwt.ES256)
		v := foreignVerifier(t, key, func(i *jwt.Issuer) { i.Revocations = strict{jwt.NewMemoryStore()} })
		long := strings.Repeat("x", 510)
		token := foreignToken(t, key, map[string]any{"client_id": long, "sub": long})
		if _, _, err := v.VerifyToken(t.Context(), token); !errors.Is(err, auth.ErrInvalid) {
			t.Errorf("got %v, want auth.ErrInvalid", err)
		}
	})
}

func second[T any](_ T, err error) error { return err }
