package session_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/password"
	"github.com/gatewarden/auth/session"
)

// browser is a client with a cookie jar, which follows no redirects.
type browser struct {
	*http.Client
	t    *testing.T
	base *url.URL
}

func newBrowser(t *testing.T, server *httptest.Server) *browser {
	t.Helper()
	base, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	client := *server.Client()
	client.Jar, _ = cookiejar.New(nil)
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &browser{&client, t, base}
}

// send returns the status, where the answer leads and its body.
func (b *browser) send(method, path, body string, headers ...string) (status int, location, text string) {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), method, b.base.String()+path, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	answer, err := b.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer answer.Body.Close()
	var buffer bytes.Buffer
	_, _ = buffer.ReadFrom(answer.Body)
	return answer.StatusCode, answer.Header.Get("Location"), buffer.String()
}

// cookies returns what the browser sends by name.
func (b *browser) cookies() map[string]string {
	cookies := make(map[string]string)
	for _, c := range b.Jar.Cookies(b.base) {
		cookies[c.Name] = c.Value
	}
	return cookies
}

func (b *browser) whoami(want string) {
	b.t.Helper()
	if status, _, text := b.send("GET", "/public", ""); status != 200 || text != want {
		b.t.Errorf("%d %q, want %q", status, text, want)
	}
}

func TestABrowserForgetsTheCookieThatIsCleared(t *testing.T) {
	for sentence, row := range map[string]struct {
		config session.Config
		start  func(http.Handler) *httptest.Server
		name   string
	}{
		"over https": {session.Config{Remember: monthly}, httptest.NewTLSServer, "__Host-session"},
		"over http, where that is said": {session.Config{Remember: monthly, InsecureCookie: true},
			httptest.NewServer, "session"},
	} {
		t.Run(sentence, func(t *testing.T) {
			s := newService(t, row.config)
			server := row.start(s.handler)
			defer server.Close()
			for end, how := range map[string]func(b *browser){
				"logout":            func(b *browser) { b.send("POST", "/session/logout", "") },
				"logout everywhere": func(b *browser) { b.send("POST", "/session/logoutall", "") },
				"an end elsewhere": func(b *browser) {
					if _, err := s.RevokeAll(t.Context(), "alice"); err != nil {
						t.Error(err)
					}
					b.whoami("nobody")
				},
				"its own end": func(b *browser) {
					_, _, text := b.send("GET", "/session/sessions", "")
					var list []struct{ ID string }
					if err := json.Unmarshal([]byte(text), &list); err != nil || len(list) != 1 {
						t.Fatalf("got %v, %v, want a JSON array of one session", text, err)
					}
					b.send("DELETE", "/session/sessions/"+list[0].ID, "")
				},
			} {
				b := newBrowser(t, server)
				b.send("POST", "/session/login", form("remember", "on"), "X-Login", "alice")
				if b.whoami("alice"); len(b.cookies()[row.name]) != 40 {
					t.Fatalf("%s: after the login the browser has %v", end, b.cookies())
				}
				if how(b); len(b.cookies()) != 0 {
					t.Errorf("%s: the browser still has %v", end, b.cookies())
				}
				b.whoami("nobody")
			}
		})
	}
}

func TestACookieThatWasPlantedIsNeverAdopted(t *testing.T) {
	s := newService(t, session.Config{})
	server := httptest.NewTLSServer(s.handler)
	defer server.Close()
	attacker, victim := newBrowser(t, server), newBrowser(t, server)
	attacker.send("POST", "/session/login", "", "X-Login", "bob")
	planted := attacker.cookies()["__Host-session"]
	victim.Jar.SetCookies(victim.base,
		[]*http.Cookie{{Name: "__Host-session", Value: planted, Path: "/", Secure: true}})
	victim.whoami("bob") // the attacker's session in the victim's browser
	victim.send("POST", "/session/login", "", "X-Login", "alice")
	if victim.cookies()["__Host-session"] == planted {
		t.Error("the login kept the identifier")
	}
	victim.whoami("alice")
	attacker.whoami("nobody") // the login ended what the browser had
}

