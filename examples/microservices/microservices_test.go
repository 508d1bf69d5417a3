// Package microservices tests two services that share nothing but a URL.
package microservices

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// process is a service that runs.
type process struct {
	cmd *exec.Cmd
	url string
}

func start(t *testing.T, binary string, args ...string) *process {
	t.Helper()
	cmd := exec.Command(binary, args...)
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	line, err := bufio.NewReader(stdout).ReadString('\n')
	url, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	if err != nil || !ok {
		t.Fatalf("stdout %q, %v", line, err)
	}
	return &process{cmd, url}
}

func (p *process) stop(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Wait(); err != nil {
		t.Fatal(err)
	}
}

func send(t *testing.T, method, url, token, body string) (int, string) {
	t.Helper()
	r, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// obtain logs in, and returns the access token and the key that signed it.
func obtain(t *testing.T, login string) (access, kid string) {
	t.Helper()
	status, text := send(t, "POST", login+"/token/", "", `{"username":"alice","password":"correct-horse-battery"}`)
	var pair struct{ Access string }
	if err := json.Unmarshal([]byte(text), &pair); status != 200 || err != nil {
		t.Fatalf("%d %s", status, text)
	}
	segment, _, _ := strings.Cut(pair.Access, ".")
	decoded, err := base64.RawURLEncoding.DecodeString(segment)
	var header struct{ Kid string }
	if err != nil || json.Unmarshal(decoded, &header) != nil {
		t.Fatal(segment)
	}
	return pair.Access, header.Kid
}

func TestOneServiceIssuesAndAnotherVerifiesThroughRotationAndRestart(t *testing.T) {
	dir := t.TempDir()
	if out, err := exec.Command("go", "build", "-o", dir, "./login", "./orders").CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	// A key signs for four seconds, and is published one second before.
	run := func(addr string) *process {
		return start(t, filepath.Join(dir, "login"), "-addr", addr, "-db", filepath.Join(dir, "login.db"),
			"-rotate", "4s")
	}
	login := run("127.0.0.1:0")
	orders := start(t, filepath.Join(dir, "orders"), "-addr", "127.0.0.1:0", "-issuer", login.url, "-refresh", "300ms")

	// want is what every request must be answered with.
	want := func(what, token string) {
		t.Helper()
		if status, text := send(t, "GET", orders.url+"/orders", token, ""); status != 200 ||
			text != "orders of alice\n" {
			t.Fatalf("%s: %d %s", what, status, text)
		}
	}
	first, kid := obtain(t, login.url)
	want("at first", first)
	kids := map[string]bool{kid: true}
	deadline := time.Now().Add(time.Minute)
	var last string
	for len(kids) < 3 { // two rotations
		if time.Now().After(deadline) {
			t.Fatalf("keys %v", kids)
		}
		last, kid = obtain(t, login.url)
		kids[kid] = true
		want("during a rotation", last)
		want("the first token", first)
	}

	login.stop(t)
	want("while the issuer is down", last)
	if status, _ := send(t, "GET", orders.url+"/healthz", "", ""); status != 200 {
		t.Errorf("not healthy: %d", status)
	}
	login = run(strings.TrimPrefix(login.url, "http://"))
	want("a token of before", last)
	again, _ := obtain(t, login.url)
	want("a token of after", again)

	for sentence, token := range map[string]string{"none": "", "forged": first[:len(first)-4] + "AAAA",
		"no token": "garbage"} {
		if status, text := send(t, "GET", orders.url+"/orders", token, ""); status != 401 {
			t.Errorf("%s: %d %s", sentence, status, text)
		}
	}
}
