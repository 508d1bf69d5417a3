package redisstore

import (
	"context"
	"errors"
	"sync"
	"syscall"
	"testing"
	"time"
)

// While the server is silent, each of very many look-ups ends with its context.
func TestUnitASilentServerHoldsNoCall(t *testing.T) {
	p := newPushTest(t)
	store, r := Knox(p.first), tokenOf("alice")
	p.signal(syscall.SIGSTOP)
	const calls, wait, late = 3000, 200 * time.Millisecond, 2 * time.Second
	var done sync.WaitGroup
	var mu sync.Mutex
	var slowest time.Duration
	for range calls {
		done.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), wait)
			defer cancel()
			start := time.Now()
			if _, err := store.Find(ctx, r.Digest); err == nil {
				t.Error("a silent server has answered")
			}
			mu.Lock()
			defer mu.Unlock()
			slowest = max(slowest, time.Since(start))
		})
	}
	done.Wait()
	if slowest > late {
		t.Errorf("a look-up of %v took %v", wait, slowest)
	}
	p.signal(syscall.SIGCONT)
	eventually(t, "the server answers again", func() bool {
		_, err := store.Find(t.Context(), r.Digest)
		return err == nil
	})
}

// A context that has ended makes no call, so that nothing is changed after the caller has its error.
func TestUnitAnEndedContextMakesNoCall(t *testing.T) {
	db := openTest(t, Config{})
	made := 0
	db.client.(*limitedClient).Client = &hookedClient{db.client.(*limitedClient).Client, func() { made++ }}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 200 { // a choice between a free place and the end of ctx would be random
		if _, err := Knox(db).Find(ctx, "digest"); !errors.Is(err, context.Canceled) {
			t.Fatalf("got error %v, want context.Canceled", err)
		}
	}
	if made != 0 {
		t.Errorf("got %d calls of Redis, want none", made)
	}
}
