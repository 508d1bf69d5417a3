package faults

import (
	"net/http"
	"sync"
	"time"
)

// healLimit is how long after the end of a fault the service may answer with 503.
const healLimit = 15 * time.Second

// heal waits until all instances say that they are well, and returns how long that took.
func (l *load) heal() time.Duration {
	l.t.Helper()
	began := time.Now()
	for _, s := range l.slots {
		l.await("an instance is well: "+s.now.Load().log.tail(), func() bool {
			a := l.client.send(s.now.Load(), request{method: "GET", path: "/healthz"})
			return a.status == http.StatusOK
		})
	}
	took := time.Since(began)
	if took > healLimit {
		l.stats.fault("the service was well only %v after the fault", took)
	}
	return took
}

// settle compares all that was acknowledged with what the service says after the fault. Each worker does so for its own
// credentials, at all instances.
func (l *load) settle() {
	l.t.Helper()
	l.heal()
	l.stats.breaks(false)
	before := l.stats.bad()
	var all sync.WaitGroup
	for _, w := range l.workers {
		all.Go(w.settle)
	}
	all.Wait()
	if bad := l.stats.bad() - before; bad > 0 {
		l.stats.fault("%d requests were refused with 503 after the fault", bad)
	}
}

func (w *worker) settle() {
	for _, c := range w.held {
		w.resolve(c)
	}
	w.compareBatches()
	for _, c := range w.held {
		if c.kind.refresh != nil && !c.expired() {
			w.useUp(c)
		}
	}
	for _, c := range w.held {
		w.checkEverywhere(c)
	}
}

// resolve learns what became of a credential. From now on that must stay so.
func (w *worker) resolve(c *credential) {
	if c.expired() {
		return
	}
	was := c.state
	a := w.check(c, w.load.slots[0])
	if was == unsure && a.status == http.StatusOK {
		c.state = live
	}
	if was == unsure {
		w.load.stats.resolved(c.state == ended)
	}
	w.checkEverywhere(c)
}

// checkEverywhere checks a credential at all instances.
func (w *worker) checkEverywhere(c *credential) {
	if c.expired() {
		return
	}
	for _, at := range w.load.slots {
		w.check(c, at)
	}
}

// compareBatches proves that a request for all tokens of a user has ended all of them or not one.
func (w *worker) compareBatches() {
	states := make(map[int]state)
	for _, c := range w.held {
		if c.batch == 0 || c.expired() {
			continue
		}
		if known, ok := states[c.batch]; ok && known != c.state {
			w.load.stats.fault("the end of every %s of %s was done by half: some are %v, others %v", c.kind.name,
				c.user, known, c.state)
		}
		states[c.batch] = c.state
	}
}

// useUp proves that a family of refresh tokens has at most one that works, and that the use of an old one ends it.
func (w *worker) useUp(c *credential) {
	at, doubtful := w.pick(), c.refreshUnsure && c.state == live
	w.refresh(c, at) // it works if the family lives, unless its use before was not answered
	if doubtful {
		w.load.stats.resolved(c.state == ended)
	}
	if c.state == ended {
		return
	}
	if len(c.spent) > 0 {
		old := c.spent[w.random.IntN(len(c.spent))]
		a := w.send(at, c.kind.refresh(old), "a replay of a "+c.kind.name, c.kind.refused)
		if a.status != c.kind.refused {
			w.revived(c, "a refresh token that was used works again: %d", a.status)
			return
		}
		c.end(at, a)
		w.refresh(c, w.pick())
	}
	if c.code != "" {
		w.send(w.pick(), redeemRequest(c.code), "a replay of a code", 400)
	}
}
