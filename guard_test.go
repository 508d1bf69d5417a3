package auth_test

import (
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/authtest"
)

func TestTheSameGuardInsideItselfProvesOnceAndAsksThePoliciesOfBoth(t *testing.T) {
	b := tokens("Token")
	g := guardOf(t, b)
	isAlice := auth.UserIs(func(u user) bool { return u == "alice" })
	isAny := auth.UserIs(func(user) bool { return true })
	for _, h := range []http.Handler{
		g.Require(isAny)(g.Require(isAlice)(whoami)),
		g.Require(isAlice)(g.Optional(isAny)(whoami)),
		g.Optional(isAny)(g.Require(isAlice)(whoami)),
	} {
		b.asked = 0
		wantUser(t, get(h, "Authorization", "Token good-alice"), "alice")
		if b.asked != 1 {
			t.Errorf("asked %d times", b.asked)
		}
		wantStatus(t, get(h, "Authorization", "Token good-bob"), 403)
	}
	wantStatus(t, get(g.Optional()(g.Require()(whoami))), 401)
}

func TestAnotherGuardProvesAgain(t *testing.T) {
	outer, inner := speaking("Token", nil), speaking("Bearer", nil)
	h := guardOf(t, outer).Require()(guardOf(t, inner).Require()(whoami))
	wantUser(t, get(h), "bearer-user")
	if outer.asked != 1 || inner.asked != 1 {
		t.Errorf("asked %d and %d times", outer.asked, inner.asked)
	}
}

func TestTheInnermostGuardDecidesWhoItIs(t *testing.T) {
	one, two := guardOf(t, speaking("Token", nil)), guardOf(t, speaking("Bearer", nil))
	nobody := guardOf(t, speaking("Basic", auth.ErrNoCredentials))
	asAdmin := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(w, r.WithContext(auth.WithIdentity(r.Context(), user("admin"), nil)))
		})
	}
	for name, row := range map[string]struct {
		h    http.Handler
		want string
	}{
		"anonymous hides who was proved further out": {one.Require()(nobody.Optional()(whoami)),
			"anonymous"},
		"a guard that comes twice, with another between": {one.Require()(two.Require()(one.Require()(whoami))),
			"token-user"},
		"a guard that comes twice, with anonymous between": {
			one.Require()(nobody.Optional()(one.Require()(whoami))), "token-user"},
		"a guard does not believe WithIdentity": {asAdmin(one.Require()(whoami)), "token-user"},
		"nor does an anonymous one":             {asAdmin(nobody.Optional()(whoami)), "anonymous"},
		"nor does a guard that comes twice with it in between": {one.Require()(asAdmin(one.Require()(whoami))),
			"token-user"},
		"a bare handler does, as documented":                     {asAdmin(whoami), "admin"},
		"and so does a handler with it right before, as it asks": {one.Require()(asAdmin(whoami)), "admin"},
	} {
		t.Run(name, func(t *testing.T) { wantUser(t, get(row.h), row.want) })
	}
	wantStatus(t, get(asAdmin(nobody.Require()(whoami))), 401)
}

func TestUserFromAndCredentialFromAskForTheirType(t *testing.T) {
	ctx := auth.WithIdentity(t.Context(), user("a"), nil)
	if u, ok := auth.UserFrom[user](ctx); !ok || u != "a" {
		t.Error(u, ok)
	}
	if u, ok := auth.UserFrom[*ptrUser](ctx); ok {
		t.Error("another type", u)
	}
	if c, ok := auth.CredentialFrom[auth.Credential](ctx); ok {
		t.Error("no credential", c)
	}
	ctx = auth.WithIdentity(ctx, user("b"), cred{backend: "x"})
	if c, ok := auth.CredentialFrom[cred](ctx); !ok || c.Backend() != "x" {
		t.Error(c, ok)
	}
	if _, ok := auth.UserFrom[auth.User](t.Context()); ok {
		t.Error("nobody is somebody")
	}
}

func TestAGuardIsABackend(t *testing.T) {
	proxied := proxyOnly("X-Username")
	inner := guardOf(t, tokens("Bearer"), proxied)
	outer := guardOf(t, inner, speaking("Basic", auth.ErrNoCredentials))
	h := outer.Require()(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(r.Header["X-Username"]) > 0 {
			t.Error("what the inner guard strips reached the handler")
		}
		whoami.ServeHTTP(w, r)
	}))
	wantUser(t, get(h, "Authorization", "Bearer good-a", "X-Username", "root"), "a")
	w := get(h, "Authorization", "Bearer bad")
	wantStatus(t, w, 401)
	authtest.AssertChallenge(t, w.Header(), "Basic", map[string]string{"realm": "api"})
	authtest.AssertChallenge(t, w.Header(), "Bearer", map[string]string{"realm": "api", "error": "invalid_token",
		"error_description": "Invalid token."})
	wantStatus(t, get(h), 401)
}

func TestWithAsksOtherBackendsByTheSameRules(t *testing.T) {
	var events recorder
	g := newGuard(t, auth.Config{Backends: []auth.Authenticator{speaking("Token", nil)}, Observer: &events})
	other, err := g.With(speaking("Bearer", nil))
	if err != nil {
		t.Fatal(err)
	}
	wantUser(t, get(other.Require()(whoami)), "bearer-user")
	wantUser(t, get(g.Require()(whoami)), "token-user")
	if n := len(events.take()); n != 2 {
		t.Errorf("%d events", n)
	}
	if _, err := g.With(); err == nil {
		t.Error("no backend at all")
	}
}

