package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/gatewarden/auth/oauth2/server"
	"github.com/gatewarden/auth/store/sqlstore"
)

// prepareLists writes 105 applications of bob's, to each of which bob gave access, into
// a database before the program opens it.
func prepareLists(t *testing.T, path string) {
	t.Helper()
	db, err := sqlstore.OpenSQLite(t.Context(), "sqlite", path, sqlstore.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	store, err := sqlstore.OAuth(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().UTC().Truncate(time.Microsecond)
	for i := range 105 {
		id := fmt.Sprintf("app-%03d", i)
		added, err := store.AddClient(t.Context(), &server.Client{ID: id, Name: fmt.Sprintf("Photo printer number %d",
			i), Owner: "bob",
			GrantTypes: []string{"authorization_code"}, RedirectURIs: []string{"http://127.0.0.1/callback"},
			Created: now, Updated: now}, 0)
		if err != nil || !added.OK() {
			t.Fatalf("AddClient: got %v, %v, want OK", added, err)
		}
		g := &server.Grant{ID: id, ClientID: id, UserID: "bob", Type: "authorization_code",
			Permissions: server.Permissions{
				{Resource: "http://127.0.0.1:8001/", Scopes: []string{"reports:read", "reports:write"}}}, Created: now,
			LastUsed: now, ExpiresAt: now.Add(time.Hour),
			MaxExpiresAt: now.Add(time.Hour)}
		added, err = store.Approve(t.Context(), server.Approval{Grant: g, Code: &server.Code{Digest: id, GrantID: id,
			ExpiresAt: now.Add(time.Minute)},
			Remember: &server.Consent{UserID: "bob", ClientID: id, Permissions: g.Permissions,
				Created: now, Updated: now}})
		if err != nil || !added.OK() {
			t.Fatalf("Approve: got %v, %v, want OK", added, err)
		}
	}
}

func TestUnitLongListsInABrowser(t *testing.T) {
	path := filepath.Join(t.TempDir(), "demo.db")
	prepareLists(t, path)
	p := launch(t, "-db", "sqlite:"+path)
	b := p.browse()
	b.signIn(bob)
	for _, list := range []struct{ name, path, rows string }{
		{"authorized", "/o/authorized_tokens/", "section.application"}, {"applications", "/o/applications/",
			"ul.list li"},
	} {
		t.Run(list.path+" shows 100, then the rest, and leads back", func(t *testing.T) {
			count := func(want int) {
				t.Helper()
				var n int
				if b.eval(fmt.Sprintf("document.querySelectorAll(%q).length", "main "+list.rows), &n); n != want {
					t.Errorf("got %d rows at %s, want %d", n, list.path, want)
				}
			}
			b.open(list.path)
			count(100)
			b.click("main a[rel=next]")
			b.wantAt(list.path + "?after=app-099")
			count(5)
			if text := b.text("main"); !strings.Contains(text, "The first ones") || strings.Contains(text, "More") {
				t.Errorf("got %s on the last page", text)
			}
			for _, window := range []struct {
				width  int64
				scheme string
			}{{1280, "light"}, {1280, "dark"}, {390, "light"}, {390, "dark"}} {
				b.do(b.size(window.width, 800),
					emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme",
						Value: window.scheme}}))
				var wide bool
				if b.eval("document.documentElement.scrollWidth > innerWidth", &wide); wide {
					t.Errorf("%s is wider than a window of %d", list.path, window.width)
				}
				b.shot(fmt.Sprintf("list-%s-%d-%s", list.name, window.width, window.scheme))
			}
			b.do(b.size(1280, 800), chromedp.Click("main a[href='"+list.path+"']", chromedp.ByQuery))
			b.do(chromedp.WaitVisible("main a[rel=next]", chromedp.ByQuery))
			count(100)
			b.do(chromedp.ScrollIntoView("main a[rel=next]", chromedp.ByQuery))
			b.shot("list-" + list.name + "-first")
		})
	}
}
