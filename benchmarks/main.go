// Command benchmarks measures what authentication costs, and prints tables for docs/benchmarks.md.
//
//	go run ./benchmarks                    # every line, old and new side by side: `make bench`
//	go run ./benchmarks -run 'knox|JWT'    # some lines
//	go run ./benchmarks -json after.json   # also keeps the figures, to compare with later: -before after.json
//
// Each line is wired as a user would wire it: a Guard, a backend, a UserLoader over a map that does not
// change, 10,000 tokens of 10,000 users, and a handler that reads the user. Each answer is checked. It
// alternates with its floor, or with what else it is compared with, in slices of 10 ms and 5 ms of CPU
// time; see package paired. A floor reads the header, hashes the token without a copy, and does one look-up
// in a map with locks; see package floor.
//
// Lines about refusals have no Observer, and a log whose level is Warn. The Guard writes refusals at level
// Info. Their ratio is to a request that the same Guard accepts.
package main

import (
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
	var o options
	flag.StringVar(&o.run, "run", "", "measure the lines whose names match this regular expression")
	flag.IntVar(&o.paired.Rounds, "rounds", 10, "rounds of each line")
	flag.DurationVar(&o.paired.Round, "round", 200*time.Millisecond, "CPU time of a line in one round")
	flag.DurationVar(&o.paired.Slice, "slice", 10*time.Millisecond, "CPU time of a line before what it is compared with has its turn")
	flag.IntVar(&o.tokens, "tokens", 10_000, "tokens, each of a user of its own")
	flag.StringVar(&o.before, "before", "", "file with the figures to compare with (default: those of the commit before the hot path changed)")
	flag.StringVar(&o.json, "json", "", "also write the figures into this file")
	flag.StringVar(&o.of, "of", "", "with -json: the commit that was measured")
	flag.Parse()
	if err := o.main(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "benchmarks:", err)
		os.Exit(1)
	}
}

// options are the flags.
type options struct {
	run          string
	tokens       int
	before, json string
	of           string
	paired       paired.Config
}

func (o *options) main(out io.Writer) error {
	return o.compare(out)
}

// compare measures every line that was asked for.
func (o *options) compare(out io.Writer) error {
	wanted, err := regexp.Compile(o.run)
	if err != nil {
		return err
	}
	before, err := readRecord(o.before)
	if err != nil {
		return err
	}
	now := &record{Of: o.of, Machine: machine(), Lines: make(map[string]paired.Result)}
	t := table{out, before}
	t.head()
	for _, l := range lines() {
		if !wanted.MatchString(l.name) {
			continue
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
