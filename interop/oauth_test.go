package interop

import (
	"context"
	"errors"
	"html"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// browser is a person that is signed in at the demo. Cookies are kept by hand: Go's
// jar does not send Secure ones to http, as browsers do to their own machine.
type browser struct {
	*testing.T
	url     string
	cookies map[string]string
}

func signIn(t *testing.T, demo, username, password string) *browser {
	t.Helper()
	b := &browser{t, demo, map[string]string{}}
	if status, where, text := b.do("POST", demo+"/session/login",
		url.Values{"username": {username}, "password": {password}}); status != http.StatusSeeOther {
		t.Fatalf("%d %s %s", status, where, text)
	}
	return b
}

func (b *browser) do(method, to string, form url.Values) (status int, location, text string) {
	b.Helper()
	r, err := http.NewRequestWithContext(b.Context(), method, to, strings.NewReader(form.Encode()))
	if err != nil {
		b.Fatal(err)
	}
	r.Header.Set("Accept", "text/html")
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		b.Fatal(err)
	}
	defer answer.Body.Close()
	for _, cookie := range answer.Cookies() {
		b.cookies[cookie.Name] = cookie.Value
	}
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		b.Fatal(err)
	}
	return answer.StatusCode, answer.Header.Get("Location"), string(body)
}

var hidden = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)

// allow opens an address of the authorization endpoint, agrees, and returns where
// that leads.
func (b *browser) allow(at string) *url.URL {
	b.Helper()
	status, where, text := b.do("GET", at, nil)
	if status == http.StatusOK {
		form := url.Values{"allow": {"Allow"}}
		for _, m := range hidden.FindAllStringSubmatch(text, -1) {
			form.Set(html.UnescapeString(m[1]), html.UnescapeString(m[2]))
		}
		status, where, text = b.do("POST", b.url+"/o/authorize/", form)
	}
	to, err := url.Parse(where)
	if err != nil || status != http.StatusSeeOther {
		b.Fatalf("%d %s %s", status, where, text)
	}
	return to
}

func TestXOAuth2AndGoOIDC(t *testing.T) {
	demo := demo(t)
	ctx := oidc.InsecureIssuerURLContext(t.Context(), demo) // http
	provider, err := oidc.NewProvider(ctx, demo)
	if err != nil {
		t.Fatal(err)
	}
	alice := signIn(t, demo, "alice", "correct-horse-battery")
	for name, style := range map[string]oauth2.AuthStyle{"detect": oauth2.AuthStyleAutoDetect,
		"header": oauth2.AuthStyleInHeader, "params": oauth2.AuthStyleInParams, "public": oauth2.AuthStyleInParams} {
		t.Run(name, func(t *testing.T) {
			endpoint := provider.Endpoint()
			endpoint.AuthStyle = style
			c := oauth2.Config{ClientID: "demo-web", ClientSecret: "demo-web-secret", Endpoint: endpoint,
				RedirectURL: "http://127.0.0.1:51004/callback",
				Scopes:      []string{oidc.ScopeOpenID, "email", "reports:read"}}
			if name == "public" {
				c.ClientID, c.ClientSecret = "demo-cli", ""
			}
			verifier := oauth2.GenerateVerifier()
			back := alice.allow(c.AuthCodeURL("state", oauth2.S256ChallengeOption(verifier), oidc.Nonce("nonce")))
			if back.Query().Get("state") != "state" || back.Query().Get("iss") != demo ||
				back.Host != "127.0.0.1:51004" {
				t.Fatal(back)
			}
			token, err := c.Exchange(t.Context(), back.Query().Get("code"), oauth2.VerifierOption(verifier))
			if err != nil {
				t.Fatal(err)
			}
			text, _ := token.Extra("id_token").(string)
			id, err := provider.Verifier(&oidc.Config{ClientID: c.ClientID}).Verify(ctx, text)
			if err != nil || id.Nonce != "nonce" || id.Subject != "alice" ||
				id.VerifyAccessToken(token.AccessToken) != nil {
				t.Fatalf("%+v, %v", id, err)
			}
			info, err := provider.UserInfo(ctx, oauth2.StaticTokenSource(token))
			if err != nil || info.Subject != "alice" || info.Email != "alice@example.com" || !info.EmailVerified {
				t.Errorf("%+v, %v", info, err)
			}
			me := send(t, "GET", demo+"/api/me", "", "Authorization", token.Type()+" "+token.AccessToken)
			if me.status != http.StatusOK || me.body["user"] != "alice" || me.body["backend"] != "oauth2" {
				t.Errorf("%d %s", me.status, me.text)
			}
			refresh := func(old string) (*oauth2.Token, error) {
				return c.TokenSource(t.Context(), &oauth2.Token{RefreshToken: old}).Token()
			}
			next, err := refresh(token.RefreshToken)
			if err != nil || next.RefreshToken == token.RefreshToken || next.AccessToken == token.AccessToken {
				t.Fatalf("%+v, %v", next, err)
			}
			_, err = refresh(token.RefreshToken) // the demo has no grace
			if refused := (*oauth2.RetrieveError)(nil); !errors.As(err, &refused) ||
				refused.ErrorCode != "invalid_grant" {
				t.Errorf("a used one: %v", err)
			}
			if _, err := refresh(next.RefreshToken); err == nil {
				t.Error("the grant lives after a replay")
			}
			second := alice.allow(c.AuthCodeURL("state", oauth2.S256ChallengeOption(verifier)))
			_, err = c.Exchange(t.Context(), second.Query().Get("code"))
			if refused := (*oauth2.RetrieveError)(nil); !errors.As(err, &refused) ||
				refused.ErrorCode != "invalid_grant" {
				t.Errorf("without a verifier: %v", err)
			}
		})
	}
}

