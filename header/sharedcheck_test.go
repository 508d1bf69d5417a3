package header_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/header"
)

// slowCheck is a Check that takes a second.
type slowCheck struct {
	*passwords
	ended atomic.Int32 // by its context
}

func (c *slowCheck) Check(r *http.Request, username, password string) (auth.User, error) {
	select {
	case <-r.Context().Done():
		c.ended.Add(1)
		return nil, r.Context().Err()
	case <-time.After(time.Second):
	}
	return c.passwords.Check(r, username, password)
}

// TestUnitSharedChecks sends requests at once to a Basic with a slow Check.
func TestUnitSharedChecks(t *testing.T) {
	type world struct {
		*people
		*slowCheck
		basic *header.Basic
	}
	run := func(name string, remember time.Duration, f func(t *testing.T, w world)) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPeople("alice", "bob")
				c := &slowCheck{passwords: newPasswords(p, "alice", "secret", "bob", "secret")}
				f(t, world{p, c, newBasic(t, header.BasicConfig{Check: c.Check, LoadUser: p.Load, Remember: remember})})
			})
		})
	}
	// at sends n requests at once and returns how many were proved.
	at := func(w world, n int, request func(i int) *http.Request) int32 {
		var all sync.WaitGroup
		var proved atomic.Int32
		for i := range n {
			all.Go(func() {
				if user, _, err := w.basic.Authenticate(request(i)); err == nil && user.UserID() != "" {
					proved.Add(1)
				}
			})
		}
		all.Wait()
		return proved.Load()
	}
	run("12 requests with one password have one check", 0, func(t *testing.T, w world) {
		if n := at(w, 12, func(int) *http.Request { return as("alice:secret") }); n != 12 {
			t.Errorf("%d were proved, want 12", n)
		}
		w.wantAsked(t, 1)
	})
	run("a wrong password that comes 12 times at once is one failure", 0, func(t *testing.T, w world) {
		if n := at(w, 12, func(int) *http.Request { return as("alice:wrong") }); n != 0 {
			t.Errorf("%d were proved, want 0", n)
		}
		w.wantAsked(t, 1)
		_ = at(w, 1, func(int) *http.Request { return as("alice:wrong") }) // not remembered
		w.wantAsked(t, 2)
	})
	run("other names, passwords, addresses and hosts have checks of their own", 0, func(t *testing.T, w world) {
		n := at(w, 5, func(i int) *http.Request {
			r := as([]string{"alice:secret", "bob:secret", "alice:wrong", "alice:secret", "alice:secret"}[i])
			if i == 3 {
				r.RemoteAddr = "203.0.113.77:1"
			}
			if i == 4 {
				r.Host = "other.example"
			}
			return r
		})
		if n != 4 {
			t.Errorf("%d were proved, want 4", n)
		}
		w.wantAsked(t, 5)
	})
	run("a negative Remember shares nothing", -1, func(t *testing.T, w world) {
		if n := at(w, 3, func(int) *http.Request { return as("alice:secret") }); n != 3 {
			t.Errorf("%d were proved, want 3", n)
		}
		w.wantAsked(t, 3)
	})
	run("who goes away, the first one too, leaves the check to the others", 0, func(t *testing.T, w world) {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		var all sync.WaitGroup
		all.Go(func() {
			start := time.Now()
			_, _, err := w.basic.Authenticate(as("alice:secret").WithContext(ctx))
			if took := time.Since(start); !errors.Is(err, context.DeadlineExceeded) || took != 100*time.Millisecond {
				t.Errorf("the first: %v after %v", err, took)
			}
		})
		synctest.Wait()
		if n := at(w, 3, func(int) *http.Request { return as("alice:secret") }); n != 3 {
			t.Errorf("%d of the others were proved, want 3", n)
		}
		all.Wait()
		w.wantAsked(t, 1)
	})
	run("a check for which no request waits is ended, and the next begins anew", 0, func(t *testing.T, w world) {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		_ = at(w, 3, func(int) *http.Request { return as("alice:secret").WithContext(ctx) })
		if n := at(w, 1, func(int) *http.Request { return as("alice:secret") }); n != 1 {
			t.Error("the next was not proved")
		}
		if w.ended.Load() != 1 {
			t.Errorf("%d checks were ended, want 1", w.ended.Load())
		}
	})
	t.Run("who came later is judged by the user as they are after the check", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p := newPeople("alice")
			asked := atomic.Int32{}
			proved := p.byID["alice"]
			check := func(*http.Request, string, string) (auth.User, error) {
				time.Sleep(time.Second)
				if asked.Add(1) > 1 {
					return nil, errWrong
				}
				return proved, nil // as they were at the start
			}
			b := newBasic(t, header.BasicConfig{LoadUser: p.Load, Check: check})
			var all sync.WaitGroup
			for i := range 2 {
				all.Go(func() {
					time.Sleep(time.Duration(i) * 500 * time.Millisecond)
					_, _, err := b.Authenticate(as("alice:secret"))
					if i == 1 && auth.KindOf(err) != auth.ErrInvalid {
						t.Errorf("the second: %v, want what a check of its own says", err)
					}
				})
			}
			time.Sleep(200 * time.Millisecond)
			p.set(func(p *people) { p.byID["alice"] = &user{"alice", "stamp 2"} }) // a new password
			all.Wait()
			if asked.Load() != 2 {
				t.Errorf("%d checks, want 2", asked.Load())
			}
		})
	})
	t.Run("a panic of Check is one of each request", func(t *testing.T) {
		basic := newBasic(t, header.BasicConfig{LoadUser: newPeople().Load,
			Check: func(*http.Request, string, string) (auth.User, error) { panic("bug") }})
		for range 2 {
			func() {
				defer func() {
					if recover() != "bug" {
						t.Error("want the panic of Check")
					}
				}()
				_, _, _ = basic.Authenticate(as("alice:secret"))
			}()
		}
	})
}

