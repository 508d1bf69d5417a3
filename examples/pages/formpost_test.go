package pages_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/authtest"
	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/oauth2/external"
	"github.com/gatewarden/auth/session"
)

// providerForm is the form of the provider's page. The account page has a form too, with another address. A test that
// waits for any form goes on while the browser is still on its way to the provider.
const providerForm = `form[action$="/callback/"]`

// newFormPostProvider starts a provider with a page of another site, which posts its answer when the button is pressed.
func newFormPostProvider(t *testing.T) *authtest.Provider {
	t.Helper()
	idp := authtest.NewProvider(t)
	front := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, err := http.Get(idp.URL() + "/authorize?" + r.URL.RawQuery)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		defer answer.Body.Close()
		page, _ := io.ReadAll(answer.Body)
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", "script-src 'none'")
		before, _, _ := strings.Cut(string(page), "<script>")
		_, _ = io.WriteString(w, before+`<link rel="icon" href="data:,">`)
	}))
	t.Cleanup(front.Close)
	at, err := url.Parse(front.URL)
	must(t, err)
	idp.SetQuirks(authtest.Quirks{Metadata: func(members map[string]any) {
		members["authorization_endpoint"] = "https://provider.example:" + at.Port() + "/authorize"
	}})
	return idp
}

// mountLinking lets people sign in as anybody, and link an account at idp.
func (p *loginProgram) mountLinking(t *testing.T, idp *authtest.Provider) *external.Logins {
	t.Helper()
	logins, err := external.New(external.Config{
		URL: p.url, Keys: []auth.Secret{auth.Secret(strings.Repeat("k", 32))}, Store: external.NewMemoryStore(),
		LoadUser: loadPerson,
		Providers: []external.Provider{external.OIDC{Name: "acme", Issuer: idp.URL(), ClientID: idp.ClientID,
			ClientSecret: idp.ClientSecret, FormPost: true}},
		SignIn: func(w http.ResponseWriter, r *http.Request, user auth.User, proof *external.Credential) error {
			_, err := p.sessions.SignIn(w, r, user, session.Options{AuthInfo: proof.AuthInfo()})
			return err
		},
		Pages: external.Pages{AccountURL: "/account"}, Logger: slog.New(slog.DiscardHandler),
	})
	must(t, err)
	handlers, err := logins.Handlers(p.guard)
	must(t, err)
	handlers.Register(p.mux)
	p.mux.HandleFunc("GET /as/{name}", func(w http.ResponseWriter, r *http.Request) {
		options := session.Options{AuthInfo: auth.AuthInfo{AuthTime: time.Now()}}
		if _, err := p.sessions.SignIn(w, r, person(r.PathValue("name")), options); err != nil {
			t.Error(err)
		}
		http.Redirect(w, r, "/account", http.StatusSeeOther)
	})
	p.mux.HandleFunc("GET /account", func(w http.ResponseWriter, _ *http.Request) {
		_ = loginPage.Execute(w, struct{ Title, Action, Next string }{"Account", "/login/acme/link/", ""})
	})
	return logins
}

func TestUnitAnswersByPOSTInABrowser(t *testing.T) {
	browser, p := chromium(t), newLoginProgram(t)
	idp := newFormPostProvider(t)
	logins := p.mountLinking(t, idp)
	linked := func(name string) int {
		all, err := logins.Identities(context.Background(), name)
		must(t, err)
		return len(all)
	}
	t.Run("a link is not finished for a user when another one has signed in meanwhile", func(t *testing.T) {
		idp.SignIn(authtest.Person{Subject: "1"})
		b := newTab(t, browser)
		b.open(p.url + "/as/alice")
		b.press("button")
		b.run(chromedp.WaitVisible(providerForm))
		away := b.at()
		b.open(p.url + "/as/bob")
		b.open(away)
		b.press("button")
		b.run(chromedp.WaitVisible(`[data-reason="sign_in"]`))
		b.complaints() // that the page has status 403
		if linked("alice")+linked("bob") != 0 {
			t.Error("linked")
		}
	})
	t.Run("a link is finished for the user that began it", func(t *testing.T) {
		idp.SignIn(authtest.Person{Subject: "2"})
		b := newTab(t, browser)
		b.open(p.url + "/as/alice")
		b.press("button")
		b.run(chromedp.WaitVisible(providerForm))
		if at := b.at(); !strings.HasPrefix(at, "https://provider.example:") {
			t.Fatalf("got %s, want the page of another site", at)
		}
		b.press("button")
		b.run(chromedp.WaitVisible(`form[action="/login/acme/link/"]`))
		if linked("alice") != 1 {
			t.Error("not linked")
		}
	})
	t.Run("a login reaches the page that it was begun for, and ends the session that was there", func(t *testing.T) {
		b := newTab(t, browser) // alice is signed in by now
		b.open(p.url + "/as/carol")
		b.open(p.url + "/login/acme/?next=/account")
		b.press("button")
		b.run(chromedp.WaitVisible(`form[action="/login/acme/link/"]`))
		for name, want := range map[string]int{"alice": 1, "carol": 0} {
			all, _, err := p.sessions.List(context.Background(), name, backend.Page{})
			if err != nil || min(len(all), 1) != want {
				t.Errorf("%s: got %d sessions, %v, want %d", name, len(all), err, want)
			}
		}
	})
}
