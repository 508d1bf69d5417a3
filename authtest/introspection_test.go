package authtest_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/gatewarden/auth/authtest"
)

func TestUnitAnIntrospector(t *testing.T) {
	server := authtest.NewIntrospector(t)
	ask := func(token, secret string) (int, map[string]any) {
		r, err := http.NewRequest("POST", server.Endpoint(), strings.NewReader(url.Values{"token": {token}}.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.SetBasicAuth("api", secret)
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		text, _ := io.ReadAll(answer.Body)
		var all map[string]any
		_ = json.Unmarshal(text, &all)
		return answer.StatusCode, all
	}
	server.Set("good", map[string]any{"active": true, "sub": "alice"})
	for _, row := range []struct {
		sentence, token, secret string
		status                  int
		active                  any
	}{
		{"a token that it knows", "good", "secret", 200, true},
		{"a token that it does not know", "other", "secret", 200, false},
		{"a caller without a secret", "good", "", 401, nil},
	} {
		t.Run(row.sentence, func(t *testing.T) {
			if status, all := ask(row.token, row.secret); status != row.status || all["active"] != row.active {
				t.Errorf("want %d and %v, got %d and %v", row.status, row.active, status, all)
			}
		})
	}
	t.Run("a token that was taken back", func(t *testing.T) {
		server.Set("good", nil)
		if _, all := ask("good", "secret"); all["active"] != false {
			t.Errorf("got %v", all)
		}
	})
	t.Run("a server that is down", func(t *testing.T) {
		server.SetDown(true)
		if status, _ := ask("good", "secret"); status != 503 || server.Asked() != 5 {
			t.Errorf("got %d after %d questions", status, server.Asked())
		}
	})
	t.Run("its metadata says where to ask", func(t *testing.T) {
		answer, err := http.Get(server.URL() + "/.well-known/oauth-authorization-server")
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		var all map[string]any
		if err := json.NewDecoder(answer.Body).Decode(&all); err != nil || all["issuer"] != server.URL() ||
			all["introspection_endpoint"] != server.Endpoint() {
			t.Errorf("got %v, %v", all, err)
		}
	})
}
