package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestSignedRequests(t *testing.T) {
	key := []byte("0123456789abcdef0123456789abcdef")
	handler, err := service(key)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	defer server.Close()
	sign := func(text string) string {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(text))
		return hex.EncodeToString(mac.Sum(nil))
	}
	for _, row := range []struct {
		sentence, authorization string
		status                  int
		body                    string
	}{
		{"a right signature is proved", "Signed ci:" + sign("ci GET /hook"), 200, "hello, ci\n"},
		{"the scheme is in any case", "sIGNED ci:" + sign("ci GET /hook"), 200, "hello, ci\n"},
		{"nothing is 401", "", 401, "not_authenticated"},
		{"another scheme is 401", "Bearer abc", 401, "not_authenticated"},
		{"another path's signature is 401", "Signed ci:" + sign("ci GET /other"), 401, "authentication_failed"},
		{"another name's signature is 401", "Signed root:" + sign("ci GET /hook"), 401, "authentication_failed"},
		{"no hex is 400", "Signed ci:xyz", 400, "invalid_request"},
		{"no name is 400", "Signed :" + sign(" GET /hook"), 400, "invalid_request"},
		{"only the scheme is 400", "Signed", 400, "invalid_request"},
	} {
		t.Run(row.sentence, func(t *testing.T) {
			r, _ := http.NewRequest("GET", server.URL+"/hook", nil)
			if row.authorization != "" {
				r.Header.Set("Authorization", row.authorization)
			}
			answer, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer answer.Body.Close()
			body, _ := io.ReadAll(answer.Body)
			if answer.StatusCode != row.status || !strings.Contains(string(body), row.body) {
				t.Errorf("%d %s", answer.StatusCode, body)
			}
			if row.status == 401 && !strings.HasPrefix(answer.Header.Get("WWW-Authenticate"), "Signed") {
				t.Errorf("challenge %q", answer.Header.Get("WWW-Authenticate"))
			}
		})
	}
}
