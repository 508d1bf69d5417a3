package backend_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
)

type person string

func (p person) UserID() string { return string(p) }

type proof struct{}

func (proof) Backend() string { return "test" }

// desk is an endpoint, and counts how often its backend was asked.
type desk struct {
	guard   *auth.Guard
	asked   int
	handler http.Handler
}

// newDesk has GET and POST at an endpoint that protect of the guard protects.
func newDesk(t *testing.T, config auth.Config, protect func(*auth.Guard) func(http.Handler) http.Handler) *desk {
	t.Helper()
	d := &desk{}
	config.Backends = []auth.Authenticator{auth.AuthenticatorFunc(func(r *http.Request) (auth.User,
		auth.Credential, error) {
		d.asked++
		switch r.Header.Get("X-User") {
		case "":
			return nil, nil, auth.ErrNoCredentials
		case "bad":
			return nil, nil, auth.ErrInvalid
		}
		return person(r.Header.Get("X-User")), proof{}, nil
	})}
	config.Challenges = []auth.Challenge{{Scheme: "Test"}}
	var err error
	if d.guard, err = auth.New(config); err != nil {
		t.Fatal(err)
	}
	tell := func(w http.ResponseWriter, r backend.Request) {
		body := map[string]any{"method": r.Method}
		if r.User != nil {
			body["user"], body["backend"] = r.User.UserID(), r.Credential.Backend()
		}
		backend.WriteJSON(w, http.StatusCreated, body)
	}
	d.handler = backend.NewEndpoint(d.guard, protect(d.guard), backend.Methods{"GET": tell, "POST": tell,
		"DELETE": func(w http.ResponseWriter, r backend.Request) { backend.NotFound(d.guard, w, r.Request) }})
	return d
}

func required(g *auth.Guard) func(http.Handler) http.Handler { return g.Require() }
func optional(g *auth.Guard) func(http.Handler) http.Handler { return g.Optional() }
func open(*auth.Guard) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler { return next }
}

// do sends a request with headers in pairs.
func (d *desk) do(method string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("GET", "https://app.example/", nil)
	r.Method = method
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	d.handler.ServeHTTP(w, r)
	return w
}

func TestAMethodIsToldWhoAskedAndNothingIsCached(t *testing.T) {
	for sentence, row := range map[string]struct {
		protect func(*auth.Guard) func(http.Handler) http.Handler
		user    string
		status  int
		want    string
	}{
		"a user, required":   {required, "alice", 201, `{"backend":"test","method":"POST","user":"alice"}`},
		"a user, optional":   {optional, "alice", 201, `{"backend":"test","method":"POST","user":"alice"}`},
		"nobody, required":   {required, "", 401, ""},
		"nobody, optional":   {optional, "", 201, `{"method":"POST"}`},
		"a bad one":          {optional, "bad", 401, ""},
		"whoever, unguarded": {open, "alice", 201, `{"method":"POST"}`},
	} {
		w := newDesk(t, auth.Config{}, row.protect).do("POST", "X-User", row.user)
		if w.Code != row.status || row.want != "" && w.Body.String() != row.want+"\n" ||
			w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %s %v", sentence, w.Code, w.Body, w.Header())
		}
	}
}

func TestAnotherMethodIs405AndNobodyIsAuthenticated(t *testing.T) {
	d := newDesk(t, auth.Config{}, required)
	for _, method := range []string{"PUT", "PATCH", "TRACE", "get", "\x00\u202e" + strings.Repeat("x", 50)} {
		w := d.do(method, "X-User", "bad", "Sec-Fetch-Site", "cross-site")
		var body struct{ Code, Detail string }
		if err := json.Unmarshal(w.Body.Bytes(), &body); w.Code != 405 || err != nil ||
			body.Code != "method_not_allowed" {
			t.Errorf("%q: %d %s", method, w.Code, w.Body)
		}
		if got := w.Header().Get("Allow"); got != "DELETE, GET, HEAD, POST, OPTIONS" {
			t.Errorf("%q: Allow %q", method, got)
		}
		if len(body.Detail) > 60 || strings.ContainsAny(body.Detail, "\x00\u202e") {
			t.Errorf("%q: detail %q", method, body.Detail)
		}
	}
	if d.asked != 0 {
		t.Errorf("the backend was asked %d times", d.asked)
	}
}

func TestOPTIONSTellsTheMethods(t *testing.T) {
	d := newDesk(t, auth.Config{}, required)
	for _, headers := range [][]string{nil, {"Origin", "https://evil.example"},
		{"Access-Control-Request-Method", "POST"}} {
		if w := d.do("OPTIONS", headers...); w.Code != 204 || w.Header().Get("Allow") != "DELETE, GET, HEAD, POST, "+
			"OPTIONS" || d.asked != 0 {
			t.Errorf("%v: %d %v, asked %d", headers, w.Code, w.Header(), d.asked)
		}
	}
}

func TestAPreflightIsTheGuardsBusinessWhateverProtects(t *testing.T) {
	for sentence, protect := range map[string]func(*auth.Guard) func(http.Handler) http.Handler{"required": required,
		"optional": optional, "unguarded": open} {
		d := newDesk(t, auth.Config{Preflight: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Access-Control-Allow-Origin", r.Header.Get("Origin"))
			w.WriteHeader(http.StatusOK)
		})}, protect)
		w := d.do("OPTIONS", "Origin", "https://friend.example", "Access-Control-Request-Method", "POST")
		if w.Code != 200 || w.Header().Get("Access-Control-Allow-Origin") != "https://friend.example" || d.asked != 0 {
			t.Errorf("%s: %d %v, asked %d", sentence, w.Code, w.Header(), d.asked)
		}
	}
}

func TestAPageOfAnotherOriginIsRefusedBeforeAnybodyIsAuthenticated(t *testing.T) {
	for _, protect := range []func(*auth.Guard) func(http.Handler) http.Handler{required, optional, open} {
		d := newDesk(t, auth.Config{}, protect)
		for _, method := range []string{"POST", "DELETE"} {
			for _, headers := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Origin", "https://evil.example"}} {
				if w := d.do(method, append(headers, "X-User", "alice")...); w.Code != 403 ||
					!strings.Contains(w.Body.String(), "cross_origin") {
					t.Errorf("%s %v: %d %s", method, headers, w.Code, w.Body)
				}
			}
		}
		if d.asked != 0 {
			t.Errorf("the backend was asked %d times", d.asked)
		}
		for _, headers := range [][]string{{"Sec-Fetch-Site", "same-origin"}, {"Origin", "https://app.example"}, nil} {
			if w := d.do("POST", append(headers, "X-User", "alice")...); w.Code != 201 {
				t.Errorf("%v: %d %s", headers, w.Code, w.Body)
			}
		}
		if w := d.do("GET", "Sec-Fetch-Site", "cross-site", "X-User", "alice"); w.Code != 201 {
			t.Errorf("a link from elsewhere: %d %s", w.Code, w.Body)
		}
	}
}

func TestWhatIsNotThereIs404ByTheGuardsRenderer(t *testing.T) {
	d := newDesk(t, auth.Config{Render: func(w http.ResponseWriter, _ *http.Request, p *auth.Problem) {
		w.WriteHeader(p.Status)
		_, _ = w.Write([]byte("page of " + p.Code))
	}}, required)
	if w := d.do("DELETE", "X-User", "alice"); w.Code != 404 || w.Body.String() != "page of not_found" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
