package server_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/oauth2"
	"github.com/gatewarden/auth/oauth2/server"
)

// alice is a user.
type alice struct{}

func (alice) UserID() string { return "alice" }

func loadAlice(context.Context, string) (auth.User, error) { return alice{}, nil }

// twoAPIs returns a server with two APIs that logs into the buffer.
func twoAPIs(t *testing.T, keys jwt.KeySource) (*server.Server, *bytes.Buffer) {
	t.Helper()
	log := new(bytes.Buffer)
	s, err := server.New(server.Config{Issuer: "https://login.example", Store: server.NewMemoryStore(), Keys: keys,
		LoadUser: loadAlice, Logger: slog.New(slog.NewTextHandler(log, nil)),
		Tokens: server.TokenConfig{Grants: []server.GrantType{server.ClientCredentials{}}},
		Scopes: []server.Scope{{Name: "read", Text: "read"}, {Name: "refund", Text: "pay back"}},
		Resources: []server.Resource{{ID: "https://reports.example/", JWT: keys != nil, Scopes: []string{"read"}},
			{ID: "https://billing.example/", Scopes: []string{"read", "refund"}}}})
	if err != nil {
		t.Fatal(err)
	}
	return s, log
}

// askForToken asks for a token for the first API, and for further ones.
func askForToken(t *testing.T, s *server.Server, scope string, resources ...string) {
	t.Helper()
	_, secret, err := s.AddClient(t.Context(), server.Registration{ClientID: "job",
		GrantTypes: []string{"client_credentials"}})
	if err != nil {
		t.Fatal(err)
	}
	handlers, err := s.Handlers(nil)
	if err != nil {
		t.Fatal(err)
	}
	form := url.Values{"grant_type": {"client_credentials"}, "scope": {scope},
		"resource": append(resources, "https://reports.example/")}
	r := httptest.NewRequest("POST", "/o/token/", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth("job", secret.Reveal())
	handlers.ServeHTTP(httptest.NewRecorder(), r)
}

func TestUnitNewcomer(t *testing.T) {
	t.Run("a keyring without a key says which setting makes one", func(t *testing.T) {
		keys, err := jwt.NewKeyring(t.Context(), jwt.KeyringConfig{Store: jwt.NewMemoryKeyStore(),
			Keys: []auth.Secret{"0123456789abcdef0123456789abcdef"}})
		if err != nil {
			t.Fatal(err)
		}
		s, log := twoAPIs(t, keys)
		askForToken(t, s, "read")
		if text := log.String(); !strings.Contains(text, "Generate") {
			t.Errorf("got %s, want jwt.KeyringConfig.Generate in it", text)
		}
	})
	t.Run("a scope that the API does not know is not compared with APIs", func(t *testing.T) {
		s, log := twoAPIs(t, nil)
		askForToken(t, s, "refund")
		const want = `no resource of the request, \"https://reports.example/\", knows the scope: \"refund\", ` +
			`want \"read\", see Resource.Scopes`
		if text := log.String(); !strings.Contains(text, want) {
			t.Errorf("got %s, want %s", text, want)
		}
	})
	t.Run("one of two APIs that knows none of the scopes is not compared with scopes", func(t *testing.T) {
		s, log := twoAPIs(t, nil)
		askForToken(t, s, "refund", "https://billing.example/")
		const want = `a resource of the request, \"https://reports.example/\", knows none of its scopes: \"refund\", ` +
			`want \"read\", see Resource.Scopes`
		if text := log.String(); !strings.Contains(text, want) {
			t.Errorf("got %s, want %s", text, want)
		}
	})
	t.Run("two APIs of one server are refused in one guard, and work in a guard each", func(t *testing.T) {
		s, _ := twoAPIs(t, nil)
		client, _, err := s.AddClient(t.Context(), server.Registration{ClientID: "web",
			GrantTypes: []string{"client_credentials"}})
		if err != nil {
			t.Fatal(err)
		}
		tokens, err := s.Issue(t.Context(), server.Issuance{Client: client, Type: "login", UserID: "alice",
			Scopes: []string{"refund"}, Resources: []string{"https://billing.example/"}})
		if err != nil {
			t.Fatal(err)
		}
		var apis []auth.Authenticator
		for _, name := range []string{"reports", "billing"} {
			api, err := oauth2.New(oauth2.Config{Name: name, Resource: "https://" + name + ".example/",
				Sources: []oauth2.Source{s}, LoadUser: loadAlice})
			if err != nil {
				t.Fatal(err)
			}
			apis = append(apis, api)
		}
		if _, err := auth.New(auth.Config{Backends: apis}); err == nil {
			t.Error("auth.New took both, and the first refuses each token of the second")
		}
		guard, err := auth.New(auth.Config{Backends: apis[:1]})
		if err != nil {
			t.Fatal(err)
		}
		billing, err := guard.With(apis[1])
		if err != nil {
			t.Fatal(err)
		}
		for api, want := range map[*auth.Guard]int{guard: http.StatusUnauthorized, billing: http.StatusOK} {
			r := httptest.NewRequest("GET", "/refunds", nil)
			r.Header.Set("Authorization", "Bearer "+tokens.AccessToken().Reveal())
			w := httptest.NewRecorder()
			api.Require(auth.Scopes("refund"))(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(
				w, r)
			if w.Code != want {
				t.Errorf("got %d %s, want %d", w.Code, w.Body, want)
			}
		}
	})
}
