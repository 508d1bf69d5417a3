package password

import "slices"

// reading is what the queue knew of counters before the store was asked for them. The answer may be old by
// the time the queue has it: failures may have been written since, by tries that have left. The queue
// would then let in a second try for each of these.
type reading struct {
	keys   []counterKey
	failed []int // of the queues of these counters
}

// beginRead starts to read or write the counters of these keys. Their queues stay until endRead.
func (q *queue) beginRead(keys []counterKey) reading {
	q.mu.Lock()
	defer q.mu.Unlock()
	r := reading{keys, make([]int, len(keys))}
	for i, k := range keys {
		l := q.queueOf(k)
		l.readers++
		r.failed[i] = l.failed
	}
	return r
}

// endRead ends what beginRead began.
func (q *queue) endRead(r reading) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, k := range r.keys {
		q.queueOf(k).readers--
		q.drop(k)
	}
}

// updateBudget sets the budget of a counter to one that was read or written since r began. Where another try has
// failed since, the budget may be from before or after that failure, so it can only become smaller.
func (q *queue) updateBudget(r reading, k counterKey, budget int) {
	l := q.queueOf(k)
	i := slices.Index(r.keys, k)
	if l.failed != r.failed[i] {
		budget = min(budget, l.budget)
	}
	l.budget = budget
}
