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

	"github.com/gatewarden/auth/internal/testserver"
)

// TestMain is also the children that the program starts.
func TestMain(m *testing.M) {
	if kind := os.Getenv(childVariable); kind != "" {
		mainOfChild(kind)
		return
	}
	// A program with the race detector sleeps for a second at its end. This is for the children.
	err := os.Setenv("GORACE", os.Getenv("GORACE")+" atexit_sleep_ms=0")
	// Tests in parallel mostly wait for servers. The command line comes after this.
	if err = errors.Join(err, flag.Set("test.parallel", "8")); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// tiny are options that are too small to tell anything about speed.
func tiny(t *testing.T, parts, engines string) *options {
	t.Helper()
	flags := flag.NewFlagSet("scale", flag.ContinueOnError)
	o := newOptions(flags)
	err := flags.Parse([]string{"-parts", parts, "-engines", engines, "-small", "300", "-medium", "600",
		"-large", "900", "-memory", "64", "-time", "50ms", "-purge-time", "1s", "-garbage", "400", "-logins", "40",
		"-revocations", "3", "-rounds", "1", "-users", "20", "-mixed", "600ms", "-rate", "100"})
	if err != nil {
		t.Fatal(err)
	}
	o.log = io.Discard
	return o
}

// run runs parts, and skips the test without the servers.
func run(t *testing.T, o *options) string {
	t.Helper()
	var out strings.Builder
	err := o.run(&out)
	if errors.Is(err, testserver.ErrMissing) && os.Getenv("GATEWARDEN_REQUIRE_SERVICES") == "" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// rows counts the rows of tables that begin with a pattern.
func rows(out, like string) int {
	return len(regexp.MustCompile(`(?m)^\| `+like).FindAllString(out, -1))
}

func TestUnitParts(t *testing.T) {
	for _, e := range engines() {
		t.Run("operations, bytes and a purge are measured on "+e.name, func(t *testing.T) {
			t.Parallel()
			out := run(t, tiny(t, "engines", e.flag))
			want := len(steps()) + 1 + 2
			if e.smaller != nil {
				want++
			}
			if got := rows(out, e.name+` \|`); got != want {
				t.Errorf("got %d rows, want %d:\n%s", got, want, out)
			}
			if got := rows(out, e.name+` \|.* (360|450) in `); got != 0 && got != 2 {
				t.Errorf("got %d rows of a purge, want 2:\n%s", got, out)
			}
			if strings.Contains(out, "| - |") || regexp.MustCompile(`\| – \| (600|900) \| –`).MatchString(out) {
				t.Errorf("an operation was not measured:\n%s", out)
			}
		})
	}

	for _, test := range []struct{ name, part, engines, like string }{
		{"garbage that is not ours asks no engine", "garbage", "redis,sqlite", `(Redis|SQLite) \|.*\| 0 \| 0 \|`},
		{"checks are measured while logins wait", "hasher", "sqlite", `(memory|SQLite) \|`},
		{"a revocation on one instance is seen by the other", "instances", "redis,sqlite",
			`(Redis, with its cache|SQLite) \| 3 \|`},
		{"two processes with caches are told by PostgreSQL", "instances", "postgresql", `PostgreSQL.* \| 3 \|`},
		{"the same call is made with each backend", "requests", "sqlite", `(–|SQLite) \| .*x \(`},
		{"an instance is looked at amid mixed traffic", "mixed", "redis", `Redis \|.* MiB \|.* MiB`},
	} {
		wants := map[string]int{"garbage": 4, "hasher": 4, "instances": 2, "requests": 7, "mixed": looks + 2}
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			out := run(t, tiny(t, test.part, test.engines))
			if got, want := rows(out, test.like), wants[test.part]; got != want {
				t.Errorf("got %d rows, want %d:\n%s", got, want, out)
			}
		})
	}
}

func TestUnitPopulation(t *testing.T) {
	p := newPopulation("p", 200)

	t.Run("each user has ten tokens, of which nine were used", func(t *testing.T) {
		tokens, used, digests := make(map[string]int), 0, make(map[string]bool)
		stop := make(chan struct{})
		defer close(stop)
		for many := range p.records(stop) {
			for _, r := range many {
				tokens[r.user]++
				digests[r.digest] = true
				if r.lastUsed != 0 {
					used++
				}
			}
		}
		if len(tokens) != 20 || tokens[userID(0)] != perUser || used != 180 || len(digests) != 200 {
			t.Errorf("got %d users, %d tokens of the first, %d used and %d digests, want 20, 10, 180 and 200",
				len(tokens), tokens[userID(0)], used, len(digests))
		}
	})

	t.Run("tokens expire in order, and all of them later than in half an hour", func(t *testing.T) {
		for n := range p.count - 1 {
			if !p.created(n).Before(p.created(n + 1)) {
				t.Fatalf("token %d was issued at %v, and the next one at %v", n, p.created(n), p.created(n+1))
			}
		}
		if left := p.created(0).Add(life).Sub(p.began); left < 30*time.Minute {
			t.Errorf("the first token expires in %v", left)
		}
	})

	t.Run("checks present tokens that neither a purge nor a revocation takes", func(t *testing.T) {
		s := &subject{population: p}
		for range 1000 {
			if n := s.anyUsed(); n < p.count/2 || !p.used(n) || n%p.users() >= s.staying() {
				t.Fatalf("token %d of %d was chosen", n, p.count)
			}
		}
	})
}

