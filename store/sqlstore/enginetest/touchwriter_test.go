package enginetest

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/session"
	"github.com/gatewarden/auth/store/sqlstore"
)

// lastUsed returns the last use of a token as its row has it; 0 is never.
func lastUsed(t *testing.T, db *sqlstore.DB, digest string) time.Time {
	t.Helper()
	var at sql.NullInt64
	const query = "SELECT last_used FROM gatewarden_knox_tokens WHERE digest = ?"
	if err := db.Reader().QueryRow(query, digest).Scan(&at); err != nil {
		t.Fatal(err)
	}
	if !at.Valid {
		return time.Time{}
	}
	return time.UnixMicro(at.Int64).UTC()
}

// TestUnitLastUses has the clock of a bubble, and a token "digest" that expires in an hour.
func TestUnitLastUses(t *testing.T) {
	type service struct {
		path  string
		db    *sqlstore.DB
		store *sqlstore.KnoxStore
		now   time.Time
		log   *bytes.Buffer
		// use touches the token at an instant, with a slide if it then expires after so long.
		use func(after, expires time.Duration)
	}
	run := func(sentence string, test func(t *testing.T, s service)) {
		t.Run(sentence, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "uses.db")
			synctest.Test(t, func(t *testing.T) {
				var log bytes.Buffer
				db, err := sqlstore.OpenSQLite(t.Context(), "sqlite", path, sqlstore.Config{BusyTimeout: busyTimeout,
					Logger: slog.New(slog.NewTextHandler(&log, nil))})
				if err != nil {
					t.Fatal(err)
				}
				store := opened(t, sqlstore.Knox, db)
				now := time.Now().UTC().Truncate(time.Microsecond)
				record := &knox.Record{Digest: "digest", ID: "id", UserID: "alice", Created: now,
					ExpiresAt: now.Add(time.Hour)}
				if _, err := store.Add(t.Context(), record, 0, false, knox.Ending{At: now}); err != nil {
					t.Fatal(err)
				}
				use := func(after, expires time.Duration) {
					t.Helper()
					if err := store.Touch(t.Context(), knox.Touch{Digest: "digest", Used: now.Add(after),
						ExpiresAt: now.Add(expires), LiveUntil: now.Add(time.Hour)}); err != nil {
						t.Error(err)
					}
				}
				test(t, service{path, db, store, now, &log, use})
				if err := db.Close(); err != nil {
					t.Error(err)
				}
			})
		})
	}
	want := func(t *testing.T, s service, row time.Duration) {
		t.Helper()
		if got := lastUsed(t, s.db, "digest"); !got.Equal(s.now.Add(row)) {
			t.Errorf("got a row used at %v, want %v", got, s.now.Add(row))
		}
	}
	run("a use is in the database a second later, and is found at once", func(t *testing.T, s service) {
		s.use(time.Minute, 0)
		if got := lastUsed(t, s.db, "digest"); !got.IsZero() {
			t.Errorf("got a row used at %v in the request, want no write", got)
		}
		if r, err := s.store.Find(t.Context(), "digest"); err != nil || !r.LastUsed.Equal(s.now.Add(time.Minute)) {
			t.Errorf("found %+v, %v", r, err)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		want(t, s, time.Minute)
	})
	run("stores that are opened on one database share what is pending", func(t *testing.T, s service) {
		s.use(time.Minute, 0)
		r, err := opened(t, sqlstore.Knox, s.db).Find(t.Context(), "digest")
		if err != nil || !r.LastUsed.Equal(s.now.Add(time.Minute)) {
			t.Errorf("found %+v, %v", r, err)
		}
	})
	run("Close writes what is pending", func(t *testing.T, s service) {
		s.use(time.Minute, 2*time.Hour)
		if err := s.db.Close(); err != nil {
			t.Fatal(err)
		}
		if err := s.store.Touch(t.Context(), knox.Touch{Digest: "digest", Used: s.now}); err == nil {
			t.Error("got no error of a touch after Close")
		}
		again := openSQLite(t, s.path)
		r, err := opened(t, sqlstore.Knox, again).Find(t.Context(), "digest")
		if err != nil || !r.LastUsed.Equal(s.now.Add(time.Minute)) || !r.ExpiresAt.Equal(s.now.Add(2*time.Hour)) {
			t.Errorf("found %+v, %v", r, err)
		}
	})
	run("of two programs the later use and expiry stay", func(t *testing.T, s service) {
		other, store := openBusy(t, s.path)
		s.use(2*time.Minute, 2*time.Hour)
		if err := store.Touch(t.Context(), knox.Touch{Digest: "digest", Used: s.now.Add(time.Minute),
			ExpiresAt: s.now.Add(3 * time.Hour), LiveUntil: s.now.Add(time.Hour)}); err != nil {
			t.Error(err)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		r, err := store.Find(t.Context(), "digest")
		if err != nil || !r.LastUsed.Equal(s.now.Add(2*time.Minute)) || !r.ExpiresAt.Equal(s.now.Add(3*time.Hour)) {
			t.Errorf("found %+v, %v", r, err)
		}
		closeBusy(t, other)
	})
	run("a token that another program revoked does not come back", func(t *testing.T, s service) {
		other, store := openBusy(t, s.path)
		s.use(time.Minute, 2*time.Hour)
		if found, err := store.Revoke(t.Context(), "alice", "id", knox.Ending{At: s.now}); !found || err != nil {
			t.Fatal(found, err)
		}
		closeBusy(t, other)
		if r, err := s.store.Find(t.Context(), "digest"); r != nil || err != nil {
			t.Errorf("found %+v, %v before the write", r, err)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if r, err := s.store.Find(t.Context(), "digest"); r != nil || err != nil {
			t.Errorf("found %+v, %v", r, err)
		}
	})
	run("another program goes by the row of a token whose slide is pending", func(t *testing.T, s service) {
		other, store := openBusy(t, s.path)
		time.Sleep(time.Hour - 11*time.Second)
		unlock := lockFile(t, s.path)
		s.use(time.Hour-11*time.Second, 3*time.Hour)
		time.Sleep(11 * time.Second) // the row has expired
		synctest.Wait()
		if r, err := s.store.Find(t.Context(), "digest"); err != nil || !r.Live(time.Now()) {
			t.Errorf("found %+v, %v", r, err)
		}
		if r, err := store.Find(t.Context(), "digest"); err != nil || r.Live(time.Now()) {
			t.Errorf("the other program found %+v, %v, want an expired token", r, err)
		}
		unlock()
		purged, err := store.Purge(t.Context(), 10, knox.Ending{Reason: knox.EndExpired, At: time.Now()})
		if err != nil || len(purged) != 1 {
			t.Errorf("the other program purged %v, %v, want the token", purged, err)
		}
		closeBusy(t, other)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if r, err := s.store.Find(t.Context(), "digest"); r != nil || err != nil {
			t.Errorf("found %+v, %v after the purge", r, err)
		}
	})
	run("uses that wait for another program are shown, and no purge removes the token", func(t *testing.T, s service) {
		time.Sleep(59 * time.Minute)
		unlock := lockFile(t, s.path)
		s.use(59*time.Minute, 3*time.Hour)
		time.Sleep(70 * time.Second) // the row has expired
		synctest.Wait()
		if r, err := s.store.Find(t.Context(), "digest"); err != nil || !r.Live(time.Now()) {
			t.Errorf("found %+v, %v", r, err)
		}
		if page, err := s.store.List(t.Context(), "alice", "", 10, time.Now()); err != nil || len(page) != 1 {
			t.Errorf("listed %v, %v", page, err)
		}
		unlock()
		// The purge is the first to write after the lock.
		purged, err := s.store.Purge(t.Context(), 10, knox.Ending{Reason: knox.EndExpired, At: time.Now()})
		if err != nil || len(purged) != 0 {
			t.Errorf("purged %v, %v", purged, err)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		want(t, s, 59*time.Minute)
		log := s.log.String()
		lines := strings.Count(log, "\n")
		if lines != 2 || !strings.Contains(log, byOthers) || !strings.Contains(log, "written again") {
			t.Errorf("got the log %q, want the outage and its end", log)
		}
	})
	run("a slide near the expiry that finds the file locked is written after the lock", func(t *testing.T, s service) {
		unlock := lockFile(t, s.path)
		s.use(time.Hour-9*time.Second, 3*time.Hour)
		r, err := s.store.Find(t.Context(), "digest")
		if err != nil || !r.ExpiresAt.Equal(s.now.Add(3*time.Hour)) {
			t.Errorf("found %+v, %v during the lock, want the slide", r, err)
		}
		unlock()
		time.Sleep(2 * time.Second)
		synctest.Wait()
		want(t, s, time.Hour-9*time.Second)
	})
	run("a use that is pending does not change a new token with the digest", func(t *testing.T, s service) {
		unlock := lockFile(t, s.path)
		s.use(time.Minute, 2*time.Hour)
		time.Sleep(time.Second + busyTimeout/3)
		synctest.Wait() // the write of the use waits for the lock, and the changes wait for it
		unlock()
		if found, err := s.store.Revoke(t.Context(), "alice", "id", knox.Ending{At: s.now}); !found || err != nil {
			t.Fatal(found, err)
		}
		s.use(2*time.Minute, 3*time.Hour)
		record := &knox.Record{Digest: "digest", ID: "id2", UserID: "bob", Created: s.now,
			ExpiresAt: s.now.Add(time.Hour)}
		if _, err := s.store.Add(t.Context(), record, 0, false, knox.Ending{At: s.now}); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			r, err := s.store.Find(t.Context(), "digest")
			if err != nil || !r.LastUsed.IsZero() || !r.ExpiresAt.Equal(s.now.Add(time.Hour)) {
				t.Errorf("found %+v, %v", r, err)
			}
			time.Sleep(time.Second)
			synctest.Wait()
		}
	})
	run("an expiry that SQL brings forward stays, though a slide is pending", func(t *testing.T, s service) {
		sooner := s.now.Add(10 * time.Minute)
		s.use(time.Minute, 2*time.Hour)
		execute(t, s.db, fmt.Sprintf("UPDATE gatewarden_knox_tokens SET expires_at = %d", sooner.UnixMicro()))
		for range 2 {
			r, err := s.store.Find(t.Context(), "digest")
			if err != nil || !r.ExpiresAt.Equal(sooner) || !r.LastUsed.Equal(s.now.Add(time.Minute)) {
				t.Errorf("found %+v, %v, want the use and no slide", r, err)
			}
			time.Sleep(time.Second)
			synctest.Wait()
		}
		if err := s.store.Touch(t.Context(), knox.Touch{Digest: "digest", Used: s.now.Add(2 * time.Minute),
			ExpiresAt: s.now.Add(3 * time.Hour), LiveUntil: sooner}); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		r, err := s.store.Find(t.Context(), "digest")
		if err != nil || !r.ExpiresAt.Equal(s.now.Add(3*time.Hour)) {
			t.Errorf("found %+v, %v, want the slide of a use that came later", r, err)
		}
	})
	run("Close tries for longer than a change waits for another program", func(t *testing.T, s service) {
		s.use(time.Minute, 2*time.Hour)
		time.AfterFunc(10*busyTimeout, lockFile(t, s.path))
		if err := s.db.Close(); err != nil {
			t.Fatal(err)
		}
		again := openSQLite(t, s.path)
		r, err := opened(t, sqlstore.Knox, again).Find(t.Context(), "digest")
		if err != nil || !r.LastUsed.Equal(s.now.Add(time.Minute)) {
			t.Errorf("found %+v, %v", r, err)
		}
	})
	run("a file that was removed loses them at Close, which says so", func(t *testing.T, s service) {
		s.use(time.Minute, 0)
		if err := os.Rename(s.path, s.path+".away"); err != nil {
			t.Fatal(err)
		}
		err := s.db.Close()
		if err == nil || !strings.Contains(err.Error(), "the last uses of 1 gatewarden_knox_tokens are lost") {
			t.Errorf("got %v, want an error that counts them", err)
		}
		if err := os.Rename(s.path+".away", s.path); err != nil {
			t.Fatal(err)
		}
	})
}

// TestUnitUsesAtOnce has real time and eight callers on both stores.
func TestUnitUsesAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "atonce.db")
	db := openSQLite(t, path)
	tokens, sessions := opened(t, sqlstore.Knox, db), opened(t, sqlstore.Sessions, db)
	now := time.Now().UTC().Truncate(time.Microsecond)
	ending := knox.Ending{Reason: knox.EndRevoked, At: now, Keep: true}
	const n = 300
	name := func(i int) string { return fmt.Sprintf("%03d", i) }
	for i := range n {
		_, err := tokens.Add(t.Context(), &knox.Record{Digest: name(i), ID: name(i), UserID: "alice", Created: now,
			ExpiresAt: now.Add(time.Hour)}, 0, false, knox.Ending{At: now})
		_, e := sessions.Add(t.Context(), &session.Record{Digest: name(i), ID: name(i), UserID: "alice", Created: now,
			LastUsed: now, ExpiresAt: now.Add(time.Hour), Idle: time.Hour, MaxExpiresAt: now.Add(time.Hour)},
			"", 0, false, now)
		if err := errors.Join(err, e); err != nil {
			t.Fatal(err)
		}
	}
	at := func(i int) time.Time { return now.Add(time.Duration(i) * time.Second) }
	var group sync.WaitGroup
	for caller := range 8 {
		group.Go(func() {
			for i := range n {
				digest, used := name((i*7+caller)%n), at(caller+1)
				touch := knox.Touch{Digest: digest, Used: used, ExpiresAt: now.Add(2 * time.Hour),
					LiveUntil: now.Add(time.Hour)}
				err := tokens.Touch(t.Context(), touch)
				e := sessions.Touch(t.Context(), session.Touch(touch))
				r, findErr := tokens.Find(t.Context(), digest)
				if err := errors.Join(err, e, findErr); err != nil {
					t.Error(err)
				}
				if r != nil && r.LastUsed.Before(used) {
					t.Errorf("got %v after a use at %v", r.LastUsed, used)
				}
				if caller == 0 && i%3 == 0 {
					_, err = tokens.Revoke(t.Context(), "alice", name(i), ending)
					_, e = tokens.Purge(t.Context(), 10, ending)
					if err := errors.Join(err, e); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	group.Wait()
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = openSQLite(t, path)
	tokens, sessions = opened(t, sqlstore.Knox, db), opened(t, sqlstore.Sessions, db)
	for i := range n {
		r, err := tokens.Find(t.Context(), name(i))
		s, e := sessions.Find(t.Context(), name(i))
		if err := errors.Join(err, e); err != nil {
			t.Fatal(err)
		}
		if revoked := i%3 == 0; (r == nil) != revoked {
			t.Errorf("token %d: got %+v, revoked: %v", i, r, revoked)
		}
		if r != nil && (!r.LastUsed.Equal(at(8)) || !r.ExpiresAt.Equal(now.Add(2*time.Hour))) {
			t.Errorf("token %d: got %+v, want the last of the uses", i, r)
		}
		if !s.LastUsed.Equal(at(8)) || !s.ExpiresAt.Equal(now.Add(2*time.Hour)) {
			t.Errorf("session %d: got %+v, want the last of the uses", i, s)
		}
	}
}

// killEnv tells a process of this test to use tokens of a file.
const killEnv = "GATEWARDEN_TEST_USES"

// TestUnitKilled has real time and a process that is killed after its uses were answered.
func TestUnitKilled(t *testing.T) {
	if path := os.Getenv(killEnv); path != "" {
		useTokens(t, path)
		_, _ = io.Copy(io.Discard, os.Stdin) // until the parent kills this process
		return
	}
	path := filepath.Join(t.TempDir(), "killed.db")
	command := exec.Command(os.Args[0], "-test.run", "^TestUnitKilled$", "-test.v=false")
	command.Env = append(os.Environ(), killEnv+"="+path)
	stdin, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	stdout, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if e := command.Process.Kill(); err != nil || e != nil || line != "used\n" {
		t.Fatalf("got %q, %v, %v, want the other process to use its tokens", line, err, e)
	}
	_ = command.Wait() // which says that it was killed

	db := openSQLite(t, path)
	store := opened(t, sqlstore.Knox, db)
	counts := map[string]int{}
	records, err := store.List(t.Context(), "alice", "", 1000, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		counts[r.Name]++
		if r.Name == "used long before" && r.LastUsed.IsZero() {
			t.Error("got no use of a token that was used before the last second")
		}
		if r.Name == "slid near its end" && (r.LastUsed.IsZero() || time.Until(r.ExpiresAt) < 50*time.Minute) {
			t.Errorf("got a use at %v and an end at %v, want the slide that was acknowledged", r.LastUsed, r.ExpiresAt)
		}
	}
	for _, name := range []string{"used long before", "used just before", "slid near its end"} {
		if counts[name] != killedTokens {
			t.Errorf("got %d tokens %s, want %d", counts[name], name, killedTokens)
		}
	}
}

const killedTokens = 20

// useTokens issues tokens and uses them. The uses of some are in the database when it returns.
func useTokens(t *testing.T, path string) {
	db, err := sqlstore.OpenSQLite(t.Context(), "sqlite", path, sqlstore.Config{})
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := knox.New(knox.Config{Store: opened(t, sqlstore.Knox, db), TTL: time.Hour,
		Sliding:  knox.SlidingSettings{Enabled: true},
		LoadUser: func(context.Context, string) (auth.User, error) { return benchUser("alice"), nil }})
	if err != nil {
		t.Fatal(err)
	}
	use := func(name string, prepare func()) {
		var secrets []string
		for range killedTokens {
			issued, err := tokens.Issue(t.Context(), "alice", knox.Options{Name: name})
			if err != nil {
				t.Fatal(err)
			}
			secrets = append(secrets, issued.Secret.Reveal())
		}
		prepare()
		for _, secret := range secrets {
			if _, _, err := tokens.VerifyToken(t.Context(), secret); err != nil {
				t.Fatal(err)
			}
		}
	}
	use("used long before", func() {})
	eventually(t, "uses are written", func() bool {
		var n int
		const query = "SELECT COUNT(*) FROM gatewarden_knox_tokens WHERE last_used IS NOT NULL"
		if err := db.Reader().QueryRow(query).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n == killedTokens
	})
	use("slid near its end", func() {
		execute(t, db, fmt.Sprintf("UPDATE gatewarden_knox_tokens SET expires_at = %d WHERE name = 'slid near its end'",
			time.Now().Add(8*time.Second).UnixMicro()))
	})
	use("used just before", func() {})
	fmt.Println("used")
}

// eventually asks every few milliseconds until the answer is true.
func eventually(t *testing.T, what string, ask func() bool) {
	t.Helper()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.After(30 * time.Second)
	for !ask() {
		select {
		case <-ticker.C:
		case <-deadline:
			t.Fatalf("waited 30s until %s", what)
		}
	}
}
