package server_test

import (
	"maps"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatewarden/auth/oauth2/server"
)

// at returns the query of a request for several resources.
func at(resources []string, pairs ...string) string {
	values := query(pairs...)
	values["resource"] = resources
	return "/o/authorize/?" + values.Encode()
}

func TestUnitConsentIsToPairs(t *testing.T) {
	s := newService(t, nil)
	alice := s.as("alice")
	alice.code("scope", "read")
	alice.code("scope", "write", "resource", otherAPI)
	for name, pairs := range map[string][]string{
		"write at the first API":          {"scope", "write"},
		"read at the other API":           {"scope", "read", "resource", otherAPI},
		"read and write at the first API": {"scope", "read write"},
		"read at a third API":             {"scope", "read", "resource", jwtAPI},
	} {
		t.Run("agreed to read at one API and to write at another one, a client is not given "+name, func(t *testing.T) {
			if a := alice.authorize(pairs...); a.StatusCode != 200 || a.location("code") != "" {
				t.Errorf("got %d with the code %q, want a page", a.StatusCode, a.location("code"))
			}
			sent(t, s, "without a page", alice.authorize(append(pairs, "prompt", "none")...), "consent_required")
		})
	}
	for name, pairs := range map[string][]string{
		"read at the first API":  {"scope", "read"},
		"write at the other API": {"scope", "write", "resource", otherAPI},
	} {
		t.Run("what was agreed to is remembered: "+name, func(t *testing.T) {
			if a := alice.authorize(append(pairs, "prompt", "none")...); a.location("code") == "" {
				t.Errorf("got %s, want a code", a.Header.Get("Location"))
			}
		})
	}
	t.Run("both APIs at once are what was not agreed to", func(t *testing.T) {
		page := alice.do("GET", at([]string{s.http.URL, otherAPI}, "scope", "read write"), "")
		if page.StatusCode != 200 {
			t.Fatalf("got %d, want a page", page.StatusCode)
		}
		for _, want := range []string{"At <b>" + s.http.URL + "</b> it will be able to:",
			"At <b>" + otherAPI + "</b> it will be able to:"} {
			if !strings.Contains(page.body, want) {
				t.Errorf("the page lacks %q: %s", want, page.body)
			}
		}
		first, second, _ := strings.Cut(page.body, "At <b>"+otherAPI)
		for where, list := range map[string]string{"read your reports": first, "write &lt;reports&gt;": second} {
			if strings.Count(list, "(allowed before)") != 1 ||
				!strings.Contains(list, where+" <small>(allowed before)") {
				t.Errorf("want %q alone as allowed before in %s", where, list)
			}
		}
		alice.allow(page)
		for _, resource := range []string{s.http.URL, otherAPI} {
			a := alice.authorize("scope", "read write", "resource", resource, "prompt", "none")
			if a.location("code") == "" {
				t.Errorf("got %s at %s, want a code", a.Header.Get("Location"), resource)
			}
		}
	})
}

func TestUnitPagesShowWhere(t *testing.T) {
	t.Run("the page of applications tells what a client can do where", func(t *testing.T) {
		s := newService(t, nil)
		s.tokens("alice", "scope", "openid read")
		s.tokens("alice", "scope", "write", "resource", otherAPI)
		body := s.as("alice").do("GET", "/o/authorized_tokens/", "").body
		whole := strings.Join(strings.Fields(body), " ")
		for _, want := range []string{"<p>It can:</p> <ul><li>know who you are</li></ul>",
			"<p>At <b>" + s.http.URL + "</b> it can:</p> <ul><li>read your reports</li></ul>",
			"<p>At <b>" + otherAPI + "</b> it can:</p> <ul><li>write &lt;reports&gt;</li></ul>"} {
			if !strings.Contains(whole, want) {
				t.Errorf("the page lacks %q: %s", want, whole)
			}
		}
	})
}

// knowing is a service with three APIs of different scopes: reading is for the first one, writing for the one with
// JWTs, and both are for the other one.
func knowing(t *testing.T) *service {
	return newService(t, func(c *server.Config) {
		c.Resources[0].Scopes = []string{"read"}
		c.Resources[1].Scopes = []string{"write"}
		c.Resources[2].Scopes = []string{"read", "write"}
	})
}