func TestARememberedPasswordIsOfOneAddressAndHost(t *testing.T) {
	checked := 0
	b, err := header.NewBasic(header.BasicConfig{
		LoadUser: func(_ context.Context, id string) (auth.User, error) { return stamped(id), nil },
		Check: func(*http.Request, string, string) (auth.User, error) {
			checked++
			return stamped("alice"), nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	for i, from := range []struct{ addr, host string }{
		{"192.0.2.1:1", "a.example"}, {"192.0.2.1:2", "a.example"}, {"198.51.100.1:1", "a.example"},
		{"192.0.2.1:1", "b.example"}} {
		r := httptest.NewRequest("GET", "http://"+from.host+"/", nil)
		r.RemoteAddr = from.addr
		r.SetBasicAuth("alice", "secret")
		if _, _, err := b.Authenticate(r); err != nil {
			t.Fatal(err)
		}
		if want := []int{1, 1, 2, 3}[i]; checked != want {
			t.Errorf("%v: %d checks, want %d", from, checked, want)
		}
	}
}

type stamped string

func (s stamped) UserID() string  { return string(s) }
func (stamped) AuthStamp() string { return "1" }

func TestARememberedPasswordIsOfTheHostThatAProxyNames(t *testing.T) {
	b, err := header.NewBasic(header.BasicConfig{
		LoadUser: func(_ context.Context, id string) (auth.User, error) { return stamped(id), nil },
		Check: func(r *http.Request, _, _ string) (auth.User, error) {
			if auth.ProxiesFrom(r.Context()).Host(r) != "a.example" {
				return nil, errWrong
			}
			return stamped("alice"), nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{b},
		Proxies: auth.Proxies{Trusted: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}})
	if err != nil {
		t.Fatal(err)
	}
	h := guard.Require()(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	for _, row := range []struct {
		host string
		want int
	}{{"a.example", 200}, {"b.example", 401}, {"a.example", 200}} {
		r := httptest.NewRequest("GET", "http://app/", nil)
		r.RemoteAddr = "10.0.0.1:1"
		r.Header.Set("X-Forwarded-For", "192.0.2.1")
		r.Header.Set("X-Forwarded-Host", row.host)
		r.SetBasicAuth("alice", "secret")
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code != row.want {
			t.Errorf("%s: %d, want %d", row.host, w.Code, row.want)
		}
	}
}

// A proxy that is trusted may pass on the X-Forwarded-Host of a client, and Check may go by the Host.
func TestARememberedPasswordIsOfTheHostOfTheRequestToo(t *testing.T) {
	b, err := header.NewBasic(header.BasicConfig{
		LoadUser: func(_ context.Context, id string) (auth.User, error) { return stamped(id), nil },
		Check: func(r *http.Request, _, _ string) (auth.User, error) {
			if r.Host != "a.example" {
				return nil, errWrong
			}
			return stamped("alice"), nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{b},
		Proxies: auth.Proxies{Trusted: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}})
	if err != nil {
		t.Fatal(err)
	}
	h := guard.Require()(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	for _, row := range []struct {
		host string
		want int
	}{{"a.example", 200}, {"b.example", 401}, {"a.example", 200}} {
		r := httptest.NewRequest("GET", "http://"+row.host+"/", nil)
		r.RemoteAddr = "10.0.0.1:1"
		r.Header.Set("X-Forwarded-For", "192.0.2.1")
		r.Header.Set("X-Forwarded-Host", "x.example")
		r.SetBasicAuth("alice", "secret")
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code != row.want {
			t.Errorf("%s: %d, want %d", row.host, w.Code, row.want)
		}
	}
}
