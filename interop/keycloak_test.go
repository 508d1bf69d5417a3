//go:build providers

package interop

import (
	"bufio"
	"io"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/oauth2"
)

// keycloak is the folder of the program that `make test-providers` fetches.
const keycloak = "keycloak/target/keycloak"

// startKeycloak starts a Keycloak with the realm of keycloak/realm.json in memory. It returns the issuer.
func startKeycloak(t *testing.T) string {
	t.Helper()
	if _, err := os.Stat(keycloak + "/bin/kc.sh"); err != nil {
		skip(t, "no "+keycloak+": run make test-providers")
	}
	// The script runs Java as a child of its own, so that both are ended as one group.
	cmd := exec.CommandContext(t.Context(), keycloak+"/bin/kc.sh", "start-dev", "--db=dev-mem", "--import-realm",
		"--http-host=127.0.0.1", "--http-port=0", "--http-management-port=0", "--health-enabled=false")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	log := &lines{}
	out, in := io.Pipe()
	cmd.Stdout, cmd.Stderr = io.MultiWriter(log, in), log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
		_ = in.Close()
		if t.Failed() {
			t.Logf("Keycloak:\n%s", log)
		}
	})
	listens := make(chan string, 1)
	go func() {
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if _, at, ok := strings.Cut(lines.Text(), "Listening on: "); ok {
				at, _, _ = strings.Cut(strings.TrimSuffix(strings.TrimSpace(at), "."), " ")
				listens <- strings.TrimSuffix(at, ".")
			}
		}
	}()
	select {
	case at := <-listens:
		return at + "/realms/shop"
	case <-time.After(10 * time.Minute):
		t.Fatal("Keycloak does not listen")
		return ""
	}
}

// keycloakTokens asks the token endpoint of a realm. The values are those of the form after client and secret.
func keycloakTokens(t *testing.T, issuer, client string, form url.Values) map[string]string {
	t.Helper()
	form.Set("client_id", client)
	form.Set("client_secret", client+"-secret-of-a-test")
	answer := send(t, "POST", issuer+"/protocol/openid-connect/token", form.Encode(),
		"Content-Type", "application/x-www-form-urlencoded")
	tokens := map[string]string{}
	for name, value := range answer.body {
		tokens[name], _ = value.(string)
	}
	if tokens["access_token"] == "" {
		t.Fatalf("%d %s", answer.status, answer.text)
	}
	return tokens
}

func TestKeycloakTokens(t *testing.T) {
	issuer := startKeycloak(t)
	login := func(name, scope string) map[string]string {
		return keycloakTokens(t, issuer, "site", url.Values{"grant_type": {"password"}, "username": {name},
			"password": {"a-password-of-a-test"}, "scope": {scope}})
	}
	user, offline := login("alice", "openid"), login("alice", "openid offline_access")
	// The name of this user is the one that Keycloak would give to the service account of the client.
	imposter := login("service-account-site", "openid")
	machine := keycloakTokens(t, issuer, "worker", url.Values{"grant_type": {"client_credentials"}})
	foreignTokens{
		issuer: issuer, audience: "api", profile: jwt.Keycloak(),
		introspection: oauth2.IntrospectionConfig{Issuer: issuer, ClientID: "api",
			ClientSecret: "api-secret-of-a-test"},
		user: user["access_token"], subject: claimOf(t, user["access_token"], "sub"),
		machine: machine["access_token"], program: "worker", scope: "email",
		others: map[string]string{"a refresh token": user["refresh_token"], "an ID token": user["id_token"],
			"an offline token":                     offline["refresh_token"],
			"a user's token with a machine's name": imposter["access_token"]},
	}.test(t)
}
