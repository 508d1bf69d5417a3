package header_test

import (
	"testing"

	"github.com/gatewarden/auth/header"
)

// Whatever a client sends is let in as who it is, or refused with a 4xx.

func FuzzAuthorization(f *testing.F) {
	p := newPeople("alice")
	c := newPasswords(p, "alice", "secret")
	guard := newGuard(f, newBasic(f, header.BasicConfig{Check: c.Check, LoadUser: p.Load}))
	for _, seed := range []string{"", "Basic", "basic ", "Basic =a=", "Basic a b", "Digest x", "Basic \xff", "\x00", "Basic\t" + encode("alice:secret"),
		"Basic " + encode("alice:secret"), "BASIC " + encode("alice\x00:secret"), "Basic " + encode("\xff:\xff")} {
		f.Add(seed, false)
		f.Add(seed, true)
	}
	f.Fuzz(func(t *testing.T, value string, twice bool) {
		r := request(outside, "Authorization", value)
		if twice {
			r.Header.Add("Authorization", value)
		}
		a := ask(t, guard.Require(), r)
		switch {
		case a.reached && (a.userID != "alice" || twice):
			t.Fatalf("%q: let in as %q", value, a.userID)
		case !a.reached && a.status != 400 && a.status != 401:
			t.Fatalf("%q: %d", value, a.status)
		}
	})
}

func FuzzHeader(f *testing.F) {
	guard := newGuard(f, newHeader(f, newPeople("alice"), proxy))
	for _, seed := range []string{"", " ", "alice", " alice ", "mallory", "\xff", "a\x00", "client:a", "a\r\nX-Username: b", "alice, bob", "\u202e"} {
		f.Add("X-Username", seed, true, false)
		f.Add("X_Username", seed, true, true)
		f.Add("x-username", seed, false, false)
	}
	f.Fuzz(func(t *testing.T, name, value string, trusted, twice bool) {
		peer := outside
		if trusted {
			peer = inside
		}
		r := request(peer, name, value)
		if twice {
			r.Header[name] = append(r.Header[name], value)
		}
		a := ask(t, guard.Optional(), r)
		switch {
		case a.reached && a.userID != "" && (a.userID != "alice" || !trusted || twice || name != "X-Username"):
			t.Fatalf("%q %q from %s: let in as %q", name, value, peer, a.userID)
		case a.reached && a.seen.Get("X-Username") != "":
			t.Fatalf("%q %q reached the handler", name, value)
		case !a.reached && a.status != 400 && a.status != 401:
			t.Fatalf("%q %q: %d", name, value, a.status)
		}
	})
}
