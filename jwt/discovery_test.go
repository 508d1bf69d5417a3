package jwt_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatewarden/auth/jwt"
)

// jwksOf is the JWK Set of a new key.
func jwksOf(t testing.TB) string {
	t.Helper()
	key, err := jwt.GenerateKey(jwt.ES256)
	if err != nil {
		t.Fatal(err)
	}
	text, err := key.MarshalJWK(false)
	if err != nil {
		t.Fatal(err)
	}
	return `{"keys":[` + string(text) + `]}`
}

// serve starts a server that ends with the test.
func serve(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server
}

// fetchOnce returns what was logged of a fetch, and why it failed.
func fetchOnce(t *testing.T, config jwt.RemoteKeysConfig) (log string, err error) {
	t.Helper()
	var text bytes.Buffer // read when the fetch is over
	config.Logger = slog.New(slog.NewTextHandler(&text, nil))
	keys, err := jwt.NewRemoteKeys(config)
	if err != nil {
		t.Fatal(err)
	}
	err = keys.Check(t.Context())
	return text.String(), err
}

func TestOnlyA200IsReadWhateverItsType(t *testing.T) {
	set := jwksOf(t)
	for sentence, row := range map[string]struct {
		status      int
		contentType string
		good        bool
	}{
		"JSON":                      {200, "application/json", true},
		"JSON with a parameter":     {200, "Application/JSON; charset=utf-8", true},
		"a JWK Set":                 {200, "application/jwk-set+json", true},
		"another JSON":              {200, "application/vnd.example+json; v=1", true},
		"HTML":                      {200, "text/html", true},
		"text that says +json":      {200, "text/x+json", true},
		"a longer name":             {200, "application/jsonp", true},
		"no type":                   {200, "", true},
		"a broken type":             {200, "application/json; =", true},
		"another status of success": {203, "application/json", false},
		"206":                       {206, "application/json", false},
		"404":                       {404, "application/json", false},
		"500":                       {500, "application/json", false},
	} {
		server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Content-Type"] = []string{row.contentType}
			w.WriteHeader(row.status)
			_, _ = io.WriteString(w, set)
		})
		if _, err := fetchOnce(t, jwt.RemoteKeysConfig{URL: server.URL}); (err == nil) != row.good {
			t.Errorf("%s: %v", sentence, err)
		}
	}
}

func TestOneMiBIsReadAndNotAByteMore(t *testing.T) {
	set := jwksOf(t)
	for sentence, row := range map[string]struct {
		length     int
		compressed bool
		good       bool
	}{
		"1 MiB":                   {1 << 20, false, true},
		"a byte more":             {1<<20 + 1, false, false},
		"1 MiB, compressed":       {1 << 20, true, true},
		"8 MiB, compressed below": {8 << 20, true, false},
	} {
		server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			var out io.Writer = w
			if row.compressed {
				w.Header().Set("Content-Encoding", "gzip")
				z := gzip.NewWriter(w)
				defer func() { _ = z.Close() }()
				out = z
			}
			_, _ = io.Copy(
				out, io.MultiReader(strings.NewReader(set), io.LimitReader(spaces{}, int64(row.length-len(set)))))
		})
		if _, err := fetchOnce(t, jwt.RemoteKeysConfig{URL: server.URL}); (err == nil) != row.good {
			t.Errorf("%s: %v", sentence, err)
		}
	}
}

type spaces struct{}

func (spaces) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

func TestALongHeaderIsAnError(t *testing.T) {
	set := jwksOf(t)
	server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Long", strings.Repeat("x", 200<<10))
		_, _ = io.WriteString(w, set)
	})
	if _, err := fetchOnce(t, jwt.RemoteKeysConfig{URL: server.URL}); err == nil {
		t.Error("a header of 200 KiB was read")
	}
}

func TestTheTimeoutCoversTheBody(t *testing.T) {
	for sentence, begin := range map[string]string{"no header": "", "half a body": `{"keys":[`} {
		server := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if begin != "" {
				w.Header().Set("Content-Type", "application/json")
				_, _ = io.WriteString(w, begin)
				_ = http.NewResponseController(w).Flush()
			}
			<-r.Context().Done()
		})
		if _, err := fetchOnce(t, jwt.RemoteKeysConfig{URL: server.URL, Timeout: 20 * time.Millisecond}); err == nil {
			t.Errorf("%s: no error", sentence)
		}
	}
}

