package auth_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/gatewarden/auth"
)

// onlyBob is a decorator that refuses everybody but bob.
func onlyBob(inner auth.Authenticator) auth.Authenticator {
	return auth.Wrap(inner, func(r *http.Request) (auth.User, auth.Credential, error) {
		u, c, err := inner.Authenticate(r)
		if err == nil && u.UserID() != "bob" {
			return nil, nil, auth.ErrInvalid
		}
		return u, c, err
	})
}

// The handlers of a backend ask guard.With(backend): what a decorator refuses
// everywhere else it must refuse there, too.
func TestWithAsksABackendInTheDecoratorOfTheGuard(t *testing.T) {
	tokens := tokens("Token")
	for name, backends := range map[string][]auth.Authenticator{
		"decorated":            {onlyBob(tokens)},
		"decorated twice":      {onlyBob(onlyBob(tokens))},
		"in a chain":           {auth.Chain(onlyBob(tokens), speaking("X", auth.ErrNoCredentials))},
		"in a guard":           {guardOf(t, onlyBob(tokens))},
		"beside another":       {speaking("X", auth.ErrNoCredentials), onlyBob(tokens)},
		"in a guard's chain":   {guardOf(t, auth.Chain(onlyBob(tokens)))},
		"in a guard of guards": {guardOf(t, guardOf(t, onlyBob(tokens)))},
	} {
		t.Run(name, func(t *testing.T) {
			own, err := guardOf(t, backends...).With(tokens)
			if err != nil {
				t.Fatal(err)
			}
			for user, want := range map[string]int{"alice": 401, "bob": 200} {
				wantStatus(t, get(own.Require()(whoami), "Authorization", "Token good-"+user), want)
			}
		})
	}
	t.Run("a chain that is decorated as a whole", func(t *testing.T) {
		chain := auth.Chain(tokens, speaking("X", auth.ErrNoCredentials))
		_, err := guardOf(t, onlyBob(chain)).With(tokens)
		if err == nil || !strings.Contains(err.Error(), "decorated as a whole") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a backend that the guard does not ask", func(t *testing.T) {
		with, err := guardOf(t, speaking("X", auth.ErrNoCredentials)).With(onlyBob(tokens))
		if err != nil {
			t.Fatal(err)
		}
		wantStatus(t, get(with.Require()(whoami), "Authorization", "Token good-alice"), 401)
		wantStatus(t, get(with.Require()(whoami), "Authorization", "Token good-bob"), 200)
	})
}

func TestWithKeepsTheFallbackOfWithoutDialog(t *testing.T) {
	basic, other := speaking("Basic", auth.ErrNoCredentials), speaking("Basic", auth.ErrNoCredentials)
	other.name = "other"
	with, err := guardOf(t, basic).WithoutDialog(auth.Challenge{Scheme: "Cookie"}).With(other)
	if err != nil {
		t.Fatal(err)
	}
	if got := get(with.Require()(whoami)).Header().Get("WWW-Authenticate"); got != "Cookie" {
		t.Errorf("challenge %q, want Cookie", got)
	}
}

func TestANilBackendIsNotAmongThoseOfAGuard(t *testing.T) {
	g := newGuard(t, auth.Config{Backends: []auth.Authenticator{tokens("Token")},
		Login: []auth.Authenticator{speaking("Basic", nil)}})
	if g.Has(nil) {
		t.Error("Has(nil) is true")
	}
	if _, err := g.Login(nil); err != nil {
		t.Errorf("Login(nil) returned %v", err)
	}
}

func TestLoginSaysWhenThereIsNone(t *testing.T) {
	basic := speaking("Basic", nil)
	none := guardOf(t, tokens("Token"))
	one := newGuard(t, auth.Config{Backends: []auth.Authenticator{tokens("Token")}, Login: []auth.Authenticator{basic}})
	for name, ask := range map[string]func() (*auth.Guard, error){
		"Config.Login is empty": func() (*auth.Guard, error) { return none.Login() },
		"all are left out":      func() (*auth.Guard, error) { return one.Login(basic) },
	} {
		if _, err := ask(); !errors.Is(err, auth.ErrNoLogin) {
			t.Errorf("%s: %v, want ErrNoLogin", name, err)
		}
	}
}

