package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatewarden/auth/internal/testserver"
)

var build = sync.OnceValues(func() (string, error) {
	out, err := exec.Command("go", "build", "-race", "-o", binary, ".").CombinedOutput()
	return string(out), err
})

var binary string

func TestMain(m *testing.M) {
	folder, err := os.MkdirTemp("", "gatewarden")
	if err != nil {
		panic(err)
	}
	binary = filepath.Join(folder, "distributed")
	code := m.Run()
	_ = os.RemoveAll(folder)
	os.Exit(code)
}

// said is what the program prints of its steps, whatever ports and order it has.
var said = regexp.MustCompile(`(?s)instance one: http://127\.0\.0\.1:\d+
instance two: http://127\.0\.0\.1:\d+
balancer: http://127\.0\.0\.1:\d+

alice logs in: instance (one|two) issues a token
20 requests with it: instance one answers 10, instance two 10
alice logs out: instance (one|two) ends the token
the token at instance one: 401
the token at instance two: 401
alice logs in again, and instance one is killed
20 requests with it: instance one answers 0, instance two 20
$`)

func TestUnitTheProgramShowsWhatItSays(t *testing.T) {
	for _, row := range []struct {
		name string
		args func(t *testing.T) []string
	}{
		{"with a PostgreSQL of its own", func(t *testing.T) []string {
			testserver.PostgreSQL(t) // skips where there is no server
			return nil
		}},
		{"on PostgreSQL", func(t *testing.T) []string {
			return []string{"-db", testserver.PostgreSQL(t).Database(t).URL}
		}},
		{"on MariaDB", func(t *testing.T) []string {
			return []string{"-db", testserver.MariaDB(t).Database(t).URL}
		}},
		{"on Redis", func(t *testing.T) []string {
			node := testserver.Redis(t)
			return []string{"-db", node.URL() + "?prefix=" + node.Prefix(t)}
		}},
		{"on a Redis Cluster", func(t *testing.T) []string {
			cluster := testserver.RedisCluster(t)
			return []string{"-db", cluster.URL() + "?cluster=true&prefix=" + cluster.Prefix(t)}
		}},
		{"on SQLite", func(t *testing.T) []string {
			return []string{"-db", "sqlite:" + filepath.Join(t.TempDir(), "app.db")}
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			out, errs, err := run(t, row.args(t)...)
			if err != nil || !said.MatchString(out) {
				t.Errorf("%v, and it printed\n%s\n%s", err, out, errs)
			}
		})
	}
	t.Run("without the database it says so and ends", func(t *testing.T) {
		_, errs, err := run(t, "-db", "postgres://app:a-Secret-word@127.0.0.1:1/app")
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 1 || !strings.Contains(errs, "connection refused") ||
			strings.Contains(errs, "Secret") {
			t.Errorf("got %v %q, want exit status 1 and a line about the connection", err, errs)
		}
	})
}

// run runs the program to its end.
func run(t *testing.T, args ...string) (out, errs string, err error) {
	t.Helper()
	if text, err := build(); err != nil {
		t.Fatal(err, text)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	program := exec.CommandContext(ctx, binary, args...)
	var stdout, stderr strings.Builder
	program.Stdout, program.Stderr = &stdout, &stderr
	err = program.Run()
	return stdout.String(), stderr.String(), err
}
