package password_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/password"
	"github.com/gatewarden/auth/session"
)

// TestUnitAStampThatDriftsIsAWarning has an Account that makes the stamp of other fields
// than LoadUser does.
func TestUnitAStampThatDriftsIsAWarning(t *testing.T) {
	fatal := func(err error) {
		if err != nil {
			t.Helper()
			t.Fatal(err)
		}
	}
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, nil))
	load := func(_ context.Context, id string) (auth.User, error) { return stamped{id, "whole"}, nil }
	passwords := newLogin(t, func(c *password.Config) {
		c.AllowUnthrottled = true
		c.Account = func(_ context.Context, name string) (auth.User, string, error) {
			return stamped{name, "half"}, cheap, nil
		}
	})
	tokens, err := knox.New(knox.Config{Store: knox.NewMemoryStore(), LoadUser: load, Logger: logger})
	fatal(err)
	sessions, err := session.New(session.Config{Store: session.NewMemoryStore(), LoadUser: load, Logger: logger})
	fatal(err)
	key, err := jwt.GenerateKey(jwt.EdDSA)
	fatal(err)
	keys, err := jwt.NewKeySet(key)
	fatal(err)
	pairs, err := jwt.New(jwt.Config{Keys: keys, Issuer: "https://api.example", Audience: []string{"api"},
		Store: jwt.NewMemoryStore(), LoadUser: load, Logger: logger})
	fatal(err)
	guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{tokens, pairs, sessions},
		Login: []auth.Authenticator{passwords}, Logger: slog.New(slog.DiscardHandler)})
	fatal(err)
	byKnox, err := tokens.Handlers(guard)
	fatal(err)
	bySession, err := sessions.Handlers(guard)
	fatal(err)
	byJWT, err := pairs.Handlers(guard)
	fatal(err)
	for name, login := range map[string]http.Handler{"knox": byKnox.Login, "session": bySession.Login,
		"jwt": byJWT.Obtain} {
		t.Run(name, func(t *testing.T) {
			log.Reset()
			for _, user := range []string{"alice", "alice", "bob", "alice"} {
				got := serve(login, post(typeJSON, `{"username":"`+user+`","password":"password"}`))
				if got.Code != 401 || strings.Contains(got.Body.String(), "AuthStamp") {
					t.Errorf("%d %s, want 401 without the reason", got.Code, got.Body)
				}
			}
			if got := strings.Count(log.String(), "level=WARN"); got != 2 ||
				!strings.Contains(log.String(), name+": a login is refused") ||
				!strings.Contains(log.String(), "user=alice") || !strings.Contains(log.String(), "user=bob") {
				t.Errorf("%d lines, want one for alice and one for bob: %s", got, &log)
			}
		})
	}
}
