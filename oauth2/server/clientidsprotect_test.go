package server_test

import (
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatewarden/auth/oauth2/server"
)

// A user can withdraw the access of every client also behind Protect, which the README advises.
func TestUnitEveryClientIDCanBeWithdrawnBehindProtect(t *testing.T) {
	s := newService(t, func(c *server.Config) { c.Limits.User = server.NoLimit })
	mux := http.NewServeMux()
	handlers := s.handlers()
	handlers.Register(mux)
	front := httptest.NewServer(s.guard.Protect(mux, handlers.Open()))
	t.Cleanup(front.Close)
	for _, id := range oddIDs() {
		if id == "alice" || id == "-" || id == "/" {
			continue
		}
		t.Run(fmt.Sprintf("%q", id), func(t *testing.T) {
			s.add(server.Registration{ClientID: id, ClientName: "n", RedirectURIs: []string{"https://odd.example/cb"}})
			defer func() { _, _ = s.server.RemoveClient(t.Context(), id) }()
			s.as("alice").code("client_id", id, "redirect_uri", "https://odd.example/cb")
			page := s.as("alice").do("GET", "/o/authorized_tokens/", "")
			all := actions.FindAllStringSubmatch(page.body, -1)
			if len(all) != 1 {
				t.Fatalf("%d forms", len(all))
			}
			r, err := http.NewRequest("POST", front.URL+html.UnescapeString(all[0][1]), strings.NewReader(""))
			s.must(err)
			r.AddCookie(
				&http.Cookie{Name: "login", Value: fmt.Sprintf("alice:session-alice:%d", time.Now().UnixMicro())})
			a, err := http.DefaultTransport.RoundTrip(r)
			s.must(err)
			_ = a.Body.Close()
			if a.StatusCode != 303 {
				t.Errorf("%s: got %d", all[0][1], a.StatusCode)
			}
		})
	}
}

// A user with the ID of a client gets no code for it, and tokens of another client for that user are the user's.
func TestUnitAUserWithTheNameOfAClient(t *testing.T) {
	s := newService(t, nil)
	s.add(server.Registration{ClientID: "alice", RedirectURIs: []string{"https://odd.example/cb"},
		GrantTypes: []string{"authorization_code", "client_credentials"}})
	if a := s.as("alice").authorize("client_id", "alice", "redirect_uri", "https://odd.example/cb"); a.location(
		"error") != "access_denied" {
		t.Errorf("got %d %s", a.StatusCode, a.Header.Get("Location"))
	}
	for _, resource := range []string{s.http.URL, "https://jwt.example/api"} {
		machine := s.stranger().do("POST", "/o/token/", url.Values{"grant_type": {"client_credentials"},
			"resource": {resource}, "scope": {"read"}}.Encode(),
			"Authorization", basicOf("alice", s.secrets["alice"])).text("access_token")
		found, err := s.server.Inspect(t.Context(), machine)
		s.must(err)
		if !found.Machine() {
			t.Errorf("the client's own token is of a user: %+v", found)
		}
		human, err := s.server.Inspect(t.Context(), s.tokens("alice", "resource", resource).text("access_token"))
		s.must(err)
		if human.Machine() {
			t.Errorf("the user's token is of a machine: %+v", human)
		}
		if a := s.stranger().do("GET", "/o/userinfo/", "", "Authorization", "Bearer "+machine); a.StatusCode == 200 {
			t.Errorf("userinfo of a machine: %s", a.body)
		}
	}
	if n, err := s.server.RevokeAll(t.Context(), "alice"); n != 2 || err != nil {
		t.Errorf("ended %d, %v; want the two grants of the user", n, err)
	}
}
