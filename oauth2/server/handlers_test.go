package server_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/oauth2"
	"github.com/gatewarden/auth/oauth2/server"
)

// exactMux is a router that knows wildcards and no trees, methods or {$}, as chi
// does.
type exactMux struct {
	*testing.T
	routes map[string]http.Handler
}

func (m exactMux) Handle(pattern string, handler http.Handler) {
	if strings.ContainsAny(pattern, " $") {
		m.Errorf("registered %q: want a pattern without method and {$}", pattern)
	}
	m.routes[pattern] = handler
}

func (m exactMux) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	have := strings.Split(r.URL.Path, "/")
	if handler := m.routes[r.URL.Path]; handler != nil { // before wildcards
		handler.ServeHTTP(w, r)
		return
	}
next:
	for pattern, handler := range m.routes {
		want := strings.Split(pattern, "/")
		if len(want) != len(have) {
			continue
		}
		for i := range want {
			if name, ok := strings.CutPrefix(want[i], "{"); ok && have[i] != "" {
				r.SetPathValue(strings.TrimSuffix(name, "}"), have[i])
			} else if want[i] != have[i] {
				continue next
			}
		}
		handler.ServeHTTP(w, r)
		return
	}
	http.NotFound(w, r)
}

// paths are all that newService's server has, and some that it has not.
var paths = []string{"/o/token", "/o/revoke_token", "/o/introspect", "/o/authorize", "/o/authorized_tokens",
	"/o/authorized_tokens/web/delete",
	"/o/userinfo", "/o/logout", "/o/applications", "/o/applications/register", "/o/applications/web",
	"/o/applications/web/update",
	"/o/applications/web/secret", "/o/applications/web/delete", "/o/.well-known/jwks.json",
	"/.well-known/oauth-authorization-server",
	"/.well-known/openid-configuration", "/o", "/o/token/below", "/o/applications/web/update/below", "/o/nothing", ""}

func TestUnitEveryRouterServesTheSame(t *testing.T) {
	s := newService(t, nil)
	handlers := s.handlers()
	standard, exact := http.NewServeMux(), exactMux{t, map[string]http.Handler{}}
	handlers.Register(standard)
	handlers.Register(exact)
	served := 0
	for _, path := range append(paths, "/o/token/below/", "/o/token//") {
		for _, slash := range []string{"", "/"} {
			for _, method := range []string{"GET", "HEAD", "POST", "DELETE", "OPTIONS"} {
				ask := func(handler http.Handler) *httptest.ResponseRecorder {
					r := httptest.NewRequest(method, s.http.URL+path+slash, nil)
					r.AddCookie(&http.Cookie{Name: "login", Value: s.as("alice").cookie})
					w := httptest.NewRecorder()
					handler.ServeHTTP(w, r)
					return w
				}
				if path+slash == "" || strings.Contains(path+slash, "//") {
					continue // ServeMux redirects these
				}
				want := ask(standard)
				for name, handler := range map[string]http.Handler{"an exact router": exact, "ServeHTTP": handlers} {
					got := ask(handler)
					if got.Code != want.Code || got.Header().Get("Allow") != want.Header().Get("Allow") ||
						got.Header().Get("Content-Type") != want.Header().Get("Content-Type") {
						t.Errorf("%s %s%s by %s: want %d %v, got %d %v", method, path, slash, name, want.Code,
							want.Header(), got.Code, got.Header())
					}
				}
				if want.Code != http.StatusNotFound {
					served++
				}
			}
		}
	}
	if served < 14*2*5 {
		t.Errorf("requests that were served: want those of 14 paths and more, got %d", served)
	}
}

func TestUnitPagesNeedAGuardAndMachinesDoNot(t *testing.T) {
	config := func() server.Config {
		return server.Config{Issuer: "https://a.example", Store: server.NewMemoryStore(),
			Tokens:   server.TokenConfig{Grants: []server.GrantType{server.ClientCredentials{}}},
			LoadUser: func(context.Context, string) (auth.User, error) { return nil, auth.ErrUserNotFound },
			SignIn:   func(http.ResponseWriter, *http.Request, server.SignInRequest) {},
			Scopes:   []server.Scope{{Name: "read"}}}
	}
	for sentence, change := range map[string]func(*server.Config){
		"the authorization code grant": func(c *server.Config) { c.Tokens.Grants = nil },
		"Developers": func(c *server.Config) {
			c.Clients.Developers, c.Clients.DeveloperGrants = auth.FullAccess, []string{"client_credentials"}
		},
		"Logout": func(c *server.Config) {
			c.OpenID.Logout = func(http.ResponseWriter, *http.Request) error { return nil }
		},
	} {
		t.Run(sentence+" needs one", func(t *testing.T) {
			c := config()
			change(&c)
			srv, err := server.New(c)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := srv.Handlers(nil); err == nil || !strings.Contains(err.Error(), "guard") {
				t.Errorf("a nil guard: want an error that names it, got %v", err)
			}
			c.SignIn = nil
			if _, err := server.New(c); err == nil || !strings.Contains(err.Error(), "SignIn") {
				t.Errorf("without SignIn: want an error that names it, got %v", err)
			}
		})
	}
	t.Run("machines are served without", func(t *testing.T) {
		c := config()
		c.SignIn = nil
		srv, err := server.New(c)
		if err != nil {
			t.Fatal(err)
		}
		_, secret, err := srv.AddClient(t.Context(),
			server.Registration{ClientID: "job", GrantTypes: []string{"client_credentials"}})
		if err != nil {
			t.Fatal(err)
		}
		handlers, err := srv.Handlers(nil)
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest("POST", "/o/token/", strings.NewReader("grant_type=client_credentials"))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.SetBasicAuth("job", secret.Reveal())
		w := httptest.NewRecorder()
		handlers.ServeHTTP(w, r)
		if w.Code != 200 {
			t.Errorf("a token of a machine: want 200, got %d %s", w.Code, w.Body)
		}
	})
	t.Run("several mistakes are told at once", func(t *testing.T) {
		_, err := server.New(server.Config{Issuer: "ftp://a.example",
			Tokens: server.TokenConfig{Prefix: "far too long"}})
		for _, want := range []string{"issuer", "Config.Store", "Config.LoadUser", "Config.Tokens.Prefix",
			"Config.SignIn"} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("want an error that names %s, got %v", want, err)
			}
		}
	})
}

