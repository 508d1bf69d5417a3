package session_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/session"
)

// failing is a store of which one method fails.
type failing struct {
	session.Store
	method string
}

func (f *failing) fault(method string) error {
	if f.method == method {
		return errDown
	}
	return nil
}

func (f *failing) Add(ctx context.Context, r *session.Record, replaced string, limit int, evict bool, now time.Time) (
	session.Added, error) {
	if err := f.fault("Add"); err != nil {
		return session.Added{}, err
	}
	return f.Store.Add(ctx, r, replaced, limit, evict, now)
}

func (f *failing) Replace(ctx context.Context, digest string, successor *session.Record, now time.Time) (bool, error) {
	if err := f.fault("Replace"); err != nil {
		return false, err
	}
	return f.Store.Replace(ctx, digest, successor, now)
}

func (f *failing) List(ctx context.Context, userID, after string, limit int, now time.Time) ([]*session.Record, error) {
	if err := f.fault("List"); err != nil {
		return nil, err
	}
	return f.Store.List(ctx, userID, after, limit, now)
}

func (f *failing) Revoke(ctx context.Context, userID, id string) (bool, error) {
	if err := f.fault("Revoke"); err != nil {
		return false, err
	}
	return f.Store.Revoke(ctx, userID, id)
}

func (f *failing) RevokeAll(ctx context.Context, userID, kept string) ([]string, error) {
	if err := f.fault("RevokeAll"); err != nil {
		return nil, err
	}
	return f.Store.RevokeAll(ctx, userID, kept)
}

func (f *failing) Purge(ctx context.Context, now time.Time, limit int) ([]*session.Record, error) {
	if err := f.fault("Purge"); err != nil {
		return nil, err
	}
	return f.Store.Purge(ctx, now, limit)
}

func TestAStoreThatFailsInTheMiddleIs503AndNobodyIsLoggedOut(t *testing.T) {
	for sentence, row := range map[string]struct {
		fails, method, path string
	}{
		"a login":                  {"Add", "POST", "/session/login"},
		"a logout":                 {"Revoke", "POST", "/session/logout"},
		"a logout everywhere":      {"RevokeAll", "POST", "/session/logoutall"},
		"the list":                 {"List", "GET", "/session/sessions"},
		"ending one":               {"Revoke", "DELETE", "/session/sessions/x"},
		"ending all others":        {"Replace", "DELETE", "/session/sessions"},
		"ending all others, later": {"RevokeAll", "DELETE", "/session/sessions"},
	} {
		store := &failing{Store: session.NewMemoryStore()}
		s := newService(t, session.Config{Store: store})
		cookie := s.login("alice")
		s.kinds()
		store.method = row.fails
		var login string
		if row.path == "/session/login" {
			login = "alice"
		}
		answer := s.do(row.method, row.path, "", "Cookie", cookie, "X-Login", login)
		s.want(503, "unavailable", answer)
		s.wantCleared(false, answer)
		if answer.Header["Set-Cookie"] != nil { // the store renewed it before it failed
			cookie = cookieOf(t, answer)
		}
		s.want(200, "alice", s.do("GET", "/me", "", "Cookie", cookie))
		if kinds := s.kinds(); slices.Contains(kinds, auth.EventLogout) || slices.Contains(kinds, auth.EventRevoked) ||
			slices.Contains(kinds, auth.EventLogin) {
			t.Errorf("%s: events %v", sentence, kinds)
		}
	}
	s := newService(t, session.Config{Store: &failing{session.NewMemoryStore(), "Purge"}})
	if n, err := s.Purge(t.Context(), 500); n != 0 || auth.KindOf(err) != nil || err == nil {
		t.Errorf("purged %d, %v", n, err)
	}
}

func TestALogoutNeedsNoLoader(t *testing.T) {
	s := newService(t, session.Config{})
	cookie := s.login("alice")
	s.set("alice", &person{"alice", "a1"}, errDown)
	answer := s.do("POST", "/session/logout", "", "Cookie", cookie)
	s.want(303, "", answer)
	s.wantCleared(true, answer)
	s.set("alice", &person{"alice", "a1"}, nil)
	s.want(401, "", s.do("GET", "/me", "", "Cookie", cookie))
}

