package server_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/oauth2/server"
)

// counted is a store that counts the rows which it was given.
type counted struct {
	server.Store
	rows atomic.Int32
}

func (c *counted) AddInteraction(ctx context.Context, i *server.Interaction, limit int) error {
	c.rows.Add(1)
	return c.Store.AddInteraction(ctx, i, limit)
}

func (c *counted) PutOnce(ctx context.Context, key string, expires, now time.Time) (bool, error) {
	c.rows.Add(1)
	return c.Store.PutOnce(ctx, key, expires, now)
}

func (c *counted) Approve(ctx context.Context, a server.Approval) (server.Added, error) {
	c.rows.Add(1)
	return c.Store.Approve(ctx, a)
}

func TestUnitStrangersFillNoStore(t *testing.T) {
	store := &counted{Store: server.NewMemoryStore()}
	s := newService(t, func(c *server.Config) { c.Store = store })
	handlers := s.handlers()
	t.Run("10,000 requests of strangers, and what they lead to, are no row", func(t *testing.T) {
		form := "application/x-www-form-urlencoded"
		for i := range 2500 {
			text := query("state", fmt.Sprint(i)).Encode()
			post := httptest.NewRequest("POST", "/o/authorize/", strings.NewReader(text))
			post.Header.Set("Content-Type", form)
			for _, r := range []*http.Request{httptest.NewRequest("GET", "/o/authorize/?"+text, nil), post} {
				w := httptest.NewRecorder()
				handlers.ServeHTTP(w, r)
				if w.Code != http.StatusSeeOther {
					t.Fatalf("got %d %s, want 303", w.Code, w.Body)
				}
			}
			resumed := httptest.NewRequest("GET", s.logins[len(s.logins)-1].ReturnTo, nil)
			head := httptest.NewRequest("HEAD", resumed.URL.String(), nil)
			for _, r := range []*http.Request{resumed, head} {
				handlers.ServeHTTP(httptest.NewRecorder(), r)
			}
		}
		if got := store.rows.Load(); got != 0 || len(s.logins) != 5000 {
			t.Errorf("got %d rows and %d logins, want none and 5000", got, len(s.logins))
		}
	})
	t.Run("a consent page of a user is one row, and a user has at most 100", func(t *testing.T) {
		first := s.as("alice").authorize()
		if got := store.rows.Load(); got != 1 {
			t.Fatalf("got %d rows, want 1", got)
		}
		var last answer
		for range 100 {
			last = s.as("alice").authorize()
		}
		other := s.as("bob").authorize()
		if a := s.as("alice").allow(first); a.StatusCode != http.StatusForbidden {
			t.Errorf("got %d for the oldest of 101 pages, want 403", a.StatusCode)
		}
		for name, a := range map[string]answer{"the newest": s.as("alice").allow(last),
			"that of another user": s.as("bob").allow(other)} {
			if a.location("code") == "" {
				t.Errorf("got no code for %s: %d %s", name, a.StatusCode, a.body)
			}
		}
	})
}

