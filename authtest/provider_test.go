package authtest_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/gatewarden/auth/authtest"
)

const verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"

// authorize asks for a code; pairs replace parameters.
func authorize(t *testing.T, p *authtest.Provider, pairs ...string) (status int, back url.Values) {
	t.Helper()
	sum := sha256.Sum256([]byte(verifier))
	query := url.Values{"client_id": {p.ClientID}, "redirect_uri": {"https://app.example/cb"},
		"response_type": {"code"}, "state": {"s"}, "nonce": {"n"},
		"scope": {"openid email"}, "code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])},
		"code_challenge_method": {"S256"}}
	for i := 0; i+1 < len(pairs); i += 2 {
		query.Set(pairs[i], pairs[i+1])
	}
	r, err := http.NewRequestWithContext(t.Context(), "GET", p.URL()+"/authorize?"+query.Encode(), nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	u, err := url.Parse(resp.Header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, u.Query()
}

// redeem asks for tokens; pairs replace parameters.
func redeem(t *testing.T, p *authtest.Provider, code string, pairs ...string) (int, map[string]any) {
	t.Helper()
	form := url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {"https://app.example/cb"},
		"code_verifier": {verifier},
		"client_id":     {p.ClientID}, "client_secret": {p.ClientSecret.Reveal()}}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	resp, err := http.Post(p.URL()+"/token", "application/x-www-form-urlencoded", strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var body map[string]any
	if err := json.Unmarshal(text, &body); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return resp.StatusCode, body
}

func TestAProviderIsStrictWhereOneShouldBe(t *testing.T) {
	p := authtest.NewProvider(t)
	for sentence, pairs := range map[string][]string{
		"another client":    {"client_id", "x"},
		"no redirect URI":   {"redirect_uri", ""},
		"another answer":    {"response_type", "token"},
		"no PKCE":           {"code_challenge", ""},
		"PKCE by plaintext": {"code_challenge_method", "plain"},
	} {
		if status, _ := authorize(t, p, pairs...); status != 400 {
			t.Errorf("%s: %d", sentence, status)
		}
	}
	for sentence, row := range map[string]struct {
		pairs  []string
		status int
		code   string
	}{
		"another verifier":     {[]string{"code_verifier", verifier + "x"}, 400, "invalid_grant"},
		"another redirect URI": {[]string{"redirect_uri", "https://app.example/"}, 400, "invalid_grant"},
		"another secret":       {[]string{"client_secret", "x"}, 401, "invalid_client"},
		"another client":       {[]string{"client_id", "x"}, 401, "invalid_client"},
		"an unknown code":      {[]string{"code", "x"}, 400, "invalid_grant"},
	} {
		_, back := authorize(t, p)
		if back.Get("state") != "s" || back.Get("iss") != p.URL() {
			t.Fatal(back)
		}
		if status, body := redeem(t, p, back.Get("code"), row.pairs...); status != row.status ||
			body["error"] != row.code {
			t.Errorf("%s: %d %v", sentence, status, body)
		}
	}
	p.SignIn(authtest.Person{Subject: "7", Email: "a@b.example", EmailVerified: "true"})
	_, back := authorize(t, p)
	status, body := redeem(t, p, back.Get("code"))
	idToken, _ := body["id_token"].(string)
	if status != 200 || strings.Count(idToken, ".") != 2 {
		t.Fatalf("%d %v", status, body)
	}
	payload, _ := base64.RawURLEncoding.DecodeString(strings.Split(idToken, ".")[1])
	var claims map[string]any
	if err := json.Unmarshal(payload, &claims); err != nil || claims["sub"] != "7" || claims["nonce"] != "n" ||
		claims["aud"] != p.ClientID || claims["iss"] != p.URL() || claims["email_verified"] != "true" {
		t.Errorf("%v %v", claims, err)
	}
	if status, body := redeem(t, p, back.Get("code")); status != 400 || body["error"] != "invalid_grant" {
		t.Errorf("twice: %d %v", status, body)
	}
	if n := len(p.TokenRequests()); n != 7 {
		t.Errorf("%d requests are noted", n)
	}
}
