package main

import (
	"net/http"
	"testing"

	"github.com/gatewarden/auth"
)

func TestUnitServeMuxInsideAnother(t *testing.T) {
	s, err := newService()
	if err != nil {
		t.Fatal(err)
	}
	handler, err := s.serveMux()
	if err != nil {
		t.Fatal(err)
	}
	c := serve(t, handler)
	alice, ada := c.login("alice"), c.login("ada")
	reader := c.personal("reports:read")
	for _, row := range []struct {
		sentence, path, token string
		status                int
		text                  string
	}{
		{"strangers are refused", "/team/", "", 401, ""},
		{"strangers do not learn which paths exist", "/team/nothing", "", 401, ""},
		{"users are let through", "/team/", alice, 200, "alice, ada\n"},
		{"the policy of the whole inner tree is asked", "/team/", reader, 403, ""},
		{"a policy of the inner tree reads the path value", "/team/members/alice", alice, 200, "member alice\n"},
		{"and refuses by it", "/team/members/ada", alice, 403, ""},
		{"also if the path is escaped", "/team/members/%61da", alice, 403, ""},
		{"or is not clean", "/team/members/alice/../ada", alice, 307, ""},
		{"or only for the inner tree", "/team//members/ada", alice, 307, ""},
		{"another policy agrees", "/team/members/alice", ada, 200, "member alice\n"},
		{"full access is needed, too", "/team/members/alice", reader, 403, ""},
		{"a path of the inner tree that has no handler", "/team/nothing", alice, 404, ""},
		{"the inner pattern is not served outside", "/members/alice", alice, 404, ""},
	} {
		t.Run(row.sentence, func(t *testing.T) {
			var headers []string
			if row.token != "" {
				headers = []string{"Authorization", row.token}
			}
			client{t, c.server}.want(row.sentence, row.status, row.text, "GET", row.path, "", headers...)
		})
	}
}

func TestUnitAnExceptionWithoutARouteIsFoundAtStart(t *testing.T) {
	s, err := newService()
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	s.handlers.Register(mux, "/auth")
	mux.HandleFunc("GET /reports/{id}", func(http.ResponseWriter, *http.Request) {})
	for sentence, option := range map[string]auth.RouteOption{
		"another method":            auth.Route("DELETE /reports/{id}", auth.FullAccess),
		"another path":              auth.Route("GET /report/{id}", auth.FullAccess),
		"a prefix left out":         s.handlers.Open(""),
		"another prefix":            s.handlers.Open("/api"),
		"a prefix that is stripped": auth.Open("GET /team/reports/{id}"),
	} {
		if err := s.guard.Protect(mux, option).Check(); err == nil {
			t.Errorf("%s: wanted Check to return an error, and it returned nil", sentence)
		}
	}
	right := s.guard.Protect(mux, auth.Route("GET /reports/{anything}", auth.FullAccess), s.handlers.Open("/auth"))
	if err := right.Check(); err != nil {
		t.Errorf("wanted nil where every exception has a route, got %v", err)
	}
}
