package auth_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/gatewarden/auth"
)

// protect puts routes that answer with the user behind rules.
func protect(t *testing.T, h http.Handler, routes []string, options ...auth.RouteOption) http.Handler {
	t.Helper()
	mux := http.NewServeMux()
	for _, route := range routes {
		mux.Handle(route, h)
	}
	app := guardOf(t, tokens("Token")).Protect(mux, options...)
	if err := app.Check(); err != nil {
		t.Fatal(err)
	}
	return app
}

// A handler behind http.StripPrefix takes dots out of what is left of the path.
func TestEscapedDotsLeadNowhere(t *testing.T) {
	files := http.StripPrefix("/files",
		http.FileServerFS(fstest.MapFS{"pub.txt": {Data: []byte("pub")}, "private/s.txt": {Data: []byte("SECRET")}}))
	app := protect(t, files, []string{"/files/", "/files/private/", "/"},
		auth.Open("/"), auth.Open("/files/"), auth.Route("/files/private/", refuseAll))
	for target, status := range map[string]int{
		"/files/pub.txt": 200, "/files/private/s.txt": 403, "/files/private%2Fs.txt": 403, "/files/pub%2etxt": 200,
		"/files/%2e%2e/private/s.txt": 400, "/files/..%2Fprivate/s.txt": 400, "/files/%2e/private/s.txt": 400,
		"/files/x%2F..%2fprivate%2Fs.txt": 400,
	} {
		for _, authorization := range []string{"", "Token good-alice"} {
			want := status
			if status == 403 && authorization == "" {
				want = 401
			}
			w := do(app, request("GET", target, "Authorization", authorization))
			if w.Code != want || strings.Contains(w.Body.String(), "SECRET") {
				t.Errorf("%s as %q: %d %s, want %d", target, authorization, w.Code, w.Body, want)
			}
		}
	}
}

// A policy must refuse a path whichever way a handler may read it.
func TestAPolicySeesEveryReadingOfAPath(t *testing.T) {
	files := http.FileServerFS(fstest.MapFS{"files/alice/a.txt": {Data: []byte("a")},
		"files/bob/secret.txt": {Data: []byte("b")}})
	owner := func(r *http.Request, u auth.User, _ auth.Credential) error {
		if r.PathValue("owner") != u.UserID() {
			return auth.ErrInsufficient
		}
		return nil
	}
	for _, route := range []string{"/files/{owner}/{path...}", "/files/{owner}/"} {
		app := protect(t, files, []string{route, "/files/{$}"}, auth.Route(route, owner))
		for target, status := range map[string]int{
			"/files/alice/a.txt": 200, "/files/alice/a%2Etxt": 200, "/files/bob/secret.txt": 403,
			"/files/alice/%2e%2e/bob/secret.txt": 400,
			"/files/alice%2F..%2Fbob/secret.txt": 400, "/files/%2Fbob/secret.txt": 403, "/files/bob%2Fsecret.txt/": 403,
		} {
			wantStatusOf(t, target, do(app, request("GET", target, "Authorization", "Token good-alice")).Code, status)
		}
	}
	// A handler may unescape once more what is below a wildcard.
	app := protect(t, whoami, []string{"/docs/{owner}/{path...}"}, auth.Route("/docs/{owner}/{path...}", owner))
	wantStatusOf(t, "escaped", do(app, request("GET", "/docs/alice%2Fx/y", "Authorization", "Token good-alice")).Code,
		403)
	wantStatusOf(t, "the other one",
		do(app, request("GET", "/docs/alice/%2Fy", "Authorization", "Token good-alice")).Code, 200)
}

func wantStatusOf(t *testing.T, sentence string, got, want int) {
	t.Helper()
	if got != want {
		t.Errorf("%s: status %d, want %d", sentence, got, want)
	}
}

