package server_test

import (
	"context"
	"slices"
	"testing"

	"github.com/gatewarden/auth/oauth2/server"
)

// telling returns a Config.Tokens.Claims that tells one target these claims.
func telling(target server.ClaimsTarget, claims map[string]any) func(context.Context, server.ClaimsRequest) (
	map[string]any, error) {
	return func(_ context.Context, r server.ClaimsRequest) (map[string]any, error) {
		if r.Target != target {
			return nil, nil
		}
		return claims, nil
	}
}

func TestUnitLimitsOfClaimsByTarget(t *testing.T) {
	ask := func(t *testing.T, target server.ClaimsTarget, claims map[string]any) answer {
		s := newService(t, func(c *server.Config) {
			c.Tokens.Claims, c.OpenID.AllowAnyAudienceAtUserInfo = telling(target, claims), true
		})
		a := s.redeem(s.as("alice").code("resource", "https://jwt.example/api", "scope", "openid read"))
		switch {
		case a.StatusCode == 200 && target == server.ClaimsUserInfo:
			return s.stranger().do("GET", "/o/userinfo/", "", "Authorization", "Bearer "+a.text("access_token"))
		case a.StatusCode == 200 && target == server.ClaimsIntrospection:
			return s.post("/o/introspect/", "api", "token", a.text("access_token"))
		}
		return a
	}
	var groups []string
	for range 300 {
		groups = append(groups, "cn=readers,ou=groups")
	}
	for target, status := range map[server.ClaimsTarget]int{server.ClaimsUserInfo: 200, server.ClaimsIntrospection: 200,
		server.ClaimsAccessToken: 503} {
		t.Run("hundreds of groups at "+string(target), func(t *testing.T) {
			if a := ask(t, target, map[string]any{"groups": groups}); a.StatusCode != status {
				t.Errorf("want %d, got %d %s", status, a.StatusCode, a.body)
			}
		})
	}
	for _, name := range []string{"username", "active", "amr", "scope", "exp"} {
		t.Run("userinfo may tell "+name+", which only other answers have", func(t *testing.T) {
			if a := ask(t, server.ClaimsUserInfo, map[string]any{name: "x"}); a.StatusCode != 200 ||
				a.json(name) != "x" {
				t.Errorf("%d %s", a.StatusCode, a.body)
			}
		})
	}
	for _, name := range []string{"CNF", "Act", "NBF", "eXp", "ſcope"} {
		t.Run("an access token cannot have "+name+", which some readers take for the claim of the protocol",
			func(t *testing.T) {
				if a := ask(t, server.ClaimsAccessToken, map[string]any{name: "x"}); a.StatusCode != 503 {
					t.Errorf("%d %s", a.StatusCode, a.body)
				}
			})
	}
	for _, name := range []string{"active", "Username", "cnf"} {
		t.Run("introspection cannot have "+name, func(t *testing.T) {
			if a := ask(t, server.ClaimsIntrospection, map[string]any{name: "x"}); a.StatusCode != 503 {
				t.Errorf("%d %s", a.StatusCode, a.body)
			}
		})
	}
}

func TestUnitClaimsRequestIsACopy(t *testing.T) {
	s := newService(t, func(c *server.Config) {
		c.Tokens.Claims = func(_ context.Context, r server.ClaimsRequest) (map[string]any, error) {
			_ = slices.DeleteFunc(r.Scopes, func(scope string) bool { return scope == "openid" }) // only the API's
			clear(r.Resources)
			return nil, nil
		}
	})
	a := s.tokens("alice")
	for i := range 2 {
		if a := s.stranger().do("GET", "/o/userinfo/", "", "Authorization",
			"Bearer "+a.text("access_token")); a.StatusCode != 200 {
			t.Errorf("call %d: the stored token has other scopes: %d %s", i+1, a.StatusCode, a.body)
		}
	}
	if a := s.post("/o/introspect/", "api", "token", a.text("access_token")); a.json("aud") != s.http.URL {
		t.Errorf("the stored token has another audience: %s", a.body)
	}
}

func TestUnitClaimsKnowWhoIntrospects(t *testing.T) {
	hook := &told{}
	s := newService(t, func(c *server.Config) { c.Tokens.Claims = hook.of })
	v := query("scope", "read", "resource", s.http.URL)
	v.Add("resource", "https://other.example/")
	b := s.as("alice")
	token := s.redeem(b.allow(b.do("GET", "/o/authorize/?"+v.Encode(), "")).location("code")).text("access_token")
	hook.take()
	for caller, want := range map[string][]string{"api": {s.http.URL}, "web": nil} {
		t.Run(caller+" is the caller, and reads for its own resources", func(t *testing.T) {
			if a := s.post("/o/introspect/", caller, "token", token); a.json("active") != true {
				t.Fatal(a.body)
			}
			asked := hook.take()
			if len(asked) != 1 || asked[0].Caller == nil || asked[0].Caller.ID != caller ||
				asked[0].Client.ID != "web" ||
				!slices.Equal(asked[0].Resources, want) || !slices.Equal(asked[0].Scopes, []string{"read"}) {
				t.Errorf("want %v, got %+v", want, asked)
			}
		})
	}
	t.Run("other targets have no caller", func(t *testing.T) {
		a := s.tokens("alice")
		s.stranger().do("GET", "/o/userinfo/", "", "Authorization", "Bearer "+a.text("access_token"))
		for _, r := range hook.take() {
			if r.Caller != nil {
				t.Errorf("%s: %s", r.Target, r.Caller.ID)
			}
		}
	})
}
