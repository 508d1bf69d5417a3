package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// An issuer may have a path. It is a name, so what the metadata announces is still where the demo serves it.
func TestUnitAnIssuerWithAPath(t *testing.T) {
	const origin = "http://127.0.0.1:9300"
	p := launch(t, "-db", "memory:", "-issuer", origin+"/o", "-provider", "acme,http://127.0.0.1:9301,id,secret")
	for _, document := range []string{"/o/.well-known/openid-configuration", "/.well-known/openid-configuration/o",
		"/.well-known/oauth-authorization-server/o", "/.well-known/oauth-protected-resource/o"} {
		t.Run("every address of "+document+" is served", func(t *testing.T) {
			status, text := p.do("GET", document, "", "")
			var members map[string]any
			if err := json.Unmarshal([]byte(text), &members); err != nil || status != http.StatusOK {
				t.Fatalf("Unmarshal: got %d, %s, want status %v", status, text, http.StatusOK)
			}
			if name, _ := members["issuer"].(string); name != "" && name != origin+"/o" {
				t.Errorf("the issuer is %q", name)
			}
			for name, value := range members {
				path, ok := strings.CutPrefix(asText(value), origin)
				if !ok || name == "issuer" || name == "resource" {
					continue
				}
				if status, _ := p.do("GET", path, "", ""); status == http.StatusNotFound {
					t.Errorf("%s %s is 404", name, path)
				}
			}
		})
	}
	t.Run("the keys are those that sign ID tokens", func(t *testing.T) {
		app := newApplication("demo-web", "demo-web-secret")
		answer := p.redeem(200, app, p.signIn(alice).authorize(app, "openid"))
		kid, _ := partOf(t, answer.ID, 0)["kid"].(string)
		if _, keys := p.do("GET", "/.well-known/jwks.json", "", ""); kid == "" || !strings.Contains(keys, `"`+kid+`"`) {
			t.Errorf("%q is not among %s", kid, keys)
		}
	})
	t.Run("a login with a provider comes back to where its callback is", func(t *testing.T) {
		if status, text := p.do("GET", "/login/acme/callback/", "", ""); status == http.StatusNotFound {
			t.Errorf("the callback is %d %s", status, text)
		}
	})
}

// asText returns a member that is a text, or "".
func asText(value any) string {
	text, _ := value.(string)
	return text
}
