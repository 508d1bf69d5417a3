package server_test

import (
	"context"
	"fmt"
	"log/slog"
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
	"github.com/gatewarden/auth/oauth2/server"
)

// guessed is a server with job as its only client, which is asked without a socket.
type guessed struct {
	*testing.T
	server   *server.Server
	handlers *server.Handlers
	secret   string
	log      *lines
	wrongs   atomic.Int32 // how many wrong secrets wrong has returned
}

func newGuessed(t *testing.T, change func(*server.Config)) *guessed {
	t.Helper()
	g := &guessed{T: t, log: &lines{}}
	config := server.Config{Issuer: "https://login.example", Store: server.NewMemoryStore(),
		Tokens:   server.TokenConfig{Grants: []server.GrantType{server.ClientCredentials{}}},
		LoadUser: func(context.Context, string) (auth.User, error) { return nil, auth.ErrUserNotFound },
		Logger:   slog.New(slog.NewTextHandler(g.log, nil))}
	if change != nil {
		change(&config)
	}
	var err error
	if g.server, err = server.New(config); err != nil {
		t.Fatal(err)
	}
	if g.handlers, err = g.server.Handlers(nil); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"job", "other"} {
		_, secret, err := g.server.AddClient(t.Context(),
			server.Registration{ClientID: id, GrantTypes: []string{"client_credentials"}})
		if err != nil {
			t.Fatal(err)
		}
		if id == "job" {
			g.secret = secret.Reveal()
		}
	}
	return g
}

