package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/knox"
)

// This file measures checks and logins while a purge runs.

// Pauses between two checks, and between two logins. There is room for twice as many, so what is measured is a wait for
// the purge and not for a turn.
const betweenChecks, betweenLogins = 2 * time.Millisecond, 20 * time.Millisecond

// slower is how much slower checks and logins may become.
const slower = 2.0

const purgeText = "Checks start every 2 ms and logins every 20 ms. The purge is auth.PurgeAll, with its batches " +
	"and pauses, of the oldest half of all tokens. It was stopped after a while, and the last column says how " +
	"long it would take at this rate.\n"

func newPurgeTable(out io.Writer) table {
	return newTable(out, "engine", "work", "without a purge: p50 / p99 / max", "during the purge: p50 / p99 / max",
		"ratio of p99", "aim", "purged", "rate", "all")
}

// purger removes what has expired at an instant in the future, as if it were that late.
type purger struct {
	store   knox.Store
	ending  knox.Ending
	removed int
}

// Purge implements [auth.Purger].
func (p *purger) Purge(ctx context.Context, limit int) (int, error) {
	gone, err := p.store.Purge(ctx, limit, p.ending)
	p.removed += len(gone)
	return len(gone), err
}

// purgeBeside purges the oldest half of the large population.
func (o *options) purgeBeside(t table, l *loaded) error {
	s := l.many
	half := s.tenths(5)
	p := &purger{store: s.store, ending: s.expiredBefore(half)}
	calm, err := s.traffic(func() { time.Sleep(o.time * 2) })
	if err != nil {
		return err
	}
	var took time.Duration
	var purging error
	busy, err := s.traffic(func() {
		ctx, cancel := context.WithTimeout(context.Background(), o.purgeTime)
		defer cancel()
		began := time.Now()
		_, purging = auth.PurgeAll(ctx, p)
		took = time.Since(began)
		if ctx.Err() != nil { // which was meant
			purging = nil
		}
	})
	if err := errors.Join(err, purging); err != nil {
		return err
	}
	if p.removed == 0 {
		return fmt.Errorf("the purge removed nothing in %v", took)
	}
	rate := float64(p.removed) / took.Seconds()
	all := time.Duration(float64(half) / rate * float64(time.Second))
	for i, name := range []string{"check of a token", "login: a token is issued"} {
		r := ratio(busy[i].at(0.99), calm[i].at(0.99))
		t.row(l.engine.name, name, calm[i].String()+" / "+short(calm[i].at(1)),
			busy[i].String()+" / "+short(busy[i].at(1)), aimed(fmt.Sprintf("%.2fx", r), r <= slower),
			fmt.Sprintf("%.0fx", slower), fmt.Sprintf("%d in %s", p.removed, short(took)), fmt.Sprintf("%.0f/s", rate),
			fmt.Sprintf("%s in %s", number(half), short(all)))
	}
	o.progress("%s: %d tokens purged in %s", l.engine.name, p.removed, short(took))
	return nil
}

// traffic checks tokens and logs users in while a function runs.
func (s *subject) traffic(while func()) (taken [2]times, err error) {
	stop := make(chan struct{})
	var both sync.WaitGroup
	var errs [2]error
	works := [2]func() (func() error, bool){
		func() (func() error, bool) { return s.request(s.check, s.lateUsed()), true }, s.login}
	for i, pause := range []time.Duration{betweenChecks, betweenLogins} {
		both.Go(func() { taken[i], errs[i] = paced(works[i], pause, stop) })
	}
	while()
	close(stop)
	both.Wait()
	return taken, errors.Join(errs[:]...)
}

// lateUsed is anyUsed among tokens that the purge does not reach.
func (s *subject) lateUsed() int {
	return s.tenths(6) + rand.IntN(3)*s.users() + rand.IntN(s.staying())
}

// paced repeats something at a pace until stop is closed.
func paced(prepare func() (func() error, bool), pause time.Duration, stop <-chan struct{}) (taken times, err error) {
	next := time.NewTicker(pause)
	defer next.Stop()
	for {
		do, ok := prepare()
		if !ok {
			return joined(taken), nil
		}
		began := time.Now()
		if err := do(); err != nil {
			return nil, err
		}
		taken = append(taken, time.Since(began))
		select {
		case <-stop:
			return joined(taken), nil
		case <-next.C:
		}
	}
}
