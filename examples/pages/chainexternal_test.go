package pages_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/authtest"
	"github.com/gatewarden/auth/oauth2/external"
	"github.com/gatewarden/auth/session"
)

// newExternalProvider starts a provider of accounts with a form to log in. The policy of that page allows forms that
// lead to the provider and to the redirect URI of the login program alone, as some providers have it.
func newExternalProvider(t *testing.T, p *loginProgram) *authtest.Provider {
	t.Helper()
	idp := authtest.NewProvider(t)
	mux := http.NewServeMux()
	front := httptest.NewServer(mux)
	t.Cleanup(front.Close)
	mux.HandleFunc("GET /login", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "form-action 'self' "+idp.URL()+" "+p.url)
		_ = loginPage.Execute(w, struct{ Title, Action, Next string }{"Provider", "/login", r.URL.RawQuery})
	})
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, idp.URL()+"/authorize?"+r.FormValue("next"), http.StatusSeeOther)
	})
	idp.SetQuirks(authtest.Quirks{Metadata: func(members map[string]any) {
		members["authorization_endpoint"] = front.URL + "/login"
	}})
	idp.SignIn(authtest.Person{Subject: "1", Email: "alice@acme.example", EmailVerified: true})
	return idp
}

// mountExternal lets people sign in with their accounts at idp.
func (p *loginProgram) mountExternal(t *testing.T, idp *authtest.Provider) {
	t.Helper()
	logins, err := external.New(external.Config{
		URL: p.url, Keys: []auth.Secret{auth.Secret(strings.Repeat("k", 32))}, Store: external.NewMemoryStore(),
		LoadUser: loadPerson,
		Providers: []external.Provider{external.OIDC{Name: "acme", Issuer: idp.URL(), ClientID: idp.ClientID,
			ClientSecret: idp.ClientSecret}},
		Accounts: external.AccountConfig{NewUser: func(_ context.Context, _ *external.Profile, id string) (auth.User,
			error) {
			return person(id), nil
		}},
		SignIn: func(w http.ResponseWriter, r *http.Request, user auth.User, proof *external.Credential) error {
			_, err := p.sessions.SignIn(w, r, user, session.Options{AuthInfo: proof.AuthInfo()})
			return err
		},
		Pages: external.Pages{SignInURL: "/own/login", AccountURL: "/account"}, Logger: slog.New(slog.DiscardHandler),
	})
	must(t, err)
	handlers, err := logins.Handlers(p.guard)
	must(t, err)
	handlers.Register(p.mux)
}

func TestUnitExternalLoginReachesTheClient(t *testing.T) {
	browser, p := chromium(t), newLoginProgram(t)
	p.mountExternal(t, newExternalProvider(t, p))
	for i, c := range relyingParties(t) {
		id := "client-" + string(rune('a'+i))
		p.register(t, c, id, true)
		for mode, method := range modes {
			t.Run("a login elsewhere reaches "+c.kind+" by "+mode, func(t *testing.T) {
				b := newTab(t, browser)
				b.open(p.authorize(c, id, "response_mode", mode))
				next, err := url.Parse(b.at())
				must(t, err)
				b.open(p.url + "/login/acme/?" + fields("next", next.Query().Get("next")).Encode())
				b.press("button")
				b.receives(c, p, method, "code")
			})
		}
	}
}
