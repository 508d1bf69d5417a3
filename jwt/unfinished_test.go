package jwt_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/jwt"
)

// unfinished is the credential of a login with something left to do.
type unfinished struct{ finish func(context.Context) error }

func (unfinished) Backend() string                    { return "external" }
func (unfinished) Ambient() bool                      { return false }
func (unfinished) Primary() bool                      { return true }
func (unfinished) Scopes() ([]string, bool)           { return nil, false }
func (u unfinished) Finish(ctx context.Context) error { return u.finish(ctx) }

// revoking is a store that can be down for End, which heeds its context as database/sql does.
type revoking struct {
	jwt.Store
	down bool
}

func (s *revoking) End(ctx context.Context, userID, id string, now time.Time) (bool, error) {
	if s.down {
		return false, errors.New("store is down")
	}
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	return s.Store.End(ctx, userID, id, now)
}

func TestUnitALoginThatIsNotFinishedLeavesNothing(t *testing.T) {
	for name, row := range map[string]struct {
		gone, down bool
		left       int
		log        string
	}{
		"where an external login refuses it":         {},
		"where the client is gone":                   {gone: true},
		"or the log names what the store cannot end": {down: true, left: 1, log: `jwt: a login was refused`},
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			store := &revoking{Store: jwt.NewMemoryStore()}
			login := auth.AuthenticatorFunc(func(*http.Request) (auth.User, auth.Credential, error) {
				return person{"alice", ""}, unfinished{func(ctx context.Context) error {
					if row.gone {
						cancel()
						return ctx.Err()
					}
					store.down = row.down
					return errors.New("the link is taken")
				}}, nil
			})
			load := func(context.Context, string) (auth.User, error) { return person{"alice", ""}, nil }
			keys, err := jwt.NewKeySet(signing(t, jwt.ES256))
			if err != nil {
				t.Fatal(err)
			}
			issuer, err := jwt.New(jwt.Config{Store: store, LoadUser: load, Limit: 1, Logger: slog.New(slog.NewTextHandler(&log, nil)), Issuer: "https://app.example", Keys: keys})
			if err != nil {
				t.Fatal(err)
			}
			guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{issuer}, Login: []auth.Authenticator{login},
				Challenges: []auth.Challenge{{Scheme: "External"}}})
			if err != nil {
				t.Fatal(err)
			}
			h, err := issuer.Handlers(guard)
			if err != nil {
				t.Fatal(err)
			}
			w := httptest.NewRecorder()
			h.Obtain.ServeHTTP(w, httptest.NewRequest("POST", "https://app.example/login/", nil).WithContext(ctx))
			if w.Code != http.StatusServiceUnavailable || w.Header().Get("Set-Cookie") != "" {
				t.Errorf("got %d %s, want 503 and no cookie", w.Code, w.Body)
			}
			left, _, err := issuer.List(t.Context(), "alice", backend.Page{})
			if err != nil || len(left) != row.left {
				t.Errorf("got %d, %v, want that %d are left", len(left), err, row.left)
			}
			if row.log == "" && log.Len() > 0 || !strings.Contains(log.String(), row.log) {
				t.Errorf("got the log %q, want %q", log.String(), row.log)
			}
		})
	}
}
