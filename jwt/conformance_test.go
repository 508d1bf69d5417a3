package jwt_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/authtest"
	"github.com/gatewarden/auth/jwt"
)

func TestUnitTokensKeepTheContractOfABackend(t *testing.T) {
	key, err := jwt.GenerateKey(jwt.ES256)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := jwt.NewKeySet(key)
	if err != nil {
		t.Fatal(err)
	}
	down := false
	load := func(_ context.Context, id string) (auth.User, error) {
		if down && id == "lost" {
			return nil, errors.New("the database is down")
		}
		return authtest.User(id), nil
	}
	tokens, err := jwt.New(jwt.Config{Issuer: "https://service.example", Keys: keys, Store: jwt.NewMemoryStore(),
		Scopes: []string{"read"}, LoadUser: load})
	if err != nil {
		t.Fatal(err)
	}
	issue := func(user string, options jwt.Options) (authtest.Request, *jwt.Pair) {
		pair, err := tokens.Issue(t.Context(), user, options)
		if err != nil {
			t.Fatal(err)
		}
		return authtest.RequestWith("Authorization", "Bearer "+pair.Access.Reveal()), pair
	}
	alice, _ := issue("alice", jwt.Options{})
	bob, _ := issue("bob", jwt.Options{Scopes: []string{"read"}})
	lost, _ := issue("lost", jwt.Options{})
	ended, pair := issue("alice", jwt.Options{})
	if _, err := tokens.Revoke(t.Context(), "alice", pair.SessionID); err != nil {
		t.Fatal(err)
	}
	down = true
	authtest.Backend(t, tokens, authtest.Cases{
		Good: []authtest.Good{
			{Request: alice, User: "alice"},
			{Request: bob, User: "bob", Scopes: []string{"read"}},
		},
		Absent: []authtest.Request{authtest.RequestWith("Authorization", "Token abc")},
		Invalid: []authtest.Request{ended,
			authtest.RequestWith("Authorization", "Bearer "+pair.Refresh.Reveal())},
		Malformed:    []authtest.Request{authtest.RequestWith("Authorization", "Bearer a b")},
		Unrecognized: []authtest.Request{authtest.RequestWith("Authorization", "Bearer gw_abc")},
		Outage:       []authtest.Request{lost},
	})
}

func TestUnitVerifierKeepsTheContractOfABackend(t *testing.T) {
	key, err := jwt.GenerateKey(jwt.EdDSA)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := jwt.NewKeySet(nil, key.Public())
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := jwt.NewVerifier(jwt.VerifierConfig{Issuers: []jwt.Issuer{{Issuer: "https://login.example",
		Audience: []string{"https://api.example"}, Keys: keys, Profile: jwt.Gatewarden(),
		User: jwt.SubjectUser}}, CacheSize: 10})
	if err != nil {
		t.Fatal(err)
	}
	sign := func(issuer, subject string, lifetime time.Duration, scope string) authtest.Request {
		claims := map[string]any{"iss": issuer, "aud": "https://api.example", "sub": subject,
			"exp": time.Now().Add(lifetime).Unix()}
		if scope != "" {
			claims["scope"] = scope
		}
		token, err := jwt.Sign(key, "at+jwt", claims)
		if err != nil {
			t.Fatal(err)
		}
		return authtest.RequestWith("Authorization", "Bearer "+token)
	}
	const issuer = "https://login.example"
	authtest.Backend(t, verifier, authtest.Cases{
		Good: []authtest.Good{
			{Request: sign(issuer, "alice", time.Hour, ""), User: "alice"},
			{Request: sign(issuer, "bob", time.Hour, "read write"), User: "bob", Scopes: []string{"read", "write"}},
		},
		Invalid:      []authtest.Request{sign(issuer, "alice", -time.Hour, "")},
		Malformed:    []authtest.Request{authtest.RequestWith("Authorization", "Bearer a b")},
		Unrecognized: []authtest.Request{sign("https://other.example", "alice", time.Hour, "")},
	})
}
