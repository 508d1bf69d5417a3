package auth_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/gatewarden/auth"
)

// limited is a credential with scopes.
type limited struct {
	cred
	scopes []string
}

func (c limited) Scopes() ([]string, bool) { return c.scopes, true }

// asked is what a test of forward authentication needs: a backend of tokens that no
// browser adds, and a cookie that it does.
func askedGuard(t testing.TB, change func(*auth.Config)) *auth.Guard {
	t.Helper()
	bearer := &backend{name: "bearer", challenges: []auth.Challenge{{Scheme: "Bearer"}},
		answer: func(r *http.Request) (auth.User, auth.Credential, error) {
			_, token, err := auth.TokenFrom(r, "Bearer")
			switch {
			case err != nil:
				return nil, nil, err
			case token == "throttled":
				return nil, nil, &auth.Error{Kind: auth.ErrThrottled, RetryAfter: 90e9, Cause: errTest}
			case token == "down":
				return nil, nil, errTest
			case token == "limited":
				return user("alice"), limited{cred{backend: "bearer"}, []string{"read", "write"}}, nil
			case token == "nothing":
				return user("alice"), limited{cred{backend: "bearer"}, nil}, nil
			case token == "odd":
				return user("alice"), limited{cred{backend: "bearer"}, []string{"a b"}}, nil
			case token == "type":
				return nil, nil, &auth.Error{Kind: auth.ErrNoCredentials, Status: 415, Cause: errTest}
			case strings.HasPrefix(token, "good-"):
				return user(strings.ReplaceAll(token[len("good-"):], "+", "\n")), nil, nil
			}
			return nil, nil, &auth.Error{Kind: auth.ErrInvalid, Cause: errTest}
		}}
	cookie := &backend{name: "cookie", ambient: true, challenges: []auth.Challenge{{Scheme: "Session"}},
		answer: func(r *http.Request) (auth.User, auth.Credential, error) {
			c, err := r.Cookie("session")
			if err != nil {
				return nil, nil, auth.ErrNoCredentials
			}
			return user(c.Value), cred{backend: "cookie"}, nil
		}}
	config := auth.Config{Backends: []auth.Authenticator{bearer, cookie}, Proxies: behindProxy}
	if change != nil {
		change(&config)
	}
	return newGuard(t, config)
}

var errTest = fmt.Errorf("a cause of the test")

func isRoot(u user) bool { return u == "root" }

