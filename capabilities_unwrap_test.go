package auth_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/gatewarden/auth"
)

// decorator is the ordinary way to put something around a backend. It loses
// every optional interface of it.
type decorator struct{ auth.Authenticator }

// kept is the same with the method that keeps them.
type kept struct{ auth.Authenticator }

func (k kept) Unwrap() auth.Authenticator { return k.Authenticator }

// traced is a credential with something beside it.
type traced struct {
	auth.Credential
	keep bool
}

func (c traced) Unwrap() auth.Credential {
	if c.keep {
		return c.Credential
	}
	return nil
}

// scoped is a credential that is limited to scopes.
type scoped struct {
	cred
	scopes []string
}

func (s scoped) Scopes() ([]string, bool) { return s.scopes, true }

// provenBy is a backend of a scheme that proves alice by a credential.
func provenBy(credential auth.Credential) *backend {
	b := speaking("Token", nil)
	b.answer = func(*http.Request) (auth.User, auth.Credential, error) { return user("alice"), credential, nil }
	return b
}

func TestAsFindsWhatIsFurtherOutFirst(t *testing.T) {
	b := speaking("Token", nil)
	if found, ok := auth.As[*backend](kept{kept{b}}); !ok || found != b {
		t.Errorf("As did not find the backend below two decorators: %v, %v", found, ok)
	}
	if _, ok := auth.As[auth.HeaderStripper](decorator{b}); ok {
		t.Error("As found something through a decorator without Unwrap")
	}
	inner := scoped{scopes: []string{"a"}}
	outer := traced{scoped{scopes: []string{"b"}}, true}
	if found, _ := auth.As[auth.Scoped](outer); found == nil {
		t.Error("As did not find Scoped below a traced credential")
	}
	if found, ok := auth.As[scoped](traced{traced{inner, true}, true}); !ok || found.scopes[0] != "a" {
		t.Errorf("As found %v, %v", found, ok)
	}
	if _, ok := auth.As[auth.Scoped](nil); ok {
		t.Error("As found something in nil")
	}
	if n := testing.AllocsPerRun(100, func() { _, _ = auth.As[auth.Scoped](outer) }); n > 1 {
		t.Errorf("As allocates %v times", n)
	}
}

// loop unwraps to itself.
type loop struct{ cred }

func (l loop) Unwrap() auth.Credential { return l }

func TestAsEndsWhereAValueUnwrapsToItself(t *testing.T) {
	if _, ok := auth.As[auth.Scoped](loop{}); ok {
		t.Error("As found a capability that is not there")
	}
}

func TestADecoratedBackendStillStripsItsHeaders(t *testing.T) {
	proxy := proxyOnly("X-Username")
	if _, err := auth.New(auth.Config{Backends: []auth.Authenticator{tokens("Token"), decorator{proxy}}}); err == nil ||
		!strings.Contains(err.Error(), "Unwrap") {
		t.Errorf("New took a decorator that loses capabilities: %v", err)
	}
	for name, backend := range map[string]auth.Authenticator{
		"plain": proxy, "with Unwrap": kept{proxy}, "by Wrap": auth.Wrap(proxy, proxy.Authenticate),
		"twice":          kept{kept{proxy}},
		"around a chain": kept{auth.Chain(proxy)}, "a chain of decorators": auth.Chain(kept{proxy}),
		"by a pointer": &kept{proxy},
	} {
		t.Run(name, func(t *testing.T) {
			seen := "unset"
			h := guardOf(t, tokens("Token"),
				backend).Require()(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				seen = r.Header.Get("X-Username")
			}))
			wantStatus(t, get(h, "Authorization", "Token good-stranger", "X-Username", "admin"), 200)
			if seen != "" {
				t.Errorf("the handler saw %q, want no header", seen)
			}
		})
	}
}

