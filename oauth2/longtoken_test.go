package oauth2_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/authtest"
	"github.com/gatewarden/auth/oauth2"
)

func TestUnitALongTokenIsAskedAboutWhereTheSettingsAllowIt(t *testing.T) {
	server := authtest.NewIntrospector(t)
	long := strings.Repeat("a", 11<<10)
	server.Set(long, map[string]any{"active": true, "sub": "alice", "aud": "https://api.example", "scope": "read"})
	for sentence, row := range map[string]struct{ header, token, want int }{
		"by default it is malformed":                   {0, 0, http.StatusBadRequest},
		"with both settings it passes":                 {16 << 10, 16 << 10, http.StatusOK},
		"with that of the Guard alone it is not known": {16 << 10, 0, http.StatusUnauthorized},
	} {
		t.Run(sentence, func(t *testing.T) {
			source, err := oauth2.NewIntrospection(oauth2.IntrospectionConfig{Endpoint: server.Endpoint(),
				ClientID:     "api",
				ClientSecret: "secret", Limits: oauth2.IntrospectionLimits{MaxLength: row.token}})
			if err != nil {
				t.Fatal(err)
			}
			resource, err := oauth2.New(oauth2.Config{Resource: "https://api.example", Sources: []oauth2.Source{source},
				User: oauth2.SubjectUser})
			if err != nil {
				t.Fatal(err)
			}
			guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{resource}, MaxAuthorization: row.header})
			if err != nil {
				t.Fatal(err)
			}
			done := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
			api := httptest.NewServer(guard.Require(auth.Scopes("read"))(done))
			defer api.Close()
			r, err := http.NewRequestWithContext(t.Context(), "GET", api.URL, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Authorization", "Bearer "+long)
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			if resp.StatusCode != row.want {
				t.Errorf("want %d, got %d", row.want, resp.StatusCode)
			}
		})
	}
	t.Run("a ceiling out of range is an error", func(t *testing.T) {
		_, err := oauth2.NewIntrospection(oauth2.IntrospectionConfig{Endpoint: server.Endpoint(), ClientID: "api",
			ClientSecret: "secret", Limits: oauth2.IntrospectionLimits{MaxLength: 65 << 10}})
		if err == nil || !strings.Contains(err.Error(), "MaxLength") {
			t.Errorf("got %v", err)
		}
	})
}