func TestRedirectsStayOnTheirHostWhateverTheClientSays(t *testing.T) {
	set := jwksOf(t)
	var elsewhere atomic.Int32
	other := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		elsewhere.Add(1)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, set)
	})
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch path := r.URL.Path; {
		case path == "/keys":
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, set)
		case path == "/other":
			http.Redirect(w, r, other.URL, http.StatusFound)
		default: // /3 goes by /2 and /1
			n := int(path[1] - '0')
			http.Redirect(w, r, map[bool]string{true: fmt.Sprint("/", n-1), false: "/keys"}[n > 1], http.StatusFound)
		}
	})
	lenient := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return nil }}
	for path, good := range map[string]bool{"/keys": true, "/1": true, "/3": true, "/4": false, "/other": false} {
		for _, client := range []*http.Client{nil, lenient} {
			_, err := fetchOnce(t, jwt.RemoteKeysConfig{URL: server.URL + path, Client: client})
			if (err == nil) != good {
				t.Errorf("%s: %v", path, err)
			}
		}
	}
	if elsewhere.Load() != 0 {
		t.Error("another host was asked")
	}
	if lenient.CheckRedirect(nil, nil) != nil {
		t.Error("the caller's client was changed")
	}
}

func TestNoRedirectLeavesTLS(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://"+r.Host+"/keys", http.StatusFound)
	}))
	defer server.Close()
	client := server.Client()
	trusted, plain := client.Transport, 0
	client.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
		if r.URL.Scheme != "https" {
			plain++
		}
		return trusted.RoundTrip(r)
	})
	if _, err := fetchOnce(t, jwt.RemoteKeysConfig{URL: server.URL, Client: client}); err == nil || plain != 0 {
		t.Errorf("%v, and %d requests without TLS", err, plain)
	}
}

func TestNoCookieIsSentOrKept(t *testing.T) {
	set := jwksOf(t)
	var sent atomic.Int32
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Cookie") != "" {
			sent.Add(1)
		}
		http.SetCookie(w, &http.Cookie{Name: "theirs", Value: "1", Path: "/"})
		if r.URL.Path == "/old" {
			http.Redirect(w, r, "/keys", http.StatusFound)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, set)
	})
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	base, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	jar.SetCookies(base, []*http.Cookie{{Name: "ours", Value: "1", Path: "/"}})
	if _, err := fetchOnce(
		t, jwt.RemoteKeysConfig{URL: server.URL + "/old", Client: &http.Client{Jar: jar}}); err != nil {
		t.Fatal(err)
	}
	if sent.Load() != 0 || len(jar.Cookies(base)) != 1 {
		t.Errorf("%d sent, %v kept", sent.Load(), jar.Cookies(base))
	}
}

