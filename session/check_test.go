package session_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/session"
)

func TestNewRefusesWhatCannotBeRight(t *testing.T) {
	good := session.Config{Store: session.NewMemoryStore(), LoadUser: newService(t, session.Config{}).load}
	for sentence, change := range map[string]func(*session.Config){
		"no store":                 func(c *session.Config) { c.Store = nil },
		"no loader":                func(c *session.Config) { c.LoadUser = nil },
		"a negative limit":         func(c *session.Config) { c.Limit = -2 },
		"eviction without a limit": func(c *session.Config) { c.Limit, c.EvictOldest = session.NoLimit, true },
		"an absolute end before the idle": func(c *session.Config) {
			c.Lifetime = session.Lifetime{Idle: time.Hour, Absolute: time.Minute}
		},
		"no idle end":                   func(c *session.Config) { c.Lifetime.Absolute = time.Hour },
		"a remembered one without idle": func(c *session.Config) { c.Remember.Absolute = time.Hour },
		"touches too seldom":            func(c *session.Config) { c.TouchInterval = 31 * time.Minute },
		"a negative touch interval":     func(c *session.Config) { c.TouchInterval = -1 },
		"a prefix of one's own":         func(c *session.Config) { c.Cookie = "__Host-x" },
		"a name that is none":           func(c *session.Config) { c.Cookie = "a b" },
		"a short key":                   func(c *session.Config) { c.Keys = []auth.Secret{"short"} },
	} {
		config := good
		change(&config)
		if _, err := session.New(config); err == nil || !strings.HasPrefix(err.Error(), "session: ") {
			t.Errorf("%s: %v", sentence, err)
		}
	}
	if _, err := session.New(good); err != nil {
		t.Error(err)
	}
}

func TestAGoodCookieProvesItsUser(t *testing.T) {
	s := newService(t, session.Config{})
	cookie := s.login("alice")
	s.want(200, "alice", s.do("GET", "/me", "", "Cookie", cookie))
	s.want(200, "alice", s.do("GET", "/public", "", "Cookie", "a=b; "+cookie+" ; c=d"))
	s.want(200, "alice", s.do("POST", "/me", "", "Cookie", cookie))
}

// stale is what a browser may still have, as a function of a good cookie.
func stale(s *service) map[string]func(cookie string) string {
	return map[string]func(string) string{
		"unknown": func(cookie string) string {
			s.do("POST", "/session/logoutall", "", "Cookie", cookie)
			return cookie
		},
		"mistyped":          func(cookie string) string { return cookie[:len(cookie)-1] + "?" },
		"empty":             func(string) string { return "__Host-session=" },
		"without a value":   func(string) string { return "__Host-session" },
		"very long":         func(string) string { return "__Host-session=" + strings.Repeat("x", 5000) },
		"not UTF-8":         func(string) string { return "__Host-session=\xff\xfe" },
		"twice":             func(cookie string) string { return cookie + "; " + cookie },
		"of a changed user": func(cookie string) string { s.set("alice", &person{"alice", "a2"}, nil); return cookie },
		"of a gone user":    func(cookie string) string { s.set("alice", nil, nil); return cookie },
		"of an inactive one": func(cookie string) string {
			s.set("alice", &person{"alice", "a1"}, auth.ErrUserInactive)
			return cookie
		},
	}
}

func TestAStaleCookieIsNoCredentialAndIsCleared(t *testing.T) {
	for sentence := range stale(newService(t, session.Config{})) {
		t.Run(sentence, func(t *testing.T) {
			s := newService(t, session.Config{})
			cookie := stale(s)[sentence](s.login("alice"))
			anonymous := s.do("GET", "/public", "", "Cookie", cookie)
			s.want(200, "nobody", anonymous)
			s.wantCleared(true, anonymous)

			refused := s.do("GET", "/me", "", "Cookie", cookie)
			s.want(401, "not_authenticated", refused)
			s.wantCleared(true, refused)
			if got := refused.Header["Www-Authenticate"]; len(got) != 2 ||
				got[1] != `Cookie realm="api", cookie-name="__Host-session"` {
				t.Errorf("challenges %q", got)
			}
			s.want(200, "tokenuser", s.do("GET", "/public", "", "Cookie", cookie, "Authorization", "Bearer good"))
			s.want(401, "", s.do("GET", "/public", "", "Cookie", cookie, "Authorization", "Bearer bad"))
		})
	}
}

