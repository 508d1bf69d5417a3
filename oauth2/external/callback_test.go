package external_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/gatewarden/auth/oauth2/external"
)

func TestACallbackIsGoodOnceHoweverManyComeAtOnce(t *testing.T) {
	a := newApp(t, nil)
	b := a.browser()
	back := b.away("/login/acme/")
	reasons := make(chan string, 16)
	for range 16 {
		c := a.browser()
		c.client.Jar.SetCookies(mustURL(a.url), b.client.Jar.Cookies(mustURL(a.url)))
		go func() { reasons <- c.next(back).reason() }()
	}
	count := map[string]int{}
	for range 16 {
		count[<-reasons]++
	}
	if count[""] != 1 || count["used"] != 15 || len(a.idp.TokenRequests()) != 1 {
		t.Errorf("%v, %d token requests", count, len(a.idp.TokenRequests()))
	}
}

func TestALinkIsFinishedByWhoBeganIt(t *testing.T) {
	for sentence, row := range map[string]struct {
		meanwhile func(b *browser, back page) page
		status    int
		reason    string
	}{
		"signed out": {func(b *browser, back page) page {
			jar, _ := newJar()
			for _, c := range b.client.Jar.Cookies(mustURL(b.url)) {
				if strings.HasPrefix(c.Name, "__Host-login-") {
					jar.SetCookies(mustURL(b.url), []*http.Cookie{c})
				}
			}
			b.client.Jar = jar
			return b.next(back)
		}, 403, "sign_in"},
		"another user": {func(b *browser, back page) page { return b.signedInAs("bob").next(back) }, 403, "sign_in"},
		"a new password": {func(b *browser, back page) page {
			b.mu.Lock()
			b.users["alice"].stamp = "new"
			b.mu.Unlock()
			return b.next(back)
		}, 403, "sign_in"},
		"disabled": {func(b *browser, back page) page {
			b.mu.Lock()
			b.users["alice"].active = false
			b.mu.Unlock()
			return b.next(back)
		}, 403, "inactive"},
		"another browser": {func(b *browser, back page) page { return b.browser().signedInAs("alice").next(back) },
			400, "expired"},
	} {
		a := newApp(t, nil)
		b := a.browser().signedInAs("alice")
		back := b.next(b.do("POST", "/login/acme/link/", nil))
		b.wants(sentence, row.meanwhile(b, back), row.status, row.reason)
		if len(a.identities("alice"))+len(a.identities("bob")) != 0 {
			t.Errorf("%s: linked", sentence)
		}
	}
}

func TestAppleLinksToo(t *testing.T) { // its answer brings no session
	a := preset(t, "apple", nil)
	b := a.browser().signedInAs("alice")
	if p := b.follow(b.do("POST", "/login/apple/link/", nil)); p.status != 200 || !slices.Equal(a.identities("alice"),
		[]string{"1"}) {
		t.Errorf("got %d %s: %s, want 200 and identity 1 linked", p.status, p.reason(), a.log)
	}
}

func TestALoginIsNoLinkAndALinkNoLogin(t *testing.T) {
	a := newApp(t, nil)
	b := a.browser().signedInAs("alice")
	if b.visit("/login/acme/"); len(a.identities("alice")) != 0 || b.who() != "acme-1" {
		t.Errorf("a login linked: %v", a.identities("alice"))
	}
}

func TestALinkWithAppleDiesWithTheStamp(t *testing.T) {
	a := preset(t, "apple", nil)
	b := a.browser().signedInAs("alice")
	back := b.next(b.do("POST", "/login/apple/link/", nil))
	a.mu.Lock()
	a.users["alice"].stamp = "new"
	a.mu.Unlock()
	b.wants("another password", b.next(b.next(back)), 403, "sign_in")
	if len(a.identities("alice")) != 0 {
		t.Error("linked")
	}
}

func TestAllowIsAskedAboutLinksToo(t *testing.T) {
	a := newApp(t, func(_ *app, c *external.Config) {
		c.Accounts.Allow = func(context.Context, *external.Profile) error { return external.ErrNotAllowed }
	})
	b := a.browser().signedInAs("alice")
	b.wants("not allowed", b.follow(b.do("POST", "/login/acme/link/", nil)), 403, "not_allowed")
	if len(a.identities("alice")) != 0 {
		t.Error("linked")
	}
}
