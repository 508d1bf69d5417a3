package interop

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// login is a web application with a library's client, as a row of docs/oauth2.md, "Clients and what they need".
type login struct {
	name   string
	script string
	theirs []string       // settings of the library
	ours   map[string]any // members of the client's registration
	public bool

	refused   string // the error that the library reports, if the login fails
	noProfile bool   // it does not learn name and e-mail
	refresh   bool   // it can refresh
	logout    bool   // it can sign out here as well
}

const (
	authlib          = "python/login_authlib.py"
	requestsOAuthlib = "python/login_requests_oauthlib.py"
	passport         = "js/login-passport.mjs"
	authJS           = "js/login-authjs.mjs"
)

var (
	withoutPKCE   = map[string]any{"allow_without_pkce": true}
	claimsInToken = map[string]any{"id_token_claims": true}
)

var logins = []login{
	{name: "Authlib with PKCE", script: authlib, theirs: []string{"code_challenge_method=S256"},
		refresh: true, logout: true},
	{name: "Authlib with PKCE as a public client", script: authlib, theirs: []string{"code_challenge_method=S256"},
		public: true, refresh: true, logout: true},
	{name: "Authlib as it comes", script: authlib, ours: withoutPKCE, refresh: true, logout: true},
	{name: "Authlib as it comes where PKCE is required", script: authlib, refused: "invalid_request"},

	{name: "requests-oauthlib with PKCE", script: requestsOAuthlib, theirs: []string{"pkce"}, refresh: true},
	{name: "requests-oauthlib with PKCE as a public client", script: requestsOAuthlib, theirs: []string{"pkce"},
		public: true, refresh: true},
	{name: "requests-oauthlib as it comes", script: requestsOAuthlib, ours: withoutPKCE, refresh: true},
	{name: "requests-oauthlib as it comes where PKCE is required", script: requestsOAuthlib,
		refused: "invalid_request"},

	{name: "passport-openidconnect as it comes", script: passport, ours: withoutPKCE, noProfile: true},
	{name: "passport-openidconnect as it comes with claims in the ID token", script: passport,
		ours: map[string]any{"allow_without_pkce": true, "id_token_claims": true}},
	{name: "passport-openidconnect with userinfo and a nonce", script: passport,
		theirs: []string{`{"nonce":true,"skipUserProfile":false}`}, ours: withoutPKCE},
	{name: "passport-openidconnect as it comes where PKCE is required", script: passport, refused: "invalid_request"},

	{name: "Auth.js as it comes", script: authJS, noProfile: true},
	{name: "Auth.js as it comes with claims in the ID token", script: authJS, ours: claimsInToken},
	{name: "Auth.js with userinfo", script: authJS, theirs: []string{`{"idToken":false}`}},
	{name: "Auth.js with userinfo as a public client", script: authJS, public: true,
		theirs: []string{`{"idToken":false,"client":{"token_endpoint_auth_method":"none"}}`}},
}

// registration is the entry of -clients for a row.
func (l login) registration(id string) map[string]any {
	r := map[string]any{
		"client_id": id, "client_name": l.name, "client_secret": secretOf(id), "scope": "openid profile email",
		"redirect_uris":             []string{"http://127.0.0.1/callback", "http://127.0.0.1/auth/callback/demo"},
		"post_logout_redirect_uris": []string{"http://127.0.0.1/goodbye"},
		"grant_types":               []string{"authorization_code", "refresh_token"},
	}
	if l.public {
		delete(r, "client_secret")
		r["token_endpoint_auth_method"] = "none"
	}
	for name, value := range l.ours {
		r[name] = value
	}
	return r
}

func secretOf(client string) string { return client + "-secret-of-the-interop-tests-only" }

func TestLoginClients(t *testing.T) {
	var clients []map[string]any
	for i, row := range logins {
		clients = append(clients, row.registration(fmt.Sprintf("client-%d", i)))
	}
	demo := newSecureDemo(t, clients...)
	for i, row := range logins {
		t.Run(row.name, func(t *testing.T) {
			id := fmt.Sprintf("client-%d", i)
			secret := secretOf(id)
			if row.public {
				secret = ""
			}
			app := demo.serve(t, programOf(t, row.script), row.script, append([]string{id, secret}, row.theirs...)...)
			row.test(t, newVisitor(t, demo.authority), demo.url, app)
		})
	}
}

// programOf returns what runs a script.
func programOf(t *testing.T, script string) string {
	t.Helper()
	if strings.HasSuffix(script, ".py") {
		return python(t)
	}
	return node(t)
}

func (l login) test(t *testing.T, alice *visitor, demo, app string) {
	home := alice.open(app + "/login")
	if l.refused != "" {
		if home.status != http.StatusBadRequest || home.body["error"] != l.refused {
			t.Errorf("at %s: %d %s, want %s", home.at, home.status, home.text, l.refused)
		}
		return
	}
	want := map[string]any{"subject": "alice", "name": "alice", "email": "alice@example.com"}
	if l.noProfile {
		want["name"], want["email"] = nil, nil
	}
	for name, value := range want {
		if home.status != http.StatusOK || home.body[name] != value {
			t.Fatalf("%s at %s: %d %s, want %v", name, home.at, home.status, home.text, value)
		}
	}
	if l.refresh {
		for range 2 { // the second is by the successor
			if got := alice.open(app + "/refresh"); got.body["refreshed"] != true || got.body["subject"] != "alice" {
				t.Errorf("refreshing: %d %s", got.status, got.text)
			}
		}
	}
	out := alice.open(app + "/logout")
	if got := alice.open(app + "/"); got.status != http.StatusUnauthorized {
		t.Errorf("signed out of the application: %d %s, after %d at %s: %s",
			got.status, got.text, out.status, out.at, out.text)
	}
	if got := alice.do(http.MethodGet, demo+"/api/me", nil); l.logout && got.status != http.StatusUnauthorized {
		t.Errorf("signed out of the demo: %d %s", got.status, got.text)
	}
}
