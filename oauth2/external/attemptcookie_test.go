package external_test

import (
	"crypto/rand"
	"encoding/base64"
	"net/url"
	"strings"
	"testing"
)

// returnTo is an address as that of a sealed authorization request, of n bytes.
func returnTo(n int) string {
	random := make([]byte, n)
	_, _ = rand.Read(random)
	return ("/o/authorize/?interaction=" + base64.RawURLEncoding.EncodeToString(random))[:n]
}

// cookiesOf returns how many bytes of cookies a browser sends, and in how many cookies.
func cookiesOf(b *browser) (bytes, count int) {
	for _, c := range b.client.Jar.Cookies(mustURL(b.url)) {
		bytes, count = bytes+len(c.Name)+len("=")+len(c.Value)+len("; "), count+1
	}
	return bytes, count
}

func TestUnitALongAddressToComeBackToSurvives(t *testing.T) {
	a := newApp(t, nil)
	for _, n := range []int{562, 2552, 3500} {
		b, next := a.browser(), returnTo(n)
		p := b.next(b.away("/login/acme/?next=" + url.QueryEscape(next)))
		if got := p.header.Get("Location"); got != next {
			t.Errorf("%d bytes: got %d %.60q, want them back", n, p.status, got)
		}
	}
	for _, n := range []int{4500, 6144, 6200} {
		p := a.browser().do("GET", "/login/acme/?next="+url.QueryEscape(returnTo(n)), nil)
		if p.status != 400 || p.header.Get("Set-Cookie") != "" {
			t.Errorf("%d bytes: got %d %v, want 400 and no attempt", n, p.status, p.header)
		}
	}
}

func TestUnitTheCookiesOfAttemptsAreBounded(t *testing.T) {
	a := newApp(t, nil)
	for name, n := range map[string]int{"long addresses": 3500, "ordinary ones": 800, "short ones": 20} {
		t.Run(name, func(t *testing.T) {
			b, most, tabs := a.browser(), 0, 0
			for range 12 {
				if p := b.do("GET", "/login/acme/?next="+url.QueryEscape(returnTo(n+26)), nil); p.status != 303 {
					t.Fatalf("got %d %s", p.status, p.body)
				}
				bytes, count := cookiesOf(b)
				most, tabs = max(most, bytes), max(tabs, count)
			}
			if most > 4096 || tabs > 5 {
				t.Errorf("got %d bytes in %d cookies, want at most 4096 in 5", most, tabs)
			}
			if n < 1000 && tabs < 2 {
				t.Errorf("got %d tabs at a time, want several", tabs)
			}
		})
	}
	t.Run("the newest attempt stays", func(t *testing.T) {
		b := a.browser()
		for range 9 {
			b.do("GET", "/login/acme/?next=/x%3F"+strings.Repeat("A", 900), nil)
		}
		if p := b.next(b.away("/login/acme/?next=/there")); p.header.Get("Location") != "/there" {
			t.Errorf("got %d %v", p.status, p.header)
		}
	})
}

func TestAnAttemptFitsIntoACookie(t *testing.T) {
	a := newApp(t, withApp)
	for next, want := range map[string]bool{"/?" + strings.Repeat("&", 1000): true,
		"/?" + strings.Repeat(`"`, 1000): true, "/?" + strings.Repeat("<", 1000): true} {
		b := a.browser()
		start := b.do("GET", "/login/acme/?next="+url.QueryEscape(next), nil)
		if n := len(start.header.Get("Set-Cookie")); n > 4096 {
			t.Errorf("%.5s: a cookie of %d bytes", next, n)
		}
		p := b.next(b.next(start))
		if p.status != 303 || want != (p.header.Get("Location") == next) {
			t.Errorf("%.5s: %d %s", next, p.status, p.header.Get("Location"))
		}
	}
	b := a.browser()
	start := b.do("GET", appStart+strings.Repeat(`"`, 253)+"&next=/"+strings.Repeat(`"`, 1000), nil)
	if n := len(start.header.Get("Set-Cookie")); start.status != 303 || n > 4096 {
		t.Errorf("%d, %d bytes", start.status, n)
	}
	b.wants("a state of control characters", b.do("GET", appStart+"%00", nil), 400, "invalid_request")
}
