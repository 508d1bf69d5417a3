package auth_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/gatewarden/auth"
)

// proxyReader is a backend that notes the address of the client and reads the
// body, as one for passwords does.
type proxyReader struct {
	*backend
	seen *[]string
}

func (p proxyReader) Unwrap() auth.Authenticator { return p.backend }
func (p proxyReader) ReadsProxies() bool         { return true }
func (p proxyReader) Authenticate(r *http.Request) (auth.User, auth.Credential, error) {
	text, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(text))
	*p.seen = append(*p.seen, auth.ClientIP(r).String())
	return p.backend.Authenticate(r)
}

func TestLoginAsksTheBackendsOfConfigLogin(t *testing.T) {
	passwords, session := speaking("Basic", nil), speaking("Cookie", nil)
	g := newGuard(t, auth.Config{Backends: []auth.Authenticator{tokens("Token"), session},
		Login: []auth.Authenticator{passwords, session}})
	login, err := g.Login()
	if err != nil {
		t.Fatal(err)
	}
	wantUser(t, get(login.Require()(whoami), "Authorization", "Token good-alice"), "basic-user")
	if passwords.asked != 1 {
		t.Errorf("the backend for logging in was asked %d times, want 1", passwords.asked)
	}
	wantUser(t, get(g.Require()(whoami), "Authorization", "Token good-alice"), "alice")
	if passwords.asked != 1 {
		t.Error("the backend for logging in was asked about another request")
	}
	withoutSession, err := g.Login(session)
	if err != nil {
		t.Fatal(err)
	}
	if got := len(withoutSession.Challenges()); got != 1 {
		t.Errorf("%d challenges without the session, want that of Basic alone", got)
	}
	decorated := newGuard(t, auth.Config{Backends: []auth.Authenticator{tokens("Token")},
		Login: []auth.Authenticator{passwords, kept{session}}})
	if left, err := decorated.Login(session); err != nil || len(left.Challenges()) != 1 {
		t.Errorf("a decorated backend was not left out: %v", err)
	}
	nested := newGuard(t, auth.Config{Backends: []auth.Authenticator{tokens("Token")},
		Login: []auth.Authenticator{kept{auth.Chain(passwords, session)}}})
	if _, err := nested.Login(session); err == nil || !strings.Contains(err.Error(), "one by one") {
		t.Errorf("a backend in a decorated chain: %v, want an error that says what to do", err)
	}
	if _, err := withoutSession.Login(); err == nil {
		t.Error("the login of a login without the session was the whole one")
	}
	var none *auth.Guard
	for name, ask := range map[string]func() (*auth.Guard, error){
		"a nil guard":          func() (*auth.Guard, error) { return none.Login() },
		"no Config.Login":      func() (*auth.Guard, error) { return guardOf(t, tokens("Token")).Login() },
		"all of them excepted": func() (*auth.Guard, error) { return g.Login(passwords, session) },
	} {
		if _, err := ask(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestWhatABackendForLoggingInStripsNoHandlerSees(t *testing.T) {
	remote := proxyOnly("X-Username")
	g := newGuard(t, auth.Config{Backends: []auth.Authenticator{tokens("Token")}, Login: []auth.Authenticator{remote},
		Challenges: []auth.Challenge{{Scheme: "X"}}})
	with, err := g.With(speaking("Bearer", nil))
	if err != nil {
		t.Fatal(err)
	}
	other, err := g.With(proxyOnly("X-Other"))
	if err != nil {
		t.Fatal(err)
	}
	otherLogin, err := other.Login()
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(otherLogin.StripHeaders(), " "); got != "X-Username X-Other" {
		t.Errorf("the login of a guard made by With strips %q", got)
	}
	login, err := g.Login()
	if err != nil {
		t.Fatal(err)
	}
	for name, guard := range map[string]*auth.Guard{"the guard": g, "one of With": with, "one of Login": login,
		"without a dialog": g.WithoutDialog()} {
		seen := "unset"
		h := guard.Optional()(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			seen = r.Header.Get("X-Username")
		}))
		get(h, "X-Username", "admin")
		if seen != "" {
			t.Errorf("%s: the handler saw %q, want no header", name, seen)
		}
	}
}

func TestALoginReadsWhatAGuardAroundItStrips(t *testing.T) {
	remote := speaking("X", nil)
	remote.name, remote.strip = "remote", []string{"X-Username"}
	remote.answer = func(r *http.Request) (auth.User, auth.Credential, error) {
		if name := r.Header.Get("X-Username"); name != "" {
			return user(name), nil, nil
		}
		return nil, nil, auth.ErrNoCredentials
	}
	g := newGuard(t, auth.Config{Backends: []auth.Authenticator{tokens("Token")}, Login: []auth.Authenticator{remote}})
	login, err := g.Login()
	if err != nil {
		t.Fatal(err)
	}
	seen := "unset"
	handler := login.Require()(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = r.Header.Get("X-Username")
		whoami(w, r)
	}))
	stranger := guardOf(t, tokens("Token"))
	strangerWith, err := stranger.With(remote)
	if err != nil {
		t.Fatal(err)
	}
	for name, h := range map[string]http.Handler{
		"by itself":         handler,
		"opened by Protect": g.Protect(muxOf("POST /login", handler), auth.Open("POST /login")),
		"behind Optional":   g.Optional()(handler),
	} {
		seen = "unset"
		wantUser(t, do(h, request("POST", "/login", "X-Username", "alice")), "alice")
		if seen != "" {
			t.Errorf("%s: the handler saw %q, want no header", name, seen)
		}
	}
	// A guard of another family further out has removed it for good.
	wantStatus(t, do(strangerWith.Require()(handler), request("POST", "/login", "X-Username", "alice")), 401)
}

