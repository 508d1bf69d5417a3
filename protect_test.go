package auth_test

import (
	"net/http"
	"testing"

	"github.com/gatewarden/auth"
)

func TestProtectClosesEverythingButTheOpenPatterns(t *testing.T) {
	mux := http.NewServeMux()
	for _, pattern := range []string{"GET /healthz", "POST /login/", "/tree/", "/closedtree/", "GET /users/{id}", "DELETE /users/{id}", "GET /both", "example.com/host"} {
		mux.Handle(pattern, whoami)
	}
	isAdmin := auth.UserIs(func(u user) bool { return u == "admin" })
	h := guardOf(t, tokens("Token")).Protect(mux,
		auth.Open("GET /healthz", "POST /login/", "/tree/", "example.com/host"),
		auth.Open("GET /both", "/nowhere"),
		auth.Route("DELETE /users/{id}", isAdmin), auth.Route("GET /both", isAdmin))
	alice, admin := "Token good-alice", "Token good-admin"
	for name, row := range map[string]struct {
		method, target, authorization string
		status                        int
	}{
		"an open route":                            {"GET", "/healthz", "", 200},
		"HEAD of an open GET":                      {"HEAD", "/healthz", "", 200},
		"an open route is not authenticated":       {"GET", "/healthz", "Token bad", 200},
		"another method of an open path":           {"POST", "/healthz", "", 401},
		"a path below an open tree":                {"GET", "/tree/a/b", "", 200},
		"the redirect to an open tree":             {"GET", "/tree", "", 307},
		"the redirect to a closed tree":            {"GET", "/closedtree", "", 401},
		"a cleaned path that ends open":            {"GET", "/users/../healthz", "", 307},
		"a cleaned path that ends closed":          {"GET", "/tree/../users/1", "", 401},
		"encoded dots stay in the open tree":       {"GET", "/tree/%2e%2e/users/1", "", 200},
		"a doubled slash":                          {"GET", "//users/1", "", 401},
		"an open pattern of a host":                {"GET", "http://example.com/host", "", 200},
		"the same path on another host":            {"GET", "http://other.example/host", "", 401},
		"a route that nobody mentioned":            {"GET", "/users/1", "", 401},
		"the same, proved":                         {"GET", "/users/1", alice, 200},
		"a route with policies, without proof":     {"DELETE", "/users/1", "", 401},
		"a route with policies, refused":           {"DELETE", "/users/1", alice, 403},
		"a route with policies, agreed":            {"DELETE", "/users/1", admin, 200},
		"a pattern both open and restricted":       {"GET", "/both", "", 401},
		"a pattern both open and restricted, user": {"GET", "/both", alice, 403},
		"an unknown path for a stranger":           {"GET", "/nowhere", "", 401},
		"an unknown path for a user":               {"GET", "/nowhere", alice, 404},
		"an unknown method for a user":             {"PATCH", "/users/1", alice, 405},
	} {
		t.Run(name, func(t *testing.T) {
			r := request(row.method, row.target)
			if row.authorization != "" {
				r.Header.Set("Authorization", row.authorization)
			}
			w := do(h, r)
			want := row.status
			if want == 307 && w.Code == 301 { // net/http before Go 1.26
				want = 301
			}
			wantStatus(t, w, want)
		})
	}
}

func TestAProtectedHandlerSeesItsPathValues(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /users/{id}", func(_ http.ResponseWriter, r *http.Request) {
		if r.PathValue("id") != "7" || r.Pattern != "GET /users/{id}" {
			t.Errorf("id %q, pattern %q", r.PathValue("id"), r.Pattern)
		}
	})
	r := request("GET", "/users/7", "Authorization", "Token good-a")
	wantStatus(t, do(guardOf(t, tokens("Token")).Protect(mux), r), 200)
	if r.Pattern != "" {
		t.Error("the server's request was changed")
	}
}