// A route without a method, or a broader one, must not serve what a rule forbids.
func TestARuleHoldsWhereAnotherRouteServesTheRequest(t *testing.T) {
	for _, row := range []struct {
		routes         []string
		rule           string
		method, target string
	}{
		{[]string{"/", "/admin/{$}"}, "/admin/", "POST", "/admin/users"},
		{[]string{"/", "GET /admin/"}, "/admin/", "POST", "/admin/x"},
		{[]string{"/", "GET /users/{id}"}, "/users/{id}", "DELETE", "/users/7"},
		{[]string{"GET /users/{id}", "DELETE /{kind}/{id}"}, "/users/{id}", "DELETE", "/users/7"},
		{[]string{"/admin/", "example.com/"}, "/admin/", "GET", "/admin/x"},
		{[]string{"/admin/", "example.com/"}, "/admin/", "GET", "/a%64min/x"},
		{[]string{"/admin/", "example.com/"}, "/admin/", "GET", "/admin%2Fx"},
	} {
		for _, options := range [][]auth.RouteOption{
			{auth.Route(row.rule, refuseAll)},
			{auth.Open(row.routes[0]), auth.Open(row.routes[1]), auth.Route(row.rule, refuseAll)},
		} {
			app := protect(t, whoami, row.routes, options...)
			for authorization, want := range map[string]int{"": 401, "Token good-alice": 403} {
				w := do(app, request(row.method, "http://example.com:8080"+row.target, "Authorization", authorization))
				if w.Code != want {
					t.Errorf("%v, Route(%q) and %d openings: %s %s as %q: %d, want %d",
						row.routes, row.rule, len(options)-1, row.method, row.target, authorization, w.Code, want)
				}
			}
		}
	}
	// Its policies see the path values of their own pattern.
	app := protect(t, whoami, []string{"/", "GET /users/{id}"},
		auth.Route("/users/{name}", func(r *http.Request, _ auth.User, _ auth.Credential) error {
			if r.PathValue("name")+r.PathValue("id") == "root" {
				return auth.ErrInsufficient
			}
			return nil
		}))
	for target, want := range map[string]int{"/users/root": 403, "/users/alice": 200} {
		for _, method := range []string{"GET", "DELETE"} {
			wantStatusOf(t, method+" "+target,
				do(app, request(method, target, "Authorization", "Token good-alice")).Code, want)
		}
	}
}

func TestBothOfTwoPatternsThatCrossAreAsked(t *testing.T) {
	routes := []string{"/acme/{page}", "/{tenant}/admin/{x}", "/acme/admin/keys"}
	for _, options := range [][]auth.RouteOption{
		{auth.Route("/{tenant}/admin/", refuseAll), auth.Route("/acme/")},
		{auth.Route("/acme/"), auth.Route("/{tenant}/admin/", refuseAll)},
		{auth.Route("/acme/", refuseAll), auth.Route("/{tenant}/admin/")},
	} {
		app := protect(t, whoami, routes, options...)
		wantStatusOf(t, "crossing",
			do(app, request("GET", "/acme/admin/keys", "Authorization", "Token good-alice")).Code, 403)
	}
	app := protect(t, whoami, routes, auth.Route("/{tenant}/admin/", refuseAll), auth.Route("/acme/", refuseAll),
		auth.Open("/acme/admin/keys"))
	wantStatusOf(t, "one that is narrower than both", do(app, request("GET", "/acme/admin/keys")).Code, 200)
}

func TestARuleWithAMisspelledMethodIsRefused(t *testing.T) {
	for pattern, refused := range map[string]bool{
		"DELET /users/{id}": true, "GTE /users/{id}": true, "DELETE /users/{id}": false, "BREW /pot": false,
		"BREW /users/{id}": true,
	} {
		mux := http.NewServeMux()
		mux.Handle("/users/{id}", whoami)
		mux.Handle("BREW /pot", whoami)
		err := guardOf(t, tokens("Token")).Protect(mux, auth.Route(pattern, refuseAll)).Check()
		if refused != (err != nil) || refused && !strings.Contains(err.Error(), pattern) {
			t.Errorf("%s: Check returned %v", pattern, err)
		}
	}
}

// own admits the user that a path value names.
func own(name string) auth.Policy {
	return func(r *http.Request, u auth.User, _ auth.Credential) error {
		if r.PathValue(name) != u.UserID() {
			return auth.ErrInsufficient
		}
		return nil
	}
}

func TestAReadingWithoutARouteIsJudgedToo(t *testing.T) {
	for _, row := range []struct {
		routes               []string
		rule, method, target string
	}{
		{[]string{"/{name}", "/admin/{id}"}, "/admin/", "GET", "/admin%2Fa%2Fb"},
		{[]string{"POST /{name}", "GET /admin/{id}"}, "/admin/{id}", "POST", "/admin%2Fa"},
	} {
		app := protect(t, whoami, row.routes, auth.Route(row.rule, refuseAll))
		wantStatusOf(t, row.target, do(app, request(row.method, row.target, "Authorization", "Token good-alice")).Code,
			403)
	}
}

func TestEveryReadingHasTheQuery(t *testing.T) {
	byQuery := func(r *http.Request, u auth.User, _ auth.Credential) error {
		if r.URL.Query().Get("owner") != u.UserID() {
			return auth.ErrInsufficient
		}
		return nil
	}
	app := protect(t, whoami, []string{"/", "/docs/{name}"}, auth.Route("/docs/{name}", byQuery))
	for target, want := range map[string]int{
		"/docs/cafe?owner=alice": 200, "/docs/caf%C3%A9?owner=alice": 200, "/docs/a%20b?owner=alice": 200,
		"/docs/a%2Db?owner=alice": 200,
		"/docs/a%2Db":             403, "/docs%2Fx?owner=alice": 200, "/docs%2Fx?owner=bob": 403,
	} {
		wantStatusOf(t, target, do(app, request("GET", target, "Authorization", "Token good-alice")).Code, want)
	}
}