func TestNewRefusesWhateverHoldsABackendUnseen(t *testing.T) {
	b := speaking("Token", nil)
	type inner struct{ next auth.Authenticator }
	for name, bad := range map[string]auth.Authenticator{
		"embedded":                      decorator{b},
		"embedded by pointer":           &decorator{b},
		"in a named field":              named{b},
		"in a slice":                    sliced{[]auth.Authenticator{b}},
		"in a map":                      mapped{map[string]auth.Authenticator{"a": b}},
		"in a struct in a field":        nested{inner: inner{b}},
		"of a concrete type":            concrete{b},
		"in a field of type any":        anything{b},
		"below one with Unwrap":         kept{decorator{b}},
		"a slice of backends":           list{b},
		"inside Wrap":                   auth.Wrap(decorator{b}, b.Authenticate),
		"in a chain":                    auth.Chain(decorator{b}),
		"nil, but it could be":          decorator{},
		"a struct behind a field":       behind{&decorator{b}},
		"in a list of structs":          rows{[]row{{b}}},
		"in a table of structs":         table{map[string]*row{"a": {b}}},
		"by a function":                 lazy{func() auth.Authenticator { return b }},
		"in a decorated chain":          kept{auth.Chain(decorator{b})},
		"in a chain in Wrap":            auth.Wrap(auth.Chain(decorator{b}), b.Authenticate),
		"several in the list unwrapped": several{list{proxyOnly("X-One"), proxyOnly("X-Two")}},
		"in options by pointer":         optioned{&options{b}},
		"beside the one unwrapped":      two{proxyOnly("X-One"), proxyOnly("X-Username")},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := auth.New(
				auth.Config{Backends: []auth.Authenticator{bad},
					Challenges: []auth.Challenge{{Scheme: "X"}}}); err == nil ||
				!strings.Contains(err.Error(), "Unwrap") {
				t.Errorf("New returned %v, want an error about Unwrap", err)
			}
			if _, err := auth.New(auth.Config{Backends: []auth.Authenticator{b}, Login: []auth.Authenticator{bad},
				Challenges: []auth.Challenge{{Scheme: "X"}}}); err == nil ||
				!strings.Contains(err.Error(), "Config.Login[0]") {
				t.Errorf("New returned %v for Config.Login, want an error that names it", err)
			}
		})
	}
	// A function with a method more is a backend, and does not decorate one.
	if _, err := auth.New(auth.Config{Backends: []auth.Authenticator{challenging{absentFunc}}}); err != nil {
		t.Errorf("a function with challenges: %v", err)
	}
	// One that holds a backend for another purpose says so.
	if _, err := auth.New(auth.Config{Backends: []auth.Authenticator{notADecorator{b, b}},
		Challenges: []auth.Challenge{{Scheme: "X"}}}); err != nil {
		t.Errorf("a backend whose Unwrap returns nil: %v", err)
	}
}

type (
	several  struct{ all []auth.Authenticator }
	options  struct{ inner auth.Authenticator }
	optioned struct{ o *options }
	row      struct{ b auth.Authenticator }
	rows     struct{ all []row }
	table    struct{ all map[string]*row }
	lazy     struct{ get func() auth.Authenticator }
	two      struct{ first, second auth.Authenticator }
	named    struct{ next auth.Authenticator }
	sliced   struct{ all []auth.Authenticator }
	mapped   struct{ all map[string]auth.Authenticator }
	nested   struct{ inner any }
	concrete struct{ next *backend }
	anything struct{ next any }
	list     []auth.Authenticator
	behind   struct{ *decorator }
)

func absent() (auth.User, auth.Credential, error) { return nil, nil, auth.ErrNoCredentials }

func (named) Authenticate(*http.Request) (auth.User, auth.Credential, error)    { return absent() }
func (sliced) Authenticate(*http.Request) (auth.User, auth.Credential, error)   { return absent() }
func (mapped) Authenticate(*http.Request) (auth.User, auth.Credential, error)   { return absent() }
func (nested) Authenticate(*http.Request) (auth.User, auth.Credential, error)   { return absent() }
func (concrete) Authenticate(*http.Request) (auth.User, auth.Credential, error) { return absent() }
func (anything) Authenticate(*http.Request) (auth.User, auth.Credential, error) { return absent() }
func (list) Authenticate(*http.Request) (auth.User, auth.Credential, error)     { return absent() }