func TestErrorsSayNothingThatTheAnswerOrTheQuerySays(t *testing.T) {
	const openid = "/.well-known/openid-configuration"
	for sentence, body := range map[string]string{
		"no JSON":                   `hunter2`,
		"another issuer":            `{"issuer":"https://hunter2:hunter2@other.example/?key=hunter2","jwks_uri":"https://hunter2.example"}`,
		"keys that are no URL":      `{"issuer":"BASE","jwks_uri":"https://hunter2:x@hunter2.example/ %zz"}`,
		"keys without https":        `{"issuer":"BASE","jwks_uri":"http://login.example/hunter2"}`,
		"keys at another scheme":    `{"issuer":"BASE","jwks_uri":"hunter2:x"}`,
		"keys that are not there":   `{"issuer":"BASE","jwks_uri":"BASE/gone?key=hunter2"}`,
		"keys where nobody listens": `{"issuer":"BASE","jwks_uri":"http://127.0.0.1:1/?key=hunter2"}`,
		"keys at a very long URL":   `{"issuer":"BASE","jwks_uri":"BASE/` + strings.Repeat("hunter2", 1000) + `"}`,
	} {
		var server *httptest.Server
		server = serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			if r.URL.Path != openid {
				w.WriteHeader(http.StatusTeapot)
			}
			_, _ = io.WriteString(w, strings.ReplaceAll(body, "BASE", server.URL))
		})
		log, err := fetchOnce(t, jwt.RemoteKeysConfig{Issuer: server.URL})
		if err == nil || strings.Contains(err.Error()+log, "hunter2") {
			t.Errorf("%s: %v, logged: %s", sentence, err, log)
		}
		if sentence == "another issuer" && !strings.Contains(log, "other.example/") {
			t.Errorf("%s: the other issuer is not named: %s", sentence, log)
		}
		if !strings.Contains(log, "127.0.0.1") {
			t.Errorf("%s: nobody knows whose keys: %s", sentence, log)
		}
		if log, err := fetchOnce(t, jwt.RemoteKeysConfig{URL: server.URL + "/keys?key=hunter2"}); err == nil ||
			strings.Contains(err.Error()+log, "hunter2") {
			t.Errorf("%s, by URL: %v, logged: %s", sentence, err, log)
		}
	}
	for _, text := range []string{"https://user:hunter2@login.example/", "ftp://user:hunter2@login.example/",
		"https://user:hunter2@login.example/%zz", "http://login.example/?key=hunter2"} {
		if _, err := jwt.NewRemoteKeys(jwt.RemoteKeysConfig{URL: text}); err == nil ||
			strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestUnitAnIssuerThatPublishesItsKeysAloneIsToldTheSetting(t *testing.T) {
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/.well-known/jwks.json" {
			http.NotFound(w, r)
			return
		}
		_, _ = io.WriteString(w, jwksOf(t))
	})
	t.Run("by Issuer the error names RemoteKeysConfig.URL", func(t *testing.T) {
		log, err := fetchOnce(t, jwt.RemoteKeysConfig{Issuer: server.URL})
		for _, want := range []string{"oauth-authorization-server: 404", "only its keys, set RemoteKeysConfig.URL"} {
			if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(log, want) {
				t.Errorf("want %q, and got %v, logged: %s", want, err, log)
			}
		}
	})
	t.Run("by URL there is no error", func(t *testing.T) {
		if _, err := fetchOnce(t, jwt.RemoteKeysConfig{URL: server.URL + "/.well-known/jwks.json"}); err != nil {
			t.Error(err)
		}
	})
	t.Run("an issuer that is down is not told the setting", func(t *testing.T) {
		down := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
		if _, err := fetchOnce(t, jwt.RemoteKeysConfig{Issuer: down.URL}); err == nil ||
			strings.Contains(err.Error(), "RemoteKeysConfig") {
			t.Errorf("got %v", err)
		}
	})
}

// moving is an issuer that has its keys first at one place, then at another.
type moving struct {
	*httptest.Server
	moved, gone atomic.Bool // gone: nothing is at the first place
}

func newMoving(t *testing.T) *moving {
	before, after := jwksOf(t), jwksOf(t)
	m := &moving{}
	m.Server = serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch path := r.URL.Path; {
		case path == "/before" && m.gone.Load():
			w.WriteHeader(http.StatusGone)
		case path == "/before":
			_, _ = io.WriteString(w, before)
		case path == "/after":
			_, _ = io.WriteString(w, after)
		default:
			where := map[bool]string{false: "/before", true: "/after"}[m.moved.Load()]
			_, _ = fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":%q}`, m.URL, m.URL+where)
		}
	})
	return m
}

