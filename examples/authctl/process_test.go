package main

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// Both programs are tested as processes, as they are used.

var build = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "gatewarden")
	if err != nil {
		return "", err
	}
	if out, err := exec.Command("go", "build", "-o", dir+"/", ".", "../demo").CombinedOutput(); err != nil {
		return dir, fmt.Errorf("%w: %s", err, out)
	}
	return dir, nil
})

func binary(t *testing.T, name string) string {
	t.Helper()
	dir, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, name)
}

func TestMain(m *testing.M) {
	code := m.Run()
	if dir, _ := build(); dir != "" {
		os.RemoveAll(dir)
	}
	os.Exit(code)
}

// result is what a run of authctl left.
type result struct {
	code     int
	out, err string
}

// file is a database, and authctl over it.
type file struct {
	t      *testing.T
	path   string
	server string // the address if it is a database of a server; then path is only where the key is
	issuer string // -issuer of the demo, if it is set
}

func (f file) address() string { return cmp.Or(f.server, "sqlite:"+f.path) }

func (f file) run(args ...string) result {
	f.t.Helper()
	return start(f.t, exec.Command(binary(f.t, "authctl"), append([]string{"-db", f.address()}, args...)...))
}

func start(t *testing.T, cmd *exec.Cmd) result {
	t.Helper()
	var out, errs bytes.Buffer
	if cmd.Stdout == nil {
		cmd.Stdout = &out
	}
	cmd.Stderr = &errs
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return result{cmd.ProcessState.ExitCode(), out.String(), errs.String()}
}

// want runs a command that must succeed, and returns its stdout.
func (f file) want(args ...string) string {
	f.t.Helper()
	r := f.run(args...)
	if r.code != 0 {
		f.t.Fatalf("%v: exit code %d\n%s%s", args, r.code, r.out, r.err)
	}
	return r.out
}

func (f file) issue(args ...string) string {
	f.t.Helper()
	return strings.TrimSuffix(f.want(append([]string{"issue"}, args...)...), "\n")
}

// entry is an object of list -json and audit -json.
type entry struct {
	Kind, ID, Name, IP string
	UserAgent          string `json:"user_agent"`
	Scopes             []string
	Created            string
	LastUsed           *string `json:"last_used"`
	Expiry             *string
	Ended, Reason      string
	HasExpiry          bool `json:"-"` // null, perhaps
}

func (f file) entries(args ...string) (all []entry) {
	f.t.Helper()
	text := f.want(append(args, "-json")...)
	var raw []map[string]any
	if err := errors.Join(json.Unmarshal([]byte(text), &all), json.Unmarshal([]byte(text), &raw)); err != nil ||
		all == nil {
		f.t.Fatalf("%v: %v\n%s", args, err, text)
	}
	for i := range all {
		_, all[i].HasExpiry = raw[i]["expiry"]
	}
	return all
}

// made are the files as the demo leaves them after its first start: the
// database and the application key.
var made = sync.OnceValues(func() (files [2][]byte, err error) {
	dir, err := os.MkdirTemp("", "gatewarden")
	if err != nil {
		return files, err
	}
	defer os.RemoveAll(dir)
	bin, err := build()
	if err != nil {
		return files, err
	}
	d, err := serve(filepath.Join(bin, "demo"), file{path: filepath.Join(dir, "demo.db")})
	if err != nil {
		return files, err
	}
	if err := errors.Join(d.cmd.Process.Signal(syscall.SIGTERM), d.cmd.Wait()); err != nil {
		return files, err
	}
	for i, suffix := range []string{"", ".key"} {
		if files[i], err = os.ReadFile(filepath.Join(dir, "demo.db"+suffix)); err != nil {
			return files, err
		}
	}
	return files, nil
})

func newFile(t *testing.T) file {
	t.Helper()
	content, err := made()
	if err != nil {
		t.Fatal(err)
	}
	f := file{t: t, path: filepath.Join(t.TempDir(), "demo.db")}
	for i, suffix := range []string{"", ".key"} {
		if err := os.WriteFile(f.path+suffix, content[i], 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

// demo is the service, running.
type demo struct {
	t   *testing.T
	cmd *exec.Cmd
	url string
}

func serve(binary string, f file) (*demo, error) {
	d := &demo{cmd: exec.Command(binary, "-addr", "127.0.0.1:0", "-db", f.address(), "-key", f.path+".key",
		"-issuer", f.issuer)}
	stdout, err := d.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := d.cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	var ok bool
	if d.url, ok = strings.CutPrefix(strings.TrimSpace(line), "listening on "); !ok {
		return nil, errors.Join(fmt.Errorf("the demo printed %q", line), err, d.cmd.Process.Kill(), d.cmd.Wait())
	}
	return d, nil
}

func launch(t *testing.T, f file) *demo {
	t.Helper()
	d, err := serve(binary(t, "demo"), f)
	if err != nil {
		t.Fatal(err)
	}
	d.t = t
	t.Cleanup(func() { _ = d.cmd.Process.Kill(); _ = d.cmd.Wait() })
	return d
}

// do sends a form, and a header or "user:password".
func (d *demo) do(method, path, proof string, form ...string) (*http.Response, string) {
	d.t.Helper()
	values := url.Values{}
	for i := 0; i+1 < len(form); i += 2 {
		values.Set(form[i], form[i+1])
	}
	r, err := http.NewRequestWithContext(d.t.Context(), method, d.url+path, strings.NewReader(values.Encode()))
	if err != nil {
		d.t.Fatal(err)
	}
	if len(form) > 0 {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	r.Header.Set("User-Agent", "Firefox/150")
	if name, value, ok := strings.Cut(proof, ": "); ok {
		r.Header.Set(name, value)
	} else if user, password, ok := strings.Cut(proof, ":"); ok {
		r.SetBasicAuth(user, password)
	}
	answer, err := http.DefaultTransport.RoundTrip(r) // which follows no redirect
	if err != nil {
		d.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	return answer, string(text)
}

func (d *demo) want(status int, method, path, proof string, form ...string) (*http.Response, string) {
	d.t.Helper()
	answer, text := d.do(method, path, proof, form...)
	if answer.StatusCode != status {
		d.t.Fatalf("%s %s: %d %s, want %d", method, path, answer.StatusCode, text, status)
	}
	return answer, text
}

func (d *demo) login(who string) string {
	d.t.Helper()
	_, text := d.want(200, "POST", "/auth/login/", who)
	var body struct{ Token string }
	if err := json.Unmarshal([]byte(text), &body); err != nil {
		d.t.Fatal(err)
	}
	return body.Token
}

// signIn returns the header with the session's cookie.
func (d *demo) signIn(name, password string) string {
	d.t.Helper()
	answer, _ := d.want(303, "POST", "/session/login", "", "username", name, "password", password)
	return sessionCookie(d.t, answer)
}

func sessionCookie(t *testing.T, answer *http.Response) string {
	t.Helper()
	for _, cookie := range answer.Cookies() {
		if strings.HasPrefix(cookie.Name, "__Host-session-") && !strings.HasSuffix(cookie.Name, "-notes") {
			return "Cookie: " + cookie.Name + "=" + cookie.Value
		}
	}
	t.Fatalf("no session in %v", answer.Header)
	return ""
}
