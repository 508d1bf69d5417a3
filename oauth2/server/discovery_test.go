package server_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/gatewarden/auth/oauth2/server"
)

func TestUnitDiscovery(t *testing.T) {
	t.Run("metadata tells what the application says", func(t *testing.T) {
		s := newService(t, func(c *server.Config) {
			c.OpenID.Discovery = server.Discovery{Claims: []string{"name", "email", "sub"},
				ACRValues:        []string{"2", "1"},
				DocumentationURL: "https://login.example/docs", PolicyURL: "https://login.example/policy",
				TermsURL: "https://login.example/terms"}
		})
		m := s.stranger().do("GET", "/.well-known/openid-configuration", "")
		for name, want := range map[string]string{"service_documentation": "https://login.example/docs",
			"op_policy_uri": "https://login.example/policy", "op_tos_uri": "https://login.example/terms"} {
			if m.text(name) != want {
				t.Errorf("%s: want %s, got %v", name, want, m.json(name))
			}
		}
		if got, _ := m.json("acr_values_supported").([]any); !slices.Equal(got, []any{"2", "1"}) {
			t.Errorf("acr_values_supported: %v", got)
		}
		claims, _ := m.json("claims_supported").([]any)
		for _, name := range []any{"name", "email", "sub", "jti", "acr"} {
			if i := slices.Index(claims, name); i < 0 || slices.Contains(claims[i+1:], name) {
				t.Errorf("%v is not there once: %v", name, claims)
			}
		}
	})
	t.Run("languages and further members are told, and replace nothing", func(t *testing.T) {
		s := newService(t, func(c *server.Config) {
			c.OpenID.Discovery = server.Discovery{UILocales: []string{"de", "pt-BR"}, Members: map[string]any{
				"check_session_iframe": "https://a.example/", "issuer": "https://evil.example",
				"scopes_supported": []string{"evil"}}}
		})
		for _, path := range []string{"/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"} {
			m := s.stranger().do("GET", path, "")
			if got := fmt.Sprint(m.json("ui_locales_supported")); got != "[de pt-BR]" {
				t.Errorf("ui_locales_supported: %s", got)
			}
			if m.text("check_session_iframe") != "https://a.example/" || m.text("issuer") != s.http.URL ||
				strings.Contains(m.body, "evil") {
				t.Errorf("%s", m.body)
			}
		}
	})
	t.Run("metadata tells nothing that was not said", func(t *testing.T) {
		m := newService(t, nil).stranger().do("GET", "/.well-known/openid-configuration", "")
		for _, name := range []string{"service_documentation", "op_policy_uri", "op_tos_uri", "acr_values_supported",
			"ui_locales_supported"} {
			if m.json(name) != nil {
				t.Errorf("%s: %v", name, m.json(name))
			}
		}
	})
	s := newService(t, nil)
	for sentence, d := range map[string]server.Discovery{
		"a policy that is no URL is refused":      {PolicyURL: "policy"},
		"terms by a script are refused":           {TermsURL: "javascript:alert(1)"},
		"documentation without a host is refused": {DocumentationURL: "https:///docs"},
		"a language that is none is refused":      {UILocales: []string{"de", "de_DE"}},
		"an empty language is refused":            {UILocales: []string{""}},
		"a member that is no JSON is refused":     {Members: map[string]any{"x": func() {}}},
		"an empty claim is refused":               {Claims: []string{""}},
		"an empty acr is refused":                 {ACRValues: []string{"1", ""}},
	} {
		t.Run(sentence, func(t *testing.T) {
			c := s.config
			c.OpenID.Discovery = d
			if _, err := server.New(c); err == nil || !strings.Contains(err.Error(), "Config.OpenID.Discovery") {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestUnitScopesOfOpenIDConnect(t *testing.T) {
	t.Run("address and phone are built in", func(t *testing.T) {
		s := newService(t, nil)
		if got := s.tokens("alice", "scope", "openid address phone").text("scope"); got != "openid address phone" {
			t.Errorf("got %q", got)
		}
	})
	t.Run("a client of its own does not get them where it asks for nothing", func(t *testing.T) {
		s := newService(t, nil)
		s.add(server.Registration{ClientID: "machine", GrantTypes: []string{"client_credentials"}})
		a := s.post("/o/token/", "machine", "grant_type", "client_credentials")
		if a.StatusCode != 200 || strings.Contains(a.text("scope"), "address") ||
			strings.Contains(a.text("scope"), "phone") {
			t.Errorf("%d %s", a.StatusCode, a.body)
		}
	})
	t.Run("an unknown scope beside openid is refused", func(t *testing.T) {
		s := newService(t, nil)
		if a := s.as("alice").authorize("scope", "openid groups"); a.location("error") != "invalid_scope" {
			t.Error(a.Header.Get("Location"))
		}
	})
	lenient := func(t *testing.T) *service {
		return newService(t, func(c *server.Config) { c.OpenID.IgnoreUnknownScopes = true })
	}
	t.Run("with the setting it is left out, and the client learns so", func(t *testing.T) {
		if got := lenient(t).tokens("alice", "scope", "openid groups read").text("scope"); got != "openid read" {
			t.Errorf("got %q", got)
		}
	})
	for sentence, scope := range map[string]string{
		"without openid it is refused all the same":             "groups read",
		"a scope that the client may not have is refused":       "openid write",
		"a malformed scope is refused":                          "openid a\"b",
		"two spaces are refused":                                "openid  read",
		"alone it is refused, rather than taken for all scopes": "groups",
	} {
		t.Run(sentence, func(t *testing.T) {
			s := lenient(t)
			s.add(server.Registration{ClientID: "narrow", RedirectURIs: []string{"https://narrow.example/"},
				Scope:      "openid read",
				GrantTypes: []string{"authorization_code"}})
			a := s.as("alice").authorize("client_id", "narrow", "redirect_uri", "https://narrow.example/",
				"scope", scope)
			if a.location("error") != "invalid_scope" {
				t.Errorf("%q: %d %s", scope, a.StatusCode, a.Header.Get("Location"))
			}
		})
	}
	t.Run("a server without OpenID Connect does not take openid for a scope to leave out", func(t *testing.T) {
		s := newService(t, func(c *server.Config) {
			c.OpenID.IgnoreUnknownScopes, c.Keys, c.Resources[1].JWT = true, nil, false
		})
		if a := s.as("alice").authorize("scope", "openid read"); a.location("error") != "invalid_scope" {
			t.Errorf("%d %s", a.StatusCode, a.Header.Get("Location"))
		}
	})
}
