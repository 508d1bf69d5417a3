package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/examples/internal/database"
	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/oauth2/server"
	"github.com/gatewarden/auth/password"
	"github.com/gatewarden/auth/session"
)

// This file and those of the stores are what you replace by your own: how your
// service opens its stores, configures its backends and loads its users. Better still, have both programs
// call one function: a token is good in the service only if Prefix and stamps
// are the same in both.

// scopes are those that routes of the service ask for.
var scopes = []string{"reports:read", "reports:write"}

// keepEnded must be what the service has: whichever of the two purges, removes
// what it would not have kept.
const keepEnded = 30 * 24 * time.Hour

// service is what the service keeps.
type service struct {
	stores
	users    users
	tokens   *knox.Tokens
	sessions *session.Sessions
	oneTime  *password.OneTimeTokens
	logins   logins

	oauth       *server.Server
	oauthConfig server.Config
}

// open opens the stores of the service.
func open(ctx context.Context, c *call, inactive bool) (*service, error) {
	openStores := openSQL
	if engine, err := database.EngineOf(c.db); err == nil && engine == database.Redis {
		openStores = openRedis
	}
	opened, err := openStores(ctx, c)
	if err != nil {
		return nil, err
	}
	s := &service{stores: opened, users: users{opened.findUser, inactive}, logins: logins{opened.logins}}
	if err := s.open(ctx); err != nil {
		return nil, errors.Join(err, s.db.Close())
	}
	return s, nil
}

func (s *service) open(ctx context.Context) (err error) {
	// Give each the Observer of the service, if you keep the events.
	s.tokens, err = knox.New(knox.Config{
		Store: s.knox, LoadUser: s.users.load, TTL: 10 * time.Hour, KeepEnded: keepEnded,
		Token:         knox.TokenSettings{Prefix: "demo_"},
		Limit:         knox.NoLimit, // as in the service: another one would end what that issued
		AllowNoExpiry: true,         // a user of this program has the database
	})
	if err != nil {
		return err
	}
	if s.sessions, err = session.New(session.Config{Store: s.session, LoadUser: s.users.load}); err != nil {
		return err
	}
	if err := s.openOAuth(); err != nil {
		return err
	}
	s.oneTime, err = password.NewOneTimeTokens(password.OneTimeConfig{Store: s.links, LoadUser: s.users.load})
	return err
}

// openOAuth makes an authorization server that serves no requests: it knows what
// clients can be registered with, and ends what they have. Issuer, scopes,
// resources and lifetimes must be those of the service.
func (s *service) openOAuth() (err error) {
	s.oauthConfig = server.Config{
		Issuer: "http://127.0.0.1:8000", Store: s.grants, LoadUser: s.users.load,
		SignIn: func(http.ResponseWriter, *http.Request, server.SignInRequest) {},
		Resources: []server.Resource{{ID: "http://127.0.0.1:8000"}, {ID: "http://127.0.0.1:8001/"},
			{ID: "http://127.0.0.1:8002/"}},
		// As in the service.
		Limits:  server.GrantLimits{User: server.NoLimit, Client: server.NoLimit},
		Clients: server.ClientConfig{DeveloperLimit: server.NoLimit},
	}
	for _, name := range append([]string{"openid", "profile", "email", "address", "phone", "offline_access"},
		scopes...) {
		s.oauthConfig.Scopes = append(s.oauthConfig.Scopes, server.Scope{Name: name})
	}
	s.oauth, err = server.New(s.oauthConfig)
	return err
}

// logins are what pairs of JWTs came of. No key is needed to see and to end them.
type logins struct{ jwt.Store }

func (l logins) list(ctx context.Context, userID string, page backend.Page) ([]*jwt.Session, string, error) {
	return backend.ReadPage(page, func(after string, limit int) ([]*jwt.Session, error) {
		return l.List(ctx, userID, after, limit, time.Now())
	}, func(f *jwt.Session) string { return f.ID }, func(*jwt.Session) bool { return true })
}

func (l logins) revoke(ctx context.Context, userID, id string) (bool, error) {
	return l.Revoke(ctx, userID, id, time.Now().UTC().Truncate(time.Microsecond))
}

// revokeAll also makes access tokens void that came of no login here.
func (l logins) revokeAll(ctx context.Context, userID string) (int, error) {
	ids, err := l.RevokeAll(ctx, userID, "", "", time.Now().UTC().Truncate(time.Microsecond))
	return len(ids), err
}

// keyring opens the keys that sign JWTs. All but the file must be as in the
// service.
func (s *service) keyring(ctx context.Context, file string) (*jwt.Keyring, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("-key: %w; the service makes the file when it starts", err)
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(text)))
	if err != nil {
		return nil, fmt.Errorf("-key: %s is not base64", file)
	}
	store, err := s.jwtKeys(ctx)
	if err != nil {
		return nil, err
	}
	return jwt.NewKeyring(ctx, jwt.KeyringConfig{Store: store, Keys: []auth.Secret{auth.Secret(key)},
		Logger: slog.New(slog.DiscardHandler)})
}

// user is a user of the service, as far as it matters here.
type user struct {
	id     string
	stamp  auth.Secret // the hash of the password
	active bool
}

func (u *user) UserID() string { return u.id }

// AuthStamp must be the same as in the service: what is issued with another is
// refused there.
func (u *user) AuthStamp() string { return u.stamp.Reveal() }

// Format keeps the stamp out of whatever is printed.
func (u user) Format(f fmt.State, _ rune) { fmt.Fprint(f, u.id) }

// users are those of the service, to read only.
type users struct {
	// find returns a user, also one that may not log in, or auth.ErrUserNotFound.
	find func(ctx context.Context, id string) (*user, error)
	// inactive admits users that may not log in, too: to see and to end what
	// they have, never to issue.
	inactive bool
}

// load is the auth.UserLoader.
func (us users) load(ctx context.Context, id string) (auth.User, error) {
	u, err := us.find(ctx, id)
	if err != nil {
		return nil, err
	}
	if !u.active && !us.inactive {
		return nil, auth.ErrUserInactive
	}
	return u, nil
}
