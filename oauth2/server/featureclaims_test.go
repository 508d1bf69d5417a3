package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/jwt"
)

// person is a user.
type person string

func (p person) UserID() string { return string(p) }

// adding is a feature that adds claims.
type adding struct {
	claims map[string]any
	err    error
}

func (a *adding) register(r *registry) {
	r.addClaims(func(context.Context, *claimsRequest) (map[string]any, error) { return a.claims, a.err })
}

// issue is a grant that issues for alice.
type issue struct{ scopes []string }

func (issue) Name() string { return "urn:example:issue" }
func (i issue) Exchange(ctx context.Context, s *Server, r *TokenRequest) (*TokenResponse, error) {
	return s.Issue(ctx, Issuance{Client: r.Client, Type: i.Name(), UserID: r.Form.Get("user"), Scopes: i.scopes,
		Refresh: true})
}

// claimed returns a server with a feature that adds claims, and a way to post as the client "web".
func claimed(t *testing.T, a *adding, scopes ...string) (*Server, func(path string, pairs ...string) (int, string)) {
	t.Helper()
	key, err := jwt.GenerateKey(jwt.ES256)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := jwt.NewKeySet(key)
	if err != nil {
		t.Fatal(err)
	}
	config := Config{Issuer: "https://login.example", Store: NewMemoryStore(), Keys: keys,
		OpenID:    OpenIDConfig{IDTokenAlgorithm: jwt.ES256},
		Tokens:    TokenConfig{Grants: []GrantType{AuthorizationCode{}, RefreshToken{}, issue{scopes}}},
		Resources: []Resource{{ID: "https://jwt.example/", JWT: true}},
		SignIn:    func(http.ResponseWriter, *http.Request, SignInRequest) {},
		LoadUser:  func(_ context.Context, id string) (auth.User, error) { return person(id), nil }}
	s, err := newServer(config, append(config.features(), a))
	if err != nil {
		t.Fatal(err)
	}
	_, secret, err := s.AddClient(t.Context(),
		Registration{ClientID: "web", GrantTypes: []string{"urn:example:issue", "refresh_token"},
			ResourceServer: []string{"https://jwt.example/"}})
	if err != nil {
		t.Fatal(err)
	}
	guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{signedOut{}},
		Challenges: []auth.Challenge{{Scheme: "Bearer"}}})
	if err != nil {
		t.Fatal(err)
	}
	handlers, err := s.Handlers(guard)
	if err != nil {
		t.Fatal(err)
	}
	return s, func(path string, pairs ...string) (int, string) {
		form := url.Values{}
		for i := 0; i+1 < len(pairs); i += 2 {
			form.Set(pairs[i], pairs[i+1])
		}
		r := httptest.NewRequest("POST", path, strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if path != "/o/userinfo/" {
			r.SetBasicAuth("web", secret.Reveal())
		}
		w := httptest.NewRecorder()
		handlers.ServeHTTP(w, r)
		return w.Code, w.Body.String()
	}
}

// ours are the claims that the server makes, with other values.
func ours() map[string]any {
	all := map[string]any{"active": false}
	for _, name := range []string{"iss", "sub", "aud", "exp", "iat", "jti", "client_id", "scope", "auth_time", "nonce",
		"acr", "amr",
		"at_hash", "sid", "grant_id", "username", "token_type", "azp"} {
		all[name] = "evil"
	}
	return all
}

func TestUnitClaimsOfTheServerStay(t *testing.T) {
	get := func(body, name string) string {
		_, rest, _ := strings.Cut(body, `"`+name+`":"`)
		value, _, _ := strings.Cut(rest, `"`)
		return value
	}
	for _, scopes := range [][]string{{"openid"}, nil} {
		t.Run(fmt.Sprint("scopes ", scopes), func(t *testing.T) {
			more := new(adding)
			_, do := claimed(t, more, scopes...)
			_, plain := do("/o/token/", "grant_type", "urn:example:issue", "user", "alice")
			more.claims = ours()
			status, body := do("/o/token/", "grant_type", "urn:example:issue", "user", "alice")
			if status != 200 {
				t.Fatalf("got %d %s", status, body)
			}
			report := func(where string, claims map[string]any, names ...string) {
				for _, name := range names {
					if claims[name] == "evil" {
						t.Errorf("%s has %s: %v", where, name, claims[name])
					}
				}
			}
			report("the access token", claimsOf(t, get(body, "access_token")), "iss", "sub", "aud", "exp", "iat", "jti",
				"client_id",
				"grant_id", "scope", "auth_time", "acr", "amr")
			if id := get(body, "id_token"); id != "" {
				report("the ID token", claimsOf(t, id), "iss", "sub", "aud", "exp", "iat", "at_hash", "auth_time",
					"nonce", "acr",
					"amr", "sid")
			}
			_, text := do("/o/introspect/", "token", get(plain, "access_token"))
			var told map[string]any
			if err := json.Unmarshal([]byte(text), &told); err != nil || told["active"] != true {
				t.Fatalf("introspection: %s", text)
			}
			report("introspection", told, "iss", "sub", "aud", "exp", "iat", "jti", "client_id", "scope",
				"token_type", "username",
				"auth_time", "acr", "amr")
			if len(scopes) > 0 {
				if _, info := do("/o/userinfo/", "access_token", get(plain, "access_token")); get(
					info, "sub") != "alice" {
					t.Errorf("userinfo: %s", info)
				}
			}
		})
	}
}