func TestUnitResourceScopes(t *testing.T) {
	s := knowing(t)
	alice := s.as("alice")
	for name, row := range map[string]struct {
		query  string
		reason string
	}{
		"a scope that the API does not know": {at(nil, "scope", "openid write"), "invalid_scope"},
		"a scope that one of two APIs knows, and none for the other one": {
			at([]string{s.http.URL, jwtAPI}, "scope", "read"), "invalid_scope"},
		"all scopes of the client, for an API that knows one": {at([]string{jwtAPI}, "scope", "-"), ""},
		"a login alone":                {at([]string{jwtAPI}, "scope", "openid"), ""},
		"a scope for each of two APIs": {at([]string{s.http.URL, jwtAPI}, "scope", "read write"), ""},
	} {
		t.Run("asking for "+name, func(t *testing.T) {
			a := alice.do("GET", row.query, "")
			if row.reason != "" {
				sent(t, s, name, a, row.reason)
			} else if a.StatusCode != 200 {
				t.Errorf("got %d %s, want a page", a.StatusCode, a.Header.Get("Location"))
			}
		})
	}
	t.Run("a machine is given what its API knows", func(t *testing.T) {
		for resource, want := range map[string]string{s.http.URL: "read", jwtAPI: "write", otherAPI: "read write"} {
			a := s.post("/o/token/", "job", "grant_type", "client_credentials", "resource", resource)
			if scope, audience := s.inspect(a.text("access_token")); scope != want || audience != resource {
				t.Errorf("got %q for %q, want %q for %q", scope, audience, want, resource)
			}
		}
		refused(t, "another scope", s.post("/o/token/", "job", "grant_type", "client_credentials", "scope", "write"),
			400, "invalid_scope")
		twice := url.Values{"grant_type": {"client_credentials"}, "resource": {s.http.URL, otherAPI}}
		refused(t, "two APIs with different scopes", s.stranger().do("POST", "/o/token/", twice.Encode(),
			"Authorization", basic("job", s.secrets["job"])), 400, "invalid_target")
	})
	for name, change := range map[string]func(*server.Config){
		`which is not among Config.Scopes`: func(c *server.Config) { c.Resources[0].Scopes = []string{"admin"} },
		`which is of OpenID Connect`: func(c *server.Config) {
			c.Resources[0].Scopes = []string{"read", "email"}
		},
		`twice`: func(c *server.Config) { c.Resources[0].Scopes = []string{"read", "read"} },
	} {
		t.Run("New refuses a scope of a resource "+name, func(t *testing.T) {
			config := newService(t, nil).config
			config.Resources = append([]server.Resource(nil), config.Resources...)
			change(&config)
			if _, err := server.New(config); err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("got %v, want an error that says %q", err, name)
			}
		})
	}
}

// refreshAt uses a refresh token of the client web for resources.
func (s *service) refreshAt(token, scope string, resources ...string) answer {
	s.Helper()
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}, "resource": resources}
	if scope != "" {
		form.Set("scope", scope)
	}
	return s.stranger().do("POST", "/o/token/", form.Encode(), "Authorization", basic("web", s.secrets["web"]))
}

// several is a knowing service where alice agreed to reading and writing at all three APIs.
type several struct {
	*service
	all []string
}

func newSeveral(t *testing.T) *several {
	s := &several{service: knowing(t)}
	s.all = []string{s.http.URL, jwtAPI, otherAPI}
	alice := s.as("alice")
	alice.allow(alice.do("GET", at(s.all, "scope", "openid read write"), ""))
	return s
}

// code returns a code for all three APIs.
func (s *several) code() string {
	return s.as("alice").do("GET", at(s.all, "scope", "openid read write"), "").location("code")
}

// check checks what a token is for.
func (s *several) check(t *testing.T, a answer, scope string, audience ...string) {
	t.Helper()
	if a.StatusCode != 200 || a.text("scope") != scope {
		t.Fatalf("got %d with the scope %q, want %q: %s", a.StatusCode, a.text("scope"), scope, a.body)
	}
	gotScope, gotAudience := s.inspect(a.text("access_token"))
	if gotScope != scope || gotAudience != strings.Join(audience, " ") {
		t.Errorf("got %q for %q, want %q for %q", gotScope, gotAudience, scope, audience)
	}
}

