package session_test

import (
	"bytes"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/session"
)

// answerOf runs f as a handler for a request with a Cookie header, and returns
// the Cookie header of the browser afterwards.
func answerOf(t *testing.T, cookie string, f http.HandlerFunc) string {
	t.Helper()
	r := httptest.NewRequest("GET", "https://app.example/", nil)
	if cookie != "" {
		r.Header.Set("Cookie", cookie)
	}
	w := httptest.NewRecorder()
	f(w, r)
	for _, c := range w.Result().Cookies() {
		if line := c.String(); len(line) > 4096 {
			t.Errorf("a cookie of %d bytes", len(line))
		}
		if cookie = c.Name + "=" + c.Value; c.MaxAge < 0 {
			cookie = ""
		}
	}
	return cookie
}

func TestAFlashIsShownOnce(t *testing.T) {
	s := newService(t, session.Config{})
	cookie := answerOf(t, "", func(w http.ResponseWriter, r *http.Request) {
		s.AddFlash(w, r, "one <b>")
		s.AddFlash(w, r, "two")
	})
	var got, again []string
	cookie = answerOf(t, cookie, func(w http.ResponseWriter, r *http.Request) {
		got, again = s.Flashes(w, r), s.Flashes(w, r)
	})
	if !slices.Equal(got, []string{"one <b>", "two"}) || again != nil || cookie != "" {
		t.Errorf("%q, then %q, cookie %q", got, again, cookie)
	}
	if list, _, err := s.List(t.Context(), "alice", backend.Page{}); err != nil || len(list) != 0 {
		t.Error("something is in the store")
	}
}

func TestAPageWithoutFlashesSetsNoCookie(t *testing.T) {
	s := newService(t, session.Config{})
	for _, cookie := range []string{"", "__Host-session-notes=x", "__Host-session-notes=" +
		s.Seal("/page", time.Now().Add(time.Minute))} {
		w := httptest.NewRecorder()
		if got := s.Flashes(w, withCookie(cookie)); got != nil || w.Result().Header["Set-Cookie"] != nil {
			t.Errorf("%.30q: %q, %v", cookie, got, w.Result().Header)
		}
	}
}

func TestFlashesFitIntoACookie(t *testing.T) {
	s := newService(t, session.Config{})
	long := strings.Repeat("ü<", 1000)
	cookie := answerOf(t, "", func(w http.ResponseWriter, r *http.Request) {
		for range 10 {
			s.AddFlash(w, r, long)
		}
		s.AddFlash(w, r, "last")
	})
	answerOf(t, cookie, func(w http.ResponseWriter, r *http.Request) {
		got := s.Flashes(w, r)
		if n := len(got); n == 0 || got[n-1] != "last" {
			t.Errorf("%d flashes", n)
		}
		for _, text := range got[:max(len(got)-1, 0)] {
			if !strings.HasPrefix(long, text) || len(text) > 1000 {
				t.Errorf("cut to %q", text)
			}
		}
	})
}

func TestAnyWayBackFitsIntoACookieBesideFlashes(t *testing.T) {
	s := newService(t, session.Config{})
	for _, character := range []string{"a", "&", "<", `"`, "%41"} {
		path := "/page?" + strings.Repeat(character, 1018/len(character))
		flash := answerOf(t, "", func(w http.ResponseWriter, r *http.Request) {
			s.AddFlash(w, r, strings.Repeat("&", 300))
		})
		sent := s.do("GET", path, "", "Sec-Fetch-Mode", "navigate", "Cookie", flash)
		var notes string
		for _, c := range sent.Cookies() {
			if line := sent.Header.Get("Set-Cookie"); len(line) > 4096 {
				t.Errorf("%s: %d bytes", character, len(line))
			}
			notes = c.Name + "=" + c.Value
		}
		// Showing the flash on the login page keeps the way back.
		var texts []string
		notes = answerOf(t, notes, func(w http.ResponseWriter, r *http.Request) { texts = s.Flashes(w, r) })
		if got := s.do("POST", "/session/login", "", "X-Login", "alice", "Cookie", notes).Header.Get(
			"Location"); got != path || len(texts) != 1 {
			t.Errorf("%s: %d flashes, then leads to %.20q", character, len(texts), got)
		}
	}
	long := "/page?" + strings.Repeat("a", 1100)
	sent := s.do("GET", long, "", "Sec-Fetch-Mode", "navigate")
	if s.want(303, "", sent); sent.Header["Set-Cookie"] != nil {
		t.Error("a path too long to lead back to was kept")
	}
}

