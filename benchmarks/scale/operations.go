package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// This file measures what each operation takes with few and with many tokens. Both are on one server, in tables, keys
// or files of their own, and take turns.

const (
	workers = 2 // that do the same at once
	rounds  = 5
	small   = 10_000
)

// loaded is a server with two populations.
type loaded struct {
	engine    *engine
	address   string
	settings  []string
	databases []*database
	few       *subject
	many      *subject
	size      size // of the large population
	took      time.Duration
	smaller   int
	large     int
}

// loadEngine starts a server and loads both populations.
func (o *options) loadEngine(ctx context.Context, e *engine) (l *loaded, end func(), err error) {
	l = &loaded{engine: e, settings: e.settings(o), smaller: min(o.small, o.large), large: o.medium}
	if e.large {
		l.large = o.large
	}
	var stop func()
	if l.address, stop, err = e.start(o, l.settings); err != nil {
		return nil, func() {}, err
	}
	end = func() {
		l.close()
		stop()
	}
	for _, part := range []struct {
		name    string
		tokens  int
		subject **subject
	}{{"small", l.smaller, &l.few}, {"big", l.large, &l.many}} {
		if *part.subject, err = l.load(ctx, newPopulation(part.name, part.tokens)); err != nil {
			return nil, end, fmt.Errorf("%s, %d tokens: %w", e.name, part.tokens, err)
		}
	}
	o.progress("%s: %s tokens loaded in %s", e.name, number(l.large), short(l.took))
	return l, end, nil
}

// close closes the databases.
func (l *loaded) close() {
	for _, d := range l.databases {
		d.close()
	}
}

// load loads one population, and looks at some of its tokens through the store.
func (l *loaded) load(ctx context.Context, p *population) (*subject, error) {
	d, err := openDatabase(ctx, l.address, place{name: p.name, cached: -1})
	if err != nil {
		return nil, err
	}
	l.databases = append(l.databases, d)
	s, err := newSubject(ctx, d, p)
	if err != nil {
		return nil, err
	}
	if l.size, l.took, err = d.load(ctx, p); err != nil {
		return nil, err
	}
	if err := d.loadLogins(ctx, p, s.pairs); err != nil {
		return nil, err
	}
	return s, s.sampled(ctx)
}

// sampled presents some tokens, among them the first and the last, and lists their users'.
func (s *subject) sampled(ctx context.Context) error {
	for i := range 101 {
		n := (s.count - 1) * i / 100
		if err := s.request(s.check, n)(); err != nil {
			return fmt.Errorf("token %d: %w", n, err)
		}
		found, err := s.store.List(ctx, s.owner(n), "", 2*perUser, s.began)
		if err != nil || len(found) != perUser {
			return fmt.Errorf("%s has %d tokens, want %d: %w", s.owner(n), len(found), perUser, err)
		}
	}
	return nil
}

// slice repeats a step for a while on several goroutines.
func (s *subject) slice(st step, while time.Duration) (times, error) {
	all := make([]times, workers)
	errs := make([]error, workers)
	var running sync.WaitGroup
	for i := range workers {
		running.Go(func() { all[i], errs[i] = s.repeat(st, while) })
	}
	running.Wait()
	return joined(all...), errors.Join(errs...)
}

// repeat repeats a step for a while, or until it has nothing to do.
func (s *subject) repeat(st step, while time.Duration) (all times, err error) {
	for end := time.Now().Add(while); ; {
		do, ok := st.prepare(s)
		if !ok {
			return all, nil
		}
		began := time.Now()
		if err := do(); err != nil {
			return all, err
		}
		all = append(all, time.Since(began))
		if time.Now().After(end) {
			return all, nil
		}
	}
}

// comparison has the times of a step with few and with many tokens, and the ratios of their rounds.
type comparison struct {
	few      times
	many     times
	ratios   spread // of p50
	ratios99 spread // of p99
}

// compare repeats a step with few and with many tokens in turns.
func (l *loaded) compare(st step, while time.Duration) (c comparison, err error) {
	for round := range rounds + 1 {
		few, errFew := l.few.slice(st, while)
		many, errMany := l.many.slice(st, while)
		if err := errors.Join(errFew, errMany); err != nil {
			return c, err
		}
		if round == 0 && len(few) > rounds { // which warms up
			continue
		}
		if c.few, c.many = joined(c.few, few), joined(c.many, many); len(few) > 0 && len(many) > 0 {
			c.ratios = append(c.ratios, ratio(many.at(0.5), few.at(0.5)))
			c.ratios99 = append(c.ratios99, ratio(many.at(0.99), few.at(0.99)))
		}
	}
	return c, nil
}

