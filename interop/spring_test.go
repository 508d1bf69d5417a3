//go:build providers

package interop

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

// spring starts a program of the folder spring, which `make test-providers` builds, and returns its URL.
func (d *secureDemo) spring(t *testing.T, program string, properties ...string) string {
	t.Helper()
	const jar = "spring/target/spring.jar"
	if _, err := os.Stat(jar); err != nil {
		skip(t, "no "+jar+": run make test-providers")
	}
	trusted := filepath.Join(t.TempDir(), "trusted.p12")
	keytool := exec.CommandContext(t.Context(), "keytool", "-importcert", "-noprompt", "-alias", "demo", "-file", d.roots,
		"-keystore", trusted, "-storetype", "PKCS12", "-storepass", "changeit")
	if out, err := keytool.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	trust := []string{"-Djavax.net.ssl.trustStore=" + trusted, "-Djavax.net.ssl.trustStorePassword=changeit"}
	return serve(t, "", "java", slices.Concat(trust, []string{"-jar", jar, program}, properties)...)
}

func TestSpringLogin(t *testing.T) {
	demo := newSecureDemo(t, map[string]any{
		"client_id": "spring", "client_secret": secretOf("spring"), "scope": "openid profile email",
		"redirect_uris":             []string{"http://127.0.0.1/login/oauth2/code/demo"},
		"post_logout_redirect_uris": []string{"http://127.0.0.1/goodbye"},
		"grant_types":               []string{"authorization_code", "refresh_token"},
	})
	app := demo.spring(t, "login",
		"--spring.security.oauth2.client.registration.demo.client-id=spring",
		"--spring.security.oauth2.client.registration.demo.client-secret="+secretOf("spring"),
		"--spring.security.oauth2.client.registration.demo.scope=openid,profile,email",
		"--spring.security.oauth2.client.provider.demo.issuer-uri="+demo.url,
		"--es256=true")
	alice := newVisitor(t, demo.authority)
	home := alice.open(app + "/")
	for name, want := range map[string]any{"subject": "alice", "name": "alice", "email": "alice@example.com"} {
		if home.status != http.StatusOK || home.body[name] != want {
			t.Fatalf("%s at %s: %d %s, want %v", name, home.at, home.status, home.text, want)
		}
	}
	first, second := alice.open(app+"/refresh"), alice.open(app+"/refresh")
	same := first.body["token"] == second.body["token"]
	if first.body["subject"] != "alice" || second.body["subject"] != "alice" || same {
		t.Errorf("refreshing: %d %s, %d %s", first.status, first.text, second.status, second.text)
	}
	if out := alice.open(app + "/logout"); out.body["out"] != true {
		t.Errorf("signing out: %d at %s: %s", out.status, out.at, out.text)
	}
	if got := alice.do(http.MethodGet, demo.url+"/api/me", nil); got.status != http.StatusUnauthorized {
		t.Errorf("signed out of the demo: %d %s", got.status, got.text)
	}
}

func TestSpringResourceServer(t *testing.T) {
	demo := newSecureDemo(t)
	api := demo.spring(t, "resource",
		"--spring.security.oauth2.resourceserver.jwt.issuer-uri="+demo.url,
		"--spring.security.oauth2.resourceserver.jwt.audiences="+jwtResource,
		"--at-jwt=true")
	issueTokens(t, demo).test(t, api)
}
