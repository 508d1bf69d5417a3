package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatewarden/auth/examples/internal/database"
	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/password"
	"github.com/gatewarden/auth/session"
	"github.com/gatewarden/auth/store/sqlstore"
)

const alice, bob, admin = "alice:correct-horse-battery", "bob:staple-tractor-lamp", "admin:only-for-the-demo"

func TestTheRunningDemoAndTheCLIShareAStore(t *testing.T) {
	for _, engine := range engines {
		t.Run(engine.name, func(t *testing.T) { checkShared(t, engine.file(t)) })
	}
}

func checkShared(t *testing.T, f file) {
	d := launch(t, f)

	t.Run("a token issued here is good there, as what it was issued, until it is revoked here", func(t *testing.T) {
		f.t, d.t = t, t
		token := f.issue("alice", "-name", "nightly", "-scopes", "reports:read")
		_, text := d.want(200, "GET", "/api/me", "Authorization: Token "+token)
		if strings.TrimSpace(text) != `{"user":"alice","backend":"knox","scopes":["reports:read"]}` {
			t.Errorf("/api/me: %s", text)
		}
		d.want(200, "GET", "/api/reports", "Authorization: Bearer "+token)
		d.want(403, "POST", "/api/reports", "Authorization: Bearer "+token)
		all := f.entries("list", "alice")
		// The demo writes last uses about once a second.
		for deadline := time.Now().Add(30 * time.Second); len(all) == 1 && all[0].LastUsed == nil &&
			time.Now().Before(deadline); {
			<-time.After(20 * time.Millisecond)
			all = f.entries("list", "alice")
		}
		if len(all) != 1 || all[0].Name != "nightly" || all[0].LastUsed == nil {
			t.Fatalf("list: %+v", all)
		}
		f.want("revoke", "alice", all[0].ID)
		d.want(401, "GET", "/api/me", "Authorization: Token "+token)
		if all := f.entries("list", "alice"); len(all) != 0 {
			t.Errorf("list: %+v", all)
		}
	})
	t.Run("a session of a browser is listed and ended", func(t *testing.T) {
		f.t, d.t = t, t
		cookie := d.signIn("alice", "correct-horse-battery")
		d.want(200, "GET", "/api/me", cookie)
		all := f.entries("list", "alice")
		if len(all) != 1 || all[0].Kind != "session" || all[0].UserAgent != "Firefox/150" || all[0].IP != "127.0.0.1" ||
			all[0].Scopes != nil {
			t.Fatalf("list: %+v", all)
		}
		if out := f.want("revoke", "alice", all[0].ID); out != "session "+all[0].ID+" of alice has ended\n" {
			t.Errorf("revoke: %s", out)
		}
		d.want(401, "GET", "/api/me", cookie)
	})
	t.Run("-all ends what either issued, and nothing of others", func(t *testing.T) {
		f.t, d.t = t, t
		other := "Authorization: Token " + d.login(bob)
		proofs := []string{"Authorization: Token " + d.login(alice), "Authorization: Token " + f.issue("alice"),
			d.signIn("alice", "correct-horse-battery")}
		for _, proof := range proofs {
			d.want(200, "GET", "/api/me", proof)
		}
		f.want("revoke", "-all", "alice")
		for _, proof := range proofs {
			d.want(401, "GET", "/api/me", proof)
		}
		d.want(200, "GET", "/api/me", other)
	})
	t.Run("a changed password ends what was issued before, not what is issued after", func(t *testing.T) {
		f.t, d.t = t, t
		before := "Authorization: Token " + f.issue("bob")
		cookie := d.signIn("bob", "staple-tractor-lamp")
		d.want(204, "POST", "/session/password", cookie, "old", "staple-tractor-lamp", "new", "another-lamp-burns")
		after := "Authorization: Token " + f.issue("bob")
		d.want(401, "GET", "/api/me", before)
		d.want(200, "GET", "/api/me", after)
	})
	t.Run("a user who is switched off there gets nothing here, and what they have is listed with a warning",
		func(t *testing.T) {
			f.t, d.t = t, t
			token := "Authorization: Token " + f.issue("bob", "-name", "kept")
			d.want(204, "POST", "/api/users/bob/disable", admin)
			d.want(401, "GET", "/api/me", token)
			if r := f.run("issue", "bob"); r.code != 1 || r.out != "" || r.err != "authctl: \"bob\" is inactive\n" {
				t.Errorf("issue: %+v", r)
			}
			if r := f.run("list", "bob"); r.code != 0 || !strings.Contains(r.out, "kept") ||
				!strings.HasPrefix(r.err, "bob is inactive") {
				t.Errorf("list: %+v", r)
			}
			d.want(204, "POST", "/api/users/bob/enable", admin)
			d.want(200, "GET", "/api/me", token)
		})
	t.Run("the keys that sign are listed and replaced", func(t *testing.T) {
		f.t, d.t = t, t
		before := f.want("keys", "list", "-key", f.path+".key")
		if after := f.want("keys", "rotate", "-key", f.path+".key"); strings.Count(after, "\n") <= strings.Count(
			before, "\n") {
			t.Errorf("keys were %s\nand are %s, want one more", before, after)
		}
	})
	t.Run("a client is added, changed, disabled and deleted", func(t *testing.T) {
		f.t, d.t = t, t
		f.want("clients", "add", "-id", "nightly", "-name", "Nightly", "-redirect", "http://127.0.0.1/callback")
		f.want("clients", "change", "nightly", "-name", "Hourly")
		if text := f.want("clients", "show", "nightly"); !strings.Contains(text, "Hourly") {
			t.Errorf("got %s, want the new name", text)
		}
		f.want("clients", "disable", "nightly")
		f.want("clients", "delete", "nightly")
		if text := f.want("clients", "list"); strings.Contains(text, "nightly") || !strings.Contains(text, "demo-web") {
			t.Errorf("got %s, want the others alone", text)
		}
	})
	t.Run("what ended is told", func(t *testing.T) {
		f.t, d.t = t, t
		f.issue("admin", "-name", "short")
		f.want("revoke", "admin", "-all")
		if text := f.want("audit", "admin"); !strings.Contains(text, "short") {
			t.Errorf("got %s, want the token that ended", text)
		}
	})
	t.Run("both write at once, and nobody fails", func(t *testing.T) {
		f.t, d.t = t, t
		f.want("revoke", "alice", "-all")
		cookie := d.signIn("alice", "correct-horse-battery")
		var wg sync.WaitGroup
		for range 6 {
			wg.Go(func() {
				if r := f.run("issue", "alice"); r.code != 0 {
					t.Errorf("authctl issue alice: got %+v, want exit code 0", r)
				}
			})
			wg.Go(func() {
				if answer, text := d.do("POST", "/auth/login/", cookie); answer.StatusCode != 200 {
					t.Errorf("do: got %d, %s, want status 200", answer.StatusCode, text)
				}
			})
			wg.Go(func() {
				if r := f.run("purge"); r.code != 0 {
					t.Errorf("authctl purge: got %+v, want exit code 0", r)
				}
			})
		}
		wg.Wait()
		if all := f.entries("list", "alice"); len(all) != 13 {
			t.Errorf("%d tokens and sessions, want 12 and one", len(all))
		}
	})
}

