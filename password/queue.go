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
	mu    sync.Mutex
	lines map[string]*line
	lost  int // tries that failed without a written failure
}

// line is the tries of one counter.
type line struct {
	budget  int
	running int
	waiting []*turn // some may be gone
	readers int     // how many read or write its counter
	failed  int     // written failures of tries that have left, while the line was there
}

// turn is a try in the queue.
type turn struct {
	places []place
	state  turnState
	ready  chan struct{} // closed when the state is no longer waiting
}

type turnState uint8

const (
	waiting turnState = iota
	running
	again // a counter has blocked: it is to be read again
	gone
)

// enter lets a try in as soon as each of its counters has room, in the order in which tries
// came. It returns false if the counters must be read again. budgets are those of places,
// all above 0, and were read since seen. An error is ErrBusy after the time in wait, or that of ctx.
func (q *queue) enter(
	ctx context.Context, seen watch, places []place, budgets []int, wait time.Duration,
) (*turn, bool, error) {
	t := &turn{places: places}
	q.mu.Lock()
	for i, p := range places {
		q.learn(seen, p, budgets[i])
		q.admit(q.line(p)) // the first to come, if there is more room by now
	}
	if slices.ContainsFunc(places, func(p place) bool { return q.line(p).budget == 0 }) {
		q.mu.Unlock()
		return nil, false, nil // blocked since it was read
	}
	full := slices.IndexFunc(places, q.isFull)
	if full < 0 {
		q.run(t)
		q.mu.Unlock()
		return t, true, nil
	}
	t.ready = make(chan struct{})
	for _, p := range places {
		l := q.line(p)
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
		err = waited[places[full].kind]
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
		q.tidy(t)
	default:
		q.tidy(t)
	}
	return nil, false, err
}

// line returns the tries of a counter.
func (q *queue) line(p place) *line {
	l := q.lines[p.key]
	if l == nil {
		l = &line{budget: 1}
		if q.lines == nil {
			q.lines = make(map[string]*line)
		}
		q.lines[p.key] = l
	}
	return l
}

// run counts a try as under way.
func (q *queue) run(t *turn) {
	t.state = running
	for _, p := range t.places {
		q.line(p).running++
	}
}

// leave ends a try of which nothing was written.
func (q *queue) leave(t *turn) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.end(t)
}

// settled ends a try with a written outcome. budgets are those of its places by then, and
// failed says whether a failure was counted.
func (q *queue) settled(t *turn, seen watch, budgets []int, failed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i, p := range t.places {
		q.learn(seen, p, budgets[i])
		if failed {
			q.line(p).failed++
		}
	}
	q.end(t)
}

// lose ends a try only after a while, because its failure could not be written: guesses
// are then bounded by what is under way. There is a bound of such tries, too.
func (q *queue) lose(t *turn, after time.Duration) {
	q.mu.Lock()
	q.lost++
	q.mu.Unlock()
	time.AfterFunc(after, func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.lost--
		q.end(t)
	})
}

const maxLost = 1000

// tooManyLost reports whether the failures of very many tries could not be written.
func (q *queue) tooManyLost() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.lost >= maxLost
}

// end gives up the room of a try, and has those go on that waited for it.
func (q *queue) end(t *turn) {
	t.state = gone
	for _, p := range t.places {
		q.line(p).running--
	}
	for _, p := range t.places {
		q.admit(q.line(p))
	}
	q.tidy(t)
}

// admit lets in the tries of a line that have room in each of their lines. If the line is
// blocked, they read the counters again and are refused.
func (q *queue) admit(l *line) {
	for _, t := range l.waiting {
		switch {
		case t.state != waiting:
		case l.budget == 0:
			t.state = again
			close(t.ready)
		case l.running >= l.budget:
			return
		case !slices.ContainsFunc(t.places, q.isFull):
			q.run(t)
			close(t.ready)
		}
	}
}

func (q *queue) isFull(p place) bool {
	l := q.line(p)
	return l.running >= l.budget
}

// tidy forgets a try that does not wait any more in its lines, and lines without tries.
func (q *queue) tidy(t *turn) {
	for _, p := range t.places {
		l := q.line(p)
		l.waiting = slices.DeleteFunc(l.waiting, func(t *turn) bool { return t.state != waiting })
		q.drop(p)
	}
}

// drop forgets a line that is of no use.
func (q *queue) drop(p place) {
	if l := q.line(p); l.running == 0 && len(l.waiting) == 0 && l.readers == 0 {
		delete(q.lines, p.key)
	}
}
