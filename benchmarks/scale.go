package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unsafe"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/benchmarks/internal/paired"
)

// This file measures stores in memory with many records.

const (
	perUser    = 10      // records of each user
	keptTokens = 100_000 // the most tokens that checks present, spread over all records
	checkers   = 2
)

// population is a store that is filled, with what uses it.
type population struct {
	name    string
	header  string // of requests
	scheme  string // before the token, with its space
	handler http.Handler
	// issue makes a record of a user, which expires in about an hour if short and in about ten otherwise, and
	// returns the token.
	issue func(userID string, short bool) (string, error)
	// purge removes at most limit records that have expired at now.
	purge func(ctx context.Context, now time.Time, limit int) (int, error)
}

// anyUser is a UserLoader that keeps no users, so that memory is the store's.
func anyUser(_ context.Context, id string) (auth.User, error) { return &account{id}, nil }

func userOf(record int) string { return fmt.Sprintf("user-%06d", record/perUser) }

// sizes reads "10k,100k,1M".
func sizes(text string) ([]int, error) {
	var all []int
	for part := range strings.SplitSeq(text, ",") {
		unit := 1
		if digits, ok := strings.CutSuffix(part, "k"); ok {
			part, unit = digits, 1000
		} else if digits, ok := strings.CutSuffix(part, "M"); ok {
			part, unit = digits, 1_000_000
		}
		n, err := strconv.Atoi(part)
		if err != nil || n < 1 {
			return nil, fmt.Errorf("-scale %q is not a list of sizes such as 10k,100k,1M", text)
		}
		all = append(all, n*unit)
	}
	return all, nil
}

func (o *options) runScale(out io.Writer) error {
	all, err := sizes(o.scale)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "| in memory | records | live bytes of each | forced GC: wall, CPU | issued | "+
		"check: CPU, p50 / p99 / p99.9 | purge of nothing: time, longest check | "+
		"purge of half: time, checks p50 / p99 / longest |")
	fmt.Fprintln(out, "| --- | --- | --- | --- | --- | --- | --- | --- |")
	for _, kind := range populations() {
		for _, n := range all {
			if !o.wanted.MatchString(kind.name) {
				continue
			}
			if err := scaleRow(out, kind, n, o.time); err != nil {
				return fmt.Errorf("%s of %d: %w", kind.name, n, err)
			}
		}
	}
	fmt.Fprintf(out, "\n%s. Each user has %d records. Checks go through the Guard, %d at once, and present up to "+
		"%d tokens in turn. Times are wall time where no CPU is named. %s\n\n",
		machine(), perUser, checkers, keptTokens, control(o.time))
	return o.scaleSQLite(out, all)
}

// kind makes an empty population.
type kind struct {
	name  string
	build func() (*population, error)
}

func scaleRow(out io.Writer, k kind, n int, duration time.Duration) error {
	kept := newTokens(n)
	before := heap()
	p, err := k.build()
	if err != nil {
		return err
	}
	began, cpu := time.Now(), paired.CPUTime()
	for i := range n {
		token, err := p.issue(userOf(i), i%2 == 0)
		if err != nil {
			return err
		}
		kept.keep(i, p.scheme, token)
	}
	filled, filledCPU := time.Since(began), paired.CPUTime()-cpu
	live := float64(heap()-before) / float64(n)
	gcWall, gcCPU := forcedGC()
	quiet := p.check(kept, func() { time.Sleep(duration) })

	var nothing, took time.Duration
	var errNothing, errHalf error
	during := p.check(kept, func() { nothing, _, errNothing = p.purgeAll(time.Now()) })
	var removed int
	// The tokens that checks present stay.
	meanwhile := p.check(kept, func() { took, removed, errHalf = p.purgeAll(time.Now().Add(5 * time.Hour)) })
	if err := errors.Join(errNothing, errHalf, quiet.err, during.err, meanwhile.err); err != nil {
		return err
	}
	fmt.Fprintf(out, "| %s | %d | %.0f | %s, %s | %.0f/s, %.1f µs CPU | %.2f µs, %s / %s | %s, %s | "+
		"%s for %d, %s / %s |\n",
		p.name, n, live, short(gcWall), short(gcCPU), float64(n)/filled.Seconds(), micros(filledCPU)/float64(n),
		quiet.cpuEach(), quiet, short(quiet.at(0.999)), short(nothing), short(during.at(1)),
		short(took), removed, meanwhile, short(meanwhile.at(1)))
	runtime.KeepAlive(kept)
	return nil
}