func TestNewChecksTheNamesOfBothLists(t *testing.T) {
	one, other := speaking("Token", nil), speaking("Token", nil)
	if _, err := auth.New(
		auth.Config{Backends: []auth.Authenticator{one}, Login: []auth.Authenticator{other}}); err == nil {
		t.Error("two backends of one name in the two lists were taken")
	}
	if _, err := auth.New(
		auth.Config{Backends: []auth.Authenticator{one}, Login: []auth.Authenticator{one}}); err != nil {
		t.Errorf("one backend in both lists: %v", err)
	}
	if _, err := auth.New(
		auth.Config{Backends: []auth.Authenticator{one}, Login: []auth.Authenticator{kept{one}}}); err != nil {
		t.Errorf("one backend in Backends, and decorated in Login: %v", err)
	}
	if _, err := auth.New(
		auth.Config{Backends: []auth.Authenticator{one}, Login: []auth.Authenticator{nil}}); err == nil ||
		!strings.Contains(err.Error(), "Config.Login[0] is nil") {
		t.Errorf("a nil in Config.Login: %v", err)
	}
}

func TestWithoutDialogSendsNoChallengeOnWhichABrowserAsks(t *testing.T) {
	for name, row := range map[string]struct {
		guard *auth.Guard
		want  string
	}{
		"beside another": {guardOf(t, speaking("Basic", auth.ErrInvalid), tokens("Token")), `Token realm="api"`},
		"alone":          {guardOf(t, speaking("basic", auth.ErrInvalid)), "Form"},
		"Digest":         {guardOf(t, speaking("DIGEST", auth.ErrInvalid)), "Form"},
	} {
		t.Run(name, func(t *testing.T) {
			w := get(row.guard.WithoutDialog().Require()(whoami))
			wantStatus(t, w, 401)
			if got := strings.Join(w.Header()["Www-Authenticate"], ", "); got != row.want {
				t.Errorf("challenges %q, want %q", got, row.want)
			}
		})
	}
	quiet, err := guardOf(t, tokens("Token")).WithoutDialog().With(speaking("Basic", auth.ErrInvalid))
	if err != nil {
		t.Fatal(err)
	}
	if got := get(quiet.Require()(whoami)).Header().Get("WWW-Authenticate"); got != "Form" {
		t.Errorf("a guard made from one without dialog sends %q", got)
	}
}