// A name that differs from one of the server in its case is the same to many readers, as to encoding/json.
func TestUnitClaimsOfOtherCase(t *testing.T) {
	s, do := claimed(t, &adding{claims: map[string]any{"\u017fub": "mallory", "i\u017f\u017f": "https://evil.example"}},
		"openid")
	status, body := do("/o/token/", "grant_type", "urn:example:issue", "user", "alice")
	if status != 200 {
		t.Fatalf("got %d %s", status, body)
	}
	_, rest, _ := strings.Cut(body, `"id_token":"`)
	token, _, _ := strings.Cut(rest, `"`)
	h, err := s.openIDToken(t.Context(), token)
	if err != nil || h.Subject != "alice" {
		t.Errorf("the hint: got %+v, %v, want alice", h, err)
	}
	_, rest, _ = strings.Cut(body, `"access_token":"`)
	token, _, _ = strings.Cut(rest, `"`)
	if found, err := s.Inspect(t.Context(), token); err != nil || found.Subject != "alice" {
		t.Errorf("the access token: got %+v, %v, want alice", found, err)
	}
}

// Claims that fail are an outage, and use up nothing.
func TestUnitClaimsThatFail(t *testing.T) {
	for sentence, a := range map[string]*adding{
		"an error":                {err: errors.New("the claims are down")},
		"a refusal":               {err: auth.ErrInvalid},
		"an *auth.Error":          {err: &auth.Error{Kind: auth.ErrInvalid, Cause: errors.New("x")}},
		"unrecognized":            {err: auth.ErrUnrecognized},
		"no credentials":          {err: auth.ErrNoCredentials},
		"insufficient":            {err: &auth.Error{Kind: auth.ErrInsufficient}},
		"an *Error of the server": {err: &Error{Code: CodeInvalidGrant, Description: "x"}},
		"what is no JSON":         {claims: map[string]any{"x": make(chan int)}},
	} {
		t.Run(sentence, func(t *testing.T) {
			bad := *a
			a.err, a.claims = nil, nil
			_, do := claimed(t, a, "openid")
			_, body := do("/o/token/", "grant_type", "urn:example:issue", "user", "alice")
			_, rest, _ := strings.Cut(body, `"access_token":"`)
			access, _, _ := strings.Cut(rest, `"`)
			_, rest, _ = strings.Cut(body, `"refresh_token":"`)
			refresh, _, _ := strings.Cut(rest, `"`)
			*a = bad
			for path, pairs := range map[string][]string{"/o/introspect/": {"token", access},
				"/o/userinfo/": {"access_token", access},
				"/o/token/":    {"grant_type", "refresh_token", "refresh_token", refresh}} {
				if status, body := do(path, pairs...); status != 503 {
					t.Errorf("%s: got %d %s, want 503", path, status, body)
				}
			}
			a.err, a.claims = nil, nil
			if status, body := do("/o/token/", "grant_type", "refresh_token", "refresh_token", refresh); status != 200 {
				t.Errorf("afterwards: got %d %s", status, body)
			}
		})
	}
}

// counted is a grant around one that is built in.
type counted struct {
	RefreshToken
	calls *int
}

func (c counted) Exchange(ctx context.Context, s *Server, r *TokenRequest) (*TokenResponse, error) {
	*c.calls++
	if r.Form.Get("stop") != "" {
		return nil, refuse(CodeInvalidGrant, "Stopped.", failedCheck("stopped"))
	}
	return c.RefreshToken.Exchange(ctx, s, r)
}

// code embeds the code grant without a change.
type code struct{ *AuthorizationCode }

func TestUnitAGrantAroundAnother(t *testing.T) {
	calls := 0
	config := Config{Issuer: "https://login.example", Store: NewMemoryStore(),
		Tokens:   TokenConfig{Grants: []GrantType{code{&AuthorizationCode{}}, counted{calls: &calls}}},
		SignIn:   func(http.ResponseWriter, *http.Request, SignInRequest) {},
		LoadUser: func(_ context.Context, id string) (auth.User, error) { return person(id), nil }}
	s, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	if !s.features.pagesForPeople || !s.refreshes(&Client{GrantTypes: []string{GrantRefreshToken}}) {
		t.Error("the grants are not taken for those that they embed")
	}
	_, err = s.grant(t.Context(), &Client{ID: "web", GrantTypes: []string{GrantRefreshToken}},
		NewForm(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"x"}, "stop": {"1"}}))
	if e := (*Error)(nil); !errors.As(err, &e) || e.Description != "Stopped." || calls != 1 {
		t.Errorf("got %v after %d calls", err, calls)
	}
	config.Tokens.Grants = append(config.Tokens.Grants, RefreshToken{})
	if _, err := New(config); err == nil {
		t.Error("two grants of one name are taken")
	}
}

// What was refused on registration before is refused still, whatever grants there are.
func TestUnitARegistrationWithoutTheCodeGrant(t *testing.T) {
	s, err := New(Config{Issuer: "https://login.example", Store: NewMemoryStore(),
		Tokens:   TokenConfig{Grants: []GrantType{ClientCredentials{}, issue{}}},
		LoadUser: func(_ context.Context, id string) (auth.User, error) { return person(id), nil }})
	if err != nil {
		t.Fatal(err)
	}
	for sentence, r := range map[string]Registration{
		"implicit": {GrantTypes: []string{"client_credentials"}, ResponseTypes: []string{"token"}},
		"a public one without PKCE": {GrantTypes: []string{"urn:example:issue"}, TokenEndpointAuthMethod: AuthNone,
			AllowWithoutPKCE: true},
		"a grace that is out of range": {GrantTypes: []string{"client_credentials"}, RefreshGrace: 3600},
	} {
		if c, _, err := s.NewClient(r); err == nil {
			t.Errorf("%s: got %+v, want invalid_client_metadata", sentence, c)
		}
	}
}
