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
	for _, pattern := range []string{"GET /healthz", "POST /login/", "/tree/", "/closedtree/", "GET /users/{id}",
		"DELETE /users/{id}", "GET /both", "example.com/host"} {
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
		"encoded dots that lead out of a tree":     {"GET", "/tree/%2e%2e/users/1", "", 400},
		"encoded dots that stay in the open tree":  {"GET", "/tree/a/%2e%2e/b", "", 400},
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
		fault               string // of Check, "" is no error
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
		"a host":                       {"example.com/users/{id}", "example.com/users/{id}", ""},
		"all hosts for one":            {"example.com/users/{id}", "/", ""},

		"another path":                   {"DELETE /users/{id}", "DELETE /user/{id}", "DELETE /user/{id}"},
		"with a slash at the end":        {"DELETE /users/{id}", "DELETE /users/{id}/", "DELETE /users/{id}/"},
		"the method in small letters":    {"DELETE /users/{id}", "delete /users/{id}", "delete /users/{id}"},
		"without the first slash":        {"DELETE /users/{id}", "DELETE users/{id}", "DELETE users/{id}"},
		"another method":                 {"DELETE /users/{id}", "PUT /users/{id}", "PUT /users/{id}"},
		"no pattern":                     {"DELETE /users/{id}", "", `""`},
		"a broken wildcard":              {"DELETE /users/{id}", "DELETE /users/{id", "DELETE /users/{id"},
		"a host of a route of all hosts": {"/users/{id}", "example.com/users/{id}", "example.com/users/{id}"},
		"a tab and small letters":        {"DELETE /users/{id}", "delete\t/users/{id}", "capital letters"},
		"a path behind a mount":          {"/users/", "DELETE /users/{id}/keys", "/users/"},
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
		"the tree for an exact route": {[]string{"/login/{$}"}, "GET /login/", false,
			map[string]int{"/login/": 200, "/login/x": 401}},
		"an exact route of a tree": {[]string{"/login/"}, "/login/{$}", true,
			map[string]int{"/login/": 500, "/login/x": 500}},
		"a tree with routes below it": {[]string{"/login/{$}", "/login/{id}"}, "/login/", true,
			map[string]int{"/login/": 500, "/login/x": 500}},
		"an exact route with some below": {[]string{"/login/{$}", "/login/{id}"}, "/login/{$}", false,
			map[string]int{"/login/": 200, "/login/x": 401}},
		"a tree, not what is inside it": {[]string{"/", "/users/{id}"}, "/", false,
			map[string]int{"/": 200, "/x": 200, "/users/7": 401}},
		"an open path below a tree": {[]string{"/"}, "/login", true, map[string]int{"/": 500, "/login": 500}},
		"a tree without a route":    {[]string{"/users/{id}"}, "/users/", true, map[string]int{"/users/7": 500}},
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

// serving is a row of TestProtectMatchesAsServeMuxDoes.
type serving struct {
	registered []string
	options    []auth.RouteOption
	method     string
	target     string
	stranger   int // what a stranger gets
	alice      int // what a signed-in user gets
}

func TestProtectMatchesAsServeMuxDoes(t *testing.T) {
	refuse := func(pattern string) auth.RouteOption { return auth.Route(pattern, refuseAll) }
	for name, row := range map[string]serving{
		"an opening is not for another host": {[]string{"/", "admin.example.com/"}, []auth.RouteOption{auth.Open("/")},
			"GET", "http://admin.example.com/secret", 401, 200},
		"nor an exact one for another host's tree": {[]string{"GET /{$}", "admin.example.com/"},
			[]auth.RouteOption{auth.Open("GET /{$}")},
			"GET", "http://admin.example.com/", 401, 200},
		"nor for another host's other methods": {[]string{"GET /x", "admin.example.com/x"},
			[]auth.RouteOption{auth.Open("/x")},
			"DELETE", "http://admin.example.com/x", 401, 200},
		"nor a tree for an exact route beside it": {[]string{"/x/", "/x/{$}"}, []auth.RouteOption{auth.Open("/x/")},
			"GET", "/x/", 401, 200},
		"the tree itself is open": {[]string{"/x/", "/x/{$}"}, []auth.RouteOption{auth.Open("/x/")}, "GET",
			"/x/y", 200, 200},

		"a rule for a tree does not hide the one for its name": {[]string{"GET /files", "/files/{path...}"},
			[]auth.RouteOption{refuse("/"), auth.Route("/files/{path...}")}, "GET", "/files", 401, 403},
		"nor one for a wildcard's tree": {[]string{"DELETE /users/{id}", "/users/{id}/"},
			[]auth.RouteOption{refuse("/users/"), auth.Route("/users/{id}/")}, "DELETE", "/users/7", 401, 403},
		"nor by a method": {[]string{"/docs", "/docs/"}, []auth.RouteOption{refuse("/"), auth.Route("/docs/")}, "POST",
			"/docs", 401, 403},
		"nor an opening": {[]string{"/docs", "/docs/{$}"}, []auth.RouteOption{refuse("/"), auth.Open("/docs/{$}")},
			"POST", "/docs", 401, 403},
		"HEAD of an open tree is not for an exact route beside it": {[]string{"GET /docs/", "GET /docs/{$}"},
			[]auth.RouteOption{auth.Open("GET /docs/")}, "HEAD", "/docs/", 401, 200},
		"nor is a rare method": {[]string{"/docs/", "/docs/{$}"}, []auth.RouteOption{auth.Open("/docs/")}, "FOO",
			"/docs/", 401, 200},
		"nor another method of the exact route": {[]string{"GET /docs/", "POST /docs/{$}"},
			[]auth.RouteOption{auth.Open("/docs/")},
			"POST", "/docs/", 401, 200},
		"an escaped slash at the end of an exact route": {[]string{"/users/{id}/{$}"},
			[]auth.RouteOption{refuse("/users/{id}/{$}")},
			"DELETE", "/users/a%2Fb/%2F", 401, 403},
		"an escaped slash as the first segment": {[]string{"/", "/{id}/"},
			[]auth.RouteOption{refuse("/"), auth.Route("/{id}/")},
			"GET", "/%2F/secret/", 401, 403},
		"a host in capitals": {[]string{"/admin/", "docs.example.com/"},
			[]auth.RouteOption{refuse("/admin/"), auth.Route("docs.example.com/")},
			"GET", "http://DOCS.example.com/admin/x", 401, 403},
		"HEAD has a rule of its own": {[]string{"GET /x", "HEAD /x"},
			[]auth.RouteOption{auth.Open("GET /x"), refuse("HEAD /x")},
			"HEAD", "/x", 401, 403},
		"a narrower path counts more than a method": {[]string{"/", "/admin/"},
			[]auth.RouteOption{auth.Open("/"), auth.Route("GET /"), refuse("/admin/")},
			"GET", "/admin/x", 401, 403},
		"a wildcard covers a fixed path": {[]string{"/{tenant}/admin", "/acme/admin"},
			[]auth.RouteOption{refuse("/{tenant}/admin")},
			"GET", "/acme/admin", 401, 403},

		"the redirect to an open tree is open": {[]string{"/docs/"},
			[]auth.RouteOption{refuse("/"), auth.Open("/docs/")}, "GET", "/docs", 307, 307},

		"an escaped slash leads around no policy": {[]string{"/files/", "/files/private/"},
			[]auth.RouteOption{auth.Open("/files/"), refuse("/files/private/")}, "GET",
			"/files/private%2Fs.txt", 401, 403},
		"nor do escaped dots": {[]string{"/files/", "/files/private/"},
			[]auth.RouteOption{auth.Open("/files/"), refuse("/files/private/")}, "GET",
			"/files/x/%2e%2e/private/s.txt", 400, 400},
		"an escaped slash in an open tree": {[]string{"/files/"}, []auth.RouteOption{auth.Open("/files/")}, "GET",
			"/files/a%2Fb", 200, 200},
		"a pattern with an escape": {[]string{"/a%2Fb"}, []auth.RouteOption{refuse("/a%2Fb")}, "GET",
			"/a%2Fb", 401, 403},
		"a method that few have": {[]string{"PROPFIND /dav/"}, []auth.RouteOption{refuse("/dav/")},
			"PROPFIND", "/dav/x", 401, 403},
		"the rest of a path": {[]string{"/files/{path...}"}, []auth.RouteOption{refuse("/files/{p...}")},
			"GET", "/files/", 401, 403},
	} {
		t.Run(name, func(t *testing.T) {
			mux := http.NewServeMux()
			for _, pattern := range row.registered {
				mux.Handle(pattern, whoami)
			}
			app := guardOf(t, tokens("Token")).Protect(mux, row.options...)
			if err := app.Check(); err != nil {
				t.Fatal(err)
			}
			for authorization, want := range map[string]int{"": row.stranger, "Token good-alice": row.alice} {
				r := request(row.method, row.target)
				if authorization != "" {
					r.Header.Set("Authorization", authorization)
				}
				w := do(app, r)
				if want == 307 && w.Code == 301 { // net/http before Go 1.26
					want = 301
				}
				wantStatus(t, w, want)
			}
		})
	}
}

func TestCONNECTIsOpenOnlyWhereAPatternNamesIt(t *testing.T) {
	mux := http.NewServeMux()
	mux.Handle("/", whoami)
	mux.Handle("/users/{id}/", whoami)
	app := guardOf(t, tokens("Token")).Protect(mux, auth.Open("/"), auth.Route("/users/", auth.FullAccess))
	if err := app.Check(); err != nil {
		t.Fatal(err)
	}
	for path, status := range map[string]int{"/x": 401, "//admin/x": 401, "/./admin/x": 400, "/users/a%20b": 401,
		"/users/%7Bx": 401, "/users/1": 401} {
		t.Run(path, func(t *testing.T) {
			wantStatus(t, do(app, request("CONNECT", "http://example.com"+path)), status)
		})
	}
}

func TestThePathValuesOfAPolicyAreThoseOfTheHandler(t *testing.T) {
	mux := http.NewServeMux()
	handler := ""
	mux.HandleFunc("/users/{id}/{$}", func(_ http.ResponseWriter, r *http.Request) { handler = r.PathValue("id") })
	policy := ""
	app := guardOf(t, tokens("Token")).Protect(mux,
		auth.Route("/users/{name}/{$}", func(r *http.Request, _ auth.User, _ auth.Credential) error {
			policy = r.PathValue("id")
			return nil
		}))
	for path, want := range map[string]string{"/users/root/": "root", "/users/root/%2F": "root",
		"/users/a%2Fb/": "a/b"} {
		policy, handler = "unset", "unset"
		wantStatus(t, do(app, request("DELETE", path, "Authorization", "Token good-a")), 200)
		if policy != want || handler != want {
			t.Errorf("%s: the policy saw %q, the handler %q, want %q", path, policy, handler, want)
		}
	}
}

func TestRoutePoliciesChangedLaterDoNotChangeWhatIsProtected(t *testing.T) {
	policies := []auth.Policy{refuseAll}
	app := guardOf(t, tokens("Token")).Protect(muxOf("/x", whoami), auth.Route("/x", policies...))
	policies[0] = auth.All()
	wantStatus(t, do(app, request("GET", "/x", "Authorization", "Token good-a")), 403)
}

func TestTheMostSpecificPatternOfProtectCountsAlone(t *testing.T) {
	mux := http.NewServeMux()
	for _, pattern := range []string{"/admin/", "GET /admin/help", "GET /admin/health"} {
		mux.Handle(pattern, whoami)
	}
	app := guardOf(t, tokens("Token")).Protect(mux, auth.Route("/admin/", refuseAll), auth.Route("GET /admin/help"),
		auth.Open("GET /admin/health"))
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
	g := newGuard(t, auth.Config{Backends: []auth.Authenticator{tokens("Token")},
		Logger: slog.New(slog.NewTextHandler(&log, nil))})
	mux := http.NewServeMux()
	app := g.Protect(mux, auth.Route("DELETE /users/{id}", refuseAll))
	wantStatus(t, do(app, request("DELETE", "/users/7", "Authorization", "Token good-a")), 500)
	if !strings.Contains(log.String(), "DELETE /users/{id}") {
		t.Errorf("the log does not name the pattern: %s", &log)
	}
	mux.Handle("DELETE /users/{id}", whoami)
	wantStatus(t, do(app, request("DELETE", "/users/7", "Authorization", "Token good-a")), 403)
}
