package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// program is the demo as a newcomer runs it: a process.
type program struct {
	t   *testing.T
	cmd *exec.Cmd
	url string
	log *lockedBuffer
}

type lockedBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

func (b *lockedBuffer) text() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.String()
}

var build = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "gatewarden")
	if err != nil {
		return "", err
	}
	binary := filepath.Join(dir, "demo")
	out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return binary, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if binary, err := build(); err == nil {
		os.RemoveAll(filepath.Dir(binary))
	}
	os.Exit(code)
}

func launch(t *testing.T, args ...string) *program {
	t.Helper()
	binary, err := build()
	if err != nil {
		t.Fatal(err)
	}
	p := &program{t: t, cmd: exec.Command(binary, append([]string{"-addr", "127.0.0.1:0"}, args...)...), log: &lockedBuffer{}}
	p.cmd.Stderr = p.log
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.cmd.Process.Kill(); _ = p.cmd.Wait() })
	line, err := bufio.NewReader(stdout).ReadString('\n')
	url, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	if err != nil || !ok {
		t.Fatalf("stdout %q, %v\n%s", line, err, p.log.text())
	}
	p.url = url
	return p
}

func (p *program) stop(signal syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(signal); err != nil {
		p.t.Fatal(err)
	}
	if err := p.cmd.Wait(); err != nil && signal != syscall.SIGKILL {
		p.t.Fatalf("%v: %v\n%s", signal, err, p.log.text())
	}
}

// do sends a request; authorization is "user:password", a header, or empty.
func (p *program) do(method, path, authorization, body string, more ...string) (int, string) {
	p.t.Helper()
	r, err := http.NewRequest(method, p.url+path, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	if user, password, ok := strings.Cut(authorization, ":"); ok {
		r.SetBasicAuth(user, password)
	} else if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(more); i += 2 {
		r.Header.Add(more[i], more[i+1])
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

func (p *program) want(status int, method, path, authorization string, more ...string) {
	p.t.Helper()
	if got, text := p.do(method, path, authorization, "", more...); got != status {
		p.t.Errorf("%s %s: %d %s, want %d", method, path, got, text, status)
	}
}

func (p *program) login(credentials string) string {
	p.t.Helper()
	status, text := p.do("POST", "/auth/login/", credentials, "")
	var body struct{ Token string }
	if err := json.Unmarshal([]byte(text), &body); status != 200 || err != nil {
		p.t.Fatalf("login: %d %s", status, text)
	}
	return body.Token
}

const alice, bob, admin = "alice:correct-horse-battery", "bob:staple-tractor-lamp", "admin:only-for-the-demo"

func TestTokensOutliveARestartAndAKill(t *testing.T) {
	db := "sqlite:" + filepath.Join(t.TempDir(), "demo.db")
	p := launch(t, "-db", db)
	kept, ended := p.login(alice), p.login(alice)
	p.want(204, "POST", "/auth/logout/", "Token "+ended)
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		p.stop(signal)
		p = launch(t, "-db", db)
		p.want(200, "GET", "/api/me", "Token "+kept)
		p.want(401, "GET", "/api/me", "Token "+ended)
	}
	p.want(200, "GET", "/healthz", "")
	p.want(404, "GET", "/o/token/", "")
}

func TestADisabledUserIsOutAtOnce(t *testing.T) {
	p := launch(t, "-db", "memory:")
	token := p.login(bob)
	p.want(200, "GET", "/api/me", bob)
	p.want(403, "POST", "/api/users/bob/disable", alice)
	p.want(404, "POST", "/api/users/nobody/disable", admin)
	p.want(204, "POST", "/api/users/bob/disable", admin)
	p.want(401, "GET", "/api/me", "Token "+token)
	p.want(401, "GET", "/api/me", bob)
	p.want(401, "POST", "/auth/login/", "carol:closed-account-99")
	p.want(204, "POST", "/api/users/bob/enable", admin)
	p.want(200, "GET", "/api/me", "Token "+token)
}

func TestUsernameHeaderIsBelievedFromTheProxyOnly(t *testing.T) {
	outside := launch(t, "-db", "memory:")
	if status, text := outside.do("GET", "/api/public", "", "", "X-Username", "alice"); status != 200 || !strings.Contains(text, `"user":null`) {
		t.Errorf("from elsewhere: %d %s", status, text)
	}
	elsewhere := launch(t, "-db", "memory:", "-trust-proxy", "192.0.2.0/24")
	if status, text := elsewhere.do("GET", "/api/public", "", "", "X-Username", "alice"); status != 200 || !strings.Contains(text, `"user":null`) {
		t.Errorf("from another than the proxy: %d %s", status, text)
	}
	behind := launch(t, "-db", "memory:", "-trust-proxy", "127.0.0.0/8")
	if status, text := behind.do("GET", "/api/me", "", "", "X-Username", "alice"); status != 200 || !strings.Contains(text, `"backend":"header"`) {
		t.Errorf("from the proxy: %d %s", status, text)
	}
	behind.want(401, "GET", "/api/me", "", "X-Username", "nobody")
	behind.want(400, "GET", "/api/me", "", "X-Username", "alice", "X-Username", "bob")
}

func TestTheLogAndTheFileHoldNothingUsable(t *testing.T) {
	dir := t.TempDir()
	p := launch(t, "-db", "sqlite:"+filepath.Join(dir, "demo.db"))
	token := p.login(alice)
	p.want(401, "POST", "/auth/login/", "alice:a-wrong-password")
	p.want(401, "GET", "/api/me", "Token "+token[:len(token)-1])
	p.stop(syscall.SIGTERM)
	all := p.log.text()
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if info, _ := os.Stat(file); info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", filepath.Base(file), info.Mode())
		}
		all += string(text)
	}
	for _, secret := range []string{token, token[10:30], "correct-horse-battery", "a-wrong-password"} {
		if strings.Contains(all, secret) {
			t.Errorf("%q is kept", secret)
		}
	}
	if !strings.Contains(p.log.text(), "auth failure") {
		t.Error("the failed login was not logged")
	}
}