func TestARedirectedReadingHasItsOwnPathValues(t *testing.T) {
	app := protect(t, whoami, []string{"/users/{id}/"}, auth.Route("/users/{id}/", own("id")))
	for _, target := range []string{"/users/alice", "/users//alice/"} {
		w := do(app, request("GET", target, "Authorization", "Token good-alice"))
		if w.Code != 307 && w.Code != 301 {
			t.Errorf("%s: %d, want a redirect", target, w.Code)
		}
		wantStatusOf(t, target, do(app, request("GET", target, "Authorization", "Token good-bob")).Code, 403)
	}
	app = protect(t, whoami, []string{"/{owner}/{x}", "/{g}/files/{owner}/"},
		auth.Route("/{owner}/{x}", own("owner")), auth.Route("/{g}/files/{owner}/", own("owner")))
	for target, want := range map[string]int{"/alice/files%2Fbob": 403, "/alice/files%2Fbob%2F": 403,
		"/alice/files%2Falice": 200} {
		wantStatusOf(t, target, do(app, request("GET", target, "Authorization", "Token good-alice")).Code, want)
	}
}

func TestAPolicyThatReadsTheFormLeavesItToTheHandler(t *testing.T) {
	byForm := func(r *http.Request, _ auth.User, _ auth.Credential) error {
		if r.FormValue("csrf") != "1" {
			return auth.ErrInsufficient
		}
		return nil
	}
	echo := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte("v=" + r.FormValue("v")))
	})
	for _, row := range []struct {
		routes []string
		target string
	}{
		{[]string{"/", "GET /users/{id}"}, "/users/7"},
		{[]string{"/", "/users/{id}"}, "/users%2F7"},
		{[]string{"/users/{id}"}, "/users/7"},
	} {
		app := protect(t, echo, row.routes, auth.Route("/users/{id}", byForm))
		r := httptest.NewRequest("POST", row.target, strings.NewReader("csrf=1&v=2"))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Authorization", "Token good-alice")
		if w := do(app, r); w.Code != 200 || w.Body.String() != "v=2" {
			t.Errorf("%v: %d %q", row.routes, w.Code, w.Body)
		}
	}
}

func TestTheHostOfARuleIsComparedAsServeMuxDoes(t *testing.T) {
	app := protect(t, whoami, []string{"/", "GET example.com/users/{id}"}, auth.Open("/"),
		auth.Route("example.com/users/{id}", refuseAll))
	for _, host := range []string{"example.com", "example.com:80", "example.com:", "example.com:abc"} {
		r := request("DELETE", "/users/7")
		r.Host = host
		wantStatusOf(t, host, do(app, r).Code, 401)
	}
}

func TestAnOpeningOfOPTIONSIsForAllRoutes(t *testing.T) {
	cors := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Access-Control-Allow-Origin", "*")
	})
	mux := http.NewServeMux()
	mux.Handle("OPTIONS /", cors)
	mux.Handle("GET /api/x", whoami)
	app := guardOf(t, tokens("Token")).Protect(mux, auth.Open("OPTIONS /"), auth.Route("/api/x", refuseAll))
	if err := app.Check(); err != nil {
		t.Fatal(err)
	}
	for _, headers := range [][]string{{}, {"Origin", "https://a.example", "Access-Control-Request-Method", "GET"}} {
		w := do(app, request("OPTIONS", "/api/x", headers...))
		if w.Code != 200 || w.Header().Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%v: %d %v", headers, w.Code, w.Header())
		}
	}
	wantStatusOf(t, "GET", do(app, request("GET", "/api/x", "Authorization", "Token good-alice")).Code, 403)
}

func TestAnOpeningOfHEADOpensARouteOfGET(t *testing.T) {
	app := protect(t, whoami, []string{"GET /x"}, auth.Open("HEAD /x"))
	wantStatusOf(t, "HEAD", do(app, request("HEAD", "/x")).Code, 200)
	wantStatusOf(t, "GET", do(app, request("GET", "/x")).Code, 401)
}

func TestAPolicyIsAskedOnceForOneReading(t *testing.T) {
	asked := 0
	app := protect(t, whoami, []string{"/d/{x}"},
		auth.Route("/d/{x}", func(*http.Request, auth.User, auth.Credential) error {
			asked++
			return nil
		}))
	for _, target := range []string{"/d/caf%C3%A9", "/d/a%20b", "/d/plain"} {
		asked = 0
		do(app, request("GET", target, "Authorization", "Token good-alice"))
		wantStatusOf(t, target, asked, 1)
	}
}

func TestAnOpeningOfOPTIONSDoesNotOpenAHandlerOfAllMethods(t *testing.T) {
	app := protect(t, whoami, []string{"/", "GET /admin/{x}"}, auth.Open("OPTIONS /"),
		auth.Route("/admin/{x}", refuseAll))
	wantStatusOf(t, "a stranger", do(app, request("OPTIONS", "/admin/x")).Code, 401)
}