func TestUnitARequestIsBounded(t *testing.T) {
	s := newService(t, nil)
	longest := 0 // state with which a request is good
	for n := 1000; n < 5000; n++ {
		if a := s.stranger().authorize("state", strings.Repeat("s", n)); a.location("error") == "" {
			longest = n
			continue
		}
		break
	}
	t.Run("the longest request fits into an address that an external login keeps", func(t *testing.T) {
		a := s.stranger().authorize("state", strings.Repeat("s", longest))
		to := s.logins[len(s.logins)-1].ReturnTo
		if a.location("error") != "" || longest < 1900 || len(to) < 3300 || len(to) > 3500 {
			t.Fatalf("got an address of %d bytes for a state of %d", len(to), longest)
		}
		if back := s.as("alice").allow(s.as("alice").do("GET", to, "")); len(back.location("state")) != longest {
			t.Errorf("got %d %s", back.StatusCode, back.Header.Get("Location"))
		}
	})
	t.Run("a longer one is refused, whether or not somebody is signed in", func(t *testing.T) {
		for _, b := range []*browser{s.stranger(), s.as("bob")} {
			// the instant in it takes a few bytes more or less
			a := b.authorize("state", strings.Repeat("s", longest+10))
			if sent(t, s, "too long", a, "invalid_request"); len(a.location("state")) != longest+10 {
				t.Errorf("got a state of %d bytes", len(a.location("state")))
			}
		}
	})
	t.Run("a state with another character than RFC 6749 has is refused, and not sent back", func(t *testing.T) {
		for _, state := range []string{"a\x01", "\x7f", "a\r\nb", "ü", "\u202e", "\t"} {
			a := s.stranger().authorize("state", state)
			if sent(t, s, fmt.Sprintf("%q", state), a, "invalid_request"); a.location("state") != "" {
				t.Errorf("got the state %q sent back", a.location("state"))
			}
			posted := s.as("alice").authorize("state", state, "response_mode", "form_post")
			if values := fields(posted.body); values.Get("error") != "invalid_request" || values.Has("state") {
				t.Errorf("by form_post: %v", values)
			}
		}
	})
	t.Run("so is a control character elsewhere", func(t *testing.T) {
		for _, name := range []string{"nonce", "login_hint", "acr_values"} {
			sent(t, s, name, s.stranger().authorize(name, "a\x01b"), "invalid_request")
		}
		if a := s.stranger().authorize("login_hint", "jürgen@example.com"); a.location("error") != "" {
			t.Errorf("got %s for a name in UTF-8", a.location("error"))
		}
	})
}

// returned is a service, and the address to which a login leads back.
func returned(t *testing.T, pairs ...string) (*service, string) {
	s := newService(t, nil)
	return s, s.returnPath(pairs...)
}

