package server_test

import (
	"net/url"
	"testing"

	"github.com/gatewarden/auth/oauth2/server"
)

// Requests that prove no client, or prove one in two ways.
func TestUnitNobodyIsTakenForAClient(t *testing.T) {
	s := newService(t, nil)
	web, job := s.secrets["web"], s.secrets["job"]
	basicClient, secret, err := s.server.AddClient(t.Context(), server.Registration{ClientID: "basic only",
		GrantTypes: []string{"client_credentials"}, Scope: "read", TokenEndpointAuthMethod: "client_secret_basic"})
	s.must(err)
	post, postSecret, err := s.server.AddClient(t.Context(), server.Registration{ClientID: "post",
		GrantTypes: []string{"client_credentials"}, Scope: "read", TokenEndpointAuthMethod: "client_secret_post"})
	s.must(err)
	_ = post
	// was public, has no secret
	wasPublic := s.add(server.Registration{ClientID: "was", GrantTypes: []string{"authorization_code"},
		TokenEndpointAuthMethod: "none",
		RedirectURIs:            []string{"https://was.example/"}})
	_, err = s.server.ChangeClient(t.Context(), wasPublic,
		server.Registration{GrantTypes: []string{"client_credentials"}, Scope: "read"})
	s.must(err)
	off := s.add(server.Registration{ClientID: "off", GrantTypes: []string{"client_credentials"}, Scope: "read"})
	_, err = s.server.DisableClient(t.Context(), off, true)
	s.must(err)
	_ = basicClient
	rows := map[string]struct {
		header string
		body   []string
		status int
	}{
		"nothing":                       {"", nil, 401},
		"an ID alone":                   {"", []string{"client_id", "job"}, 401},
		"an empty secret in the body":   {"", []string{"client_id", "job", "client_secret", ""}, 401},
		"an empty secret by Basic":      {basicOf("job", ""), nil, 401},
		"Basic empty, ID in the body":   {basicOf("", ""), []string{"client_id", "job"}, 400},
		"Basic with another ID":         {basicOf("web", web), []string{"client_id", "job"}, 400},
		"Basic of one, secret of other": {basicOf("web", web), []string{"client_secret", job}, 400},
		"Basic without ID, right secret": {basicOf("", job), []string{"client_id", "job", "client_secret", job},
			400},
		"Basic wrong, body right": {basicOf("job", "x"), []string{"client_id", "job", "client_secret", job},
			400},
		"Basic right, body wrong": {basicOf("job", job), []string{"client_id", "job", "client_secret", "x"},
			400},
		"NUL":                       {basicOf("job\x00", job), nil, 401},
		"NUL in the secret":         {basicOf("job", job+"\x00"), nil, 401},
		"a fullwidth letter":        {basicOf("ｊob", job), nil, 401},
		"a space behind":            {basicOf("job ", job), nil, 401},
		"a space before":            {basicOf(" job", job), nil, 401},
		"another case":              {basicOf("JOB", job), nil, 401},
		"a space behind the secret": {basicOf("job", job+" "), nil, 401},
		"bytes that are no UTF-8":   {basicOf("job\xff", job), nil, 401},
		"an assertion beside":       {basicOf("job", job), []string{"client_assertion", "x"}, 400},
		"an assertion type beside":  {basicOf("job", job), []string{"client_assertion_type", "x"}, 400},
		"an assertion alone": {"", []string{"client_id", "job", "client_assertion", "x",
			"client_assertion_type", "y"}, 401},
		"Bearer": {"Bearer " + job, []string{"client_id", "job", "client_secret", job},
			401},
		"no secret is kept, none sent": {basicOf("was", ""), nil, 401},
		"no secret is kept, one sent":  {basicOf("was", "x"), nil, 401},
		"disabled":                     {basicOf("off", s.secrets["off"]), nil, 401},
		"the digest as the secret":     {basicOf("job", server.DigestSecret("")), nil, 401},
		"basic only, by post": {"", []string{"client_id", "basic only", "client_secret",
			secret.Reveal()}, 401},
		"post only, by basic": {basicOf("post", postSecret.Reveal()), nil, 401},
		"post only, by an empty basic": {basicOf("post", ""), []string{"client_id", "post", "client_secret",
			postSecret.Reveal()}, 400},
		"good":              {basicOf("job", job), nil, 200},
		"good with a space": {basicOf("basic only", secret.Reveal()), nil, 200},
		"good by both for one that has post": {basicOf("post", postSecret.Reveal()),
			[]string{"client_secret", postSecret.Reveal()}, 200},
	}
	for sentence, row := range rows {
		t.Run(sentence, func(t *testing.T) {
			for _, path := range []string{"/o/token/", "/o/introspect/", "/o/revoke_token/"} {
				values := with(url.Values{"grant_type": {"client_credentials"}, "scope": {"read"}, "token": {"x"}},
					row.body...)
				headers := []string{}
				if row.header != "" {
					headers = []string{"Authorization", row.header}
				}
				a := s.stranger().do("POST", path, values.Encode(), headers...)
				if a.StatusCode != row.status {
					t.Errorf("%s: got %d %s, want %d", path, a.StatusCode, a.body, row.status)
				}
			}
		})
	}
	t.Run("a public client may not introspect", func(t *testing.T) {
		for _, header := range []string{"", basicOf("app", "")} {
			headers := []string{}
			if header != "" {
				headers = []string{"Authorization", header}
			}
			if a := s.stranger().do("POST", "/o/introspect/", "client_id=app&token=x",
				headers...); a.StatusCode != 401 {
				t.Errorf("got %d %s", a.StatusCode, a.body)
			}
		}
	})
	t.Run("a public client may not revoke what is another's", func(t *testing.T) {
		token := s.tokens("alice").text("refresh_token")
		a := s.stranger().do("POST", "/o/revoke_token/", url.Values{"client_id": {"app"}, "token": {token}}.Encode())
		if a.StatusCode != 400 || s.refresh(token).StatusCode != 200 {
			t.Errorf("got %d %s", a.StatusCode, a.body)
		}
	})
}
