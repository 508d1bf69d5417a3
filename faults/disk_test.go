package faults

import (
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gatewarden/auth/internal/testserver"
)

// disk is a small file system in memory, with the files of a server.
type disk struct{ folder string }

// newDisk mounts a disk over a folder, with the files that the folder has. No program may have them open.
func newDisk(t testing.TB, folder string, megabytes int) *disk {
	t.Helper()
	info, err := os.Stat(folder)
	if err != nil {
		t.Fatal(err)
	}
	aside := folder + ".aside"
	if err := errors.Join(os.Rename(folder, aside), os.Mkdir(folder, 0o700)); err != nil {
		t.Fatal(err)
	}
	mount := exec.Command("mount", "-t", "tmpfs", "-o", fmt.Sprintf("size=%dm,mode=0700", megabytes), "tmpfs", folder)
	if out, err := mount.CombinedOutput(); err != nil {
		_ = os.Remove(folder)
		_ = os.Rename(aside, folder)
		t.Skipf("no disk of a limited size can be mounted: %v: %s", err, out)
	}
	t.Cleanup(func() { run(t, "umount", "-l", folder) })
	if owner, ok := info.Sys().(*syscall.Stat_t); ok {
		if err := os.Chown(folder, int(owner.Uid), int(owner.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	run(t, "cp", "-a", aside+"/.", folder)
	if err := os.RemoveAll(aside); err != nil {
		t.Fatal(err)
	}
	return &disk{folder}
}

func run(t testing.TB, program string, arguments ...string) {
	t.Helper()
	if out, err := exec.Command(program, arguments...).CombinedOutput(); err != nil {
		t.Errorf("%s: %v: %s", program, err, out)
	}
}

// fill leaves no room.
func (d *disk) fill(t testing.TB) {
	t.Helper()
	file, err := os.OpenFile(d.filler(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, size := range []int{1 << 20, 4 << 10, 1} {
		for err = nil; err == nil; {
			_, err = file.Write(make([]byte, size))
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("the disk is filled up to the error %v, want that there is no space", err)
		}
	}
}

// free makes room again.
func (d *disk) free(t testing.TB) {
	t.Helper()
	if err := os.Remove(d.filler()); err != nil {
		t.Fatal(err)
	}
}

func (d *disk) filler() string { return filepath.Join(d.folder, "filler") }

// fullDisk is an engine with a disk that can be filled.
type fullDisk struct {
	name  string
	start func(t testing.TB) (*server, *disk)
	says  string // the reason in the log, as a regular expression
	ends  bool   // the server ends when its disk is full
}

var fullDisks = []fullDisk{
	{name: "SQLite", says: `database or disk is full`, start: func(t testing.TB) (*server, *disk) {
		d := newDisk(t, t.TempDir(), 4)
		return &server{engine: "SQLite", address: "sqlite:" + filepath.Join(d.folder, "faults.db")}, d
	}},
	{name: "PostgreSQL", says: `the disk of PostgreSQL is full.*No space left on device`,
		start: func(t testing.TB) (*server, *disk) {
			s := newPostgreSQL(t)
			return s, s.ontoDisk(t, "pgx", s.address, "SHOW data_directory", 150)
		}},
	{name: "MariaDB", says: `the disk of MySQL is full`, start: func(t testing.TB) (*server, *disk) {
		s := newMariaDB(t)
		u, err := url.Parse(s.address)
		if err != nil {
			t.Fatal("the address of the database cannot be read")
		}
		password, _ := u.User.Password()
		dsn := u.User.Username() + ":" + password + "@tcp(" + u.Host + ")" + u.Path
		return s, s.ontoDisk(t, "mysql", dsn, "SELECT @@datadir", 300)
	}},
	{name: "Redis (appendfsync everysec)", says: `MISCONF.*No space left on device`,
		start: func(t testing.TB) (*server, *disk) {
			return redisOnDisk(t, testserver.RedisSetting("appendonly", "yes"))
		}},
	{name: "Redis (appendfsync always)", says: `connection refused`, ends: true,
		start: func(t testing.TB) (*server, *disk) {
			return redisOnDisk(t, testserver.RedisAOF())
		}},
}

// ontoDisk moves the files of a server of SQL onto a disk.
func (s *server) ontoDisk(t testing.TB, driver, dsn, query string, megabytes int) *disk {
	t.Helper()
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var folder string
	if err := db.QueryRowContext(t.Context(), query).Scan(&folder); err != nil {
		t.Fatal(err)
	}
	return s.moved(t, filepath.Clean(folder), megabytes)
}

// moved stops a server, moves its files, and starts it again.
func (s *server) moved(t testing.TB, folder string, megabytes int) *disk {
	t.Helper()
	s.kill(t)
	d := newDisk(t, folder, megabytes)
	t.Cleanup(func() { s.kill(t) }) // before the disk goes
	s.start(t)
	return d
}

func redisOnDisk(t testing.TB, options ...testserver.RedisOption) (*server, *disk) {
	n := testserver.NewRedis(t, append(options, testserver.RedisSetting("auto-aof-rewrite-percentage", "0"))...)
	found, _ := n.Do(t, "CONFIG", "GET", "dir").([]any)
	folder, _ := found[1].(string)
	n.Do(t, "CONFIG", "SET", "save", "")
	s := newRedis(n, t)
	s.kill(t)
	aof := newDisk(t, filepath.Join(folder, "appendonlydir"), 2)
	t.Cleanup(func() { s.kill(t) })
	s.start(t)
	return s, aof
}

// TestUnitFullDisk fills the disk of a server. Changes are refused, and checks go on where the engine can read. When
// there is room again, all works without a restart of the instance, and what was acknowledged outlives kill -9.
func TestUnitFullDisk(t *testing.T) {
	t.Parallel()
	var all sync.WaitGroup
	for _, e := range fullDisks {
		all.Go(func() {
			t.Run(e.name+": what was acknowledged outlives a full disk, and checks go on", func(t *testing.T) {
				e.test(t)
			})
		})
	}
	all.Wait()
}

// kept is what was acknowledged to clients.
type kept struct {
	app         *app
	live, ended []string
	refused     int
}

func (k *kept) login(user string) (status int) {
	token, got := k.app.login(user)
	if token != "" {
		k.live = append(k.live, token)
	} else {
		k.refuse("a login", got)
	}
	return got.status
}

func (k *kept) logout(i int) {
	got := k.app.logout(k.live[i])
	if got.status != http.StatusNoContent {
		k.refuse("a logout", got)
		return
	}
	k.ended = append(k.ended, k.live[i])
	k.live = append(k.live[:i], k.live[i+1:]...)
}

func (k *kept) refuse(what string, got answer) {
	k.refused++
	if got.status != http.StatusServiceUnavailable {
		k.app.t.Errorf("%s is answered with %d, %v, want success or 503", what, got.status, got.failure)
	}
}

// holds checks all tokens. Where the server does not answer, 503 is right, too.
func (k *kept) holds(when string, unavailable bool) {
	k.app.t.Helper()
	for _, of := range []struct {
		tokens []string
		want   int
	}{{k.live, http.StatusOK}, {k.ended, http.StatusUnauthorized}} {
		for i, token := range of.tokens {
			got := k.app.check(token)
			for late := time.Now().Add(patience); got.status == http.StatusServiceUnavailable && !unavailable; {
				if time.Now().After(late) {
					k.app.t.Fatalf("no answer %s for %v: %s", when, patience, k.app.log.tail())
				}
				got = k.app.check(token)
			}
			if got.status != of.want && !(unavailable && got.status == http.StatusServiceUnavailable) {
				k.app.t.Errorf("%s, token %d of %d is answered with %d, want %d", when, i, len(of.tokens),
					got.status, of.want)
			}
		}
	}
}

func (e fullDisk) test(t *testing.T) {
	s, d := e.start(t)
	a := newApp(t, s.address, 5*time.Second)
	k := &kept{app: a}
	for i := range 12 {
		await(t, "a login", func() bool { return k.login(fmt.Sprint("user", i)) == http.StatusOK })
	}
	k.refused = 0
	for range 4 {
		k.logout(0)
	}

	d.fill(t)
	logins, most := len(k.live), size(20_000, 20_000)
	for i := 0; k.refused < 3 && i < most; i++ {
		k.login(fmt.Sprint("more", i))
	}
	logins = len(k.live) - logins
	if k.refused < 3 {
		t.Fatalf("%d logins on a full disk are answered with success, want 503 in the end", logins)
	}
	if !regexp.MustCompile(e.says).MatchString(a.log.text()) {
		t.Errorf("the log has no reason like %q\n%s", e.says, a.log.tail())
	}
	k.live = k.live[max(0, len(k.live)-40):] // which were acknowledged last
	k.holds("while the disk is full", e.ends)
	for range 3 {
		k.logout(0)
	}
	_, purged := a.tokens.Purge(t.Context(), 100)

	d.free(t)
	if e.ends {
		s.kill(t) // which waits until it has ended
		s.start(t)
	}
	began := time.Now()
	await(t, "a login when there is room: "+a.log.tail(), func() bool { return k.login("later") == http.StatusOK })
	well := time.Since(began)
	if well > healLimit {
		t.Errorf("a login works %v after there is room, want at most %v", well, healLimit)
	}
	k.holds("when there is room again", false)
	await(t, "a purge", func() bool { _, err := a.tokens.Purge(t.Context(), 100); return err == nil })
	a.usesWritten()

	if s.kill != nil {
		s.kill(t)
		s.start(t)
	} else {
		k.app = newApp(t, s.address, 5*time.Second)
	}
	k.holds("after the server was killed", false)
	report.add("full disk", e.name, len(k.live)+len(k.ended)+k.refused, k.refused, 0, round(well), "", 0, 0,
		fmt.Sprintf("%d logins were done before the first was refused. A purge meanwhile: %v", logins, purged))
}

// usesWritten waits until no last use is told of as pending.
func (a *app) usesWritten() {
	a.t.Helper()
	await(a.t, "last uses are written again", func() bool {
		text := a.log.text()
		return strings.Count(text, "cannot write last uses now") == strings.Count(text, "last uses are written again")
	})
}
