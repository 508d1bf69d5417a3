package backend_test

import (
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
)

func TestIsLoopback(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "LOCALHOST.": true, "app.localhost": true, "app.localhost.:8000": true, "127.0.0.1": true,
		"127.9.9.9:80": true,
		"[::1]":        true, "[::1]:8000": true, "::1": true, "::ffff:127.0.0.1": true,
		"": false, ".localhost": false, "evil.com/.localhost": false, "evil.com#.localhost": false,
		"evil.com@app.localhost": false,
		"notlocalhost":           false, "localhost.example": false, "10.0.0.1": false, "app.example": false,
		"0.0.0.0": false,
	} {
		if got := backend.IsLoopback(host); got != want {
			t.Errorf("IsLoopback(%q) is %v, want %v", host, got, want)
		}
	}
}

func TestCookie(t *testing.T) {
	for name, row := range map[string]struct {
		cookie backend.Cookie
		ok     bool
		line   string // set with a life of a minute
	}{
		"the default": {backend.Cookie{Name: "s"}, true, "__Host-s=v; Path=/; Max-Age=60; HttpOnly; Secure; " +
			"SameSite=Lax"},
		"strict": {backend.Cookie{Name: "s", SameSite: http.SameSiteStrictMode}, true,
			"__Host-s=v; Path=/; Max-Age=60; HttpOnly; Secure; SameSite=Strict"},
		"insecure": {backend.Cookie{Name: "s", Insecure: true}, true,
			"s=v; Path=/; Max-Age=60; HttpOnly; SameSite=Lax"},
		"None and insecure":   {backend.Cookie{Name: "s", Insecure: true, SameSite: http.SameSiteNoneMode}, false, ""},
		"with a prefix":       {backend.Cookie{Name: "__Host-s"}, false, ""},
		"not a cookie's name": {backend.Cookie{Name: "a b"}, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if err := row.cookie.Check(); row.ok != (err == nil) {
				t.Fatalf("Check returned %v", err)
			}
			if !row.ok {
				return
			}
			h := http.Header{"Set-Cookie": {"other=1", row.cookie.FullName() + "=old"}}
			row.cookie.Set(h, "v", time.Minute)
			if got := strings.Join(h["Set-Cookie"], "\n"); got != "other=1\n"+row.line {
				t.Errorf("Set-Cookie %q, want other=1 and %q", got, row.line)
			}
			row.cookie.Set(h, "v", -time.Minute)
			if !strings.Contains(h["Set-Cookie"][1], "Max-Age=1;") {
				t.Errorf("a life that is over: %q, want a second", h["Set-Cookie"][1])
			}
			row.cookie.Clear(h)
			if len(h["Set-Cookie"]) != 2 || !strings.Contains(h["Set-Cookie"][1], "Max-Age=0") {
				t.Errorf("cleared: %q", h["Set-Cookie"])
			}
			r := &http.Request{Header: http.Header{"Cookie": {"a=b; " + row.cookie.FullName() + `="v"`}}}
			if value, n := row.cookie.Value(r); value != "v" || n != 1 {
				t.Errorf("Value returned %q and %d", value, n)
			}
		})
	}
}

func TestReadBodyPutsEveryBodyBack(t *testing.T) {
	for name, limit := range map[string]int64{"shorter": 100, "as long": 4, "longer": 3,
		"no limit to speak of": math.MaxInt64} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest("POST", "/", strings.NewReader("body"))
			body, err := backend.ReadBody(r, limit)
			if limit >= 4 && (err != nil || string(body.Text) != "body") || limit < 4 && err != backend.ErrBodyTooLong {
				t.Errorf("ReadBody returned %q, %v", body.Text, err)
			}
			if again, _ := io.ReadAll(r.Body); string(again) != "body" {
				t.Errorf("what is read again is %q", again)
			}
		})
	}
}

func TestFieldsForgetAnEarlierRequest(t *testing.T) {
	fields := backend.Fields{{Name: "p"}}
	for body, want := range map[string]string{`{"p":"secret"}`: "secret", `{"q":"x"}`: ""} {
		r := httptest.NewRequest("POST", "/", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		if err := fields.From(r); err != nil || fields[0].Value != want || fields[0].Set != (want != "") {
			t.Errorf("%s: %+v, %v", body, fields[0], err)
		}
	}
}

func TestSettingsTellEveryMistakeAtOnce(t *testing.T) {
	s := backend.Settings{Package: "tickets"}
	var store *exactMux
	s.Need("Config.Store", store)
	s.Need("Config.Name", "")
	s.Need("Config.LoadUser", auth.UserLoader(nil))
	s.Need("Config.Here", "x")
	s.Refuse(false, "not said")
	s.Refuse(true, "Config.TTL %v is negative", -time.Second)
	s.Scopes("Config.Scopes", []string{"ok", "not ok"})
	s.Schemes("Config.Schemes", []string{"Ticket", "basic", ""})
	want := "tickets: Config.Store is missing: it is a nil *backend_test.exactMux\ntickets: Config.Name is missing\n" +
		"tickets: Config.LoadUser is missing\n" +
		"tickets: Config.TTL -1s is negative\ntickets: Config.Scopes: \"not ok\" is not a scope (RFC 6749 §3.3)\n" +
		"tickets: Config.Schemes: scheme \"basic\" cannot carry tokens\ntickets: Config.Schemes: scheme \"\" cannot " +
		"carry tokens"
	if err := s.Err(); err == nil || err.Error() != want {
		t.Errorf("Err returned\n%v\nwant\n%s", err, want)
	}
	if err := (&backend.Settings{Package: "x"}).Err(); err != nil {
		t.Errorf("nothing refused: %v", err)
	}
}

func TestNewIDIsAVersion7UUIDThatGrows(t *testing.T) {
	last := ""
	for range 10_000 {
		id := backend.NewID()
		if len(id) != 36 || id[14] != '7' || id <= last {
			t.Fatalf("%q after %q, want a larger UUID of version 7", id, last)
		}
		last = id
	}
}

// FuzzBody checks that every reader of a body refuses or reads it, and that what
// it reads is there.
func FuzzBody(f *testing.F) {
	f.Add("application/json", `{"username":"a","x":1}`)
	f.Add("application/json; charset=latin1", `{"username":"a"}`)
	f.Add("application/x-www-form-urlencoded", "username=a&username=b&%zz")
	f.Add("application/json", "{\"username\":\"\\ud800\"}")
	f.Add("application/jSon", `{"username":"a"}`)
	f.Fuzz(func(t *testing.T, contentType, text string) {
		r := httptest.NewRequest("POST", "/", strings.NewReader(text))
		r.Header.Set("Content-Type", contentType)
		fields := backend.Fields{{Name: "username"}}
		err := fields.From(r)
		if kind := auth.KindOf(err); err != nil && kind != auth.ErrMalformed && kind != auth.ErrNoCredentials {
			t.Errorf("%q of %q: %v", text, contentType, err)
		}
		isJSON := strings.Contains(strings.ToLower(contentType), "json")
		if err == nil && fields[0].Set && !isJSON && !strings.Contains(text, "=") && fields[0].Value != "" {
			t.Errorf("%q of %q has the field %q", text, contentType, fields[0].Value)
		}
		if again, _ := io.ReadAll(r.Body); string(again) != text {
			t.Errorf("put back %q, want %q", again, text)
		}
	})
}