// itself is a struct of options that points to itself.
type itself struct {
	parent *itself
	inner  auth.Authenticator
}

type circular struct{ options *itself }

func (s circular) Authenticate(r *http.Request) (auth.User, auth.Credential, error) {
	return s.options.inner.Authenticate(r)
}

// guardian embeds a guard. Its method Ambient would speak for what guardian proves.
type guardian struct{ *auth.Guard }

func (g guardian) Unwrap() auth.Authenticator { return g.Guard }
func (g guardian) Authenticate(r *http.Request) (auth.User, auth.Credential, error) {
	if cookie, err := r.Cookie("remember"); err == nil {
		return user(cookie.Value), cred{backend: "remember"}, nil
	}
	return g.Guard.Authenticate(r)
}

// listed keeps a list of backends where no type tells of it.
type listed struct{ any any }

func (l listed) Challenges() []auth.Challenge { return []auth.Challenge{{Scheme: "X"}} }
func (l listed) Authenticate(r *http.Request) (auth.User, auth.Credential, error) {
	return l.any.([]auth.Authenticator)[0].Authenticate(r)
}

func TestNewRefusesWhatHidesAnotherBackend(t *testing.T) {
	options := &itself{inner: tokens("Token")}
	options.parent = options
	for name, backend := range map[string]auth.Authenticator{
		"options that point to themselves": circular{options},
		"an embedded guard":                guardian{guardOf(t, tokens("Token"))},
		"a list in a field of type any":    listed{[]auth.Authenticator{tokens("Token")}},
	} {
		if _, err := auth.New(
			auth.Config{Backends: []auth.Authenticator{backend},
				Challenges: []auth.Challenge{{Scheme: "Y"}}}); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}

func TestARequestOfABatchIsStrippedToo(t *testing.T) {
	b := tokens("Token")
	b.strip = []string{"X-Username"}
	g := guardOf(t, b)
	seen := "unset"
	inner := g.Require()(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		seen = r.Header.Get("X-Username")
	}))
	batch := g.Require()(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sub, err := http.NewRequestWithContext(r.Context(), "GET", "/x", nil)
		if err != nil {
			t.Error(err)
			return
		}
		sub.Header.Set("X-Username", "root") // as the body of the batch says
		inner.ServeHTTP(w, sub)
	}))
	wantStatus(t, get(batch, "Authorization", "Token good-alice"), 200)
	if seen != "" {
		t.Errorf("the handler saw X-Username %q", seen)
	}
}

// Middleware between Protect and the guard of a handler may set a header that the
// client sent, too: its word counts.
func TestAHeaderThatALayerInBetweenSetsIsNotReplaced(t *testing.T) {
	named := &backend{name: "named", strip: []string{"X-Username"}, challenges: []auth.Challenge{{Scheme: "X"}},
		answer: func(r *http.Request) (auth.User, auth.Credential, error) {
			return user(r.Header.Get("X-Username")), cred{backend: "named"}, nil
		}}
	g := guardOf(t, named)
	layer := func(set string) http.Handler {
		return g.Protect(muxOf("/login", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if set != "" {
				r = r.Clone(r.Context())
				r.Header.Set("X-Username", set)
			}
			g.Require()(whoami).ServeHTTP(w, r)
		})), auth.Open("/login"))
	}
	for set, want := range map[string]string{"from-tls": "from-tls", "": "root"} {
		for _, name := range []string{"X-Username", "x_username"} {
			r := request("GET", "/login")
			r.Header[name] = []string{"root"}
			if set == "" && name != "X-Username" {
				continue // which the backend does not read
			}
			if got := do(layer(set), r).Body.String(); !strings.Contains(got, want) ||
				strings.Contains(got, "root") != (want == "root") {
				t.Errorf("%s, and a layer that sets %q: %s, want %s", name, set, got, want)
			}
		}
	}
}

