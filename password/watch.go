package password

import "slices"

// watch is what the queue knew of counters before the store was asked for them. The answer may be old by
// the time the queue has it: failures may have been written since, by tries that have left. Their
// room would then be given away a second time.
type watch struct {
	places []place
	failed []int // of the lines
}

// watch starts to watch the counters at these places. It keeps their lines until unwatch.
func (q *queue) watch(places []place) watch {
	q.mu.Lock()
	defer q.mu.Unlock()
	w := watch{places, make([]int, len(places))}
	for i, p := range places {
		l := q.line(p)
		l.readers++
		w.failed[i] = l.failed
	}
	return w
}

func (q *queue) unwatch(w watch) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, p := range w.places {
		q.line(p).readers--
		q.drop(p)
	}
}

// learn sets the budget of a line to one that was read or written since w. Where another try has failed
// since, the budget may be from before or after that failure, so it can only become smaller.
func (q *queue) learn(w watch, p place, budget int) {
	l := q.line(p)
	i := slices.Index(w.places, p)
	if l.failed != w.failed[i] {
		budget = min(budget, l.budget)
	}
	l.budget = budget
}
