//go:build providers

package interop

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/gatewarden/auth/jwt"
	api "github.com/gatewarden/auth/oauth2"
)

// hydra is a running Ory Hydra.
type hydra struct {
	*testing.T
	issuer, admin string
}

// startHydra starts an Ory Hydra in memory, which issues JWTs as access tokens.
func startHydra(t *testing.T) hydra {
	t.Helper()
	const program = "hydra/target/hydra"
	if _, err := os.Stat(program); err != nil {
		skip(t, "no "+program+": run make test-providers")
	}
	public, admin := freePort(t), freePort(t)
	h := hydra{t, "http://" + public, "http://" + admin + "/admin"}
	cmd, log := exec.CommandContext(t.Context(), program, "serve", "all", "--dev", "--sqa-opt-out"), &lines{}
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = append(os.Environ(), "DSN=memory", "SECRETS_SYSTEM="+strings.Repeat("a secret of a test", 2),
		"SERVE_PUBLIC_HOST=127.0.0.1", "SERVE_PUBLIC_PORT="+portOf(public), "SERVE_ADMIN_HOST=127.0.0.1",
		"SERVE_ADMIN_PORT="+portOf(admin),
		"URLS_SELF_ISSUER="+h.issuer, "URLS_LOGIN="+h.issuer+"/login", "URLS_CONSENT="+h.issuer+"/consent",
		"STRATEGIES_ACCESS_TOKEN=jwt")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("Hydra:\n%s", log)
		}
	})
	// Hydra makes its keys at the first question for them, which may take long.
	for deadline := time.Now().Add(3 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
		answer, err := http.Get(h.issuer + "/.well-known/jwks.json")
		if err == nil {
			answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return h
			}
		}
		if time.Now().After(deadline) {
			t.Fatal("Hydra does not answer")
		}
	}
}

func portOf(address string) string { return address[strings.LastIndex(address, ":")+1:] }

// administer sends a request to Hydra's interface for administrators.
func (h hydra) administer(method, path string, body any) map[string]any {
	h.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		h.Fatal(err)
	}
	answer := send(h.T, method, h.admin+path, string(text), "Content-Type", "application/json")
	if answer.status > 299 {
		h.Fatalf("%s %s: %d %s", method, path, answer.status, answer.text)
	}
	return answer.body
}

// client registers a client, and returns the settings by which it gets tokens for the API.
func (h hydra) client(id string, grants ...string) oauth2.Config {
	h.Helper()
	c := oauth2.Config{ClientID: id, ClientSecret: id + "-secret-of-a-test", RedirectURL: "http://127.0.0.1/callback",
		Scopes: []string{"reports"}, Endpoint: oauth2.Endpoint{AuthURL: h.issuer + "/oauth2/auth",
			TokenURL: h.issuer + "/oauth2/token", AuthStyle: oauth2.AuthStyleInHeader}}
	h.administer("POST", "/clients", map[string]any{"client_id": c.ClientID, "client_secret": c.ClientSecret,
		"grant_types": grants, "redirect_uris": []string{c.RedirectURL}, "response_types": []string{"code"},
		"scope": "openid offline reports", "audience": []string{"api"}})
	return c
}

// login returns tokens of alice. The pages of the login and of the consent are Hydra's administrator here.
func (h hydra) login(c oauth2.Config) *oauth2.Token {
	h.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		h.Fatal(err)
	}
	browser := &http.Client{Jar: jar,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	// follow goes on from an address until Hydra asks by the parameter.
	follow := func(at, until string) string {
		for range 5 {
			answer, err := browser.Get(at)
			if err != nil {
				h.Fatal(err)
			}
			answer.Body.Close()
			to, err := answer.Location()
			if err != nil {
				h.Fatalf("%s: %s, %v", at, answer.Status, err)
			}
			if value := to.Query().Get(until); value != "" {
				return value
			}
			at = to.String()
		}
		h.Fatalf("no %s at %s", until, at)
		return ""
	}
	accept := func(kind, challenge string, with map[string]any) string {
		path := "/oauth2/auth/requests/" + kind + "/accept?" + url.Values{kind + "_challenge": {challenge}}.Encode()
		to, _ := h.administer("PUT", path, with)["redirect_to"].(string)
		return to
	}
	c.Scopes = []string{"openid", "offline", "reports"}
	at := c.AuthCodeURL("state-of-a-test", oauth2.SetAuthURLParam("audience", "api"))
	at = accept("login", follow(at, "login_challenge"), map[string]any{"subject": "alice"})
	at = accept("consent", follow(at, "consent_challenge"),
		map[string]any{"grant_scope": c.Scopes, "grant_access_token_audience": []string{"api"}})
	token, err := c.Exchange(h.Context(), follow(at, "code"))
	if err != nil {
		h.Fatal(err)
	}
	return token
}

func TestHydraTokens(t *testing.T) {
	h := startHydra(t)
	user := h.login(h.client("site", "authorization_code", "refresh_token"))
	worker := h.client("worker", "client_credentials")
	machine := send(t, "POST", worker.Endpoint.TokenURL, url.Values{"grant_type": {"client_credentials"},
		"scope": {"reports"}, "audience": {"api"}}.Encode(), "Content-Type", "application/x-www-form-urlencoded",
		"Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(worker.ClientID+":"+worker.ClientSecret)))
	token, _ := machine.body["access_token"].(string)
	idToken, _ := user.Extra("id_token").(string)
	foreignTokens{
		issuer: h.issuer, audience: "api", profile: jwt.Hydra(),
		introspection: api.IntrospectionConfig{Issuer: h.issuer, Endpoint: h.admin + "/oauth2/introspect",
			ClientID: "api", ClientSecret: "Hydra asks for no secret here"},
		user: user.AccessToken, subject: "alice", machine: token, program: "worker", scope: "reports",
		others: map[string]string{"a refresh token": user.RefreshToken, "an ID token": idToken},
	}.test(t)
}
