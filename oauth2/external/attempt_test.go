package external_test

import (
	"strings"
	"testing"

	"github.com/gatewarden/auth/authtest"
	"github.com/gatewarden/auth/oauth2/external"
)

func TestAnAttemptIsOfOneProvider(t *testing.T) {
	a := newApp(t, func(a *app, c *external.Config) { c.Providers = []external.Provider{a.acme(), plain(a, nil)} })
	a.idp.SetQuirks(authtest.Quirks{NoResponseIssuer: true})
	b := a.browser()
	for _, pair := range [][2]string{{"acme", "plain"}, {"plain", "acme"}} {
		back := b.away("/login/" + pair[0] + "/")
		b.wants("mixed up", b.do("GET", strings.Replace(back.location, pair[0], pair[1], 1), nil), 400, "untrusted")
	}
	if n := len(a.idp.TokenRequests()); n != 0 {
		t.Errorf("a code was sent %d times", n)
	}
}

func TestACookieThatIsThereTwiceIsNone(t *testing.T) {
	a := newApp(t, nil)
	b := a.browser()
	back := b.away("/login/acme/")
	var line string
	for _, c := range b.client.Jar.Cookies(mustURL(a.url)) {
		line = c.Name + "=" + c.Value
	}
	b.client.Jar, _ = newJar()
	b.wants("twice", b.do("GET", back.location, nil, "Cookie", line+"; "+line), 400, "expired")
	if p := b.do("GET", back.location, nil, "Cookie", line); p.status != 303 {
		t.Errorf("once: %d", p.status)
	}
}