func askedHandler(t testing.TB, g *auth.Guard, config auth.ForwardAuthConfig,
	options ...auth.RouteOption) http.Handler {
	t.Helper()
	h, err := g.ForwardAuth(config, options...)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// askFor is the request with which a proxy asks, as its documentation and source say.
func askFor(proxy auth.AskingProxy, method, uri string, header ...string) *http.Request {
	r := request("GET", "/auth", header...)
	switch proxy {
	case auth.AskingNginx:
		r.Header["X-Original-Method"], r.Header["X-Original-Uri"] = []string{method}, []string{uri}
	case auth.AskingEnvoy:
		r = request(method, uri, header...)
	default:
		r.Header["X-Forwarded-Method"], r.Header["X-Forwarded-Uri"] = []string{method}, []string{uri}
	}
	r.RemoteAddr = "10.0.0.1:4711"
	r.Header["X-Forwarded-For"], r.Header["X-Forwarded-Proto"], r.Header["X-Forwarded-Host"] =
		[]string{"203.0.113.1"}, []string{"https"}, []string{"app.example"}
	return r
}

var askingProxies = map[string]auth.AskingProxy{
	"nginx": auth.AskingNginx, "Caddy": auth.AskingCaddy, "Traefik": auth.AskingTraefik, "Envoy": auth.AskingEnvoy,
}

func TestUnitForwardAuth(t *testing.T) {
	rules := []auth.RouteOption{auth.Open("GET /static/"), auth.Route("DELETE /users/{id}", auth.UserIs(isRoot)),
		auth.Route("/admin/", auth.UserIs(isRoot)), auth.Route("/reports/", auth.Scopes("read")),
		auth.Route("/mine/{name}", func(r *http.Request, u auth.User, _ auth.Credential) error {
			if r.PathValue("name") != u.UserID() || r.Host != "app.example" && r.Host != "example.com" {
				return &auth.Error{Kind: auth.ErrInsufficient, Cause: errTest}
			}
			return nil
		})}
	for name, row := range map[string]struct {
		method, uri string
		header      []string
		nginx, want int // statuses
		user, may   string
	}{
		"a token": {"GET", "/", []string{"Authorization", "Bearer good-alice"}, 200, 200,
			"alice", "full"},
		"a limited token": {"GET", "/", []string{"Authorization", "Bearer limited"}, 200, 200,
			"alice", "limited read write"},
		"a token limited to nothing": {"GET", "/", []string{"Authorization", "Bearer nothing"}, 200, 200,
			"alice", "limited"},
		"no credentials":         {"GET", "/", nil, 401, 401, "", ""},
		"a bad token":            {"GET", "/", []string{"Authorization", "Bearer x"}, 401, 401, "", ""},
		"a malformed token":      {"GET", "/", []string{"Authorization", "Bearer a b"}, 401, 400, "", ""},
		"a body of another type": {"GET", "/", []string{"Authorization", "Bearer type"}, 401, 415, "", ""},
		"too many tries": {"GET", "/", []string{"Authorization", "Bearer throttled"}, 403, 429, "",
			""},
		"an outage": {"GET", "/", []string{"Authorization", "Bearer down"}, 503, 503, "", ""},
		"a UserID that no header holds": {"GET", "/", []string{"Authorization", "Bearer good-a+b"}, 500, 500, "",
			""},
		"a scope that no list holds": {"GET", "/", []string{"Authorization", "Bearer odd"}, 500, 500, "", ""},
		"a cookie, and a safe method": {"GET", "/", []string{"Cookie", "session=bob", "Origin",
			"https://evil.example"}, 200, 200, "bob", "limited"},
		"a cookie from another origin": {"POST", "/", []string{"Cookie", "session=bob", "Origin",
			"https://evil.example"}, 403, 403, "", ""},
		"a cookie from the same origin": {"POST", "/", []string{"Cookie", "session=bob", "Origin",
			"https://app.example"}, 200, 200, "bob", "limited"},
		"a WebSocket of another origin": {"GET", "/", []string{"Cookie", "session=bob", "Origin",
			"https://evil.example", "Sec-WebSocket-Key", "eA=="}, 403, 403, "", ""},
		"an open route":                {"GET", "/static/x.css?a=b", nil, 200, 200, "", ""},
		"another method of it":         {"POST", "/static/x.css", nil, 401, 401, "", ""},
		"a way out of it":              {"GET", "/static/../admin/", nil, 403, 403, "", ""},
		"a way out of it with escapes": {"GET", "/static/%2e%2e/admin/", nil, 403, 403, "", ""},
		"a route for some": {"DELETE", "/users/7", []string{"Authorization", "Bearer good-alice"},
			403, 403, "", ""},
		"a route for some, for one": {"DELETE", "/users/7", []string{"Authorization", "Bearer good-root"}, 200,
			200, "root", "full"},
		"its other methods": {"GET", "/users/7", []string{"Authorization", "Bearer good-alice"}, 200,
			200, "alice", "full"},
		"a tree for some": {"GET", "/admin/a/b", []string{"Authorization", "Bearer good-alice"}, 403,
			403, "", ""},
		"a tree for some, in two slashes": {"GET", "//admin//a", []string{"Authorization", "Bearer good-alice"}, 403,
			403, "", ""},
		"the tree itself": {"GET", "/admin", []string{"Authorization", "Bearer good-alice"}, 403,
			403, "", ""},
		"the tree itself, for one": {"GET", "/admin", []string{"Authorization", "Bearer good-root"}, 200, 200,
			"root", "full"},
		"a scope that is needed": {"GET", "/reports/1", []string{"Authorization", "Bearer limited"}, 200,
			200, "alice", "limited read write"},
		"a scope that is not there": {"GET", "/reports/1", []string{"Authorization", "Bearer nothing"}, 403,
			403, "", ""},
		"a value of the path": {"GET", "/mine/alice", []string{"Authorization", "Bearer good-alice"},
			200, 200, "alice", "full"},
		"another value of the path": {"GET", "/mine/bob", []string{"Authorization", "Bearer good-alice"}, 403,
			403, "", ""},
		"a preflight": {"OPTIONS", "/", []string{"Origin", "https://app.example",
			"Access-Control-Request-Method", "GET"}, 401, 401, "", ""},
		"what a client says it is": {"GET", "/static/", []string{"X-Auth-User", "root", "X-Auth-Backend", "x",
			"X-Auth-Access", "full"}, 200, 200, "", ""},
		"a form's type without its body": {"POST", "/", []string{"Authorization", "Bearer good-alice",
			"Content-Type", "application/json"}, 200, 200, "alice", "full"},
	} {
		for proxy, kind := range askingProxies {
			t.Run(name+" by "+proxy, func(t *testing.T) {
				h := askedHandler(t, askedGuard(t, nil), auth.ForwardAuthConfig{Proxy: kind}, rules...)
				w, want := do(h, askFor(kind, row.method, row.uri, row.header...)), row.want
				if kind == auth.AskingNginx {
					want = row.nginx
				}
				wantStatus(t, w, want)
				if w.Code == 200 && (w.Header().Get("X-Auth-User") != row.user ||
					w.Header().Get("X-Auth-Access") != row.may ||
					w.Header()["X-Auth-User"] == nil || w.Header()["X-Auth-Access"] == nil ||
					w.Header()["X-Auth-Backend"] == nil) {
					t.Errorf("headers %v", w.Header())
				}
				if w.Code != 200 && (w.Header().Get("X-Auth-User") != "" || w.Body.Len() == 0) {
					t.Errorf("a refusal with %v", w.Header())
				}
				if w.Code == 401 && len(w.Header()["Www-Authenticate"]) != 2 {
					t.Errorf("challenges %q", w.Header()["Www-Authenticate"])
				}
				if code := w.Header().Get("X-Auth-Code"); (code != "") != (kind == auth.AskingNginx &&
					w.Code != 200) {
					t.Errorf("X-Auth-Code %q", code)
				}
				if w.Header().Get("Cache-Control") != "no-store" {
					t.Errorf("Cache-Control %q", w.Header().Get("Cache-Control"))
				}
			})
		}
	}
}

func TestUnitForwardAuthAskedWrongly(t *testing.T) {
	var log bytes.Buffer
	g := askedGuard(t, func(c *auth.Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	for name, row := range map[string]struct {
		change func(*http.Request)
		status int
		log    string
	}{
		"by a stranger": {func(r *http.Request) { r.RemoteAddr = "203.0.113.9:1" }, 404,
			"203.0.113.9 asks for forward authentication"},
		"without a method": {func(r *http.Request) { r.Header.Del("X-Forwarded-Method") }, 500,
			"X-Forwarded-Method"},
		"without a URI":    {func(r *http.Request) { r.Header.Del("X-Forwarded-Uri") }, 500, "X-Forwarded-Uri"},
		"with two methods": {func(r *http.Request) { r.Header.Add("X-Forwarded-Method", "GET") }, 500, "several"},
		"with two URIs":    {func(r *http.Request) { r.Header.Add("X-Forwarded-Uri", "/") }, 500, "several"},
		"with a list": {func(r *http.Request) { r.Header.Set("X-Forwarded-Method", "GET, POST") }, 403,
			"no token"},
		"with no method": {func(r *http.Request) { r.Header.Set("X-Forwarded-Method", "") }, 403, "no token"},
		"with no path": {func(r *http.Request) { r.Header.Set("X-Forwarded-Uri", "http://app.example/") },
			403, "no path"},
		"with a broken path": {func(r *http.Request) { r.Header.Set("X-Forwarded-Uri", "/%") }, 403, "no path"},
		"with a control":     {func(r *http.Request) { r.Header.Set("X-Forwarded-Uri", "/\x00") }, 403, "no path"},
		"with a path too long": {func(r *http.Request) {
			r.Header.Set("X-Forwarded-Uri", "/"+strings.Repeat("a",
				32<<10))
		}, 403, "no path"},
		"for a host of a URL": {func(r *http.Request) {
			r.Header.Set("X-Forwarded-Uri",
				"//evil.example/static/x")
		}, 403, ""},
		"as nginx does": {func(r *http.Request) {
			r.Header.Del("X-Forwarded-Method")
			r.Header.Set("X-Original-Method", "GET")
		}, 500, "X-Forwarded-Method"},
	} {
		t.Run(name, func(t *testing.T) {
			log.Reset()
			r := askFor(auth.AskingTraefik, "GET", "/", "Authorization", "Bearer good-alice")
			row.change(r)
			wantStatus(t, do(askedHandler(t, g, auth.ForwardAuthConfig{Proxy: auth.AskingTraefik},
				auth.Open("/static/")), r), row.status)
			if !strings.Contains(log.String(), row.log) {
				t.Errorf("log %q, want %q", log.String(), row.log)
			}
		})
	}
}

func TestUnitForwardAuthSettings(t *testing.T) {
	for name, row := range map[string]struct {
		config  auth.ForwardAuthConfig
		options []auth.RouteOption
	}{
		"no proxy":            {auth.ForwardAuthConfig{}, nil},
		"no such proxy":       {auth.ForwardAuthConfig{Proxy: 5}, nil},
		"Envoy has no header": {auth.ForwardAuthConfig{Proxy: auth.AskingEnvoy, URIHeader: "X-Uri"}, nil},
		"a name that is none": {auth.ForwardAuthConfig{Proxy: auth.AskingNginx, UserHeader: "X User"}, nil},
		"a header of credentials": {auth.ForwardAuthConfig{Proxy: auth.AskingNginx, UserHeader: "Authorization"},
			nil},
		"a header twice": {auth.ForwardAuthConfig{Proxy: auth.AskingNginx, UserHeader: "X-A",
			AccessHeader: "x_a"}, nil},
		"a header of a backend": {auth.ForwardAuthConfig{Proxy: auth.AskingNginx, UserHeader: "X-Username"}, nil},
		"a pattern that is none": {auth.ForwardAuthConfig{Proxy: auth.AskingNginx},
			[]auth.RouteOption{auth.Route("users")}},
		"patterns in conflict": {auth.ForwardAuthConfig{Proxy: auth.AskingNginx},
			[]auth.RouteOption{auth.Route("/{a}/x"), auth.Route("/x/{b}")}},
		"a nil option": {auth.ForwardAuthConfig{Proxy: auth.AskingNginx}, []auth.RouteOption{nil}},
	} {
		t.Run(name, func(t *testing.T) {
			g := askedGuard(t, func(c *auth.Config) {
				remote := speaking("Remote", auth.ErrNoCredentials)
				remote.strip = []string{"X-Username"}
				c.Backends = append(c.Backends, remote)
			})
			if _, err := g.ForwardAuth(row.config, row.options...); err == nil {
				t.Error("accepted")
			}
		})
	}
	if _, err := (*auth.Guard)(nil).ForwardAuth(auth.ForwardAuthConfig{Proxy: auth.AskingNginx}); err == nil {
		t.Error("a nil guard is accepted")
	}
	if _, err := askedGuard(t,
		func(c *auth.Config) { c.Proxies = auth.Proxies{} }).ForwardAuth(
		auth.ForwardAuthConfig{Proxy: auth.AskingNginx}); err == nil {
		t.Error("no proxies are accepted")
	}
	t.Run("headers of other names", func(t *testing.T) {
		h := askedHandler(t, askedGuard(t, nil), auth.ForwardAuthConfig{Proxy: auth.AskingNginx,
			MethodHeader: "x-method", URIHeader: "x-path",
			UserHeader: "remote-user", BackendHeader: "remote-backend", AccessHeader: "remote-access"},
			auth.Open("DELETE /open"))
		w := do(h, askFor(auth.AskingNginx, "GET", "/", "X-Method", "POST", "X-Path", "/x", "Cookie", "session=bob",
			"Remote-User", "root"))
		if wantStatus(t, w, 200); w.Header().Get("Remote-User") != "bob" ||
			w.Header().Get("Remote-Backend") != "cookie" || w.Header().Get("Remote-Access") == "" {
			t.Errorf("headers %v", w.Header())
		}
	})
	t.Run("preflights that are allowed pass without a user", func(t *testing.T) {
		h := askedHandler(t, askedGuard(t, nil), auth.ForwardAuthConfig{Proxy: auth.AskingTraefik,
			AllowPreflight: true})
		w := do(h, askFor(auth.AskingTraefik, "OPTIONS", "/", "Origin", "https://a.example",
			"Access-Control-Request-Method", "PUT", "Cookie", "session=bob"))
		if wantStatus(t, w, 200); w.Header().Get("X-Auth-User") != "" {
			t.Errorf("headers %v", w.Header())
		}
	})
}

func TestUnitForwardAuthRender(t *testing.T) {
	var seen *http.Request
	render := func(w http.ResponseWriter, r *http.Request, p *auth.Problem) {
		seen = r
		w.Header().Set("Location", "/login")
		w.WriteHeader(http.StatusSeeOther)
	}
	t.Run("leads to the login, with the request that was asked about", func(t *testing.T) {
		h := askedHandler(t, askedGuard(t, func(c *auth.Config) { c.Render = render }),
			auth.ForwardAuthConfig{Proxy: auth.AskingCaddy})
		w := do(h, askFor(auth.AskingCaddy, "GET", "/page?x=1", "X-Auth-User", "root"))
		if wantStatus(t, w, 303); seen.Method != "GET" || seen.URL.String() != "/page?x=1" ||
			seen.RequestURI != "/page?x=1" ||
			seen.Host != "app.example" || seen.Header["X-Auth-User"] != nil {
			t.Errorf("Render saw %s %s of %s, %v", seen.Method, seen.URL, seen.Host, seen.Header)
		}
	})
	t.Run("is not asked by nginx", func(t *testing.T) {
		h := askedHandler(t, askedGuard(t, func(c *auth.Config) { c.Render = render }),
			auth.ForwardAuthConfig{Proxy: auth.AskingNginx})
		wantStatus(t, do(h, askFor(auth.AskingNginx, "GET", "/page")), 401)
	})
	for name, render := range map[string]func(http.ResponseWriter, *http.Request, *auth.Problem){
		"a status": func(w http.ResponseWriter, _ *http.Request, _ *auth.Problem) { w.WriteHeader(http.StatusOK) },
		"a page": func(w http.ResponseWriter, _ *http.Request, _ *auth.Problem) {
			_, _ = io.WriteString(w,
				"log in")
		},
		"after a 103": func(w http.ResponseWriter, _ *http.Request, _ *auth.Problem) {
			w.WriteHeader(103)
			_, _ = io.WriteString(w, "log in")
		},
	} {
		t.Run("lets nobody in by "+name, func(t *testing.T) {
			h := askedHandler(t, askedGuard(t, func(c *auth.Config) { c.Render = render }),
				auth.ForwardAuthConfig{Proxy: auth.AskingTraefik})
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				r.RemoteAddr = "10.0.0.1:1"
				h.ServeHTTP(w, r)
			}))
			defer server.Close()
			r, _ := http.NewRequest("GET", server.URL, nil)
			r.Header.Set("X-Forwarded-Method", "GET")
			r.Header.Set("X-Forwarded-Uri", "/")
			response, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			_ = response.Body.Close()
			if response.StatusCode != 403 {
				t.Errorf("status %d, want 403", response.StatusCode)
			}
		})
	}
	t.Run("a status that MapProblem made a success is a refusal", func(t *testing.T) {
		for _, kind := range askingProxies {
			g := askedGuard(t, nil).MapProblem(func(_ *http.Request, p *auth.Problem) { p.Status = 200 })
			if w := do(askedHandler(t, g, auth.ForwardAuthConfig{Proxy: kind}), askFor(kind, "GET",
				"/")); w.Code != 401 && w.Code != 403 {
				t.Errorf("status %d", w.Code)
			}
		}
	})
}