func TestUnitTokensOfOneResource(t *testing.T) {
	s := newSeveral(t)
	t.Run("a code gives the scopes of the resource that is named, or of the first one", func(t *testing.T) {
		s.check(t, s.redeem(s.code()), "openid read", s.http.URL)
		s.check(t, s.redeem(s.code(), "resource", jwtAPI), "openid write", jwtAPI)
		s.check(t, s.redeem(s.code(), "resource", otherAPI), "openid read write", otherAPI)
	})
	t.Run("several resources of different scopes are asked for one at a time", func(t *testing.T) {
		form := url.Values{"grant_type": {"authorization_code"}, "code": {s.code()}, "code_verifier": {verifier},
			"redirect_uri": {"https://web.example/callback?a=b"}, "resource": {s.http.URL, otherAPI}}
		send := func() answer {
			return s.stranger().do("POST", "/o/token/", form.Encode(), "Authorization", basic("web", s.secrets["web"]))
		}
		refused(t, "two", send(), 400, "invalid_target")
		form["resource"] = []string{otherAPI}
		s.check(t, send(), "openid read write", otherAPI) // nothing used the code up
	})
	t.Run("a resource server is told the scopes at its own API, and a JWT has them alone", func(t *testing.T) {
		tokens := s.redeem(s.code(), "resource", jwtAPI)
		told := s.post("/o/introspect/", "api", "token", tokens.text("access_token"))
		if told.text("scope") != "openid write" || told.text("aud") != jwtAPI {
			t.Errorf("got %s", told.body)
		}
		_, claims := parts(t, tokens.text("access_token"))
		if claims["scope"] != "openid write" || claims["aud"] != jwtAPI {
			t.Errorf("got the claims %v", claims)
		}
		whole := s.post("/o/introspect/", "web", "token", tokens.text("refresh_token"))
		if whole.text("scope") != "openid read write" {
			t.Errorf("got %s of the refresh token, want all that its grant has", whole.body)
		}
	})
	t.Run("resources with the same scopes are in one token", func(t *testing.T) {
		code := s.as("alice").do("GET", at([]string{s.http.URL, otherAPI}, "scope", "read"), "").location("code")
		s.check(t, s.redeem(code), "read", s.http.URL, otherAPI)
	})
	t.Run("a resource that has no scope left for the client gives no token", func(t *testing.T) {
		code := s.as("alice").do("GET", at([]string{s.http.URL, jwtAPI}, "scope", "read write"), "").location("code")
		token := s.redeem(code).text("refresh_token")
		s.change(func(r *server.Registration) { r.Scope = "openid write" })
		refused(t, "the one", s.refreshAt(token, "", s.http.URL), 400, "invalid_scope")
		// The client sends a token for which it named no resource where it always did.
		refused(t, "the first one, which is the default", s.refreshAt(token, ""), 400, "invalid_scope")
		s.check(t, s.refreshAt(token, "", jwtAPI), "write", jwtAPI)
	})
}

func TestUnitRefreshForOneResource(t *testing.T) {
	s := newSeveral(t)
	token := s.redeem(s.code()).text("refresh_token")
	two := []string{s.http.URL, otherAPI}
	for _, row := range []struct {
		scope     string
		resources []string
		want      string
		audience  []string
	}{
		{"", nil, "openid read", two[:1]},
		{"", []string{jwtAPI}, "openid write", []string{jwtAPI}},
		{"", []string{otherAPI}, "openid read write", []string{otherAPI}},
		{"read", nil, "read", two},
		{"read", []string{otherAPI, s.http.URL, otherAPI}, "read", two},
		{"write openid", nil, "openid write", []string{jwtAPI, otherAPI}},
		{"read write", nil, "read write", []string{otherAPI}},
		{"openid", nil, "openid", s.all},
		{"", nil, "openid read", two[:1]},
	} {
		t.Run("it narrows to "+row.want+", and the grant keeps all", func(t *testing.T) {
			a := s.refreshAt(token, row.scope, row.resources...)
			s.check(t, a, row.want, row.audience...)
			token = a.text("refresh_token")
		})
	}
	for name, row := range map[string]struct {
		scope, reason string
		resources     []string
	}{
		"a scope of another resource":                 {"write", "invalid_scope", two[:1]},
		"a scope that one of two resources has":       {"write", "invalid_scope", two},
		"two resources with different scopes":         {"", "invalid_target", []string{jwtAPI, otherAPI}},
		"a resource that was not granted":             {"", "invalid_target", []string{"https://evil.example/"}},
		"a scope that was not granted at any of them": {"profile", "invalid_scope", nil},
	} {
		t.Run("it is refused for "+name, func(t *testing.T) {
			refused(t, name, s.refreshAt(token, row.scope, row.resources...), 400, row.reason)
		})
	}
	t.Run("what is refused uses nothing up", func(t *testing.T) {
		s.check(t, s.refreshAt(token, "", jwtAPI), "openid write", jwtAPI)
	})
}

