package auth_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/authtest"
)

// logging returns a guard of backends and what it writes to its log.
func logging(t *testing.T, backends ...auth.Authenticator) (*auth.Guard, *bytes.Buffer) {
	t.Helper()
	var log bytes.Buffer
	return newGuard(t, auth.Config{Backends: backends, Logger: slog.New(slog.NewTextHandler(&log, nil))}), &log
}

func TestCredentialsThatNoBackendReads(t *testing.T) {
	const secret = "9944b09199c62bcf9418ad846dd0e4bbdfc6ee4b"
	const scheme = "The scheme of the Authorization header is not accepted here. See WWW-Authenticate."
	const word = "The Authorization header has no scheme that is accepted here. See WWW-Authenticate."
	for name, row := range map[string]struct {
		path, header string
		detail, log  string // parts of the sentence for the client, and of the log line
	}{
		"Bearer for a Token backend": {"/", "Bearer " + secret, scheme,
			"the scheme Bearer, and the backends that were asked speak Token"},
		"a bare token":                  {"/", secret, word, "a single word"},
		"a scheme that may be a secret": {"/", secret + " x", scheme, "a scheme that is not shown"},
		"a known scheme and a colon":    {"/", "Bearer: " + secret, scheme, "the scheme Bearer"},
		"a token in the query": {"/?access_token=" + secret, "",
			"A token in the address is not accepted. Send it in the Authorization header.",
			"access_token in its query"},
		"no credentials":                 {"/", "", "Authentication credentials were not provided.", ""},
		"a name that is only like token": {"/?my_access=1", "", "Authentication credentials were not provided.", ""},
	} {
		t.Run(name, func(t *testing.T) {
			g, log := logging(t, tokens("Token"))
			r := request("GET", row.path)
			if row.header != "" {
				r.Header.Set("Authorization", row.header)
			}
			w := do(g.Require()(whoami), r)
			problem := authtest.AssertProblem(t, w.Result(), 401, "not_authenticated")
			if problem["detail"] != row.detail {
				t.Errorf("detail %q, want %q", problem["detail"], row.detail)
			}
			if row.log == "" && log.Len() > 0 || !strings.Contains(log.String(), row.log) {
				t.Errorf("log %q, want %q", log, row.log)
			}
			if strings.Contains(log.String(), secret) || strings.Contains(w.Body.String(), secret) {
				t.Errorf("the token is shown: %s %s", log, w.Body)
			}
			if w := do(g.Optional()(whoami), r); w.Code != 200 {
				t.Errorf("optional: %d, want 200: there is nothing for a backend", w.Code)
			}
		})
	}
}

func TestABackendThatSaysMoreThanThatThereIsNothing(t *testing.T) {
	wrongType := &auth.Error{Kind: auth.ErrNoCredentials, Status: 415, Detail: "Send JSON.",
		Cause: errors.New("the body is XML")}
	stale := &auth.Error{Kind: auth.ErrNoCredentials, Cause: errors.New("the cookie is stale")}
	for name, row := range map[string]struct {
		backends []auth.Authenticator
		status   int
		detail   string
		log      []string
	}{
		"a status of its own": {[]auth.Authenticator{speaking("A", wrongType)}, 415, "Send JSON.",
			[]string{"the body is XML"}},
		"after one without a sentence": {[]auth.Authenticator{speaking("A", stale),
			speaking("B", auth.ErrNoCredentials), speaking("C", wrongType)},
			415, "Send JSON.", []string{"the cookie is stale", "the body is XML"}},
		"a cause alone": {[]auth.Authenticator{speaking("A", stale)}, 401,
			"Authentication credentials were not provided.", []string{"the cookie is stale"}},
		"a later one proves": {[]auth.Authenticator{speaking("A", wrongType), speaking("B", nil)}, 200, "", nil},
		"a later one is bad": {[]auth.Authenticator{speaking("A", wrongType), speaking("B", auth.ErrInvalid)}, 401,
			"Incorrect authentication credentials.", nil},
	} {
		t.Run(name, func(t *testing.T) {
			g, log := logging(t, row.backends...)
			w := get(g.Require()(whoami))
			if w.Code != row.status || !strings.Contains(w.Body.String(), row.detail) {
				t.Errorf("%d %s, want %d %q", w.Code, w.Body, row.status, row.detail)
			}
			if (w.Header().Get("WWW-Authenticate") != "") != (row.status == 401) {
				t.Errorf("status %d with the challenges %q", w.Code, w.Header()["Www-Authenticate"])
			}
			for _, want := range row.log {
				if !strings.Contains(log.String(), want) {
					t.Errorf("log %q, want %q", log, want)
				}
			}
			if strings.Contains(w.Body.String(), "XML") || strings.Contains(w.Body.String(), "stale") {
				t.Errorf("the client is told the cause: %s", w.Body)
			}
		})
	}
}