func (several) Authenticate(*http.Request) (auth.User, auth.Credential, error)  { return absent() }
func (s several) Unwrap() auth.Authenticator                                    { return s.all[0] }
func (optioned) Authenticate(*http.Request) (auth.User, auth.Credential, error) { return absent() }
func (rows) Authenticate(*http.Request) (auth.User, auth.Credential, error)     { return absent() }
func (table) Authenticate(*http.Request) (auth.User, auth.Credential, error)    { return absent() }
func (lazy) Authenticate(*http.Request) (auth.User, auth.Credential, error)     { return absent() }
func (two) Authenticate(*http.Request) (auth.User, auth.Credential, error)      { return absent() }
func (t two) Unwrap() auth.Authenticator                                        { return t.first }

// challenging is a function with a challenge.
type challenging struct{ auth.AuthenticatorFunc }

func (challenging) Challenges() []auth.Challenge { return []auth.Challenge{{Scheme: "X"}} }

var absentFunc = auth.AuthenticatorFunc(func(*http.Request) (auth.User, auth.Credential, error) { return absent() })

type notADecorator struct{ loginFor, fallback auth.Authenticator }

func (notADecorator) Authenticate(*http.Request) (auth.User, auth.Credential, error) { return absent() }
func (notADecorator) Unwrap() auth.Authenticator                                     { return nil }

func TestNewRefusesWhatWrapCannotCall(t *testing.T) {
	b := speaking("Token", nil)
	var none *auth.Guard
	for name, bad := range map[string]auth.Authenticator{"a nil backend": auth.Wrap(nil, b.Authenticate),
		"a nil function":    auth.Wrap(b, nil),
		"a nil guard below": auth.Wrap(none, b.Authenticate), "a chain with nil": kept{auth.Chain(b, nil)}} {
		t.Run(name, func(t *testing.T) {
			if _, err := auth.New(
				auth.Config{Backends: []auth.Authenticator{bad},
					Challenges: []auth.Challenge{{Scheme: "X"}}}); err == nil {
				t.Error("New returned no error")
			}
		})
	}
}

func TestADecoratedChainIsCheckedLikeAFlatOne(t *testing.T) {
	own := func(name, prefix string) *backend {
		b := speaking("Bearer", auth.ErrNoCredentials)
		b.name, b.classes = name, []auth.TokenClass{{Scheme: "Bearer", Prefix: prefix}}
		return b
	}
	for name, row := range map[string]struct {
		backends []auth.Authenticator
		fault    string
	}{
		"two owners": {[]auth.Authenticator{kept{auth.Chain(own("a", "gw_"), own("b", "gw_"))}},
			"both own"},
		"two of a name": {[]auth.Authenticator{kept{auth.Chain(own("a", "x_"), own("a", "y_"))}},
			`named "a"`},
		"two that do not say": {[]auth.Authenticator{kept{auth.Chain(muteBackend{"a"}, muteBackend{"b"})}},
			"OwnTokens"},
		"one that does not say inside": {[]auth.Authenticator{own("a", "gw_"), kept{auth.Chain(muteBackend{"b"})}},
			`"b" has no OwnTokens`},
		"one that does not say, a guard": {[]auth.Authenticator{own("a", "gw_"), guardOf(t, muteBackend{"b"})},
			`"b" has no OwnTokens`},
		"right": {[]auth.Authenticator{kept{auth.Chain(own("a", "x_"), own("b", "y_"))}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := auth.New(auth.Config{Backends: row.backends})
			if row.fault == "" != (err == nil) || err != nil && !strings.Contains(err.Error(), row.fault) {
				t.Errorf("New returned %v, want an error about %q", err, row.fault)
			}
		})
	}
}