// purgeAll purges in batches of 500, as package auth does, but without a pause.
func (p *population) purgeAll(now time.Time) (took time.Duration, removed int, err error) {
	const batch = 500
	began := time.Now()
	for {
		n, err := p.purge(context.Background(), now, batch)
		removed += n
		if err != nil || n < batch {
			return time.Since(began), removed, err
		}
	}
}

// heap returns the bytes that are live.
func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func forcedGC() (wall, cpu time.Duration) {
	began, before := time.Now(), paired.CPUTime()
	runtime.GC()
	return time.Since(began), paired.CPUTime() - before
}

// tokens are header values that live in memory that was there before the store.
type tokens struct {
	every  int // which records are kept
	block  []byte
	values []string
	users  []string
}

const longestValue = 1100 // bytes: a JWT

func newTokens(n int) *tokens {
	// Records with an odd number expire later, so every is odd: both kinds are kept.
	t := &tokens{every: max(1, n/keptTokens|1)}
	count := n/t.every + 1
	t.values, t.users = make([]string, 0, count), make([]string, 0, count)
	t.block = make([]byte, 0, count*longestValue)
	for i := 0; i < n; i += t.every {
		if i%2 == 1 {
			t.users = append(t.users, userOf(i))
		}
	}
	return t
}

// keep notes the token of a record that is not purged.
func (t *tokens) keep(record int, scheme, token string) {
	if record%t.every != 0 || record%2 == 0 {
		return
	}
	start := len(t.block)
	t.block = append(append(t.block, scheme...), token...)
	t.values = append(t.values, unsafe.String(&t.block[start], len(t.block)-start))
}

// samples are the times of many checks.
type samples struct {
	sorted []time.Duration
	cpu    time.Duration
	err    error
}

func (s samples) at(part float64) time.Duration {
	if len(s.sorted) == 0 {
		return 0
	}
	return s.sorted[min(len(s.sorted)-1, int(part*float64(len(s.sorted))))]
}

func (s samples) cpuEach() float64 { return micros(s.cpu) / float64(max(1, len(s.sorted))) }

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }

// check sends requests on several goroutines while another function runs.
func (p *population) check(kept *tokens, while func()) samples {
	stop := make(chan struct{})
	results := make([]samples, checkers)
	var all sync.WaitGroup
	cpu := paired.CPUTime()
	for i := range checkers {
		w := &world{ids: kept.users}
		c := w.client(p.handler, p.header, kept.values, http.StatusOK)
		c.next = i * len(kept.values) / checkers
		all.Go(func() { results[i] = c.until(stop) })
	}
	while()
	close(stop)
	all.Wait()
	total := samples{cpu: paired.CPUTime() - cpu}
	for _, r := range results {
		total.sorted = append(total.sorted, r.sorted...)
		total.err = errors.Join(total.err, r.err)
	}
	slices.Sort(total.sorted)
	return total
}

// until sends requests until stop is closed, at least one.
func (c *client) until(stop <-chan struct{}) (s samples) {
	s.sorted = make([]time.Duration, 0, 1<<20)
	for {
		began := time.Now()
		if err := c.do(); err != nil {
			s.err = err
			return s
		}
		s.sorted = append(s.sorted, time.Since(began))
		select {
		case <-stop:
			return s
		default:
		}
	}
}

// control says how long a microsecond of nothing takes here, because the longest times are the machine's.
func control(duration time.Duration) string {
	s := samples{}
	for end := time.Now().Add(duration); time.Now().Before(end); {
		began := time.Now()
		for time.Since(began) < time.Microsecond {
		}
		s.sorted = append(s.sorted, time.Since(began))
	}
	slices.Sort(s.sorted)
	return fmt.Sprintf("A microsecond of nothing took %s / %s / %s (p50 / p99 / p99.9), at most %s.",
		short(s.at(0.5)), short(s.at(0.99)), short(s.at(0.999)), short(s.at(1)))
}
