package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// program is the demo as a newcomer runs it: a process.
type program struct {
	t      *testing.T
	cmd    *exec.Cmd
	url    string
	issuer string // of -issuer; url by default
	stdout *bufio.Reader
	log    *lockedBuffer

	// patience is how long a GET that must be refused may still succeed. It is for what another demo has ended, and
	// not 0 only on Redis, where each demo keeps in memory what it read, and is told of changes a moment after them.
	patience time.Duration
}

// lockedBuffer is a log that is read while it grows. It embeds no buffer: package
// exec would copy by its ReadFrom, past the lock.
type lockedBuffer struct {
	mu   sync.Mutex
	kept bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.kept.Write(p)
}

// has reports whether a process wrote a text, which may come a moment after the address on
// its other stream. It waits at most 10 seconds.
func (b *lockedBuffer) has(text string) bool {
	late := time.NewTimer(10 * time.Second)
	defer late.Stop()
	for !strings.Contains(b.text(), text) {
		select {
		case <-late.C:
			return false
		case <-time.After(10 * time.Millisecond):
		}
	}
	return true
}

func (b *lockedBuffer) text() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.kept.String()
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
	closeChromium()
	if binary, err := build(); err == nil {
		os.RemoveAll(filepath.Dir(binary))
	}
	os.Exit(code)
}

func launch(t *testing.T, args ...string) *program {
	t.Helper()
	p := begin(t, args...)
	p.ready()
	return p
}

// begin starts a program and does not wait for it.
func begin(t *testing.T, args ...string) *program {
	t.Helper()
	binary, err := build()
	if err != nil {
		t.Fatal(err)
	}
	p := &program{t: t, cmd: exec.Command(binary, append([]string{"-addr", "127.0.0.1:0"}, args...)...),
		log: &lockedBuffer{}}
	if i := slices.Index(args, "-issuer"); i >= 0 {
		p.issuer = args[i+1]
	}
	if i := slices.Index(args, "-db"); i >= 0 && strings.HasPrefix(args[i+1], "redis") {
		p.patience = time.Second
	}
	p.cmd.Stderr = p.log
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.stdout = bufio.NewReader(stdout)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.cmd.Process.Kill(); _ = p.cmd.Wait() })
	return p
}

// ready waits until the program serves.
func (p *program) ready() {
	p.t.Helper()
	line, err := p.stdout.ReadString('\n')
	url, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	if err != nil || !ok {
		p.t.Fatalf("stdout %q, %v\n%s", line, err, p.log.text())
	}
	p.url, p.issuer = url, cmp.Or(p.issuer, url)
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

// refuses starts a program that must not start, and returns what it says.
func refuses(t *testing.T, args ...string) string {
	t.Helper()
	binary, err := build()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, binary, append([]string{"-addr", "127.0.0.1:0"}, args...)...).CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 || bytes.Contains(out, []byte("listening on")) {
		t.Errorf("%v: %v, want exit status 1", args, err)
	}
	return string(out)
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
	got, text := p.do(method, path, authorization, "", more...)
	for late := time.Now().Add(p.patience); got == 200 && status == 401 && method == "GET" && time.Now().Before(late); {
		got, text = p.do(method, path, authorization, "", more...)
	}
	if got != status {
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

// skip skips a test for want of something, unless CI promised to have it.
func skip(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("GATEWARDEN_REQUIRE_SERVICES") != "" {
		t.Fatalf("GATEWARDEN_REQUIRE_SERVICES is set, but this is missing: %s", why)
	}
	t.Skip(why)
}