func TestUnitTexts(t *testing.T) {
	t.Run("a text of the sample is filled with other values", func(t *testing.T) {
		sample := [fields]string{fieldDigest: "abcDIGEST", fieldID: "id-1", fieldUser: "user-sample-",
			fieldExpires: "42"}
		pattern := cut(`ku:{123}user-sample- id-1 abcDIGEST "e":42`, sample)
		values := [fields]string{fieldDigest: "D", fieldID: "I", fieldUser: "U", fieldExpires: "7"}
		got := string(pattern.fill(nil, &values))
		if want := `ku:{123}U I D "e":7`; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})

	t.Run("a number may have a unit", func(t *testing.T) {
		for text, want := range map[string]int{"7": 7, "10k": 10_000, "5M": 5_000_000} {
			var n count
			if err := n.Set(text); err != nil || int(n) != want || number(want) != text {
				t.Errorf("%s: got %d, %q and %v, want %d", text, n, number(want), err, want)
			}
		}
		for _, text := range []string{"", "k", "-1", "0", "1G"} {
			if err := new(count).Set(text); err == nil {
				t.Errorf("%q: got no error", text)
			}
		}
	})

	t.Run("an unknown part or engine is an error that names the known ones", func(t *testing.T) {
		for _, o := range []*options{tiny(t, "engine", "sqlite"), tiny(t, "engines", "oracle")} {
			if err := o.run(io.Discard); err == nil || !strings.Contains(err.Error(), "there are ") {
				t.Errorf("got %v, want the known names", err)
			}
		}
	})

	t.Run("a missed aim is bold", func(t *testing.T) {
		s := spread{1.2, 1.8, 1.6}
		if got, want := aimed(s.String(), s.middle() <= 1.5), "**1.60x (1.20–1.80)**"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
}

func TestUnitClients(t *testing.T) {
	// serve answers with the user of the path, or as somebody else.
	serve := func(t *testing.T, answer string) string {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if answer == "" {
				_, _ = io.WriteString(w, strings.TrimPrefix(r.URL.Path, "/knox/"))
				return
			}
			_, _ = io.WriteString(w, answer)
		}))
		t.Cleanup(server.Close)
		return server.URL
	}

	t.Run("clients in another process see each answer", func(t *testing.T) {
		var l load
		order := clientsOrder{URL: serve(t, "") + "/knox/", Header: "Authorization", Values: []string{"a", "b"},
			Duration: 50 * time.Millisecond}
		if err := ask("clients", order, &l); err != nil || l.Wrong != "" || l.Requests == 0 || l.P99 == 0 {
			t.Errorf("got %+v and %v, want requests and no wrong answer", l, err)
		}
	})

	t.Run("clients tell of a wrong answer", func(t *testing.T) {
		o := clientsOrder{URL: serve(t, "mallory") + "/knox/", Header: "Authorization", Values: []string{"a"},
			Duration: 20 * time.Millisecond}
		if l := o.attack(); !strings.Contains(l.Wrong, "mallory") || !strings.Contains(l.Wrong, userID(0)) {
			t.Errorf("got %q, want both users", l.Wrong)
		}
	})

	t.Run("mixed clients tell of a wrong status", func(t *testing.T) {
		values := map[string][]string{"knox": {"a"}, "jwt": {"a"}, "session": {"a"}, "oauth": {"a"}}
		var result mixedResult
		order := mixedOrder{URL: serve(t, "mallory"), Values: values, Duration: time.Second, Rate: 200}
		err := ask("mixed", order, &result)
		if err != nil || result.Wrong == "" || result.Requests < 100 {
			t.Errorf("got %+v and %v, want about 200 requests and a wrong one", result, err)
		}
	})

	t.Run("a balancer that sends all requests to one instance is found", func(t *testing.T) {
		_, _, err := newVisitor(serve(t, "")).revoked("Token x")
		if err == nil || !strings.Contains(err.Error(), "one instance") {
			t.Errorf("got %v, want an error about one instance", err)
		}
	})
}

func TestUnitWrongLoads(t *testing.T) {
	t.Run("a token that was not loaded is found by the samples", func(t *testing.T) {
		ctx := t.Context()
		d, err := openDatabase(ctx, "sqlite://"+t.TempDir(), place{name: "small"})
		if err != nil {
			t.Fatal(err)
		}
		defer d.close()
		p := newPopulation("small", 200)
		s, err := newSubject(ctx, d, p)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := d.load(ctx, p); err != nil {
			t.Fatal(err)
		}
		if err := s.sampled(ctx); err != nil {
			t.Errorf("got %v, want all samples to be found", err)
		}
		if _, err := d.sql.Writer().ExecContext(ctx, fmt.Sprintf("DELETE FROM %s WHERE user_id = '%s'", d.table(),
			userID(0))); err != nil {
			t.Fatal(err)
		}
		if err := s.sampled(ctx); err == nil {
			t.Error("got no error, want one about a token of the first user")
		}
	})

	t.Run("what a child answers is JSON", func(t *testing.T) {
		var out strings.Builder
		if err := runClients(strings.NewReader("no JSON"), &out); err == nil {
			t.Error("got no error for an order that cannot be read")
		}
		var syntax *json.SyntaxError
		if err := runInstance(strings.NewReader("no JSON"), &out); !errors.As(err, &syntax) {
			t.Errorf("got %v, want an error of JSON", err)
		}
	})
}
