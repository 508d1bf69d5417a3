package external_test

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/authtest"
	"github.com/gatewarden/auth/oauth2/external"
	"github.com/gatewarden/auth/session"
)

// plain is a provider that has OAuth 2 and no more, at the double's GitHub.
func plain(a *app, change func(*external.OAuth2)) external.OAuth2 {
	o := external.OAuth2{Name: "plain", Issuer: "https://plain.example", AuthorizeURL: a.idp.URL() +
		"/login/oauth/authorize", TokenURL: a.idp.URL() + "/login/oauth/access_token",
		ClientID: a.idp.ClientID, ClientSecret: a.idp.ClientSecret,
		Profile: func(ctx context.Context, api *external.API) (*external.Profile, error) {
			if _, err := api.Get(ctx, a.idp.URL()+"/api/v3/user"); err != nil {
				return nil, err
			}
			return &external.Profile{Subject: "1", Issuer: "https://evil.example", Provider: "evil"}, nil
		}}
	if change != nil {
		change(&o)
	}
	return o
}

func TestAPlainProvider(t *testing.T) {
	subject := func(text string) func(*external.OAuth2) {
		return func(o *external.OAuth2) {
			o.Profile = func(context.Context, *external.API) (*external.Profile, error) {
				return &external.Profile{Subject: text}, nil
			}
		}
	}
	for sentence, row := range map[string]struct {
		change func(*external.OAuth2)
		quirks authtest.Quirks
		status int
		reason string
	}{
		"a good one": {nil, authtest.Quirks{}, 200, ""},
		"an iss nobody expects": {nil, authtest.Quirks{Answer: func(v url.Values) {
			v.Set("iss", "https://plain.example")
		}}, 400, "untrusted"},
		"an iss that is expected": {func(o *external.OAuth2) { o.ResponseIssuer = "https://plain.example" },
			authtest.Quirks{Answer: func(v url.Values) { v.Set("iss", "https://plain.example") }}, 200, ""},
		"another iss": {func(o *external.OAuth2) { o.ResponseIssuer = "https://plain.example" },
			authtest.Quirks{Answer: func(v url.Values) { v.Set("iss", "https://plain.example/") }}, 400, "untrusted"},
		"no subject":             {subject(""), authtest.Quirks{}, 400, "untrusted"},
		"a subject of 255 bytes": {subject(strings.Repeat("x", 255)), authtest.Quirks{}, 200, ""},
		"a subject of 256 bytes": {subject(strings.Repeat("x", 256)), authtest.Quirks{}, 400, "untrusted"},
		"a subject with a NUL":   {subject("a\x00b"), authtest.Quirks{}, 400, "untrusted"},
		"a subject with a space": {subject(" a"), authtest.Quirks{}, 400, "untrusted"},
		"a subject of no UTF-8":  {subject("a\xff"), authtest.Quirks{}, 400, "untrusted"},
		"a token that cannot be sent": {nil, authtest.Quirks{TokenAnswer: func(a map[string]any) {
			a["access_token"] = "a\r\nX: y"
		}}, 400, "untrusted"},
		"no profile": {func(o *external.OAuth2) {
			o.Profile = func(context.Context, *external.API) (*external.Profile, error) { return nil, nil }
		}, authtest.Quirks{}, 503, "temporarily_unavailable"},
		"refused by the profile": {func(o *external.OAuth2) {
			o.Profile = func(context.Context, *external.API) (*external.Profile, error) {
				return nil, external.ErrNotAllowed
			}
		}, authtest.Quirks{}, 403, "not_allowed"},
		"an API that is down": {nil, authtest.Quirks{UserInfoStatus: 502}, 503, "temporarily_unavailable"},
		"an API elsewhere": {func(o *external.OAuth2) {
			o.Profile = func(ctx context.Context, api *external.API) (*external.Profile, error) {
				_, err := api.Get(ctx, "http://elsewhere.example/")
				return &external.Profile{Subject: "1"}, err
			}
		}, authtest.Quirks{}, 503, "temporarily_unavailable"},
	} {
		a := newApp(t, func(a *app, c *external.Config) { c.Providers = []external.Provider{plain(a, row.change)} })
		a.idp.SetQuirks(row.quirks)
		b := a.browser()
		p := b.visit("/login/plain/")
		if p.status != row.status || p.reason() != row.reason {
			t.Errorf("%s: %d %s %s", sentence, p.status, p.reason(), a.log)
		}
		if row.status == 200 && (a.last().Issuer != "https://plain.example" || a.last().Provider != "plain") {
			t.Errorf("%s: %+v", sentence, a.last())
		}
	}
}

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