func TestBrowserStateOfTwoCookiesOrNoneOfOursIsEmpty(t *testing.T) {
	s := newService(t, session.Config{})
	good := "__Host-session-notes=" + s.Seal("/page", time.Now().Add(time.Minute))
	for cookie, want := range map[string]string{
		good:                                "/page",
		good + "; " + good:                  "/",
		good + "x":                          "/",
		"__Host-session-notes=":             "/",
		strings.Replace(good, "=", "2=", 1): "/",
		"__Host-session-notes=" + strings.Repeat("A", 5000): "/",
	} {
		if got := s.do("POST", "/session/login", "", "X-Login", "alice", "Cookie", cookie).Header.Get(
			"Location"); got != want {
			t.Errorf("%.40q leads to %q", cookie, got)
		}
	}
}

func TestBrowserStateLastsHalfAnHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(t, session.Config{})
		for wait, want := range map[time.Duration]string{30*time.Minute - time.Second: "/page", 30 * time.Minute: "/"} {
			sent := s.do("GET", "/page", "", "Sec-Fetch-Mode", "navigate")
			c := sent.Cookies()[0]
			if c.MaxAge != 1800 {
				t.Errorf("the browser keeps it for %d s", c.MaxAge)
			}
			time.Sleep(wait)
			if got := s.do("POST", "/session/login", "", "X-Login", "alice", "Cookie", c.Name+"="+c.Value).Header.Get(
				"Location"); got != want {
				t.Errorf("after %v it leads to %q", wait, got)
			}
		}
	})
}

func TestBrowserStateIsReadOnlyWithTheKey(t *testing.T) {
	now := time.Now()
	key := func(b byte) auth.Secret { return auth.Secret(bytes.Repeat([]byte{b}, 32)) }
	with := func(name string, keys ...auth.Secret) *service {
		return newService(t, session.Config{Keys: keys, Cookie: name})
	}
	sealed := with("a", key(1)).Seal("/back", now.Add(time.Minute))
	for sentence, row := range map[string]struct {
		s    *service
		at   time.Time
		want string
	}{
		"the same key":               {with("a", key(1)), now, "/back"},
		"a newer key before it":      {with("a", key(2), key(1)), now, "/back"},
		"another key":                {with("a", key(2)), now, ""},
		"no key: one of the process": {with("a"), now, ""},
		"a cookie of another name":   {with("b", key(1)), now, ""},
		"after it has expired":       {with("a", key(1)), now.Add(time.Minute), ""},
	} {
		if back, _, err := row.s.Unseal(sealed, row.at); back != row.want || (err == nil) != (row.want != "") {
			t.Errorf("%s: %q, %v", sentence, back, err)
		}
	}
	s := with("a", key(1))
	for i := range len(sealed) {
		changed := []byte(sealed)
		if changed[i]++; i == len(sealed)-1 {
			continue // its low bits may be padding
		}
		if back, _, err := s.Unseal(string(changed), now); err == nil {
			t.Errorf("character %d changed: %q", i, back)
		}
	}
}

// FuzzUnseal changes a value at will: whatever differs from what was sealed is
// not read.
func FuzzUnseal(f *testing.F) {
	s := newService(f, session.Config{})
	until := time.Now().Add(time.Hour)
	f.Add("", 0)
	f.Add("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", 7)
	f.Add("=", 1000)
	f.Fuzz(func(t *testing.T, put string, at int) {
		if _, _, err := s.Unseal(put, time.Now()); err == nil {
			t.Errorf("%q was unsealed", put)
		}
		sealed := s.Seal("/back", until)
		at = (at & 0xffff) % len(sealed)
		changed := sealed[:at] + put + sealed[min(at+len(put), len(sealed)):]
		was, _ := base64.RawURLEncoding.DecodeString(sealed)
		is, err := base64.RawURLEncoding.DecodeString(changed)
		same := err == nil && bytes.Equal(was, is) // padding bits and line breaks mean nothing
		if back, _, err := s.Unseal(changed, time.Now()); (err == nil) != same || same != (back == "/back") {
			t.Errorf("%q in %q at %d: %q, %v", put, sealed, at, back, err)
		}
	})
}

