package authtest_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/authtest"
)

func nobodyGuard(t testing.TB) *auth.Guard {
	t.Helper()
	guard, err := auth.New(auth.Config{
		Backends: []auth.Authenticator{auth.AuthenticatorFunc(func(*http.Request) (auth.User, auth.Credential, error) {
			return nil, nil, auth.ErrNoCredentials
		})},
		Challenges: []auth.Challenge{{Scheme: "Bearer", Params: []auth.Param{{Name: "realm", Value: "api"}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return guard
}

var whoami = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	if u, ok := auth.UserFrom[authtest.TestUser](r.Context()); ok {
		_, _ = io.WriteString(w, u.ID)
	}
	if c, ok := auth.CredentialFrom[authtest.Credential](r.Context()); ok {
		_, _ = io.WriteString(w, " by "+c.Backend())
	}
})

func serve(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestEveryGuardBelievesAPlantedIdentity(t *testing.T) {
	one, two := nobodyGuard(t), nobodyGuard(t)
	r := authtest.WithIdentity(httptest.NewRequest("GET", "/", nil), authtest.User("alice"),
		authtest.Credential{Name: "knox"})
	for _, h := range []http.Handler{one.Require()(whoami), one.Optional()(whoami),
		one.Require()(two.Require()(whoami)), one.Require()(one.Require()(whoami))} {
		if w := serve(h, r); w.Code != 200 || w.Body.String() != "alice by knox" {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	}
	if w := serve(whoami, r); w.Body.Len() > 0 {
		t.Errorf("a handler behind no guard found %s", w.Body)
	}
}

func TestAPlantedIdentityIsSubjectToPolicies(t *testing.T) {
	g := nobodyGuard(t)
	planted := func(u auth.User, c auth.Credential) *http.Request {
		return authtest.WithIdentity(httptest.NewRequest("GET", "/", nil), u, c)
	}
	alice := authtest.User("alice")
	for name, row := range map[string]struct {
		r      *http.Request
		policy auth.Policy
		status int
	}{
		"a scope that is there":   {planted(alice, authtest.Credential{Scope: []string{"a"}}), auth.Scopes("a"), 200},
		"a scope that is missing": {planted(alice, authtest.Credential{Scope: []string{"b"}}), auth.Scopes("a"), 403},
		"limited to nothing":      {planted(alice, authtest.Credential{Limited: true}), auth.FullAccess, 403},
		"not limited":             {planted(alice, authtest.Credential{}), auth.FullAccess, 200},
		"no credential":           {planted(alice, nil), auth.FullAccess, 200},
		"a fresh login": {planted(alice, authtest.Credential{Auth: auth.AuthInfo{AuthTime: time.Now()}}),
			auth.Fresh(time.Minute), 200},
		"no login":           {planted(alice, authtest.Credential{}), auth.Fresh(time.Minute), 401},
		"a machine":          {planted(auth.Machine{ID: "m"}, nil), auth.FullAccess, 403},
		"an allowed machine": {planted(auth.Machine{ID: "m"}, nil), auth.AllowMachines, 200},
	} {
		t.Run(name, func(t *testing.T) {
			if w := serve(g.Require(row.policy)(whoami), row.r); w.Code != row.status {
				t.Errorf("status %d, want %d", w.Code, row.status)
			}
		})
	}
}

func TestANilUserTakesThePlantedOneAway(t *testing.T) {
	r := authtest.WithIdentity(httptest.NewRequest("GET", "/", nil), authtest.User("alice"), nil)
	for _, nobody := range []auth.User{nil, (*auth.Machine)(nil)} {
		r := authtest.WithIdentity(r, nobody, nil)
		if w := serve(nobodyGuard(t).Require()(whoami), r); w.Code != 401 {
			t.Errorf("status %d", w.Code)
		}
	}
}

func TestACredentialTellsWhatItWasGiven(t *testing.T) {
	end := time.Now()
	c := authtest.Credential{TokenID: "7", Expiry: end, IsPrimary: true, IsAmbient: true}
	if c.Backend() != "authtest" || c.ID() != "7" || !c.ExpiresAt().Equal(end) || !c.Primary() || !c.Ambient() {
		t.Errorf("%+v", c)
	}
}

func TestParseChallenges(t *testing.T) {
	type P = auth.Param
	for name, row := range map[string]struct {
		lines []string
		want  []auth.Challenge
	}{
		"no line":        {nil, nil},
		"a scheme alone": {[]string{"Negotiate"}, []auth.Challenge{{Scheme: "Negotiate"}}},
		"the example of RFC 9110 §11.6.1": {[]string{
			`Basic realm="simple", Newauth realm="apps", type=1, title="Login to \"apps\""`}, []auth.Challenge{
			{Scheme: "Basic", Params: []P{{Name: "realm", Value: "simple"}}},
			{Scheme: "Newauth", Params: []P{{Name: "realm", Value: "apps"}, {Name: "type", Value: "1"},
				{Name: "title", Value: `Login to "apps"`}}}}},
		"the example of RFC 6750 §3": {[]string{
			`Bearer realm="example", error="invalid_token", error_description="The access token expired"`},
			[]auth.Challenge{
				{Scheme: "Bearer", Params: []P{{Name: "realm", Value: "example"},
					{Name: "error", Value: "invalid_token"},
					{Name: "error_description", Value: "The access token expired"}}}}},
		"several lines": {[]string{"Basic", "Bearer a=b"},
			[]auth.Challenge{{Scheme: "Basic"}, {Scheme: "Bearer", Params: []P{{Name: "a", Value: "b"}}}}},
		"lines are one list": {[]string{"Bearer a=b", "c=d"},
			[]auth.Challenge{{Scheme: "Bearer", Params: []P{{Name: "a", Value: "b"}, {Name: "c", Value: "d"}}}}},
		"schemes alone in a line": {[]string{"Negotiate, NTLM"},
			[]auth.Challenge{{Scheme: "Negotiate"}, {Scheme: "NTLM"}}},
		"a token68": {[]string{"Negotiate YII+/a==, Basic realm=x"},
			[]auth.Challenge{{Scheme: "Negotiate", Params: []P{{Value: "YII+/a=="}}},
				{Scheme: "Basic", Params: []P{{Name: "realm", Value: "x"}}}}},
		"empty elements": {[]string{" , Basic ,, ,Bearer a=b,", ","},
			[]auth.Challenge{{Scheme: "Basic"}, {Scheme: "Bearer", Params: []P{{Name: "a", Value: "b"}}}}},
		"spaces around =": {[]string{`Bearer a = b, c	=	"d"`},
			[]auth.Challenge{{Scheme: "Bearer", Params: []P{{Name: "a", Value: "b"}, {Name: "c", Value: "d"}}}}},
		"commas and = in a value": {[]string{`Bearer a="x, Basic y=z"`},
			[]auth.Challenge{{Scheme: "Bearer", Params: []P{{Name: "a", Value: "x, Basic y=z"}}}}},
		"escapes": {[]string{`Bearer a="\\\"\x"`},
			[]auth.Challenge{{Scheme: "Bearer", Params: []P{{Name: "a", Value: `\"x`}}}}},
		"an empty value, quoted": {[]string{`Bearer a=""`},
			[]auth.Challenge{{Scheme: "Bearer", Params: []P{{Name: "a"}}}}},
		"a name that looks a token68": {[]string{"Bearer a=b"},
			[]auth.Challenge{{Scheme: "Bearer", Params: []P{{Name: "a", Value: "b"}}}}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := authtest.ParseChallenges(http.Header{"Www-Authenticate": row.lines})
			if err != nil || !reflect.DeepEqual(got, row.want) {
				t.Errorf("%+v, %v, want %+v", got, err, row.want)
			}
		})
	}
	for name, line := range map[string]string{
		"a parameter without a scheme": `realm="x"`,
		"an open quote":                `Basic realm="x`,
		"an escape at the end":         `Basic realm="x\`,
		"no value":                     `Basic realm=, a=b`,
		"junk after a value":           `Basic realm="x"y`,
		"two values without a comma":   `Basic realm="x" a=b`,
		"a parameter twice":            `Basic realm="x", REALM="y"`,
		"a token68 and a parameter":    `Basic abc==, realm="x"`,
		"a control character":          "Basic realm=\"\x01\"",
		"no scheme":                    `"x"`,
		"a tab after the scheme":       "Basic\trealm=x y",
		"a scheme that is no token":    `Ba(sic realm="x"`,
		"single quotes with a space":   `Basic realm='a b'`,
		"two token68":                  `Basic abc def`,
	} {
		if got, err := authtest.ParseChallenges(http.Header{"Www-Authenticate": {line}}); err == nil {
			t.Errorf("%s: %q was read as %+v", name, line, got)
		}
	}
}

// FuzzParseChallenges checks that whatever is read and sent again is read the
// same.
func FuzzParseChallenges(f *testing.F) {
	f.Add(`Basic realm="a\"b", Bearer a=b` + "\n" + `Negotiate abc==`)
	f.Add("A b=c , d = \"\xff\",")
	f.Fuzz(func(t *testing.T, lines string) {
		got, err := authtest.ParseChallenges(http.Header{"Www-Authenticate": strings.Split(lines, "\n")})
		if err != nil {
			return
		}
		again := http.Header{}
		for _, c := range got {
			for _, p := range c.Params {
				if p.Name == "" || strings.ContainsRune(p.Value, '\t') { // a token68; and String leaves out tabs
					return
				}
			}
			again.Add("WWW-Authenticate", c.String())
		}
		twice, err := authtest.ParseChallenges(again)
		if err != nil || !reflect.DeepEqual(got, twice) {
			t.Errorf("%+v became %+v, %v", got, twice, err)
		}
	})
}

// fakeT counts complaints.
type fakeT struct {
	testing.TB
	errors []string
}

func (f *fakeT) Helper()           {}
func (f *fakeT) Error(args ...any) { f.errors = append(f.errors, fmt.Sprint(args...)) }
func (f *fakeT) Errorf(format string, args ...any) {
	f.errors = append(f.errors, fmt.Sprintf(format, args...))
}

func TestAssertionsComplainAboutWhatIsWrong(t *testing.T) {
	h := http.Header{"Www-Authenticate": {`Bearer realm="api", error="invalid_token"`, "Token, Basic, Basic"}}
	broken := http.Header{"Www-Authenticate": {`Bearer realm="`}}
	response := func(status int, contentType, body string) *http.Response {
		return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {contentType}},
			Body: io.NopCloser(strings.NewReader(body))}
	}
	const problem = `{"status":401,"code":"not_authenticated"}`
	for name, row := range map[string]struct {
		check      func(testing.TB)
		complaints int
	}{
		"the challenge": {func(t testing.TB) {
			authtest.AssertChallenge(t, h, "bearer", map[string]string{"REALM": "api", "error": "invalid_token"})
		}, 0},
		"whatever parameters": {func(t testing.TB) { authtest.AssertChallenge(t, h, "Bearer", nil) }, 0},
		"no parameters": {func(t testing.TB) {
			authtest.AssertChallenge(t, h, "Token", map[string]string{})
		}, 0},
		"one parameter too many": {func(t testing.TB) {
			authtest.AssertChallenge(t, h, "Bearer", map[string]string{"realm": "api"})
		}, 1},
		"another value, one lacks": {func(t testing.TB) {
			authtest.AssertChallenge(t, h, "Bearer", map[string]string{"realm": "x", "error": "invalid_token",
				"scope": "a"})
		}, 2},
		"no such scheme":          {func(t testing.TB) { authtest.AssertChallenge(t, h, "Digest", nil) }, 1},
		"two of the scheme":       {func(t testing.TB) { authtest.AssertChallenge(t, h, "Basic", nil) }, 1},
		"a header that is broken": {func(t testing.TB) { authtest.AssertChallenge(t, broken, "Bearer", nil) }, 1},
		"no challenge":            {func(t testing.TB) { authtest.AssertNoChallenge(t, http.Header{}) }, 0},
		"there is one":            {func(t testing.TB) { authtest.AssertNoChallenge(t, h) }, 1},
		"the problem": {func(t testing.TB) {
			authtest.AssertProblem(t, response(401, "application/problem+json", problem), 401, "not_authenticated")
		}, 0},
		"another status": {func(t testing.TB) {
			authtest.AssertProblem(t, response(403, "application/problem+json", problem), 401, "not_authenticated")
		}, 1},
		"another code": {func(t testing.TB) {
			authtest.AssertProblem(t, response(401, "application/problem+json", problem), 401, "x")
		}, 1},
		"another content type": {func(t testing.TB) {
			authtest.AssertProblem(t, response(401, "text/html", problem), 401, "not_authenticated")
		}, 1},
		"no JSON": {func(t testing.TB) {
			authtest.AssertProblem(t, response(401, "application/problem+json", "<p>"), 401, "x")
		}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			var f fakeT
			if row.check(&f); len(f.errors) != row.complaints {
				t.Errorf("%d complaints, want %d: %q", len(f.errors), row.complaints, f.errors)
			}
		})
	}
}
