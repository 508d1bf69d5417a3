package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gatewarden/auth/knox"
)

func TestGuardIsMiddlewareOfChi(t *testing.T) {
	tokens, handler, err := service()
	if err != nil {
		t.Fatal(err)
	}
	issued, err := tokens.Issue(t.Context(), "alice", knox.Options{Scopes: []string{"reports:read"}})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	defer server.Close()
	for _, row := range []struct {
		sentence, method, token string
		status                  int
		body                    string
	}{
		{"a token with the scope is let through, with the URL's parameter", "GET", issued.Secret.Reveal(), 200, "report 7 for alice\n"},
		{"a token without the scope is refused", "POST", issued.Secret.Reveal(), 403, ""},
		{"no token is refused", "GET", "", 401, ""},
	} {
		t.Run(row.sentence, func(t *testing.T) {
			r, _ := http.NewRequest(row.method, server.URL+"/reports/7", nil)
			if row.token != "" {
				r.Header.Set("Authorization", "Token "+row.token)
			}
			answer, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer answer.Body.Close()
			body, _ := io.ReadAll(answer.Body)
			if answer.StatusCode != row.status || row.body != "" && string(body) != row.body {
				t.Errorf("%d %s", answer.StatusCode, body)
			}
		})
	}
}
