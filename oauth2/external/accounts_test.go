package external_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/authtest"
	"github.com/gatewarden/auth/oauth2/external"
)

func TestAnAddressAloneLinksNothing(t *testing.T) {
	// The provider's alice says she has the address of the local one, verified or not.
	for _, verified := range []any{true, false, nil, "true"} {
		a := newApp(t, func(a *app, c *external.Config) {
			c.Accounts.ByEmail = func(_ context.Context, address string) (external.Account, error) {
				t.Errorf("asked for %s", address)
				return external.Account{User: a.users["alice"], Verified: true}, nil
			}
		})
		a.idp.SignIn(authtest.Person{Subject: "666", Email: "alice@example.com", EmailVerified: verified,
			Username: "alice"})
		b := a.browser()
		if b.visit("/login/acme/"); b.who() != "acme-666" || len(a.identities("alice")) != 0 {
			t.Errorf("%v: signed in as %q", verified, b.who())
		}
	}
}

func TestAnAuthoritativeAddressFindsAnAccountThatProvedIt(t *testing.T) {
	for sentence, row := range map[string]struct {
		account external.Account
		err     error
		drop    bool
		who     string
		status  int
		reason  string
	}{
		"one that proved it": {external.Account{User: &user{name: "alice"}, Verified: true}, nil, false,
			"alice", 200, ""},
		"one that did not": {external.Account{User: &user{name: "alice"}}, nil, false, "", 409,
			"account_exists"},
		"one that did not, and is cut": {external.Account{User: &user{name: "alice"}}, nil, true, "acme-1", 200, ""},
		"none":                         {external.Account{}, auth.ErrUserNotFound, false, "acme-1", 200, ""},
		"a fault":                      {external.Account{}, nil, false, "", 503, "temporarily_unavailable"},
		"an outage":                    {external.Account{}, errDown, false, "", 503, "temporarily_unavailable"},
	} {
		var dropped []string
		a := newApp(t, func(a *app, c *external.Config) {
			acme := a.acme()
			acme.Domains = []string{"example.com"}
			c.Providers = []external.Provider{acme}
			c.Accounts.ByEmail = func(_ context.Context, address string) (external.Account, error) {
				if address != "alice@example.com" {
					t.Errorf("asked for %s", address)
				}
				return row.account, row.err
			}
			if row.drop {
				c.Accounts.DropUnverified = func(_ context.Context, u auth.User, p *external.Profile) error {
					dropped = append(dropped, u.UserID()+" "+p.Email.Address)
					return nil
				}
			}
		})
		b := a.browser()
		p := b.visit("/login/acme/")
		if p.status != row.status || p.reason() != row.reason || b.who() != row.who ||
			row.drop != slices.Equal(dropped, []string{"alice alice@example.com"}) {
			t.Errorf("%s: %d %q, signed in as %q, dropped %v", sentence, p.status, p.reason(), b.who(), dropped)
		}
	}
}

func TestTheApplicationDecidesAboutStrangers(t *testing.T) {
	for sentence, row := range map[string]struct {
		change func(c *external.Config)
		status int
		reason string
	}{
		"nobody new": {func(c *external.Config) { c.Accounts.NewUser = nil }, 403, "no_account"},
		"an account elsewhere": {func(c *external.Config) {
			c.Accounts.NewUser = refuse(external.ErrAccountExists)
		}, 409,
			"account_exists"},
		"not this one": {func(c *external.Config) { c.Accounts.NewUser = refuse(external.ErrNotAllowed) }, 403,
			"not_allowed"},
		"an error of auth": {func(c *external.Config) { c.Accounts.NewUser = refuse(auth.ErrInsufficient) }, 403,
			"not_allowed"},
		"an outage": {func(c *external.Config) { c.Accounts.NewUser = refuse(errDown) }, 503,
			"temporarily_unavailable"},
		"neither": {func(c *external.Config) { c.Accounts.NewUser = refuse(nil) }, 503, "temporarily_unavailable"},
		"nobody at all": {func(c *external.Config) {
			c.Accounts.Allow = func(_ context.Context, p *external.Profile) error {
				if p.Subject != "1" || !p.Email.Verified {
					return nil
				}
				return external.ErrNotAllowed
			}
		}, 403, "not_allowed"},
		"somebody who is closed": {func(c *external.Config) {
			c.Accounts.NewUser = func(context.Context, *external.Profile, string) (auth.User, error) {
				return &user{name: "carol"}, nil
			}
		}, 403, "inactive"},
		"somebody who is not there": {func(c *external.Config) {
			c.Accounts.NewUser = func(context.Context, *external.Profile, string) (auth.User, error) {
				return &user{name: "ghost"}, nil
			}
		}, 403, "inactive"},
		"a machine": {func(c *external.Config) {
			c.Accounts.NewUser = func(context.Context, *external.Profile, string) (auth.User, error) {
				return auth.Machine{ID: "m"}, nil
			}
			c.LoadUser = func(context.Context, string) (auth.User, error) { return auth.Machine{ID: "m"}, nil }
		}, 403, "inactive"},
		"a session that is refused": {func(c *external.Config) {
			c.SignIn = func(http.ResponseWriter, *http.Request, auth.User, *external.Credential) error {
				return auth.ErrInsufficient
			}
		}, 403, "not_allowed"},
	} {
		a := newApp(t, func(_ *app, c *external.Config) { row.change(c) })
		b := a.browser()
		b.wants(sentence, b.visit("/login/acme/"), row.status, row.reason)
		if b.who() != "" {
			t.Errorf("%s: signed in as %q", sentence, b.who())
		}
		if known, err := a.store.Identity(t.Context(), a.idp.URL(), "1"); err != nil || known != nil &&
			sentence != "a session that is refused" {
			t.Errorf("%s: linked: %+v %v", sentence, known, err)
		}
	}
}

