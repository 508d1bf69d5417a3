package server_test

import (
	"context"
	"html/template"
	"net/url"
	"strings"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/internal/leaktest"
	"github.com/gatewarden/auth/oauth2/server"
)

// partner is a grant of the application that holds a secret, and keeps what it is
// given.
type partner struct {
	secret string
	seen   func(*server.TokenRequest, *server.TokenResponse)
}

func (partner) Name() string { return "urn:example:partner" }

func (p partner) Exchange(ctx context.Context, s *server.Server, r *server.TokenRequest) (
	*server.TokenResponse, error) {
	issued, err := s.Issue(ctx, server.Issuance{Client: r.Client, Type: p.Name(), UserID: "alice",
		Scopes: []string{"openid"}, Refresh: true})
	p.seen(r, issued)
	return issued, err
}

func TestUnitNothingPrintsASecret(t *testing.T) {
	const own, clientSecret, assertion = "secret-of-the-grant-Zq7", "secret-of-the-client-Xk3",
		"assertion-of-the-user-Wd9"
	var request *server.TokenRequest
	var response *server.TokenResponse
	var application server.ApplicationPage
	var post server.FormPostPage
	capture := func(keep func(any)) *template.Template {
		return template.Must(template.New("page").Funcs(template.FuncMap{"keep": func(page any) string {
			keep(page)
			return ""
		}}).
			Parse(`{{keep .}}`))
	}
	s := newService(t, func(c *server.Config) {
		c.Tokens.Grants = []server.GrantType{server.AuthorizationCode{}, server.RefreshToken{},
			server.ClientCredentials{}, partner{own, func(r *server.TokenRequest, issued *server.TokenResponse) {
				request, response = r, issued
			}}}
		c.Pages.Application = capture(func(page any) { application, _ = page.(server.ApplicationPage) })
		c.Pages.FormPost = capture(func(page any) { post, _ = page.(server.FormPostPage) })
	})
	registration := server.Registration{ClientID: "partner", ClientSecret: clientSecret,
		GrantTypes: []string{"urn:example:partner", "refresh_token"}}
	client := s.add(registration)
	sent := s.post("/o/token/", "partner", "grant_type", "urn:example:partner", "assertion", assertion)
	if sent.StatusCode != 200 || request.Form.Get("assertion") != assertion ||
		sent.text("access_token") != response.AccessToken().Reveal() ||
		sent.text("refresh_token") != response.RefreshToken().Reveal() ||
		sent.text("id_token") != response.IDToken().Reveal() || sent.text("id_token") == "" {
		t.Fatalf("want the tokens of the grant, got %d %s", sent.StatusCode, sent.body)
	}
	s.as("alice").do("POST", "/o/applications/register/", url.Values{"name": {"x"}, "client_type": {"confidential"},
		"authorization_grant_type": {"authorization-code"}, "redirect_uris": {"https://a.example/"}}.Encode())
	if application.Shown() == "" {
		t.Fatal("want a page with the secret of a new application")
	}
	s.as("alice").authorize("client_id", "first", "redirect_uri", "https://first.example/cb", "response_mode",
		"form_post")
	if len(post.Params()) == 0 || post.Params()[0][0] != "code" {
		t.Fatalf("want a form with a code, got %v", post.Params())
	}
	tokens := []string{sent.text("access_token"), sent.text("refresh_token"), sent.text("id_token")}
	secrets := append([]string{own, clientSecret, assertion, application.Shown(), post.Params()[0][1]}, tokens...)

	for sentence, check := range map[string]func(*testing.T){
		"a Server":        func(t *testing.T) { leaktest.CheckAllFields(t, secrets, *s.server) },
		"a Config":        func(t *testing.T) { leaktest.CheckExported(t, secrets, s.config) },
		"its TokenConfig": func(t *testing.T) { leaktest.CheckExported(t, secrets, s.config.Tokens) },
		"an EndpointConfig": func(t *testing.T) {
			key := "key-of-32-bytes-that-seals-Rq8-5"
			leaktest.CheckExported(t, []string{key},
				server.EndpointConfig{RequestKeys: []auth.Secret{auth.Secret(key)}})
		},
		"its Handlers":             func(t *testing.T) { leaktest.CheckAllFields(t, secrets, *s.handlers()) },
		"a Client":                 func(t *testing.T) { leaktest.CheckAllFields(t, secrets, *client) },
		"a TokenRequest":           func(t *testing.T) { leaktest.CheckAllFields(t, secrets, *request) },
		"a Form":                   func(t *testing.T) { leaktest.CheckAllFields(t, secrets, request.Form) },
		"a TokenResponse":          func(t *testing.T) { leaktest.CheckAllFields(t, secrets, *response) },
		"a page of an application": func(t *testing.T) { leaktest.CheckAllFields(t, secrets, application) },
		"a page with a code":       func(t *testing.T) { leaktest.CheckAllFields(t, secrets, post) },
		"a Registration":           func(t *testing.T) { leaktest.CheckExported(t, secrets, registration) },
		"an Error": func(t *testing.T) {
			_, err := s.server.EnsureClient(t.Context(), server.Registration{ClientID: "x", ClientSecret: clientSecret,
				TokenEndpointAuthMethod: "none"})
			if err == nil {
				t.Fatal("want a refusal")
			}
			leaktest.CheckAllFields(t, secrets, err)
		},
	} {
		t.Run(sentence, check)
	}
}

func TestUnitAFormOfATest(t *testing.T) {
	form := server.NewForm(url.Values{"a": {"b", "c"}})
	if got := form.Get("a") + strings.Join(form.All("a"), ""); got != "bbc" {
		t.Errorf("want b and all, got %q", got)
	}
	if got := (server.Form{}).Get("a"); got != "" {
		t.Errorf("of the zero value: want nothing, got %q", got)
	}
	if got := (&server.TokenResponse{}).IDToken(); got != "" {
		t.Errorf("of a response without: want nothing, got %q", got.Reveal())
	}
}