func TestNoCookieThatAnythingInFlightGaveOutlivesALogout(t *testing.T) {
	for range 8 {
		s := newService(t, session.Config{Lifetime: session.Lifetime{Idle: time.Minute, Absolute: time.Hour},
			TouchInterval: time.Nanosecond})
		server := httptest.NewServer(s.handler)
		first := s.login("alice")
		var mu sync.Mutex
		given := []string{first}
		send := func(method, path, cookie string) int {
			r, _ := http.NewRequestWithContext(t.Context(), method, server.URL+path, nil)
			r.Header.Set("Cookie", cookie)
			answer, err := http.DefaultTransport.RoundTrip(r)
			if err != nil {
				t.Error(err)
				return 0
			}
			answer.Body.Close()
			mu.Lock()
			defer mu.Unlock()
			for _, c := range answer.Cookies() {
				if c.Value != "" {
					given = append(given, c.Name+"="+c.Value)
				}
			}
			return answer.StatusCode
		}
		var group sync.WaitGroup
		for i := range 24 {
			group.Go(func() {
				switch {
				case i == 12:
					if status := send("POST", "/session/logout", first); status != 303 {
						t.Errorf("logout: %d", status)
					}
				case i%3 == 0: // each gives the session another cookie
					if status := send("DELETE", "/session/sessions", first); status != 204 && status != 401 {
						t.Errorf("ending all others: %d", status)
					}
				default:
					if status := send("GET", "/me", first); status != 200 && status != 401 {
						t.Errorf("GET: %d", status)
					}
				}
			})
		}
		group.Wait()
		for _, cookie := range given {
			if status := send("GET", "/me", cookie); status != 401 {
				t.Errorf("of %d cookies one is still good: %d", len(given), status)
			}
		}
		if list, _, err := s.List(t.Context(), "alice", backend.Page{}); err != nil || len(list) != 0 {
			t.Errorf("%d sessions are left, %v", len(list), err)
		}
		server.Close()
	}
}

func TestAnOldCookieEndsItsSuccessorForAMinuteOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(t, session.Config{})
		old := s.login("alice")
		w := httptest.NewRecorder()
		if err := s.Renew(w, withCookie(old)); err != nil {
			t.Fatal(err)
		}
		fresh := cookieOf(t, w.Result())
		time.Sleep(time.Minute)
		s.kinds()
		s.want(303, "", s.do("POST", "/session/logout", "", "Cookie", old))
		if kinds := s.kinds(); len(kinds) != 0 {
			t.Errorf("events %v", kinds)
		}
		s.want(200, "alice", s.do("GET", "/me", "", "Cookie", fresh))
	})
}

func TestALoginThatIsOneTooManyEndsTheOldest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(t, session.Config{Limit: 2, EvictOldest: true})
		oldest := s.login("alice")
		time.Sleep(time.Second)
		second := s.login("alice")
		time.Sleep(time.Second)
		s.kinds()
		third := s.login("alice")
		if got, want := s.kinds(), []auth.EventKind{auth.EventRevoked, auth.EventIssued,
			auth.EventLogin}; !slices.Equal(got, want) {
			t.Errorf("events %v, want %v", got, want)
		}
		s.want(401, "", s.do("GET", "/me", "", "Cookie", oldest))
		for _, kept := range []string{second, third} {
			s.want(200, "alice", s.do("GET", "/me", "", "Cookie", kept))
		}
	})
}

func TestALogoutIsReportedOnceWithItsUser(t *testing.T) {
	s := newService(t, session.Config{})
	cookie := s.login("alice")
	s.kinds()
	for range 2 {
		s.want(303, "", s.do("POST", "/session/logout", "", "Cookie", cookie))
	}
	s.mu.Lock()
	events := s.events
	s.mu.Unlock()
	if len(events) != 2 || events[0].Kind != auth.EventRevoked || events[1].Kind != auth.EventLogout ||
		events[1].UserID != "alice" || events[1].CredentialID == "" ||
		events[1].CredentialID != events[0].CredentialID || !events[1].ClientIP.IsValid() {
		t.Errorf("events %+v", events)
	}
}

func TestEndingAllOthersManyTimesAtOnceLeavesOneGoodCookie(t *testing.T) {
	for range 16 {
		s := newService(t, session.Config{})
		first, other := s.login("alice"), s.login("alice")
		answers := make([]*http.Response, 12)
		var group sync.WaitGroup
		for i := range answers {
			group.Go(func() { answers[i] = s.do("DELETE", "/session/sessions", "", "Cookie", first) })
		}
		group.Wait()
		var given []string
		for _, answer := range answers {
			if answer.StatusCode != 204 && answer.StatusCode != 401 {
				t.Errorf("got %s, want 204 or 401", answer.Status)
			}
			s.wantCleared(false, answer) // it would take the new one away
			if answer.Header["Set-Cookie"] != nil {
				given = append(given, cookieOf(t, answer))
			}
		}
		if len(given) != 1 {
			t.Fatalf("%d cookies were given", len(given))
		}
		s.want(200, "alice", s.do("GET", "/me", "", "Cookie", given[0]))
		for _, ended := range []string{first, other} {
			s.want(401, "", s.do("GET", "/me", "", "Cookie", ended))
		}
	}
}