func TestUnitARequestLeadsToOneCode(t *testing.T) {
	over := func(t *testing.T, a answer) {
		t.Helper()
		if a.StatusCode != http.StatusBadRequest || a.location("code") != "" ||
			!strings.Contains(a.body, "answered before") {
			t.Errorf("got %d %v %s, want a page that says it is over", a.StatusCode, a.Header, a.body)
		}
	}
	first := []string{"client_id", "first", "redirect_uri", "https://first.example/cb"}
	t.Run("of a client that needs no consent", func(t *testing.T) {
		s, path := returned(t, append(first, "prompt", "login")...)
		if a := s.as("alice").do("GET", path, ""); a.location("code") == "" {
			t.Fatalf("got %d %v, want a code", a.StatusCode, a.Header)
		}
		over(t, s.as("alice").do("GET", path, ""))
		over(t, s.as("bob").do("GET", path+"&continued=1", ""))
	})
	t.Run("where the consent is remembered", func(t *testing.T) {
		s, path := returned(t)
		s.as("alice").code()
		if a := s.as("alice").do("GET", path, ""); a.location("code") == "" {
			t.Fatalf("got %d %v, want a code", a.StatusCode, a.Header)
		}
		over(t, s.as("alice").do("GET", path, ""))
	})
	t.Run("in two tabs", func(t *testing.T) {
		s, path := returned(t)
		one, two := s.as("alice").do("GET", path, ""), s.as("alice").do("GET", path, "")
		if a := s.as("alice").allow(one); a.location("code") == "" {
			t.Fatalf("got %d %v, want a code", a.StatusCode, a.Header)
		}
		if a := s.as("alice").allow(two); a.StatusCode != http.StatusForbidden || a.location("code") != "" {
			t.Errorf("got %d %v in the other tab, want 403", a.StatusCode, a.Header)
		}
	})
	t.Run("also through a second login", func(t *testing.T) {
		s, path := returned(t, append(first, "prompt", "login")...)
		old := s.asOf("alice", "old", time.Now().Add(-time.Hour))
		if a := old.do("GET", path, ""); a.StatusCode != http.StatusSeeOther || len(s.logins) != 2 ||
			s.logins[1].ReturnTo == path {
			t.Fatalf("got %d %v, want the login again", a.StatusCode, a.Header)
		}
		if a := s.as("alice").do("GET", s.logins[1].ReturnTo, ""); a.location("code") == "" {
			t.Fatalf("got %d %v, want a code", a.StatusCode, a.Header)
		}
		over(t, s.as("alice").do("GET", path, ""))
	})
	t.Run("and to none after the user did not agree", func(t *testing.T) {
		s, path := returned(t)
		deny := func() answer {
			page := s.as("alice").do("GET", path, "")
			return s.as("alice").do("POST", "/o/authorize/",
				url.Values{"interaction": {fields(page.body).Get("interaction")}}.Encode())
		}
		kept := s.as("alice").do("GET", path, "")
		if a := deny(); a.location("error") != "access_denied" {
			t.Fatalf("got %d %v, want access_denied", a.StatusCode, a.Header)
		}
		for name, a := range map[string]answer{"agreeing in another tab": s.as("alice").allow(kept),
			"denying again": deny()} {
			if a.StatusCode != http.StatusForbidden {
				t.Errorf("%s: got %d %v, want 403", name, a.StatusCode, a.Header)
			}
		}
	})
	t.Run("that comes again if a program on the device missed it", func(t *testing.T) {
		s := newService(t, nil)
		s.add(server.Registration{ClientID: "own", RedirectURIs: []string{"com.example.own:/cb"},
			TokenEndpointAuthMethod: "none",
			FirstParty:              true})
		path := s.returnPath("client_id", "own", "redirect_uri", "com.example.own:/cb")
		code := s.as("alice").do("GET", path, "").location("code")
		if again := s.as("alice").do("GET", path, "").location("code"); code == "" || again != code {
			t.Fatalf("got %q and then %q, want one code", code, again)
		}
		over(t, s.as("bob").do("GET", path, ""))
		over(t, s.asOf("alice", "other session", time.Now()).do("GET", path, ""))
		if a := s.post("/o/token/", "own", "grant_type", "authorization_code", "code", code, "redirect_uri",
			"com.example.own:/cb",
			"code_verifier", verifier); a.StatusCode != http.StatusOK {
			t.Fatalf("got %d %s", a.StatusCode, a.body)
		}
		over(t, s.as("alice").do("GET", path, ""))
		grants, _, err := s.server.Grants(t.Context(), "alice", backend.Page{})
		if err != nil || len(grants) != 1 {
			t.Errorf("got %d grants, %v, want the first one alone, and live", len(grants), err)
		}
	})
	t.Run("at once, one of 16", func(t *testing.T) {
		s, path := returned(t, first...)
		var codes atomic.Int32
		var group sync.WaitGroup
		for range 16 {
			group.Go(func() {
				if s.as("alice").do("GET", path, "").location("code") != "" {
					codes.Add(1)
				}
			})
		}
		if group.Wait(); codes.Load() != 1 {
			t.Errorf("got %d codes, want 1", codes.Load())
		}
	})
	t.Run("an outage leaves it good", func(t *testing.T) {
		store := &failing{Store: server.NewMemoryStore()}
		s := newService(t, func(c *server.Config) { c.Store = store })
		path := s.returnPath(first...)
		for nth := range int32(4) {
			store.fail(nth + 1)
			a := s.as("alice").do("GET", path, "")
			if store.fail(0); a.location("code") != "" {
				break // all calls were made
			}
			if nth == 3 {
				t.Fatal("want a code after at most three calls")
			}
		}
	})
}

func TestUnitHEADChangesNothing(t *testing.T) {
	store := &counted{Store: server.NewMemoryStore()}
	s := newService(t, func(c *server.Config) { c.Store = store })
	s.as("alice").code()
	path := s.returnPath()
	logins := len(s.logins)
	hint := s.tokens("alice").text("id_token")
	rows := store.rows.Load()
	for name, address := range map[string]string{
		"a request": "/o/authorize/?" + query().Encode(),
		"one of a first-party client": "/o/authorize/?" + query("client_id", "first", "redirect_uri",
			"https://first.example/cb").Encode(),
		"one that needs a consent": "/o/authorize/?" + query("prompt", "consent").Encode(),
		"one that needs a login":   "/o/authorize/?" + query("prompt", "login").Encode(),
		"a return from the login":  path,
		"a logout":                 "/o/logout/",
		"a logout with a hint":     "/o/logout/?id_token_hint=" + hint,
	} {
		t.Run(name, func(t *testing.T) {
			a := s.as("alice").do("HEAD", address, "")
			if a.StatusCode != http.StatusOK || a.Header.Get("Location") != "" || a.Header.Get("Set-Cookie") != "" ||
				a.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("got %d %v, want 200 and nothing else", a.StatusCode, a.Header)
			}
		})
	}
	if got := store.rows.Load(); got != rows || len(s.logins) != logins {
		t.Errorf("got %d more rows and %d more logins", got-rows, len(s.logins)-logins)
	}
	if a := s.as("alice").do("GET", path, ""); a.location("code") == "" {
		t.Errorf("got the request used up: %d %v", a.StatusCode, a.Header)
	}
	sent(t, s, "what is wrong is told", s.as("alice").do("HEAD", "/o/authorize/?"+query("scope", "admin").Encode(), ""),
		"invalid_scope")
}

