package oauth2_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/authtest"
	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/oauth2"
)

// audienceOf is the audience of a token of a provider: the client where there is no "aud", and of ID tokens.
func audienceOf(token authtest.ForeignToken) string {
	if client, ok := token.Claims["client_id"].(string); ok && token.Profile.AudienceClaim != "" {
		return client
	}
	if client, ok := token.Claims["aud"].(string); ok {
		return client
	}
	return "test"
}

func TestUnitATokenOfAProviderWorksWithOneLine(t *testing.T) {
	issuer := authtest.NewIssuer(t)
	issuer.SetKeyIssuer(issuer.URL()) // as Entra
	for _, token := range authtest.ForeignTokens() {
		t.Run(token.Provider+", "+token.Name, func(t *testing.T) {
			audience := []string{audienceOf(token)}
			source, err := oauth2.NewJWT(oauth2.JWTConfig{Issuer: issuer.URL(), Audience: audience,
				Profile: token.Profile,
				Shared:  jwt.SharedIssuer{AllowAnyCaller: true}})
			if err != nil {
				t.Fatal(err)
			}
			a, err := oauth2.New(oauth2.Config{Resource: resource, Audience: audience, LoadUser: load,
				Sources: []oauth2.Source{source}})
			if err != nil {
				t.Fatal(err)
			}
			want := token.User
			if token.Machine != "" {
				want = "client:" + token.Machine
			}
			_, ends := token.Claims["exp"]
			if ends || token.Provider == "Gatewarden" && token.Claims["client_id"] == nil {
				want = "" // RFC 9068 §2.2 asks for exp and client_id
			}
			for range 2 { // the second time it is remembered
				user, credential, err := a.VerifyToken(t.Context(), token.Mint(issuer, nil))
				switch {
				case want == "" && auth.KindOf(err) == auth.ErrInvalid:
				case want == "" || err != nil:
					t.Errorf("want %q, got %v and %v", want, user, err)
				default:
					got := credential.(*oauth2.Token)
					if user.UserID() != want || got.Machine() != (token.Machine != "") ||
						!slices.Equal(got.Scope, token.Scopes) {
						t.Errorf("want %s with %q, got %s and %+v", want, token.Scopes, user.UserID(), got)
					}
				}
			}
		})
	}
}

func TestUnitWithoutAProfileTheseTokensAreRefusedAndTheCauseNamesIt(t *testing.T) {
	issuer := authtest.NewIssuer(t)
	for _, token := range authtest.ForeignTokens() {
		if token.Provider == "Gatewarden" || token.Type == "at+jwt" {
			continue
		}
		t.Run(token.Provider+", "+token.Name, func(t *testing.T) {
			source, err := oauth2.NewJWT(oauth2.JWTConfig{Issuer: issuer.URL(), Audience: []string{"test"}})
			if err != nil {
				t.Fatal(err)
			}
			more := map[string]any{"aud": "test", "exp": time.Now().Unix() + 60}
			_, err = source.Inspect(t.Context(), token.Mint(issuer, more))
			if auth.KindOf(err) != auth.ErrInvalid || !strings.Contains(err.Error(), "JWTConfig.Profile") {
				t.Errorf("want a refusal that names the setting, got %v", err)
			}
		})
	}
}

