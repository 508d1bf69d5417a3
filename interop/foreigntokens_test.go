//go:build providers

package interop

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/oauth2"
)

// foreignTokens are tokens that a real provider issued for an API.
type foreignTokens struct {
	issuer, audience string
	profile          jwt.Profile
	introspection    oauth2.IntrospectionConfig // without Profile
	user, subject    string                     // a user's token, and the user
	machine, program string                     // a client's own token, and the identifier of the machine
	scope            string                     // that both have
	others           map[string]string          // tokens that no API may take
}

// test sends the tokens to an API that checks them by each backend, set up with the profile and nothing else.
func (f foreignTokens) test(t *testing.T) {
	t.Helper()
	keys, err := jwt.NewRemoteKeys(jwt.RemoteKeysConfig{Issuer: f.issuer})
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := jwt.NewVerifier(jwt.VerifierConfig{Issuers: []jwt.Issuer{{
		Issuer: f.issuer, Audience: []string{f.audience}, Keys: keys, Profile: f.profile, User: jwt.SubjectUser}}})
	if err != nil {
		t.Fatal(err)
	}
	local, err := oauth2.NewJWT(oauth2.JWTConfig{Issuer: f.issuer, Audience: []string{f.audience}, Profile: f.profile})
	if err != nil {
		t.Fatal(err)
	}
	asked := f.introspection
	asked.Profile = f.profile
	remote, err := oauth2.NewIntrospection(asked)
	if err != nil {
		t.Fatal(err)
	}
	for name, checks := range map[string]auth.Authenticator{"jwt.Verifier": verifier,
		"oauth2.JWT": f.resource(t, local), "introspection": f.resource(t, remote)} {
		t.Run(name, func(t *testing.T) { f.testAt(t, checks) })
	}
}

// resource is an API with one source.
func (f foreignTokens) resource(t *testing.T, source oauth2.Source) *oauth2.Resource {
	t.Helper()
	resource, err := oauth2.New(oauth2.Config{Resource: "https://api.example", Audience: []string{f.audience},
		Sources: []oauth2.Source{source}, User: oauth2.SubjectUser})
	if err != nil {
		t.Fatal(err)
	}
	return resource
}

// testAt sends the tokens to an API with one backend.
func (f foreignTokens) testAt(t *testing.T, backend auth.Authenticator) {
	guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{backend}})
	if err != nil {
		t.Fatal(err)
	}
	told := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, _ := auth.UserFrom[auth.User](r.Context())
		_ = json.NewEncoder(w).Encode(map[string]string{"user": user.UserID()})
	})
	mux := http.NewServeMux()
	mux.Handle("/users", guard.Require(auth.FullAccessOr(f.scope))(told))
	mux.Handle("/machines", guard.Require(auth.AllowMachines, auth.FullAccessOr(f.scope))(told))
	mux.Handle("/admin", guard.Require(auth.AllowMachines, auth.FullAccessOr("admin"))(told))
	api := httptest.NewServer(mux)
	defer api.Close()
	program := auth.Machine{ID: f.program}.UserID()
	rows := []struct {
		name, path, token string
		status            int
		user              string
	}{
		{"a user's token with the scope", "/users", f.user, http.StatusOK, f.subject},
		{"a user's token without the scope", "/admin", f.user, http.StatusForbidden, ""},
		{"a machine's token at a route for users", "/users", f.machine, http.StatusForbidden, ""},
		{"a machine's token at a route for machines", "/machines", f.machine, http.StatusOK, program},
		{"a machine's token without the scope", "/admin", f.machine, http.StatusForbidden, ""},
	}
	for name, token := range f.others {
		row := rows[0]
		row.name, row.path, row.token, row.status, row.user = name, "/machines", token, http.StatusUnauthorized, ""
		rows = append(rows, row)
	}
	for _, row := range rows {
		if row.token == "" {
			t.Fatalf("%s: the provider gave none", row.name)
		}
		got := send(t, "GET", api.URL+row.path, "", "Authorization", "Bearer "+row.token)
		user, _ := got.body["user"].(string)
		if got.status != row.status || user != row.user {
			t.Errorf("%s: %d %s, want %d and user %q", row.name, got.status, got.text, row.status, row.user)
		}
	}
}

// claimOf returns a claim of a token without a look at its signature.
func claimOf(t *testing.T, token, name string) string {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("the provider gave no JWT: %q", token)
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	claims := map[string]any{}
	if err == nil {
		err = json.Unmarshal(text, &claims)
	}
	if err != nil {
		t.Fatal(err)
	}
	value, _ := claims[name].(string)
	return value
}