func TestARefusalIsOneLineOfEachLog(t *testing.T) {
	var one, other bytes.Buffer
	logger, another := slog.New(slog.NewTextHandler(&one, nil)), slog.New(slog.NewTextHandler(&other, nil))
	for name, row := range map[string]struct {
		observer   auth.Observer
		one, other int
	}{
		"without an observer":               {nil, 1, 0},
		"SlogObserver with the same logger": {auth.SlogObserver(logger), 1, 0},
		"SlogObserver with another logger":  {auth.SlogObserver(another), 1, 1},
		"an observer of its own":            {auth.ObserverFunc(func(context.Context, auth.Event) {}), 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			one.Reset()
			other.Reset()
			refusing := speaking("Token", &auth.Error{Kind: auth.ErrInvalid, Cause: errors.New("the token expired")})
			g := newGuard(t, auth.Config{Backends: []auth.Authenticator{refusing}, Logger: logger,
				Observer: row.observer})
			get(g.Require()(whoami))
			for _, log := range []struct {
				text string
				want int
			}{{one.String(), row.one}, {other.String(), row.other}} {
				if n := strings.Count(log.text, "the token expired"); n != log.want ||
					strings.Count(log.text, "\n") != log.want {
					t.Errorf("%d lines %q, want %d", n, log.text, log.want)
				}
			}
		})
	}
}

func TestTheLogNamesEachBackendThatDoesNotRecognizeAToken(t *testing.T) {
	not := func(scheme, why string) *backend {
		return speaking(scheme, &auth.Error{Kind: auth.ErrUnrecognized, Cause: errors.New(why)})
	}
	g, log := logging(t, not("One", "it has no prefix"), not("Two", "it has no dots"), not("Three", "it is too long"))
	if w := get(g.Require()(whoami)); w.Code != 401 {
		t.Errorf("%d", w.Code)
	}
	for _, want := range []string{"backend=one", "it has no prefix", "By two: ", "it has no dots", "By three: ",
		"it is too long"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("log %q, want %q", log, want)
		}
	}
}

