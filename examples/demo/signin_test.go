package main

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"
	"testing"
)

// jwtPart decodes the header (0) or the claims (1) of a JWT.
func jwtPart(t *testing.T, token string, part int) (members map[string]any) {
	t.Helper()
	text, err := base64.RawURLEncoding.DecodeString(strings.Split(token+"..", ".")[part])
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &members); err != nil {
		t.Fatalf("part %d of JWT %q: got error %v, want JSON", part, token, err)
	}
	return members
}

func TestUnitWhatAnApplicationWishesReachesTheLogin(t *testing.T) {
	p := launch(t, "-db", "memory:")
	web := newApplication("demo-web", "demo-web-secret")
	v := p.visit()
	away := v.get(web.at("openid", "login_hint", "alice", "acr_values", "2 1"))
	login := v.get(away.header.Get("Location"))
	t.Run("the form has the name that the application expects", func(t *testing.T) {
		if login.status != 200 || !strings.Contains(login.body, `name="username" value="alice"`) {
			t.Errorf("get: got %d, %s, want status 200 and %q in it", login.status, login.body,
				`name="username" value="alice"`)
		}
	})
	u, err := url.Parse(away.header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	if got := v.post("/session/login", url.Values{"username": {"alice"}, "password": {"correct-horse-battery"},
		"next": {u.Query().Get("next")}}); got.status != 303 {
		t.Fatalf("post: got %d, %s, want status 303", got.status, got.body)
	}
	got := p.redeem(200, web, v.authorize(web, "openid"))
	t.Run("the ID token is RS256 and has the acr that the login reached, and a jti", func(t *testing.T) {
		header, claims := jwtPart(t, got.ID, 0), jwtPart(t, got.ID, 1)
		if header["alg"] != "RS256" || claims["acr"] != "1" || claims["jti"] == nil {
			t.Errorf("ID token: got header %v, claims %v, want alg RS256, acr 1 and a jti", header, claims)
		}
	})
	t.Run("the metadata says which acr there are, and that ID tokens are RS256", func(t *testing.T) {
		var metadata struct {
			ACR        []string `json:"acr_values_supported"`
			Algorithms []string `json:"id_token_signing_alg_values_supported"`
			Claims     []string `json:"claims_supported"`
		}
		_, text := p.do("GET", "/.well-known/openid-configuration", "", "")
		if err := json.Unmarshal([]byte(text), &metadata); err != nil {
			t.Fatal(err)
		}
		if strings.Join(metadata.ACR, " ") != "1" || strings.Join(metadata.Algorithms, " ") != "RS256 ES256" ||
			!strings.Contains(strings.Join(metadata.Claims, " "), "email") {
			t.Errorf("metadata: got %+v, want acr 1, algorithms RS256 ES256 and the claim email", metadata)
		}
	})
	t.Run("a hint that is not a name is escaped", func(t *testing.T) {
		away := p.visit().get(web.at("openid", "login_hint", `"><script>alert(1)</script>`))
		if page := p.visit().get(away.header.Get("Location")); page.status != 200 ||
			strings.Contains(page.body, "<script>alert") {
			t.Errorf("get: got %d, %s, want status 200 and no %q", page.status, page.body, "<script>alert")
		}
	})
	t.Run("the page opens as before where no application asks", func(t *testing.T) {
		if page := p.visit().get("/session/login?next=/devices"); page.status != 200 ||
			!strings.Contains(page.body, `name="username" value=""`) {
			t.Errorf("get: got %d, %s, want status 200 and %q in it", page.status, page.body,
				`name="username" value=""`)
		}
	})
}
