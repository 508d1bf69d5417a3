package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/gatewarden/auth"
)

// This file measures a purge over SQLite while users log in and use tokens.

// pace is the time between two logins, and between two first uses.
const pace = 10 * time.Millisecond

// traffic is what happens beside the purge.
type traffic struct {
	logins samples // a token is issued
	first  samples // a token is used for the first time, so its last use is to be written
	checks samples // a token that was used before is checked
}

func (o *options) runPurge(out io.Writer) error {
	b, end, err := openBig(2*o.purge, o.purge)
	defer end()
	if err != nil {
		return err
	}
	if _, err := b.client.side(); err != nil {
		return err
	}
	calm := b.traffic(func() { time.Sleep(5 * o.time) })
	var removed int
	var took time.Duration
	busy := b.traffic(func() {
		began := time.Now()
		removed, err = auth.PurgeAll(context.Background(), b.tokens)
		took = time.Since(began)
	})
	if err := errors.Join(err, calm.err(), busy.err()); err != nil {
		return err
	}
	fmt.Fprintf(out, "A purge of %d of %d rows of knox in SQLite took %s: %.0f rows/s. Meanwhile:\n\n",
		removed, 2*o.purge, short(took), float64(removed)/took.Seconds())
	fmt.Fprintln(out, "| | without a purge: p50 / p99 / max | during the purge: p50 / p99 / max | requests |")
	fmt.Fprintln(out, "| --- | --- | --- | --- |")
	for _, row := range []struct {
		name       string
		calm, busy samples
	}{
		{"login: a token is issued", calm.logins, busy.logins},
		{"first use of a token, through the Guard", calm.first, busy.first},
		{"use of a token whose last use is written", calm.checks, busy.checks},
	} {
		fmt.Fprintf(out, "| %s | %s / %s | %s / %s | %d |\n", row.name,
			row.calm, short(row.calm.at(1)), row.busy, short(row.busy.at(1)), len(row.busy.sorted))
	}
	fmt.Fprintf(out, "\n%s. A login starts every %v, and so does a first use. The other uses follow one another. %s\n",
		machine(), pace, control(o.time))
	return nil
}

func (t *traffic) err() error { return errors.Join(t.logins.err, t.first.err, t.checks.err) }

// traffic logs users in, uses their tokens and uses others, while a function runs.
func (b *bigFile) traffic(while func()) *traffic {
	t := new(traffic)
	stop := make(chan struct{})
	fresh := make(chan use, 10_000)
	var all sync.WaitGroup
	all.Go(func() { t.logins = b.logins(stop, fresh) })
	all.Go(func() { t.first = b.firstUses(stop, fresh) })
	all.Go(func() {
		c := b.world.client(b.client.handler, "Authorization", b.client.values, b.client.status)
		t.checks = c.until(stop)
	})
	while()
	close(stop)
	all.Wait()
	for _, s := range []*samples{&t.logins, &t.first, &t.checks} {
		slices.Sort(s.sorted)
	}
	return t
}

// use is a token that was not used yet.
type use struct {
	value string
	user  int
}

func (b *bigFile) logins(stop <-chan struct{}, fresh chan<- use) (s samples) {
	next := time.NewTicker(pace)
	defer next.Stop()
	for i := 0; ; i++ {
		select {
		case <-stop:
			return s
		case <-next.C:
		}
		token, took, err := b.issue(i)
		if err != nil {
			s.err = err
			return s
		}
		s.sorted = append(s.sorted, took)
		fresh <- use{"Token " + token, i % len(b.world.ids)}
	}
}

func (b *bigFile) firstUses(stop <-chan struct{}, fresh <-chan use) (s samples) {
	next := time.NewTicker(pace)
	defer next.Stop()
	for {
		var u use
		select {
		case <-stop:
			return s
		case u = <-fresh:
		}
		w := &world{ids: []string{b.world.ids[u.user]}}
		c := w.client(b.client.handler, "Authorization", []string{u.value}, b.client.status)
		began := time.Now()
		if s.err = c.do(); s.err != nil {
			return s
		}
		s.sorted = append(s.sorted, time.Since(began))
		select {
		case <-stop:
			return s
		case <-next.C:
		}
	}
}