func TestAPolicySaysWhyInTheLog(t *testing.T) {
	now := time.Now()
	at := func(login time.Time) auth.Credential {
		return authtest.Credential{Auth: auth.AuthInfo{AuthTime: login, ACR: "low"}}
	}
	limited := authtest.Credential{Limited: true, Scope: []string{"a"}}
	for name, row := range map[string]struct {
		policy     auth.Policy
		user       auth.User
		credential auth.Credential
		status     int
		log        string
	}{
		"full access where scopes are asked for": {auth.Scopes("b"), user("u"), authtest.Credential{}, 403,
			"auth.FullAccessOr admits both"},
		"another scope": {auth.Scopes("b", "c"), user("u"), limited, 403,
			`has the scopes \"a\", and the route asks for all of [\"b\" \"c\"]`},
		"not one of several scopes": {auth.AnyScope("b", "c"), user("u"), limited, 403, "asks for one of"},
		"a limited credential": {auth.FullAccess, user("u"), limited, 403,
			"the credential is limited to scopes"},
		"a user of another type": {auth.UserIs(func(*ptrUser) bool { return true }), user("u"), nil,
			403, "the user is a auth_test.user, and auth.UserIs asks for a *auth_test.ptrUser"},
		"a user that is not admitted": {auth.UserIs(func(user) bool { return false }), user("u"), nil, 403,
			"did not admit the user"},
		"a machine": {auth.FullAccess, auth.Machine{ID: "job"}, nil, 403,
			"auth.AllowMachines"},
		"an old login": {auth.Fresh(time.Minute), user("u"), at(now.Add(-time.Hour)), 401,
			"logged in 1h0m0s ago, and auth.Fresh asks for 1m0s"},
		"a login in the future": {auth.Fresh(time.Minute), user("u"), at(now.AddDate(10, 0, 0)), 401,
			"in the future, so it is not believed"},
		"a login half a minute in the future": {auth.Fresh(time.Minute), user("u"),
			at(now.Add(30 * time.Second)), 200, ""},
		"no time of a login": {auth.Fresh(time.Minute), user("u"), at(time.Time{}), 401,
			"does not know when"},
		"another context": {auth.Fresh(0, "high"), user("u"), at(now), 401,
			`is \"low\", and auth.Fresh asks for one of [\"high\"]`},
		"a policy that cannot decide": {func(*http.Request, auth.User, auth.Credential) error {
			return errors.New("ldap is down")
		}, user("u"), nil, 503, "a policy of the route cannot decide: ldap is down"},
	} {
		t.Run(name, func(t *testing.T) {
			b := speaking("Token", nil)
			b.answer = func(*http.Request) (auth.User, auth.Credential, error) { return row.user, row.credential, nil }
			g, log := logging(t, b)
			w := get(g.Require(row.policy)(whoami))
			if w.Code != row.status || !strings.Contains(log.String(), row.log) {
				t.Errorf("%d %s, log %s; want %d and %q", w.Code, w.Body, log, row.status, row.log)
			}
			if row.log != "" && strings.Contains(w.Body.String(), row.log) {
				t.Errorf("the client is told the cause: %s", w.Body)
			}
		})
	}
}

func TestProtectTellsOnceOfARouteThatItCloses(t *testing.T) {
	g, log := logging(t, tokens("Token"))
	mux := http.NewServeMux()
	for _, pattern := range []string{"POST /login", "GET /open", "GET /admin", "GET /other"} {
		mux.Handle(pattern, whoami)
	}
	app := g.Protect(mux, auth.Open("GET /open"), auth.Route("GET /admin", auth.FullAccess))
	for range 3 {
		for _, each := range []string{"POST /login", "GET /open", "GET /admin", "GET /nowhere", "GET /other"} {
			method, path, _ := strings.Cut(each, " ")
			do(app, request(method, path))
		}
	}
	do(app, request("GET", "/other", "Authorization", "Token good-alice"))
	for route, want := range map[string]int{`"POST /login"`: 1, `"GET /other"`: 1, "/open": 0, "/admin": 0,
		"/nowhere": 0} {
		if n := strings.Count(log.String(), "route="+route); n != want {
			t.Errorf("%d lines about %s, want %d:\n%s", n, route, want, log)
		}
	}
	if n := strings.Count(log.String(), "\n"); n != 2 {
		t.Errorf("%d lines, want 2:\n%s", n, log)
	}
}

func TestALoaderThatReturnsAnotherUserIsABug(t *testing.T) {
	var load auth.UserLoader = func(_ context.Context, id string) (auth.User, error) {
		return user(strings.ToLower(id)), nil
	}
	if u, err := load.Load(t.Context(), "alice"); err != nil || u.UserID() != "alice" {
		t.Errorf("%v, %v", u, err)
	}
	u, err := load.Load(t.Context(), "ALICE")
	if u != nil || auth.KindOf(err) != auth.ErrInternal || !strings.Contains(fmt.Sprint(err), `"ALICE"`) {
		t.Errorf("Load of another spelling: %v, %v, want ErrInternal", u, err)
	}
	if u, err := load.Find(t.Context(), "ALICE"); err != nil || u.UserID() != "alice" {
		t.Errorf("Find of another spelling: %v, %v, want the user", u, err)
	}
}

