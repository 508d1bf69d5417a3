package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/store/transfer"
)

// The copy is tested with the demo as its service, before and after the move.

// long is the form of the tests that `make faults` runs.
var long = os.Getenv("GATEWARDEN_FAULTS") == "full"

// amount returns a number for the short form or the long one.
func amount(short, full int) int {
	if long {
		return full
	}
	return short
}

// copier is a copy between two stores, with its file.
type copier struct {
	from, to file
	state    string
}

func newCopier(t *testing.T, from, to file) copier {
	return copier{from, to, filepath.Join(t.TempDir(), "copy.json")}
}

func (c copier) command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	return exec.Command(binary(t, "authctl"), append([]string{"copy", "-from", c.from.address(), "-to", c.to.address(),
		"-state", c.state}, args...)...)
}

// run makes a run that must end well.
func (c copier) run(t *testing.T, args ...string) result {
	t.Helper()
	r := start(t, c.command(t, args...))
	if r.code != 0 {
		t.Fatalf("copy %v: exit code %d\n%s%s", args, r.code, r.out, r.err)
	}
	return r
}

// refused makes a run that must be refused with a text.
func (c copier) refused(t *testing.T, text string, args ...string) {
	t.Helper()
	if r := start(t, c.command(t, args...)); r.code == 0 || !strings.Contains(r.err, text) {
		t.Errorf("copy %v: exit code %d, %s, want it to be refused with %q", args, r.code, r.err, text)
	}
}

// stop ends the demo as a service manager does.
func (d *demo) stop() {
	d.t.Helper()
	if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		d.t.Fatal(err)
	}
	if err := d.cmd.Wait(); err != nil {
		d.t.Fatalf("the demo ended with %v", err)
	}
}

// pair logs in and returns an access and a refresh token.
func (d *demo) pair(user, password string) (access, refresh string) {
	d.t.Helper()
	return d.pairOf("POST", "/api/token/", "username", user, "password", password)
}

func (d *demo) pairOf(method, path string, form ...string) (access, refresh string) {
	d.t.Helper()
	_, text := d.want(200, method, path, "", form...)
	var body struct{ Access, Refresh string }
	if err := json.Unmarshal([]byte(text), &body); err != nil {
		d.t.Fatal(err)
	}
	return body.Access, body.Refresh
}

// fileOn is an empty SQLite file.
func fileOn(t *testing.T) file { return file{t: t, path: filepath.Join(t.TempDir(), "copy.db")} }

func TestUnitCopyMovesTheRunningDemo(t *testing.T) {
	moves := []struct{ from, to int }{{0, 1}, {0, 3}}
	if long {
		moves = append(moves, []struct{ from, to int }{{1, 2}, {2, 0}, {1, 0}, {3, 0}, {1, 3}, {3, 4}, {4, 1}}...)
	}
	for _, move := range moves {
		from, to := engines[move.from], engines[move.to]
		t.Run("what the demo issued in "+from.name+" works in "+to.name, func(t *testing.T) {
			target := fileOn(t)
			if move.to != 0 {
				target = to.file(t)
			}
			checkMove(t, newCopier(t, from.file(t), target))
		})
	}
}