func TestUnitRequestKeys(t *testing.T) {
	secret := func(letter string) auth.Secret { return auth.Secret(strings.Repeat(letter, 32)) }
	// instances returns servers with one store, by what changes each.
	instances := func(t *testing.T, changes ...func(*server.Config)) []*service {
		store := server.NewMemoryStore()
		all := make([]*service, len(changes))
		for i, change := range changes {
			fixed := func(c *server.Config) {
				c.Store, c.Issuer = store, "https://login.example"
				change(c)
			}
			if i == 0 {
				all[0] = newService(t, fixed)
				continue
			}
			all[i] = all[0].sibling(fixed)
		}
		return all
	}
	keys := func(all ...auth.Secret) func(*server.Config) {
		return func(c *server.Config) { c.Endpoints.RequestKeys = all }
	}
	serves := func(t *testing.T, from, to *service) bool {
		t.Helper()
		a := to.as("alice").do("GET", from.returnPath(), "")
		if a.StatusCode != http.StatusOK && a.StatusCode != http.StatusBadRequest {
			t.Fatalf("got %d %v", a.StatusCode, a.Header)
		}
		return a.StatusCode == http.StatusOK
	}
	t.Run("two instances with the same keys serve one login", func(t *testing.T) {
		all := instances(t, keys(secret("a")), keys(secret("a")))
		page := all[1].as("alice").do("GET", all[0].returnPath(), "")
		if code := all[0].as("alice").allow(page).location("code"); code == "" {
			t.Errorf("got no code: %d %s", page.StatusCode, page.body)
		}
	})
	t.Run("a new key in second place opens what others seal by it", func(t *testing.T) {
		all := instances(t, keys(secret("a"), secret("b")), keys(secret("b"), secret("a")), keys(secret("b")))
		if !serves(t, all[0], all[1]) || !serves(t, all[1], all[0]) || serves(t, all[0], all[2]) {
			t.Error("want that each opens what any of its keys sealed, and nothing else")
		}
	})
	t.Run("a keyring has keys that instances share", func(t *testing.T) {
		ring := func(letter string) func(*server.Config) {
			return func(c *server.Config) {
				ring, err := jwt.NewKeyring(t.Context(), jwt.KeyringConfig{Store: jwt.NewMemoryKeyStore(),
					Generate: true,
					RSABits:  2048, Keys: []auth.Secret{secret(letter)}})
				if err != nil {
					t.Fatal(err)
				}
				c.Keys = ring
			}
		}
		all := instances(t, ring("k"), ring("k"), ring("x"))
		if !serves(t, all[0], all[1]) || serves(t, all[0], all[2]) {
			t.Error("want that instances with the same application keys serve one login")
		}
	})
	t.Run("without any key each server has its own", func(t *testing.T) {
		all := instances(t, keys(), keys())
		if !serves(t, all[0], all[0]) || serves(t, all[0], all[1]) {
			t.Error("want a random key")
		}
	})
	t.Run("a key that is short is refused, and no key is printed", func(t *testing.T) {
		c := server.Config{Issuer: "https://a.example", Store: server.NewMemoryStore(), LoadUser: (&users{}).load,
			Endpoints: server.EndpointConfig{RequestKeys: []auth.Secret{auth.Secret(strings.Repeat("s", 31))}},
			Tokens:    server.TokenConfig{Grants: []server.GrantType{server.ClientCredentials{}}}}
		if _, err := server.New(c); err == nil || !strings.Contains(err.Error(), "Config.Endpoints.RequestKeys") ||
			strings.Contains(err.Error(), "sss") {
			t.Errorf("got %v, want an error that names the setting", err)
		}
		c.Endpoints.RequestKeys = []auth.Secret{secret("s")}
		srv, err := server.New(c)
		if err != nil {
			t.Fatal(err)
		}
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
			if text := fmt.Sprintf(verb, srv); strings.Contains(text, "sssss") ||
				strings.Contains(text, "7373737373") ||
				strings.Contains(text, "115 115 115") {
				t.Errorf("%s shows a key", verb)
			}
		}
	})
}