func TestNoCookieIsNothingToClear(t *testing.T) {
	s := newService(t, session.Config{})
	for _, cookie := range []string{"", "session=x", "__Host-session2=x", "x__Host-session=x",
		"__host-session=x", ";;=;"} {
		answer := s.do("GET", "/public", "", "Cookie", cookie)
		s.want(200, "nobody", answer)
		if answer.Header["Set-Cookie"] != nil {
			t.Errorf("%q: %q", cookie, answer.Header["Set-Cookie"])
		}
	}
}

func TestAnOutageIsNeverAnonymousAndClearsNothing(t *testing.T) {
	s := newService(t, session.Config{})
	cookie := s.login("alice")
	check := func(sentence string) {
		for _, path := range []string{"/me", "/public"} {
			answer := s.do("GET", path, "", "Cookie", cookie)
			s.want(503, "unavailable", answer)
			s.wantCleared(false, answer)
			if answer.Header.Get("Retry-After") == "" || strings.Contains(text(answer), "disk") {
				t.Errorf("%s: %v", sentence, answer.Header)
			}
		}
	}
	s.store.set(true)
	check("the store")
	s.store.set(false)
	s.set("alice", &person{"alice", "a1"}, errDown)
	check("the loader")
	s.set("alice", &person{"alice", "a1"}, nil)
	s.want(200, "alice", s.do("GET", "/me", "", "Cookie", cookie))
}

func TestASessionEndsWhenItIsNotUsedAndWhenItsTimeHasCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(t, session.Config{Lifetime: session.Lifetime{Idle: time.Hour, Absolute: 3 * time.Hour}})
		idle, used := s.login("alice"), s.login("alice")
		for range 3 {
			time.Sleep(59 * time.Minute)
			s.want(200, "alice", s.do("GET", "/me", "", "Cookie", used))
		}
		s.want(200, "nobody", s.do("GET", "/public", "", "Cookie", idle))
		time.Sleep(3 * time.Minute) // 3 h of the one that is in use: the absolute end
		answer := s.do("GET", "/public", "", "Cookie", used)
		s.want(200, "nobody", answer)
		s.wantCleared(true, answer)
		if n, err := s.Purge(t.Context(), 500); n != 2 || err != nil {
			t.Errorf("purged %d, %v", n, err)
		}
	})
}

func TestAnIdleSessionEndsToTheMicrosecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(t, session.Config{})
		cookie := s.login("alice")
		time.Sleep(time.Hour - time.Microsecond)
		user, credential, err := s.Authenticate(withCookie(cookie))
		if err != nil || user.UserID() != "alice" {
			t.Fatal(err)
		}
		if got := time.Until(credential.(*session.Session).IdleExpiresAt()); got > time.Hour ||
			got < time.Hour-time.Millisecond {
			t.Errorf("lives for %v more", got)
		}
		time.Sleep(time.Hour)
		if _, _, err := s.Authenticate(withCookie(cookie)); auth.KindOf(err) != auth.ErrNoCredentials {
			t.Error(err)
		}
	})
}

func TestUseIsWrittenNowAndThenOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		counting := &touches{Store: session.NewMemoryStore()}
		s := newService(t, session.Config{Store: counting})
		cookie := s.login("alice")
		for range 10 {
			time.Sleep(20 * time.Second)
			s.want(200, "alice", s.do("GET", "/me", "", "Cookie", cookie))
		}
		if counting.n != 3 { // after 60, 120 and 180 seconds
			t.Errorf("%d touches", counting.n)
		}
	})
}

