package fetch_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gatewarden/auth/internal/fetch"
)

func TestUnitMetadataThatCannotBeUsedNamesItsPlaceAndTheFault(t *testing.T) {
	for sentence, row := range map[string]struct {
		answer http.HandlerFunc
		want   []string // URL stands for that of the issuer
	}{
		"missing": {http.NotFound, []string{"URL/tenant/.well-known/openid-configuration: 404 Not Found",
			"URL/.well-known/oauth-authorization-server/tenant: 404 Not Found"}},
		"a server that is down": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(502) },
			[]string{"URL/tenant/.well-known/openid-configuration: status 502"}},
		"a page": {func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Type", "text/html") },
			[]string{`URL/tenant/.well-known/openid-configuration: the answer is of the type "text/html"`}},
		"another issuer": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(`{"issuer":"https://other.example/"}`))
		}, []string{`it says "https://other.example/", and the setting is "URL/tenant"`}},
	} {
		t.Run(sentence, func(t *testing.T) {
			issuer := httptest.NewServer(row.answer)
			defer issuer.Close()
			_, err := fetch.Discover(t.Context(), fetch.Client(nil), issuer.URL+"/tenant")
			if err == nil {
				t.Fatal("want an error")
			}
			for _, want := range row.want {
				if want = strings.ReplaceAll(want, "URL", issuer.URL); !strings.Contains(err.Error(), want) {
					t.Errorf("want %s, got %v", want, err)
				}
			}
		})
	}
	t.Run("a place has no user and no query", func(t *testing.T) {
		r := httptest.NewRequest("GET", "https://me:secret@a.example/x?token=secret", nil)
		if got := fetch.Place(r.URL); got != "https://a.example/x" {
			t.Errorf("want https://a.example/x, got %s", got)
		}
	})
}