// basicLogin is a backend that knows no user, with a challenge that opens a dialog.
type basicLogin struct{}

func (basicLogin) Backend() string              { return "basic" }
func (basicLogin) Ambient() bool                { return true }
func (basicLogin) Challenges() []auth.Challenge { return []auth.Challenge{{Scheme: "Basic"}} }
func (basicLogin) Authenticate(r *http.Request) (auth.User, auth.Credential, error) {
	if scheme, _, err := auth.Authorization(r); err != nil || !strings.EqualFold(scheme, "Basic") {
		return nil, nil, auth.ErrNoCredentials
	}
	return nil, nil, auth.ErrInvalid
}

func TestUnitOneGuardServesThePagesAndTheAPI(t *testing.T) {
	s := newService(t, nil)
	api, err := oauth2.New(oauth2.Config{Resource: s.http.URL, Sources: []oauth2.Source{s.server},
		LoadUser: s.users.load})
	s.must(err)
	s.guard, err = auth.New(auth.Config{Backends: []auth.Authenticator{api, logins{s.users}, basicLogin{}},
		Proxies: auth.Proxies{Trusted: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"),
			netip.MustParsePrefix("::1/128")}}})
	s.must(err)
	mux := http.NewServeMux()
	handlers := s.handlers()
	handlers.Register(mux)
	mux.HandleFunc("GET /reports", func(w http.ResponseWriter, r *http.Request) {
		user, _ := auth.UserFrom[auth.User](r.Context())
		_, _ = w.Write([]byte(user.UserID()))
	})
	closed := s.guard.Protect(mux, handlers.Open(), auth.Route("GET /reports", auth.Scopes("read")))
	t.Run("Open names patterns that are registered", func(t *testing.T) { s.must(closed.Check()) })
	s.http.Config.Handler = closed

	t.Run("a token that the server issued proves requests of the guard", func(t *testing.T) {
		token := s.tokens("alice").text("access_token")
		if a := s.stranger().do("GET", "/reports", "", "Authorization", "Bearer "+token); a.StatusCode != 200 ||
			a.body != "alice" {
			t.Errorf("want 200 and alice, got %d %s", a.StatusCode, a.body)
		}
		if a := s.stranger().do("GET", "/reports", ""); a.StatusCode != 401 {
			t.Errorf("a stranger: want 401, got %d", a.StatusCode)
		}
	})
	t.Run("a token authorizes no application", func(t *testing.T) {
		token := s.tokens("alice").text("access_token")
		a := s.stranger().do("GET", "/o/authorize/?"+query().Encode(), "", "Authorization", "Bearer "+token)
		if a.StatusCode != 403 || a.location("code") != "" {
			t.Errorf("want 403, got %d %s", a.StatusCode, a.Header.Get("Location"))
		}
	})
	t.Run("no page makes a browser open its password dialog", func(t *testing.T) {
		for _, path := range []string{"/o/authorize/?" + query().Encode(), "/o/authorized_tokens/", "/o/applications/",
			"/o/logout/"} {
			a := s.stranger().do("GET", path, "", "Authorization", basic("alice", "wrong"))
			if challenges := strings.Join(a.Header.Values("WWW-Authenticate"), ", "); a.StatusCode != 401 ||
				strings.Contains(challenges, "Basic") {
				t.Errorf("%s: want 401 without Basic, got %d %s", path, a.StatusCode, challenges)
			}
		}
		a := s.stranger().do("GET", "/reports", "")
		if !strings.Contains(strings.Join(a.Header.Values("WWW-Authenticate"), ", "), "Basic") {
			t.Errorf("elsewhere: want Basic, got %v", a.Header)
		}
	})
	t.Run("events have the address that the guard's proxies tell", func(t *testing.T) {
		s.stranger().do("POST", "/o/token/", "grant_type=client_credentials", "Authorization", basic("web", "wrong"),
			"X-Forwarded-For", "192.0.2.7")
		last := s.events.all[len(s.events.all)-1]
		if last.Kind != auth.EventFailure || last.ClientIP.String() != "192.0.2.7" || last.Backend != "oauth2" ||
			last.Time.IsZero() {
			t.Errorf("want a failure from 192.0.2.7, got %+v", last)
		}
	})
	t.Run("the application's hooks find the address, too", func(t *testing.T) {
		var seen netip.Addr
		c := s.config
		c.SignIn = func(w http.ResponseWriter, r *http.Request, _ server.SignInRequest) { seen = auth.ClientIP(r) }
		srv, err := server.New(c)
		s.must(err)
		handlers, err := srv.Handlers(s.guard)
		s.must(err)
		r := httptest.NewRequest("GET", "/o/authorized_tokens/?"+url.Values{"a": {"b"}}.Encode(), nil)
		r.RemoteAddr = "127.0.0.1:1"
		r.Header.Set("X-Forwarded-For", "192.0.2.8")
		handlers.ServeHTTP(httptest.NewRecorder(), r)
		if seen.String() != "192.0.2.8" {
			t.Errorf("want 192.0.2.8, got %v", seen)
		}
	})
}