func TestALoginThatWasSlowerIsTheOtherOnesUser(t *testing.T) {
	a := newApp(t, func(a *app, c *external.Config) {
		c.Accounts.NewUser = func(ctx context.Context, p *external.Profile, _ string) (auth.User, error) {
			if _, _, err := c.Store.Link(ctx, &external.Identity{ID: "x", UserID: "bob", Issuer: p.Issuer,
				Subject: p.Subject}); err != nil {
				return nil, err
			}
			return a.add("late"), nil
		}
	})
	b := a.browser()
	if b.visit("/login/acme/"); b.who() != "bob" || len(a.identities("late")) != 0 || len(a.changes) != 0 {
		t.Errorf("%q %v", b.who(), a.changes)
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

func TestASessionOfScopesChangesNoWayIn(t *testing.T) {
	a := newApp(t, func(a *app, c *external.Config) {
		signIn := c.SignIn
		c.SignIn = func(w http.ResponseWriter, r *http.Request, u auth.User, l *external.Credential) error {
			return signIn(w, r, u, l)
		}
		sessions, err := session.New(session.Config{Store: session.NewMemoryStore(), LoadUser: a.load,
			Cookie: "limited"})
		if err != nil {
			t.Fatal(err)
		}
		c.SignIn = func(w http.ResponseWriter, r *http.Request, u auth.User, l *external.Credential) error {
			_, err := sessions.SignIn(w, r, u, session.Options{AuthInfo: l.AuthInfo(), Scopes: []string{"read"}})
			return err
		}
		if a.guard, err = auth.New(auth.Config{Backends: []auth.Authenticator{sessions}}); err != nil {
			t.Fatal(err)
		}
	})
	b := a.browser()
	b.visit("/login/acme/")
	b.wants("limited", b.do("POST", "/login/acme/link/", nil), 403, "not_allowed")
	b.wants("limited", b.do("POST", "/login/acme/unlink/", nil), 403, "not_allowed")
}

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

func TestARefreshTokenThatIsNotReplacedStays(t *testing.T) {
	var kept *external.Tokens
	a := newApp(t, func(_ *app, c *external.Config) {
		c.Accounts.KeepTokens = func(_ context.Context, _ auth.User, _ *external.Profile,
			tokens *external.Tokens) error {
			kept = tokens
			return nil
		}
	})
	a.browser().visit("/login/acme/")
	a.idp.SetQuirks(authtest.Quirks{TokenAnswer: func(a map[string]any) { delete(a, "refresh_token") }})
	fresh, err := a.logins.Refresh(t.Context(), a.last().Identity("alice", time.Now()), kept.Refresh())
	if err != nil || fresh.Refresh() != kept.Refresh() {
		t.Errorf("%v", err)
	}
}

func TestTheMetadataSaysHowAClientAuthenticates(t *testing.T) {
	for sentence, row := range map[string]struct {
		methods []string
		method  external.Method
		basic   bool
	}{
		"nothing said":      {nil, "", true},
		"both":              {[]string{"client_secret_post", "client_secret_basic"}, "", true},
		"by post only":      {[]string{"client_secret_post"}, "", false},
		"neither":           {[]string{"private_key_jwt"}, "", true},
		"but configured":    {[]string{"client_secret_post"}, external.ClientSecretBasic, true},
		"and the other way": {nil, external.ClientSecretPost, false},
	} {
		a := newApp(t, func(a *app, c *external.Config) {
			acme := a.acme()
			acme.Method = row.method
			c.Providers = []external.Provider{acme}
		})
		a.idp.SetQuirks(authtest.Quirks{Metadata: func(m map[string]any) {
			if row.methods != nil {
				m["token_endpoint_auth_methods_supported"] = row.methods
			}
		}})
		if p := a.browser().visit("/login/acme/"); p.status != 200 || a.idp.TokenRequests()[0].Basic != row.basic {
			t.Errorf("%s: %d, basic %v", sentence, p.status, a.idp.TokenRequests()[0].Basic)
		}
	}
}

func TestMetadataThatCannotBeRightIsAnOutage(t *testing.T) {
	for sentence, change := range map[string]func(map[string]any){
		"another issuer":      func(m map[string]any) { m["issuer"] = "https://evil.example" },
		"no token endpoint":   func(m map[string]any) { delete(m, "token_endpoint") },
		"a relative endpoint": func(m map[string]any) { m["authorization_endpoint"] = "/authorize" },
		"http elsewhere":      func(m map[string]any) { m["token_endpoint"] = "http://elsewhere.example/token" },
		"javascript":          func(m map[string]any) { m["authorization_endpoint"] = "javascript:alert(1)" },
	} {
		a := newApp(t, nil)
		a.idp.SetQuirks(authtest.Quirks{Metadata: change})
		b := a.browser()
		b.wants(sentence, b.do("GET", "/login/acme/", nil), 503, "temporarily_unavailable")
	}
}

func TestMetadataIsAskedForOnce(t *testing.T) {
	var asked []string
	a := newApp(t, func(_ *app, c *external.Config) {
		c.HTTP.Client = &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			asked = append(asked, r.URL.Path)
			return http.DefaultTransport.RoundTrip(r)
		})}
	})
	for range 3 {
		a.browser().do("GET", "/login/acme/", nil)
	}
	if !slices.Equal(asked, []string{"/.well-known/openid-configuration"}) {
		t.Errorf("%q", asked)
	}
}