// touches counts.
type touches struct {
	session.Store
	n int
}

func (c *touches) Touch(ctx context.Context, touch session.Touch) error {
	c.n++
	return c.Store.Touch(ctx, touch)
}

func TestATouchThatFailsFailsNoRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(t, session.Config{Store: noTouch{session.NewMemoryStore()}})
		cookie := s.login("alice")
		time.Sleep(30 * time.Minute)
		s.want(200, "alice", s.do("GET", "/me", "", "Cookie", cookie))
		time.Sleep(31 * time.Minute) // nothing was prolonged
		s.want(401, "", s.do("GET", "/me", "", "Cookie", cookie))
	})
}

type noTouch struct{ session.Store }

func (noTouch) Touch(context.Context, session.Touch) error { return errDown }

func TestAPageOfAnotherOriginCannotUseTheCookie(t *testing.T) {
	s := newService(t, session.Config{})
	cookie := s.login("alice")
	cross := [][]string{
		{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://evil.example"},
		{"Origin", "null"},
	}
	for _, headers := range cross {
		for _, path := range []string{"/me", "/public", "/session/logout", "/session/logoutall", "/session/login"} {
			answer := s.do("POST", path, "", append(headers, "Cookie", cookie, "X-Login", "bob")...)
			s.want(403, "cross_origin", answer)
			if answer.Header["Set-Cookie"] != nil {
				t.Errorf("%s %v: %q", path, headers, answer.Header["Set-Cookie"])
			}
		}
		s.want(200, "alice", s.do("GET", "/me", "", append(headers, "Cookie", cookie)...))
	}
	for _, headers := range [][]string{{"Sec-Fetch-Site", "same-origin"}, {"Sec-Fetch-Site", "none"},
		{"Origin", "https://app.example"}, nil} {
		s.want(200, "alice", s.do("POST", "/me", "", append(headers, "Cookie", cookie)...))
	}
	s.want(403, "cross_origin", s.do("GET", "/me", "", "Cookie", cookie, "Origin", "https://evil.example", "Upgrade",
		"websocket"))
}

func withCookie(cookie string) *http.Request {
	r := httptest.NewRequest("GET", "https://app.example/", nil)
	r.Header.Set("Cookie", cookie)
	return r
}

func TestARequestUnderWayDoesNotClearTheCookieThatReplacedItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(t, session.Config{})
		first := s.login("alice")
		second := s.login("alice", "Cookie", first)
		w := httptest.NewRecorder()
		if err := s.Renew(w, withCookie(second)); err != nil {
			t.Fatal(err)
		}
		s.kinds()
		for _, old := range []string{first, second} {
			answer := s.do("GET", "/public", "", "Cookie", old)
			s.want(200, "nobody", answer)
			s.wantCleared(false, answer)
			s.want(401, "", s.do("GET", "/me", "", "Cookie", old))
			if err := s.Renew(httptest.NewRecorder(), withCookie(old)); auth.KindOf(err) != auth.ErrNoCredentials {
				t.Errorf("renewing the old one: %v", err)
			}
		}
		if list, _, err := s.List(t.Context(), "alice", backend.Page{}); err != nil || len(list) != 1 {
			t.Errorf("got %v, %v, want one session and no error", list, err)
		}
		s.want(200, "alice", s.do("GET", "/me", "", "Cookie", cookieOf(t, w.Result())))
		time.Sleep(time.Minute) // longer than a request is under way
		for _, old := range []string{first, second} {
			s.wantCleared(true, s.do("GET", "/public", "", "Cookie", old))
		}
		// tombstones, which are no sessions
		if n, err := s.Purge(t.Context(), 500); n != 2 || err != nil || len(s.kinds()) != 0 {
			t.Errorf("purged %d records, %v", n, err)
		}
	})
}