func TestAUserThatHidesAnotherIsABug(t *testing.T) {
	for name, row := range map[string]struct {
		user   auth.User
		status int
	}{
		"a machine in a user without Unwrap": {hidden{auth.Machine{ID: "robot"}}, 500},
		"a user in a user without Unwrap":    {hidden{user("alice")}, 500},
		"the same by pointer":                {&hidden{user("alice")}, 500},
		"two levels deep":                    {deep{middle{user("alice")}}, 500},
		"an embedded machine":                {robot{auth.Machine{ID: "robot"}}, 500},
		"a user with an actor beside it":     {acting{"alice", user("admin")}, 200},
		"one that embeds itself":             {&selfish{}, 200},
		"a user with Unwrap":                 {tenant{user("alice")}, 200},
		"a machine with Unwrap":              {tenant{auth.Machine{ID: "robot"}}, 403},
	} {
		t.Run(name, func(t *testing.T) {
			b := speaking("Token", nil)
			b.answer = func(*http.Request) (auth.User, auth.Credential, error) { return row.user, nil, nil }
			g := guardOf(t, b)
			for range 2 { // the second time from memory
				wantStatus(t, get(g.Require()(whoami)), row.status)
			}
		})
	}
}

type (
	middle struct{ auth.User }
	deep   struct{ middle }
	robot  struct{ auth.Machine }
	acting struct {
		id    string
		Actor auth.User
	}
	selfish struct{ *selfish }
)

func (deep) UserID() string     { return "acme/alice" }
func (robot) UserID() string    { return "robot" }
func (a acting) UserID() string { return a.id }
func (*selfish) UserID() string { return "selfish" }

// hidden is a user with something beside it, that names itself anew.
type hidden struct{ auth.User }

func (h hidden) UserID() string { return "acme/" + h.User.UserID() }

func TestPoliciesSeeNoHeaderThatIsStripped(t *testing.T) {
	seen := "unset"
	note := func(r *http.Request, _ auth.User, _ auth.Credential) error {
		seen = r.Header.Get("X-Username")
		return auth.ErrInsufficient
	}
	rendered := "unset"
	g := newGuard(t, auth.Config{Backends: []auth.Authenticator{tokens("Token"), proxyOnly("X-Username")},
		Render: func(w http.ResponseWriter, r *http.Request, p *auth.Problem) {
			rendered = r.Header.Get("X-Username")
			auth.WriteProblem(w, p)
		}})
	wantStatus(t, get(g.Require(note)(whoami), "Authorization", "Token good-a", "X-Username", "admin"), 403)
	if seen != "" || rendered != "" {
		t.Errorf("the policy saw %q and Render %q, want no header", seen, rendered)
	}
}

func TestAWrappedCredentialGrantsNoMore(t *testing.T) {
	limited, full := scoped{scopes: []string{"files:read"}}, authFull{}
	write := auth.Any(auth.FullAccess, auth.Scopes("files:write"))
	for name, row := range map[string]struct {
		credential auth.Credential
		policy     auth.Policy
		status     int
	}{
		"a limited one":                                   {limited, write, 403},
		"wrapped with Unwrap":                             {traced{limited, true}, write, 403},
		"wrapped without":                                 {traced{limited, false}, write, 403},
		"a scope it has, wrapped with Unwrap":             {traced{limited, true}, auth.Scopes("files:read"), 200},
		"a scope it has, wrapped without":                 {traced{limited, false}, auth.Scopes("files:read"), 403},
		"full access":                                     {full, write, 200},
		"full access, wrapped with Unwrap":                {traced{full, true}, write, 200},
		"full access, wrapped without":                    {traced{full, false}, write, 403},
		"one that says nothing of scopes":                 {cred{}, write, 403},
		"one that says nothing of scopes, without policy": {cred{}, auth.All(), 200},
		"nil has full access":                             {nil, write, 200},
		"FullAccessOr, full":                              {full, auth.FullAccessOr("files:read"), 200},
		"FullAccessOr, limited":                           {limited, auth.FullAccessOr("files:read"), 200},
		"FullAccessOr, limited to other scopes":           {limited, auth.FullAccessOr("files:write"), 403},
	} {
		t.Run(name, func(t *testing.T) {
			wantStatus(t, get(guardOf(t, provenBy(row.credential)).Require(row.policy)(whoami)), row.status)
		})
	}
}

// authFull is a credential with full access.
type authFull struct{ cred }

func (authFull) Scopes() ([]string, bool) { return nil, false }

// says is a credential that says whether browsers add it.
type says struct {
	cred
	ambient bool
}

