package server_test

import (
	"strings"
	"testing"
)

func TestUnitFormPostToAPrivateUseScheme(t *testing.T) {
	s := newService(t, nil)
	for name, pairs := range map[string][]string{
		"a good request":                  nil,
		"a request with another fault":    {"scope", "admin"},
		"a request with an unknown kind":  {"response_type", "token"},
		"a request that asks for no page": {"prompt", "none"},
	} {
		t.Run(name+" is refused in the query", func(t *testing.T) {
			a := s.as("alice").authorize(append([]string{"client_id", "app", "redirect_uri", "com.example.app:/cb",
				"response_mode", "form_post"}, pairs...)...)
			to := a.Header.Get("Location")
			if !strings.HasPrefix(to, "com.example.app:/cb?") || a.location("error") != "invalid_request" ||
				a.location("state") != "xyz" || a.location("iss") != s.http.URL {
				t.Errorf("want invalid_request at com.example.app:/cb, got %d %s", a.StatusCode, to)
			}
		})
	}
	t.Run("a loopback address gets a form", func(t *testing.T) {
		a := s.as("alice").authorize("client_id", "app", "redirect_uri", "http://127.0.0.1:1234/cb", "scope", "admin",
			"response_mode", "form_post")
		if policy := a.Header.Get("Content-Security-Policy"); a.StatusCode != 200 ||
			!strings.Contains(policy, "form-action 'self' https: http:;") {
			t.Errorf("want a form, got %d %s", a.StatusCode, policy)
		}
	})
}
