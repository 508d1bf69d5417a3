package main

import (
	"errors"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gatewarden/auth/benchmarks/internal/paired"
)

// quick is too short to tell anything about speed. Each line checks its answers all the same.
var quick = paired.Config{Rounds: 1, Round: 2 * time.Millisecond, Slice: time.Millisecond}

// sendEach sends each value once, as a round does, and again if a round is prepared. Each answer is
// checked.
func sendEach(side paired.Side, values int) error {
	if side.Prepare == nil {
		return send(side, values)
	}
	return errors.Join(side.Prepare(), send(side, values), side.Prepare(), send(side, values))
}

func send(side paired.Side, values int) error {
	for range values {
		if err := side.Op(); err != nil {
			return err
		}
	}
	if side.Settle != nil {
		return side.Settle()
	}
	return nil
}

func TestUnitLines(t *testing.T) {
	const users = 5
	names := make(map[string]bool)
	for _, l := range lines() {
		if names[l.name] {
			t.Errorf("two lines are called %q", l.name)
		}
		names[l.name] = true
		t.Run("each answer is right: "+l.name, func(t *testing.T) {
			t.Parallel() // lines over SQLite wait for a second until last uses are written
			w := newWorld(users, l.stamped)
			defer w.close()
			c, err := l.build(w)
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(sendEach(c.entry, users), sendEach(c.floor, users)); err != nil {
				t.Error(err)
			}
		})
	}

	t.Run("the figures of before are of lines that there are", func(t *testing.T) {
		before, err := readRecord("")
		if err != nil {
			t.Fatal(err)
		}
		for name := range before.Lines {
			if !names[name] {
				t.Errorf("before.json has %q, which is no line", name)
			}
		}
	})
}

func TestUnit(t *testing.T) {
	t.Run("the table has old and new side by side, and what misses its aim is bold", func(t *testing.T) {
		figures := func(nanos, allocs float64) paired.Figures {
			return paired.Figures{Min: nanos, Median: nanos, Bytes: 384, Allocs: allocs}
		}
		var out strings.Builder
		tab := table{&out, &record{Lines: map[string]paired.Result{"knox": {Entry: figures(900, 4), Ratio: 2.09}}}}
		tab.row(line{name: "knox", against: floorToken, aim: aim{ratio: 1.5, allocs: 2}},
			paired.Result{Entry: figures(600, 2), Floor: figures(400, 2), Ratio: 1.5, Least: 1.4, Most: 1.6})
		want := "| knox | floor, 400 / 400 | 900 / 900, **2.09x** | **384, 4** | 600 / 600, 1.50x (1.40–1.60) | 384, " +
			"2 | " +
			"1.50x, 2 allocs |\n"
		if out.String() != want {
			t.Errorf("got\n%swant\n%s", out.String(), want)
		}
	})

	t.Run("an aim of no allocation is missed by one", func(t *testing.T) {
		if got := (aim{allocs: none}).memory(paired.Figures{Allocs: 1}); got != "**0, 1**" {
			t.Errorf("got %s, want it bold", got)
		}
		if got := (aim{allocs: none}).memory(paired.Figures{}); got != "0, 0" {
			t.Errorf("got %s, want it plain", got)
		}
	})

	t.Run("a line that is answered wrongly ends the run with its name", func(t *testing.T) {
		l := line{name: "wrong", build: refusedKnox([]string{"Token x"}, 200)}
		if _, err := l.measure(5, quick); err == nil || !strings.Contains(err.Error(), "status 401, want 200") {
			t.Errorf("got %v, want the status", err)
		}
	})

	t.Run("a regular expression chooses lines", func(t *testing.T) {
		var out strings.Builder
		o := options{run: "^knox$", tokens: 20, paired: quick}
		if err := o.main(&out); err != nil {
			t.Fatal(err)
		}
		if rows := regexp.MustCompile(`(?m)^\| knox \|`).FindAllString(out.String(), -1); len(rows) != 1 {
			t.Errorf("got\n%s, want one row of knox", &out)
		}
	})

	t.Run("an older build measures each line, too", func(t *testing.T) {
		program, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		t.Setenv(programVariable, "1")
		var out strings.Builder
		o := options{run: "^knox$", tokens: 20, paired: quick, old: program}
		if err := o.main(&out); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(out.String(), "Before: an older build in the same minutes") {
			t.Errorf("got\n%s, want a word about the older build", &out)
		}
	})
}