// unrolled is a list of errors that unwraps to its rest, as those of some libraries do.
type unrolled []error

func (u unrolled) Error() string { return u[0].Error() }
func (u unrolled) Unwrap() error {
	if len(u) == 1 {
		return nil
	}
	return u[1:]
}
func (u unrolled) Is(target error) bool { return len(u) > 0 && errors.Is(u[0], target) }

// stated is a list with a kind of its own.
type stated []error

func (s stated) Error() string        { return "stated" }
func (s stated) Is(target error) bool { return target == auth.ErrInvalid }

// annotated knows only errors of its own type.
type annotated struct{ error }

func (a annotated) Unwrap() error        { return a.error }
func (a annotated) Is(target error) bool { _, ok := target.(annotated); return ok }

func TestAnOutageInAListThatUnwrapsToItsRestIsAnOutage(t *testing.T) {
	down := errors.New("store down")
	for name, list := range map[string]unrolled{
		"before":                    {down, auth.ErrNoCredentials},
		"after":                     {auth.ErrNoCredentials, down},
		"between":                   {auth.ErrNoCredentials, down, auth.ErrUnrecognized},
		"before what is not spoken": {down, auth.ErrUnrecognized},
	} {
		if got := auth.KindOf(list); got != nil {
			t.Errorf("%s: KindOf is %v, want nil", name, got)
		}
		wantStatus(t, get(guardOf(t, speaking("Token", list)).Optional()(whoami), "Authorization", "Token x"), 503)
	}
	for name, list := range map[string]error{
		"a joined outage":      unrolled{errors.Join(auth.ErrNoCredentials, down)},
		"an undecided one":     unrolled{&auth.Error{Cause: auth.ErrNoCredentials}},
		"one that is wrapped":  fmt.Errorf("%w", unrolled{errors.Join(down, auth.ErrUnrecognized)}),
		"one that has a nil":   unrolled{nil, down, auth.ErrNoCredentials},
		"an annotated list":    annotated{unrolled{auth.ErrNoCredentials, down}},
		"an annotated outage":  annotated{down},
		"an annotated absence": annotated{auth.ErrNoCredentials}, // which may be a list
		"one without elements": unrolled{},
	} {
		if got := auth.KindOf(list); got != nil {
			t.Errorf("%s: KindOf is %v, want nil", name, got)
		}
	}
	if got := auth.KindOf(stated{auth.ErrNoCredentials}); got != auth.ErrInvalid {
		t.Errorf("a list that states a kind of its own: KindOf is %v", got)
	}
	if got := auth.KindOf(unrolled{auth.ErrNoCredentials, auth.ErrNoCredentials}); got != auth.ErrNoCredentials {
		t.Errorf("no outage: KindOf is %v", got)
	}
	if got := auth.KindOf(unrolled{down, auth.ErrInvalid}); got != auth.ErrInvalid {
		t.Errorf("one that decides: KindOf is %v", got)
	}
}

func TestWithLooksThroughTheVerifierOfAnAPIKey(t *testing.T) {
	tokens := tokens("Token")
	keys := &keyed{tokens}
	g := newGuard(t, auth.Config{Backends: []auth.Authenticator{onlyBob(keys)},
		Challenges: []auth.Challenge{{Scheme: "Key"}}})
	own, err := g.With(tokens)
	if err != nil {
		t.Fatal(err)
	}
	for header, want := range map[string]map[string]int{"X-Key": {"alice": 401, "bob": 200},
		"Authorization": {"alice": 401, "bob": 401}} {
		for name, want := range want {
			wantStatus(t, get(own.Require()(whoami), header, "Token good-"+name), want)
		}
	}
}

// keyed reads tokens from a header of its own.
type keyed struct{ tokens *backend }

