package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/password"
)

// This file measures checks of tokens while many logins wait for the password hasher.

// hasherRounds is how many rounds there are at most.
const hasherRounds = 2

// crowd is many users that log in again and again.
type crowd struct {
	login   http.Handler
	done    atomic.Int64
	busy    atomic.Int64
	fail    atomic.Int64
	waiting atomic.Int64
}

// hashing is a service. Its tokens are checked while users log in.
type hashing struct {
	crowd *crowd
	check func() (func() error, bool)
}

// newHashing wires knox with a password login. A concurrency of 0 is the default.
func newHashing(ctx context.Context, store knox.Store, concurrent int) (*hashing, error) {
	hasher, err := password.NewHasher(password.HasherConfig{Concurrent: concurrent})
	if err != nil {
		return nil, err
	}
	hash, err := hasher.Hash(ctx, loginPassword)
	if err != nil {
		return nil, err
	}
	passwords, err := password.New(password.Config{Hasher: hasher, Logger: quiet,
		Account: func(_ context.Context, name string) (auth.User, string, error) { return &account{name}, hash, nil }})
	if err != nil {
		return nil, err
	}
	tokens, err := knox.New(knox.Config{Store: store, LoadUser: anyUser, Logger: quiet})
	if err != nil {
		return nil, err
	}
	guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{tokens}, Login: []auth.Authenticator{passwords},
		Logger: slog.New(slog.DiscardHandler)}) // logins that must come again are counted, and are many
	if err != nil {
		return nil, err
	}
	handlers, err := tokens.Handlers(guard)
	if err != nil {
		return nil, err
	}
	protected := guard.Require()(http.HandlerFunc(writeUser))
	var values []string
	for n := range 1000 {
		issued, err := tokens.Issue(ctx, userID(n), sampleOptions)
		if err != nil {
			return nil, err
		}
		values = append(values, "Token "+issued.Secret.Reveal())
	}
	next := 0
	return &hashing{crowd: &crowd{login: handlers.Login}, check: func() (func() error, bool) {
		n := next % len(values)
		next++
		r, w := httptest.NewRequest(http.MethodGet, "/reports", nil), httptest.NewRecorder()
		r.Header.Set("Authorization", values[n])
		return func() error {
			if protected.ServeHTTP(w, r); w.Code != http.StatusOK || w.Body.String() != userID(n) {
				return fmt.Errorf("a check was answered with %d %q, want %q", w.Code, w.Body, userID(n))
			}
			return nil
		}, true
	}}, nil
}

// logIn has a user log in, again and again until ctx ends. Each user has an address of their own.
func (c *crowd) logIn(ctx context.Context, n int) {
	body := fmt.Sprintf(`{"username": "crowd-%d", "password": %q}`, n, loginPassword)
	for ctx.Err() == nil {
		r := httptest.NewRequest(http.MethodPost, "/login", strings.NewReader(body)).WithContext(ctx)
		r.Header.Set("Content-Type", "application/json")
		r.RemoteAddr = fmt.Sprintf("10.%d.%d.%d:1234", n>>16&255, n>>8&255, n&255)
		w := httptest.NewRecorder()
		c.waiting.Add(1)
		c.login.ServeHTTP(w, r)
		c.waiting.Add(-1)
		switch {
		case ctx.Err() != nil:
		case w.Code == http.StatusOK:
			c.done.Add(1)
		case w.Code == http.StatusServiceUnavailable:
			c.busy.Add(1)
		default:
			c.fail.Add(1)
		}
	}
}

// during runs a function while n users wait to log in.
func (c *crowd) during(n int, while func()) error {
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	defer all.Wait()
	defer cancel()
	for i := range n {
		all.Go(func() { c.logIn(ctx, i) })
	}
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	for timeout := time.After(time.Minute); c.waiting.Load() < int64(n)*9/10; {
		select {
		case <-look.C:
		case <-timeout:
			return fmt.Errorf("only %d of %d logins wait", c.waiting.Load(), n)
		}
	}
	while()
	if failed := c.fail.Load(); failed > 0 {
		return fmt.Errorf("%d logins were neither accepted nor told to wait", failed)
	}
	return nil
}

// measure returns how long checks take, and runs a function meanwhile.
func (h *hashing) measure(while func()) (taken times, err error) {
	stop := make(chan struct{})
	var checks sync.WaitGroup
	checks.Go(func() { taken, err = paced(h.check, betweenChecks, stop) })
	while()
	close(stop)
	checks.Wait()
	return taken, err
}

func (o *options) runHasher(out io.Writer) error {
	t := newTable(out, "store", "hashes at once", "checks alone: p50 / p99",
		"checks while "+number(o.logins)+" logins wait: p50 / p99", "ratio of p99 (rounds)", "aim",
		"logins", "told to come again")
	if err := o.hasherOn(t, "memory", knox.NewMemoryStore()); err != nil {
		return err
	}
	for _, e := range o.engines() {
		err := o.withStore(e, func(store knox.Store) error { return o.hasherOn(t, e.name, store) })
		if err != nil {
			return fmt.Errorf("%s: %w", e.name, err)
		}
	}
	fmt.Fprintf(out, "\n%s. Both take turns in %d rounds of %v. A check starts every 2 ms. Passwords are hashed "+
		"by argon2id, as by default: as many at once as there are CPUs, or one less. A login that waited for 5 s "+
		"is answered with 503 and then tries again.\n",
		machine(), min(hasherRounds, o.rounds), o.time)
	return nil
}

// withStore opens the store of knox on an engine.
func (o *options) withStore(e *engine, do func(store knox.Store) error) error {
	address, stop, err := e.start(o, e.settings(o))
	if err != nil {
		return err
	}
	defer stop()
	d, err := openDatabase(context.Background(), address, place{name: "small"})
	if err != nil {
		return err
	}
	defer d.close()
	store, err := d.knox(context.Background())
	if err != nil {
		return err
	}
	return do(store)
}

// hasherOn measures with as many hashes at once as there are CPUs, which is the default, and with one less.
func (o *options) hasherOn(t table, name string, store knox.Store) error {
	all := runtime.GOMAXPROCS(0)
	for _, concurrent := range slices.Compact([]int{all, max(1, all-1)}) {
		if err := o.hashersOn(t, name, store, concurrent); err != nil {
			return err
		}
	}
	o.progress("hasher: %s", name)
	return nil
}

func (o *options) hashersOn(t table, name string, store knox.Store, concurrent int) error {
	h, err := newHashing(context.Background(), store, concurrent)
	if err != nil {
		return err
	}
	var alone, beside times
	var ratios spread
	for range min(hasherRounds, o.rounds) {
		calm, errCalm := h.measure(func() { time.Sleep(o.time) })
		var busy times
		var errBusy error
		err := h.crowd.during(o.logins, func() { busy, errBusy = h.measure(func() { time.Sleep(o.time) }) })
		if err := errors.Join(err, errCalm, errBusy); err != nil {
			return err
		}
		alone, beside = joined(alone, calm), joined(beside, busy)
		ratios = append(ratios, ratio(busy.at(0.99), calm.at(0.99)))
	}
	t.row(name, fmt.Sprint(concurrent), alone.String(), beside.String(),
		aimed(ratios.String(), ratios.middle() <= slower), fmt.Sprintf("%.0fx", slower),
		fmt.Sprint(h.crowd.done.Load()), fmt.Sprint(h.crowd.busy.Load()))
	return nil
}