func (s says) Ambient() bool { return s.ambient }

func TestTheOriginIsCheckedUnlessSomebodySaysThatItNeedNotBe(t *testing.T) {
	yes, no := says{ambient: true}, says{}
	silent := func(c auth.Credential) auth.Authenticator { // a backend without Ambient
		return auth.AuthenticatorFunc(func(*http.Request) (auth.User, auth.Credential, error) {
			return user("alice"), c, nil
		})
	}
	backendSays := func(ambient bool, c auth.Credential) auth.Authenticator {
		b := provenBy(c)
		b.ambient = ambient
		return b
	}
	for name, row := range map[string]struct {
		backend auth.Authenticator
		status  int
	}{
		"no one says anything":                        {silent(cred{}), 403},
		"no one says anything, nil credential":        {silent(nil), 403},
		"the credential says yes":                     {silent(yes), 403},
		"the credential says no":                      {silent(no), 200},
		"the credential says no, wrapped without":     {silent(traced{no, false}), 403},
		"the credential says no, wrapped with Unwrap": {silent(traced{no, true}), 200},
		"the backend says no":                         {backendSays(false, cred{}), 200},
		"the backend says no, nil credential":         {backendSays(false, nil), 200},
		"the backend says no, the credential yes":     {backendSays(false, yes), 403},
		"the backend says yes, the credential no":     {backendSays(true, no), 403},
		"the backend says yes, decorated":             {kept{backendSays(true, cred{})}, 403},
		"the backend says no, decorated":              {kept{backendSays(false, cred{})}, 200},
		"a guard as backend":                          {guardOf(t, backendSays(false, cred{})), 200},
		"a guard as backend, ambient":                 {guardOf(t, backendSays(true, cred{})), 403},
		"a decorator of a guard, no one says": {
			auth.Wrap(guardOf(t, backendSays(false, cred{})), silent(cred{}).Authenticate), 403},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGuard(t, auth.Config{Backends: []auth.Authenticator{row.backend},
				Challenges: []auth.Challenge{{Scheme: "X"}}})
			r := request("POST", "/", "Sec-Fetch-Site", "cross-site")
			wantStatus(t, do(g.Require()(whoami), r), row.status)
			wantStatus(t, do(g.Require()(whoami), request("POST", "/")), 200) // sent by no browser
		})
	}
}

func TestTwoBackendsOfOneSchemeSayWhichTokensAreWhose(t *testing.T) {
	own := func(name string, classes ...auth.TokenClass) *backend {
		b := speaking("Bearer", auth.ErrNoCredentials)
		b.name, b.classes = name, classes
		return b
	}
	mute := func(name string) auth.Authenticator { return muteBackend{name} }
	gw := auth.TokenClass{Scheme: "Bearer", Prefix: "gw_"}
	for name, row := range map[string]struct {
		backends []auth.Authenticator
		fault    string
	}{
		"two with the same prefix": {[]auth.Authenticator{own("a", gw), own("b", gw)}, "both own"},
		"one of them decorated":    {[]auth.Authenticator{own("a", gw), kept{own("b", gw)}}, "both own"},
		"one of them in a decorated chain": {[]auth.Authenticator{own("a", gw), kept{auth.Chain(own("b", gw))}},
			"both own"},
		"two that do not say": {[]auth.Authenticator{mute("a"), mute("b")}, "OwnTokens"},
		"one that does not say": {[]auth.Authenticator{own("a", gw), mute("b")},
			`"b" has no OwnTokens`},
		"one that does not say, the other way":  {[]auth.Authenticator{mute("a"), own("b")}, `"a" has no OwnTokens`},
		"one that tells its tokens apart":       {[]auth.Authenticator{own("a", gw), own("b")}, ""},
		"one that does not say, alone":          {[]auth.Authenticator{mute("a"), tokens("Token")}, ""},
		"the same in Backends and Login apart":  {[]auth.Authenticator{own("a", gw)}, ""},
		"one without a challenge beside others": {[]auth.Authenticator{own("a", gw), proxyOnly("X-User")}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := auth.New(auth.Config{Backends: row.backends})
			if row.fault == "" != (err == nil) || err != nil && !strings.Contains(err.Error(), row.fault) {
				t.Errorf("New returned %v, want an error about %q", err, row.fault)
			}
		})
	}
	_, err := auth.New(auth.Config{Backends: []auth.Authenticator{own("a", gw)},
		Login: []auth.Authenticator{own("b", gw)}})
	if err != nil {
		t.Errorf("one owner in each list, which are never asked together: %v", err)
	}
}

