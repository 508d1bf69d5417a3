package jwt_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/authtest"
	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/jwt"
)

// revoking is a store that can be down for Revoke, which heeds its context as database/sql does.
type revoking struct {
	jwt.Store
	down bool
}

func (s *revoking) Revoke(ctx context.Context, userID, id string, now time.Time) (bool, error) {
	if s.down {
		return false, errors.New("store is down")
	}
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	return s.Store.Revoke(ctx, userID, id, now)
}

func TestUnitUnfinishedLogins(t *testing.T) {
	authtest.UnfinishedLogins(t, func(t *testing.T, logger *slog.Logger) authtest.Issuing {
		store := &revoking{Store: jwt.NewMemoryStore()}
		load := func(context.Context, string) (auth.User, error) { return authtest.User("alice"), nil }
		keys, err := jwt.NewKeySet(signing(t, jwt.ES256))
		if err != nil {
			t.Fatal(err)
		}
		issuer, err := jwt.New(jwt.Config{Store: store, LoadUser: load, Limit: 1, Logger: logger,
			Issuer: "https://app.example", Keys: keys})
		if err != nil {
			t.Fatal(err)
		}
		return authtest.Issuing{Issuer: issuer, SetDown: func() { store.down = true },
			Login: func(guard *auth.Guard) (http.Handler, error) {
				h, err := issuer.Handlers(guard)
				if err != nil {
					return nil, err
				}
				return h.Obtain, nil
			},
			Count: func(ctx context.Context) (int, error) {
				left, _, err := issuer.List(ctx, "alice", backend.Page{})
				return len(left), err
			}}
	})
}