// ask sends a secret from an address.
func (g *guessed) ask(path, from, client, secret string) *httptest.ResponseRecorder {
	g.Helper()
	body := url.Values{"grant_type": {"client_credentials"}, "token": {"x"}, "client_id": {client},
		"client_secret": {secret}}.Encode()
	r := httptest.NewRequestWithContext(g.Context(), "POST", path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.RemoteAddr = from
	w := httptest.NewRecorder()
	g.handlers.ServeHTTP(w, r)
	return w
}

// wrong returns a wrong secret that was not sent before.
func (g *guessed) wrong() string { return fmt.Sprint("wrong ", g.wrongs.Add(1)) }

// use sends n wrong secrets of job.
func (g *guessed) use(n int, from string) {
	g.Helper()
	for i := range n {
		if w := g.ask("/o/token/", from, "job", g.wrong()); w.Code != 401 {
			g.Fatalf("wrong secret %d: %d %s", i+1, w.Code, w.Body)
		}
	}
}

func TestUnitWrongClientSecretsAreSlowedDown(t *testing.T) {
	const here, there = "192.0.2.1:1000", "192.0.2.2:1000"
	t.Run("after 30 wrong secrets the answer is 429 for a while, and others are still let in", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			g := newGuessed(t, nil)
			g.use(30, here)
			g.log.take()
			for _, path := range endpoints {
				for _, secret := range []string{g.wrong(), g.secret} { // also the right one: a guess asks just that
					w := g.ask(path, here, "job", secret)
					if w.Code != 429 || w.Header().Get("Retry-After") != "2" ||
						!strings.Contains(w.Body.String(), `"error":"invalid_client"`) {
						t.Errorf("%s: %d %v %s", path, w.Code, w.Header(), w.Body)
					}
				}
			}
			if told := g.log.take(); !strings.Contains(told, "too many wrong secrets of the client came from the "+
				"address") ||
				!strings.Contains(told, "Config.Clients.AllowGuessing") || !strings.Contains(told, "192.0.2.1") ||
				!strings.Contains(told, "status=429") {
				t.Errorf("the log: %s", told)
			}
			if w := g.ask("/o/token/", there, "job", g.secret); w.Code != 200 {
				t.Errorf("from elsewhere: %d %s", w.Code, w.Body)
			}
			if w := g.ask("/o/token/", here, "other", "wrong"); w.Code != 401 {
				t.Errorf("another client: %d %s", w.Code, w.Body)
			}
			time.Sleep(2 * time.Second)
			g.use(1, here)
			if w := g.ask("/o/token/", here, "job", g.secret); w.Code != 429 {
				t.Errorf("one in 2 seconds: %d", w.Code)
			}
			time.Sleep(2 * time.Second)
			if w := g.ask("/o/token/", here, "job", g.secret); w.Code != 200 {
				t.Errorf("the right one, in time: %d %s", w.Code, w.Body)
			}
			time.Sleep(time.Minute)
			g.use(30, here) // all is forgotten
		})
	})
	t.Run("an IPv6 /64 is one address, and a mapped one that of IPv4", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			g := newGuessed(t, nil)
			g.use(30, "[2001:db8::1]:1")
			if w := g.ask("/o/token/", "[2001:db8::ffff:1]:1", "job", g.wrong()); w.Code != 429 {
				t.Errorf("the same /64: %d", w.Code)
			}
			if w := g.ask("/o/token/", "[2001:db8:0:1::1]:1", "job", g.wrong()); w.Code != 401 {
				t.Errorf("another /64: %d", w.Code)
			}
			g.use(30, here)
			if w := g.ask("/o/token/", "[::ffff:192.0.2.1]:1", "job", g.wrong()); w.Code != 429 {
				t.Errorf("mapped: %d", w.Code)
			}
		})
	})
	t.Run("right secrets do not count, nor do requests without one", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			g := newGuessed(t, nil)
			g.use(29, here)
			for range 50 {
				if w := g.ask("/o/token/", here, "job", g.secret); w.Code != 200 {
					t.Fatalf("%d %s", w.Code, w.Body)
				}
				if w := g.ask("/o/token/", here, "job", ""); w.Code != 401 {
					t.Fatalf("%d %s", w.Code, w.Body)
				}
			}
			g.use(1, here)
		})
	})
	t.Run("a program that goes on with an old secret keeps nobody out", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			g := newGuessed(t, nil)
			old := g.wrong()
			for i := range 100 {
				if w := g.ask(endpoints[i%len(endpoints)], here, "job", old); w.Code != 401 {
					t.Fatalf("the old secret, number %d: %d", i+1, w.Code)
				}
				if w := g.ask("/o/token/", here, "job", g.secret); w.Code != 200 {
					t.Fatalf("the right one, number %d: %d %s", i+1, w.Code, w.Body)
				}
				time.Sleep(time.Second / 2)
			}
			g.use(29, here)
			if w := g.ask("/o/token/", here, "job", g.wrong()); w.Code != 401 {
				t.Errorf("the old secret counts once: %d", w.Code)
			}
			if w := g.ask("/o/token/", here, "job", old); w.Code != 401 {
				t.Errorf("the old secret, while others are not looked at: %d", w.Code)
			}
			if w := g.ask("/o/token/", here, "job", g.secret); w.Code != 429 {
				t.Errorf("the right one after 30 others: %d", w.Code)
			}
			time.Sleep(time.Minute)
			ensure := func(secret string) {
				t.Helper()
				if _, err := g.server.EnsureClient(t.Context(), server.Registration{ClientID: "job",
					GrantTypes: []string{"client_credentials"}, ClientSecret: auth.Secret(secret)}); err != nil {
					t.Fatal(err)
				}
			}
			ensure(old + " and sixteen bytes")
			if w := g.ask("/o/token/", here, "job", g.secret); w.Code != 401 {
				t.Errorf("the secret of before: %d", w.Code)
			}
			ensure(g.secret)
			if w := g.ask("/o/token/", here, "job", g.secret); w.Code != 200 {
				t.Errorf("the secret that is right again: %d %s", w.Code, w.Body)
			}
		})
	})
	t.Run("many at once get no more than one after the other", func(t *testing.T) {
		g := newGuessed(t, nil)
		var refused atomic.Int32
		var group sync.WaitGroup
		for range 200 {
			group.Go(func() {
				if w := g.ask("/o/token/", here, "job", g.wrong()); w.Code == http.StatusUnauthorized {
					refused.Add(1)
				}
			})
		}
		group.Wait()
		if n := refused.Load(); n < 30 || n > 40 { // one more for each 2 seconds that the test takes
			t.Errorf("%d of 200 were looked at", n)
		}
	})
	t.Run("AllowGuessing is the exit, and the audit lists it", func(t *testing.T) {
		g := newGuessed(t, func(c *server.Config) { c.Clients.AllowGuessing = true })
		g.use(100, here)
		if w := g.ask("/o/token/", here, "job", g.secret); w.Code != 200 {
			t.Error(w.Code)
		}
		found := server.Audit(server.Config{Clients: server.ClientConfig{AllowGuessing: true}})
		if !hasFinding(found, "Clients.AllowGuessing") {
			t.Errorf("%v", found)
		}
	})
}

// hasFinding reports whether a finding is about a setting.
func hasFinding(found []server.Finding, setting string) bool {
	for _, f := range found {
		if f.Setting == setting {
			return true
		}
	}
	return false
}