// muteBackend speaks Bearer and does not say which tokens it owns.
type muteBackend struct{ name string }

func (m muteBackend) Backend() string              { return m.name }
func (m muteBackend) Challenges() []auth.Challenge { return []auth.Challenge{{Scheme: "Bearer"}} }
func (m muteBackend) Authenticate(*http.Request) (auth.User, auth.Credential, error) {
	return absent()
}

func TestAnOutageThatIsAlsoUnrecognizedIsRescuedByNoBackend(t *testing.T) {
	down := errors.New("connection refused")
	for name, err := range map[string]error{
		"joined by fmt":                  fmt.Errorf("%w: %w", auth.ErrUnrecognized, down),
		"joined by errors":               errors.Join(auth.ErrUnrecognized, down),
		"joined with absent and outage":  errors.Join(auth.ErrNoCredentials, auth.ErrUnrecognized, down),
		"an Error joined with an outage": errors.Join(&auth.Error{Kind: auth.ErrUnrecognized}, down),
	} {
		t.Run(name, func(t *testing.T) {
			second := speaking("Bearer", nil)
			wantStatus(t, get(guardOf(t, speaking("Token", err), second).Optional()(whoami), "Authorization",
				"Token x"), 503)
			if second.asked != 0 {
				t.Error("the next backend was asked")
			}
		})
	}
	for name, err := range map[string]error{
		"wrapped":               fmt.Errorf("token: %w", auth.ErrUnrecognized),
		"joined with absent":    errors.Join(auth.ErrNoCredentials, auth.ErrUnrecognized),
		"an Error with a cause": &auth.Error{Kind: auth.ErrUnrecognized, Cause: down},
	} {
		t.Run(name, func(t *testing.T) {
			wantStatus(t, get(guardOf(t, speaking("Token", err), speaking("Bearer", nil)).Require()(whoami),
				"Authorization", "Token x"), 200)
		})
	}
}

func TestABadTokenIsNotRescuedByWhatTheBrowserAdded(t *testing.T) {
	session := speaking("Cookie", nil)
	session.ambient = true
	closure := auth.AuthenticatorFunc(func(*http.Request) (auth.User, auth.Credential, error) {
		return user("bob"), says{ambient: true}, nil
	})
	for name, ambient := range map[string]auth.Authenticator{"a session": session, "one decorated": kept{session},
		"one whose credential says so": closure,
		"a guard of sessions":          guardOf(t, session),
		"a guard in a guard":           guardOf(t, guardOf(t, kept{session})),
		"a decorated chain":            kept{auth.Chain(session)},
		"one that does not say": auth.AuthenticatorFunc(func(r *http.Request) (auth.User, auth.Credential, error) {
			return user("bob"), nil, nil
		})} {
		t.Run(name, func(t *testing.T) {
			g := guardOf(t, tokens("Token"), ambient)
			for _, h := range []http.Handler{g.Require()(whoami), g.Optional()(whoami)} {
				w := get(h, "Authorization", "Token other-abc")
				wantStatus(t, w, 401)
				if code := member(t, w, "code"); code != auth.CodeInvalidToken {
					t.Errorf("code %v, want invalid_token", code)
				}
			}
			wantStatus(t, get(g.Require()(whoami)), 200) // without a token, the cookie proves bob
		})
	}
	// Also where the token's backend stands in the same decorated chain.
	for name, h := range map[string]http.Handler{
		"a decorated chain": guardOf(t, kept{auth.Chain(tokens("Token"), session)}).Require()(whoami),
		"a decorator that answers itself": guardOf(t, tokens("Token"),
			auth.Wrap(auth.Chain(speaking("Bearer", auth.ErrNoCredentials)),
				func(*http.Request) (auth.User, auth.Credential, error) {
					return user("fallback"), nil, nil
				})).Require()(
			whoami),
		"a guard of a decorated chain": guardOf(t, guardOf(t, kept{auth.Chain(tokens("Token"), session)})).Require()(
			whoami),
	} {
		t.Run(name, func(t *testing.T) { wantStatus(t, get(h, "Authorization", "Token other-abc"), 401) })
	}
	explicit := speaking("Bearer", nil)
	wantUser(t, get(guardOf(t, tokens("Token"), session, explicit).Require()(whoami), "Authorization",
		"Token other-abc"), "bearer-user")
}

