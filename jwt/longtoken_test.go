package jwt_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/knox"
)

// withGroups returns a token with as many identifiers of groups, as Microsoft Entra ID writes up to 200.
func withGroups(t *testing.T, key *jwt.Key, n int) string {
	var groups []string
	for i := range n {
		groups = append(groups, fmt.Sprintf("%08x-0000-4000-8000-000000000000", i))
	}
	return mintBy(t, key, map[string]any{"groups": groups})
}

func TestUnitATokenWith200GroupsPassesWhereTheSettingsAllowIt(t *testing.T) {
	key := signing(t, jwt.RS256)
	set := keySet(t, nil, key.Public())
	tokens, err := knox.New(knox.Config{Store: knox.NewMemoryStore(),
		LoadUser: func(contextOf, string) (auth.User, error) { return nil, auth.ErrUserNotFound }})
	if err != nil {
		t.Fatal(err)
	}
	for sentence, row := range map[string]struct {
		header, token int // the settings
		groups, want  int
		cause         string
	}{
		"by default a short one passes":          {0, 0, 50, 200, ""},
		"by default a long one is malformed":     {0, 0, 200, 400, "auth.Config.MaxAuthorization"},
		"with both settings it passes":           {16 << 10, 16 << 10, 200, 200, ""},
		"with that of the Guard alone it is not": {16 << 10, 0, 200, 400, "see VerifierConfig.MaxLength"},
		"a longer one than both is malformed":    {16 << 10, 16 << 10, 400, 400, "auth.Config.MaxAuthorization"},
		"the largest ceiling":                    {64 << 10, 64 << 10, 900, 200, ""},
	} {
		t.Run(sentence, func(t *testing.T) {
			v, err := jwt.NewVerifier(jwt.VerifierConfig{MaxLength: row.token,
				Issuers: []jwt.Issuer{{Issuer: refetchIssuer,
					Audience: []string{"api"}, Keys: set, User: jwt.SubjectUser}}})
			if err != nil {
				t.Fatal(err)
			}
			var log bytes.Buffer
			guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{tokens, v}, MaxAuthorization: row.header,
				Logger: slog.New(slog.NewTextHandler(&log, nil))})
			if err != nil {
				t.Fatal(err)
			}
			done := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
			server := httptest.NewServer(guard.Require()(guard.Require()(done)))
			defer server.Close()
			r, err := http.NewRequestWithContext(t.Context(), "GET", server.URL, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Authorization", "Bearer "+withGroups(t, key, row.groups))
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			if resp.StatusCode != row.want || !strings.Contains(log.String(), row.cause) {
				t.Errorf("want %d, and %q in the log, got %d: %s", row.want, row.cause, resp.StatusCode, log.String())
			}
		})
	}
}