// Whatever a proxy writes into the headers, a stranger gets nowhere but to what is open.
func FuzzForwardAuth(f *testing.F) {
	h := askedHandler(f, askedGuard(f, nil), auth.ForwardAuthConfig{Proxy: auth.AskingTraefik},
		auth.Open("GET /static/"),
		auth.Route("/admin/", auth.UserIs(isRoot)))
	for _, uri := range []string{"/", "/static/x", "/static/../x", "/static/%2e%2e/x", "//static/x", "/%", "*",
		"http://a/static/", "/static%2fx", "/a?b#c"} {
		f.Add("GET", uri)
		f.Add("\x00", uri)
	}
	f.Fuzz(func(t *testing.T, method, uri string) {
		w := do(h, askFor(auth.AskingTraefik, method, uri))
		switch {
		case w.Code == 200 && (!strings.Contains(uri, "static") || method != "GET" && method != "HEAD" ||
			w.Header().Get("X-Auth-User") != ""):
			t.Fatalf("%q %q: let in", method, uri)
		case w.Code != 200 && w.Code != 400 && w.Code != 401 && w.Code != 403:
			t.Fatalf("%q %q: %d", method, uri, w.Code)
		}
	})
}

// A proxy that asks, as Traefik does: it overwrites the headers, and copies those of a
// positive answer.
func TestUnitForwardAuthThroughAProxy(t *testing.T) {
	loopback := auth.Proxies{Trusted: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"),
		netip.MustParsePrefix("::1/128")}}
	ask := httptest.NewServer(askedHandler(t, askedGuard(t, func(c *auth.Config) { c.Proxies = loopback }),
		auth.ForwardAuthConfig{Proxy: auth.AskingTraefik}, auth.Open("GET /static/")))
	defer ask.Close()
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, "%s %s %s", r.Header["X-Auth-User"], r.Header["X-Auth-Backend"],
			r.Header["X-Auth-Access"])
	}))
	defer service.Close()
	target, _ := url.Parse(service.URL)
	pass := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asking, _ := http.NewRequestWithContext(r.Context(), http.MethodGet, ask.URL, nil)
		asking.Header = r.Header.Clone()
		for name, value := range map[string]string{"Method": r.Method, "Uri": r.URL.RequestURI(), "Host": r.Host,
			"Proto": "http", "For": "203.0.113.1"} {
			asking.Header.Set("X-Forwarded-"+name, value)
		}
		response, err := http.DefaultTransport.RoundTrip(asking)
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = response.Body.Close() }()
		if response.StatusCode/100 != 2 {
			w.Header()["Www-Authenticate"] = response.Header["Www-Authenticate"]
			w.WriteHeader(response.StatusCode)
			return
		}
		for _, name := range []string{"X-Auth-User", "X-Auth-Backend", "X-Auth-Access"} {
			r.Header.Del(name)
			if lines := response.Header[name]; len(lines) > 0 {
				r.Header[name] = lines
			}
		}
		pass.ServeHTTP(w, r)
	}))
	defer front.Close()
	for name, row := range map[string]struct {
		method, path string
		header       []string
		status       int
		body         string
	}{
		"a token": {"POST", "/", []string{"Authorization", "Bearer limited"}, 200,
			"[alice] [bearer] [limited read write]"},
		"a forged user":  {"GET", "/static/x", []string{"X-Auth-User", "root"}, 200, "[] [] []"},
		"no credentials": {"GET", "/", nil, 401, ""},
		"a forged path":  {"GET", "/", []string{"X-Forwarded-Uri", "/static/x"}, 401, ""},
		"an outage":      {"GET", "/", []string{"Authorization", "Bearer down"}, 503, ""},
		"a foreign form": {"POST", "/", []string{"Cookie", "session=bob", "Origin", "https://evil.example"},
			403, ""},
		"a form of one's own": {"POST", "/", []string{"Cookie", "session=bob", "Origin", front.URL}, 200,
			"[bob] [cookie] [limited]"},
	} {
		t.Run(name, func(t *testing.T) {
			r, _ := http.NewRequestWithContext(t.Context(), row.method, front.URL+row.path, nil)
			for i := 0; i < len(row.header); i += 2 {
				r.Header.Set(row.header[i], row.header[i+1])
			}
			response, err := http.DefaultTransport.RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(response.Body)
			_ = response.Body.Close()
			if response.StatusCode != row.status || string(body) != row.body {
				t.Errorf("%d %q, want %d %q", response.StatusCode, body, row.status, row.body)
			}
			if row.status == 401 && len(response.Header["Www-Authenticate"]) == 0 {
				t.Error("no challenge reached the client")
			}
		})
	}
}

