package redisstore

import (
	"context"
	"hash/maphash"
)

// turns lets changes of this process that would overtake each other run one after another.
type turns struct {
	seed  maphash.Seed
	slots []chan struct{}
}

func newTurns() turns {
	t := turns{seed: maphash.MakeSeed(), slots: make([]chan struct{}, 4096)}
	for i := range t.slots {
		t.slots[i] = make(chan struct{}, 1)
	}
	return t
}

// enter waits for the turn of a name, until ctx ends. Names may share a turn. A holder of one must not enter again.
func (t *turns) enter(ctx context.Context, name string) (leave func(), err error) {
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
