package faults

import (
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// load is a service under the requests of several workers, with a ledger of what it has acknowledged.
//
//	l := newLoad(t, s, first, second)
//	l.begin()
//	l.await("answers", func() bool { return l.stats.good() > 200 })
//	… a fault …
//	l.finish()
//	l.settle()
//	l.stats.verdict(t, "the fault", s.engine, "")
type load struct {
	t       testing.TB
	slots   []*slot
	client  *client
	stats   *stats
	workers []*worker
	mixture []action

	// bound is how long after the end of a credential another instance may accept it.
	bound time.Duration
	// skewed is whether the clocks of the instances differ by more than a code lives.
	skewed bool

	// stale is the longest time after which one did so.
	stale time.Duration

	batches atomic.Int64
	over    chan struct{}
	running sync.WaitGroup
}

// worker is a client with credentials of one user. It sends one request after the other.
type worker struct {
	load    *load
	user    string
	alone   bool // no other worker has this user
	session *credential
	held    []*credential
	random  *rand.Rand
}

// redisBound is how long an instance believes what it has in memory if it cannot hear its Redis. See
// store/redisstore/README.md.
const redisBound = 2 * time.Second

// newLoad makes the workers, and lets demo-web in for their users.
func newLoad(t testing.TB, s *server, instances ...*instance) *load {
	t.Helper()
	l := &load{t: t, client: newClient(), stats: &stats{lastGood: time.Now()}, over: make(chan struct{})}
	l.mixture = mixture
	for _, i := range instances {
		l.slots = append(l.slots, newSlot(i))
	}
	if s.isRedis() {
		l.bound = redisBound
	}
	for n, user := range []string{"alice", "alice", "bob", "admin", "alice", "alice"} {
		w := &worker{load: l, user: user, alone: user != "alice", random: rand.New(rand.NewPCG(uint64(n), 1))}
		w.allow(t)
		l.workers = append(l.workers, w)
	}
	t.Cleanup(l.client.http.CloseIdleConnections)
	return l
}

// allow signs a user in and lets demo-web in.
func (w *worker) allow(t testing.TB) {
	t.Helper()
	at := w.load.slots[0]
	c, a := sessionKind.issue(w, at)
	if a.status != 200 {
		t.Fatalf("signing in as %s: got %d %s %v", w.user, a.status, a.body, a.failure)
	}
	w.session = c
	a = w.send(at, authorizeRequest(c), "the first question for a code", 200, 303)
	if a.status == http.StatusOK {
		a = w.send(at, allowRequest(c, a.body), "letting an application in", 303)
	}
	if codeOf(a) == "" {
		t.Fatalf("no code for %s: %d %.300s", w.user, a.status, a.body)
	}
}

// send sends a request and counts the answer, with a status that must be one of these or 503. An application is told of
// an outage by its own redirect URI (RFC 6749 section 4.1.2.1).
func (w *worker) send(at *slot, r request, what string, statuses ...int) answer {
	a := w.load.client.send(at.now.Load(), r)
	if strings.Contains(a.header.Get("Location"), "error=temporarily_unavailable") {
		a.status, a.header = http.StatusServiceUnavailable, http.Header{"Retry-After": {"1"}}
	}
	w.load.stats.saw(a, what, statuses...)
	return a
}

// pick chooses an instance.
func (w *worker) pick() *slot { return w.load.slots[w.random.IntN(len(w.load.slots))] }

// action is what a worker does, and how often.
type action struct {
	share int
	do    func(w *worker)
}

// mixture is what a service sees in a day: mostly checks.
var mixture = []action{
	{50, (*worker).checkAny},
	{12, (*worker).loginAny},
	{10, (*worker).refreshAny},
	{8, (*worker).stopAny},
	{2, (*worker).twiceAny},
	{1, (*worker).stopAllAny},
}

// loginsAndRefreshes is a mixture in which nearly all requests change something.
var loginsAndRefreshes = []action{
	{10, (*worker).loginAny},
	{10, (*worker).refreshAny},
	{3, (*worker).stopAny},
	{2, (*worker).checkAny},
	{1, (*worker).twiceAny},
}

// pace is the pause between two requests of a worker, so that a server that refuses all does not get a million.
const pace = 3 * time.Millisecond

// begin starts the workers.
func (l *load) begin() {
	l.stats.mu.Lock()
	l.stats.lastGood = time.Now()
	l.stats.mu.Unlock()
	for _, w := range l.workers {
		l.running.Go(func() {
			tick := time.NewTicker(pace)
			defer tick.Stop()
			for {
				select {
				case <-l.over:
					return
				case <-tick.C:
					w.act(l.mixture)
				}
			}
		})
	}
}

// finish ends the workers after the requests that are under way.
func (l *load) finish() {
	close(l.over)
	l.running.Wait()
}

// await waits until something is so.
func (l *load) await(what string, is func() bool) {
	l.t.Helper()
	await(l.t, what, is)
}

func await(t testing.TB, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for late := time.Now().Add(patience); !is(); <-tick.C {
		if time.Now().After(late) {
			t.Fatalf("not after %v: %s", patience, what)
		}
	}
}

// more waits until so many more requests were answered well.
func (l *load) more(n int) {
	l.t.Helper()
	from := l.stats.good()
	l.await("more good answers", func() bool { return l.stats.good() >= from+n })
}

// act does one of the actions.
func (w *worker) act(all []action) {
	sum := 0
	for _, a := range all {
		sum += a.share
	}
	chosen := w.random.IntN(sum)
	for _, a := range all {
		if chosen -= a.share; chosen < 0 {
			a.do(w)
			return
		}
	}
}

// any returns one of the credentials that suit, or nil.
func (w *worker) any(suits func(c *credential) bool) *credential {
	var found []*credential
	for _, c := range w.held {
		if suits(c) && !c.expired() {
			found = append(found, c)
		}
	}
	if len(found) == 0 {
		return nil
	}
	return found[w.random.IntN(len(found))]
}

// notMany is how many live credentials a worker has before it ends some.
const notMany = 60

func (w *worker) loginAny() {
	if w.count(live) > notMany && !full {
		w.stopAny()
		return
	}
	w.login(kinds[w.random.IntN(len(kinds))])
}

// login asks for a credential and keeps it.
func (w *worker) login(k *kind) *credential {
	made := time.Now() // before, since it may be issued at any time from now on
	c, a := k.issue(w, w.pick())
	if c == nil || a.status != http.StatusOK {
		return nil
	}
	c.kind, c.user, c.made = k, w.user, made
	w.held = append(w.held, c)
	w.load.stats.count(&w.load.stats.logins)
	return c
}

func (w *worker) count(s state) (n int) {
	for _, c := range w.held {
		if c.state == s {
			n++
		}
	}
	return n
}

func (w *worker) checkAny() {
	c := w.any(func(*credential) bool { return true })
	switch {
	case c == nil:
		w.loginAny()
	case c.kind == machineKind && w.random.IntN(2) == 0:
		w.introspect(c, w.pick())
	default:
		w.check(c, w.pick())
	}
}

func (w *worker) refreshAny() {
	if c := w.any(func(c *credential) bool { return c.kind.refresh != nil && c.state != ended }); c != nil {
		w.refresh(c, w.pick())
	}
}

func (w *worker) stopAny() {
	if c := w.any(func(c *credential) bool { return c.state != ended }); c != nil {
		w.stop(c, w.pick())
	}
}

func (w *worker) twiceAny() {
	usable := func(c *credential) bool { return c.kind.refresh != nil && c.state == live && !c.refreshUnsure }
	if c := w.any(usable); c != nil {
		w.twice(c)
	}
}

func (w *worker) stopAllAny() {
	if w.alone {
		w.stopAll([]*kind{knoxKind, jwtKind}[w.random.IntN(2)], w.pick())
	}
}

func decode(text []byte, into any) { _ = json.Unmarshal(text, into) }
