package server_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/oauth2/server"
)

// told is a Config.Tokens.Claims that remembers what it was asked, and returns claims.
type told struct {
	asked  []server.ClaimsRequest
	claims map[string]any
	err    error
}

func (t *told) of(_ context.Context, r server.ClaimsRequest) (map[string]any, error) {
	t.asked = append(t.asked, r)
	return t.claims, t.err
}

// take returns what was asked since it was called last.
func (t *told) take() []server.ClaimsRequest {
	asked := t.asked
	t.asked = nil
	return asked
}

func TestUnitClaimsOfTheApplication(t *testing.T) {
	newTold := func(t *testing.T) (*service, *told) {
		hook := &told{claims: map[string]any{"name": "Alice", "sub": "mallory"}}
		s := newService(t, func(c *server.Config) {
			c.Tokens.Claims, c.OpenID.AllowAnyAudienceAtUserInfo = hook.of, true
		})
		client, err := s.server.Client(t.Context(), "web")
		s.must(err)
		r := client.Registration()
		r.ClaimsInIDToken = true
		_, err = s.server.ChangeClient(t.Context(), client, r)
		s.must(err)
		return s, hook
	}
	t.Run("the function knows target, user, client, scopes and resources", func(t *testing.T) {
		s, hook := newTold(t)
		a := s.tokens("alice", "resource", "https://jwt.example/api", "scope", "openid read")
		s.post("/o/introspect/", "api", "token", a.text("access_token"))
		s.stranger().do("GET", "/o/userinfo/", "", "Authorization", "Bearer "+a.text("access_token"))
		var targets []server.ClaimsTarget
		for _, r := range hook.take() {
			targets = append(targets, r.Target)
			if r.User.UserID() != "alice" || r.Client.ID != "web" ||
				!slices.Equal(r.Scopes, []string{"openid", "read"}) {
				t.Errorf("%s: %v %v %v", r.Target, r.User, r.Client, r.Scopes)
			}
			if r.Target != server.ClaimsIDToken && !slices.Equal(r.Resources, []string{"https://jwt.example/api"}) {
				t.Errorf("%s: resources %v", r.Target, r.Resources)
			}
		}
		want := []server.ClaimsTarget{server.ClaimsAccessToken, server.ClaimsIDToken, server.ClaimsIntrospection,
			server.ClaimsUserInfo}
		if !slices.Equal(targets, want) {
			t.Errorf("want %v, got %v", want, targets)
		}
	})
	t.Run("the claims are in all four, and sub stays the user", func(t *testing.T) {
		s, _ := newTold(t)
		a := s.tokens("alice", "resource", "https://jwt.example/api", "scope", "openid read")
		_, access := parts(t, a.text("access_token"))
		introspected := s.post("/o/introspect/", "api", "token", a.text("access_token"))
		info := s.stranger().do("GET", "/o/userinfo/", "", "Authorization", "Bearer "+a.text("access_token"))
		for name, claims := range map[string]map[string]any{"access token": access, "ID token": idToken(t, a),
			"introspection": {"name": introspected.json("name"), "sub": introspected.json("sub")},
			"userinfo":      {"name": info.json("name"), "sub": info.json("sub")}} {
			if claims["name"] != "Alice" || claims["sub"] != "alice" {
				t.Errorf("%s: %v", name, claims)
			}
		}
	})
	t.Run("a client without the setting has none in its ID tokens, and the function is not asked", func(t *testing.T) {
		hook := &told{claims: map[string]any{"name": "Alice"}}
		s := newService(t, func(c *server.Config) { c.Tokens.Claims = hook.of })
		a := s.tokens("alice")
		if asked := hook.take(); idToken(t, a)["name"] != nil || len(asked) != 0 {
			t.Errorf("%v, asked %v", idToken(t, a), asked)
		}
	})
	t.Run("a token of a client's own is asked for with a machine", func(t *testing.T) {
		s, hook := newTold(t)
		a := s.post("/o/token/", "job", "grant_type", "client_credentials", "resource", "https://jwt.example/api")
		asked := hook.take()
		if a.StatusCode != 200 || len(asked) != 1 || asked[0].User != auth.User(auth.Machine{ID: "job"}) {
			t.Errorf("%d %+v", a.StatusCode, asked)
		}
	})
	t.Run("a refreshed ID token has what the function says by then", func(t *testing.T) {
		s, hook := newTold(t)
		a := s.tokens("alice")
		hook.claims = map[string]any{"name": "Alice Smith"}
		if got := idToken(t, s.refresh(a.text("refresh_token")))["name"]; got != "Alice Smith" {
			t.Error(got)
		}
	})
	for sentence, row := range map[string]struct {
		claims map[string]any
		err    error
		says   string
	}{
		"a claim of the protocol is an outage":   {map[string]any{"exp": 1}, nil, "exp"},
		"a key of a proof is an outage":          {map[string]any{"cnf": map[string]string{}}, nil, "cnf"},
		"too many claims are an outage":          {map[string]any{"x": strings.Repeat("x", 5000)}, nil, "at most 4096"},
		"claims that are not JSON are an outage": {map[string]any{"x": func() {}}, nil, "unsupported type"},
		"an error is an outage":                  {nil, errors.New("the directory is down"), "the directory is down"},
	} {
		t.Run(sentence, func(t *testing.T) {
			var log strings.Builder
			hook := &told{}
			s := newService(t, func(c *server.Config) {
				c.Tokens.Claims, c.Logger = hook.of, slog.New(slog.NewTextHandler(&log, nil))
			})
			code := s.as("alice").code("resource", "https://jwt.example/api")
			hook.claims, hook.err = row.claims, row.err
			if a := s.redeem(code); a.StatusCode != 503 || !strings.Contains(log.String(), row.says) {
				t.Errorf("%d %s\n%s", a.StatusCode, a.body, log.String())
			}
			hook.claims, hook.err = nil, nil
			if a := s.redeem(code); a.StatusCode != 200 {
				t.Errorf("the code was used up: %d %s", a.StatusCode, a.body)
			}
		})
	}
}

func TestUnitIDTokenIdentifier(t *testing.T) {
	s := newService(t, nil)
	a := s.tokens("alice")
	first, second := idToken(t, a)["jti"], idToken(t, s.refresh(a.text("refresh_token")))["jti"]
	if first == nil || first == "" || first == second {
		t.Errorf("want two identifiers, got %v and %v", first, second)
	}
}
