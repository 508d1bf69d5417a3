package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// This file looks at a process amid mixed traffic.

// looks is how often the instance is looked at.
const looks = 10

// runMixedParts prints what instances on the first two engines take, both at the same time.
func (o *options) runMixedParts(out io.Writer) error {
	engines := o.engines()
	engines = engines[:min(2, len(engines))]
	texts, errs := make([]strings.Builder, len(engines)), make([]error, len(engines))
	var all sync.WaitGroup
	for i, e := range engines {
		all.Go(func() {
			if err := o.mixedOn(&texts[i], e, max(1, o.rate/len(engines))); err != nil {
				errs[i] = fmt.Errorf("%s: %w", e.name, err)
			}
		})
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	newTable(out, "engine", "time", "resident memory", "live heap", "goroutines")
	for i := range texts {
		fmt.Fprint(out, texts[i].String())
	}
	fmt.Fprintf(out, "\n%s. %d requests a second in all, in %v, on both engines at once. Of a hundred requests",
		machine(), o.rate, o.mixed)
	for _, a := range actions() {
		fmt.Fprintf(out, " %d are %s,", a.weight, a.name)
	}
	fmt.Fprintln(out, " at random. The heap is what is live after a collection. A password that is being hashed "+
		"has 19 MiB of it. The last look is at most 10 s after the end. Aims for it: at most 1.5x of the least heap "+
		"of the first three tenths, and at most 10 goroutines more than at the start.")
	return nil
}

// mixedOn lets traffic go on, and looks at the instance.
func (o *options) mixedOn(out io.Writer, e *engine, rate int) error {
	address, stop, err := e.start(o, e.settings(o))
	if err != nil {
		return err
	}
	defer stop()
	one, err := startInstance(instanceOrder{Name: "a", Address: address, Cached: e.flag == "postgresql"})
	if err != nil {
		return err
	}
	defer func() { _ = one.end() }()
	order := mixedOrder{URL: one.url, Values: make(map[string][]string), Duration: o.mixed, Rate: rate}
	for _, backend := range []string{"knox", "jwt", "session", "oauth"} {
		if order.Values[backend], err = one.credentials(backend, o.users); err != nil {
			return err
		}
	}
	seen, err := o.watch(one, order)
	if err != nil {
		return err
	}
	result, t := seen.result, table{out}
	for i, u := range seen.usages {
		heap, goroutines := mebibytes(u.Heap), fmt.Sprint(u.Goroutines)
		if last := i == len(seen.usages)-1; last {
			heap = aimed(heap, u.Heap <= seen.early()*3/2)
			goroutines = aimed(goroutines, u.Goroutines <= seen.usages[0].Goroutines+moreGoroutines)
		}
		t.row(e.name, short(seen.at[i]), mebibytes(u.Resident), heap, goroutines)
	}
	t.row(e.name, fmt.Sprintf("%d requests, %d left out", result.Requests, result.Late),
		"p50 "+short(result.P50), "p99 "+short(result.P99),
		aimed(fmt.Sprintf("%d answered with 503", result.Unavailable), result.Unavailable == 0))
	return nil
}

// An instance may have a few goroutines more after the traffic than before, within a while.
const moreGoroutines, settling = 10, 10 * time.Second

// seen is what the instance took, at the start, after each tenth, and a moment after the end.
type seen struct {
	usages []usage
	at     []time.Duration
	result mixedResult
}

// early is the least heap of the first three tenths. A password that is being hashed takes 19 MiB meanwhile.
func (s *seen) early() uint64 { return min(s.usages[1].Heap, s.usages[2].Heap, s.usages[3].Heap) }

// watch has traffic go on, and looks at the instance.
func (o *options) watch(one *instance, order mixedOrder) (s seen, err error) {
	began := time.Now()
	look := func() error {
		u, err := one.usage(true)
		s.usages, s.at = append(s.usages, u), append(s.at, time.Since(began))
		return err
	}
	if err := look(); err != nil {
		return s, err
	}
	clients, err := startChild("mixed", order)
	if err != nil {
		return s, err
	}
	next := time.NewTicker(max(o.mixed/looks, time.Millisecond))
	defer next.Stop()
	for range looks {
		<-next.C
		err = errors.Join(err, look())
	}
	err = errors.Join(err, clients.answer(&s.result), clients.end())
	// The connections of the clients end now, each in a goroutine that may wait for a processor.
	for late := time.Now().Add(settling); err == nil; time.Sleep(settling / 20) {
		err = look()
		last := len(s.usages) - 1
		if s.usages[last].Goroutines <= s.usages[0].Goroutines+moreGoroutines || time.Now().After(late) {
			break
		}
		s.usages, s.at = s.usages[:last], s.at[:last]
	}
	if err == nil && s.result.Wrong != "" {
		err = errors.New("an answer was wrong: " + s.result.Wrong)
	}
	o.progress("mixed: %s after %v", one.url, o.mixed)
	return s, err
}
