package external_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/authtest"
	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/oauth2/external"
)

// exactMux is a router that knows one wildcard and no trees, methods or {$}, as chi
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
	parts := strings.Split(r.URL.Path, "/")
	if len(parts) > 2 && parts[2] != "" {
		name := parts[2]
		parts[2] = "{provider}"
		if handler := m.routes[strings.Join(parts, "/")]; handler != nil {
			r.SetPathValue("provider", name)
			handler.ServeHTTP(w, r)
			return
		}
	}
	http.NotFound(w, r)
}

func TestUnitEveryRouterServesTheSame(t *testing.T) {
	for sentence, configure := range map[string]func(*app, *external.Config){
		"with linking":    nil,
		"without linking": func(_ *app, c *external.Config) { c.Linking.Disabled = true },
	} {
		t.Run(sentence, func(t *testing.T) {
			a := newApp(t, configure)
			standard, exact := http.NewServeMux(), exactMux{t, map[string]http.Handler{}}
			a.handlers().Register(standard)
			a.handlers().Register(exact)
			for _, path := range []string{"acme/", "acme", "acme/callback/", "acme/callback", "acme/link/",
				"acme/unlink/",
				"acme/unlink/x/", "nobody/", "nobody/link/", ""} {
				for _, method := range []string{"GET", "HEAD", "POST", "DELETE", "OPTIONS"} {
					ask := func(handler http.Handler) *httptest.ResponseRecorder {
						w := httptest.NewRecorder()
						handler.ServeHTTP(w, httptest.NewRequest(method, a.url+"/login/"+path, nil))
						return w
					}
					want, got := ask(standard), ask(exact)
					if want.Code == http.StatusTemporaryRedirect && got.Code == http.StatusNotFound {
						continue // only ServeMux adds the slash at the end
					}
					if got.Code != want.Code || got.Header().Get("Allow") != want.Header().Get("Allow") {
						t.Errorf("%s %s: want %d %v, got %d %v", method, path, want.Code, want.Header(), got.Code,
							got.Header())
					}
				}
			}
		})
	}
}

func TestUnitAMethodThatAHandlerDoesNotHaveIs405(t *testing.T) {
	a := newApp(t, nil)
	b := a.browser().signedInAs("alice")
	for path, allow := range map[string]string{
		"/login/acme/": "GET, HEAD", "/login/acme/callback/": "GET", "/login/acme/link/": "POST",
		"/login/acme/unlink/": "POST",
	} {
		t.Run(path, func(t *testing.T) {
			p := b.do("DELETE", path, nil)
			b.wants(path, p, 405, "method_not_allowed")
			if got := p.header.Get("Allow"); got != allow {
				t.Errorf("Allow: want %q, got %q", allow, got)
			}
		})
	}
}

func TestUnitHandlersNeedTheGuard(t *testing.T) {
	a := newApp(t, nil)
	if _, err := a.logins.Handlers(nil); err == nil || !strings.Contains(err.Error(), "guard") {
		t.Errorf("a nil guard: want an error that names it, got %v", err)
	}
}

func TestUnitNoLinkingLeavesWhoseAnIdentityIsToTheConfiguration(t *testing.T) {
	no := false
	a := newApp(t, func(_ *app, c *external.Config) { c.Linking.Disabled = no })
	b := a.browser().signedInAs("alice")
	back := b.next(b.do("POST", "/login/acme/link/", nil)) // to the provider, and not back yet
	no = true
	// The same service after a restart with the other setting: the same keys and host.
	config := newApp(t, func(_ *app, c *external.Config) {
		c.Linking.Disabled, c.URL, c.Store = true, a.url, a.store
		c.Providers = []external.Provider{a.acme()}
		c.LoadUser = a.load
	})
	a.logins = config.logins
	mux := http.NewServeMux()
	a.handlers().Register(mux)
	a.server.Config.Handler = mux
	b.wants("an attempt from before", b.next(back), 404, "no_provider")
	if got := a.identities("alice"); len(got) != 0 {
		t.Errorf("linked: want nothing, got %v", got)
	}
	for _, path := range []string{"/login/acme/link/", "/login/acme/unlink/"} {
		if p := b.do("POST", path, nil); p.status != 404 {
			t.Errorf("%s: want 404, got %d", path, p.status)
		}
		r := httptest.NewRequest("POST", path, nil)
		r.SetPathValue("provider", "acme")
		w := httptest.NewRecorder()
		a.handlers().Link.ServeHTTP(w, r)
		if w.Code != 404 {
			t.Errorf("Link, mounted all the same: want 404, got %d", w.Code)
		}
	}
}

func TestUnitEventsHaveTheAddressThatTheGuardsProxiesTell(t *testing.T) {
	var events []auth.Event
	a := newApp(t, func(_ *app, c *external.Config) {
		c.Observer = auth.ObserverFunc(func(_ context.Context, e auth.Event) { events = append(events, e) })
	})
	var err error
	a.guard, err = auth.New(auth.Config{Backends: []auth.Authenticator{a.logins}, Login: []auth.Authenticator{a.logins},
		Proxies: auth.Proxies{Trusted: []netip.Prefix{netip.MustParsePrefix("192.0.2.1/32")}}})
	if err != nil {
		t.Fatalf("a guard of these logins alone: want none, got the error %v", err)
	}
	mux := http.NewServeMux()
	a.handlers().Register(mux)
	r := httptest.NewRequest("GET", a.url+"/login/acme/callback/?state=x", nil) // from 192.0.2.1
	r.Header.Set("X-Forwarded-For", "198.51.100.7")
	mux.ServeHTTP(httptest.NewRecorder(), r)
	if len(events) != 1 {
		t.Fatalf("want one event, got %v", events)
	}
	e := events[0]
	if e.Kind != auth.EventFailure || e.ClientIP.String() != "198.51.100.7" || e.Backend != "login" || e.Time.IsZero() {
		t.Errorf("want a failure from 198.51.100.7, got %+v", events)
	}
}

