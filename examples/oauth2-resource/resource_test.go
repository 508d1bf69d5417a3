package main

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// start runs a program until the test ends, and returns where it listens.
func start(t *testing.T, program string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	address, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	if err != nil || !ok {
		t.Fatalf("%s says %q, %v", program, line, err)
	}
	return address
}

// build builds programs into a folder of the test.
func build(t *testing.T, folder string) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "program")
	if out, err := exec.Command("go", "build", "-o", binary, folder).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return binary
}

// token gets an access token of demo-job for a resource.
func token(t *testing.T, login, resource, scope string) string {
	t.Helper()
	r, err := http.NewRequest("POST", login+"/o/token/",
		strings.NewReader(url.Values{"grant_type": {"client_credentials"}, "resource": {resource},
			"scope": {scope}}.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth("demo-job", "demo-job-secret")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var body struct {
		Token string `json:"access_token"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&body); err != nil || body.Token == "" {
		t.Fatalf("%d %v", answer.StatusCode, err)
	}
	return body.Token
}

func ask(t *testing.T, method, url, token string) (int, string, http.Header) {
	t.Helper()
	r, err := http.NewRequest(method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(text), answer.Header
}

func TestAnAPIInAnotherProcessTakesTheTokensThatAreForIt(t *testing.T) {
	login := start(t, build(t, "../demo"), "-addr", "127.0.0.1:0", "-db", "memory:", "-clients", "clients.json")
	api := build(t, ".")
	resources := map[string]string{"jwt": "http://127.0.0.1:8001/", "introspection": "http://127.0.0.1:8002/"}
	for by, resource := range resources {
		t.Run(by, func(t *testing.T) {
			url := start(t, api, "-addr", "127.0.0.1:0", "-issuer", login, "-by", by)
			status, text, header := ask(t, "GET", url+"/reports", "")
			if challenge := header.Get("WWW-Authenticate"); status != 401 ||
				challenge != `Bearer realm="api", resource_metadata="`+resource+
					`.well-known/oauth-protected-resource"` {
				t.Errorf("without a token: %d %s %s", status, challenge, text)
			}
			if status, text, _ := ask(t, "GET", url+"/.well-known/oauth-protected-resource", ""); status != 200 ||
				!strings.Contains(text, `"resource":"`+resource+`","authorization_servers":["`+login+`"]`) {
				t.Errorf("metadata: %d %s", status, text)
			}
			reading := token(t, login, resource, "reports:read")
			if strings.Contains(reading, ".") != (by == "jwt") {
				t.Errorf("a token %s", reading)
			}
			if status, text, _ := ask(t, "GET", url+"/reports", reading); status != 200 ||
				strings.TrimSpace(text) != `{"client":"demo-job","scopes":["reports:read"],"user":"client:demo-job"}` {
				t.Errorf("%d %s", status, text)
			}
			if status, _, header := ask(t, "POST", url+"/reports", reading); status != 403 ||
				!strings.Contains(header.Get("WWW-Authenticate"), `error="insufficient_scope", `) ||
				!strings.Contains(header.Get("WWW-Authenticate"), `scope="reports:write"`) {
				t.Errorf("too few scopes: %d %v", status, header)
			}
			for _, other := range append([]string{login}, resources["jwt"], resources["introspection"]) {
				if other == resource {
					continue
				}
				if status, _, header := ask(t, "GET", url+"/reports",
					token(t, login, other, "reports:read")); status != 401 ||
					!strings.Contains(header.Get("WWW-Authenticate"), `error="invalid_token"`) {
					t.Errorf("a token for %s: %d", other, status)
				}
			}
		})
	}
}
