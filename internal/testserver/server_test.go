//go:build unix

package testserver_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gatewarden/auth/internal/testserver"
)

// started is a server that runs.
type started interface {
	PID() int
	Folder() string
}

// engines are the servers that are started.
var engines = map[string]func(testing.TB) (started, string){
	"PostgreSQL": func(t testing.TB) (started, string) {
		s := testserver.PostgreSQL(t)
		return s, s.Admin().URL
	},
	"MariaDB": func(t testing.TB) (started, string) {
		s := testserver.MariaDB(t)
		return s, s.Admin().URL
	},
	"Redis": func(t testing.TB) (started, string) {
		n := testserver.Redis(t)
		return n, n.URL()
	},
	"Redis Cluster": func(t testing.TB) (started, string) {
		n := testserver.RedisCluster(t).Nodes()[2]
		return n, n.URL()
	},
}

// TestHelper is the other process of TestUnitEnd. It starts a server and says so, and waits for its end.
func TestHelper(t *testing.T) {
	name := os.Getenv("GATEWARDEN_TESTSERVER_HELPER")
	if name == "" {
		t.Skip("only for TestUnitEnd")
	}
	s, url := engines[name](t)
	fmt.Println("server", s.PID(), s.Folder(), url)
	_, _ = io.ReadAll(os.Stdin)
	os.Exit(3)
}

// other is a process of tests that has started a server.
type other struct {
	cmd         *exec.Cmd
	stdin       io.Closer
	pid         int
	folder, url string
}

// startOther starts the other process, and returns when its server runs.
func startOther(t *testing.T, engine string) *other {
	t.Helper()
	o := &other{cmd: exec.Command(os.Args[0], "-test.run=^TestHelper$", "-test.v")}
	o.cmd.Env = append(os.Environ(), "GATEWARDEN_TESTSERVER_HELPER="+engine,
		"GATEWARDEN_POSTGRES_URL=", "GATEWARDEN_MYSQL_URL=", "GATEWARDEN_REDIS_URL=", "GATEWARDEN_REDIS_CLUSTER_URL=")
	stdin, err := o.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	o.stdin = stdin
	out, err := o.cmd.StdoutPipe()
	if err == nil {
		err = o.cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = o.cmd.Process.Kill() })
	var text strings.Builder
	for lines := bufio.NewScanner(out); lines.Scan(); {
		fmt.Fprintln(&text, lines.Text())
		if n, _ := fmt.Sscanf(lines.Text(), "server %d %s %s", &o.pid, &o.folder, &o.url); n == 3 {
			return o
		}
	}
	if strings.Contains(text.String(), "--- SKIP") {
		t.Skip(text.String())
	}
	t.Fatalf("the other process starts no server:\n%s", text.String())
	return nil
}

// wantGone waits until the server and its folder are gone. They are no child of this process that it could wait for.
func (o *other) wantGone(t *testing.T) {
	t.Helper()
	_ = o.cmd.Wait()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	timeout := time.After(time.Minute)
	for {
		_, err := os.Stat(o.folder)
		gone := os.IsNotExist(err)
		if gone && syscall.Kill(o.pid, 0) != nil {
			return
		}
		select {
		case <-look.C:
		case <-timeout:
			t.Fatalf("a minute after the end: folder gone: %v, process %d: %v", gone, o.pid, syscall.Kill(o.pid, 0))
		}
	}
}

func TestUnitEnd(t *testing.T) {
	for name := range engines {
		t.Run("a killed test leaves no "+name+", and another test's is not touched", func(t *testing.T) {
			killed, exits := startOther(t, name), startOther(t, name)
			if killed.folder == exits.folder || killed.url == exits.url || killed.pid == exits.pid {
				t.Fatalf("two processes share a server: %+v, %+v", killed, exits)
			}
			if err := killed.cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			killed.wantGone(t)
			if err := syscall.Kill(exits.pid, 0); err != nil {
				t.Errorf("the server of the other test: %v", err)
			}
			if err := exits.stdin.Close(); err != nil {
				t.Fatal(err)
			}
			exits.wantGone(t)
		})
	}
}

// outcome is a test that says how it ended.
type outcome struct {
	testing.TB
	skipped, failed string
}

func (o *outcome) Helper()           {}
func (o *outcome) Cleanup(func())    {}
func (o *outcome) Skip(args ...any)  { o.skipped = fmt.Sprint(args...) }
func (o *outcome) Fatal(args ...any) { o.failed = fmt.Sprint(args...) }

func TestUnitMissing(t *testing.T) {
	t.Run("a test without a server is skipped", func(t *testing.T) {
		t.Setenv("GATEWARDEN_REQUIRE_SERVICES", "")
		o := &outcome{TB: t}
		if testserver.NeedMissing(o); o.skipped == "" || o.failed != "" {
			t.Errorf("wanted a skip, got %+v", o)
		}
	})
	t.Run("a test without a server fails if servers are promised", func(t *testing.T) {
		t.Setenv("GATEWARDEN_REQUIRE_SERVICES", "1")
		o := &outcome{TB: t}
		if testserver.NeedMissing(o); o.skipped != "" || o.failed == "" {
			t.Errorf("wanted a failure, got %+v", o)
		}
	})
}

func TestUnitEnvironment(t *testing.T) {
	t.Run("a server of the environment is used", func(t *testing.T) {
		t.Setenv("GATEWARDEN_POSTGRES_URL", "postgres://me:p%40ss@db:5433/start")
		t.Setenv("GATEWARDEN_MYSQL_URL", "mysql://me:p%40ss@db:3307/start")
		if got, want := testserver.NewPostgreSQL(t).Admin().DSN, "postgres://me:p%40ss@db:5433/start"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		if got, want := testserver.NewMariaDB(t).Admin().DSN, "me:p@ss@tcp(db:3307)/start"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
	t.Run("a bad address fails the test and shows no password", func(t *testing.T) {
		t.Setenv("GATEWARDEN_MYSQL_URL", "me:secret@tcp(db:3307)/start")
		o := &outcome{TB: t}
		testserver.NewMariaDB(o)
		if !strings.Contains(o.failed, "GATEWARDEN_MYSQL_URL") || strings.Contains(o.failed, "secret") {
			t.Errorf("got %q", o.failed)
		}
	})
}
