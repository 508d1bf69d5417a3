// Command scale measures authentication under load and with many tokens, on real servers of its own, and prints tables
// for docs/benchmarks.md. `make bench-scale` runs all of it.
//
//	go run ./benchmarks/scale -parts engines -large 1M     # one part, with fewer tokens
//	go run ./benchmarks/scale -engines postgresql,redis    # on some engines
//
// The parts are:
//
//	engines    what each operation takes with few and with many tokens, their bytes, and a purge beside traffic
//	garbage    a million false tokens: the heap, and how many questions reach the engine
//	hasher     checks of tokens while 10,000 logins wait for the password hasher
//	instances  how long a revocation takes from one instance to the other, behind a balancer
//	requests   requests each second and their CPU, with each backend on each engine
//	mixed      memory and goroutines of a process in ten minutes of traffic
//
// The servers listen on free ports of 127.0.0.1, and keep their files in temporary folders. With the sizes of
// `make bench-scale` they take about 12 GB of memory and 15 GB of disk.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

func main() {
	if kind := os.Getenv(childVariable); kind != "" {
		mainOfChild(kind)
		return
	}
	o := newOptions(flag.CommandLine)
	flag.Parse()
	if err := o.run(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "scale:", err)
		os.Exit(1)
	}
}

// options are the flags.
type options struct {
	parts       list
	only        list
	small       int
	medium      int
	large       int
	memory      int
	time        time.Duration
	purgeTime   time.Duration
	garbage     int
	logins      int
	revocations int
	rounds      int
	users       int
	mixed       time.Duration
	rate        int
	log         io.Writer
	began       time.Time
}

func newOptions(flags *flag.FlagSet) *options {
	o := &options{parts: partNames(), only: engineFlags(), small: 10_000, medium: 1_000_000, large: 10_000_000,
		garbage: 1_000_000, logins: 10_000, log: os.Stderr, began: time.Now()}
	flags.Var(&o.parts, "parts", "what to measure, with commas between")
	flags.Var(&o.only, "engines", "on which engines, with commas between")
	flags.Var((*count)(&o.small), "small", "tokens to compare with")
	flags.Var((*count)(&o.medium), "medium", "tokens in SQLite and MariaDB")
	flags.Var((*count)(&o.large), "large", "tokens in PostgreSQL and Redis")
	flags.IntVar(&o.memory, "memory", 4096, "MB of shared_buffers and innodb-buffer-pool-size")
	flags.DurationVar(&o.time, "time", 3*time.Second, "how long each operation is measured with each size")
	flags.DurationVar(&o.purgeTime, "purge-time", time.Minute, "how long a purge runs at most")
	flags.Var((*count)(&o.garbage), "garbage", "tokens that are none")
	flags.Var((*count)(&o.logins), "logins", "logins that wait for the hasher")
	flags.IntVar(&o.revocations, "revocations", 1000, "revocations between instances")
	flags.IntVar(&o.rounds, "rounds", 4, "rounds of requests, and of waiting logins at most two")
	flags.IntVar(&o.users, "users", 1000, "users of requests and of the mixed traffic")
	flags.DurationVar(&o.mixed, "mixed", 10*time.Minute, "how long the mixed traffic lasts")
	flags.IntVar(&o.rate, "rate", 600, "requests each second of the mixed traffic")
	return o
}

// part is something to measure.
type part struct {
	name, heading string
	run           func(o *options, out io.Writer) error
}

func parts() []part {
	return []part{
		{"engines", "Many tokens", (*options).runEngines},
		{"garbage", "Garbage", (*options).runGarbage},
		{"hasher", "Logins that wait for the hasher", (*options).runHasher},
		{"instances", "A revocation between two instances", (*options).runInstances},
		{"requests", "Requests with each backend", (*options).runRequests},
		{"mixed", "Mixed traffic", (*options).runMixedParts},
	}
}

func partNames() (names list) {
	for _, p := range parts() {
		names = append(names, p.name)
	}
	return names
}

func engineFlags() (names list) {
	for _, e := range engines() {
		names = append(names, e.flag)
	}
	return names
}

// engines returns those that were asked for.
func (o *options) engines() (all []*engine) {
	for _, e := range engines() {
		if slices.Contains(o.only, e.flag) {
			all = append(all, e)
		}
	}
	return all
}

func (o *options) run(out io.Writer) error {
	if err := errors.Join(o.parts.check("part", partNames()), o.only.check("engine", engineFlags())); err != nil {
		return err
	}
	var errs []error
	for _, p := range parts() {
		if !slices.Contains(o.parts, p.name) {
			continue
		}
		began := time.Now()
		fmt.Fprintf(out, "## %s\n\n", p.heading)
		if err := p.run(o, out); err != nil { // the other parts are measured nevertheless
			o.progress("%s: %v", p.name, err)
			errs = append(errs, fmt.Errorf("%s: %w", p.name, err))
		}
		fmt.Fprintf(out, "\nThis part took %s.\n\n", short(time.Since(began)))
	}
	return errors.Join(errs...)
}

// progress says on the standard error what was done.
func (o *options) progress(format string, values ...any) {
	fmt.Fprintf(o.log, "%6s  %s\n", short(time.Since(o.began)), fmt.Sprintf(format, values...))
}

// list is a flag of names with commas between.
type list []string

func (l *list) String() string { return strings.Join(*l, ",") }

func (l *list) Set(text string) error {
	*l = strings.Split(text, ",")
	return nil
}

func (l *list) check(what string, known list) error {
	for _, name := range *l {
		if !slices.Contains(known, name) {
			return fmt.Errorf("there is no %s %q: there are %s", what, name, known.String())
		}
	}
	return nil
}

// count is a flag of a number such as 500, 10k and 5M.
type count int

func (c *count) String() string { return number(int(*c)) }

func (c *count) Set(text string) error {
	unit := 1
	if digits, ok := strings.CutSuffix(text, "k"); ok {
		text, unit = digits, 1000
	} else if digits, ok := strings.CutSuffix(text, "M"); ok {
		text, unit = digits, 1_000_000
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return errors.New("it is not a number such as 500, 10k or 5M")
	}
	*c = count(n * unit)
	return nil
}
