package authtest_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/authtest"
	"github.com/gatewarden/auth/header"
	"github.com/gatewarden/auth/knox"
)

// The other backends of this module have a test like this one in their packages.
func TestUnitWhatCombinesBackendsKeepsTheContract(t *testing.T) {
	load := func(_ context.Context, id string) (auth.User, error) { return authtest.User(id), nil }
	tokens, err := knox.New(knox.Config{Store: knox.NewMemoryStore(), LoadUser: load,
		Token: knox.TokenSettings{Prefix: "gw_"}})
	if err != nil {
		t.Fatal(err)
	}
	const secret = "0123456789abcdef"
	gateway, err := header.New(header.Config{Header: "X-Username", LoadUser: load,
		Trust: header.Trust{SecretHeader: "X-Proxy-Secret", Secret: secret}})
	if err != nil {
		t.Fatal(err)
	}
	issue := func(options knox.Options) authtest.Request {
		issued, err := tokens.Issue(t.Context(), "alice", options)
		if err != nil {
			t.Fatal(err)
		}
		return authtest.RequestWith("Authorization", "Token "+issued.Secret.Reveal())
	}
	revoked, err := tokens.Issue(t.Context(), "alice", knox.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tokens.Revoke(t.Context(), "alice", revoked.ID()); err != nil {
		t.Fatal(err)
	}
	of := func(good ...authtest.Good) authtest.Cases {
		return authtest.Cases{
			Good: append(good, authtest.Good{Request: issue(knox.Options{}), User: "alice"},
				authtest.Good{Request: issue(knox.Options{Scopes: []string{"read"}}), User: "alice",
					Scopes: []string{"read"}}),
			Absent:       []authtest.Request{authtest.RequestWith("Authorization", "Bearer abc")},
			Invalid:      []authtest.Request{authtest.RequestWith("Authorization", "Token "+revoked.Secret.Reveal())},
			Malformed:    []authtest.Request{authtest.RequestWith("Authorization", "Token a b")},
			Unrecognized: []authtest.Request{authtest.RequestWith("Authorization", "Token other_abc")},
		}
	}
	named := authtest.Good{User: "bob", Request: func() *http.Request {
		r := authtest.RequestWith("X-Username", "bob")()
		r.Header.Set("X-Proxy-Secret", secret)
		return r
	}}
	guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{tokens, gateway}})
	if err != nil {
		t.Fatal(err)
	}
	chain := auth.Chain(tokens, gateway)
	t.Run("a Guard", func(t *testing.T) { authtest.Backend(t, guard, of(named)) })
	t.Run("a chain", func(t *testing.T) { authtest.Backend(t, chain, of(named)) })
	t.Run("a wrapped backend", func(t *testing.T) { authtest.Backend(t, wrapped(tokens), of()) })
	t.Run("a wrapped chain", func(t *testing.T) { authtest.Backend(t, wrapped(chain), of(named)) })
	t.Run("a wrapped Guard", func(t *testing.T) { authtest.Backend(t, wrapped(guard), of(named)) })
	t.Run("a decorator that wraps credentials", func(t *testing.T) { authtest.Backend(t, counting{chain}, of(named)) })
}
