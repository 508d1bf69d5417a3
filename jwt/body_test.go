package jwt_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/jwt"
)

// quietHandlers are handlers of tokens with the login backend of the tests.
func quietHandlers(t testing.TB) (*jwt.Handlers, *jwt.Tokens) {
	t.Helper()
	tokens, people, _ := newTokens(t, nil)
	guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{tokens},
		Login:      []auth.Authenticator{auth.AuthenticatorFunc(people.passwords)},
		Challenges: []auth.Challenge{{Scheme: "Bearer"}}})
	if err != nil {
		t.Fatal(err)
	}
	handlers, err := tokens.Handlers(guard)
	if err != nil {
		t.Fatal(err)
	}
	return handlers, tokens
}

func postTo(h http.Handler, contentType, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", "/", strings.NewReader(body))
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestBodiesAreReadAsJSONOrForms(t *testing.T) {
	handlers, tokens := quietHandlers(t)
	pair, err := tokens.Issue(t.Context(), "alice", jwt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	good := pair.Access.Reveal()
	for sentence, row := range map[string]struct {
		contentType, body string
		status            int
	}{
		"JSON":                    {"application/json", `{"token":"` + good + `"}`, 200},
		"JSON with a charset":     {"application/json; charset=utf-8", `{"token":"` + good + `"}`, 200},
		"JSON in UTF-8, shouted":  {"application/json; charset=\"UTF-8\"", `{"token":"` + good + `"}`, 200},
		"JSON in another charset": {"application/json; charset=latin1", `{"token":"` + good + `"}`, 415},
		"JSON with other members": {"application/json", `{"x":[1,{}],"token":"` + good + `"}`, 200},
		"JSON with spaces around": {"application/json", `{"token":"  ` + good + `\n"}`, 200},
		"a form":                  {"application/x-www-form-urlencoded", "token=" + good, 200},
		"a member twice":          {"application/json", `{"token":"x","token":"` + good + `"}`, 400},
		"a field twice":           {"application/x-www-form-urlencoded", "token=x&token=" + good, 400},
		"a name in another case":  {"application/json", `{"Token":"` + good + `"}`, 400},
		"a broken form":           {"application/x-www-form-urlencoded", "token=%zz", 400},
		"two objects":             {"application/json", `{}{}`, 400},
		"a number":                {"application/json", `{"token":5}`, 400},
		"no type":                 {"", "token=" + good, 415},
		"a text":                  {"text/plain", "token=" + good, 415},
		"nothing":                 {"", "", 400},
		"17 KiB":                  {"application/json", `{"token":"` + strings.Repeat("x", 17<<10) + `"}`, 413},
		"a token of 9 KiB":        {"application/json", `{"token":"` + strings.Repeat("x", 9<<10) + `"}`, 400},
		"deeply nested": {"application/json", strings.Repeat(`{"a":`, 100) + "1" + strings.Repeat(
			"}", 100), 400},
		"a NUL":                      {"application/json", `{"token":"\u0000"}`, 400},
		"half a surrogate":           {"application/json", `{"token":"\ud800"}`, 400},
		"what is no UTF-8":           {"application/json", "{\"token\":\"\xff\"}", 400},
		"a form of what is no UTF-8": {"application/x-www-form-urlencoded", "token=%ff", 400},
	} {
		if w := postTo(handlers.Verify, row.contentType, row.body); w.Code != row.status {
			t.Errorf("%s: %d %s, want %d", sentence, w.Code, w.Body, row.status)
		}
	}
}

func TestUnitABodyThatSomebodyElseLimitsIsTooLong(t *testing.T) {
	handlers, _ := quietHandlers(t)
	limited := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, 100)
		handlers.Verify.ServeHTTP(w, r)
	})
	if w := postTo(limited, "application/json", `{"token":"`+strings.Repeat("x", 1000)+`"}`); w.Code != 413 {
		t.Errorf("%d %s, want 413", w.Code, w.Body)
	}
}

func FuzzBodies(f *testing.F) {
	for _, body := range []string{`{"username":"alice","password":"alicealice"}`, `{"refresh":"a.b.c"}`,
		"username=alice&password=x", "refresh=x", `{"token":null}`, "%", "{", ""} {
		f.Add(body, true)
		f.Add(body, false)
	}
	handlers, tokens := quietHandlers(f)
	pair, err := tokens.Issue(f.Context(), "alice", jwt.Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(`{"refresh":"`+pair.Refresh.Reveal()+`"}`, true)
	f.Fuzz(func(t *testing.T, body string, asJSON bool) {
		contentType := "application/x-www-form-urlencoded"
		if asJSON {
			contentType = "application/json"
		}
		for name, h := range map[string]http.Handler{"obtain": handlers.Obtain, "refresh": handlers.Refresh,
			"verify":    handlers.Verify,
			"blacklist": handlers.Blacklist, "sliding": handlers.Sliding, "sliding refresh": handlers.SlidingRefresh} {
			w := postTo(h, contentType, body)
			switch w.Code {
			case 200, 400, 401, 413:
			default:
				t.Errorf("%s of %q: %d %s", name, body, w.Code, w.Body)
			}
			if !json.Valid(w.Body.Bytes()) {
				t.Errorf("%s of %q: %s", name, body, w.Body)
			}
		}
	})
}