// Traefik asks this service about each request to another one.
func ExampleGuard_ForwardAuth() {
	tokens := auth.AuthenticatorFunc(func(r *http.Request) (auth.User, auth.Credential, error) {
		if r.Header.Get("Authorization") != "Token good" {
			return nil, nil, auth.ErrNoCredentials
		}
		return user("alice"), nil, nil
	})
	guard, err := auth.New(auth.Config{
		Backends:   []auth.Authenticator{tokens},
		Challenges: []auth.Challenge{{Scheme: "Token"}},
		Proxies:    auth.Proxies{Trusted: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}},
	})
	if err != nil {
		panic(err)
	}
	ask, err := guard.ForwardAuth(auth.ForwardAuthConfig{Proxy: auth.AskingTraefik},
		auth.Open("GET /static/"),
		auth.Route("/admin/", auth.UserIs(func(u user) bool { return u == "root" })))
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/auth", ask)

	for _, path := range []string{"/page", "/admin/", "/static/site.css"} {
		r := httptest.NewRequest("GET", "/auth", nil)
		r.RemoteAddr = "10.0.0.2:4711"
		r.Header.Set("Authorization", "Token good")
		r.Header.Set("X-Forwarded-Method", "GET")
		r.Header.Set("X-Forwarded-Uri", path)
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		fmt.Printf("%s: %d, user %q\n", path, w.Code, w.Header().Get("X-Auth-User"))
	}
	// Output:
	// /page: 200, user "alice"
	// /admin/: 403, user ""
	// /static/site.css: 200, user ""
}

