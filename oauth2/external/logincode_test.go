package external_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/authtest"
	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/oauth2/external"
	"github.com/gatewarden/auth/session"
)

// issuers start an issuer for the users of f. It returns the backend, its login endpoint, and how many credentials
// alice has. refusal is what its hook returns.
var issuers = map[string]func(t *testing.T, f *factors, refusal error) (auth.Authenticator,
	func(*auth.Guard) (http.Handler, error), func() (int, error)){
	"session": func(t *testing.T, f *factors, refusal error) (auth.Authenticator,
		func(*auth.Guard) (http.Handler, error), func() (int, error)) {
		s, err := session.New(session.Config{Store: session.NewMemoryStore(), LoadUser: f.load,
			BeforeLogin: func(*http.Request, auth.User, *session.Options) error { return refusal }})
		if err != nil {
			t.Fatal(err)
		}
		return s, func(g *auth.Guard) (http.Handler, error) {
				h, err := s.Handlers(g)
				return h.Login, err
			}, func() (int, error) {
				all, _, err := s.List(t.Context(), "alice", backend.Page{Limit: 10})
				return len(all), err
			}
	},
	"knox": func(t *testing.T, f *factors, refusal error) (auth.Authenticator,
		func(*auth.Guard) (http.Handler, error), func() (int, error)) {
		tokens, err := knox.New(knox.Config{Store: knox.NewMemoryStore(), LoadUser: f.load,
			Issue: knox.IssueSettings{Before: func(*http.Request, auth.User, *knox.Options) error { return refusal }}})
		if err != nil {
			t.Fatal(err)
		}
		return tokens, func(g *auth.Guard) (http.Handler, error) {
				h, err := tokens.Handlers(g)
				return h.Login, err
			}, func() (int, error) {
				all, _, err := tokens.List(t.Context(), "alice", backend.Page{Limit: 10})
				return len(all), err
			}
	},
	"jwt":             jwtIssuer(func(h *jwt.Handlers) http.Handler { return h.Obtain }),
	"jwt, by Sliding": jwtIssuer(func(h *jwt.Handlers) http.Handler { return h.Sliding }),
}

func jwtIssuer(endpoint func(*jwt.Handlers) http.Handler) func(t *testing.T, f *factors, refusal error) (
	auth.Authenticator, func(*auth.Guard) (http.Handler, error), func() (int, error)) {
	return func(t *testing.T, f *factors, refusal error) (auth.Authenticator,
		func(*auth.Guard) (http.Handler, error), func() (int, error)) {
		key, err := jwt.GenerateKey(jwt.ES256)
		if err != nil {
			t.Fatal(err)
		}
		keys, err := jwt.NewKeySet(key)
		if err != nil {
			t.Fatal(err)
		}
		tokens, err := jwt.New(jwt.Config{Issuer: "https://app.example", Keys: keys, Store: jwt.NewMemoryStore(),
			LoadUser: f.load, Issue: jwt.IssueSettings{
				Before: func(*http.Request, auth.User, *jwt.Options) error { return refusal }}})
		if err != nil {
			t.Fatal(err)
		}
		return tokens, func(g *auth.Guard) (http.Handler, error) {
				h, err := tokens.Handlers(g)
				return endpoint(h), err
			}, func() (int, error) {
				all, _, err := tokens.List(t.Context(), "alice", backend.Page{Limit: 10})
				return len(all), err
			}
	}
}

// exchange posts the code of a new login of an app to the endpoint of an issuer, and returns the answer and how many
// credentials alice has then.
func (f *factors) exchange(t *testing.T, issuer string, refusal error) (*httptest.ResponseRecorder, int) {
	t.Helper()
	own, endpoint, count := issuers[issuer](t, f, refusal)
	guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{own}, Login: []auth.Authenticator{f.logins}})
	if err != nil {
		t.Fatal(err)
	}
	login, err := endpoint(guard)
	if err != nil {
		t.Fatal(err)
	}
	form := url.Values{"login_code": {f.browser().code(appStart)}, "code_verifier": {verifier}}
	r := httptest.NewRequest("POST", "https://app.example/login", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	login.ServeHTTP(w, r)
	n, err := count()
	if err != nil {
		t.Fatal(err)
	}
	return w, n
}

func TestUnitLoginsOfAppsThatAreRefused(t *testing.T) {
	for issuer := range issuers {
		t.Run("a login of an app that an issuer refuses links nothing: "+issuer, func(t *testing.T) {
			f := newFactors(t, nil, withApp)
			if w, n := f.exchange(t, issuer, auth.ErrInsufficient); w.Code != http.StatusForbidden || n != 0 {
				t.Errorf("got %d %s, %d credentials", w.Code, w.Body, n)
			}
			f.wantLinked("the login was refused")
		})
		t.Run("one that succeeds links: "+issuer, func(t *testing.T) {
			f := newFactors(t, nil, withApp)
			if w, n := f.exchange(t, issuer, nil); w.Code >= 400 || n != 1 {
				t.Errorf("got %d %s, %d credentials", w.Code, w.Body, n)
			}
			f.wantLinked("the login succeeded", "1")
		})
		t.Run("one whose identity cannot be linked leaves no credential: "+issuer, func(t *testing.T) {
			f := newFactors(t, nil, func(a *app, c *external.Config) {
				withApp(a, c)
				c.Store = &failing{Store: a.store, method: "LinkFirst"}
			})
			w, n := f.exchange(t, issuer, nil)
			if w.Code != http.StatusServiceUnavailable || n != 0 || len(w.Header().Values("Set-Cookie")) != 0 {
				t.Errorf("got %d %s %v, %d credentials", w.Code, w.Body, w.Header(), n)
			}
		})
	}
}