func TestUnitALoginCodeIsABackendOfTheProgramsGuard(t *testing.T) {
	a := newApp(t, withApp)
	tokens, err := knox.New(knox.Config{Store: knox.NewMemoryStore(), LoadUser: a.load})
	if err != nil {
		t.Fatal(err)
	}
	for sentence, config := range map[string]auth.Config{
		"alone":             {Backends: []auth.Authenticator{a.logins}},
		"to log in":         {Backends: []auth.Authenticator{tokens}, Login: []auth.Authenticator{a.logins}},
		"beside other ones": {Backends: []auth.Authenticator{tokens, a.logins}, Login: []auth.Authenticator{a.logins}},
	} {
		t.Run(sentence, func(t *testing.T) {
			if _, err := auth.New(config); err != nil {
				t.Errorf("want no error, got %v", err)
			}
		})
	}
	t.Run("its credential is primary, has full access, and no browser adds it", func(t *testing.T) {
		b := a.browser()
		back := b.next(b.away(appStart))
		code := mustURL(back.location).Query().Get("login_code")
		_, credential, err := a.redeem(code, verifier)
		if err != nil {
			t.Fatal(err)
		}
		if err := auth.FullAccess(nil, nil, credential); err != nil {
			t.Errorf("FullAccess: want no error, got %v", err)
		}
		if ambient, ok := auth.As[auth.Ambient](credential); !ok || ambient.Ambient() {
			t.Errorf("Ambient: want false, got %v", ok)
		}
		if primary, ok := auth.As[auth.Primary](credential); !ok || !primary.Primary() {
			t.Errorf("Primary: want true, got %v", ok)
		}
	})
}

// wrappedUser is a user behind a decorator.
type wrappedUser struct{ auth.User }

func (w wrappedUser) Unwrap() auth.User { return w.User }

func TestUnitAMachineLinksNothingHoweverItIsWrapped(t *testing.T) {
	for sentence, machine := range map[string]auth.User{
		"itself": auth.Machine{ID: "job"}, "a pointer": &auth.Machine{ID: "job"},
		"wrapped": wrappedUser{auth.Machine{ID: "job"}},
	} {
		t.Run(sentence, func(t *testing.T) {
			a := newApp(t, nil)
			var err error
			a.guard, err = auth.New(auth.Config{Challenges: []auth.Challenge{{Scheme: "Bearer"}},
				Backends: []auth.Authenticator{
					auth.AuthenticatorFunc(func(*http.Request) (auth.User, auth.Credential, error) {
						return machine, authtest.Credential{}, nil
					})}})
			if err != nil {
				t.Fatal(err)
			}
			mux := http.NewServeMux()
			a.handlers().Register(mux)
			w := httptest.NewRecorder()
			mux.ServeHTTP(w, httptest.NewRequest("POST", a.url+"/login/acme/link/", nil))
			if w.Code != 403 || !strings.Contains(w.Body.String(), "not_allowed") {
				t.Errorf("want 403 not_allowed, got %d %s", w.Code, w.Body)
			}
		})
	}
}

func TestUnitUnlinkReadsAForm(t *testing.T) {
	a := newApp(t, func(_ *app, c *external.Config) {
		c.Linking.HasOtherWay = func(context.Context, auth.User) (bool, error) { return true, nil }
	})
	b := a.browser().signedInAs("alice")
	b.follow(b.do("POST", "/login/acme/link/", nil))
	all, err := a.logins.Identities(t.Context(), "alice")
	if err != nil || len(all) != 1 {
		t.Fatalf("got %v, error %v, want 1 identity", all, err)
	}
	form := url.Values{"id": {all[0].ID}}
	b.wants("no form", b.do("POST", "/login/acme/unlink/", form, "Content-Type", "text/plain"), 400, "invalid_request")
	b.wants("a long one", b.do("POST", "/login/acme/unlink/", url.Values{"id": {strings.Repeat("x", 1<<17)}}), 400,
		"invalid_request")
	if p := b.do("POST", "/login/acme/unlink/", form); p.status != 303 || len(a.identities("alice")) != 0 {
		t.Errorf("a form: want 303 and no identity, got %d %v", p.status, a.identities("alice"))
	}
}

func TestBehindAGuardThatClosesEveryRoute(t *testing.T) {
	a := newApp(t, nil)
	guard,
		err := auth.New(auth.Config{Backends: []auth.Authenticator{auth.AuthenticatorFunc(func(*http.Request) (
		auth.User, auth.Credential, error) {
		return nil, nil, auth.ErrNoCredentials
	})}, Challenges: []auth.Challenge{{Scheme: "Bearer"}}})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	a.handlers().Register(mux)
	closed := guard.Protect(mux)
	open := guard.Protect(mux, a.handlers().Open())
	for request, want := range map[string]int{"GET /login/acme/": 303, "GET /login/acme/callback/": 400,
		"POST /login/acme/link/": 403, "POST /login/acme/unlink/": 403} {
		method, path, _ := strings.Cut(request, " ")
		for status, handler := range map[int]http.Handler{want: open, 401: closed} {
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, httptest.NewRequest(method, path, nil))
			if w.Code != status {
				t.Errorf("%s: %d, want %d", request, w.Code, status)
			}
		}
	}
}