func TestIssue(t *testing.T) {
	f := newFile(t)
	for _, row := range []struct {
		name, args string
		lives      time.Duration // 0 is for ever
		scopes     []string
	}{
		{"lives 10 hours and is unlimited if nothing is said", "issue alice", 10 * time.Hour, nil},
		{"lives as long as -ttl says", "issue alice -ttl 90m", 90 * time.Minute, nil},
		{"never expires with -no-expiry", "issue -no-expiry alice", 0, nil},
		{"is limited to -scopes", "issue alice -scopes reports:write", 10 * time.Hour, []string{"reports:write"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			f.t = t
			f.want("revoke", "alice", "-all")
			r := f.run(append(strings.Fields(row.args), "-name", "for CI")...)
			if r.code != 0 || !regexp.MustCompile(`^demo_[0-9A-Za-z]{40}\n$`).MatchString(r.out) {
				t.Fatalf("authctl: got %+v, want exit code 0 and a match of %s", r, `^demo_[0-9A-Za-z]{40}\n$`)
			}
			if strings.Contains(r.err, strings.TrimSpace(r.out)) {
				t.Error("the secret is on stderr, too")
			}
			all := f.entries("list", "alice")
			if len(all) != 1 || all[0].Name != "for CI" || all[0].Kind != "token" || all[0].UserAgent != "authctl" ||
				all[0].LastUsed != nil ||
				!slices.Equal(all[0].Scopes, row.scopes) || !strings.Contains(r.err, all[0].ID) {
				t.Fatalf("%+v\n%s", all, r.err)
			}
			if row.lives == 0 {
				if all[0].Expiry != nil || !all[0].HasExpiry {
					t.Errorf("got %+v, want no expiry, told as null", all[0])
				}
				return
			}
			created, err1 := time.Parse(time.RFC3339, all[0].Created)
			expiry, err2 := time.Parse(time.RFC3339, *all[0].Expiry)
			if err1 != nil || err2 != nil || expiry.Sub(created) != row.lives {
				t.Errorf("%v to %v", created, expiry)
			}
		})
	}
}