// wrapped is a credential around another one.
type wrapped struct{ auth.Credential }

func (w wrapped) Unwrap() auth.Credential { return w.Credential }

func TestUnitFinishOfACredentialThatIsWrapped(t *testing.T) {
	t.Run("a login is finished through a credential around it, and once only is told", func(t *testing.T) {
		f := newFactors(t, nil, withApp)
		_, credential, err := f.redeem(f.browser().code(appStart), verifier)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := backend.Finish(context.Background(), wrapped{credential}); err != nil {
				t.Error(err)
			}
		}
		f.wantLinked("finished", "1")
	})
}

func TestUnitUnlinkedWhileALoginIsUnderWay(t *testing.T) {
	t.Run("a pending link that was completed does not link again what was unlinked", func(t *testing.T) {
		f, user := kept(t)
		f.browser().visit("/login/acme/")
		if err := f.logins.CompleteLink(t.Context(), user(), f.pending[0]); err != nil {
			t.Fatal(err)
		}
		f.unlinkAll("alice")
		err := f.logins.CompleteLink(t.Context(), user(), f.pending[0])
		if got := f.identities("alice"); len(got) != 0 {
			t.Errorf("got %v, linked %q", err, got)
		}
	})
	t.Run("a NewUser that returns the owner, as with ConfirmIn, does not link again what the owner unlinked",
		func(t *testing.T) {
			a := newApp(t, func(a *app, c *external.Config) {
				c.Accounts.NewUser = func(ctx context.Context, p *external.Profile, _ string) (auth.User, error) {
					// Meanwhile bob links the identity, and ConfirmIn tells that he is the owner.
					if _, _, err := a.store.Link(ctx, p.Identity("bob", time.Now())); err != nil {
						return nil, err
					}
					// Then bob unlinks it.
					a.unlinkAll("bob")
					return a.users["bob"], nil
				}
			})
			b := a.browser()
			b.visit("/login/acme/")
			if got := a.identities("bob"); len(got) != 0 || b.who() != "" {
				t.Errorf("signed in as %q, bob has the identities %q", b.who(), got)
			}
		})
	t.Run("an identity that was linked by hand and unlinked gets another id, as the page says", func(t *testing.T) {
		s := newSignups(t)
		s.fails.method = "Confirm"
		s.browser().visit("/login/acme/")
		s.fails.method = ""
		profile := &external.Profile{Provider: "acme", Issuer: s.idp.URL(), Subject: "1"}
		if _, _, err := s.store.Link(t.Context(), profile.Identity("bob", time.Now())); err != nil {
			t.Fatal(err)
		}
		s.unlinkAll("bob")
		s.browser().visit("/login/acme/")
		if len(s.ids) != 2 || s.ids[0] == s.ids[1] {
			t.Errorf("got the ids %q", s.ids)
		}
	})
}

func TestUnitCodesOfWhatWasUnlinked(t *testing.T) {
	t.Run("a code of an identity that was unlinked since signs nobody in", func(t *testing.T) {
		a := newApp(t, withApp)
		b := a.browser()
		b.visit("/login/acme/") // makes acme-1
		code := a.browser().code(appStart)
		a.unlinkAll("acme-1")
		if u, _, err := a.redeem(code, verifier); err == nil {
			t.Errorf("signed in as %s", u.UserID())
		}
	})
}

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
		b.Fatalf("got %d %s: %s, want 303 with a login_code and the state", p.status, p.location, p.body)
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
		t.Fatalf("got %v, error %v, want the user acme-1", u, err)
	}
	proof, ok := credential.(*external.Credential)
	if !ok || !proof.Primary() || proof.Profile.Email.Address != "alice@example.com" || !proof.Profile.Email.Verified ||
		proof.Profile.Claims != nil || !proof.AuthInfo().AuthTime.IsZero() {
		t.Errorf("got %+v, want a primary credential with the address, and without claims and AuthTime", credential)
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
		t.Errorf("purged %d, error %v, want 1", n, err)
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
		t.Errorf("%d redeemed the code, want 1", n)
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
		t.Errorf("got the location %s, want return_to with its query and a login_code", p.location)
	}
	// What goes wrong is told to the app, but for what cannot be believed.
	a.idp.SetQuirks(authtest.Quirks{Deny: true})
	if p := b.next(b.away(appStart)); p.location != "com.example.app:/done?error=access_denied&state=xyz" {
		t.Errorf("got the location %s, want the error access_denied and the state", p.location)
	}
	a.idp.SetQuirks(authtest.Quirks{Answer: func(v url.Values) { v.Set("iss", "https://evil.example") }})
	b.wants("another issuer", b.next(b.away(appStart)), 400, "untrusted")
	// Without sessions, browsers without an app have nothing to do here.
	none := newApp(t, func(a *app, c *external.Config) { withApp(a, c); c.SignIn = nil })
	c := none.browser()
	c.wants("no app", c.do("GET", "/login/acme/", nil), 400, "invalid_request")
}
