package header_test

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/header"
	"github.com/gatewarden/auth/knox"
)

// Whatever a client sends is let in under its own name, or refused with a 4xx.

func FuzzAuthorization(f *testing.F) {
	p := newPeople("alice")
	c := newPasswords(p, "alice", "secret")
	guard := newGuard(f, newBasic(f, header.BasicConfig{Check: c.Check, LoadUser: p.Load}))
	for _, seed := range []string{"", "Basic", "basic ", "Basic =a=", "Basic a b", "Digest x", "Basic \xff", "\x00",
		"Basic\t" + encode("alice:secret"),
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
			t.Fatalf("%q: got status %d, want the handler, 400 or 401", value, a.status)
		}
	})
}

func FuzzHeader(f *testing.F) {
	guard := newGuard(f, newHeader(f, newPeople("alice"), proxy))
	for _, seed := range []string{"", " ", "alice", " alice ", "mallory", "\xff", "a\x00", "client:a",
		"a\r\nX-Username: b", "alice, bob", "\u202e"} {
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
			t.Fatalf("%q %q: got status %d, want the handler, 400 or 401", name, value, a.status)
		}
	})
}

func FuzzGroups(f *testing.F) {
	guard := newGuard(f, newGrouped(f, grouped(newPeople("alice"))))
	for _, seed := range []string{"", ",", " a ,b,, c ", "a\x00", "\xff", "\u0085", "a\r\nb",
		strings.Repeat("g,", 300)} {
		f.Add(seed, seed, true)
		f.Add(seed, "admins", false)
	}
	f.Fuzz(func(t *testing.T, one, other string, trusted bool) {
		peer := outside
		if trusted {
			peer = inside
		}
		a := ask(t, guard.Optional(), request(peer, "X-Forwarded-User", "alice", "X-Forwarded-Groups", one,
			"X-Forwarded-Groups", other))
		c, proved := a.credential.(header.Credential)
		switch {
		case !trusted && (proved || !a.reached) || a.seen["X-Forwarded-Groups"] != nil:
			t.Fatalf("%q %q: got %d, %v, want it passed on without identity and headers", one, other, a.status, a.seen)
		case trusted && !proved && a.status != 400:
			t.Fatalf("%q %q: got status %d, want 400", one, other, a.status)
		}
		if len(c.Groups()) > 256 {
			t.Fatalf("%d groups", len(c.Groups()))
		}
		for _, group := range c.Groups() {
			if group != strings.Trim(group, " \t") || group == "" || strings.Contains(group, ",") ||
				!utf8.ValidString(group) ||
				!strings.Contains(one+","+other, group) {
				t.Fatalf("%q %q: group %q", one, other, group)
			}
		}
	})
}

func FuzzAPIKey(f *testing.F) {
	tokens := newTokens(f, newPeople("alice"))
	key := issue(f, tokens, knox.Options{})
	guard := newGuard(f, newAPIKey(f, tokens))
	for _, seed := range []string{"", " ", "=", key, " " + key, key + "=", key + "," + key, "\x00", "\xff", "a b",
		strings.ToUpper(key)} {
		f.Add(seed, false)
		f.Add(seed, true)
	}
	f.Fuzz(func(t *testing.T, value string, twice bool) {
		r := request(outside, "X-Api-Key", value)
		if twice {
			r.Header.Add("X-Api-Key", value)
		}
		a := ask(t, guard.Optional(), r)
		blank := strings.Trim(value, " \t") == ""
		switch {
		case a.userID != "" && (strings.Trim(value, " \t") != key || twice):
			t.Fatalf("%q: let in as %q", value, a.userID)
		case a.reached && a.userID == "" && (!blank || twice):
			t.Fatalf("%q: anonymous", value)
		case !a.reached && a.status != 400 && a.status != 401:
			t.Fatalf("%q: got status %d, want the handler, 400 or 401", value, a.status)
		}
	})
}

// Whatever a proxy forwards: only the very certificate is let in, however it is
// written, and what is not its issuer's is anonymous or refused.
func FuzzForwardedCertificate(f *testing.F) {
	issuer := newAuthority(f, "issuer")
	below := issuer.sub(f, "below")
	leaf := below.issue(f, "alice", email("alice@corp.example"))
	config := forwarded(newPeople("alice@corp.example"), issuer, below)
	guards := map[string]*auth.Guard{"Client-Cert": newGuard(f, newCertificate(f, config))}
	config.Forwarded = &header.Forwarded{Trust: proxy, Encoding: header.FormatNginx, Header: "X-Client-Cert"}
	guards["X-Client-Cert"] = newGuard(f, newCertificate(f, config))
	for _, seed := range []string{"", ":", "::", sequence(leaf), sequence(leaf) + ";a", ":" + rfcLeaf + ":", ":\n:",
		":====:", "\xff",
		escaped(leaf.Certificate[0]), "-----BEGIN CERTIFICATE-----", "%2d%",
		"-----BEGIN CERTIFICATE-----%0A-----END CERTIFICATE-----"} {
		f.Add(seed, der(below.certificate.Raw), true)
		f.Add(seed, ", :a:,", true)
		f.Add(sequence(leaf), seed, true)
		f.Add(seed, "", false)
	}
	f.Fuzz(func(t *testing.T, value, chain string, trusted bool) {
		peer := outside
		if trusted {
			peer = inside
		}
		for name, guard := range guards {
			a := ask(t, guard.Optional(), request(peer, name, value, "Client-Cert-Chain", chain))
			c, proved := a.credential.(*header.CertificateCredential)
			switch {
			case proved && (!trusted || !bytes.Equal(c.Leaf().Raw, leaf.Certificate[0]) ||
				a.userID != "alice@corp.example"):
				t.Fatalf("%q: let in as %q", value, a.userID)
			case !trusted && !a.reached || a.seen[name] != nil:
				t.Fatalf("%q: %d, the handler saw %v", value, a.status, a.seen)
			case !a.reached && a.status != 400 && a.status != 401:
				t.Fatalf("%q: got status %d, want the handler, 400 or 401", value, a.status)
			}
		}
	})
}