// sibling is another instance of a server, with what changes it.
func (s *service) sibling(change func(*server.Config)) *service {
	s.Helper()
	other := *s
	other.logins = nil
	other.config.Endpoints.RequestKeys = nil
	other.config.SignIn = func(_ http.ResponseWriter, _ *http.Request, asked server.SignInRequest) {
		other.logins = append(other.logins, asked)
	}
	change(&other.config)
	var err error
	other.server, err = server.New(other.config)
	s.must(err)
	other.http = httptest.NewServer(other.handlers())
	s.Cleanup(other.http.Close)
	return &other
}

// serverOf is a server without a connection, a function that opens a page, and the ReturnTo of the last login.
func serverOf(t testing.TB) (srv *server.Server, get func(path, cookie string) int, returnTo *string) {
	returnTo = new(string)
	us := &users{stamps: map[string]string{"alice": "a"}, off: map[string]bool{}}
	srv, err := server.New(server.Config{Issuer: "https://a.example", Store: server.NewMemoryStore(), LoadUser: us.load,
		Keys: keysOf(t, jwt.ES256, jwt.RS256), SignIn: func(_ http.ResponseWriter, _ *http.Request,
			asked server.SignInRequest) {
			*returnTo = asked.ReturnTo
		}})
	if err != nil {
		t.Fatal(err)
	}
	web := server.Registration{ClientID: "web", RedirectURIs: []string{"https://web.example/callback?a=b"}}
	if _, _, err := srv.AddClient(t.Context(), web); err != nil {
		t.Fatal(err)
	}
	guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{logins{us}}})
	if err != nil {
		t.Fatal(err)
	}
	handlers, err := srv.Handlers(guard)
	if err != nil {
		t.Fatal(err)
	}
	return srv, func(path, cookie string) int {
		r := httptest.NewRequest("GET", path, nil)
		if cookie != "" {
			r.AddCookie(&http.Cookie{Name: "login", Value: cookie})
		}
		w := httptest.NewRecorder()
		handlers.ServeHTTP(w, r)
		return w.Code
	}, returnTo
}

func TestUnitAKeptRequestExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, get, path := serverOf(t)
		get("/o/authorize/?"+query("scope", "openid").Encode(), "")
		first := *path
		time.Sleep(29 * time.Minute)
		get(first, "") // sealed anew, which makes it no younger
		if again := *path; again == first || get(again, "alice:s:0") != http.StatusOK {
			t.Error("want a page before 30 minutes have passed")
		}
		time.Sleep(time.Minute)
		for name, address := range map[string]string{"the first address": first, "the second address": *path} {
			if status := get(address, "alice:s:0"); status != http.StatusBadRequest {
				t.Errorf("%s: got %d after 30 minutes, want 400", name, status)
			}
			if asked, err := srv.SignInRequest(t.Context(), address); asked != nil || err != nil {
				t.Errorf("%s: got %v, %v", name, asked, err)
			}
		}
	})
}

// FuzzAKeptRequest looks for an address that was not made here, and is taken or does harm.
func FuzzAKeptRequest(f *testing.F) {
	srv, get, returnTo := serverOf(f)
	get("/o/authorize/?"+query("scope", "openid").Encode(), "")
	kept, err := url.Parse(*returnTo)
	if err != nil {
		f.Fatal(err)
	}
	good := kept.Query().Get("interaction")
	for _, seed := range []string{good, good + "A", good[:40], "", "x", "\n" + good, "%zz", strings.Repeat("A", 6000)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		path := "/o/authorize/?" + url.Values{"interaction": {text}}.Encode()
		asked, err := srv.SignInRequest(t.Context(), path)
		if err != nil || asked != nil && strings.NewReplacer("\r", "", "\n", "").Replace(
			text)[:len(good)-1] != good[:len(good)-1] {
			t.Errorf("%q: %v, %v", text, asked, err)
		}
	})
}
