package header_test

import (
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/header"
)

// remembering is a guard with a Basic, and what it asks.
func remembering(t *testing.T, remember time.Duration) (*auth.Guard, *people, *passwords) {
	t.Helper()
	p := newPeople("alice", "bob")
	c := newPasswords(p, "alice", "secret", "bob", "hunter2")
	return newGuard(t, newBasic(t, header.BasicConfig{Check: c.Check, LoadUser: p.Load, Remember: remember})), p, c
}

func wantStatus(t *testing.T, guard *auth.Guard, credentials string, status int) {
	t.Helper()
	if a := ask(t, guard.Require(), as(credentials)); a.status != status {
		t.Errorf("%s: %d %q, want %d", credentials, a.status, a.detail, status)
	}
}

func TestRememberedPasswordIsCheckedOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		guard, _, c := remembering(t, 0)
		for range 60 {
			wantStatus(t, guard, "alice:secret", 200)
			time.Sleep(time.Second - 1)
		}
		c.wantAsked(t, 1)
		time.Sleep(60 * time.Nanosecond) // the minute is over
		wantStatus(t, guard, "alice:secret", 200)
		c.wantAsked(t, 2)
	})
}

func TestPasswordIsRememberedAsLongAsConfigured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		guard, _, c := remembering(t, 5*time.Second)
		wantStatus(t, guard, "alice:secret", 200)
		time.Sleep(5*time.Second - 1)
		wantStatus(t, guard, "alice:secret", 200)
		c.wantAsked(t, 1)
		time.Sleep(time.Nanosecond)
		wantStatus(t, guard, "alice:secret", 200)
		c.wantAsked(t, 2)
	})
}

func TestNegativeRememberAsksEveryTime(t *testing.T) {
	guard, _, c := remembering(t, -1)
	for range 3 {
		wantStatus(t, guard, "alice:secret", 200)
	}
	c.wantAsked(t, 3)
}

func TestOnlyTheVeryPasswordIsRemembered(t *testing.T) {
	guard, _, c := remembering(t, 0)
	wantStatus(t, guard, "alice:secret", 200)
	for i, other := range []string{"alice:Secret", "alice:", "alic:esecret", "bob:secret", "alice:secret "} {
		wantStatus(t, guard, other, 401)
		c.wantAsked(t, i+2)
	}
	wantStatus(t, guard, "alice:Secret", 401) // a refusal is not remembered
	c.wantAsked(t, 7)
	wantStatus(t, guard, "alice:secret", 200)
	c.wantAsked(t, 7)
}

// The lengths are in the key: without them these two would share one.
func TestUsernameAndPasswordAreNotRunTogether(t *testing.T) {
	p := newPeople("a", "ab")
	c := newPasswords(p, "a", "bc")
	guard := newGuard(t, newBasic(t, header.BasicConfig{Check: c.Check, LoadUser: p.Load}))
	wantStatus(t, guard, "a:bc", 200)
	wantStatus(t, guard, "ab:c", 401)
}

func TestChangedStampEndsARememberedPassword(t *testing.T) {
	guard, p, c := remembering(t, 0)
	wantStatus(t, guard, "alice:secret", 200)
	p.set(func(p *people) { p.byID["alice"] = &user{"alice", "stamp 2"} })
	c.mu.Lock()
	c.of["alice"] = "new secret"
	c.mu.Unlock()
	wantStatus(t, guard, "alice:secret", 401)
	c.wantAsked(t, 2)
	wantStatus(t, guard, "alice:new secret", 200)
	wantStatus(t, guard, "alice:new secret", 200)
	c.wantAsked(t, 3)
	// The old stamp coming back does not bring the old proof back.
	p.set(func(p *people) { p.byID["alice"] = &user{"alice", "stamp 1"} })
	wantStatus(t, guard, "alice:secret", 401)
}

