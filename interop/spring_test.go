//go:build providers

package interop

import (
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

// springBoot is a version of Spring Boot, as a row of docs/oauth2.md.
type springBoot struct {
	version string
	ours    map[string]any // members of the client's registration
	api     string         // setting of the resource server
}

var springBoots = []springBoot{
	{"3.5.7", withoutPKCE, "--at-jwt=decoder"}, // with Spring Security 6.5
	{"4.0.7", nil, "--at-jwt=validator"},       // with Spring Security 7.0
}

// spring starts a program of the folder spring, which `make test-providers` builds, and returns its URL.
func (d *secureDemo) spring(t *testing.T, version, program string, properties ...string) string {
	t.Helper()
	jar := "spring/target/spring-" + version + ".jar"
	if _, err := os.Stat(jar); err != nil {
		skip(t, "no "+jar+": run make test-providers")
	}
	trusted := filepath.Join(t.TempDir(), "trusted.p12")
	keytool := exec.CommandContext(t.Context(), "keytool", "-importcert", "-noprompt", "-alias", "demo",
		"-file", d.roots,
		"-keystore", trusted, "-storetype", "PKCS12", "-storepass", "changeit")
	if out, err := keytool.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	machine := []string{"-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", // which starts sooner
		"-Djavax.net.ssl.trustStore=" + trusted, "-Djavax.net.ssl.trustStorePassword=changeit"}
	return serve(t, "", "java", slices.Concat(machine, []string{"-jar", jar, program}, properties)...)
}

func TestSpringLogin(t *testing.T) {
	for _, row := range springBoots {
		t.Run(row.version, func(t *testing.T) {
			client := map[string]any{
				"client_id": "spring", "client_secret": secretOf("spring"), "scope": "openid profile email",
				"redirect_uris":             []string{"http://127.0.0.1/login/oauth2/code/demo"},
				"post_logout_redirect_uris": []string{"http://127.0.0.1/goodbye"},
				"grant_types":               []string{"authorization_code", "refresh_token"},
			}
			maps.Copy(client, row.ours)
			demo := newSecureDemo(t, client)
			app := demo.spring(t, row.version, "login",
				"--spring.security.oauth2.client.registration.demo.client-id=spring",
				"--spring.security.oauth2.client.registration.demo.client-secret="+secretOf("spring"),
				"--spring.security.oauth2.client.registration.demo.scope=openid,profile,email",
				"--spring.security.oauth2.client.provider.demo.issuer-uri="+demo.url)
			useSpring(newVisitor(t, demo.authority), demo.url, app)
		})
	}
}

// useSpring signs in, refreshes and signs out.
func useSpring(alice *visitor, demo, app string) {
	home := alice.open(app + "/")
	for name, want := range map[string]any{"subject": "alice", "name": "alice", "email": "alice@example.com"} {
		if home.status != http.StatusOK || home.body[name] != want {
			alice.Fatalf("%s at %s: %d %s, want %v", name, home.at, home.status, home.text, want)
		}
	}
	first, second := alice.open(app+"/refresh"), alice.open(app+"/refresh")
	same := first.body["token"] == second.body["token"]
	if first.body["subject"] != "alice" || second.body["subject"] != "alice" || same {
		alice.Errorf("refreshing: %d %s, %d %s", first.status, first.text, second.status, second.text)
	}
	if out := alice.open(app + "/logout"); out.body["out"] != true {
		alice.Errorf("signing out: %d at %s: %s", out.status, out.at, out.text)
	}
	if got := alice.do(http.MethodGet, demo+"/api/me", nil); got.status != http.StatusUnauthorized {
		alice.Errorf("signed out of the demo: %d %s", got.status, got.text)
	}
}

func TestSpringResourceServer(t *testing.T) {
	demo := newSecureDemo(t)
	tokens := issueTokens(t, demo)
	for _, row := range springBoots {
		t.Run(row.version, func(t *testing.T) {
			tokens.test(t, demo.spring(t, row.version, "resource",
				"--spring.security.oauth2.resourceserver.jwt.issuer-uri="+demo.url,
				"--spring.security.oauth2.resourceserver.jwt.audiences="+jwtResource,
				row.api))
		})
	}
}