func TestAnAppOfFacebookSendsItsToken(t *testing.T) {
	a := preset(t, "facebook", nil)
	ada := authtest.Person{Subject: "42", Name: "Ada"}
	u, proof, err := a.logins.FromToken(t.Context(), "facebook", auth.Secret(a.idp.IssueToken(ada, "")))
	if err != nil || u.UserID() != "facebook-42" || proof.Profile.Name != "Ada" || !proof.Primary() {
		t.Fatalf("%v %v", u, err)
	}
	for sentence, row := range map[string]struct {
		token string
		kind  error
	}{
		"another app's": {a.idp.IssueToken(ada, "evil"), auth.ErrInvalid},
		"unknown":       {"guessed", auth.ErrInvalid},
		"empty":         {"", auth.ErrInvalid},
		"two lines":     {"a\r\nb", auth.ErrInvalid},
	} {
		if _, _, err := a.logins.FromToken(t.Context(), "facebook", auth.Secret(row.token)); auth.KindOf(
			err) != row.kind {
			t.Errorf("%s: %v", sentence, err)
		}
	}
	a.mu.Lock()
	a.users["facebook-42"].active = false
	a.mu.Unlock()
	if _, _, err := a.logins.FromToken(t.Context(), "facebook", auth.Secret(a.idp.IssueToken(ada, ""))); auth.KindOf(
		err) != auth.ErrInsufficient {
		t.Errorf("disabled: %v", err)
	}
	a.idp.SetDown(true)
	if _, _, err := a.logins.FromToken(t.Context(), "facebook", "x"); err == nil || auth.KindOf(err) != nil {
		t.Errorf("down: %v", err)
	}
	other := newApp(t, nil) // with a provider that cannot tell
	if _, _, err := other.logins.FromToken(t.Context(), "acme", "x"); err == nil || auth.KindOf(err) != nil {
		t.Errorf("%v", err)
	}
}

func TestATokenOfFacebookMayLiveLonger(t *testing.T) {
	for _, long := range []bool{false, true} {
		var kept *external.Tokens
		a := newApp(t, func(a *app, c *external.Config) {
			c.Providers = []external.Provider{
				external.Facebook{ClientID: a.idp.ClientID, ClientSecret: a.idp.ClientSecret, BaseURL: a.idp.URL(),
					LongLived: long}}
			c.Accounts.KeepTokens = func(_ context.Context, _ auth.User, _ *external.Profile,
				tokens *external.Tokens) error {
				kept = tokens
				return nil
			}
		})
		if p := a.browser().visit("/login/facebook/"); p.status != 200 ||
			(time.Until(kept.ExpiresAt) > 24*time.Hour) != long {
			t.Errorf("%v: %d %s", long, p.status, a.log)
		}
	}
}

func TestAnAnswerOfItsOwnAsksForASecondFactor(t *testing.T) {
	a := newApp(t, func(_ *app, c *external.Config) {
		c.SignIn = func(w http.ResponseWriter, _ *http.Request, u auth.User, _ *external.Credential) error {
			w.Header().Set("Location", "/second-factor")
			w.WriteHeader(http.StatusSeeOther)
			return external.ErrAnswered
		}
	})
	b := a.browser()
	if p := b.next(b.away("/login/acme/")); p.status != 303 || p.header.Get("Location") != "/second-factor" {
		t.Errorf("%+v", p)
	}
}

