package server

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/jwt"
)

const (
	exchangeGrant   = "urn:ietf:params:oauth:grant-type:token-exchange"
	accessTokenType = "urn:ietf:params:oauth:token-type:access_token"
)

// tokenExchange is a feature of a test: an API trades the token of a user for one at the next API (RFC 8693).
type tokenExchange struct{}

func (tokenExchange) register(r *registry) {
	r.addGrant(exchangeGrant, func(ctx context.Context, s *Server, t *TokenRequest) (*TokenResponse, error) {
		if t.Form.Get("subject_token_type") != accessTokenType {
			return nil, refuse(CodeInvalidRequest, "The subject_token_type is not supported.",
				failedCheck("the subject_token_type"))
		}
		subject, err := s.Inspect(ctx, t.Form.Get("subject_token"))
		if auth.KindOf(err) == auth.ErrInvalid {
			return nil, errGrant(err)
		}
		if err != nil {
			return nil, err
		}
		answer, err := s.Issue(ctx, Issuance{Client: t.Client, Type: exchangeGrant, UserID: subject.Subject,
			Scopes: subject.Scope, Resources: append(t.Form.All("resource"), t.Form.All("audience")...),
			AuthInfo: subject.Auth})
		if err != nil {
			return nil, err
		}
		answer.Extra = map[string]any{"issued_token_type": accessTokenType, "access_token": "evil"}
		return answer, nil
	})
	r.mayRepeat("audience")
	r.addClaims(func(_ context.Context, c *claimsRequest) (map[string]any, error) {
		if c.grant.Type != exchangeGrant {
			return nil, nil
		}
		return map[string]any{"act": map[string]string{"sub": c.grant.ClientID}}, nil
	})
}

// exchanging returns a server with the feature, a token of alice for the first API, and a way to exchange it.
func exchanging(t *testing.T) (*Server, *TokenResponse, func(more url.Values) (int, map[string]any)) {
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
		OpenID: OpenIDConfig{IDTokenAlgorithm: jwt.ES256},
		Tokens: TokenConfig{Grants: []GrantType{ClientCredentials{}}}, Scopes: []Scope{{Name: "read", Text: "read"}},
		Resources: []Resource{{ID: "https://a.example/"}, {ID: "https://b.example/"}, {ID: "https://c.example/"}},
		LoadUser:  func(_ context.Context, id string) (auth.User, error) { return person(id), nil }}
	s, err := newServer(config, append(config.features(), tokenExchange{}))
	if err != nil {
		t.Fatal(err)
	}
	web, _, err := s.AddClient(t.Context(), Registration{ClientID: "web", GrantTypes: []string{GrantClientCredentials}})
	if err != nil {
		t.Fatal(err)
	}
	_, secret, err := s.AddClient(t.Context(), Registration{ClientID: "a", GrantTypes: []string{exchangeGrant}})
	if err != nil {
		t.Fatal(err)
	}
	subject, err := s.Issue(t.Context(), Issuance{Client: web, Type: "login", UserID: "alice",
		Scopes: []string{"read"}})
	if err != nil {
		t.Fatal(err)
	}
	handlers, err := s.Handlers(nil)
	if err != nil {
		t.Fatal(err)
	}
	return s, subject, func(more url.Values) (int, map[string]any) {
		form := url.Values{"grant_type": {exchangeGrant}, "subject_token": {subject.AccessToken().Reveal()},
			"subject_token_type": {accessTokenType}}
		for name, values := range more {
			form[name] = values
		}
		r := httptest.NewRequest("POST", "/o/token/", strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.SetBasicAuth("a", secret.Reveal())
		w := httptest.NewRecorder()
		handlers.ServeHTTP(w, r)
		var answer map[string]any
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
			t.Fatal(err, w.Body)
		}
		return w.Code, answer
	}
}

func TestUnitFeatureTokenExchange(t *testing.T) {
	t.Run("a token of one API is exchanged for one of the next", func(t *testing.T) {
		s, _, exchange := exchanging(t)
		status, answer := exchange(url.Values{"resource": {"https://b.example/"}})
		if status != http.StatusOK {
			t.Fatal(status, answer)
		}
		token, err := s.Inspect(t.Context(), answer["access_token"].(string))
		if err != nil || token.Subject != "alice" || token.Audience[0] != "https://b.example/" {
			t.Errorf("got %+v, %v, want a token of alice for b", token, err)
		}
	})
	t.Run("the answer has the issued_token_type that RFC 8693 §2.2.1 requires", func(t *testing.T) {
		_, _, exchange := exchanging(t)
		if _, answer := exchange(
			url.Values{"resource": {"https://b.example/"}}); answer["issued_token_type"] != accessTokenType {
			t.Errorf("got %v, want issued_token_type", answer)
		}
	})
	t.Run("audience may come twice (RFC 8693 §2.1)", func(t *testing.T) {
		_, _, exchange := exchanging(t)
		if status, answer := exchange(
			url.Values{"audience": {"https://b.example/", "https://c.example/"}}); status != http.StatusOK {
			t.Errorf("got %d %v, want a token", status, answer)
		}
	})
}
