package authtest

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
)

// Introspector is an authorization server for tests that answers questions about opaque tokens (RFC 7662) and
// publishes where to ask (RFC 8414). It knows the tokens that the test tells it, and of all others says that they are
// not active. [IntrospectionShapes] are answers as real servers write them.
//
//	server := authtest.NewIntrospector(t)
//	source, err := oauth2.NewIntrospection(oauth2.IntrospectionConfig{
//		Issuer: server.URL(), ClientID: "api", ClientSecret: "secret"})
//	server.Set("token-of-alice", map[string]any{"active": true, "sub": "alice", "aud": "https://api.example/"})
//
// It asks for some client authentication and takes every secret. It is safe for concurrent use.
type Introspector struct {
	server *httptest.Server

	mu      sync.Mutex
	answers map[string]map[string]any
	down    bool
	asked   int
}

// NewIntrospector starts a server, which stops when the test ends.
func NewIntrospector(t testing.TB) *Introspector {
	t.Helper()
	i := &Introspector{answers: make(map[string]map[string]any)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/oauth-authorization-server", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, map[string]any{"issuer": i.URL(), "introspection_endpoint": i.Endpoint()})
	})
	mux.HandleFunc("POST /introspect", i.introspect)
	i.server = httptest.NewServer(mux)
	t.Cleanup(i.server.Close)
	return i
}

// URL is the issuer.
func (i *Introspector) URL() string { return i.server.URL }

// Endpoint is the address at which it is asked.
func (i *Introspector) Endpoint() string { return i.server.URL + "/introspect" }

// Set sets the answer about a token. A nil answer takes the token back.
func (i *Introspector) Set(token string, answer map[string]any) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.answers[token] = maps.Clone(answer)
}

// SetDown sets whether every question is answered with 503.
func (i *Introspector) SetDown(down bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.down = down
}

// Asked returns how many questions came.
func (i *Introspector) Asked() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.asked
}

func (i *Introspector) introspect(w http.ResponseWriter, r *http.Request) {
	token, assertion := r.PostFormValue("token"), r.PostFormValue("client_assertion")
	_, secret, _ := r.BasicAuth()
	i.mu.Lock()
	defer i.mu.Unlock()
	i.asked++
	answer := i.answers[token]
	switch {
	case i.down:
		http.Error(w, "down", http.StatusServiceUnavailable)
	case secret == "" && assertion == "":
		writeJSON(w, http.StatusUnauthorized, map[string]any{"error": "invalid_client"})
	case answer == nil:
		writeJSON(w, http.StatusOK, map[string]any{"active": false})
	default:
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(answer)
	}
}

// IntrospectionShape is how one authorization server answers questions about its tokens. An answer is nil if the
// server says that such a token is not active. The maps may be changed.
type IntrospectionShape struct {
	Server string
	// User is about an access token of the user "alice", which the client "web" has, with the scopes read and write.
	User map[string]any
	// Machine is about an access token that the client "job" has for itself, with the scope read.
	Machine map[string]any
	// Refresh is about a refresh token of "web", which must not be accepted as an access token.
	Refresh map[string]any
}

// IntrospectionShapes returns the answers of Keycloak, Ory Hydra, django-oauth-toolkit, Spring Authorization Server
// and Duende IdentityServer, in the shapes that they document, for tokens that live an hour. issuer and audience are
// written where the server writes them. Spring names the client as the audience, unless its customizer says otherwise.
func IntrospectionShapes(issuer, audience string) []IntrospectionShape {
	now := time.Now()
	times := map[string]any{"active": true, "iss": issuer, "iat": now.Unix(), "exp": now.Add(time.Hour).Unix()}
	return []IntrospectionShape{
		keycloakShape(times, audience), hydraShape(times, audience), djangoShape(times), springShape(times, audience),
		duendeShape(times, audience),
	}
}

// answerWith returns a copy of an answer with more members.
func answerWith(answer, more map[string]any) map[string]any {
	all := maps.Clone(answer)
	merge(all, more) // nil leaves one out
	return all
}

func keycloakShape(times map[string]any, audience string) IntrospectionShape {
	all := answerWith(times, map[string]any{"jti": "onrtro:7f1d", "typ": "Bearer", "token_type": "Bearer", "acr": "1",
		"aud": []string{audience, "account"}, "scope": "read write", "email_verified": true,
		"realm_access": map[string]any{"roles": []string{"offline_access"}}})
	user := answerWith(all, map[string]any{"sub": "alice", "azp": "web", "client_id": "web", "sid": "nbXqqfrE",
		"username": "alice", "preferred_username": "alice", "email": "alice@example.com",
		"allowed-origins": []string{"https://web.example"}})
	return IntrospectionShape{
		Server: "Keycloak",
		User:   user,
		Machine: answerWith(all, map[string]any{"sub": "52f2da9c-9632-4fdf-88ce-83af14abc5a9", "azp": "job",
			"client_id": "job", "scope": "read", "username": "service-account-job",
			"preferred_username": "service-account-job",
			"clientHost":         "192.0.2.1", "clientAddress": "192.0.2.1", "email_verified": false}),
		Refresh: answerWith(user, map[string]any{"typ": "Refresh", "token_type": nil, "realm_access": nil}),
	}
}

func hydraShape(times map[string]any, audience string) IntrospectionShape {
	all := answerWith(times, map[string]any{"nbf": times["iat"], "aud": []string{audience}, "token_type": "Bearer",
		"token_use": "access_token", "ext": map[string]any{}})
	user := answerWith(all, map[string]any{"sub": "alice", "client_id": "web", "scope": "read write"})
	return IntrospectionShape{
		Server:  "Ory Hydra",
		User:    user,
		Machine: answerWith(all, map[string]any{"sub": "job", "client_id": "job", "scope": "read"}),
		Refresh: answerWith(user, map[string]any{"token_use": "refresh_token"}),
	}
}

func djangoShape(times map[string]any) IntrospectionShape {
	all := answerWith(times, map[string]any{"iss": nil, "iat": nil})
	return IntrospectionShape{
		Server:  "django-oauth-toolkit",
		User:    answerWith(all, map[string]any{"scope": "read write", "client_id": "web", "username": "alice"}),
		Machine: answerWith(all, map[string]any{"scope": "read", "client_id": "job"}),
	}
}

func springShape(times map[string]any, audience string) IntrospectionShape {
	all := answerWith(times, map[string]any{"nbf": times["iat"], "jti": "2c7a2a5e-0d5b-4a6f-9a3e-6b1d9a2f6f5e",
		"aud": []string{audience}, "token_type": "Bearer"})
	return IntrospectionShape{
		Server:  "Spring Authorization Server",
		User:    answerWith(all, map[string]any{"sub": "alice", "client_id": "web", "scope": "read write"}),
		Machine: answerWith(all, map[string]any{"sub": "job", "client_id": "job", "scope": "read"}),
		Refresh: answerWith(times, map[string]any{"iss": nil, "client_id": "web"}),
	}
}

func duendeShape(times map[string]any, audience string) IntrospectionShape {
	all := answerWith(times, map[string]any{"nbf": times["iat"], "jti": "A0F4D1", "aud": audience})
	return IntrospectionShape{
		Server: "Duende IdentityServer",
		User: answerWith(all, map[string]any{"sub": "alice", "client_id": "web", "scope": "read write", "idp": "local",
			"amr": "pwd", "auth_time": times["iat"], "sid": "5B2E"}),
		Machine: answerWith(all, map[string]any{"client_id": "job", "scope": "read"}),
	}
}