func TestDisabledUserIsOutAtOnce(t *testing.T) {
	for name, err := range map[string]error{"disabled": auth.ErrUserInactive, "deleted": auth.ErrUserNotFound} {
		t.Run(name, func(t *testing.T) {
			p := newPeople("alice")
			asked := 0
			careless := func(*http.Request, string, string) (auth.User, error) { // looks at the password alone
				asked++
				return p.byID["alice"], nil
			}
			guard := newGuard(t, newBasic(t, header.BasicConfig{Check: careless, LoadUser: p.Load}), everybody)
			wantStatus(t, guard, "alice:secret", 200)
			p.set(func(p *people) { p.failed["alice"] = err })
			a := ask(t, guard.Optional(), as("alice:secret"))
			if a.status != 401 || a.detail != "Invalid username/password." || asked != 1 {
				t.Errorf("%d %q, asked %d times", a.status, a.detail, asked)
			}
		})
	}
}

func TestLoaderThatIsDownDoesNotForgetThePassword(t *testing.T) {
	guard, p, c := remembering(t, 0)
	wantStatus(t, guard, "alice:secret", 200)
	p.set(func(p *people) { p.down = errors.New("connection refused") })
	wantStatus(t, guard, "alice:secret", 503)
	p.set(func(p *people) { p.down = nil })
	wantStatus(t, guard, "alice:secret", 200)
	c.wantAsked(t, 1)
}

func TestUserWithoutAStampIsNotRemembered(t *testing.T) {
	asked := 0
	check := func(*http.Request, string, string) (auth.User, error) {
		asked++
		return plainUser("alice"), nil
	}
	guard := newGuard(t, newBasic(t, header.BasicConfig{Check: check, LoadUser: newPeople().Load}))
	for range 3 {
		wantStatus(t, guard, "alice:secret", 200)
	}
	if asked != 3 {
		t.Errorf("Check was asked %d times, want 3", asked)
	}
}

func TestCheckThatOutlastsTheMemoryIsNotRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeople("alice")
		asked := 0
		slow := func(*http.Request, string, string) (auth.User, error) {
			asked++
			time.Sleep(2 * time.Second)
			return p.byID["alice"], nil
		}
		guard := newGuard(t, newBasic(t, header.BasicConfig{Check: slow, LoadUser: p.Load, Remember: time.Second}))
		wantStatus(t, guard, "alice:secret", 200)
		wantStatus(t, guard, "alice:secret", 200)
		if asked != 2 {
			t.Errorf("Check was asked %d times, want 2", asked)
		}
	})
}

// More users than are remembered are all let in; the latest is remembered.
func TestMemoryIsBoundedAndStaysRight(t *testing.T) {
	p := newPeople()
	asked := 0
	check := func(_ *http.Request, username, _ string) (auth.User, error) {
		asked++
		return p.byID[username], nil
	}
	b := newBasic(t, header.BasicConfig{Check: check, LoadUser: p.Load})
	const many = 10_000 + 100
	prove := func(id string) {
		t.Helper()
		if got, _, err := b.Authenticate(as(id + ":secret")); err != nil || got.UserID() != id {
			t.Fatalf("%s: got %v, %v, want this user", id, got, err)
		}
	}
	for i := range many {
		id := fmt.Sprint("user", i)
		p.byID[id] = &user{id, "stamp"}
		prove(id)
	}
	prove(fmt.Sprint("user", many-1))
	if asked != many {
		t.Errorf("the latest was not remembered: %d checks", asked)
	}
	for i := range many {
		prove(fmt.Sprint("user", i))
	}
	if asked < many+100 {
		t.Errorf("%d checks: more than 10,000 are remembered", asked)
	}
}

func TestConcurrentRequests(t *testing.T) {
	guard, p, _ := remembering(t, 0)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for n := range 50 {
				name, password := "alice", "secret"
				if (i+n)%2 == 0 {
					name, password = "bob", "hunter2"
				}
				if a := ask(t, guard.Require(), as(name+":"+password)); a.userID != name {
					t.Errorf("%s: %d, user %q", name, a.status, a.userID)
				}
				if a := ask(t, guard.Require(), as(name+":wrong")); a.status != 401 {
					t.Errorf("a wrong password: %d", a.status)
				}
				if n%10 == 0 {
					p.set(func(p *people) { p.byID[name] = &user{name, fmt.Sprint("stamp", i, n)} })
				}
			}
		})
	}
	wg.Wait()
}
