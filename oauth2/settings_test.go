package oauth2_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/internal/leaktest"
	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/oauth2"
)

func TestUnitSecretsAreNotPrinted(t *testing.T) {
	const hidden = "hunter2-of-the-api"
	for sentence, change := range map[string]func(*oauth2.IntrospectionConfig){
		"asked by secret": func(c *oauth2.IntrospectionConfig) { c.ClientSecret = hidden },
		"asked by key": func(c *oauth2.IntrospectionConfig) {
			key, err := jwt.GenerateKey(jwt.EdDSA)
			if err != nil {
				t.Fatal(err)
			}
			c.Key = key
		},
	} {
		t.Run("an Introspection "+sentence, func(t *testing.T) {
			config := oauth2.IntrospectionConfig{Issuer: "https://login.example", ClientID: "api"}
			change(&config)
			asked, err := oauth2.NewIntrospection(config)
			if err != nil {
				t.Fatal(err)
			}
			api, err := oauth2.New(oauth2.Config{Resource: resource, Sources: []oauth2.Source{asked}, LoadUser: load})
			if err != nil {
				t.Fatal(err)
			}
			guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{api}})
			if err != nil {
				t.Fatal(err)
			}
			secrets := []string{hidden}
			if config.Key != nil {
				secrets = append(secrets, privateOf(t, config.Key))
			}
			leaktest.CheckAllFields(t, secrets, asked)
			leaktest.CheckAllFields(t, secrets, *api)
			leaktest.CheckAllFields(t, secrets, guard)
			leaktest.CheckExported(t, secrets, config)
		})
	}
}

// privateOf returns the private part of an Ed25519 key.
func privateOf(t *testing.T, key *jwt.Key) string {
	t.Helper()
	text, err := key.MarshalJWK(true)
	if err != nil {
		t.Fatal(err)
	}
	var members struct{ D string }
	if err := json.Unmarshal(text, &members); err != nil {
		t.Fatal(err)
	}
	raw, err := base64.RawURLEncoding.DecodeString(members.D)
	if err != nil || len(raw) != 32 {
		t.Fatalf("a private part of %d bytes: %v", len(raw), err)
	}
	return string(raw)
}

func TestUnitSettingsAreCopied(t *testing.T) {
	config := oauth2.Config{Resource: resource, Audience: []string{"https://other.example"}, LoadUser: load,
		Sources: []oauth2.Source{source{"a": good()}}, ChallengeScopes: []string{"read"}, ScopesSupported: []string{
			"read"},
		AuthorizationServers: []string{"https://login.example"}}
	api, err := oauth2.New(config)
	if err != nil {
		t.Fatal(err)
	}
	scopes := []string{"read"}
	protect, err := api.Require(scopes...)
	if err != nil {
		t.Fatal(err)
	}
	challenge, metadata := fmt.Sprint(api.Challenges()), metadataOf(api)
	handler := protect(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(204) }))
	ask := func() int {
		r := httptest.NewRequest("POST", "/", nil)
		r.Header.Set("Authorization", "Bearer a")
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		return w.Code
	}
	before := ask()

	config.Sources[0], config.Audience[0], config.ChallengeScopes[0] = source{}, "changed", "changed"
	config.ScopesSupported[0], config.AuthorizationServers[0], scopes[0] = "changed",
		"https://changed.example", "changed"
	api.Challenges()[0].Scheme, api.Challenges()[0].Params[0].Value, api.Vary()[0] = "Changed", "changed", "Changed"

	if after := ask(); before != 204 || after != 204 {
		t.Errorf("%d before the change and %d after it, want 204", before, after)
	}
	if got := fmt.Sprint(api.Challenges()); got != challenge {
		t.Errorf("the challenge is %s, want %s", got, challenge)
	}
	if got := metadataOf(api); got != metadata {
		t.Errorf("the metadata is %s, want %s", got, metadata)
	}
}

func metadataOf(api *oauth2.Resource) string {
	w := httptest.NewRecorder()
	api.ServeMetadata(w, httptest.NewRequest("GET", "/", nil))
	return w.Body.String()
}

func TestUnitCapabilities(t *testing.T) {
	newAPI := func(name string, known source) *oauth2.Resource {
		api, err := oauth2.New(oauth2.Config{Name: name, Resource: resource, Sources: []oauth2.Source{known},
			LoadUser: load})
		if err != nil {
			t.Fatal(err)
		}
		return api
	}
	one, two := newAPI("one", source{"a": good(), "bad": bad(auth.ErrInvalid)}), newAPI(
		"two", source{"b": good(), "bad": good()})
	guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{one, two}})
	if err != nil {
		t.Fatalf("two resources of one scheme are refused: %v", err)
	}
	handler := guard.Require()(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(204) }))
	for _, row := range []struct {
		sentence, token string
		status          int
	}{
		{"a token of the first", "a", 204},
		{"a token of the second", "b", 204},
		{"a bad token of the first is not good for the second", "bad", 401},
		{"a token of another", "c", 401},
	} {
		t.Run(row.sentence, func(t *testing.T) {
			r := httptest.NewRequest("POST", "/", nil)
			r.Header.Set("Authorization", "Bearer "+row.token)
			r.Header.Set("Sec-Fetch-Site", "cross-site") // no browser adds a token
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			if w.Code != row.status {
				t.Errorf("%d %s, want %d", w.Code, w.Body, row.status)
			}
		})
	}
	t.Run("a backend and its credentials say that browsers add no token", func(t *testing.T) {
		_, credential, err := one.VerifyToken(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range []any{one, credential} {
			if ambient, ok := auth.As[auth.Ambient](v); !ok || ambient.Ambient() {
				t.Errorf("%T does not say so", v)
			}
		}
	})
	t.Run("the metadata is open under Protect, with every router", func(t *testing.T) {
		mux, patterns := http.NewServeMux(), patternsOf{}
		one.Register(mux)
		one.Register(&patterns)
		if !slices.Equal(patterns, []string{"/.well-known/oauth-protected-resource/mcp"}) {
			t.Errorf("patterns %q", patterns)
		}
		w := httptest.NewRecorder()
		guard.Protect(mux, one.Open()).ServeHTTP(
			w, httptest.NewRequest("GET", "/.well-known/oauth-protected-resource/mcp", nil))
		if w.Code != 200 || !bytes.Contains(w.Body.Bytes(), []byte(resource)) {
			t.Errorf("got %d %s, want 200 with the resource", w.Code, w.Body)
		}
	})
}

// patternsOf is a router that only writes down.
type patternsOf []string

func (p *patternsOf) Handle(pattern string, _ http.Handler) { *p = append(*p, pattern) }
