package server

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestUnitHashQueue(t *testing.T) {
	t.Run("one secret of a client is verified at a time, and two of all clients", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			q := newHashQueue()
			var running, most atomic.Int32
			for i := range 40 {
				id := string(rune('a' + i%4))
				go func() {
					leave, err := q.enter(t.Context(), id)
					if err != nil {
						t.Error(err)
						return
					}
					most.Store(max(most.Load(), running.Add(1)))
					time.Sleep(time.Millisecond)
					running.Add(-1)
					leave()
				}()
			}
			time.Sleep(time.Second)
			synctest.Wait()
			if most.Load() != hashesAtOnce || len(q.clients) != 0 || len(q.slots) != 0 {
				t.Errorf("%d at once; left: %v, %d", most.Load(), q.clients, len(q.slots))
			}
		})
	})
	t.Run("what waits is bounded in number and in time, and leaves nothing", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			q := newHashQueue()
			leave, err := q.enter(t.Context(), "a")
			if err != nil {
				t.Fatal(err)
			}
			var late, cancelled atomic.Int32
			ctx, cancel := context.WithCancel(t.Context())
			for i := range hashesQueued - 1 {
				waiting := t.Context()
				if i%2 == 0 {
					waiting = ctx
				}
				go func() {
					switch _, err := q.enter(waiting, "a"); {
					case errors.Is(err, errHashQueue):
						late.Add(1)
					case errors.Is(err, context.Canceled):
						cancelled.Add(1)
					}
				}()
			}
			synctest.Wait()
			if _, err := q.enter(t.Context(), "a"); !errors.Is(err, errHashQueue) {
				t.Errorf("one too many: %v", err)
			}
			other, err := q.enter(t.Context(), "b")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := q.enter(t.Context(), "c"); !errors.Is(err, errHashQueue) { // both places are taken
				t.Errorf("a third client: %v", err)
			}
			cancel()
			time.Sleep(hashWait)
			synctest.Wait()
			if late.Load()+cancelled.Load() != hashesQueued-1 {
				t.Errorf("%d late, %d cancelled", late.Load(), cancelled.Load())
			}
			leave()
			other()
			if len(q.clients) != 0 || len(q.slots) != 0 {
				t.Errorf("left: %v, %d", q.clients, len(q.slots))
			}
		})
	})
}
