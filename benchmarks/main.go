// Command benchmarks measures what authentication costs, and prints tables for docs/benchmarks.md.
//
//	go run ./benchmarks                    # every line, old and new side by side: `make bench`
//	go run ./benchmarks -run 'knox|JWT'    # some lines
//	go run ./benchmarks -json after.json   # also keeps the figures, to compare with later: -before after.json
//	go run ./benchmarks -old PROGRAM       # measures each line with an older build too, in the same minute
//
// Each line is wired as a user would wire it: a Guard, a backend, a UserLoader over a map that does not
// change, 10,000 tokens of 10,000 users, and a handler that reads the user. Each answer is checked. It
// alternates with its floor, or with what else it is compared with, in slices of 10 ms and 5 ms of CPU
// time; see package paired. A floor reads the header, hashes the token without a copy, and does one look-up
// in a map with locks; see package floor.
//
// With -serve it measures requests over real connections, with -scale and -purge large stores, and with -engines
// the engines of package sqlstore: see serve.go, scale.go, purge.go and engines.go.
// -all measures everything.
//
// Lines about refusals have no Observer, and a log at level Warn. The Guard writes refusals at level
// Info. Their ratio is to a request that the same Guard accepts.
package main

import (
	"cmp"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"runtime"
	"time"

	"github.com/gatewarden/auth/benchmarks/internal/paired"
)

func main() {
	if os.Getenv(clientVariable) != "" {
		mainOfClient()
		return
	}
	var o options
	flag.StringVar(&o.run, "run", "", "measure the lines whose names match this regular expression")
	flag.IntVar(&o.paired.Rounds, "rounds", 10, "rounds of each line")
	flag.DurationVar(&o.paired.Round, "round", 200*time.Millisecond, "CPU time of a line in one round")
	flag.DurationVar(&o.paired.Slice, "slice", 10*time.Millisecond, "CPU time of a line before the other side's turn")
	flag.IntVar(&o.tokens, "tokens", 10_000, "tokens, each of a user of its own")
	flag.StringVar(&o.before, "before", "", "file with the figures to compare with (default: before.json here)")
	flag.StringVar(&o.old, "old", "", "this program, built at another commit: each line is measured with it too, "+
		"just before")
	flag.StringVar(&o.json, "json", "", "also write the figures into this file")
	flag.StringVar(&o.of, "of", "", "with -json: the commit that was measured")
	flag.BoolVar(&o.connections, "serve", false, "measure requests over real connections instead")
	flag.DurationVar(&o.time, "time", 2*time.Second,
		"with -serve, -scale and -purge: how long a round or the checks take")
	flag.StringVar(&o.scale, "scale", "", "measure large stores instead: sizes such as 10k,100k,1M")
	flag.IntVar(&o.purge, "purge", 0, "measure a purge of so many rows of SQLite instead, while users log in")
	flag.StringVar(&o.engines, "engines", "",
		"measure engines instead, with commas between: sqlite, postgres://… and mysql://… of empty databases")
	flag.BoolVar(&o.all, "all", false, "measure everything, with -scale 10k,100k,1M and -purge 500000")
	flag.Parse()
	if err := o.main(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "benchmarks:", err)
		os.Exit(1)
	}
}

// options are the flags.
type options struct {
	run    string
	tokens int
	before string
	json   string
	old    string
	of     string
	paired paired.Config

	connections bool
	time        time.Duration
	scale       string
	purge       int
	engines     string
	all         bool

	wanted *regexp.Regexp // made of run
}

func (o *options) main(out io.Writer) (err error) {
	if o.wanted, err = regexp.Compile(o.run); err != nil {
		return err
	}
	if o.all {
		return o.everything(out)
	}
	switch {
	case o.connections:
		return o.serve(out)
	case o.scale != "":
		return o.runScale(out)
	case o.purge > 0:
		return o.runPurge(out)
	case o.engines != "":
		return o.runEngines(out)
	}
	return o.compare(out)
}

// everything prints all tables, each with a heading.
func (o *options) everything(out io.Writer) error {
	o.scale, o.purge = cmp.Or(o.scale, "10k,100k,1M"), cmp.Or(o.purge, 500_000)
	for _, part := range []struct {
		heading string
		run     func(io.Writer) error
	}{
		{"One request", o.compare},
		{"Requests over connections", o.serve},
		{"Many records", o.runScale},
		{"A purge while users log in", o.runPurge},
	} {
		fmt.Fprintf(out, "## %s\n\n", part.heading)
		if err := part.run(out); err != nil {
			return err
		}
		fmt.Fprintln(out)
	}
	return nil
}

// compare measures every line that was asked for.
func (o *options) compare(out io.Writer) error {
	before, err := readRecord(o.before)
	if err != nil {
		return err
	}
	now := &record{Of: o.of, Machine: machine(), Lines: make(map[string]paired.Result)}
	t := table{out, before}
	t.head()
	for _, l := range lines() {
		if !o.wanted.MatchString(l.name) {
			continue
		}
		if o.old != "" {
			if err := o.measureOld(l, before); err != nil {
				return fmt.Errorf("%s: the old program: %w", l.name, err)
			}
		}
		result, err := l.measure(o.tokens, o.paired)
		if err != nil {
			return fmt.Errorf("%s: %w", l.name, err)
		}
		now.Lines[l.name] = result
		t.row(l, result)
	}
	t.foot(o, now)
	if o.json != "" {
		return now.write(o.json)
	}
	return nil
}

// measure builds a line with users of its own, and measures it.
func (l line) measure(tokens int, config paired.Config) (paired.Result, error) {
	w := newWorld(tokens, l.stamped)
	defer w.close()
	c, err := l.build(w)
	if err != nil {
		return paired.Result{}, err
	}
	return paired.Measure(c.entry, c.floor, config)
}

func machine() string {
	return fmt.Sprintf("%s, %s/%s, %d CPUs", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
}