func TestForwardAuthRefusesAPathThatTheServiceCouldReadInAnotherWay(t *testing.T) {
	isRoot := auth.UserIs(func(u user) bool { return u == "root" })
	guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{tokens("Token")},
		Challenges: []auth.Challenge{{Scheme: "Token"}},
		Proxies:    auth.Proxies{Trusted: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, proxy := range []auth.AskingProxy{auth.AskingNginx, auth.AskingCaddy, auth.AskingTraefik} {
		ask, err := guard.ForwardAuth(auth.ForwardAuthConfig{Proxy: proxy, MethodHeader: "X-M", URIHeader: "X-U"},
			auth.Open("GET /static/"), auth.Route("/admin/", isRoot))
		if err != nil {
			t.Fatal(err)
		}
		for target, want := range map[string]int{
			"/static/x": 200, "/static/x?a=b;c#d\\": 200, "/static/%C3%A9": 200, "/static/": 200, "/": 401,
			"/admin/users/../../static/x": 403, "/static//x": 403, "/admin/users#/../../static/x": 403,
			`/static/x\..\..\admin/users`: 403,
			"/static/x%5c..%5c..%5cadmin": 403, "/static/..;/admin/users": 403, "/static/%2e%2e;/admin/users": 403,
			"/static/%2e%2e/admin": 403,
			"/static/a;b":          403, "/static/a%3Bb": 403, "/static/a%3Fb": 403, "/static/%252e%252e/admin": 403,
			"/static/%c0%ae%c0%ae/admin":         403,
			"/static/%25/%252e%252e/admin/users": 403, "/static/100%25": 200, "/static/%25zz": 200,
			"/static/a%23b": 403, "/static/a%00b": 403, "//evil/static/x": 403, "/static/a%2F%2Fb": 403,
		} {
			r := request("GET", "/ask")
			r.Header["X-M"], r.Header["X-U"] = []string{"GET"}, []string{target}
			if want == 200 { // a twin of a header of the answer is refused
				r.Header["X_auth_user"] = []string{"root"}
				if w := do(ask, r); w.Code != 403 {
					t.Errorf("%d, %s with a twin: %d, want 403", proxy, target, w.Code)
				}
				delete(r.Header, "X_auth_user")
			}
			if w := do(ask, r); w.Code != want {
				t.Errorf("%d, %s: %d, want %d", proxy, target, w.Code, want)
			}
		}
	}
}

func TestForwardAuthRefusesIfRenderWritesNothing(t *testing.T) {
	guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{tokens("Token")},
		Challenges: []auth.Challenge{{Scheme: "Token"}},
		Proxies:    auth.Proxies{Trusted: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}},
		Render:     func(http.ResponseWriter, *http.Request, *auth.Problem) {}})
	if err != nil {
		t.Fatal(err)
	}
	ask, err := guard.ForwardAuth(auth.ForwardAuthConfig{Proxy: auth.AskingTraefik})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(ask)
	defer server.Close()
	r, _ := http.NewRequestWithContext(t.Context(), "GET", server.URL, nil)
	r.Header.Set("X-Forwarded-Method", "GET")
	r.Header.Set("X-Forwarded-Uri", "/x")
	answer, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	if answer.StatusCode != 403 {
		t.Errorf("%d, want 403", answer.StatusCode)
	}
}

