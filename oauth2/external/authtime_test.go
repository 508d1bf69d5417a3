package external_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/authtest"
	"github.com/gatewarden/auth/oauth2/external"
	"github.com/gatewarden/auth/session"
)

// timed is an app with GitHub and acme that tells the AuthInfo of its logins.
func timed(t *testing.T, assumed ...string) (*app, *[]auth.AuthInfo) {
	t.Helper()
	infos := &[]auth.AuthInfo{}
	a := newApp(t, func(a *app, c *external.Config) {
		github := plain(a, nil)
		github.Name = "github"
		c.Providers = []external.Provider{a.acme(), github}
		c.Accounts.AllowAssumedAuthTime = assumed
		c.Apps.Redirects = []string{"https://spa.example/"}
		c.SignIn = func(w http.ResponseWriter, r *http.Request, u auth.User, proof *external.Credential) error {
			*infos = append(*infos, proof.AuthInfo())
			_, err := a.sessions.SignIn(w, r, u, session.Options{AuthInfo: proof.AuthInfo()})
			return err
		}
	})
	return a, infos
}

func TestUnitWhenALoginWas(t *testing.T) {
	hour := time.Now().Add(-time.Hour).Truncate(time.Second)
	for _, row := range []struct {
		sentence string
		provider string
		assumed  []string
		told     time.Time // by the provider
		status   int       // of a link afterwards
		reason   string
		at       func(info time.Time) bool
	}{
		{"what a provider does not tell is not known, and links nothing", "acme", nil, time.Time{}, 403, "age_unknown",
			time.Time.IsZero},
		{"without OpenID Connect neither", "github", nil, time.Time{}, 403, "age_unknown", time.Time.IsZero},
		{"another provider is not named", "github", []string{"acme"}, time.Time{}, 403, "age_unknown",
			time.Time.IsZero},
		{"the operator may take it for now", "github", []string{"github"}, time.Time{}, 303, "", isNow},
		{"with OpenID Connect, too", "acme", []string{"acme"}, time.Time{}, 303, "", isNow},
		{"what a provider tells counts, whatever the operator takes", "acme", []string{"acme"}, hour, 403, "stale",
			hour.Equal},
		{"a login of just now links", "acme", nil, time.Now(), 303, "", isNow},
		{"one a little ahead of our clock is of now", "acme", nil, time.Now().Add(50 * time.Second), 303, "", isNow},
		{"one far ahead of our clock is not believed", "acme", nil, time.Now().Add(time.Hour), 403, "age_unknown",
			time.Time.IsZero},
	} {
		t.Run(row.sentence, func(t *testing.T) {
			a, infos := timed(t, row.assumed...)
			a.idp.SetQuirks(authtest.Quirks{NoResponseIssuer: true})
			a.idp.SignIn(authtest.Person{Subject: "1", AuthTime: row.told})
			b := a.browser()
			if p := b.visit("/login/" + row.provider + "/"); p.status != 200 || b.who() == "" {
				t.Fatalf("a login must work whatever it tells: got %d %s: %s", p.status, p.reason(), a.log)
			}
			if at := (*infos)[0].AuthTime; !row.at(at) {
				t.Errorf("got the time %v", at)
			}
			p := b.do("POST", "/login/acme/link/", nil)
			if p.status != row.status || p.reason() != row.reason {
				t.Errorf("a link: got %d %s, want %d %s", p.status, p.reason(), row.status, row.reason)
			}
			if unknown := row.reason == "age_unknown"; unknown != strings.Contains(a.log.String(),
				"Config.Accounts.AllowAssumedAuthTime") {
				t.Errorf("the log must name the setting if it helps, and not otherwise: %s", a.log)
			}
		})
	}
	t.Run("a time far ahead is none where max_age asks for one", func(t *testing.T) {
		a, _ := timed(t)
		a.idp.SignIn(authtest.Person{Subject: "1", AuthTime: time.Now().Add(time.Hour)})
		b := a.browser()
		b.wants("ahead", b.visit("/login/acme/?max_age=60"), 400, "untrusted")
	})
	t.Run("an app gets the time at which the browser came back, and not that of the exchange", func(t *testing.T) {
		for _, assumed := range []bool{false, true} {
			names := []string{}
			if assumed {
				names = []string{"acme"}
			}
			a, _ := timed(t, names...)
			code := a.browser().code("/login/acme/?return_to=https://spa.example/&code_challenge_method=S256&" +
				"state=xyz&code_challenge=" + s256(verifier))
			back := time.Now()
			_, credential, err := a.redeem(code, verifier)
			if err != nil {
				t.Fatal(err)
			}
			at := credential.(*external.Credential).AuthInfo().AuthTime
			if at.IsZero() == assumed || at.After(back) {
				t.Errorf("assumed %v: got %v", assumed, at)
			}
		}
	})
	t.Run("auth.Fresh refuses a session of which the time is not known", func(t *testing.T) {
		for name, want := range map[string]int{"": 401, "acme": 200} {
			a, _ := timed(t, strings.Fields(name)...)
			b := a.browser()
			b.visit("/login/acme/")
			fresh := a.guard.Require(auth.Fresh(time.Hour))(
				http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
			r, w := httptest.NewRequest("GET", a.url+"/", nil), httptest.NewRecorder()
			for _, cookie := range b.client.Jar.Cookies(mustURL(a.url)) {
				r.AddCookie(cookie)
			}
			fresh.ServeHTTP(w, r)
			if w.Code != want {
				t.Errorf("%q: got %d, want %d", name, w.Code, want)
			}
		}
	})
	t.Run("a name that is none of a provider is a mistake", func(t *testing.T) {
		_, err := external.New(external.Config{
			Accounts: external.AccountConfig{AllowAssumedAuthTime: []string{"gihub"}}})
		if err == nil || !strings.Contains(err.Error(), `AllowAssumedAuthTime has "gihub"`) {
			t.Errorf("got %v", err)
		}
	})
}

func isNow(at time.Time) bool { return time.Since(at) < time.Minute && !at.After(time.Now()) }

func TestAProviderThatIsAskedForAnAgeMustTellIt(t *testing.T) {
	a := newApp(t, nil)
	a.idp.SetQuirks(authtest.Quirks{IDToken: func(c map[string]any) { c["auth_time"] = nil }})
	b := a.browser()
	b.wants("no auth_time", b.visit("/login/acme/?max_age=60"), 400, "untrusted")
	g := preset(t, "google", nil)
	if p := g.browser().visit("/login/google/?max_age=60"); p.status != 200 {
		t.Errorf("Google does not know it: %d", p.status)
	}
}
