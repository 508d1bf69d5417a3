package auth_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatewarden/auth"
)

// shelf has expired records, and notes when each batch of them began.
type shelf struct {
	mu      sync.Mutex
	name    string
	records int
	takes   time.Duration // each batch
	fault   error
	limits  []int
	began   []time.Time
}

func (s *shelf) Backend() string { return s.name }

func (s *shelf) Purge(ctx context.Context, limit int) (int, error) {
	s.mu.Lock()
	s.limits, s.began = append(s.limits, limit), append(s.began, time.Now())
	s.mu.Unlock()
	select {
	case <-time.After(s.takes):
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	if s.fault != nil {
		return 0, s.fault
	}
	removed := min(limit, s.records)
	s.records -= removed
	return removed, nil
}

// unnamed is a purger without a name.
type unnamed func() (int, error)

func (u unnamed) Purge(context.Context, int) (int, error) { return u() }

// logged collects lines without their time.
type logged struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) logger(level slog.Level) *slog.Logger {
	return slog.New(slog.NewTextHandler(l,
		&slog.HandlerOptions{Level: level, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}}))
}

func (l *logged) want(t *testing.T, lines ...string) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	got := strings.Split(strings.TrimSuffix(l.text.String(), "\n"), "\n")
	if l.text.Len() == 0 {
		got = nil
	}
	if !slices.Equal(got, lines) {
		t.Errorf("got the log\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(lines, "\n"))
	}
}

func (s *shelf) wantBatches(t *testing.T, start time.Time, after ...time.Duration) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	var got []time.Duration
	for _, at := range s.began {
		got = append(got, at.Sub(start))
	}
	if !slices.Equal(got, after) {
		t.Errorf("%s: got batches after %v, want %v", s.name, got, after)
	}
	for _, limit := range s.limits {
		if limit != 20 {
			t.Errorf("%s: got a batch of %d, want 20", s.name, limit)
		}
	}
}

// running starts PurgeEvery, and returns what ends it and waits for that.
func running(t *testing.T, interval time.Duration, logger *slog.Logger, purgers ...auth.Purger) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		auth.PurgeEvery(ctx, interval, logger, purgers...)
	}()
	return func() { cancel(); <-done }
}

func TestUnitPurgeEvery(t *testing.T) {
	const second = time.Second
	t.Run("it runs at once and then every interval", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			start, s, log := time.Now(), &shelf{name: "tokens", records: 3}, &logged{}
			stop := running(t, time.Minute, log.logger(slog.LevelDebug), s)
			time.Sleep(2*time.Minute + second)
			s.wantBatches(t, start, 0, time.Minute, 2*time.Minute)
			stop()
			log.want(t, `level=DEBUG msg="auth: purged" purger=tokens records=3`)
		})
	})
	t.Run("it pauses three times as long as each batch took, and goes on until one is not full", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			start, log := time.Now(), &logged{}
			slow, next := &shelf{name: "slow", records: 41, takes: second}, &shelf{name: "next", records: 20}
			stop := running(t, time.Minute, log.logger(slog.LevelDebug), slow, next)
			time.Sleep(30 * second)
			slow.wantBatches(t, start, 0, 4*second, 8*second)
			next.wantBatches(t, start, 12*second, 12*second) // a full batch and an empty one
			stop()
			log.want(t, `level=DEBUG msg="auth: purged" purger=slow records=41`,
				`level=DEBUG msg="auth: purged" purger=next records=20`)
		})
	})
	t.Run("a pause is bounded", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			start, s := time.Now(), &shelf{name: "slow", records: 20, takes: time.Minute}
			stop := running(t, time.Hour, nil, s)
			time.Sleep(3 * time.Minute)
			s.wantBatches(t, start, 0, time.Minute+5*second)
			stop()
		})
	})
	t.Run("a purger that is never done keeps no other from its turn", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			start, log := time.Now(), &logged{}
			slow, next := &shelf{name: "slow", records: 100_000, takes: second}, &shelf{name: "next", records: 3}
			stop := running(t, second, log.logger(slog.LevelWarn), slow, next)
			time.Sleep(130 * second)
			next.wantBatches(t, start, time.Minute, 2*time.Minute)
			stop()
			if slow.records > 100_000-30*20 {
				t.Errorf("%d records of the slow one are left, want it to go on", slow.records)
			}
		})
	})
	t.Run("a run that takes longer than the interval delays the next one", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			start, s := time.Now(), &shelf{name: "slow", takes: second}
			stop := running(t, second, nil, s)
			time.Sleep(10 * second)
			s.wantBatches(t, start, 0, 4*second, 8*second)
			stop()
		})
	})
	t.Run("after an error the next purger has its turn, and the failing one again at the next run", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			start, log := time.Now(), &logged{}
			failing, next := &shelf{name: "failing", fault: errors.New("disk full")}, &shelf{name: "next", records: 1}
			anonymous := unnamed(func() (int, error) { return 7, errors.New("then it broke") })
			stop := running(t, time.Minute, log.logger(slog.LevelDebug), failing, anonymous, next)
			time.Sleep(time.Minute - second)
			next.wantBatches(t, start, 0)
			log.want(t, `level=WARN msg="auth: cannot purge" purger=failing error="disk full"`,
				`level=DEBUG msg="auth: purged" purger=auth_test.unnamed records=7`,
				`level=WARN msg="auth: cannot purge" purger=auth_test.unnamed error="then it broke"`,
				`level=DEBUG msg="auth: purged" purger=next records=1`)
			time.Sleep(2 * second)
			failing.wantBatches(t, start, 0, time.Minute)
			stop()
		})
	})
	t.Run("it ends with its context, in a batch, a pause or between two runs", func(t *testing.T) {
		for name, after := range map[string]time.Duration{"in a batch": 5 * second, "in a pause": 12 * second,
			"between two runs": 50 * second} {
			synctest.Test(t, func(t *testing.T) {
				start, log := time.Now(), &logged{}
				s := &shelf{name: "slow", records: 1, takes: 10 * second}
				stop := running(t, time.Minute, log.logger(slog.LevelWarn), s)
				time.Sleep(after)
				stop()
				if got := time.Since(start); got != after {
					t.Errorf("%s: got its end after %v, want %v", name, got, after)
				}
				log.want(t) // an end that somebody asked for is no error
			})
		}
	})
	t.Run("an interval that is not positive is a minute", func(t *testing.T) {
		for _, interval := range []time.Duration{0, -time.Hour} {
			synctest.Test(t, func(t *testing.T) {
				start, s := time.Now(), &shelf{name: "tokens"}
				stop := running(t, interval, nil, s)
				time.Sleep(90 * second)
				s.wantBatches(t, start, 0, time.Minute)
				stop()
			})
		}
	})
	t.Run("a purger that is nil is an error that is logged", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			log, s := &logged{}, &shelf{name: "next", records: 1}
			stop := running(t, time.Minute, log.logger(slog.LevelWarn), nil, s)
			time.Sleep(second)
			stop()
			log.want(t, `level=WARN msg="auth: cannot purge" purger=<nil> error="auth: a purger is nil"`)
			if s.records != 0 {
				t.Error("got no turn for the next purger")
			}
		})
	})
}

