package server

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"testing"

	"net/http/httptest"
	"strings"

	"github.com/gatewarden/auth"
)

// stamped is a client authentication that names the client itself, as the "sub" of an assertion does
// (RFC 7523 §3), or as a certificate does (RFC 8705).
type stamped struct{}

func (stamped) register(r *registry) {
	r.addClientAuthentication(clientAuthentication{method: "stamped", assertion: true,
		read: func(_ *http.Request, form Form) (*clientCredentials, error) {
			text := form.Get("client_assertion")
			if text == "" {
				return nil, nil
			}
			return &clientCredentials{clientID: text, secret: text}, nil
		},
		check: func(_ context.Context, client *Client, c *clientCredentials) (cause, err error) {
			if c.secret != client.ID {
				return errors.New("another client"), nil
			}
			return nil, nil
		}})
}

func TestUnitAMethodThatNamesTheClient(t *testing.T) {
	config := Config{Issuer: "https://login.example", Store: NewMemoryStore(),
		Tokens:   TokenConfig{Grants: []GrantType{ClientCredentials{}}},
		LoadUser: func(context.Context, string) (auth.User, error) { return nil, auth.ErrInvalid }}
	s, err := newServer(config, append(config.features(), stamped{}))
	if err != nil {
		t.Fatal(err)
	}
	secrets := map[string]string{}
	for id, method := range map[string]string{"a": "stamped", "b": "stamped", "secret": "", "public": AuthNone} {
		r := Registration{ClientID: id, GrantTypes: []string{GrantClientCredentials}, TokenEndpointAuthMethod: method}
		if method == AuthNone {
			continue
		}
		_, secret, err := s.AddClient(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		secrets[id] = secret.Reveal()
	}
	handlers, err := s.Handlers(nil)
	if err != nil {
		t.Fatal(err)
	}
	for sentence, row := range map[string]struct {
		form      url.Values
		basic     string
		password  string
		want      int
		forClient string
	}{
		"good":                          {url.Values{"client_assertion": {"a"}}, "", "", 200, "a"},
		"good with its client_id":       {url.Values{"client_assertion": {"a"}, "client_id": {"a"}}, "", "", 200, "a"},
		"with the client_id of another": {url.Values{"client_assertion": {"a"}, "client_id": {"b"}}, "", "", 400, ""},
		"beside a secret": {url.Values{"client_assertion": {"secret"}}, "secret",
			secrets["secret"], 400, ""},
		"beside an empty secret":         {url.Values{"client_assertion": {"a"}}, "a", "", 400, ""},
		"for a client with a secret":     {url.Values{"client_assertion": {"secret"}}, "", "", 401, ""},
		"its secret, which it never had": {url.Values{}, "a", secrets["a"], 401, ""},
		"a type alone": {url.Values{"client_assertion_type": {"a"}, "client_id": {"a"}}, "",
			"", 401, ""},
	} {
		t.Run(sentence, func(t *testing.T) {
			row.form.Set("grant_type", "client_credentials")
			r := httptest.NewRequest("POST", "/o/token/", strings.NewReader(row.form.Encode()))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			if row.basic != "" {
				r.SetBasicAuth(row.basic, row.password)
			}
			w := httptest.NewRecorder()
			handlers.ServeHTTP(w, r)
			if w.Code != row.want {
				t.Errorf("got %d %s, want %d", w.Code, w.Body, row.want)
			}
		})
	}
}
