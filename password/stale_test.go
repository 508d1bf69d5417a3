package password_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/password"
)

// late is a store with an nth Update that may be late: its answer, or the Update itself.
type late struct {
	password.ThrottleStore
	n             atomic.Int64
	before, after func(n int64)
}

func (s *late) Update(ctx context.Context, keys []string, now time.Time, change func([]password.Counter)) error {
	n := s.n.Add(1)
	s.before(n)
	err := s.ThrottleStore.Update(ctx, keys, now, change)
	s.after(n)
	return err
}

func TestUnitALateAnswerOfTheStoreGivesNoRoomTwice(t *testing.T) {
	never := func(int64) {}
	at := func(n int64, f func()) func(int64) {
		return func(i int64) {
			if i == n {
				f()
			}
		}
	}
	start := func(t *testing.T, store *late) (guess func() error, hashes *atomic.Int64) {
		store.ThrottleStore, hashes = password.NewMemoryThrottle(), new(atomic.Int64)
		l := newLogin(t, func(c *password.Config) {
			c.Hasher, c.Throttle = newHasher(t, password.HasherConfig{Concurrent: 1000}), store
			password.CountWork(c.Hasher, func(string) { hashes.Add(1); time.Sleep(30 * time.Millisecond) })
		})
		return func() error {
			_, _, err := l.Authenticate(from(home, "alice", "guess"))
			return err
		}, hashes
	}
	t.Run("counters that were read before 5 failures do not let a sixth guess be hashed", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			others := make(chan struct{})
			guess, hashes := start(t, &late{before: never, after: at(1, func() { <-others })})
			sixth := make(chan error, 1)
			go func() { sixth <- guess() }()
			synctest.Wait()
			for range 5 {
				if err := guess(); !errors.Is(err, auth.ErrInvalid) {
					t.Error(err)
				}
			}
			close(others)
			if err := <-sixth; !errors.Is(err, auth.ErrThrottled) || hashes.Load() != 5 {
				t.Errorf("%v, and %d were hashed, want 5", err, hashes.Load())
			}
		})
	})
	t.Run("a failure that is told after later ones does not give their room back", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			// 10 guesses ask for their counters, 5 are hashed, and the first of these is told late that it failed.
			// The last is written later still.
			guess, hashes := start(t, &late{
				after:  at(11, func() { time.Sleep(100 * time.Millisecond) }),
				before: at(15, func() { time.Sleep(200 * time.Millisecond) }),
			})
			crowd(t, 10, func(int) error {
				err := guess()
				if errors.Is(err, auth.ErrInvalid) {
					return nil
				}
				return err
			})
			if hashes.Load() != 5 {
				t.Errorf("%d were hashed, want 5", hashes.Load())
			}
		})
	})
}