func TestXOAuth2ClientCredentials(t *testing.T) {
	demo := demo(t)
	for name, style := range map[string]oauth2.AuthStyle{"detect": oauth2.AuthStyleAutoDetect,
		"header": oauth2.AuthStyleInHeader, "params": oauth2.AuthStyleInParams} {
		c := clientcredentials.Config{ClientID: "demo-job", ClientSecret: "demo-job-secret",
			TokenURL: demo + "/o/token/", Scopes: []string{"reports:write"}, AuthStyle: style}
		answer, err := c.Client(t.Context()).Post(demo+"/api/reports", "", nil)
		if err != nil || answer.StatusCode != http.StatusOK {
			t.Fatalf("%s: %v, %v", name, answer, err)
		}
		answer.Body.Close()
		c.ClientSecret = "wrong"
		_, err = c.Token(context.Background())
		if refused := (*oauth2.RetrieveError)(nil); !errors.As(err, &refused) || refused.ErrorCode != "invalid_client" {
			t.Errorf("%s, a wrong secret: %v", name, err)
		}
	}
}

// TestNodeClients lets openid-client and oauth4webapi do what an application does;
// the scripts say what became of each step.
func TestNodeClients(t *testing.T) {
	program := node(t)
	for _, script := range []string{"openid-client", "oauth4webapi"} {
		for _, client := range []string{"demo-web", "demo-cli"} {
			t.Run(script+" as "+client, func(t *testing.T) {
				var did map[string]any
				outcome(t, &did, program, "js/"+script+".mjs", demo(t), client)
				want := map[string]any{
					"subject": "alice", "nonce": "checked", "email": "alice@example.com",
					"scope": "openid email reports:read", "refreshed": true, "none": "login_required",
					"denied": "access_denied", "wrongState": true, "wrongIssuer": true, "revoked": true,
					"endSession": true,
				}
				maps.Copy(want, map[string]any{"replayed": "invalid_grant", "family": "invalid_grant"})
				if client == "demo-web" {
					maps.Copy(want, map[string]any{"active": true, "inactive": false, "formPost": "alice"})
				}
				if !maps.Equal(did, want) {
					t.Errorf("did %v, want %v", did, want)
				}
			})
		}
	}
	var job map[string]any
	outcome(t, &job, program, "js/openid-client.mjs", demo(t), "demo-job")
	if job["type"] != "bearer" || job["refresh"] != false || job["me"] != "demo-job" {
		t.Errorf("%v", job)
	}
}
