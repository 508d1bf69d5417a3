package faults

import (
	"bytes"
	"fmt"
	"sync"
	"testing"
)

// TestUnitConnectionsCut cuts all connections to the server in the middle of requests, again and again.
func TestUnitConnectionsCut(t *testing.T) {
	onEachServer(t, "requests whose connections are cut lose nothing", func(t *testing.T, e engine) {
		s := e.shared(t)
		p := newProgram(t, s.address)
		var instances []*instance
		var networks []network
		for range 2 {
			address, n := s.through(t)
			networks = append(networks, n)
			instances = append(instances, p.at(address).start(t))
		}
		l := newLoad(t, s, instances...)
		l.begin()
		for range size(6, 100) {
			l.more(size(25, 50))
			for _, n := range networks {
				n.cut()
			}
		}
		l.more(size(25, 50))
		l.finish()
		l.settle()
		l.stats.verdict(t, "all connections cut", e.name, "")
	})
}

// counter counts the chunks of a request on all connections.
type counter struct {
	mu   sync.Mutex
	nth  int // the one to cut after
	seen int
	cut  []byte // it, once it was cut after
}

// is reports whether a chunk is the one.
func (c *counter) is(chunk []byte) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if bytes.Contains(chunk, []byte("\r\nPING\r\n")) {
		return false // the sign of life that an instance asks for
	}
	c.seen++
	if c.seen != c.nth {
		return false
	}
	c.cut = bytes.Clone(chunk)
	return true
}

func (c *counter) happened() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cut != nil
}

// cutAfter cuts the connection that carries the nth chunk of what is done meanwhile. The chunk arrives, and its answer
// does not. It reports whether there were so many chunks.
func (n network) cutAfter(nth int, do func()) bool {
	c := &counter{nth: nth}
	for _, p := range n {
		p.CutAnswer(c.is, func() {})
	}
	do()
	n.resume()
	return c.happened()
}

// change is a request that changes something.
type change struct {
	name    string
	prepare func(w *worker) // before the cut
	do      func(w *worker) // while one answer of the server is cut
}

// changes are those that the answers of the server are cut of.
func changes() (all []change) {
	for _, k := range kinds {
		if k == machineKind && !full {
			continue // it is a grant without a user
		}
		login := func(w *worker) { w.login(k) }
		all = append(all,
			change{"a login with a " + k.name, func(*worker) {}, login},
			change{"the end of a " + k.name, login, func(w *worker) { w.stop(w.last(), w.pick()) }})
		if k.refresh != nil {
			refresh := func(w *worker) { w.refresh(w.last(), w.pick()) }
			all = append(all, change{"a refresh of a " + k.name, login, refresh})
		}
		if k.refresh != nil && full {
			all = append(all, change{"two refreshes of a " + k.name, login, func(w *worker) { w.twice(w.last()) }})
		}
		if k == knoxKind || k == jwtKind {
			three := func(w *worker) { login(w); login(w); login(w) }
			all = append(all, change{"the end of every " + k.name, three, func(w *worker) { w.stopAll(k, w.pick()) }})
		}
	}
	return all
}

// last is the credential that the worker was given last.
func (w *worker) last() *credential { return w.held[len(w.held)-1] }

// TestUnitAnswerCut cuts a connection after each of the chunks that an instance sends for a change, COMMIT among them.
// The client is then told of an outage, and the change was made as a whole or not at all.
func TestUnitAnswerCut(t *testing.T) {
	onEachServer(t, "a change whose answer is cut was made or not", func(t *testing.T, e engine) {
		s := e.shared(t)
		address, n := s.through(t)
		l := newLoad(t, s, newProgram(t, address).start(t))
		w := l.workers[2]
		cuts := 0
		for _, c := range changes() {
			cuts += w.cutEach(c, n)
		}
		// The client of Redis repeats what only reads, so each outage there is of a change that was made.
		if cuts < 2*len(changes()) || l.stats.made == 0 || l.stats.unmade == 0 && !s.isRedis() {
			t.Errorf("%d answers were cut, %d changes were made and %d not, want some of each", cuts, l.stats.made,
				l.stats.unmade)
		}
		l.stats.verdict(t, "answers cut after each step", e.name, fmt.Sprint(cuts, " cuts"))
	})
}

// mostChunks is more than any change sends.
const mostChunks = 60

// cutEach makes a change once for each of its chunks, and compares what became of it.
func (w *worker) cutEach(c change, n network) (cuts int) {
	for nth := 1; ; nth++ {
		w.held = nil
		c.prepare(w)
		happened := n.cutAfter(nth, func() { c.do(w) })
		before := w.load.stats.bad()
		w.load.heal()
		w.settle()
		if bad := w.load.stats.bad() - before; bad > 0 {
			w.load.stats.fault("%s, cut after chunk %d: %d requests were refused after it", c.name, nth, bad)
		}
		if !happened {
			return cuts
		}
		if cuts++; nth == mostChunks {
			w.load.stats.fault("%s has more than %d chunks", c.name, mostChunks)
			return cuts
		}
	}
}