func (k *keyed) Backend() string              { return "keys" }
func (k *keyed) Verifier() auth.TokenVerifier { return verifying{k.tokens} }
func (k *keyed) Unwrap() auth.Authenticator   { return nil }
func (k *keyed) Authenticate(r *http.Request) (auth.User, auth.Credential, error) {
	if r.Header.Get("X-Key") == "" {
		return nil, nil, auth.ErrNoCredentials
	}
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", r.Header.Get("X-Key"))
	return k.tokens.Authenticate(r)
}

type verifying struct{ *backend }

func (v verifying) Unwrap() auth.Authenticator { return v.backend }
func (verifying) VerifyToken(context.Context, string) (auth.User, auth.Credential, error) {
	return nil, nil, auth.ErrInvalid
}

func TestALoginByABackendOfTheGuardIsDecoratedToo(t *testing.T) {
	sessions := tokens("Token")
	g := newGuard(t, auth.Config{Backends: []auth.Authenticator{onlyBob(sessions)},
		Login: []auth.Authenticator{sessions}})
	login, err := g.Login()
	if err != nil {
		t.Fatal(err)
	}
	wantStatus(t, get(login.Require()(whoami), "Authorization", "Token good-alice"), 401)
	wantStatus(t, get(login.Require()(whoami), "Authorization", "Token good-bob"), 200)
	if _, err := g.Login(sessions); !errors.Is(err, auth.ErrNoLogin) {
		t.Errorf("without it: %v", err)
	}
}

func TestABackendOfAnInnerGuardKeepsItsRules(t *testing.T) {
	trusting := http.NewCrossOriginProtection()
	if err := trusting.AddTrustedOrigin("https://a.example"); err != nil {
		t.Fatal(err)
	}
	cookie := tokens("Token")
	cookie.ambient = true
	g := newGuard(
		t, auth.Config{Backends: []auth.Authenticator{guardOf(t, cookie), speaking("X", auth.ErrNoCredentials)},
			CrossOrigin: trusting})
	own, err := g.With(cookie)
	if err != nil {
		t.Fatal(err)
	}
	for name, guard := range map[string]*auth.Guard{"the guard": g, "With": own} {
		r := request("DELETE", "http://example.com/", "Authorization", "Token good-alice", "Origin",
			"https://a.example", "Sec-Fetch-Site", "cross-site")
		wantStatusOf(t, name, do(guard.Require()(whoami), r).Code, 403)
	}
}

func TestWithOfAGuardThatWithMadeFindsTheDecorator(t *testing.T) {
	tokens, other := tokens("Token"), speaking("X", auth.ErrNoCredentials)
	first, err := guardOf(t, onlyBob(tokens), other).With(other)
	if err != nil {
		t.Fatal(err)
	}
	second, err := first.With(tokens)
	if err != nil {
		t.Fatal(err)
	}
	wantStatus(t, get(second.Require()(whoami), "Authorization", "Token good-alice"), 401)
}

func TestABackendThatCannotBeComparedIsRefusedRatherThanMissed(t *testing.T) {
	function := auth.AuthenticatorFunc(tokens("Token").Authenticate)
	challenges := []auth.Challenge{{Scheme: "Token"}}
	decorated := newGuard(t, auth.Config{Backends: []auth.Authenticator{onlyBob(function)}, Challenges: challenges})
	if _, err := decorated.With(function); err == nil || !strings.Contains(err.Error(), "pointer") {
		t.Errorf("With returned %v", err)
	}
	login := newGuard(t, auth.Config{Backends: []auth.Authenticator{tokens("Token")},
		Login: []auth.Authenticator{function, speaking("Basic", auth.ErrNoCredentials)}, Challenges: challenges})
	if _, err := login.Login(function); err == nil || !strings.Contains(err.Error(), "pointer") {
		t.Errorf("Login returned %v", err)
	}
	if _, err := login.Login(); err != nil {
		t.Errorf("Login of all returned %v", err)
	}
}