func TestForwardAuthTakesAnyPathIfThereAreNoRules(t *testing.T) {
	guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{tokens("Token")},
		Challenges: []auth.Challenge{{Scheme: "Token"}},
		Proxies:    auth.Proxies{Trusted: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}})
	if err != nil {
		t.Fatal(err)
	}
	ask, err := guard.ForwardAuth(auth.ForwardAuthConfig{Proxy: auth.AskingCaddy})
	if err != nil {
		t.Fatal(err)
	}
	for _, target := range []string{"/api/queues/%2F/q", "/room/%23a:b", "/x;jsessionid=1",
		"/unsafe/https://e.example/x.jpg"} {
		r := request("GET", "/ask", "X-Forwarded-Method", "GET", "X-Forwarded-Uri", target, "Authorization",
			"Token good-alice")
		if w := do(ask, r); w.Code != 200 {
			t.Errorf("%s: %d %s", target, w.Code, w.Body)
		}
	}
}

func TestUnitForwardAuthAnswersAnOutageAsOne(t *testing.T) {
	down := auth.AuthenticatorFunc(func(*http.Request) (auth.User, auth.Credential, error) {
		return nil, nil, errors.New("the database is down")
	})
	for name, row := range map[string]struct {
		render func(http.ResponseWriter, *http.Request, *auth.Problem)
		mapped int // the status that MapProblem sets, 0 for no status
		want   int
	}{
		"without a Render":      {nil, 0, 503},
		"Render writes nothing": {func(http.ResponseWriter, *http.Request, *auth.Problem) {}, 0, 503},
		"Render writes a page with 200": {func(w http.ResponseWriter, _ *http.Request, _ *auth.Problem) {
			_, _ = io.WriteString(w, "sorry")
		}, 0, 503},
		"Render writes another status": {func(w http.ResponseWriter, _ *http.Request, _ *auth.Problem) {
			w.WriteHeader(502)
		}, 0, 502},
		"MapProblem makes 200 of it":      {nil, 200, 503},
		"both, and Render does not write": {func(http.ResponseWriter, *http.Request, *auth.Problem) {}, 204, 503},
	} {
		for _, proxy := range []auth.AskingProxy{auth.AskingNginx, auth.AskingCaddy, auth.AskingTraefik} {
			if proxy == auth.AskingNginx && row.want == 502 { // Render is not called
				continue
			}
			guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{down},
				Challenges: []auth.Challenge{{Scheme: "Token"}},
				Proxies:    auth.Proxies{Trusted: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}},
				Render:     row.render})
			if err != nil {
				t.Fatal(err)
			}
			if row.mapped != 0 {
				guard = guard.MapProblem(func(_ *http.Request, p *auth.Problem) { p.Status = row.mapped })
			}
			ask, err := guard.ForwardAuth(auth.ForwardAuthConfig{Proxy: proxy, MethodHeader: "X-M", URIHeader: "X-U"})
			if err != nil {
				t.Fatal(err)
			}
			t.Run(fmt.Sprint(name, " ", proxy), func(t *testing.T) {
				server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					r.RemoteAddr = "192.0.2.1:1"
					ask.ServeHTTP(w, r)
				}))
				defer server.Close()
				r, _ := http.NewRequestWithContext(t.Context(), "GET", server.URL, nil)
				r.Header.Set("X-M", "GET")
				r.Header.Set("X-U", "/x")
				response, err := server.Client().Do(r)
				if err != nil {
					t.Fatal(err)
				}
				_ = response.Body.Close()
				if response.StatusCode != row.want {
					t.Errorf("%d, want %d", response.StatusCode, row.want)
				}
			})
		}
	}
}
