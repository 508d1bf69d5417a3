package server_test

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/gatewarden/auth/oauth2/server"
)

func TestUnitUserInfoAudience(t *testing.T) {
	const api, asJWT = "https://other.example/", "https://jwt.example/api"
	info := func(s *service, token string) answer {
		return s.stranger().do("GET", "/o/userinfo/", "", "Authorization", "Bearer "+token)
	}
	log := &strings.Builder{}
	s := newService(t, func(c *server.Config) { c.Logger = slog.New(slog.NewTextHandler(log, nil)) })
	t.Run("a token of a client that names no resource is good", func(t *testing.T) {
		if a := info(s, s.tokens("alice").text("access_token")); a.StatusCode != 200 || a.text("sub") != "alice" {
			t.Errorf("got %d %s", a.StatusCode, a.body)
		}
	})
	for name, resource := range map[string]string{"an opaque token": api, "a JWT": asJWT} {
		t.Run(name+" for another API is refused, and the log names the setting", func(t *testing.T) {
			log.Reset()
			a := info(s, s.tokens("alice", "resource", resource).text("access_token"))
			if a.StatusCode != 401 || !strings.Contains(a.Header.Get("WWW-Authenticate"), `error="invalid_token"`) ||
				strings.Contains(a.body, "alice") {
				t.Errorf("got %d %v %s, want 401", a.StatusCode, a.Header, a.body)
			}
			if text := log.String(); !strings.Contains(text, "the client named a resource") ||
				!strings.Contains(text, resource) ||
				!strings.Contains(text, "AllowAnyAudienceAtUserInfo") {
				t.Errorf("got the log %s", text)
			}
		})
	}
	t.Run("a token for another API and the issuer is good", func(t *testing.T) {
		values := query("resource", api)
		values.Add("resource", s.http.URL)
		page := s.as("bob").do("GET", "/o/authorize/?"+values.Encode(), "")
		tokens := s.redeem(s.as("bob").allow(page).location("code"))
		if a := info(s, tokens.text("access_token")); a.StatusCode != 200 {
			t.Errorf("got %d %s", a.StatusCode, a.body)
		}
		refreshed := s.refresh(tokens.text("refresh_token"), "resource", api)
		if a := info(s, refreshed.text("access_token")); a.StatusCode != 401 {
			t.Errorf("got %d for a token for the API alone, want 401: %s", a.StatusCode, refreshed.body)
		}
		again := s.refresh(refreshed.text("refresh_token"), "resource", s.http.URL)
		if a := info(s, again.text("access_token")); a.StatusCode != 200 {
			t.Errorf("got %d for a token for the issuer, want 200", a.StatusCode)
		}
	})
	t.Run("where the issuer is no resource, the default of the client is good", func(t *testing.T) {
		s := newService(t, func(c *server.Config) {
			c.Resources = []server.Resource{{ID: asJWT, JWT: true}, {ID: api}, {ID: "https://third.example/"},
				{ID: c.Issuer}}
		})
		s.add(server.Registration{ClientID: "second", RedirectURIs: []string{"https://web.example/callback?a=b"},
			Resources: []string{api, "https://third.example/"}})
		tokens := func(client string, pairs ...string) string {
			code := s.as("alice").code(append([]string{"client_id", client}, pairs...)...)
			return s.post("/o/token/", client, "grant_type", "authorization_code", "code", code,
				"code_verifier", verifier,
				"redirect_uri", "https://web.example/callback?a=b").text("access_token")
		}
		for token, status := range map[string]int{tokens("web"): 200, tokens("web", "resource", api): 401,
			tokens("second"): 200,
			tokens("second", "resource", "https://third.example/"): 401} {
			if a := info(s, token); a.StatusCode != status {
				t.Errorf("got %d, want %d: %s", a.StatusCode, status, a.body)
			}
		}
	})
	t.Run("the setting admits every audience, and the audit tells", func(t *testing.T) {
		s := newService(t, func(c *server.Config) { c.OpenID.AllowAnyAudienceAtUserInfo = true })
		if a := info(s, s.tokens("alice", "resource", api).text("access_token")); a.StatusCode != 200 {
			t.Errorf("got %d %s", a.StatusCode, a.body)
		}
		told := false
		for _, finding := range server.Audit(s.config) {
			told = told || finding.Setting == "OpenID.AllowAnyAudienceAtUserInfo"
		}
		if !told {
			t.Error("got no finding")
		}
	})
	t.Run("a store that is down is an outage", func(t *testing.T) {
		store := &failing{Store: server.NewMemoryStore()}
		s := newService(t, func(c *server.Config) { c.Store = store })
		token := s.tokens("alice", "resource", api).text("access_token")
		store.fail(1) // the client, since the store in memory finds tokens by hash
		if a := info(s, token); a.StatusCode != 503 {
			t.Errorf("got %d, want 503", a.StatusCode)
		}
	})
}