func TestALoginByPasswordInAnyForm(t *testing.T) {
	s := newService(t, session.Config{Remember: monthly})
	hasher, err := password.NewHasher(password.HasherConfig{})
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := hasher.Hash(t.Context(), "open sesame")
	if err != nil {
		t.Fatal(err)
	}
	passwords, err := password.New(password.Config{Hasher: hasher, AllowUnthrottled: true,
		Account: func(ctx context.Context, name string) (auth.User, string, error) {
			user, err := s.load(ctx, name)
			return user, encoded, err
		}})
	if err != nil {
		t.Fatal(err)
	}
	handlers, err := s.Handlers(s.loginBy(passwords))
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	handlers.Register(mux, "/session")
	mux.Handle("/", s.handler)
	server := httptest.NewTLSServer(mux)
	defer server.Close()

	inJSON := []string{"Content-Type", "application/json"}
	for sentence, row := range map[string]struct {
		path, body string
		headers    []string
		status     int
		location   string
		remembered bool
	}{
		"a form": {"", form("username", "alice", "password", "open sesame", "next", "/devices", "remember", "on"), nil,
			303, "/devices", true},
		"a form without more": {"", form("username", "alice", "password", "open sesame", "next", ""), nil, 303,
			"/", false},
		"JSON": {"", `{"username":"alice","password":"open sesame","next":"/devices","remember":true}`, inJSON,
			200, "", true},
		"JSON that remembers no boolean": {"", `{"username":"alice","password":"open sesame","remember":"on","next":7}`,
			inJSON, 200, "", false},
		"Basic": {"?next=/devices", "",
			[]string{"Authorization", "Basic YWxpY2U6b3BlbiBzZXNhbWU="}, 303, "/devices", false},
		"a wrong password": {"", form("username", "alice", "password", "open barley", "next", "/devices"),
			nil, 401, "", false},
		"a form with half of it": {"", form("username", "alice"), nil, 400, "", false},
		"broken JSON":            {"", `{"username":"alice"`, inJSON, 400, "", false},
		"nothing":                {"", "", nil, 401, "", false},
		"a body that is too long": {"", form("username", "alice", "password", "open sesame", "x",
			strings.Repeat("x", 9000)), nil, 400, "", false},
	} {
		b := newBrowser(t, server)
		status, location, text := b.send("POST", "/session/login"+row.path, row.body, row.headers...)
		if status != row.status || location != row.location {
			t.Errorf("%s: %d %q %s", sentence, status, location, text)
		}
		if row.status >= 400 {
			if b.whoami("nobody"); len(b.cookies()) != 0 {
				t.Errorf("%s: the browser has %v", sentence, b.cookies())
			}
			continue
		}
		b.whoami("alice")
		list, _, err := s.List(t.Context(), "alice", backend.Page{})
		if err != nil || len(list) == 0 || list[0].Remembered() != row.remembered ||
			list[0].AuthInfo().AuthTime.IsZero() {
			t.Errorf("%s: %v, %v", sentence, list, err)
		}
		if _, err := s.RevokeAll(t.Context(), "alice"); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAStaleCookieBesideATokenIsNotInItsWay(t *testing.T) {
	s := newService(t, session.Config{})
	tokens, err := knox.New(knox.Config{Store: knox.NewMemoryStore(), LoadUser: s.load})
	if err != nil {
		t.Fatal(err)
	}
	issued, err := tokens.Issue(t.Context(), "bob", knox.Options{})
	if err != nil {
		t.Fatal(err)
	}
	cookie := s.login("alice")
	if _, err := s.RevokeAll(t.Context(), "alice"); err != nil {
		t.Fatal(err)
	}
	for sentence, backends := range map[string][]auth.Authenticator{
		"tokens are asked first":   {tokens, s.Sessions},
		"sessions are asked first": {s.Sessions, tokens},
	} {
		guard, err := auth.New(auth.Config{Backends: backends})
		if err != nil {
			t.Fatal(err)
		}
		for authorization, want := range map[string]struct {
			status int
			text   string
		}{
			"Token " + issued.Secret.Reveal():                                 {200, "bob"},
			"Token " + strings.Repeat("x", len(issued.Secret.Reveal())):       {401, "authentication_failed"},
			"Token " + issued.Secret.Reveal()[:len(issued.Secret.Reveal())/2]: {401, ""},
		} {
			for _, protect := range []func(http.Handler) http.Handler{guard.Require(), guard.Optional()} {
				w, r := httptest.NewRecorder(), withCookie(cookie)
				r.Header.Set("Authorization", authorization)
				protect(http.HandlerFunc(whoami)).ServeHTTP(w, r)
				if w.Code != want.status || want.status == 200 && w.Body.String() != want.text {
					t.Errorf("%s: %d %s, want %v", sentence, w.Code, w.Body, want)
				}
			}
		}
	}
}

// keeping records all that a store is given.
type keeping struct {
	session.Store
	mu   sync.Mutex
	seen []string
}

func (k *keeping) note(r *session.Record, texts ...string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	text, _ := json.Marshal(r)
	k.seen = append(append(k.seen, texts...), string(text))
}

func (k *keeping) Add(ctx context.Context, r *session.Record, replaced string, limit int, evict bool, now time.Time) (
	session.Added, error) {
	k.note(r, replaced)
	return k.Store.Add(ctx, r, replaced, limit, evict, now)
}

func (k *keeping) Find(ctx context.Context, digest string) (*session.Record, error) {
	k.note(nil, digest)
	return k.Store.Find(ctx, digest)
}

func (k *keeping) Replace(ctx context.Context, digest string, successor *session.Record, now time.Time) (bool, error) {
	k.note(successor, digest)
	return k.Store.Replace(ctx, digest, successor, now)
}

func (k *keeping) RevokeAll(ctx context.Context, userID, kept string) ([]string, error) {
	k.note(nil, kept)
	return k.Store.RevokeAll(ctx, userID, kept)
}

func TestTheStoreIsGivenNothingThatIsACookie(t *testing.T) {
	store := &keeping{Store: session.NewMemoryStore()}
	s := newService(t, session.Config{Store: store})
	first := s.login("alice")
	second := s.login("alice", "Cookie", first)
	third := cookieOf(t, s.do("DELETE", "/session/sessions", "", "Cookie", second))
	s.want(303, "", s.do("POST", "/session/logout", "", "Cookie", third))
	if len(store.seen) < 8 {
		t.Fatalf("it saw %d things only", len(store.seen))
	}
	for _, cookie := range []string{first, second, third} {
		secret := strings.TrimPrefix(cookie, "__Host-session=")
		for _, seen := range store.seen {
			// The first three characters tell the shard, and are no secret.
			if strings.Contains(seen, secret[3:13]) {
				t.Errorf("it was given %q, of the cookie %q", seen, secret)
			}
			if seen != "" && strings.HasPrefix(seen, secret[:3]) {
				if status := s.do("GET", "/me", "", "Cookie", "__Host-session="+seen).StatusCode; status != 401 {
					t.Errorf("what the store has is a cookie: %d", status)
				}
			}
		}
	}
	if strings.Contains(s.log.text(), first[20:]) {
		t.Error("a secret is in the log")
	}
}
