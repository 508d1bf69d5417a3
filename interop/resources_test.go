package interop

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// resource is an API that checks JWT access tokens of the demo with a library, as a row of docs/oauth2.md, "Resource
// servers and what they need".
type resource struct {
	name   string
	script string
	theirs []string // settings of the library
}

var resources = []resource{
	{"Authlib as it comes", "python/resource_authlib.py", nil},
	{"PyJWT as it comes", "python/resource_pyjwt.py", nil},
	{"PyJWT with the algorithm", "python/resource_pyjwt.py", []string{"ES256"}},
	{"jose as it comes", "js/resource-jose.mjs", nil},
	{"oauth4webapi as it comes", "js/resource-oauth4webapi.mjs", nil},
	{"express-oauth2-jwt-bearer as it comes", "js/resource-express.mjs", nil},
	{"express-oauth2-jwt-bearer with its strict profile", "js/resource-express.mjs", []string{`{"strict":true}`}},
}

// jwtResource is the API for which the demo's access tokens are JWTs.
const jwtResource = "http://127.0.0.1:8001/"

func TestResourceServers(t *testing.T) {
	demo := newSecureDemo(t)
	tokens := issueTokens(t, demo)
	for _, row := range resources {
		t.Run(row.name, func(t *testing.T) {
			api := demo.serve(t, programOf(t, row.script), row.script, append([]string{jwtResource}, row.theirs...)...)
			tokens.test(t, api)
		})
	}
	t.Run("go-oidc as it comes", func(t *testing.T) { tokens.test(t, goResource(t, demo)) })
}

// goResource is such an API with coreos/go-oidc. Its verifier is for ID tokens but checks all that an API needs.
func goResource(t *testing.T, demo *secureDemo) string {
	t.Helper()
	provider, err := oidc.NewProvider(oidc.ClientContext(t.Context(), newVisitor(t, demo.authority).client), demo.url)
	if err != nil {
		t.Fatal(err)
	}
	verifier := provider.Verifier(&oidc.Config{ClientID: jwtResource})
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, err := verifier.Verify(r.Context(), strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
		var claims struct{ Scope string }
		switch {
		case err != nil || token.Claims(&claims) != nil:
			w.WriteHeader(http.StatusUnauthorized)
		case !slices.Contains(strings.Fields(claims.Scope), "reports:read"):
			w.WriteHeader(http.StatusForbidden)
		default:
			_ = json.NewEncoder(w).Encode(map[string]string{"subject": token.Subject})
		}
	}))
	t.Cleanup(api.Close)
	return api.URL
}

// presented are the tokens that a resource server gets to see.
type presented struct {
	user, machine, writing, opaque, id, pair string
}

// issueTokens gets them from the demo.
func issueTokens(t *testing.T, demo *secureDemo) presented {
	t.Helper()
	alice := newVisitor(t, demo.authority)
	c := oauth2.Config{
		ClientID: "demo-web", ClientSecret: "demo-web-secret", RedirectURL: "http://127.0.0.1:51004/callback",
		Scopes:   []string{"openid", "reports:read"},
		Endpoint: oauth2.Endpoint{AuthURL: demo.url + "/o/authorize/", TokenURL: demo.url + "/o/token/"},
	}
	verifier := oauth2.GenerateVerifier()
	alice.client.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		if r.URL.Port() == "51004" {
			return http.ErrUseLastResponse
		}
		return nil
	}
	back := alice.open(c.AuthCodeURL("state",
		oauth2.S256ChallengeOption(verifier), oauth2.SetAuthURLParam("resource", jwtResource)))
	code, err := url.Parse(back.location)
	if err != nil {
		t.Fatal(err)
	}
	answer := alice.do(http.MethodPost, c.Endpoint.TokenURL, url.Values{
		"grant_type": {"authorization_code"}, "code": {code.Query().Get("code")}, "code_verifier": {verifier},
		"redirect_uri": {c.RedirectURL}, "client_id": {c.ClientID}, "client_secret": {c.ClientSecret},
	})
	var p presented
	p.user, _ = answer.body["access_token"].(string)
	p.id, _ = answer.body["id_token"].(string)
	machine := func(scope, resource string) string {
		answer := alice.do(http.MethodPost, c.Endpoint.TokenURL, url.Values{
			"grant_type": {"client_credentials"}, "scope": {scope}, "resource": {resource},
			"client_id": {"demo-job"}, "client_secret": {"demo-job-secret"},
		})
		token, _ := answer.body["access_token"].(string)
		return token
	}
	p.machine, p.writing = machine("reports:read", jwtResource), machine("reports:write", jwtResource)
	p.opaque = machine("reports:read", "http://127.0.0.1:8002/")
	login := alice.do(http.MethodPost, demo.url+"/api/token/",
		url.Values{"username": {"alice"}, "password": {"correct-horse-battery"}})
	p.pair, _ = login.body["access"].(string)
	jwts := map[string]string{"user": p.user, "machine": p.machine, "writing": p.writing, "id": p.id, "pair": p.pair}
	for name, token := range jwts {
		if strings.Count(token, ".") != 2 {
			t.Fatalf("the token %s is no JWT, after %d %s, %d %s",
				name, answer.status, answer.text, login.status, login.text)
		}
	}
	return p
}

func (p presented) test(t *testing.T, api string) {
	for _, row := range []struct {
		name, token string
		status      int
		subject     any
	}{
		{"a user's token", p.user, http.StatusOK, "alice"},
		{"a machine's token", p.machine, http.StatusOK, "demo-job"},
		{"a token without the scope", p.writing, http.StatusForbidden, nil},
		{"a token with another subject", tampered(p.user), http.StatusUnauthorized, nil},
		{"an opaque token", p.opaque, http.StatusUnauthorized, nil},
		{"an ID token", p.id, http.StatusUnauthorized, nil},
		{"a token of another issuer of the same keys", p.pair, http.StatusUnauthorized, nil},
		{"nothing", "", http.StatusUnauthorized, nil},
	} {
		var header []string
		if row.token != "" {
			header = []string{"Authorization", "Bearer " + row.token}
		}
		got := send(t, http.MethodGet, api+"/reports", "", header...)
		if got.status != row.status || row.subject != nil && got.body["subject"] != row.subject {
			t.Errorf("%s: %d %s, want %d", row.name, got.status, got.text, row.status)
		}
	}
}

// tampered returns a token with another subject.
func tampered(token string) string {
	parts := strings.Split(token, ".")
	claims, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		panic(err)
	}
	changed := strings.Replace(string(claims), `"sub":"alice"`, `"sub":"admin"`, 1)
	return parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(changed)) + "." + parts[2]
}
