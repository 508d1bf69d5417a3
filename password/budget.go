package password

import (
	"container/list"
	"context"
	"sync"
	"time"

	"github.com/gatewarden/auth"
)

// budget bounds how many hashes run at once and how much memory they use together. First
// come, first served: a hash that needs much memory is not overtaken for ever by small ones.
type budget struct {
	total uint64 // KiB for all
	most  int    // slots

	mu     sync.Mutex
	slots  int       // free
	memory uint64    // free, in KiB
	queue  list.List // of *claim, the first has waited longest
}

// claim is a hash that waits.
type claim struct {
	memory uint64
	came   chan struct{} // closed when slot and memory are taken for it
}

func newBudget(slots int, memory uint64) *budget {
	return &budget{total: memory, most: slots, slots: slots, memory: memory}
}

// acquire takes a slot and memory KiB for a hash, or all the memory if that is less. It waits
// for them at most for wait, and as long as ctx lives. Errors are those of ctx and ErrBusy,
// as [auth.Error] without a kind. After nil the caller calls release with the same memory.
func (b *budget) acquire(ctx context.Context, memory uint64, wait time.Duration) error {
	if err := ctx.Err(); err != nil {
		return &auth.Error{Cause: err}
	}
	mine := &claim{min(memory, b.total), make(chan struct{})}
	b.mu.Lock()
	place := b.queue.PushBack(mine)
	b.admit()
	b.mu.Unlock()
	select {
	case <-mine.came:
		return nil
	default:
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	var err error
	select {
	case <-mine.came:
		return nil
	case <-ctx.Done():
		err = ctx.Err()
	case <-timer.C:
		err = ErrBusy
	}
	b.leave(place)
	return &auth.Error{Cause: err}
}

// leave gives up a place in the queue, or what was taken at the same moment.
func (b *budget) leave(place *list.Element) {
	mine := place.Value.(*claim)
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case <-mine.came:
		b.slots, b.memory = b.slots+1, b.memory+mine.memory
	default:
		b.queue.Remove(place)
	}
	b.admit()
}

// release gives back what acquire took.
func (b *budget) release(memory uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.slots, b.memory = b.slots+1, b.memory+min(memory, b.total)
	b.admit()
}

// admit lets those run that have waited longest and for which there is room. b.mu is held.
func (b *budget) admit() {
	for place := b.queue.Front(); place != nil; place = b.queue.Front() {
		next := place.Value.(*claim)
		if b.slots == 0 || b.memory < next.memory {
			return
		}
		b.slots, b.memory = b.slots-1, b.memory-next.memory
		b.queue.Remove(place)
		close(next.came)
	}
}