func TestAnIssuerThatMovesItsKeysIsFollowed(t *testing.T) {
	for sentence, row := range map[string]struct {
		gone     bool
		followed time.Duration // how long after
	}{
		"the old place answers for ever": {false, time.Hour},
		"the old place is gone":          {true, 30*time.Minute + 10*time.Second},
	} {
		m := newMoving(t)
		keys, err := jwt.NewRemoteKeys(jwt.RemoteKeysConfig{Issuer: m.URL})
		if err != nil {
			t.Fatal(err)
		}
		now := time.Now()
		old, err := keys.Current(t.Context(), now)
		if err != nil {
			t.Fatal(err)
		}
		m.moved.Store(true)
		m.gone.Store(row.gone)
		if set, err := keys.Renew(t.Context(), "unknown", now.Add(30*time.Minute)); row.gone != (err != nil) ||
			err == nil && set != old {
			t.Errorf("%s, at once: %v %v", sentence, set, err)
		}
		if set, err := keys.Renew(t.Context(), "unknown", now.Add(row.followed)); err != nil || set == old {
			t.Errorf("%s, later: %v", sentence, err)
		}
	}
}

func TestMetadataThatIsTooLongOrNamesALongURLIsAnError(t *testing.T) {
	set := jwksOf(t)
	for sentence, row := range map[string]struct {
		spaces, path int
		good         bool
	}{
		"short":      {0, 4, true},
		"1 MiB":      {1 << 20, 4, false},
		"a long URL": {0, 3 << 10, false},
	} {
		path := "/" + strings.Repeat("k", row.path)
		var server *httptest.Server
		server = serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			if r.URL.Path == path {
				_, _ = io.WriteString(w, set)
				return
			}
			_, _ = fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":%q}%s`, server.URL, server.URL+path,
				strings.Repeat(" ", row.spaces))
		})
		if _, err := fetchOnce(t, jwt.RemoteKeysConfig{Issuer: server.URL}); (err == nil) != row.good {
			t.Errorf("%s: %v", sentence, err)
		}
	}
}

// FuzzDiscovery reads any metadata: what it yields is a URL that may be fetched,
// of the issuer that was asked for.
func FuzzDiscovery(f *testing.F) {
	const issuer = "https://login.example/a"
	for _, uri := range []string{"https://login.example/keys", "https://keys.example?a=b", "http://127.0.0.1/keys",
		"https://u:p@login.example", "https:login", "https://:443/", "HTTPS://x", "https://x#"} {
		f.Add([]byte(fmt.Sprintf(`{"issuer":%q,"jwks_uri":%q}`, issuer, uri)))
	}
	for _, text := range []string{``, `null`, `[]`, `{"issuer":null}`, `{"issuer":"https://login.example/a"}`,
		`{"Issuer":"https://login.example/a","JWKS_URI":"https://x"}`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		asked := 0
		client := &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			answer := &http.Response{StatusCode: 404, Header: http.Header{"Content-Type": {"application/json"}},
				Body: http.NoBody, Request: r}
			if asked++; asked == 1 {
				answer.StatusCode, answer.Body = 200, io.NopCloser(bytes.NewReader(text))
				return answer, nil
			}
			if r.URL.Host == "login.example" && strings.HasPrefix(r.URL.Path, "/.well-known/") {
				return answer, nil // the other places of metadata
			}
			if r.URL.Scheme != "https" || r.URL.Hostname() == "" || r.URL.User != nil ||
				!bytes.Contains(text, []byte("issuer")) {
				t.Errorf("%s was asked for", r.URL)
			}
			return answer, nil
		})}
		keys, err := jwt.NewRemoteKeys(
			jwt.RemoteKeysConfig{Issuer: issuer, Client: client, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		if err := keys.Check(t.Context()); err == nil || asked > 3 { // three places, or one and the keys
			t.Errorf("%v after %d requests", err, asked)
		}
	})
}

func TestTheMetadataOfAnIssuerElsewhereNamesNoKeysOnThisMachine(t *testing.T) {
	asked := 0
	client := &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		if asked++; r.URL.Host != "login.example" {
			t.Errorf("asked for %s", r.URL)
		}
		body := `{"issuer":"https://login.example","jwks_uri":"http://127.0.0.1:8500/v1/kv/keys"}`
		return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"application/json"}},
			Body: io.NopCloser(strings.NewReader(body))}, nil
	})}
	keys, err := jwt.NewRemoteKeys(jwt.RemoteKeysConfig{Issuer: "https://login.example", Client: client,
		Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if err := keys.Check(t.Context()); err == nil || asked != 1 {
		t.Errorf("%v after %d", err, asked)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
