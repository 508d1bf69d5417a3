package server_test

import (
	"strings"
	"testing"

	"github.com/gatewarden/auth/oauth2/server"
)

// offlineService offers logins and offline access.
func offlineService(t *testing.T) *service {
	return newService(t, func(c *server.Config) {
		c.Scopes = append(c.Scopes, server.Scope{Name: "openid", Text: "LOGIN"},
			server.Scope{Name: "offline_access", Text: "OFFLINE"})
	})
}

// before reports whether a page says of a scope that it was allowed before.
func (a answer) before(text string) bool {
	for line := range strings.Lines(a.body) {
		if strings.Contains(line, text) {
			return strings.Contains(line, "(allowed before)")
		}
	}
	return false
}

func TestUnitOfflineAccessOnTheConsentPage(t *testing.T) {
	const other = "https://other.example/"
	t.Run("is new at an API for which the user did not agree to it", func(t *testing.T) {
		s := offlineService(t)
		alice := s.as("alice")
		alice.allow(alice.authorize("scope", "openid read", "resource", other))
		alice.allow(alice.authorize("scope", "openid read offline_access"))
		page := alice.authorize("scope", "openid read offline_access", "resource", other)
		if page.StatusCode != 200 || page.before("OFFLINE") || !page.before("LOGIN") {
			t.Errorf("got %d, before %v, want a page on which only offline_access is new: %s", page.StatusCode,
				page.before("OFFLINE"), page.body)
		}
		alice.allow(page)
		if a := alice.authorize("scope", "openid read offline_access", "resource", other); a.StatusCode == 200 {
			t.Error("the user is asked again")
		}
	})
	t.Run("was allowed before where the user agreed to it and only a scope is new", func(t *testing.T) {
		s := offlineService(t)
		alice := s.as("alice")
		alice.allow(alice.authorize("scope", "openid read offline_access", "resource", other))
		page := alice.authorize("scope", "openid read write offline_access", "resource", other)
		if page.StatusCode != 200 || !page.before("OFFLINE") || !page.before("LOGIN") {
			t.Errorf("got %d, want a page on which offline_access was allowed before: %s", page.StatusCode, page.body)
		}
	})
}