// pairsOf returns the pairs of a request: each scope at each API that knows it, and each API.
func (s *several) pairsOf(scopes, resources []string) map[[2]string]bool {
	knows := map[string]string{s.http.URL: "read", jwtAPI: "write", otherAPI: "read write"}
	pairs := map[[2]string]bool{}
	for _, scope := range scopes {
		for _, resource := range resources {
			if pairs[[2]string{resource}] = true; strings.Contains(knows[resource], scope) {
				pairs[[2]string{resource, scope}] = true
			}
		}
	}
	return pairs
}

// chance sends requests by chance.
type chance struct {
	*several
	random *rand.Rand
	tokens int // how many it got
}

// some returns some of a list, and at least one.
func (c *chance) some(all []string) []string {
	some := slices.DeleteFunc(slices.Clone(all), func(string) bool { return c.random.IntN(2) == 0 })
	if len(some) == 0 {
		return all[:1]
	}
	return some
}

// spend gets tokens by a code, and wants each of them within what was asked for.
func (c *chance) spend(t *testing.T, code string, asked map[[2]string]bool) {
	t.Helper()
	form := url.Values{"grant_type": {"authorization_code"}, "code": {code}, "code_verifier": {verifier},
		"redirect_uri": {"https://web.example/callback?a=b"}}
	for range 4 {
		a := c.stranger().do("POST", "/o/token/", form.Encode(), "Authorization", basic("web", c.secrets["web"]))
		if a.StatusCode == 200 {
			c.tokens++
			found, err := c.server.Inspect(t.Context(), a.text("access_token"))
			c.must(err)
			for _, resource := range found.Audience {
				for _, scope := range found.Scope {
					if !asked[[2]string{resource, scope}] {
						t.Errorf("got %q at %q, granted %v", scope, resource, asked)
					}
				}
			}
			form = url.Values{"grant_type": {"refresh_token"}, "refresh_token": {a.text("refresh_token")}}
		}
		form.Del("resource")
		form.Del("scope")
		if c.random.IntN(2) == 0 {
			form["resource"] = c.some(c.all)
		}
		if form.Has("refresh_token") && c.random.IntN(2) == 0 {
			form.Set("scope", strings.Join(c.some([]string{"read", "write"}), " "))
		}
	}
}

// TestUnitNoTokenHasAPairThatWasNotAgreedTo keeps account of the pages that were allowed.
func TestUnitNoTokenHasAPairThatWasNotAgreedTo(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	s := knowing(t)
	c := &chance{several: &several{s, []string{s.http.URL, jwtAPI, otherAPI}}, random: rand.New(rand.NewPCG(seed, 0))}
	alice, recalled, agreed := s.as("alice"), 0, map[[2]string]bool{}
	for range 250 {
		if c.random.IntN(12) == 0 {
			_, err := s.server.Withdraw(t.Context(), "alice", "web")
			s.must(err)
			clear(agreed)
		}
		scopes, resources := c.some([]string{"read", "write"}), c.some(c.all)
		asked := c.pairsOf(scopes, resources)
		sum := maps.Clone(agreed)
		maps.Copy(sum, asked)
		within := len(sum) == len(agreed)
		a := alice.do("GET", at(resources, "scope", strings.Join(scopes, " ")), "")
		switch {
		case a.StatusCode == 200:
			if within {
				t.Errorf("got a page for %v, want what was agreed to remembered: %v", asked, agreed)
			}
			agreed = sum
			a = alice.allow(a)
		case a.location("code") == "":
			continue // an API that knows none of the scopes
		default:
			if recalled++; !within {
				t.Fatalf("got a code without a page for %v, agreed to %v", asked, agreed)
			}
		}
		c.spend(t, a.location("code"), asked)
	}
	if recalled == 0 || c.tokens < 150 {
		t.Errorf("got %d requests without a page and %d tokens, so that little was tried", recalled, c.tokens)
	}
}