type deeper struct{ guardian }

func (d deeper) Unwrap() auth.Authenticator { return d.Guard }

// ambientBackend is an interface with the method Ambient, which embedding promotes.
type ambientBackend interface {
	auth.Authenticator
	auth.Ambient
}

type promoting struct{ ambientBackend }

func (p promoting) Unwrap() auth.Authenticator { return p.ambientBackend }

func TestAGuardEmbeddedDeeperIsRefusedToo(t *testing.T) {
	inner := guardOf(t, tokens("Token"))
	for name, backend := range map[string]auth.Authenticator{
		"a struct in a struct": deeper{guardian{inner}}, "a pointer": &deeper{guardian{inner}},
		"an interface": promoting{inner},
	} {
		if _, err := auth.New(auth.Config{Backends: []auth.Authenticator{backend}}); err == nil ||
			!strings.Contains(err.Error(), "embeds a *Guard") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAnAPIKeyIsNoLoginForTheTokensBehindIt(t *testing.T) {
	tokens, basic := tokens("Token"), speaking("Basic", auth.ErrNoCredentials)
	keys := &keyed{tokens}
	for name, login := range map[string][]auth.Authenticator{"beside": {tokens, basic}, "alone": {tokens},
		"both": {tokens, keys, basic}} {
		g := newGuard(t, auth.Config{Backends: []auth.Authenticator{tokens, keys}, Login: login})
		by, err := g.Login()
		if err != nil {
			t.Fatal(err)
		}
		want := 401
		if name == "both" {
			want = 200
		}
		wantStatusOf(t, name, get(by.Require()(whoami), "X-Key", "Token good-alice").Code, want)
		own, err := g.With(tokens)
		if err != nil {
			t.Fatal(err)
		}
		wantStatusOf(t, name+", With", get(own.Require()(whoami), "X-Key", "Token good-alice").Code, 401)
		if _, err := g.With(tokens, keys); err != nil {
			t.Errorf("%s: With of both: %v", name, err)
		}
	}
	g := newGuard(t, auth.Config{Backends: []auth.Authenticator{tokens, keys}, Login: []auth.Authenticator{tokens}})
	if _, err := g.Login(tokens); !errors.Is(err, auth.ErrNoLogin) {
		t.Errorf("Login without the tokens: %v", err)
	}
}

func TestLoginLeavesOutABackendOfAnInnerGuard(t *testing.T) {
	sessions, basic := tokens("Token"), speaking("Basic", auth.ErrNoCredentials)
	g := newGuard(t, auth.Config{Backends: []auth.Authenticator{guardOf(t, onlyBob(sessions))},
		Login: []auth.Authenticator{sessions, basic}})
	for name, ask := range map[string]func() (*auth.Guard, error){
		"all": func() (*auth.Guard, error) { return g.Login() }, "without": func() (*auth.Guard, error) {
			return g.Login(sessions)
		},
	} {
		login, err := ask()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for user, want := range map[string]int{"alice": 401, "bob": map[string]int{"all": 200, "without": 401}[name]} {
			wantStatusOf(t, name+" "+user, get(login.Require()(whoami), "Authorization", "Token good-"+user).Code, want)
		}
	}
}

func TestTwoFunctionsAreTwoBackends(t *testing.T) {
	first := auth.AuthenticatorFunc(tokens("Token").Authenticate)
	second := auth.AuthenticatorFunc(func(*http.Request) (auth.User, auth.Credential, error) {
		return nil, nil, auth.ErrNoCredentials
	})
	if _, err := auth.New(auth.Config{Backends: []auth.Authenticator{onlyBob(first)},
		Login:      []auth.Authenticator{second},
		Challenges: []auth.Challenge{{Scheme: "Token"}}}); err != nil {
		t.Error(err)
	}
}

func TestWithOfAZeroGuardDoesNotPanic(t *testing.T) {
	_, _ = new(auth.Guard).With(tokens("Token"))
}
