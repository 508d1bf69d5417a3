package redisstore

import (
	"context"
	"hash/maphash"
)

// keyedMutex has one lock for each name. Changes of this process with one name run one after another.
type keyedMutex struct {
	seed  maphash.Seed
	slots []chan struct{}
}

func newKeyedMutex() keyedMutex {
	t := keyedMutex{seed: maphash.MakeSeed(), slots: make([]chan struct{}, 4096)}
	for i := range t.slots {
		t.slots[i] = make(chan struct{}, 1)
	}
	return t
}

// lock waits for the lock of a name, until ctx ends. Names may share a lock. A holder of a lock must not take another
// one.
func (t *keyedMutex) lock(ctx context.Context, name string) (unlock func(), err error) {
	slot := t.slots[maphash.String(t.seed, name)%uint64(len(t.slots))]
	select {
	case slot <- struct{}{}:
		return func() { <-slot }, nil
	default:
	}
	select {
	case slot <- struct{}{}:
		return func() { <-slot }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
