package faults

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"
)

// TestUnitPartition stops the network between one of two instances and the server. What is revoked at the other
// instance meanwhile is not accepted at this one, beyond the bound that the store states.
func TestUnitPartition(t *testing.T) {
	onEachServer(t, "an instance without its server accepts nothing that was revoked", func(t *testing.T, e engine) {
		s := e.shared(t)
		p := newProgram(t, s.address)
		address, n := s.through(t)
		l := newLoad(t, s, p.start(t), p.at(address).start(t))
		here, there := l.slots[0], l.slots[1] // there is no network to the second one
		for range size(1, 5) {
			partition(l, n, here, there)
		}
		l.settle()
		note := fmt.Sprintf("accepted at most %v after it was revoked elsewhere", l.stale.Round(time.Millisecond))
		l.stats.verdict(t, "partition of one instance", e.name, note)
	})
}

// partition uses credentials at both instances, holds the network of one, ends half of them at the other, and asks for
// them where the network is held.
func partition(l *load, n network, here, there *slot) {
	l.t.Helper()
	revoked, kept := l.usedEverywhere()
	n.hold()
	held := time.Now()
	for w, all := range revoked {
		for _, c := range all {
			w.stop(c, here)
			if c.state != ended {
				l.stats.fault("%s: its end is not acknowledged at the instance with a network", c.kind.name)
			}
		}
	}
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		l.watchStale(revoked, there, held)
	}()
	goesOn(l, kept, here, watched)
	n.resume()
	l.heal()
	for w, all := range revoked {
		for _, c := range all {
			w.check(c, there)
		}
	}
	for w, all := range kept {
		for _, c := range all {
			w.check(c, there)
		}
	}
}

// usedEverywhere makes credentials of each kind that both instances have seen.
func (l *load) usedEverywhere() (revoked, kept map[*worker][]*credential) {
	l.t.Helper()
	revoked, kept = make(map[*worker][]*credential), make(map[*worker][]*credential)
	for _, w := range l.workers[1:3] {
		for _, k := range kinds {
			for _, group := range []map[*worker][]*credential{revoked, kept} {
				c := w.login(k)
				if c == nil {
					l.t.Fatalf("no %s\n%s", k.name, l.slots[1].now.Load().log.tail())
				}
				w.checkEverywhere(c)
				group[w] = append(group[w], c)
			}
		}
	}
	return revoked, kept
}

// watchStale asks the instance without a network for what was revoked, until it has refused all of it for twice the
// bound. A check waits for the server until the demo gives up, so all are asked for at once.
func (l *load) watchStale(revoked map[*worker][]*credential, there *slot, held time.Time) {
	until := held.Add(2*l.bound + time.Second)
	var all sync.WaitGroup
	for w, credentials := range revoked {
		for _, c := range credentials {
			all.Go(func() {
				tick := time.NewTicker(20 * time.Millisecond)
				defer tick.Stop()
				for time.Now().Before(until) {
					l.askStale(w, c, there)
					<-tick.C
				}
			})
		}
	}
	all.Wait()
}

// askStale asks for one that was revoked elsewhere.
func (l *load) askStale(w *worker, c *credential, there *slot) {
	a := w.send(there, request{method: "GET", path: "/api/me", header: c.header}, "a check without a server", 200, 401)
	after := a.began.Sub(c.endedAt)
	switch {
	case a.status == http.StatusOK && after > l.bound:
		w.revived(c, "an instance without its server accepts it %v after its end", after)
	case a.status == http.StatusOK:
		l.stats.mu.Lock()
		l.stale = max(l.stale, after)
		l.stats.mu.Unlock()
	}
}

// goesOn uses what was not revoked at the instance with a network, which must not notice anything, until the end.
func goesOn(l *load, kept map[*worker][]*credential, here *slot, end <-chan struct{}) {
	bad := 0
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		for w, all := range kept {
			for _, c := range all {
				if a := w.check(c, here); a.status != http.StatusOK {
					bad++
				}
				if c.kind.refresh != nil {
					w.refresh(c, here)
				}
			}
		}
		select {
		case <-end:
			if bad > 0 {
				l.stats.fault("%d requests were not served by the instance that has a network", bad)
			}
			return
		case <-tick.C:
		}
	}
}