// FuzzLocalPath resolves what is accepted as a browser does (URL Standard §4.4).
func FuzzLocalPath(f *testing.F) {
	for _, seed := range []string{"/", "/a?b#c", "//x", `/\x`, "/\t/x", "/.//x", "/..//x", "/a//b", "/%2f%2fx",
		"/:80", "/@x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, next string) {
		path, ok := session.LocalPath(next)
		if !ok {
			return
		}
		seen := strings.NewReplacer("\t", "", "\n", "", "\r", "", `\`, "/").Replace(
			strings.TrimFunc(path, func(r rune) bool { return r <= ' ' }))
		if seen != path || path[0] != '/' || strings.HasPrefix(seen, "//") || len(path) > 6144 {
			t.Errorf("%q", path)
		}
		u, err := httptest.NewRequest("GET", "https://app.example/session/login", nil).URL.Parse(path)
		if err != nil || u.Host != "app.example" || u.Scheme != "https" || u.User != nil {
			t.Errorf("%q leads to %v, %v", path, u, err)
		}
	})
}

// FuzzCookieValue compares with net/http where the value is one of ours.
func FuzzCookieValue(f *testing.F) {
	for _, seed := range []string{"s=abc", "a=b; s=abc", "s=a; s=b", `s="abc"`, ";;s", " s = abc ", "S=x", "s"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		value, count := backend.CookieValue(&http.Request{Header: http.Header{"Cookie": {line}}}, "s")
		if count == 0 && value != "" || count < 0 {
			t.Errorf("%q, %d", value, count)
		}
		if strings.ContainsAny(line, "\r\n") {
			return // no header can
		}
		r := http.Request{Header: http.Header{"Cookie": {line}}}
		theirs := r.CookiesNamed("s")
		if len(theirs) > count {
			t.Fatalf("%q: net/http sees %d, we %d", line, len(theirs), count)
		}
		// A value of ours has no spaces, which each reads in its own way.
		if count == 1 && len(theirs) == 1 && !strings.Contains(line, " ") && theirs[0].Value != value {
			t.Errorf("%q: net/http reads %q, we %q", line, theirs[0].Value, value)
		}
	})
}

func FuzzAuthenticate(f *testing.F) {
	s := newService(f, session.Config{})
	f.Add("__Host-session=x")
	f.Add("__Host-session=" + strings.Repeat("0", 40))
	f.Fuzz(func(t *testing.T, cookie string) {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header["Cookie"] = []string{cookie}
		if _, _, err := s.Authenticate(r); auth.KindOf(err) != auth.ErrNoCredentials {
			t.Errorf("%q: %v", cookie, err)
		}
	})
}

// FuzzWantsPage: only a request that names a page waits for one, and nothing but the mode
// of a navigation outweighs a Sec-Fetch-Mode.
func FuzzWantsPage(f *testing.F) {
	for _, seed := range []string{"text/html", "*/*", "text/html;q=0.1,application/json;q=0.2", "text/html;q=NaN",
		"TEXT/HTML;q=1e9", ",;=,"} {
		f.Add(seed, "")
		f.Add(seed, "cors")
	}
	f.Fuzz(func(t *testing.T, accept, mode string) {
		r := &http.Request{Header: http.Header{"Accept": {accept}}}
		named := strings.Contains(strings.ToLower(accept), "html")
		if session.WantsPage(r) && !named {
			t.Errorf("%q wants a page", accept)
		}
		r.Header.Set("Sec-Fetch-Mode", mode)
		if got := session.WantsPage(r); mode != "" && got != (mode == "navigate") {
			t.Errorf("mode %q wants a page: %v", mode, got)
		}
	})
}

func TestWhatBrowsersTakeForSecure(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "localhost:8000": true, "LOCALHOST.": true, "app.localhost:80": true, "127.0.0.1:8000": true,
		"127.9.9.9":  true,
		"[::1]:8000": true, "[::1]": true, "example.com": false, "localhost.example.com": false, "10.0.0.1:80": false,
		"[2001:db8::1]:80": false, "": false,
	} {
		if got := session.IsLoopback(host); got != want {
			t.Errorf("%q: %v", host, got)
		}
	}
}
