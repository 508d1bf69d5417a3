package server_test

import (
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

func TestUnitMaxAgeHoldsOnEveryWayOn(t *testing.T) {
	t.Run("a request that comes back long after its login leads to a login again", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			_, get, path := serverOf(t)
			for _, age := range []string{"60", "0"} {
				get("/o/authorize/?"+query("scope", "openid", "max_age", age).Encode(), "")
				kept := *path
				time.Sleep(time.Minute)
				cookie := fmt.Sprintf("alice:s:%d", time.Now().UnixMicro())
				time.Sleep(4 * time.Minute) // the user came back, and reads
				*path = ""
				if status := get(kept, cookie); status != http.StatusOK || *path != "" {
					t.Errorf("max_age=%s, 4 minutes after a new login: got %d, want the consent page", age, status)
				}
				time.Sleep(time.Minute + time.Second)
				if get(kept, cookie); *path == "" {
					t.Errorf("max_age=%s, 5 minutes after a new login: got no login", age)
				}
			}
			get("/o/authorize/?"+query("scope", "openid", "max_age", "1200").Encode(), "")
			kept := *path
			cookie := fmt.Sprintf("alice:s:%d", time.Now().UnixMicro())
			time.Sleep(19 * time.Minute)
			if status := get(kept, cookie); status != http.StatusOK {
				t.Errorf("max_age=1200, after 19 minutes: got %d, want the consent page", status)
			}
		})
	})
	t.Run("a consent page that is answered too late leads to a login, and then to one code", func(t *testing.T) {
		s := newService(t, nil)
		b := s.asOf("alice", "s", time.Now().Add(-58*time.Second))
		page := b.authorize("max_age", "60")
		other := b.authorize("max_age", "60")
		if page.StatusCode != http.StatusOK {
			t.Fatalf("got %d, want the consent page", page.StatusCode)
		}
		old := s.asOf("alice", "s", time.Now().Add(-61*time.Second)) // the same session, some seconds later
		back := old.allow(page)
		if back.StatusCode != http.StatusSeeOther || back.location("code") != "" {
			t.Fatalf("got %d %s, want a way on without a code", back.StatusCode, back.Header.Get("Location"))
		}
		to := back.Header.Get("Location")
		if a := old.do("GET", to, ""); a.StatusCode != http.StatusSeeOther || len(s.logins) != 1 || !s.logins[0].Fresh {
			t.Fatalf("got %d and %d logins, want one that proves anew", a.StatusCode, len(s.logins))
		}
		fresh := s.asOf("alice", "s", time.Now())
		if a := fresh.allow(page); a.StatusCode != http.StatusForbidden {
			t.Errorf("the page is still good: %d", a.StatusCode)
		}
		again := fresh.do("GET", s.logins[0].ReturnTo, "")
		if a := fresh.allow(again); a.location("code") == "" || a.location("state") != "xyz" {
			t.Errorf("after the login: got %d %s, want a code", a.StatusCode, a.Header.Get("Location"))
		}
		if a := old.do("POST", "/o/authorize/", fields(other.body).Encode()); a.location("error") != "access_denied" {
			t.Errorf("no is no answer that needs a login: got %d %s", a.StatusCode, a.Header.Get("Location"))
		}
	})
}

// A login that takes the user of a session of its own, such as one of a company, may come back as fast as it was asked,
// and with the time of the login there.
func TestUnitALoginThatChangesNothingEnds(t *testing.T) {
	for sentence, row := range map[string]struct {
		user      string // "" is no user
		parameter []string
	}{
		"an old login with a known time": {"alice", []string{"max_age", "60"}},
		"prompt=login":                   {"alice", []string{"prompt", "login"}},
		"nobody is signed in":            {"", nil},
	} {
		t.Run(sentence, func(t *testing.T) {
			s := newService(t, nil)
			b := s.stranger()
			if row.user != "" {
				b = s.asOf(row.user, "s", time.Now().Add(-time.Hour))
			}
			a := b.authorize(row.parameter...)
			for range 4 {
				if a.StatusCode != http.StatusSeeOther || a.location("error") != "" {
					t.Fatalf("after %d logins: got %d %s, want a login", len(s.logins), a.StatusCode,
						a.Header.Get("Location"))
				}
				a = b.do("GET", s.logins[len(s.logins)-1].ReturnTo, "")
			}
			first := s.logins[0].ReturnTo
			sent(t, s, "after 5 logins", b.do("GET", s.logins[len(s.logins)-1].ReturnTo, ""), "login_required")
			if len(s.logins) != 5 {
				t.Errorf("want 5 logins, got %d", len(s.logins))
			}
			fresh := s.asOf("alice", "s", time.Now())
			if a := fresh.allow(fresh.do("GET", first, "")); a.location("code") == "" {
				t.Errorf("a new login, by the first address: got %d %s, want a code", a.StatusCode,
					a.Header.Get("Location"))
			}
		})
	}
}
