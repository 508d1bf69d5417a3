package auth_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"strings"
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
		auth.Open("GET /both"),
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
		"a page beside an open tree":               {"GET", "/trees", "", 401},
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

// refuseAll is a policy that admits no request.
func refuseAll(*http.Request, auth.User, auth.Credential) error { return auth.ErrInsufficient }

func TestProtectAppliesAPolicyHoweverItsPatternIsSpelled(t *testing.T) {
	for name, row := range map[string]struct {
		registered, pattern string
		fault               string // of Check, "" is none
	}{
		"as registered":                {"DELETE /users/{id}", "DELETE /users/{id}", ""},
		"with another wildcard":        {"DELETE /users/{id}", "DELETE /users/{name}", ""},
		"without the method":           {"DELETE /users/{id}", "/users/{id}", ""},
		"the tree with the method":     {"DELETE /users/{id}", "DELETE /users/", ""},
		"the tree":                     {"DELETE /users/{id}", "/users/", ""},
		"the whole site":               {"DELETE /users/{id}", "/", ""},
		"a wildcard for the rest":      {"DELETE /users/{id}", "/users/{rest...}", ""},
		"with two spaces":              {"DELETE /users/{id}", "DELETE  /users/{id}", ""},
		"the method of a route of all": {"/users/{id}", "DELETE /users/{id}", ""},
		"a host":                       {"/users/{id}", "example.com/users/{id}", ""},

		"another path":                {"DELETE /users/{id}", "DELETE /user/{id}", "DELETE /user/{id}"},
		"with a slash at the end":     {"DELETE /users/{id}", "DELETE /users/{id}/", "DELETE /users/{id}/"},
		"the method in small letters": {"DELETE /users/{id}", "delete /users/{id}", "delete /users/{id}"},
		"without the first slash":     {"DELETE /users/{id}", "DELETE users/{id}", "DELETE users/{id}"},
		"another method":              {"DELETE /users/{id}", "PUT /users/{id}", "PUT /users/{id}"},
		"no pattern":                  {"DELETE /users/{id}", "", `""`},
		"a broken wildcard":           {"DELETE /users/{id}", "DELETE /users/{id", "DELETE /users/{id"},
		"a path behind a mount":       {"/users/", "DELETE /users/{id}/keys", "/users/"},
	} {
		t.Run(name, func(t *testing.T) {
			mux := http.NewServeMux()
			mux.Handle(row.registered, whoami)
			app := guardOf(t, tokens("Token")).Protect(mux, auth.Route(row.pattern, refuseAll))
			err := app.Check()
			if row.fault == "" != (err == nil) || err != nil && !strings.Contains(err.Error(), row.fault) {
				t.Errorf("Check returned %v, want an error about %q", err, row.fault)
			}
			want := 403
			if row.fault != "" {
				want = 500
			}
			r := request("DELETE", "http://example.com/users/7", "Authorization", "Token good-alice")
			wantStatus(t, do(app, r), want)
		})
	}
}

func TestProtectOpensTheNamedRouteAndNoOther(t *testing.T) {
	for name, row := range map[string]struct {
		registered []string
		open       string
		fault      bool
		get        map[string]int
	}{
		"the tree for an exact route":   {[]string{"/login/{$}"}, "GET /login/", false, map[string]int{"/login/": 200, "/login/x": 401}},
		"an exact route of a tree":      {[]string{"/login/"}, "/login/{$}", false, map[string]int{"/login/": 200, "/login/x": 401}},
		"a tree, not what is inside it": {[]string{"/", "/users/{id}"}, "/", false, map[string]int{"/": 200, "/x": 200, "/users/7": 401}},
		"an open path below a tree":     {[]string{"/"}, "/login", true, map[string]int{"/": 500, "/login": 500}},
		"a tree without a route":        {[]string{"/users/{id}"}, "/users/", true, map[string]int{"/users/7": 500}},
	} {
		t.Run(name, func(t *testing.T) {
			mux := http.NewServeMux()
			for _, pattern := range row.registered {
				mux.Handle(pattern, whoami)
			}
			app := guardOf(t, tokens("Token")).Protect(mux, auth.Open(row.open))
			if err := app.Check(); row.fault != (err != nil) {
				t.Errorf("Check returned %v", err)
			}
			for path, status := range row.get {
				wantStatus(t, do(app, request("GET", path)), status)
			}
		})
	}
}

func TestTheMostSpecificPatternOfProtectCountsAlone(t *testing.T) {
	mux := http.NewServeMux()
	for _, pattern := range []string{"/admin/", "GET /admin/help", "GET /admin/health"} {
		mux.Handle(pattern, whoami)
	}
	app := guardOf(t, tokens("Token")).Protect(mux, auth.Route("/admin/", refuseAll), auth.Route("GET /admin/help"), auth.Open("GET /admin/health"))
	if err := app.Check(); err != nil {
		t.Fatal(err)
	}
	for path, status := range map[string]int{"/admin/x": 403, "/admin/help": 200, "/admin/health": 200} {
		wantStatus(t, do(app, request("GET", path, "Authorization", "Token good-a")), status)
	}
	wantStatus(t, do(app, request("GET", "/admin/help")), 401)
}

func TestPoliciesOfProtectSeeTheRequestAsTheHandlerDoes(t *testing.T) {
	mux := http.NewServeMux()
	mux.Handle("DELETE /users/{id}", whoami)
	deny := func(r *http.Request, _ auth.User, _ auth.Credential) error {
		if r.Pattern != "DELETE /users/{id}" {
			t.Errorf("the policy saw pattern %q", r.Pattern)
		}
		if r.PathValue("id") == "root" {
			return auth.ErrInsufficient
		}
		return nil
	}
	app := guardOf(t, tokens("Token")).Protect(mux, auth.Route("/users/{name}", deny))
	for path, status := range map[string]int{"/users/root": 403, "/users/alice": 200} {
		wantStatus(t, do(app, request("DELETE", path, "Authorization", "Token good-a")), status)
	}
}

func TestAFaultOfProtectReachesTheLogAndEndsWhenItIsMended(t *testing.T) {
	var log bytes.Buffer
	g := newGuard(t, auth.Config{Backends: []auth.Authenticator{tokens("Token")}, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	mux := http.NewServeMux()
	app := g.Protect(mux, auth.Route("DELETE /users/{id}", refuseAll))
	wantStatus(t, do(app, request("DELETE", "/users/7", "Authorization", "Token good-a")), 500)
	if !strings.Contains(log.String(), "DELETE /users/{id}") {
		t.Errorf("the log does not name the pattern: %s", &log)
	}
	mux.Handle("DELETE /users/{id}", whoami)
	wantStatus(t, do(app, request("DELETE", "/users/7", "Authorization", "Token good-a")), 403)
}
