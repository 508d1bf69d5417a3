package interop

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// skip skips a test for want of something, unless CI promised to have it.
func skip(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("GATEWARDEN_REQUIRE_SERVICES") != "" {
		t.Fatal(why)
	}
	t.Skip(why)
}

// node returns the program that runs scripts which import what package.json names.
func node(t *testing.T) string {
	t.Helper()
	program, err := exec.LookPath("node")
	if err != nil {
		skip(t, "no node")
	}
	for _, name := range []string{"jose", "passport-openidconnect"} {
		if _, err := os.Stat("node_modules/" + name + "/package.json"); err != nil {
			skip(t, "no "+name+": run make clients")
		}
	}
	return program
}

// python returns the interpreter that has what requirements.txt names.
func python(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"rest_framework_simplejwt", "authlib"} {
		if found, _ := filepath.Glob(".venv/lib/*/site-packages/" + name); len(found) == 0 {
			skip(t, "no "+name+": run make clients")
		}
	}
	return ".venv/bin/python"
}

// lines is what a process wrote, for the message of a failure.
type lines struct { // embeds no buffer, because package exec would copy past the lock by its ReadFrom
	mu   sync.Mutex
	kept bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.kept.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.kept.String()
}

// serve starts a server that says where it listens, and returns its URL.
func serve(t *testing.T, stdin, program string, args ...string) string {
	t.Helper()
	return serveWith(t, nil, stdin, program, args...)
}

// serveWith is serve with more variables of the environment, such as "NAME=value".
func serveWith(t *testing.T, environment []string, stdin, program string, args ...string) string {
	t.Helper()
	cmd, log := exec.CommandContext(t.Context(), program, args...), &lines{}
	cmd.Stdin, cmd.Stderr = strings.NewReader(stdin), log
	cmd.Env = append(os.Environ(), environment...)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("%s %v:\n%s", program, args, log)
		}
	})
	said := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(out).ReadString('\n')
		said <- line
	}()
	select {
	case line := <-said:
		if url, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on "); ok {
			return url
		}
		t.Fatalf("%s %v says %q", program, args, line)
	case <-time.After(3 * time.Minute):
		t.Fatalf("%s %v does not listen", program, args)
	}
	return ""
}

// outcome runs a script to its end, and decodes the JSON that it prints.
func outcome(t *testing.T, into any, program string, args ...string) {
	t.Helper()
	cmd, log := exec.CommandContext(t.Context(), program, args...), &lines{}
	cmd.Stderr = log
	cmd.Env = append(os.Environ(), "NO_PROXY=127.0.0.1", "no_proxy=127.0.0.1")
	out, err := cmd.Output()
	if err == nil {
		err = json.Unmarshal(out, into)
	}
	if err != nil {
		t.Fatalf("%v: %v\n%s%s", args, err, out, log)
	}
}

var buildDemo = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "gatewarden")
	if err != nil {
		return "", err
	}
	binary := filepath.Join(dir, "demo")
	build := exec.Command("go", "build", "-o", binary, "./demo")
	build.Dir = "../examples"
	if out, err := build.CombinedOutput(); err != nil {
		os.RemoveAll(dir)
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return binary, nil
})

var demoBuilt bool

// demo starts examples/demo as a newcomer does, and returns its URL.
func demo(t *testing.T, args ...string) string {
	t.Helper()
	demoBuilt = true
	binary, err := buildDemo()
	if err != nil {
		t.Fatal(err)
	}
	return serve(t, "", binary, append([]string{"-addr", "127.0.0.1:0", "-db", "memory:"}, args...)...)
}

func TestMain(m *testing.M) {
	code := m.Run()
	if demoBuilt {
		if binary, err := buildDemo(); err == nil {
			os.RemoveAll(filepath.Dir(binary))
		}
	}
	os.Exit(code)
}

// response is an answer that was read.
type response struct {
	status int
	text   string
	body   map[string]any
}

// send sends a request; header is names and values.
func send(t *testing.T, method, url, body string, header ...string) response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
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
	result := response{status: answer.StatusCode, text: string(text)}
	_ = json.Unmarshal(text, &result.body)
	return result
}

// ask posts JSON to a server of ours or of a test, and returns a member of the
// answer, which must be 200.
func ask(t *testing.T, url string, body any, member string) string {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	answer := send(t, "POST", url, string(text), "Content-Type", "application/json")
	if answer.status != http.StatusOK {
		t.Fatalf("%s %s: %d %s", url, text, answer.status, answer.text)
	}
	value, _ := answer.body[member].(string)
	return value
}
