package pages_test

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/authtest"
	"github.com/gatewarden/auth/oauth2/external"
	"github.com/gatewarden/auth/session"
)

// signsInElsewhere is a login program with users from idp, and a client of it.
func signsInElsewhere(t *testing.T, idp *authtest.Provider, assumed ...string) (*loginProgram, *relyingParty) {
	t.Helper()
	p := newLoginProgram(t)
	logins, err := external.New(external.Config{
		URL: p.url, Keys: []auth.Secret{auth.Secret(strings.Repeat("k", 32))}, Store: external.NewMemoryStore(),
		LoadUser: loadPerson,
		Providers: []external.Provider{external.OIDC{Name: "acme", Issuer: idp.URL(), ClientID: idp.ClientID,
			ClientSecret: idp.ClientSecret, Quirks: external.OIDCQuirks{NoMaxAge: true}}},
		Accounts: external.AccountConfig{AllowAssumedAuthTime: assumed,
			NewUser: func(_ context.Context, _ *external.Profile, id string) (auth.User, error) {
				return person(id), nil
			}},
		SignIn: func(w http.ResponseWriter, r *http.Request, user auth.User, proof *external.Credential) error {
			_, err := p.sessions.SignIn(w, r, user, session.Options{AuthInfo: proof.AuthInfo()})
			return err
		},
		Logger: slog.New(slog.DiscardHandler),
	})
	must(t, err)
	handlers, err := logins.Handlers(p.guard)
	must(t, err)
	handlers.Register(p.mux)
	c := &relyingParty{kind: "https", redirect: "https://client.example/callback"}
	p.register(t, c, "client", true)
	return p, c
}

// asks sends a browser with an authorization request, lets it sign in elsewhere once if it is asked to, and returns
// what the client gets.
func asks(t *testing.T, p *loginProgram, jar http.CookieJar, request string) url.Values {
	t.Helper()
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{InsecureSkipVerify: true} // of httptest
	defer transport.CloseIdleConnections()
	client := &http.Client{Jar: jar, Timeout: chainTime, Transport: transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	at, logins := request, 0
	for range 15 {
		answer, err := client.Get(at)
		must(t, err)
		_ = answer.Body.Close()
		to, err := answer.Location()
		if err != nil {
			t.Fatalf("got %d at %s", answer.StatusCode, at)
		}
		switch {
		case to.Host == "client.example":
			return to.Query()
		case to.Path == "/own/login" && logins > 0:
			t.Fatal("the user is asked to sign in again and again")
		case to.Path == "/own/login":
			logins++
			to = to.JoinPath("..", "..", "login", "acme/")
			to.RawQuery = url.Values{"next": {mustParse(t, answer.Header.Get("Location")).Query().Get("next")}}.Encode()
		}
		at = to.String()
	}
	t.Fatal("no end")
	return nil
}

func mustParse(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	must(t, err)
	return u
}

func TestUnitAnIssuerSaysOnlyWhatAProviderTold(t *testing.T) {
	for _, row := range []struct {
		sentence, parameter, value string
		assumed                    []string
		told                       time.Duration // by the provider, or 0
		want                       string        // an error, or "" for a code
	}{
		{"a login of which nothing is told is a login", "state", "x", nil, 0, ""},
		{"it is no answer to max_age", "max_age", "60", nil, 0, "login_required"},
		{"it is no answer to prompt=login", "prompt", "login", nil, 0, "login_required"},
		{"unless the operator takes it for one of now", "max_age", "60", []string{"acme"}, 0, ""},
		{"for prompt=login, too", "prompt", "login", []string{"acme"}, 0, ""},
		{"a new one that is told is one", "max_age", "60", nil, time.Second, ""},
	} {
		t.Run(row.sentence, func(t *testing.T) {
			idp := authtest.NewProvider(t)
			ada := authtest.Person{Subject: "1"}
			if row.told != 0 {
				ada.AuthTime = time.Now().Add(-row.told)
			}
			idp.SignIn(ada)
			p, c := signsInElsewhere(t, idp, row.assumed...)
			jar, err := cookiejar.New(nil)
			must(t, err)
			asks(t, p, jar, p.authorize(c, "client")) // there is a session
			got := asks(t, p, jar, p.authorize(c, "client", row.parameter, row.value))
			if got.Get("error") != row.want || (got.Get("code") == "") != (row.want != "") {
				t.Errorf("got %v, want %q", got, row.want)
			}
		})
	}
}
