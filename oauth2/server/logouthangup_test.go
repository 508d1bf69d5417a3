package server_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gatewarden/auth/oauth2/server"
)

// A grant that another tab gets while the session ends must end, though the browser hangs up
// meanwhile: no other request will end it.
func TestLogoutOfABrowserThatHangsUp(t *testing.T) {
	ctx, hangUp := context.WithCancel(t.Context())
	var s *service
	var meanwhile answer
	s = newService(t, func(c *server.Config) {
		before := c.OpenID.Logout
		c.OpenID.Logout = func(w http.ResponseWriter, r *http.Request) error {
			meanwhile = s.tokens("alice", "scope", "openid read")
			defer hangUp()
			return before(w, r)
		}
	})
	hint := s.tokens("alice", "scope", "openid read").text("id_token")
	r := httptest.NewRequestWithContext(ctx, "GET", s.http.URL+"/o/logout/?id_token_hint="+hint, nil)
	r.AddCookie(&http.Cookie{Name: "login", Value: s.as("alice").cookie})
	s.http.Config.Handler.ServeHTTP(httptest.NewRecorder(), r)
	if ctx.Err() == nil {
		t.Fatal("the logout was not asked for")
	}
	if s.good(meanwhile.text("access_token")) {
		t.Error("the access token is good after the session ended")
	}
	if a := s.refresh(meanwhile.text("refresh_token")); a.StatusCode == http.StatusOK {
		t.Error("the refresh token is good after the session ended")
	}
}