func TestASecretThatNobodyCouldReadIsRevoked(t *testing.T) {
	reader, closed, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	reader.Close()
	outputs := map[string]*os.File{"the reader went away": closed}
	if full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0); err == nil {
		outputs["the disk is full"] = full
	}
	for name, output := range outputs {
		t.Run(name, func(t *testing.T) {
			defer output.Close()
			f := newFile(t)
			cmd := exec.Command(binary(t, "authctl"), "-db", "sqlite:"+f.path, "issue", "alice")
			cmd.Stdout = output
			if r := start(t, cmd); r.code != 1 || !strings.Contains(r.err, "nobody could read the secret") {
				t.Errorf("authctl: got %+v, want exit code 1 and \"nobody could read the secret\" in it", r)
			}
			if all := f.entries("list", "alice"); len(all) != 0 {
				t.Errorf("entries: got %+v, want an empty list", all)
			}
		})
	}
}

func TestWhatCannotBeDoneSaysSo(t *testing.T) {
	f := newFile(t)
	f.issue("alice")
	before := f.want("list", "alice", "-json")
	for _, row := range []struct {
		name string
		args []string
		code int
		says string
	}{
		{"nobody by that name gets a token", []string{"issue", "nobody"}, 1, `there is no user "nobody"`},
		{"an inactive user gets none", []string{"issue", "carol"}, 1, `"carol" is inactive`},
		{"nobody by that name has a list", []string{"list", "nobody"}, 1, `there is no user "nobody"`},
		{"nor a past", []string{"audit", "nobody"}, 1, `there is no user "nobody"`},
		{"nor anything to end", []string{"revoke", "nobody", "-all"}, 1, `there is no user "nobody"`},
		{"an identifier of nobody's user", []string{"revoke", "nobody", "x"}, 1, `there is no user "nobody"`},
		{"an identifier that is not there", []string{"revoke", "alice", "x"}, 1,
			`"alice" has no token, session, login or grant "x"`},
		{"an empty one", []string{"revoke", "alice", ""}, 1, `"alice" has no token, session, login or grant ""`},
		{"one that looks like a flag, after --", []string{"revoke", "--", "alice", "-all"}, 1,
			`"alice" has no token, session, login or grant "-all"`},
		{"a user who looks like a flag, after --", []string{"list", "--", "-json"}, 1, `there is no user "-json"`},
		{"an empty user", []string{"issue", ""}, 1, `there is no user ""`},

		{"no command", nil, 2, "a command is missing"},
		{"a command that there is not", []string{"create"}, 2, `there is no command "create"`},
		{"no user", []string{"issue"}, 2, "an argument is missing"},
		{"two users", []string{"list", "alice", "bob"}, 2, `one argument too many: "bob"`},
		{"purge of something", []string{"purge", "alice"}, 2, `one argument too many: "alice"`},
		{"a flag that there is not", []string{"issue", "alice", "-admin"}, 2, "not defined: -admin"},
		{"a store after the command", []string{"list", "-db", "sqlite:other.db", "alice"}, 2,
			"-db goes before the command"},
		{"a channel after the command", []string{"revoke", "alice", "-all", "-notify", "ended"}, 2,
			"-notify goes before the command"},
		{"revoke of nothing", []string{"revoke", "alice"}, 2, "want either an ID or -all"},
		{"revoke of one and all", []string{"revoke", "alice", "x", "-all"}, 2, "want either an ID or -all"},
		{"an empty -scopes, which would not limit", []string{"issue", "alice", "-scopes", " "}, 2,
			"-scopes names no scope"},
		{"a scope that there is not", []string{"issue", "alice", "-scopes", "reports:read reports:raed"}, 2,
			`there is no scope "reports:raed"`},
		{"a life of nothing", []string{"issue", "alice", "-ttl", "0"}, 2, "less than a second"},
		{"a life without a unit", []string{"issue", "alice", "-ttl", "10"}, 2, `invalid value "10"`},
		{"a life that both ends and does not", []string{"issue", "alice", "-ttl", "1h", "-no-expiry"}, 2, "contradict"},
		{"a store that two programs cannot share", []string{"-db", "memory:", "purge"}, 2, "want sqlite:PATH"},
	} {
		t.Run(row.name, func(t *testing.T) {
			f.t = t
			r := f.run(row.args...)
			if r.code != row.code || r.out != "" || !strings.HasPrefix(r.err, "authctl: ") ||
				!strings.Contains(r.err, row.says) {
				t.Errorf("%+v\nwant %d, %s", r, row.code, row.says)
			}
			if usage := strings.Contains(r.err, "usage:"); usage != (row.code == 2) {
				t.Errorf("usage shown: %v", usage)
			}
			if after := f.want("list", "alice", "-json"); after != before {
				t.Errorf("what alice has changed:\n%s\n%s", before, after)
			}
		})
	}
	t.Run("-h is no mistake", func(t *testing.T) {
		f.t = t
		for _, args := range [][]string{{"-h"}, {"issue", "-h"}} {
			if r := f.run(args...); r.code != 0 || !strings.HasPrefix(r.out, "usage:") || r.err != "" {
				t.Errorf("authctl: got %+v, want exit code 0 and the prefix \"usage:\" and no error output", r)
			}
		}
	})
}