func checkMove(t *testing.T, c copier) {
	const issuer = "http://127.0.0.1:9999"
	c.from.issuer, c.to.issuer = issuer, issuer
	launch(t, c.from).stop() // it makes the tables
	load(t, c.from, amount(1_000, 100_000))
	before := launch(t, c.from)
	token, revoked, cookie := before.login(alice), before.login(alice), before.signIn("alice", "correct-horse-battery")
	access, refresh := before.pair("alice", "correct-horse-battery")
	_, used := before.pair("alice", "correct-horse-battery")
	before.want(204, "POST", "/session/password", before.signIn("bob", "staple-tractor-lamp"), "old",
		"staple-tractor-lamp",
		"new", "another-lamp-burns")
	if r := c.run(t); !strings.Contains(r.err, "not the last one") {
		t.Errorf("got %s, want to be told that the run is not the last one", r.err)
	}

	// What happens while the service runs on is for the final run.
	before.want(204, "POST", "/auth/logout/", "Authorization: Token "+revoked)
	later := before.login(bob[:4] + "another-lamp-burns")
	_, successor := before.pairOf("POST", "/api/token/refresh/", "refresh", used)
	before.want(204, "POST", "/api/users/carol/enable", admin)
	before.stop()
	began := time.Now()
	r := c.run(t, "-final")
	t.Logf("the final run took %v\n%s", time.Since(began).Round(time.Millisecond), r.out)
	if !regexp.MustCompile(`(?m)^knox tokens +(\d+) +(\d+) `).MatchString(r.out) ||
		!strings.Contains(r.err, "application key") {
		t.Errorf("got %s%s, want a table and what to do next", r.out, r.err)
	}
	c.refused(t, "had its final run")

	key, err := os.ReadFile(c.from.path + ".key")
	if err == nil {
		err = os.WriteFile(c.to.path+".key", key, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	after := launch(t, c.to)
	for _, proof := range []string{"Authorization: Token " + token, "Authorization: Token " + later, cookie,
		"Authorization: Bearer " + access} {
		after.want(200, "GET", "/api/me", proof)
	}
	after.want(401, "GET", "/api/me", "Authorization: Token "+revoked)
	after.want(200, "POST", "/api/token/refresh/", "", "refresh", refresh)
	after.want(200, "POST", "/api/token/refresh/", "", "refresh", successor)
	after.want(401, "POST", "/api/token/refresh/", "", "refresh", used)
	after.want(401, "POST", "/auth/login/", bob)
	after.login("carol:closed-account-99")
	after.want(204, "POST", "/auth/logoutall/", "Authorization: Token "+token)
	after.want(401, "GET", "/api/me", "Authorization: Token "+token)
}

// openRecords opens a store of the demo.
func openRecords(t *testing.T, f file) copyStore {
	t.Helper()
	open := openPlaceSQL
	if strings.HasPrefix(f.address(), "redis:") {
		open = openPlaceRedis
	}
	records, err := open(t.Context(), &call{db: f.address()}, false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := records.Close(); err != nil {
			t.Error(err)
		}
	})
	return records
}

// load puts tokens into a store of the demo.
func load(t *testing.T, f file, n int) {
	t.Helper()
	records := openRecords(t, f)
	now := time.Now().UTC().Truncate(time.Microsecond)
	for n > 0 {
		tokens := make([]transfer.Record, min(n, 1000))
		for i := range tokens {
			user := fmt.Sprintf("user%d", i)
			digest := backend.TokenDigest(backend.NewToken("demo_", user, backend.DefaultTokenLength), "demo_")
			tokens[i] = transfer.KnoxToken{Record: &knox.Record{UserID: user, ID: backend.NewIDOf(user), Digest: digest,
				Created: now, ExpiresAt: now.Add(time.Hour)}}
		}
		if added, err := records.Import(t.Context(), transfer.KnoxTokens, tokens, now); err != nil ||
			added != len(tokens) {
			t.Fatalf("%d were added: %v", added, err)
		}
		n -= len(tokens)
	}
}

// kept reads the file of a copy.
func (c copier) kept(t *testing.T) (f copyFile) {
	t.Helper()
	text, err := os.ReadFile(c.state)
	if os.IsNotExist(err) {
		return f
	}
	if err == nil {
		err = json.Unmarshal(text, &f)
	}
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestUnitCopyGoesOnAfterKill9(t *testing.T) {
	tokens := amount(10_000, 100_000)
	c := newCopier(t, newFile(t), engines[1].file(t))
	load(t, c.from, tokens)
	cmd := c.command(t)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	deadline := time.After(time.Minute)
	for c.kept(t).State.After == "" {
		select {
		case err := <-ended:
			t.Fatalf("the copy ended before it could be killed: %v", err)
		case <-deadline:
			t.Fatal("the copy keeps no position")
		case <-time.After(time.Millisecond):
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-ended
	killed := c.kept(t)
	if killed.State.Kind != transfer.KnoxTokens || killed.State.Runs != 0 {
		t.Fatalf("got the state %+v, want it to be in the tokens", killed.State)
	}
	r := c.run(t)
	added := 0
	if _, err := fmt.Sscanf(line(r.out, "knox tokens"), "%d %d %d", new(int), new(int), &added); err != nil ||
		added == 0 ||
		added >= tokens {
		t.Errorf("got %d tokens that the second run added, want a part of %d: %v\n%s", added, tokens, err, r.out)
	}
	began := time.Now()
	r = c.run(t, "-final")
	t.Logf("a final run that compares %d tokens took %v", tokens, time.Since(began).Round(time.Millisecond))
	want := fmt.Sprintf("%d %d 0 0 0 %d", tokens, tokens, tokens)
	if got := line(r.out, "knox tokens"); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// line returns the numbers of a line of a table.
func line(table, name string) string {
	for text := range strings.Lines(table) {
		if rest, ok := strings.CutPrefix(text, name+" "); ok {
			return strings.Join(strings.Fields(rest), " ")
		}
	}
	return ""
}

func TestUnitCopyRefuses(t *testing.T) {
	from := newFile(t)
	t.Run("a target that the demo has used", func(t *testing.T) {
		newCopier(t, from, newFile(t)).refused(t, "the target has data already")
	})
	t.Run("a target with one token and no users", func(t *testing.T) {
		c := newCopier(t, from, engines[1].file(t))
		load(t, c.to, 1)
		c.refused(t, "the target has data already, which this copy did not write: 1 knox tokens", "-final")
	})
	t.Run("a source that is not there, and makes no file", func(t *testing.T) {
		c := newCopier(t, fileOn(t), fileOn(t))
		c.refused(t, "-from: ")
		if _, err := os.Stat(c.from.path); err == nil {
			t.Error("got a file, want none")
		}
	})
	t.Run("the file of another copy", func(t *testing.T) {
		c := newCopier(t, from, fileOn(t))
		c.run(t)
		c.to = fileOn(t)
		c.refused(t, "belongs to a copy between other stores")
	})
	t.Run("a file that is none of a copy", func(t *testing.T) {
		c := newCopier(t, from, fileOn(t))
		if err := os.WriteFile(c.state, []byte("no JSON"), 0o600); err != nil {
			t.Fatal(err)
		}
		c.refused(t, "is not the file of a copy")
	})
	t.Run("a target in which a service issued something between the runs", func(t *testing.T) {
		c := newCopier(t, from, fileOn(t))
		c.run(t)
		c.to.issue("alice")
		c.refused(t, "a service has changed the target: knox tokens, key ", "-final")
	})
	t.Run("one store as both", func(t *testing.T) {
		c := newCopier(t, from, fileOn(t))
		c.to.path = c.from.path
		c.refused(t, "the same store")
	})
	t.Run("a row that cannot be read, by its kind and key", func(t *testing.T) {
		c := newCopier(t, newFile(t), fileOn(t))
		c.from.issue("alice")
		c.from.apply("UPDATE gatewarden_knox_tokens SET amr = '[not JSON'")
		c.refused(t, "a record of knox tokens cannot be read, its key is ")
		c.from.apply("UPDATE gatewarden_knox_tokens SET amr = '[]'")
		c.run(t)
	})
}
