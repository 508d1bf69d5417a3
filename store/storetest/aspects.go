package storetest

import (
	"sync"
	"testing"
)

// openFunc returns a store that is empty or, if data outlives it, is used by no other test.
type openFunc[S any] func(t *testing.T) S

// aspect is a part of the contract of a store.
type aspect[S any] struct {
	name  string
	check func(t *testing.T, open openFunc[S])
}

// checkAspects checks the aspects of a store, each in a subtest with its name.
func checkAspects[S any](t *testing.T, open openFunc[S], aspects []aspect[S]) {
	t.Helper()
	for _, a := range aspects {
		t.Run(a.name, func(t *testing.T) { a.check(t, open) })
	}
}

// check runs the proof of a sentence in a subtest.
func check[S any](t *testing.T, open openFunc[S], sentence string, prove func(t *testing.T, open openFunc[S])) {
	t.Helper()
	t.Run(sentence, func(t *testing.T) { prove(t, open) })
}

// errorOf returns the error of two results.
func errorOf[T any](_ T, err error) error { return err }

// atOnce calls f n times at the same time.
func atOnce(n int, f func(i int)) {
	var ready, done sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		ready.Add(1)
		done.Go(func() {
			ready.Done()
			<-start
			f(i)
		})
	}
	ready.Wait()
	close(start)
	done.Wait()
}

// purgeAtOnce calls purge eight times at once and then once more, since a purge may leave out a record that another one
// is about to remove.
func purgeAtOnce(purge func()) {
	atOnce(8, func(int) { purge() })
	purge()
}

// tally counts what callers at once are told.
type tally struct {
	mu     sync.Mutex
	counts map[string]int
}

// add counts names once more.
func (c *tally) add(names ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.counts == nil {
		c.counts = map[string]int{}
	}
	for _, name := range names {
		c.counts[name]++
	}
}

// wantOnce fails if a name was told to more than one caller.
func (c *tally) wantOnce(t *testing.T, what string) {
	t.Helper()
	for name, n := range c.counts {
		if n != 1 {
			t.Errorf("%s %s %d times, want once", name, what, n)
		}
	}
}