func TestUnitAnIssuerThatManyShareIsBound(t *testing.T) {
	issuer := authtest.NewIssuer(t)
	mint := func(claims map[string]any) string {
		return issuer.MintWith(map[string]any{"typ": "JWT"}, claims)
	}
	t.Run("GitHub Actions need RequireValues", func(t *testing.T) {
		c := oauth2.JWTConfig{Issuer: issuer.URL(), Audience: []string{resource}, Profile: jwt.GitHubActions(),
			MachinePrefix: "github/"}
		if _, err := oauth2.NewJWT(c); err == nil || !strings.Contains(err.Error(), "RequireValues must have one of") {
			t.Errorf("got %v", err)
		}
		c.Shared.RequireValues = map[string][]string{"repository_id": {"74"}}
		source, err := oauth2.NewJWT(c)
		if err != nil {
			t.Fatal(err)
		}
		a := newResource(t, source)
		for repository, want := range map[string]string{
			"74": "client:github/74", "75": "see JWTConfig.Shared.RequireValues"} {
			user, _, err := a.VerifyToken(t.Context(), mint(map[string]any{"aud": resource, "sub": "repo:acme/shop",
				"repository_id": repository}))
			if err != nil && !strings.Contains(err.Error(), want) || err == nil && user.UserID() != want {
				t.Errorf("%s: want %s, got %v and %v", repository, want, user, err)
			}
		}
	})
	t.Run("a template needs keys and tenants, and names users with their tenant", func(t *testing.T) {
		template := issuer.URL() + "/{tenantid}/v2.0"
		c := oauth2.JWTConfig{Issuer: template, Audience: []string{resource}, Profile: jwt.Entra(),
			Shared: jwt.SharedIssuer{Tenants: []string{"acme"}}}
		if _, err := oauth2.NewJWT(c); err == nil || !strings.Contains(err.Error(), "JWTConfig.Keys is missing") {
			t.Errorf("got %v", err)
		}
		keys, err := jwt.NewRemoteKeys(jwt.RemoteKeysConfig{URL: issuer.JWKSURL()})
		if err != nil {
			t.Fatal(err)
		}
		issuer.SetKeyIssuer(template)
		c.Keys = keys
		source, err := oauth2.NewJWT(c)
		if err != nil {
			t.Fatal(err)
		}
		a := newResource(t, source)
		for tenant, want := range map[string]string{"acme": "acme/alice", "evil": "see JWTConfig.Shared.Tenants"} {
			user, _, err := a.VerifyToken(t.Context(), mint(map[string]any{"aud": resource, "tid": tenant, "azp": "web",
				"iss": issuer.URL() + "/" + tenant + "/v2.0", "scp": "read"}))
			if err != nil && !strings.Contains(err.Error(), want) || err == nil && user.UserID() != want {
				t.Errorf("%s: want %s, got %v and %v", tenant, want, user, err)
			}
		}
	})
}