// The statuses that the lines of each step print, in order.
var printed = map[string][]int{
	"Log in on two devices":     nil,
	"Use them":                  {200, 200},
	"See your devices":          {200},
	"Log out of one":            {204, 401, 200, 204, 401},
	"Make a token for a script": {200, 403},
	"Switch a user off":         {204, 401, 204, 401},
	"Sign in as a browser does": {303, 200, 403, 303, 401},
	"Send something wrong":      {200, 401, 401, 400, 401, 400, 401, 200},
}

func TestTheLinesOnThePageWorkAsPasted(t *testing.T) {
	for _, tool := range []string{"bash", "curl", "sed"} {
		if _, err := exec.LookPath(tool); err != nil {
			skip(t, tool+" is not installed")
		}
	}
	p := launch(t, "-db", "memory:")
	_, text := p.do("GET", "/", "", "")
	var script strings.Builder
	var want []int
	blocks := regexp.MustCompile(`(?s)<pre[^>]*><code>(.*?)</code>`).FindAllStringSubmatch(text, -1)
	if len(blocks) != len(steps)+1 {
		t.Fatalf("%d blocks of lines on the page", len(blocks))
	}
	for i, block := range blocks {
		script.WriteString(html.UnescapeString(block[1]) + "\n")
		if i > 0 {
			want = append(want, printed[steps[i-1].Title]...)
		}
	}
	out, err := exec.Command("bash", "-c", script.String()).Output()
	if err != nil {
		t.Fatal(err)
	}
	var got []int
	for _, status := range regexp.MustCompile(`(?m)^HTTP/1.1 (\d+)`).FindAllSubmatch(out, -1) {
		var n int
		fmt.Sscan(string(status[1]), &n)
		got = append(got, n)
	}
	if !slices.Equal(got, want) {
		t.Errorf("statuses %v, want %v\n%s", got, want, out)
	}
}

func TestThePageInABrowser(t *testing.T) {
	browser := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			browser = path
			break
		}
	}
	if browser == "" {
		skip(t, "no Chromium")
	}
	p := launch(t, "-db", "memory:")
	dir := os.Getenv("GATEWARDEN_SCREENSHOTS") // where to look at them
	if dir == "" {
		dir = t.TempDir()
	}
	for name, size := range map[string]string{"wide": "1100,1900", "phone": "500,2400"} {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		shot := filepath.Join(dir, "demo-"+name+".png")
		out, err := exec.CommandContext(ctx, browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
			"--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
			"--enable-logging=stderr", "--user-data-dir="+t.TempDir(), "--window-size="+size, "--screenshot="+shot, "--virtual-time-budget=2000",
			p.url+"/").CombinedOutput()
		cancel()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if bytes.Contains(out, []byte("Content Security Policy")) {
			t.Errorf("the page breaks its own policy:\n%s", out)
		}
		if info, err := os.Stat(shot); err != nil || info.Size() < 20_000 {
			t.Errorf("%s: nothing to be seen (%v)", name, err)
		}
	}
}

// skip skips a test for want of something, unless CI promised to have it.
func skip(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("GATEWARDEN_REQUIRE_SERVICES") != "" {
		t.Fatal(why)
	}
	t.Skip(why)
}