func TestUnitPurgeAll(t *testing.T) {
	t.Run("it removes everything once, and adds up", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			start, b := time.Now(), &shelf{name: "b", records: 3}
			a := &shelf{name: "a", records: 50, takes: time.Second}
			if n, err := auth.PurgeAll(t.Context(), a, b); n != 53 || err != nil {
				t.Errorf("got %d, %v, want 53", n, err)
			}
			a.wantBatches(t, start, 0, 4*time.Second, 8*time.Second)
			if n, err := auth.PurgeAll(t.Context(), a, b); n != 0 || err != nil {
				t.Errorf("got %d, %v, want 0", n, err)
			}
		})
	})
	t.Run("it tells of every error and what was removed nevertheless", func(t *testing.T) {
		full, broken := errors.New("disk full"), errors.New("broken")
		n, err := auth.PurgeAll(t.Context(), &shelf{name: "a", fault: full},
			unnamed(func() (int, error) { return 2, broken }), &shelf{name: "c", records: 3})
		if n != 5 || !errors.Is(err, full) || !errors.Is(err, broken) ||
			fmt.Sprint(err) != "a: disk full\nauth_test.unnamed: broken" {
			t.Errorf("got %d, %q, want 5 and both errors with names", n, err)
		}
	})
	t.Run("it ends with its context", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		s := &shelf{name: "a", records: 1}
		if n, err := auth.PurgeAll(ctx, s); n != 0 || !errors.Is(err, context.Canceled) || s.records != 1 {
			t.Errorf("got %d, %v, want nothing removed", n, err)
		}
	})
	t.Run("it pauses three times as long as a batch took, and ends a pause with its context", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 4500*time.Millisecond)
			defer cancel()
			start, s := time.Now(), &shelf{name: "a", records: 100, takes: time.Second}
			n, err := auth.PurgeAll(ctx, s) // the second batch would end after 5 seconds
			if n != 20 || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %d, %v, want one batch and the end of the context", n, err)
			}
			s.wantBatches(t, start, 0, 4*time.Second)

			ctx, cancel = context.WithTimeout(t.Context(), 3*time.Second)
			defer cancel()
			start = time.Now()
			n, err = auth.PurgeAll(ctx, s)
			if took := time.Since(start); n != 20 || !errors.Is(err, context.DeadlineExceeded) ||
				took != 3*time.Second {
				t.Errorf("got %d, %v after %v, want its end in the pause", n, err, took)
			}
		})
	})
	t.Run("without purgers there is nothing to do", func(t *testing.T) {
		if n, err := auth.PurgeAll(t.Context()); n != 0 || err != nil {
			t.Errorf("got %d, %v", n, err)
		}
	})
}

func ExamplePurgeEvery() {
	ctx, cancel := context.WithCancel(context.Background())
	var background sync.WaitGroup
	tokens := &shelf{name: "tokens", records: 1234} // such as *knox.Tokens
	background.Go(func() { auth.PurgeEvery(ctx, time.Minute, slog.Default(), tokens) })

	cancel() // the program ends
	background.Wait()
}

func ExamplePurgeAll() {
	tokens, sessions := &shelf{name: "tokens", records: 1234}, &shelf{name: "sessions", records: 2}
	removed, err := auth.PurgeAll(context.Background(), tokens, sessions)
	fmt.Println(removed, err)
	// Output: 1236 <nil>
}