func TestHeadersThatBackendsTrustNeverReachAHandler(t *testing.T) {
	anonymous := guardOf(t, speaking("Token", auth.ErrNoCredentials), proxyOnly("X-Username"))
	proved := guardOf(t, speaking("Token", nil), proxyOnly("X-Username"))
	mux := http.NewServeMux()
	seen := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		for key := range r.Header {
			if k := strings.ToLower(strings.ReplaceAll(key, "_", "-")); k == "x-username" {
				t.Errorf("%s reached the handler", key)
			}
		}
		if r.Header.Get("X-Other") != "stays" {
			t.Error("another header is gone")
		}
	})
	mux.Handle("GET /open", seen)
	mux.Handle("GET /closed", seen)
	preflight := newGuard(
		t, auth.Config{Backends: []auth.Authenticator{speaking("Token", nil), proxyOnly("X-Username")},
			Preflight: seen})
	for name, row := range map[string]struct {
		h http.Handler
		r *http.Request
	}{
		"proved by another backend": {proved.Require()(seen), request("GET", "/")},
		"optional and proved":       {proved.Optional()(seen), request("GET", "/")},
		"optional and anonymous":    {anonymous.Optional()(seen), request("GET", "/")},
		"an open route":             {anonymous.Protect(mux, auth.Open("GET /open")), request("GET", "/open")},
		"a protected route":         {proved.Protect(mux), request("GET", "/closed")},
		"planted by authtest": {anonymous.Require()(seen),
			authtest.WithIdentity(request("GET", "/"), user("u"), nil)},
		"a preflight": {preflight.Require()(seen), request("OPTIONS", "/", "Origin", "https://x",
			"Access-Control-Request-Method", "PUT")},
	} {
		t.Run(name, func(t *testing.T) {
			for _, key := range []string{"X-Username", "X_username", "X_Username", "x-username", "X-USERNAME"} {
				r := row.r.Clone(row.r.Context())
				r.Header[key] = []string{"root"}
				r.Header["X-Other"] = []string{"stays"}
				before := r.Header.Clone()
				wantStatus(t, do(row.h, r), 200)
				if !reflect.DeepEqual(before, r.Header) {
					t.Errorf("the server's request was changed: %v", r.Header)
				}
			}
		})
	}
}

func TestAPreflightNeverRunsAProtectedHandlerAndIsNeverAuthenticated(t *testing.T) {
	b := speaking("Token", nil)
	g := guardOf(t, b)
	handler := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the handler ran") })
	cors := newGuard(t, auth.Config{Backends: []auth.Authenticator{b},
		Preflight: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Access-Control-Allow-Origin", "https://app.example")
			whoami.ServeHTTP(w, r)
		})})
	mux := http.NewServeMux()
	mux.Handle("/", handler)
	preflight := func() *http.Request {
		return request("OPTIONS", "/", "Origin", "https://app.example", "Access-Control-Request-Method", "PUT",
			"Authorization", "Token good-a")
	}
	for _, h := range []http.Handler{g.Require()(handler), g.Optional()(handler), g.Protect(mux)} {
		wantStatus(t, do(h, preflight()), 204)
	}
	w := do(cors.Require()(handler), preflight())
	wantUser(t, w, "anonymous")
	if w.Header().Get("Access-Control-Allow-Origin") == "" {
		t.Error("Config.Preflight did not answer")
	}
	wantStatus(t, do(g.Require()(cors.Require()(handler)), preflight()), 204)
	if b.asked != 0 {
		t.Errorf("a backend was asked %d times", b.asked)
	}
}

func TestOptionsThatAreNoPreflightAreAuthenticated(t *testing.T) {
	g := guardOf(t, speaking("Token", auth.ErrNoCredentials))
	for _, header := range [][]string{nil, {"Origin", "https://x"}, {"Access-Control-Request-Method", "PUT"}} {
		wantStatus(t, do(g.Require()(whoami), request("OPTIONS", "/", header...)), 401)
	}
}

func TestRenderWritesTheAnswerItsOwnWay(t *testing.T) {
	g := newGuard(t, auth.Config{Backends: []auth.Authenticator{tokens("Bearer")},
		Render: func(w http.ResponseWriter, _ *http.Request, p *auth.Problem) {
			w.Header().Set("Content-Type", "text/plain")
			w.WriteHeader(p.Status)
			_, _ = io.WriteString(w, p.Code)
		}})
	w := get(g.Require()(whoami))
	if w.Code != 401 || w.Body.String() != "not_authenticated" || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("%d %s %v", w.Code, w.Body, w.Header())
	}
	authtest.AssertChallenge(t, w.Header(), "Bearer", map[string]string{"realm": "api"})
}

func TestRefuseAnswersAsTheGuardWould(t *testing.T) {
	var events recorder
	g := newGuard(t, auth.Config{Backends: []auth.Authenticator{tokens("Bearer")}, Observer: &events})
	w := do(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.RefuseWith(w, r, auth.ErrThrottled, map[string]any{"attempts": 3, "status": "mine", "code": "mine"})
	}), request("GET", "/"))
	problem := authtest.AssertProblem(t, w.Result(), 429, "throttled")
	if problem["attempts"] != 3.0 {
		t.Errorf("body %v", problem)
	}
	w = do(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { g.Refuse(w, r, auth.ErrInvalid) }),
		request("GET", "/"))
	wantStatus(t, w, 401)
	if n := len(events.take()); n != 2 {
		t.Errorf("%d events, want one for each", n)
	}
	w = do(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.RefuseWith(w, r, auth.ErrInvalid, map[string]any{"no JSON": func() {}})
	}), request("GET", "/"))
	authtest.AssertProblem(t, w.Result(), 401, "authentication_failed")
}