func TestUnitMachinesAndUsersOfAProfile(t *testing.T) {
	issuer := authtest.NewIssuer(t)
	for _, row := range []struct {
		sentence string
		change   func(*oauth2.JWTConfig)
		header   map[string]any
		claims   map[string]any
		want     string
	}{
		{"a prefix of machines", func(c *oauth2.JWTConfig) { c.MachinePrefix = "shop/" }, nil,
			map[string]any{"sub": "web"}, "client:shop/web"},
		{"a prefix of machines is not one of users", func(c *oauth2.JWTConfig) { c.MachinePrefix = "shop/" }, nil,
			nil, "alice"},
		{"another claim names the user", func(c *oauth2.JWTConfig) { c.UserClaim = "uid" }, nil,
			map[string]any{"uid": "00u1"}, "00u1"},
		{"a user claim that is the client's identifier is a user's",
			func(c *oauth2.JWTConfig) { c.UserClaim = "uid" }, nil, map[string]any{"uid": "web"}, "web"},
		{"an address that is not verified", func(c *oauth2.JWTConfig) { c.UserClaim = "email" }, nil,
			map[string]any{"email": "a@b.example", "email_verified": false}, "see JWTConfig.AllowUnverifiedEmail"},
		{"an address that is verified", func(c *oauth2.JWTConfig) { c.UserClaim = "email" }, nil,
			map[string]any{"email": "a@b.example", "email_verified": true}, "a@b.example"},
		{"an address that is taken as it is",
			func(c *oauth2.JWTConfig) { c.UserClaim, c.AllowUnverifiedEmail = "email", true }, nil,
			map[string]any{"email": "a@b.example"}, "a@b.example"},
		{"no user claim", func(c *oauth2.JWTConfig) { c.UserClaim = "uid" }, nil, nil,
			"uid is missing or not an identifier; see JWTConfig.UserClaim"},
		{"Gatewarden is RFC 9068", func(c *oauth2.JWTConfig) { c.Profile = jwt.Gatewarden() }, nil,
			map[string]any{"jti": nil}, "jti is missing; see JWTConfig.Checks.AllowMissing and JWTConfig.Profile"},
		{"Keycloak: the kind says that it is bound, and cnf is missing",
			func(c *oauth2.JWTConfig) { c.Profile = jwt.Keycloak() }, map[string]any{"typ": "JWT"},
			map[string]any{"typ": "DPoP", "azp": "web", "sid": "x", "preferred_username": "alice"},
			`typ is "DPoP", so the token is bound to a key`},
		{"Keycloak: the same in a list",
			func(c *oauth2.JWTConfig) { c.Profile = jwt.Keycloak() }, map[string]any{"typ": "JWT"},
			map[string]any{"typ": []string{"DPoP"}, "azp": "web", "sid": "x", "preferred_username": "alice"},
			`typ is "DPoP", so the token is bound to a key`},
		{"Keycloak: a user who chose the name of a service account",
			func(c *oauth2.JWTConfig) { c.Profile = jwt.Keycloak() }, map[string]any{"typ": "JWT"},
			map[string]any{"typ": "Bearer", "azp": "web", "sid": "x", "preferred_username": "service-account-web"},
			"see JWTConfig.Profile"},
	} {
		t.Run(row.sentence, func(t *testing.T) {
			c := oauth2.JWTConfig{Issuer: issuer.URL(), Audience: []string{resource}}
			row.change(&c)
			source, err := oauth2.NewJWT(c)
			if err != nil {
				t.Fatal(err)
			}
			claims := map[string]any{"aud": resource, "client_id": "web", "scope": "read"}
			maps.Copy(claims, row.claims)
			user, _, err := newResource(t, source).VerifyToken(t.Context(), issuer.MintWith(row.header, claims))
			if err != nil && !strings.Contains(err.Error(), row.want) || err == nil && user.UserID() != row.want {
				t.Errorf("want %s, got %v and %v", row.want, user, err)
			}
		})
	}
	t.Run("AllowMissing beside a Profile is an error", func(t *testing.T) {
		_, err := oauth2.NewJWT(oauth2.JWTConfig{Issuer: "https://login.example", Audience: []string{resource},
			Profile: jwt.Okta(), Checks: oauth2.JWTChecks{AllowMissing: []string{"jti"}}})
		if err == nil || !strings.Contains(err.Error(),
			"JWTConfig.Checks.AllowMissing is for issuers without a Profile") {
			t.Errorf("got %v", err)
		}
	})
}

func TestUnitRequireBearerTokenOfAProvider(t *testing.T) {
	issuer := authtest.NewIssuer(t)
	for _, token := range authtest.ForeignTokens() {
		if token.Provider != "Keycloak" && token.Provider != "Auth0" && token.Provider != "Okta" {
			continue
		}
		t.Run(token.Provider+", "+token.Name, func(t *testing.T) {
			protect, err := oauth2.RequireBearerTokenOf(token.Profile, issuer.URL(), resource)
			if err != nil {
				t.Fatal(err)
			}
			w := httptest.NewRecorder()
			r := httptest.NewRequest("GET", "/", nil)
			r.Header.Set("Authorization", "Bearer "+token.Mint(issuer, map[string]any{"aud": resource}))
			protect(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				user, _ := auth.UserFrom[auth.User](r.Context())
				fmt.Fprint(w, user.UserID())
			})).ServeHTTP(w, r)
			want := token.User
			if token.Machine != "" {
				want = "client:" + token.Machine
			}
			if want == "" && w.Code != 401 || want != "" && (w.Code != 200 || w.Body.String() != want) {
				t.Errorf("want %q, got %d %s", want, w.Code, w.Body)
			}
		})
	}
}