func refuse(err error) func(context.Context, *external.Profile, string) (auth.User, error) {
	return func(context.Context, *external.Profile, string) (auth.User, error) { return nil, err }
}

func TestAUserWhoIsDisabledOrDeletedIsNotMadeAnew(t *testing.T) {
	a := newApp(t, nil)
	a.browser().visit("/login/acme/")
	a.mu.Lock()
	a.users["acme-1"].active = false
	a.mu.Unlock()
	b := a.browser()
	b.wants("disabled", b.visit("/login/acme/"), 403, "inactive")
	a.mu.Lock()
	delete(a.users, "acme-1")
	a.mu.Unlock()
	b.wants("deleted", b.visit("/login/acme/"), 403, "inactive")
	if err := a.logins.RemoveUser(t.Context(), "acme-1"); err != nil {
		t.Fatal(err)
	}
	if b.visit("/login/acme/"); b.who() != "acme-1" {
		t.Errorf("%q", b.who())
	}
}

func TestOfFirstLoginsAtOnceOneMakesTheUser(t *testing.T) {
	var mu sync.Mutex
	n := 0
	a := newApp(t, func(a *app, c *external.Config) {
		c.Accounts.NewUser = func(context.Context, *external.Profile, string) (auth.User, error) {
			mu.Lock()
			defer mu.Unlock()
			n++
			return a.add(strings.Repeat("x", n)), nil
		}
	})
	var all sync.WaitGroup
	who := make([]string, 16)
	for i := range who {
		b := a.browser()
		back := b.away("/login/acme/")
		all.Go(func() {
			b.next(back)
			who[i] = b.who()
		})
	}
	all.Wait()
	slices.Sort(who)
	if who[0] == "" || who[0] != who[len(who)-1] {
		t.Errorf("%q", who)
	}
}

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

func TestLinkingIsAskedForByWhoIsSignedInAndHasJustBeen(t *testing.T) {
	a := newApp(t, nil)
	stranger := a.browser()
	stranger.wants("nobody", stranger.do("POST", "/login/acme/link/", nil), 403, "sign_in")
	old := a.browser()
	old.do("POST", "/password/alice?old", nil)
	p := old.do("POST", "/login/acme/link/", nil)
	old.wants("an hour ago", p, 403, "stale")
	if !strings.Contains(p.body, `href="/sign-in?next=%2Faccount"`) {
		t.Error(p.body)
	}
	b := a.browser().signedInAs("alice")
	b.wants("of another site", b.do("POST", "/login/acme/link/", nil, "Sec-Fetch-Site", "cross-site", "Origin",
		"https://evil.example"), 403, "cross_origin")
	b.wants("unknown", b.do("POST", "/login/nobody/link/", nil), 404, "no_provider")
	if p := b.do("GET", "/login/acme/link/", nil); p.status == 303 {
		t.Error("by GET")
	}
	if p := b.follow(b.do("POST", "/login/acme/link/", url.Values{"user": {"bob"}})); p.status != 200 ||
		p.at != a.url+"/account" {
		t.Fatalf("%d %s %s", p.status, p.at, p.body)
	}
	if !slices.Equal(a.identities("alice"), []string{"1"}) || b.who() != "alice" || a.logged() != 0 {
		t.Errorf("%v, %q", a.identities("alice"), b.who())
	}
	// From then on it signs alice in, and once more changes nothing.
	c := a.browser()
	if c.visit("/login/acme/"); c.who() != "alice" {
		t.Errorf("%q", c.who())
	}
	b.follow(b.do("POST", "/login/acme/link/", nil))
	if !slices.Equal(a.identities("alice"), []string{"1"}) || !slices.Equal(a.changes[:1], []string{"alice linked 1"}) {
		t.Errorf("%v %v", a.identities("alice"), a.changes)
	}
	// It is hers, and stays hers.
	d := a.browser().signedInAs("bob")
	d.wants("taken", d.follow(d.do("POST", "/login/acme/link/", nil)), 409, "taken")
	if len(a.identities("bob")) != 0 || !slices.Equal(a.identities("alice"), []string{"1"}) {
		t.Error("it moved")
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
		t.Errorf("%d %s %s", p.status, p.reason(), a.log)
	}
}