func TestTheGuardTellsWhoTheClientIs(t *testing.T) {
	var seen []string
	reader := proxyReader{tokens("Token"), &seen}
	g := newGuard(t, auth.Config{Backends: []auth.Authenticator{reader},
		Proxies: auth.Proxies{Trusted: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}})
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		_, _ = io.WriteString(w, auth.ClientIP(r).String()+" "+string(text))
	})
	for name, row := range map[string]struct {
		handler       http.Handler
		authorization string
		want          string
	}{
		"a handler behind Require": {g.Require()(h), "Token good-alice", "198.51.100.7 body"},
		"an anonymous one":         {g.Optional()(h), "", "198.51.100.7 body"},
		"one that Protect opened":  {g.Protect(muxOf("/", h), auth.Open("/")), "", "198.51.100.7 body"},
		"one without a guard":      {h, "", "10.0.0.1 body"},
		"an anonymous one inside another guard": {guardOf(t, speaking("Token", nil)).Require()(g.Optional()(h)), "",
			"198.51.100.7 body"},
	} {
		t.Run(name, func(t *testing.T) {
			seen = nil
			r := httptest.NewRequest("POST", "/", strings.NewReader("body"))
			r.RemoteAddr = "10.0.0.1:1"
			r.Header.Set("X-Forwarded-For", "198.51.100.7")
			if row.authorization != "" {
				r.Header.Set("Authorization", row.authorization)
			}
			if got := do(row.handler, r).Body.String(); got != row.want {
				t.Errorf("the handler answered %q, want %q", got, row.want)
			}
			for _, ip := range seen {
				if ip != "198.51.100.7" {
					t.Errorf("the backend saw %s", ip)
				}
			}
		})
	}
}

func muxOf(pattern string, h http.Handler) *http.ServeMux {
	mux := http.NewServeMux()
	mux.Handle(pattern, h)
	return mux
}

func TestAWrappedUserIsFound(t *testing.T) {
	b := speaking("Token", nil)
	b.answer = func(*http.Request) (auth.User, auth.Credential, error) { return tenant{user("alice")}, nil, nil }
	h := guardOf(t, b).Require(auth.UserIs(func(u user) bool {
		return u == "alice"
	}))(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if _, ok := auth.UserFrom[user](r.Context()); !ok {
			t.Error("UserFrom did not find the user inside")
		}
		if _, ok := auth.UserFrom[tenant](r.Context()); !ok {
			t.Error("UserFrom did not find the user outside")
		}
	}))
	wantStatus(t, get(h), 200)
	b.answer = func(*http.Request) (auth.User, auth.Credential, error) {
		return tenant{auth.Machine{ID: "job"}}, nil, nil
	}
	wantStatus(t, get(guardOf(t, b).Require()(whoami)), 403)
}

// tenant is a user with something beside it.
type tenant struct{ auth.User }

func (t tenant) Unwrap() auth.User { return t.User }

func TestUnitABackendKnowsThatItIsAskedAtALogin(t *testing.T) {
	atLogin := map[string]bool{}
	asked := auth.AuthenticatorFunc(func(r *http.Request) (auth.User, auth.Credential, error) {
		atLogin[r.URL.Path] = auth.AtLogin(r.Context())
		return nil, nil, auth.ErrNoCredentials
	})
	other := speaking("Cookie", auth.ErrNoCredentials)
	g := newGuard(t, auth.Config{Backends: []auth.Authenticator{asked}, Login: []auth.Authenticator{other, asked},
		Challenges: []auth.Challenge{{Scheme: "Form"}}})
	login, err := g.Login()
	if err != nil {
		t.Fatal(err)
	}
	without, err := g.Login(other)
	if err != nil {
		t.Fatal(err)
	}
	nested, err := g.With(login)
	if err != nil {
		t.Fatal(err)
	}
	for path, row := range map[string]struct {
		guard *auth.Guard
		want  bool
	}{
		"/": {g, false}, "/login": {login, true}, "/without": {without, true}, "/quiet": {login.WithoutDialog(), true},
		"/mapped": {login.MapProblem(func(*http.Request, *auth.Problem) {}), true}, "/nested": {nested, true},
	} {
		do(row.guard.Require()(whoami), request("POST", path))
		if got, asked := atLogin[path]; !asked || got != row.want {
			t.Errorf("%s: asked is %v and AtLogin %v, want %v", path, asked, got, row.want)
		}
	}
}