func TestAnIDTokenMayHaveHundredsOfGroups(t *testing.T) {
	a := newApp(t, nil)
	var groups []string
	for range 400 {
		groups = append(groups, tenant)
	}
	a.idp.SignIn(authtest.Person{Subject: "1", Claims: map[string]any{"groups": groups}})
	if p := a.browser().visit("/login/acme/"); p.status != 200 || len(a.last().Claims["groups"].([]any)) != 400 {
		t.Errorf("%d %s", p.status, a.log)
	}
	a.idp.SignIn(authtest.Person{Subject: "1", Claims: map[string]any{"groups": strings.Repeat("x", 70_000)}})
	b := a.browser()
	b.wants("too much", b.visit("/login/acme/"), 400, "untrusted")
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

func TestAnAppSendsAnIDToken(t *testing.T) {
	a := newApp(t, func(a *app, c *external.Config) {
		c.Providers = []external.Provider{external.Google{ClientID: a.idp.ClientID, ClientSecret: a.idp.ClientSecret,
			BaseURL: a.idp.URL(), AppClientIDs: []string{"android"}}, plain(a, nil)}
	})
	mint := func(pairs ...any) auth.Secret {
		claims := map[string]any{"aud": a.idp.ClientID, "sub": "42", "nonce": "n", "email": "ada@example.com",
			"email_verified": true, "name": "Ada"}
		for i := 0; i < len(pairs); i += 2 {
			claims[pairs[i].(string)] = pairs[i+1]
		}
		return auth.Secret(a.idp.MintWith(map[string]any{"typ": "JWT"}, claims))
	}
	good := mint()
	u, proof, err := a.logins.FromIDToken(t.Context(), "google", good, "n")
	if err != nil || u.UserID() != "google-42" || !proof.Profile.Email.Verified || proof.Profile.Name != "Ada" {
		t.Fatalf("%v %v", u, err)
	}
	for sentence, row := range map[string]struct {
		token auth.Secret
		nonce string
		kind  error
	}{
		"of an app":                   {mint("aud", "android", "nonce", "n5"), "n5", nil},
		"the nonce again, for an app": {mint("aud", "android"), "n", auth.ErrInvalid},
		"the nonce again, for longer": {mint("exp", time.Now().Add(5*time.Hour).Unix()), "n", auth.ErrInvalid},
		"the nonce again, for two": {mint("aud", []string{a.idp.ClientID, "x"}, "azp", a.idp.ClientID), "n",
			auth.ErrInvalid},
		"for the service, by an app": {mint("azp", "android", "nonce", "n2"), "n2", nil},
		"by an app of somebody":      {mint("azp", "evil"), "n", auth.ErrInvalid},
		"of another app":             {mint("aud", "evil"), "n", auth.ErrInvalid},
		"twice":                      {good, "n", auth.ErrInvalid},
		"another nonce":              {mint(), "m", auth.ErrInvalid},
		"no nonce in it":             {mint("nonce", nil), "n", auth.ErrInvalid},
		"forged": {
			auth.Secret(a.idp.Forge(map[string]any{"aud": a.idp.ClientID, "nonce": "n"})), "n", auth.ErrInvalid},
		"expired":                        {mint("exp", time.Now().Add(-time.Hour).Unix()), "n", auth.ErrInvalid},
		"no subject":                     {mint("sub", nil), "n", auth.ErrInvalid},
		"no token":                       {"", "n", auth.ErrInvalid},
		"a very long one":                {auth.Secret(strings.Repeat("x", 70_000)), "n", auth.ErrInvalid},
		"of the app, for a web callback": {mint("at_hash", "whatever", "nonce", "n3"), "n3", nil},
	} {
		if _, _, err := a.logins.FromIDToken(t.Context(), "google", row.token, row.nonce); auth.KindOf(
			err) != row.kind || (err == nil) != (row.kind == nil) {
			t.Errorf("%s: %v", sentence, err)
		}
	}
	for _, name := range []string{"plain", "nobody"} {
		if _, _, err := a.logins.FromIDToken(t.Context(), name, mint(), "n"); err == nil || auth.KindOf(err) != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := a.logins.FromIDToken(t.Context(), "google", mint(), ""); err == nil || auth.KindOf(err) != nil {
		t.Errorf("without a nonce: %v", err)
	}
	// A browser's callback takes no app's token.
	a.idp.SetQuirks(authtest.Quirks{IDToken: func(c map[string]any) { c["aud"] = "android" }})
	b := a.browser()
	b.wants("an app's token", b.visit("/login/google/"), 400, "untrusted")
	// Of many at once, one is taken.
	token, taken := mint("nonce", "n4"), make(chan bool, 16)
	for range 16 {
		go func() {
			_, _, err := a.logins.FromIDToken(t.Context(), "google", token, "n4")
			taken <- err == nil
		}()
	}
	n := 0
	for range 16 {
		if <-taken {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d", n)
	}
}
