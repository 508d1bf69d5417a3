package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gatewarden/auth/benchmarks/internal/paired"
)

// programVariable is the environment variable that makes the test the program itself.
const programVariable = "GATEWARDEN_BENCHMARK_PROGRAM"

// TestMain is also the client that serve.go starts, and the program.
func TestMain(m *testing.M) {
	if os.Getenv(clientVariable) != "" {
		mainOfClient()
		return
	}
	if os.Getenv(programVariable) != "" {
		main()
		return
	}
	// A program with the race detector sleeps for a second at its end. This is for the clients.
	err := os.Setenv("GORACE", os.Getenv("GORACE")+" atexit_sleep_ms=0")
	// Most tests in parallel wait until last uses are written. The command line comes after this.
	if err = errors.Join(err, flag.Set("test.parallel", "16")); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// brief is too short to tell anything about speed.
const brief = 20 * time.Millisecond

func TestUnitLarge(t *testing.T) {
	run := func(t *testing.T, o options) string {
		t.Helper()
		var out strings.Builder
		if err := o.main(&out); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	rows := func(out, like string) int { return len(regexp.MustCompile(`(?m)^\| `+like).FindAllString(out, -1)) }

	t.Run("sizes are numbers, thousands and millions", func(t *testing.T) {
		got, err := sizes("5,10k,1M")
		if err != nil || len(got) != 3 || got[0] != 5 || got[1] != 10_000 || got[2] != 1_000_000 {
			t.Errorf("got %v and %v, want 5, 10000 and 1000000", got, err)
		}
		for _, bad := range []string{"", "k", "10x", "-1", "0", "1M,"} {
			if got, err := sizes(bad); err == nil {
				t.Errorf("%q: got %v, want an error", bad, got)
			}
		}
	})

	t.Run("each service answers a client", func(t *testing.T) {
		for _, s := range services() {
			t.Run(s.name, func(t *testing.T) {
				t.Parallel()
				end, err := s.start(5)
				defer end()
				if err != nil {
					t.Fatal(err)
				}
				in, err := json.Marshal(s.order(brief))
				if err != nil {
					t.Fatal(err)
				}
				var out strings.Builder
				if err := runClient(strings.NewReader(string(in)), &out); err != nil {
					t.Fatal(err)
				}
				var ready bool
				var l load
				from := json.NewDecoder(strings.NewReader(out.String()))
				if err := errors.Join(from.Decode(&ready), from.Decode(&l)); err != nil || !ready {
					t.Fatalf("%v in %s", err, &out)
				}
				if l.Wrong != "" || l.Requests == 0 {
					t.Errorf("after %d requests: %s", l.Requests, l.Wrong)
				}
			})
		}
	})

	t.Run("a client in another process measures services", func(t *testing.T) {
		out := run(t, options{run: "^(no authentication|session)$", connections: true, time: brief, tokens: 5,
			paired: paired.Config{Rounds: 1}})
		if got := rows(out, `.* µs \(`); got != 2 {
			t.Errorf("got %d rows, want 2:\n%s", got, out)
		}
	})

	t.Run("the client tells of a wrong answer", func(t *testing.T) {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "mallory")
		}))
		defer server.Close()
		in, err := json.Marshal(order{server.Listener.Addr().String(), "Authorization", []string{"Token x"},
			[]string{"alice"}, 200, brief})
		if err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		if err := runClient(strings.NewReader(string(in)), &out); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(out.String(), "mallory") ||
			!strings.Contains(out.String(), "want status 200 and user alice") {
			t.Errorf("got %s, want both users", &out)
		}
	})

	t.Run("each store is filled, checked and purged of half", func(t *testing.T) {
		out := run(t, options{scale: "40", time: brief})
		if got := rows(out, `.* for 20, `); got != len(populations()) {
			t.Errorf("got %d rows of stores in memory, want %d:\n%s", got, len(populations()), out)
		}
		if got := rows(out, `\| 40 \|`); got != 1 {
			t.Errorf("got %d rows of SQLite, want 1:\n%s", got, out)
		}
	})

	t.Run("a purge takes what has expired, while users log in", func(t *testing.T) {
		out := run(t, options{purge: 100, time: brief})
		var removed, of int
		if _, err := fmt.Sscanf(out, "A purge of %d of %d rows", &removed, &of); err != nil || of != 200 {
			t.Fatalf("got\n%s, want a purge of 200 rows", out)
		}
		if removed < 75 || removed > 125 || rows(out, "login: ") != 1 {
			t.Errorf("got\n%s, want about 100 rows removed, and a row of logins", out)
		}
	})
}