// operations prints a row for each step.
func (o *options) operations(t table, l *loaded) error {
	for _, st := range steps() {
		c, err := l.compare(st, o.time/rounds)
		if err != nil {
			return fmt.Errorf("%s: %s: %w", l.engine.name, st.name, err)
		}
		met, aim := true, "–"
		if st.aim > 0 {
			met, aim = c.ratios.middle() <= st.aim, fmt.Sprintf("%.1fx", st.aim)
		}
		t.row(l.engine.name, st.name, c.few.String(), number(l.large), c.many.String(), aimed(c.ratios.String(), met),
			c.ratios99.short(), aim)
	}
	return nil
}

// runEngines prints the tables of operations, of sizes, and of purges.
func (o *options) runEngines(out io.Writer) error {
	var operations, sizes, purges strings.Builder
	byStep := newTable(&operations, "engine", "operation", "with "+number(o.small)+": p50 / p99", "tokens",
		"with so many: p50 / p99", "ratio of p50 (rounds)", "ratio of p99", "aim")
	bySize := newTable(&sizes, "engine", "tokens", "bytes of each on the disk", "in memory", "loaded in", "settings")
	byPurge := newPurgeTable(&purges)
	for _, e := range o.engines() {
		if err := o.runEngine(e, byStep, bySize, byPurge); err != nil {
			return fmt.Errorf("%s: %w", e.name, err)
		}
	}
	fmt.Fprintf(out, "### Few and many tokens\n\n%s\n%s. Each user has %d tokens. Each check presents a random "+
		"token of all, through the Guard, %d at once. Both sizes take turns in %d rounds. Users are made from "+
		"their identifiers, so no time is the application's. Redis asks the server each time (MaxCached: -1). "+
		"SQL has a login by JWT of each user, and Redis has those that are refreshed.\n\n",
		&operations, machine(), perUser, workers, rounds)
	fmt.Fprintf(out, "### Bytes of a token\n\n%s\nA token has an address and a User-Agent of 69 bytes. Nine of "+
		"ten were used. The disk is that of the table with its indexes, the file, or the append-only file after "+
		"it was rewritten. Memory is that of the indexes, which should fit into it, and used_memory of Redis.\n\n",
		&sizes)
	fmt.Fprintf(out, "### A purge beside traffic\n\n%s\n%s\n", &purges, purgeText)
	return nil
}

// sizeRow prints what tokens take.
func (l *loaded) sizeRow(t table) {
	memory := "–"
	if l.size.memory > 0 {
		memory = fmt.Sprint(l.size.memory / int64(l.large))
	}
	t.row(l.engine.name, number(l.large), fmt.Sprint(l.size.disk/int64(l.large)), memory, short(l.took),
		settingsText(l.settings))
}

// sizeWith measures what tokens take with the settings that make them smaller. A tenth of a million is enough for that.
func (o *options) sizeWith(ctx context.Context, e *engine, t table) error {
	l := &loaded{engine: e, settings: append(e.settings(o), e.smaller...), large: min(o.large, 100_000)}
	address, stop, err := e.start(o, l.settings)
	if err != nil {
		return err
	}
	defer stop()
	l.address = address
	_, err = l.load(ctx, newPopulation("big", l.large))
	defer l.close()
	if err != nil {
		return err
	}
	l.sizeRow(t)
	return nil
}

func (o *options) runEngine(e *engine, byStep, bySize, byPurge table) error {
	ctx := context.Background()
	if e.smaller != nil {
		if err := o.sizeWith(ctx, e, bySize); err != nil {
			return err
		}
	}
	l, end, err := o.loadEngine(ctx, e)
	defer end()
	if err != nil {
		return err
	}
	l.sizeRow(bySize)
	if err := o.operations(byStep, l); err != nil {
		return err
	}
	o.progress("%s: operations measured", e.name)
	return o.purgeBeside(byPurge, l)
}
