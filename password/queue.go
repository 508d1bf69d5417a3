package password

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/gatewarden/auth"
)

// queue lets tries in, of each counter no more at once than its budget. It is what
// keeps right passwords that come in parallel from being refused, and a flood of guesses from
// being hashed. It counts the tries of this process alone, and other processes may have counted
// failures since: whether a try counts is decided when its outcome is written.
type queue struct {
	mu        sync.Mutex
	counters  map[string]*counterQueue
	unwritten int // tries that failed without a written failure
}

// counterQueue is the tries of one counter.
type counterQueue struct {
	budget  int
	running int
	waiting []*queuedTry // some may be gone
	readers int          // how many read or write its counter
	failed  int          // written failures of tries that have left, while this queue was there
}

// queuedTry is a try in the queue.
type queuedTry struct {
	keys  []counterKey
	state tryState
	ready chan struct{} // closed when the state is no longer waiting
}

type tryState uint8

const (
	waiting tryState = iota
	running
	readAgain // a counter has blocked: it is to be read again
	gone
)

// enter lets a try in as soon as each of its counters has room, in the order in which tries
// came. It returns false if the counters must be read again. budgets are those of keys,
// all above 0, and were read since read began. An error is ErrBusy after the time in wait, or that of ctx.
func (q *queue) enter(
	ctx context.Context, read reading, keys []counterKey, budgets []int, wait time.Duration,
) (*queuedTry, bool, error) {
	t := &queuedTry{keys: keys}
	q.mu.Lock()
	for i, k := range keys {
		q.updateBudget(read, k, budgets[i])
		q.admit(q.queueOf(k)) // the first to come, if there is more room by now
	}
	if slices.ContainsFunc(keys, func(k counterKey) bool { return q.queueOf(k).budget == 0 }) {
		q.mu.Unlock()
		return nil, false, nil // blocked since it was read
	}
	full := slices.IndexFunc(keys, q.isFull)
	if full < 0 {
		q.run(t)
		q.mu.Unlock()
		return t, true, nil
	}
	t.ready = make(chan struct{})
	for _, k := range keys {
		l := q.queueOf(k)
		l.waiting = append(l.waiting, t)
	}
	q.mu.Unlock()

	timer := time.NewTimer(wait)
	defer timer.Stop()
	var err error
	select {
	case <-t.ready:
	case <-ctx.Done():
		err = &auth.Error{Cause: ctx.Err()}
	case <-timer.C:
		err = waited[keys[full].kind]
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case t.state == running && err == nil:
		return t, true, nil
	case t.state == running: // just now, but too late
		q.end(t)
	case t.state == waiting:
		t.state = gone
		q.forget(t)
	default:
		q.forget(t)
	}
	return nil, false, err
}

// queueOf returns the queue of a counter.
func (q *queue) queueOf(k counterKey) *counterQueue {
	l := q.counters[k.hash]
	if l == nil {
		l = &counterQueue{budget: 1}
		if q.counters == nil {
			q.counters = make(map[string]*counterQueue)
		}
		q.counters[k.hash] = l
	}
	return l
}

// run counts a try as under way.
func (q *queue) run(t *queuedTry) {
	t.state = running
	for _, k := range t.keys {
		q.queueOf(k).running++
	}
}

// leave ends a try of which nothing was written.
func (q *queue) leave(t *queuedTry) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.end(t)
}

// settled ends a try with a written outcome. budgets are those of its keys by then, and
// failed says whether a failure was counted.
func (q *queue) settled(t *queuedTry, read reading, budgets []int, failed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i, k := range t.keys {
		q.updateBudget(read, k, budgets[i])
		if failed {
			q.queueOf(k).failed++
		}
	}
	q.end(t)
}

// endLater ends a try only after a while, because its failure could not be written: guesses
// are then bounded by what is under way. There is a bound of such tries, too.
func (q *queue) endLater(t *queuedTry, after time.Duration) {
	q.mu.Lock()
	q.unwritten++
	q.mu.Unlock()
	time.AfterFunc(after, func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.unwritten--
		q.end(t)
	})
}

const maxUnwritten = 1000

// tooManyUnwritten reports whether the failures of very many tries could not be written.
func (q *queue) tooManyUnwritten() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.unwritten >= maxUnwritten
}

// end gives up the room of a try, and has those go on that waited for it.
func (q *queue) end(t *queuedTry) {
	t.state = gone
	for _, k := range t.keys {
		q.queueOf(k).running--
	}
	for _, k := range t.keys {
		q.admit(q.queueOf(k))
	}
	q.forget(t)
}

// admit lets in the tries of a counter that have room at each of their counters. If the counter is
// blocked, they read the counters again and are refused.
func (q *queue) admit(l *counterQueue) {
	for _, t := range l.waiting {
		switch {
		case t.state != waiting:
		case l.budget == 0:
			t.state = readAgain
			close(t.ready)
		case l.running >= l.budget:
			return
		case !slices.ContainsFunc(t.keys, q.isFull):
			q.run(t)
			close(t.ready)
		}
	}
}

func (q *queue) isFull(k counterKey) bool {
	l := q.queueOf(k)
	return l.running >= l.budget
}

// forget removes a try that does not wait any more from the queues of its counters, and the queues
// without tries.
func (q *queue) forget(t *queuedTry) {
	for _, k := range t.keys {
		l := q.queueOf(k)
		l.waiting = slices.DeleteFunc(l.waiting, func(t *queuedTry) bool { return t.state != waiting })
		q.drop(k)
	}
}

// drop removes the queue of a counter if it has no tries and no readers.
func (q *queue) drop(k counterKey) {
	if l := q.queueOf(k); l.running == 0 && len(l.waiting) == 0 && l.readers == 0 {
		delete(q.counters, k.hash)
	}
}