func TestAFileThatIsNotTheServicesIsLeftAlone(t *testing.T) {
	for _, row := range []struct{ name, content, says string }{
		{"a missing one is not made", "", "no such file"},
		{"one of text stays as it is", "a poem, at least as long as the header of a database file of SQLite would " +
			"be, which has a hundred bytes.\n", "not a database"},
	} {
		t.Run(row.name, func(t *testing.T) {
			f := file{t: t, path: filepath.Join(t.TempDir(), "demo.db")}
			if row.content != "" {
				if err := os.WriteFile(f.path, []byte(row.content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			for _, args := range [][]string{{"issue", "alice"}, {"list", "alice"}, {"revoke", "alice", "-all"},
				{"audit", "alice"}, {"purge"}} {
				if r := f.run(args...); r.code != 1 || r.out != "" || !strings.Contains(r.err, row.says) {
					t.Errorf("%v: authctl: got %+v, want exit code 1 and no output and %q in it", args, r, row.says)
				}
			}
			content, err := os.ReadFile(f.path)
			if (err == nil) != (row.content != "") || string(content) != row.content {
				t.Errorf("the file is %q, %v", content, err)
			}
		})
	}
	t.Run("a database of another program gets no tables", func(t *testing.T) {
		f := file{t: t, path: filepath.Join(t.TempDir(), "other.db")}
		db, err := sqlstore.OpenSQLite(t.Context(), "sqlite", f.path, sqlstore.Config{})
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if r := f.run("purge"); r.code != 1 || !strings.Contains(r.err, "the users cannot be read") {
			t.Errorf("authctl purge: got %+v, want exit code 1 and \"the users cannot be read\" in it", r)
		}
		var tables int
		if err := db.Reader().QueryRowContext(t.Context(), "SELECT COUNT(*) FROM sqlite_master").
			Scan(&tables); err != nil || tables != 0 {
			t.Errorf("%d tables, %v", tables, err)
		}
	})
}

// library opens the file in the test, for what no command makes.
func library(t *testing.T, f file) *service {
	t.Helper()
	s, err := open(t.Context(), &call{db: "sqlite:" + f.path}, true)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.db.Close() })
	return s
}

// sql is the database of the stores.
func (s *service) sql() *database.DB { return s.db.(*database.DB) }

func (s *service) signIn(t *testing.T, name, userAgent string) {
	t.Helper()
	u, err := s.users.find(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "https://app.example/", nil)
	r.Header.Set("User-Agent", userAgent)
	if _, err := s.sessions.SignIn(httptest.NewRecorder(), r, u, session.Options{}); err != nil {
		t.Fatal(err)
	}
}

// logIn starts a login by JWT.
func (s *service) logIn(t *testing.T, name, id string) {
	t.Helper()
	now := time.Now().UTC().Truncate(time.Microsecond)
	if _, err := s.logins.Start(t.Context(), &jwt.Session{ID: id, UserID: name, Created: now, LastUsed: now,
		ExpiresAt: now.Add(time.Hour), MaxExpiresAt: now.Add(time.Hour), UserAgent: "app/1"},
		&jwt.Refresh{Digest: id, SessionID: id, Issued: now, ExpiresAt: now.Add(time.Hour)}, nil, 0,
		false); err != nil {
		t.Fatal(err)
	}
}

func TestLoginsByJWTAreListedAndEnded(t *testing.T) {
	f := newFile(t)
	s := library(t, f)
	s.logIn(t, "alice", "one")
	s.logIn(t, "alice", "two")
	all := f.entries("list", "alice")
	if len(all) != 2 || all[0].Kind != "login" || all[0].UserAgent != "app/1" || all[0].Expiry == nil {
		t.Fatalf("entries: got %+v, want 2 entries and Kind \"login\" and UserAgent \"app/1\" and an Expiry", all)
	}
	if out := f.want("revoke", "alice", "one"); !strings.Contains(out, "login one of alice has ended") {
		t.Errorf("authctl revoke alice one: got %v, want \"login one of alice has ended\" in it", out)
	}
	if all := f.entries("list", "alice"); len(all) != 1 || all[0].ID != "two" {
		t.Errorf("entries: got %+v, want 1 entry and ID \"two\"", all)
	}
	if r := f.run("revoke", "bob", "two"); r.code != 1 {
		t.Errorf("authctl revoke bob two: got %+v, want exit code 1", r)
	}
}

func TestKeysAreShownAndReplaced(t *testing.T) {
	f := newFile(t)
	launch(t, f) // makes the application key, and the first one
	line := func(out, state string) (id string) {
		t.Helper()
		for text := range strings.Lines(out) {
			fields := strings.Fields(text)
			if len(fields) > 2 && fields[0] == state && fields[1] == "ES256" {
				id = fields[2]
			}
		}
		return id
	}
	first := line(f.want("keys", "list"), "signing")
	out := f.want("keys", "rotate")
	second := line(out, "published")
	if first == "" || second == "" || line(out, "signing") != first {
		t.Fatalf("keys rotate: got %s, want the first key to sign and a second one published", out)
	}
	if out := f.want("keys", "promote", second); line(out, "signing") != second || line(out, "verifying") != first {
		t.Errorf("authctl: got %v, want signing %s and verifying %s", out, second, first)
	}
	if out := f.want("keys", "retire", first); line(out, "dead") != first {
		t.Errorf("authctl: got %v, want dead %s", out, first)
	}
	for _, args := range [][]string{{"keys"}, {"keys", "list", "x"}, {"keys", "promote"}, {"keys", "burn"}} {
		if r := f.run(args...); r.code != 2 {
			t.Errorf("%v: authctl: got %+v, want exit code 2", args, r)
		}
	}
	for _, args := range [][]string{{"keys", "retire", "x"}, {"keys", "promote", first},
		{"keys", "list", "-key", "/nowhere"}} {
		if r := f.run(args...); r.code != 1 {
			t.Errorf("%v: authctl: got %+v, want exit code 1", args, r)
		}
	}
}

func TestAnIdentifierThatLooksLikeAFlagIsAnArgument(t *testing.T) {
	f := newFile(t)
	s := library(t, f)
	ring, err := s.keyring(t.Context(), f.path+".key")
	if err != nil {
		t.Fatal(err)
	}
	var key *jwt.Key
	for key == nil || key.ID()[0] != '-' {
		if key, err = jwt.GenerateKey(jwt.ES256); err != nil {
			t.Fatal(err)
		}
	}
	now := time.Now()
	if err := ring.Add(t.Context(), key, now.Add(time.Hour), now); err != nil {
		t.Fatal(err)
	}
	file := f.path + ".key"
	for _, args := range [][]string{{"promote", key.ID()}, {"promote", "-key", file, key.ID()},
		{"-key=" + file, "promote", key.ID()},
		{"promote", key.ID(), "-key", file}, {"promote", "--", key.ID()}, {"retire", key.ID()}} {
		if out := f.want(append([]string{"keys"}, args...)...); !strings.Contains(out, key.ID()) {
			t.Errorf("%v: authctl: got %s, want %q in it", args, out, key.ID())
		}
	}
	if r := f.run("keys", "promote", "-x"); r.code != 2 {
		t.Errorf("authctl keys promote -x: got %+v, want exit code 2", r)
	}
}

func TestPurgeCountsWhatHasExpiredAndLeavesTheRest(t *testing.T) {
	f, ctx, now := newFile(t), t.Context(), time.Now().UTC()
	s := library(t, f)
	past, future := now.Add(-time.Hour), now.Add(time.Hour)

	kept := f.issue("alice")
	for range 3 {
		if _, err := s.tokens.Issue(ctx, "alice", knox.Options{TTL: time.Microsecond}); err != nil {
			t.Fatal(err)
		}
	}
	for i, expires := range []time.Time{past, past, future} {
		id := string(rune('a' + i))
		if _, err := s.session.Add(ctx, &session.Record{Digest: id, ID: id, UserID: "alice", Created: past,
			LastUsed:  past,
			ExpiresAt: expires, Idle: time.Hour, MaxExpiresAt: expires}, "", 0, false, past); err != nil {
			t.Fatal(err)
		}
		if err := s.links.Add(ctx, &password.OneTimeRecord{Digest: id, UserID: "alice", Purpose: password.PurposeReset,
			Created: past, ExpiresAt: expires}, 5, past.Add(-time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	for i, expires := range []time.Time{past, future} {
		id := string(rune('a' + i))
		if _, err := s.logins.Start(ctx, &jwt.Session{ID: id, UserID: "bob", Created: past, LastUsed: past,
			ExpiresAt: expires, MaxExpiresAt: expires},
			&jwt.Refresh{Digest: id, SessionID: id, Issued: past, ExpiresAt: expires}, nil, 0, false); err != nil {
			t.Fatal(err)
		}
	}
	for id, expires := range map[string]time.Time{"old": past, "new": future} {
		if _, err := s.attempts.PutOnce(ctx, id, expires, past); err != nil {
			t.Fatal(err)
		}
	}
	s.grant(t, "bob", "old", past)
	s.grant(t, "bob", "new", future)
	keys := make([]string, 700) // more than a batch
	for i := range keys {
		keys[i] = string(rune(0x4e00 + i))
	}
	if err := s.throttle.Update(ctx, keys, past, func(counters []password.Counter) {
		for i := range counters {
			counters[i] = password.Counter{Failures: 1, ExpiresAt: past.Add(time.Second)}
		}
		counters[0].ExpiresAt = future
	}); err != nil {
		t.Fatal(err)
	}

	for _, want := range []string{
		"tokens             3\nsessions           2\nlogins             1\ngrants             1\nattempts           " +
			"1\nthrottle counters  699\none-time tokens    2\n",
		"tokens             0\nsessions           0\nlogins             0\ngrants             0\nattempts           " +
			"0\nthrottle counters  0\none-time tokens    0\n",
	} {
		if out := f.want("purge"); out != want {
			t.Errorf("%s\nwant\n%s", out, want)
		}
	}
	if all := f.entries("list", "alice"); len(all) != 1 || all[0].Kind != "token" {
		t.Errorf("entries: got %+v, want 1 entry and Kind \"token\"", all)
	}
	if left, err := s.session.List(ctx, "alice", "", 10, past); err != nil || len(left) != 1 || left[0].ID != "c" {
		t.Errorf("sessions left: %v, %v", left, err)
	}
	if _, _, err := s.tokens.VerifyToken(ctx, kept); err != nil {
		t.Error(err)
	}
}

func TestRevokeAll(t *testing.T) {
	const four = "one-time tokens  1\nsessions         1\nlogins           1\ngrants           1\ntokens           2\n"
	for _, row := range []struct {
		name  string
		first func(ctx context.Context, s *service) error // before the command
	}{
		{"ends tokens, sessions and links sent by mail", nil},
		{"also of a user who is inactive", func(ctx context.Context, s *service) error {
			_, err := s.sql().Writer().ExecContext(ctx, "UPDATE demo_users SET active = 0 WHERE name = 'alice'")
			return err
		}},
		{"also of a user who is gone", func(ctx context.Context, s *service) error {
			_, err := s.sql().Writer().ExecContext(ctx, "DELETE FROM demo_users WHERE name = 'alice'")
			return err
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			f := newFile(t)
			s := library(t, f)
			f.issue("alice")
			f.issue("alice", "-no-expiry")
			s.signIn(t, "alice", "Firefox/150")
			s.logIn(t, "alice", "1")
			s.grant(t, "alice", "1", time.Now().Add(time.Hour))
			if _, err := s.oneTime.Issue(t.Context(), "alice", password.PurposeReset, ""); err != nil {
				t.Fatal(err)
			}
			if row.first != nil {
				if err := row.first(t.Context(), s); err != nil {
					t.Fatal(err)
				}
			}
			if out := f.want("revoke", "alice", "-all"); out != four {
				t.Errorf("%s\nwant\n%s", out, four)
			}
			for _, table := range []string{"knox_tokens", "sessions", "onetime"} {
				var left int
				if err := s.sql().Reader().QueryRowContext(t.Context(), "SELECT COUNT(*) FROM gatewarden_"+table).
					Scan(&left); err != nil || left != 0 {
					t.Errorf("%s: %d left, %v", table, left, err)
				}
			}
			if void, err := s.logins.Revoked(t.Context(), jwt.Claimed{UserID: "alice"}, time.Now()); !void ||
				err != nil {
				t.Errorf("access tokens are good: %v", err)
			}
		})
	}
	t.Run("of a user who has nothing is done already", func(t *testing.T) {
		f := newFile(t)
		if out := f.want("revoke", "alice", "-all"); strings.Count(out, " 0\n") != 5 {
			t.Errorf("revoke alice -all: got %s, want 5 lines with the count 0", out)
		}
	})
	t.Run("one at a time works for a user who is gone, too", func(t *testing.T) {
		f := newFile(t)
		f.issue("alice")
		id := f.entries("list", "alice")[0].ID
		s := library(t, f)
		if _, err := s.sql().Writer().ExecContext(t.Context(), "DELETE FROM demo_users"); err != nil {
			t.Fatal(err)
		}
		f.want("revoke", "alice", id)
	})
	t.Run("the identifier of somebody else's token ends nothing", func(t *testing.T) {
		f := newFile(t)
		f.issue("alice")
		id := f.entries("list", "alice")[0].ID
		if r := f.run("revoke", "bob", id); r.code != 1 {
			t.Errorf("authctl: got %+v, want exit code 1", r)
		}
		if len(f.entries("list", "alice")) != 1 {
			t.Error("it has ended")
		}
	})
}

func TestAuditTellsWhatEndedAndWhy(t *testing.T) {
	f := newFile(t)
	if r := f.run("audit", "alice", "-json"); r.code != 0 || r.out != "[]\n" ||
		!strings.Contains(r.err, "nothing is kept") {
		t.Errorf("authctl audit alice -json: got %+v, want exit code 0 and out %v and \"nothing is kept\" in it", r,
			"[]\n")
	}
	f.issue("alice", "-name", "first", "-scopes", "reports:read")
	id := f.entries("list", "alice")[0].ID
	f.want("revoke", "alice", id)
	f.issue("alice", "-name", "second")
	f.want("revoke", "alice", "-all")
	if _, err := library(t, f).tokens.Issue(t.Context(), "alice",
		knox.Options{Name: "third", TTL: time.Microsecond}); err != nil {
		t.Fatal(err)
	}
	f.want("purge")
	f.issue("alice", "-name", "good")

	all := f.entries("audit", "alice")
	var got []string
	for _, e := range all {
		got = append(got, e.Name+" "+e.Reason)
		if e.Ended == "" || e.HasExpiry {
			t.Errorf("got %+v, want an entry with an end and without an expiry", e)
		}
	}
	if want := []string{"third expired", "second revoked_all", "first revoked"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if first := all[2]; first.ID != id || !slices.Equal(first.Scopes, []string{"reports:read"}) {
		t.Errorf("got %+v, want ID %v and Scopes [reports:read]", first, id)
	}
	table := f.want("audit", "alice")
	want := regexp.MustCompile(`(?m)^ID +NAME +CREATED .*\n.*third.* expired .*\n.*second.* revoked_all .*\n` +
		`.*first .* revoked .* reports:read$`)
	if !want.MatchString(table) {
		t.Errorf("authctl audit alice: got %v, want a match of %s", table, want)
	}
}

func TestTheTable(t *testing.T) {
	f := newFile(t)
	s := library(t, f)
	f.issue("alice", "-name", "nightly build", "-no-expiry")
	f.issue("alice", "-scopes", "reports:read reports:write")
	s.signIn(t, "alice", "\u009b31mEvil\u2028\x1b]0;owned\a "+strings.Repeat("long ", 20))

	const at = `\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`
	const id = `[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}`
	for _, row := range []struct{ name, pattern string }{
		{"has a head", `(?m)\AKIND +ID +NAME +CREATED +LAST USED +EXPIRES +IP +SCOPES$`},
		{"has a line for a token", `(?m)^token +` + id + ` +nightly build +` + at + ` +never +never +- +unlimited$`},
		{"shows what issued it where there is no name", `(?m)^token +` + id + ` +authctl +` + at + ` +never +` + at +
			` +- +reports:read reports:write$`},
		{"cuts user agents short, and takes out what commands a terminal",
			`(?m)^session +` + id + ` +31mEvil\?\]0;owned [long ]+… +` + at + ` +` + at + ` +` + at +
				` +192\.0\.2\.1 +unlimited$`},
	} {
		t.Run(row.name, func(t *testing.T) {
			f.t = t
			if out := f.want("list", "alice"); !regexp.MustCompile(row.pattern).MatchString(out) {
				t.Errorf("authctl list alice: got %v, want a match of %s", out, row.pattern)
			}
		})
	}
	t.Run("an empty list is an array for programs", func(t *testing.T) {
		f.t = t
		if out := f.want("list", "bob", "-json"); out != "[]\n" {
			t.Errorf("authctl list bob -json: got %v, want %q", out, "[]\n")
		}
	})
}

func TestNoCommandPrintsASecretButThatOfIssue(t *testing.T) {
	f := newFile(t)
	s := library(t, f)
	secret := f.issue("alice", "-name", "one")
	s.signIn(t, "alice", "Firefox/150")
	link, err := s.oneTime.Issue(t.Context(), "alice", password.PurposeReset, "alice@example.com")
	if err != nil {
		t.Fatal(err)
	}
	secrets := []string{secret, link.Reveal()}
	for _, query := range []string{"SELECT encoded FROM demo_users", "SELECT digest FROM gatewarden_knox_tokens",
		"SELECT stamp FROM gatewarden_knox_tokens",
		"SELECT digest FROM gatewarden_sessions", "SELECT stamp FROM gatewarden_sessions",
		"SELECT digest FROM gatewarden_onetime", "SELECT stamp FROM gatewarden_onetime"} {
		rows, err := s.sql().Reader().QueryContext(t.Context(), query)
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			var text string
			if err := rows.Scan(&text); err != nil || text == "" {
				t.Fatalf("%s: got %q, %v, want a text that is not empty", query, text, err)
			}
			secrets = append(secrets, text)
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
	}
	id := f.entries("list", "alice")[0].ID
	for _, args := range [][]string{{"list", "alice"}, {"list", "alice", "-json"}, {"list", "carol"}, {"purge"},
		{"revoke", "alice", id},
		{"revoke", "alice", "-all"}, {"audit", "alice"}, {"audit", "alice", "-json"}, {"issue", "carol"},
		{"issue", "bob"}} {
		r := f.run(args...)
		for _, secret := range secrets {
			if strings.Contains(r.out+r.err, secret) {
				t.Errorf("%v prints %q", args, secret)
			}
		}
	}
	u, err := s.users.find(t.Context(), "alice")
	if err != nil {
		t.Fatal(err)
	}
	if text := fmt.Sprintf("%v %+v %#v %s %d %v", u, u, u, u, u, []any{*u, u}); strings.Contains(text, u.AuthStamp()) {
		t.Errorf("a user is printed as %s", text)
	}
}