func TestALoaderThatReturnsTheErrorOfItsDatabase(t *testing.T) {
	for _, text := range []string{"sql: no rows in result set", "load: no rows in result set"} {
		var load auth.UserLoader = func(context.Context, string) (auth.User, error) { return nil, errors.New(text) }
		_, err := load.Load(t.Context(), "alice")
		if auth.KindOf(err) != nil || !strings.Contains(err.Error(), "Return auth.ErrUserNotFound") {
			t.Errorf("%v, want an outage that names auth.ErrUserNotFound", err)
		}
	}
}

func TestTheStatusInTheLogIsThatOfTheAnswer(t *testing.T) {
	g, log := logging(t, speaking("Token", &auth.Error{Kind: auth.ErrMalformed, Cause: errors.New("two parts")}))
	mapped := g.MapProblem(func(_ *http.Request, p *auth.Problem) { p.Status = http.StatusForbidden })
	if w := get(mapped.Require()(whoami)); w.Code != 403 || !strings.Contains(log.String(), "status=403") {
		t.Errorf("%d, log %s", w.Code, log)
	}
}

func TestUnitAFloodOfRefusals(t *testing.T) {
	refuse := func(guard *auth.Guard, n int) {
		for range n {
			get(guard.Require()(whoami), "Authorization", "Bearer x")
		}
	}
	bad := refusing(&auth.Error{Kind: auth.ErrInvalid, Cause: errors.New("unknown")})
	t.Run("writes a bounded number of lines, and says how many were left out", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var text bytes.Buffer
			events := new(recorder)
			guard := newGuard(t, auth.Config{Backends: []auth.Authenticator{bad}, Observer: events,
				Logger: slog.New(slog.NewTextHandler(&text, nil))})
			refuse(guard, 1000)
			if n := strings.Count(text.String(), "\n"); n != 100 {
				t.Errorf("1,000 refusals at once made %d lines, want 100", n)
			}
			if n := len(events.take()); n != 1000 {
				t.Errorf("the observer was told of %d, want all 1,000", n)
			}
			text.Reset()
			<-time.After(time.Second)
			refuse(guard, 1000)
			if n := strings.Count(text.String(), "\n"); n != 10 || strings.Count(text.String(), "left_out=900") != 1 {
				t.Errorf("a second later %d lines, want 10, of which one has left_out=900: %s", n, text.String())
			}
		})
	})
	t.Run("writes every line if AllowLogFlood is set", func(t *testing.T) {
		var text bytes.Buffer
		refuse(newGuard(t, auth.Config{Backends: []auth.Authenticator{bad}, AllowLogFlood: true,
			Logger: slog.New(slog.NewTextHandler(&text, nil))}), 1000)
		if n := strings.Count(text.String(), "\n"); n != 1000 {
			t.Errorf("%d lines, want 1,000", n)
		}
	})
	t.Run("does not hide an outage", func(t *testing.T) {
		var text bytes.Buffer
		either := refusing(nil)
		either.answer = func(r *http.Request) (auth.User, auth.Credential, error) {
			if r.Header.Get("Authorization") == "Bearer down" {
				return nil, nil, errors.New("the store is down")
			}
			return nil, nil, auth.ErrInvalid
		}
		guard := newGuard(t, auth.Config{Backends: []auth.Authenticator{either},
			Logger: slog.New(slog.NewTextHandler(&text, nil))})
		refuse(guard, 1000)
		get(guard.Require()(whoami), "Authorization", "Bearer down")
		if !strings.Contains(text.String(), "the store is down") {
			t.Error("the outage is not in the log")
		}
	})
}
