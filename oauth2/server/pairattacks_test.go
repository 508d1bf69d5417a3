package server_test

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

	"github.com/gatewarden/auth/oauth2/server"
)

// beside returns the same service with another configuration: another program that shares the store, as during a
// deployment.
func (s *service) beside(change func(*server.Config)) *service {
	s.Helper()
	other := *s
	other.config.Resources = slices.Clone(s.config.Resources)
	other.config.Scopes = slices.Clone(s.config.Scopes)
	change(&other.config)
	var err error
	other.server, err = server.New(other.config)
	s.must(err)
	mux := http.NewServeMux()
	other.http = httptest.NewServer(mux)
	s.Cleanup(other.http.Close)
	other.handlers().Register(mux)
	return &other
}

// A request is kept by a program that knows an API or scope, and goes on at one that does not. The page there does not
// show the pair, and so nothing may be granted that it did not show.
func TestUnitAPageGrantsNoMoreThanItShows(t *testing.T) {
	for name, row := range map[string]struct {
		old      func(*server.Config) // the program that shows the page
		resource []string
		scope    string
		hidden   string // what its page cannot show
		at       string // where the client is not to have it
	}{
		"an API that the program with the page does not know": {
			func(c *server.Config) { c.Resources = c.Resources[:1] }, []string{"", otherAPI}, "read",
			otherAPI, otherAPI},
		"a scope that it does not know": {
			func(c *server.Config) { c.Scopes = c.Scopes[:1] }, []string{""}, "read write", "write", ""},
		"a scope that it does not know at the API": {
			func(c *server.Config) { c.Resources[0].Scopes = []string{"read"} }, []string{""}, "read write",
			"write", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newService(t, nil)
			old := s.beside(row.old)
			var resources []string
			for _, r := range row.resource {
				if r == "" {
					r = s.http.URL
				}
				resources = append(resources, r)
			}
			a := s.stranger().do("GET", at(resources, "scope", row.scope), "")
			next, err := url.Parse(a.location("next"))
			s.must(err)
			page := old.as("alice").do("GET", next.String(), "")
			if page.StatusCode != 200 {
				t.Skipf("refused, which is right: %d %s", page.StatusCode, page.Header.Get("Location"))
			}
			if strings.Contains(page.body, row.hidden) {
				t.Fatalf("the page shows it: %s", page.body)
			}
			code := old.as("alice").allow(page).location("code")
			var pairs []string
			if row.at != "" {
				pairs = []string{"resource", row.at}
			}
			token := s.redeem(code, pairs...)
			if token.StatusCode == 200 {
				scope, audience := s.inspect(token.text("access_token"))
				if audience == row.at || strings.Contains(scope, row.hidden) {
					t.Errorf("got a token with %q for %q, which the page did not show", scope, audience)
				}
			}
			if a := s.as("alice").do("GET", at(resources, "scope", row.scope, "prompt", "none"), ""); a.location(
				"code") != "" {
				t.Error("what the page did not show is remembered as agreed to")
			}
		})
	}
}

// A client that names no resource sends its token to the API that it always was for. That API may not get one that
// is good elsewhere because the operator took something away.
func TestUnitTakingAScopeAwayDoesNotMoveATokenElsewhere(t *testing.T) {
	for name, row := range map[string]struct{ before, after string }{
		"the other API has the same scopes then": {"openid read", "openid read"},
		"the API of the token has none left":     {"openid read", "openid write"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSeveral(t)
			two := []string{s.http.URL, otherAPI}
			code := s.as("alice").do("GET", at(two, "scope", "openid read write"), "").location("code")
			tokens := s.redeem(code)
			s.check(t, tokens, row.before, s.http.URL)
			s.change(func(r *server.Registration) { r.Scope = row.after })
			a := s.refresh(tokens.text("refresh_token"))
			if a.StatusCode != 200 {
				return
			}
			if scope, audience := s.inspect(a.text("access_token")); audience != s.http.URL {
				t.Errorf("got %q for %q, want a token for %s or none", scope, audience, s.http.URL)
			}
		})
	}
}

// An answer may not give more than the credential of the answer allows.
func TestUnitAnAnswerIsWithinItsLogin(t *testing.T) {
	for name, session := range map[string]string{"with a session": "one", "without a session": ""} {
		t.Run(name, func(t *testing.T) {
			s := newService(t, nil)
			whole := s.asOf("alice", session, time.Now())
			limited := &browser{s, whole.cookie + ":openid read"}
			if a := limited.authorize("scope", "write"); a.location("error") != "access_denied" {
				t.Fatalf("got %d %s", a.StatusCode, a.Header.Get("Location"))
			}
			page := whole.authorize("scope", "write")
			if a := limited.allow(page); a.location("code") != "" {
				t.Error("got a code for more than the login is good for")
			}
		})
	}
}