func TestANilGuardLetsNothingThrough(t *testing.T) {
	var g *auth.Guard
	if _, err := g.With(speaking("Token", nil)); err == nil {
		t.Error("With of a nil guard returned no error")
	}
	if g.WithoutDialog() != nil || g.MapProblem(nil) != nil || g.CheckOrigin(request("GET", "/")) == nil ||
		len(g.Proxies().Trusted) > 0 {
		t.Error("a nil guard became something")
	}
	for name, h := range map[string]http.Handler{"Require": g.Require()(whoami), "Optional": g.Optional()(whoami),
		"Protect": g.Protect(http.NewServeMux())} {
		t.Run(name, func(t *testing.T) {
			wantStatus(t, get(h), 500)
			r := request("GET", "/")
			wantStatus(t, do(h, r.WithContext(auth.WithIdentity(r.Context(), user("alice"), nil))), 500)
			wantStatus(t, get(guardOf(t, speaking("Token", nil)).Require()(h)), 500)
		})
	}
}

func TestAMethodThatALayerChangesIsCheckedForItsOrigin(t *testing.T) {
	session := speaking("Cookie", nil)
	session.ambient = true
	for _, g := range []*auth.Guard{guardOf(t, session), guardOf(t, guardOf(t, session))} {
		inner := g.Require()(whoami)
		for method, status := range map[string]int{"DELETE": 403, "GET": 200, "HEAD": 200} {
			h := g.Require()(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				r.Method = method
				inner.ServeHTTP(w, r)
			}))
			wantStatus(t, get(h, "Sec-Fetch-Site", "cross-site"), status)
		}
	}
}

func TestSettingsChangedAfterNewDoNotChangeTheGuard(t *testing.T) {
	bad := speaking("Bearer", auth.ErrInvalid)
	backends, login := []auth.Authenticator{tokens("Token")}, []auth.Authenticator{speaking("Basic", nil)}
	challenges := []auth.Challenge{{Scheme: "X", Params: []auth.Param{{Name: "realm", Value: "a"}}}}
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	g := newGuard(t, auth.Config{Backends: backends, Login: login, Challenges: challenges,
		Proxies: auth.Proxies{Trusted: trusted}})
	chained := []auth.Authenticator{tokens("Token")}
	chain := auth.Chain(chained...)
	backends[0], login[0], challenges[0].Scheme, chained[0] = bad, bad, "Y", bad
	trusted[0] = netip.MustParsePrefix("192.0.2.0/24")
	g.Proxies().Trusted[0] = trusted[0]

	wantStatus(t, get(g.Require()(whoami), "Authorization", "Token good-a"), 200)
	loginGuard, err := g.Login()
	if err != nil {
		t.Fatal(err)
	}
	wantStatus(t, get(loginGuard.Require()(whoami)), 200)
	if _, _, err := chain.Authenticate(request("GET", "/", "Authorization", "Token good-a")); err != nil {
		t.Errorf("the chain returned %v", err)
	}
	if got := get(g.Require()(whoami)).Header()["Www-Authenticate"]; got[1] != `X realm="a"` {
		t.Errorf("challenges %q", got)
	}
	r := request("GET", "/", "X-Forwarded-For", "198.51.100.7")
	r.RemoteAddr = "192.0.2.1:1234"
	if ip := g.Proxies().ClientIP(r); ip.String() != "192.0.2.1" {
		t.Errorf("client %v: a proxy was added after New", ip)
	}
}
