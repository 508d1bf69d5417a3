package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/oauth2"
	"github.com/gatewarden/auth/oauth2/server"
	"github.com/gatewarden/auth/session"
)

// This file makes the stores that scale.go fills.

const soon, late = time.Hour, 10 * time.Hour

func populations() []kind {
	return []kind{{"knox", manyKnox}, {"session", manySessions}, {"JWT logins", manyLogins},
		{"OAuth grants", manyGrants}}
}

// guarded finishes a population with a Guard of its backend.
func guarded(p *population, backend auth.Authenticator) (*population, error) {
	handler, err := new(world).guard(backend)
	p.handler = handler
	return p, err
}

// stored returns an instant as stores want it.
func stored(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

func lifetime(short bool) time.Duration {
	if short {
		return soon
	}
	return late
}

func manyKnox() (*population, error) {
	store := knox.NewMemoryStore()
	tokens, err := knox.New(knox.Config{Store: store, LoadUser: anyUser})
	if err != nil {
		return nil, err
	}
	return guarded(&population{name: "knox", header: "Authorization", scheme: "Token ",
		issue: func(userID string, short bool) (string, error) {
			issued, err := tokens.Issue(context.Background(), userID, knox.Options{TTL: lifetime(short)})
			if err != nil {
				return "", err
			}
			return issued.Secret.Reveal(), nil
		},
		purge: func(ctx context.Context, now time.Time, limit int) (int, error) {
			gone, err := store.Purge(ctx, limit, knox.Ending{Reason: knox.EndExpired, At: stored(now)})
			return len(gone), err
		}}, tokens)
}

func manySessions() (*population, error) {
	store := session.NewMemoryStore()
	var kinds [2]*session.Sessions
	for i, life := range []time.Duration{soon, late} {
		var err error
		kinds[i], err = session.New(session.Config{Store: store, LoadUser: anyUser,
			Lifetime: session.Lifetime{Idle: life, Absolute: life}})
		if err != nil {
			return nil, err
		}
	}
	login := httptest.NewRequest("POST", "https://app.example/", nil)
	return guarded(&population{name: "session", header: "Cookie", scheme: cookieName + "=",
		issue: func(userID string, short bool) (string, error) {
			sessions := kinds[1]
			if short {
				sessions = kinds[0]
			}
			w := &answer{header: make(http.Header)}
			if _, err := sessions.SignIn(w, login, &account{userID}, session.Options{}); err != nil {
				return "", err
			}
			for _, line := range w.header["Set-Cookie"] {
				if cookie, err := http.ParseSetCookie(line); err == nil && cookie.Name == cookieName {
					return cookie.Value, nil
				}
			}
			return "", http.ErrNoCookie
		},
		purge: func(ctx context.Context, now time.Time, limit int) (int, error) {
			gone, err := store.Purge(ctx, stored(now), limit)
			return len(gone), err
		}}, kinds[1])
}

func manyLogins() (*population, error) {
	store := jwt.NewMemoryStore()
	keys, err := jwt.NewKeySet(testKey(jwt.HS256).key)
	if err != nil {
		return nil, err
	}
	var kinds [2]*jwt.Tokens
	for i, life := range []time.Duration{soon, late} {
		kinds[i], err = jwt.New(jwt.Config{Issuer: issuerURL, Keys: keys, Store: store, LoadUser: anyUser,
			Verify:    jwt.VerifySettings{CacheSize: -1},
			Lifetimes: jwt.Lifetimes{Access: soon, Refresh: life, Session: life}})
		if err != nil {
			return nil, err
		}
	}
	return guarded(&population{name: "JWT logins", header: "Authorization", scheme: "Bearer ",
		issue: func(userID string, short bool) (string, error) {
			tokens := kinds[1]
			if short {
				tokens = kinds[0]
			}
			pair, err := tokens.Issue(context.Background(), userID, jwt.Options{})
			if err != nil {
				return "", err
			}
			return pair.Access.Reveal(), nil
		},
		purge: func(ctx context.Context, now time.Time, limit int) (int, error) {
			return store.Purge(ctx, stored(now), limit)
		}}, kinds[1])
}

func manyGrants() (*population, error) {
	store := server.NewMemoryStore()
	lives := server.Lifetimes{Access: soon, RefreshIdle: soon, RefreshAbsolute: soon}
	issuer, err := server.New(server.Config{Issuer: issuerURL, Store: store, LoadUser: anyUser, Logger: quiet,
		SignIn: func(http.ResponseWriter, *http.Request, server.SignInRequest) {},
		Scopes: []server.Scope{{Name: "read"}, {Name: "offline"}}, Resources: []server.Resource{{ID: resource}},
		Tokens: server.TokenConfig{
			Lifetimes: lives,
			LifetimesOf: func(r server.LifetimeRequest) server.Lifetimes {
				if len(r.Permissions.Scopes()) > 1 {
					return server.Lifetimes{Access: late, RefreshIdle: late, RefreshAbsolute: late}
				}
				return lives
			},
		}})
	if err != nil {
		return nil, err
	}
	web, _, err := issuer.AddClient(context.Background(), server.Registration{ClientID: "web", FirstParty: true,
		RedirectURIs: []string{callback}, GrantTypes: []string{"authorization_code", "refresh_token"}})
	if err != nil {
		return nil, err
	}
	api, err := oauth2.New(oauth2.Config{Resource: resource, Sources: []oauth2.Source{issuer}, LoadUser: anyUser})
	if err != nil {
		return nil, err
	}
	return guarded(&population{name: "OAuth grants", header: "Authorization", scheme: "Bearer ",
		issue: func(userID string, short bool) (string, error) {
			scopes := []string{"read", "offline"}
			if short {
				scopes = scopes[:1]
			}
			response, err := issuer.Issue(context.Background(), server.Issuance{Client: web,
				Type: "authorization_code", UserID: userID, Scopes: scopes, Refresh: true})
			if err != nil {
				return "", err
			}
			return response.AccessToken().Reveal(), nil
		},
		purge: func(ctx context.Context, now time.Time, limit int) (int, error) {
			return store.Purge(ctx, stored(now), limit)
		}}, api)
}