// An outage of LifetimesOf is one like that of the store: the page is still good, so the client is told nothing.
func TestUnitAnOutageOfLifetimesLosesNoPage(t *testing.T) {
	down := true
	s := newService(t, func(c *server.Config) {
		c.Tokens.LifetimesOf = func(server.LifetimeRequest) (l server.Lifetimes) {
			if down {
				l.Code = time.Hour
			}
			return l
		}
	})
	alice := s.as("alice")
	form := with(fields(alice.authorize().body), "allow", "1").Encode()
	if a := alice.do("POST", "/o/authorize/", form); a.StatusCode != 503 || a.Header.Get("Location") != "" {
		t.Errorf("got %d %s, want a page that says so", a.StatusCode, a.Header.Get("Location"))
	}
	down = false
	if a := alice.do("POST", "/o/authorize/", form); a.location("code") == "" {
		t.Errorf("got %d %s", a.StatusCode, a.Header.Get("Location"))
	}
}

// This holds.
func TestUnitOfManyAnswersOneCounts(t *testing.T) {
	s := newService(t, nil)
	alice := s.as("alice")
	form := with(fields(alice.authorize().body), "allow", "1").Encode()
	denied := with(fields(alice.authorize().body), "deny", "1").Encode()
	var group sync.WaitGroup
	var mu sync.Mutex
	codes, errs, forbidden := 0, 0, 0
	for i := range 16 {
		group.Go(func() {
			f := form
			if i%4 == 3 {
				f = strings.Replace(form, "allow=1", "deny=1", 1)
			}
			a := alice.do("POST", "/o/authorize/", f)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case a.location("code") != "":
				codes++
			case a.location("error") != "":
				errs++
			case a.StatusCode == 403:
				forbidden++
			default:
				t.Errorf("%d %s", a.StatusCode, a.body)
			}
		})
	}
	group.Wait()
	if codes+errs != 1 || forbidden != 15 {
		t.Errorf("%d codes, %d errors, %d forbidden", codes, errs, forbidden)
	}
	live, _ := s.config.Store.Grants(t.Context(), "alice", "", 99, time.Now())
	if len(live) != codes {
		t.Errorf("%d grants", len(live))
	}
	for name, b := range map[string]*browser{"bob": s.as("bob"), "another session": s.asOf("alice", "x", time.Now()),
		"no session": s.asOf("alice", "", time.Now()), "stranger": s.stranger()} {
		for _, f := range []string{denied, strings.Replace(denied, "deny=1", "allow=1", 1)} {
			if a := b.do("POST", "/o/authorize/", f); a.StatusCode != 403 || a.Header.Get("Location") != "" {
				t.Errorf("%s: %d %s", name, a.StatusCode, a.Header.Get("Location"))
			}
		}
	}
	if a := alice.do("POST", "/o/logout/", denied); a.StatusCode != 403 {
		t.Errorf("at logout: %d", a.StatusCode)
	}
	if a := alice.do("POST", "/o/authorize/", denied); a.location("error") != "access_denied" {
		t.Errorf("the owner: %d", a.StatusCode)
	}
	if a := alice.do("POST", "/o/authorize/", strings.Replace(denied, "deny=1", "allow=1", 1)); a.StatusCode != 403 {
		t.Errorf("allow after deny: %d", a.StatusCode)
	}
	bye := with(fields(alice.do("GET", "/o/logout/?client_id=web&post_logout_redirect_uri=https://web.example/bye",
		"").body), "allow", "1").Encode()
	if a := alice.do("POST", "/o/authorize/", bye); a.StatusCode != 403 {
		t.Errorf("logout page at authorize: %d", a.StatusCode)
	}
}

// A page that asks whether to sign out waits as the consent page does, and leads nowhere that is not registered any
// more.
func TestUnitASignOutLeadsWhereTheClientIsNow(t *testing.T) {
	s := newService(t, nil)
	alice := s.as("alice")
	page := alice.do("GET", "/o/logout/?client_id=web&post_logout_redirect_uri=https://web.example/bye", "")
	s.change(func(r *server.Registration) { r.PostLogoutRedirectURIs = nil })
	a := alice.do("POST", "/o/logout/", with(fields(page.body), "allow", "1").Encode())
	if to := a.Header.Get("Location"); to != "" {
		t.Errorf("got %d to %s, which is not registered any more", a.StatusCode, to)
	}
}

// before is a store with grants and consents of alice as a migrated row of two lists has them.
type before struct {
	server.Store
	grant, consent server.Permissions
}