func TestALoginIsNoLinkAndALinkNoLogin(t *testing.T) {
	a := newApp(t, nil)
	b := a.browser().signedInAs("alice")
	if b.visit("/login/acme/"); len(a.identities("alice")) != 0 || b.who() != "acme-1" {
		t.Errorf("a login linked: %v", a.identities("alice"))
	}
}

func TestTheLastWayInIsNotUnlinked(t *testing.T) {
	for _, otherWay := range []bool{false, true} {
		a := newApp(t, func(_ *app, c *external.Config) {
			c.Linking.HasOtherWay = func(context.Context, auth.User) (bool, error) { return otherWay, nil }
		})
		b := a.browser().signedInAs("alice")
		for _, subject := range []string{"1", "2"} {
			a.idp.SignIn(authtest.Person{Subject: subject})
			b.follow(b.do("POST", "/login/acme/link/", nil))
		}
		all, err := a.logins.Identities(t.Context(), "alice")
		if err != nil || len(all) != 2 {
			t.Fatal(all, err)
		}
		other := a.browser().signedInAs("bob")
		other.do("POST", "/login/acme/unlink/", url.Values{"id": {all[0].ID}})
		b.do("POST", "/login/acme/unlink/", url.Values{"id": {"nothing"}})
		b.do("POST", "/login/acme/unlink/", nil)
		if len(a.identities("alice")) != 2 {
			t.Fatal("unlinked by somebody else, or something else")
		}
		if p := b.do("POST", "/login/acme/unlink/", url.Values{"id": {all[0].ID}}); p.location != a.url+"/account" ||
			!slices.Equal(a.identities("alice"), []string{"2"}) {
			t.Errorf("%d %v", p.status, a.identities("alice"))
		}
		p := b.do("POST", "/login/acme/unlink/", url.Values{"id": {all[1].ID}})
		if otherWay && len(a.identities("alice")) != 0 {
			t.Errorf("%d", p.status)
		}
		if !otherWay {
			b.wants("the last", p, 409, "last_way")
			if len(a.identities("alice")) != 1 {
				t.Error("the last was unlinked")
			}
		}
		if !slices.Contains(a.changes, "alice unlinked 1") {
			t.Error(a.changes)
		}
		b.wants("of another site", b.do("POST", "/login/acme/unlink/", url.Values{"id": {all[1].ID}}, "Sec-Fetch-Site",
			"cross-site"), 403, "cross_origin")
	}
}

func TestHooksThatFailChangeNothing(t *testing.T) {
	a := newApp(t, func(_ *app, c *external.Config) {
		c.Linking.HasOtherWay = func(context.Context, auth.User) (bool, error) { return false, errDown }
		c.Linking.Changed = func(context.Context, auth.User, external.Change, *external.Identity) error {
			return errDown
		}
	})
	b := a.browser().signedInAs("alice")
	if p := b.follow(b.do("POST", "/login/acme/link/", nil)); p.status != 200 ||
		!strings.Contains(a.log.String(), "Config.Linking.Changed") {
		t.Errorf("a mail that is not sent: %d %s", p.status, a.log)
	}
	all, _ := a.logins.Identities(t.Context(), "alice")
	b.wants("unknown whether there is another way", b.do("POST", "/login/acme/unlink/", url.Values{"id": {all[0].ID}}),
		503, "temporarily_unavailable")
	if len(a.identities("alice")) != 1 {
		t.Error("unlinked")
	}
}

const verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk" // RFC 7636 appendix B

const appStart = "/login/acme/?return_to=com.example.app:/done&" +
	"code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256&state=xyz"

func withApp(_ *app, c *external.Config) {
	c.Apps.Redirects = []string{"com.example.app:/done", "https://spa.example/done?a=b"}
}

// redeem asks the backend as an issuer's guard would.
func (a *app) redeem(code, proof string) (auth.User, auth.Credential, error) {
	r, err := http.NewRequestWithContext(a.Context(), "POST", "/",
		strings.NewReader(url.Values{"login_code": {code}, "code_verifier": {proof}}.Encode()))
	if err != nil {
		a.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return a.logins.Authenticate(r)
}

func (b *browser) code(start string) string {
	b.Helper()
	p := b.next(b.away(start))
	u := mustURL(p.location)
	if p.status != 303 || u.Query().Get("login_code") == "" || u.Query().Get("state") != "xyz" {
		b.Fatalf("%d %s %s", p.status, p.location, p.body)
	}
	return u.Query().Get("login_code")
}

func TestAnAppGetsACodeThatIsGoodOnceForWhoHasTheVerifier(t *testing.T) {
	a := newApp(t, withApp)
	b := a.browser()
	code := b.code(appStart)
	if b.who() != "" || a.logged() != 0 {
		t.Error("the browser was signed in, too")
	}
	u, credential, err := a.redeem(code, verifier)
	if err != nil || u.UserID() != "acme-1" {
		t.Fatal(u, err)
	}
	proof, ok := credential.(*external.Credential)
	if !ok || !proof.Primary() || proof.Profile.Email.Address != "alice@example.com" || !proof.Profile.Email.Verified ||
		proof.Profile.Claims != nil || !proof.AuthInfo().AuthTime.IsZero() {
		t.Errorf("%+v", credential)
	}
	if _, _, err := a.redeem(code, verifier); auth.KindOf(err) != auth.ErrInvalid {
		t.Errorf("twice: %v", err)
	}
	code = b.code(appStart)
	if _, _, err := a.redeem(code, verifier[:42]+"X"); auth.KindOf(err) != auth.ErrInvalid {
		t.Errorf("another verifier: %v", err)
	}
	if _, _, err := a.redeem(code, verifier); auth.KindOf(err) != auth.ErrInvalid {
		t.Errorf("after another verifier: %v", err)
	}
	for sentence, row := range map[string]struct {
		code, verifier string
		kind           error
	}{
		"an unknown code":  {"x", verifier, auth.ErrInvalid},
		"a short verifier": {code, verifier[:42], auth.ErrMalformed},
		"a long verifier":  {code, strings.Repeat("x", 129), auth.ErrMalformed},
		"an empty code":    {"", verifier, auth.ErrInvalid},
	} {
		if _, _, err := a.redeem(row.code, row.verifier); auth.KindOf(err) != row.kind {
			t.Errorf("%s: %v", sentence, err)
		}
	}
	r, _ := http.NewRequestWithContext(t.Context(), "POST", "/", strings.NewReader(`{"login_code":"x"}`))
	r.Header.Set("Content-Type", "application/json")
	if _, _, err := a.logins.Authenticate(r); auth.KindOf(err) != auth.ErrMalformed {
		t.Errorf("half of it: %v", err)
	}
	r, _ = http.NewRequestWithContext(t.Context(), "POST", "/", strings.NewReader(`{"username":"x"}`))
	r.Header.Set("Content-Type", "application/json")
	if _, _, err := a.logins.Authenticate(r); auth.KindOf(err) != auth.ErrNoCredentials {
		t.Errorf("nothing of it: %v", err)
	}
}

func TestACodeDiesWithItsUserAndItsTime(t *testing.T) {
	a := newApp(t, withApp)
	code := a.browser().code(appStart)
	a.mu.Lock()
	a.users["acme-1"].stamp = "new"
	a.mu.Unlock()
	if _, _, err := a.redeem(code, verifier); auth.KindOf(err) != auth.ErrInvalid {
		t.Errorf("another stamp: %v", err)
	}
	code = a.browser().code(appStart)
	a.mu.Lock()
	a.users["acme-1"].active = false
	a.mu.Unlock()
	if _, _, err := a.redeem(code, verifier); auth.KindOf(err) != auth.ErrInvalid {
		t.Errorf("disabled: %v", err)
	}
	late := newApp(t, func(a *app, c *external.Config) { withApp(a, c); c.Apps.CodeTTL = time.Nanosecond })
	if _, _, err := late.redeem(late.browser().code(appStart), verifier); auth.KindOf(err) != auth.ErrInvalid {
		t.Errorf("late: %v", err)
	}
	down := newApp(t, func(a *app, c *external.Config) {
		withApp(a, c)
		c.Store = &failing{a.store, "TakeCode"}
	})
	if _, _, err := down.redeem(down.browser().code(appStart), verifier); err == nil || auth.KindOf(err) != nil {
		t.Errorf("store down: %v", err)
	}
	if n, err := late.logins.Purge(t.Context(), 500); err != nil || n != 1 {
		t.Errorf("%d, %v", n, err)
	}
}

func TestOfManyThatRedeemACodeOneGetsIt(t *testing.T) {
	a := newApp(t, withApp)
	code := a.browser().code(appStart)
	good := make(chan bool, 16)
	for range 16 {
		go func() {
			_, _, err := a.redeem(code, verifier)
			good <- err == nil
		}()
	}
	n := 0
	for range 16 {
		if <-good {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d", n)
	}
}

func TestAnAppIsSentWhereItIsRegisteredOnly(t *testing.T) {
	a := newApp(t, withApp)
	b := a.browser()
	for sentence, start := range map[string]string{
		"another redirect":       strings.Replace(appStart, "com.example.app:/done", "com.example.app:/other", 1),
		"a longer one":           strings.Replace(appStart, "com.example.app:/done", "com.example.app:/done/x", 1),
		"another site":           strings.Replace(appStart, "com.example.app:/done", "https://evil.example/", 1),
		"no challenge":           strings.Replace(appStart, "code_challenge=", "x=", 1),
		"a plain challenge":      strings.Replace(appStart, "S256", "plain", 1),
		"no method":              strings.Replace(appStart, "code_challenge_method", "x", 1),
		"a short challenge":      strings.Replace(appStart, "E9Mel", "", 1),
		"a challenge of no kind": strings.Replace(appStart, "E9Mel", "%3C%3E%22%27%20", 1),
		"a long state":           appStart + strings.Repeat("x", 300),
	} {
		p := b.do("GET", start, nil)
		b.wants(sentence, p, 400, "invalid_request")
	}
	q := strings.Replace(appStart, "com.example.app:/done", url.QueryEscape("https://spa.example/done?a=b"), 1)
	if p := b.next(b.away(q)); !strings.HasPrefix(p.location, "https://spa.example/done?a=b&login_code=") {
		t.Errorf("%s", p.location)
	}
	// What goes wrong is told to the app, but for what cannot be believed.
	a.idp.SetQuirks(authtest.Quirks{Deny: true})
	if p := b.next(b.away(appStart)); p.location != "com.example.app:/done?error=access_denied&state=xyz" {
		t.Errorf("%s", p.location)
	}
	a.idp.SetQuirks(authtest.Quirks{Answer: func(v url.Values) { v.Set("iss", "https://evil.example") }})
	b.wants("another issuer", b.next(b.away(appStart)), 400, "untrusted")
	// Without sessions, browsers without an app have nothing to do here.
	none := newApp(t, func(a *app, c *external.Config) { withApp(a, c); c.SignIn = nil })
	c := none.browser()
	c.wants("no app", c.do("GET", "/login/acme/", nil), 400, "invalid_request")
}

func TestBehindAGuardThatClosesEveryRoute(t *testing.T) {
	a := newApp(t, nil)
	guard,
		err := auth.New(auth.Config{Backends: []auth.Authenticator{auth.AuthenticatorFunc(func(*http.Request) (
		auth.User, auth.Credential, error) {
		return nil, nil, auth.ErrNoCredentials
	})}, Challenges: []auth.Challenge{{Scheme: "Bearer"}}})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	a.handlers().Register(mux)
	closed := guard.Protect(mux)
	open := guard.Protect(mux, a.handlers().Open())
	for request, want := range map[string]int{"GET /login/acme/": 303, "GET /login/acme/callback/": 400,
		"POST /login/acme/link/": 403, "POST /login/acme/unlink/": 403} {
		method, path, _ := strings.Cut(request, " ")
		for status, handler := range map[int]http.Handler{want: open, 401: closed} {
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, httptest.NewRequest(method, path, nil))
			if w.Code != status {
				t.Errorf("%s: %d, want %d", request, w.Code, status)
			}
		}
	}
}