func (b before) FindRefresh(ctx context.Context, digest string) (*server.Refresh, *server.Grant, error) {
	r, g, err := b.Store.FindRefresh(ctx, digest)
	if g != nil {
		old := *g
		old.Permissions, g = b.grant, &old
	}
	return r, g, err
}

func (b before) Consent(ctx context.Context, user, client string) (*server.Consent, error) {
	return &server.Consent{UserID: user, ClientID: client, Permissions: b.consent}, nil
}

func TestUnitRowsOfBefore(t *testing.T) {
	all := []string{"openid", "read", "write"}
	s := &several{service: newService(t, func(c *server.Config) {
		c.Resources[0].Scopes, c.Resources[2].Scopes = []string{"read"}, []string{"write"}
		c.Store = before{c.Store, server.Permissions{{Scopes: all}, {Resource: c.Issuer, Scopes: all},
			{Resource: otherAPI, Scopes: all}},
			server.Permissions{{Scopes: all}, {Resource: c.Issuer}, {Resource: otherAPI}}}
	})}
	token := s.redeem(s.as("alice").code("prompt", "consent")).text("refresh_token")
	for _, row := range []struct{ scope, resource, want, audience string }{
		{"", "", "openid read", s.http.URL}, {"", otherAPI, "openid write", otherAPI}, {"write", "", "write", otherAPI},
		{"openid", s.http.URL, "openid", s.http.URL}, {"read", "", "read", s.http.URL},
	} {
		var at []string
		if row.resource != "" {
			at = []string{row.resource}
		}
		a := s.refreshAt(token, row.scope, at...)
		s.check(t, a, row.want, row.audience)
		token = a.text("refresh_token")
	}
	for _, row := range [][2]string{{"write", s.http.URL}, {"read", otherAPI}, {"read", jwtAPI}, {"", jwtAPI},
		{"email", ""}, {"read write", ""}} {
		var at []string
		if row[1] != "" {
			at = []string{row[1]}
		}
		if a := s.refreshAt(token, row[0], at...); a.StatusCode != 400 {
			t.Errorf("%v: %d %s", row, a.StatusCode, a.body)
		}
	}
	alice := s.as("alice")
	for _, pairs := range [][]string{{"scope", "read"}, {"scope", "openid read"},
		{"scope", "write", "resource", otherAPI}, {"scope", "openid email"},
		{"scope", "openid", "resource", jwtAPI}} {
		if a := alice.authorize(append(pairs, "prompt", "none")...); a.location("error") != "consent_required" {
			t.Errorf("%v: %s", pairs, a.Header.Get("Location"))
		}
	}
}

// Issue and the client credentials grant.
func TestUnitIssueGivesPairs(t *testing.T) {
	s := knowing(t)
	web, err := s.server.Client(t.Context(), "web")
	s.must(err)
	for name, row := range map[string]struct {
		i    server.Issuance
		want string
	}{
		"a scope that the default API does not know": {server.Issuance{Scopes: []string{"write"}}, ""},
		"two APIs of different scopes": {
			server.Issuance{Scopes: []string{"read", "write"}, Resources: []string{s.http.URL, otherAPI}}, ""},
		"two APIs": {
			server.Issuance{Scopes: []string{"read"}, Resources: []string{s.http.URL, otherAPI}}, "read"},
		"twice": {server.Issuance{Scopes: []string{"read", "read"}}, "read"},
		"openid": {server.Issuance{Scopes: []string{"openid", "read"}},
			"openid read"},
		"no scope": {server.Issuance{}, ""},
		"an unknown API": {server.Issuance{Resources: []string{"https://evil.example/"}},
			"-"},
	} {
		t.Run(name, func(t *testing.T) {
			row.i.Client, row.i.Type, row.i.UserID, row.i.Refresh = web, "own", "alice", true
			got, err := s.server.Issue(t.Context(), row.i)
			if err != nil {
				if row.want != "" && row.want != "-" {
					t.Error(err)
				}
				return
			}
			scope, audience := s.inspect(got.AccessToken().Reveal())
			if scope != row.want {
				t.Errorf("got %q for %q, want %q", scope, audience, row.want)
			}
		})
	}
}

// Access to an API after the user has signed out is more than access, and offline_access is of no API. A login that was
// agreed to keep is not an API that was.
func TestUnitOfflineAccessOfALoginIsNoneToAnAPI(t *testing.T) {
	s := newService(t, nil)
	alice := s.as("alice")
	alice.code("scope", "openid read")
	alice.code("scope", "openid offline_access", "resource", otherAPI)
	if a := alice.authorize("scope", "openid read offline_access", "prompt", "none"); a.location("code") != "" {
		t.Error("got a code to read at the first API after a sign-out, which no page said")
	}
}
