package touches_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatewarden/auth/store/sqlstore/internal/touches"
)

func TestUnitClose(t *testing.T) {
	bubble := func(sentence string, test func(t *testing.T, table *table, b *touches.Buffer)) {
		t.Run(sentence, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				table, b := newBuffer("a", "b")
				test(t, table, b)
			})
		})
	}
	bubble("what is pending is written, and later touches are written at once",
		func(t *testing.T, table *table, b *touches.Buffer) {
			must(t, b.Touch(t.Context(), use("a", second)))
			must(t, b.Close(t.Context()))
			if table.rows["a"][0] != second || table.now != 0 {
				t.Errorf("got %v, want the touch", table.rows["a"])
			}
			must(t, b.Touch(t.Context(), use("b", second)))
			if table.rows["b"][0] != second || table.now != 1 {
				t.Errorf("got %v, want it written at once", table.rows["b"])
			}
			must(t, b.Close(t.Context()))
		})
	bubble("an empty buffer closes without a write", func(t *testing.T, table *table, b *touches.Buffer) {
		must(t, b.Close(t.Context()))
		if table.written() != 0 {
			t.Errorf("got %v", table.writes)
		}
	})
	bubble("a flush that runs is waited for, without its pauses", func(t *testing.T, table *table, b *touches.Buffer) {
		for i := range 10 * touches.Rows {
			must(t, b.Touch(t.Context(), use(fmt.Sprint(i), second)))
		}
		block := table.hang()
		time.Sleep(touches.Interval)
		synctest.Wait()
		must(t, b.Touch(t.Context(), use("a", second)))
		time.AfterFunc(time.Second, func() { close(block) })
		began := time.Now()
		must(t, b.Close(t.Context()))
		if took := time.Since(began); took != time.Second || table.rows["a"][0] != second || table.written() != 11 {
			t.Errorf("got %d writes after %v, want 11 after 1s", table.written(), took)
		}
	})
	bubble("a table that hangs is waited for until the context ends, and losses are counted",
		func(t *testing.T, table *table, b *touches.Buffer) {
			table.hang()
			must(t, b.Touch(t.Context(), use("a", second)))
			must(t, b.Touch(t.Context(), use("b", second)))
			time.Sleep(touches.Interval) // the flush hangs
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			began := time.Now()
			err := b.Close(ctx)
			if took := time.Since(began); took != 5*time.Second || !errors.Is(err, context.DeadlineExceeded) ||
				!strings.Contains(err.Error(), "2 records") {
				t.Errorf("got %v after %v, want 2 lost after 5s", err, took)
			}
			synctest.Wait() // the flush has ended by now, or the bubble would not end
			if table.log.Len() != 0 {
				t.Errorf("got the log %q, want the error of Close alone", table.log.String())
			}
		})
	bubble("a table that fails loses them with its error", func(t *testing.T, table *table, b *touches.Buffer) {
		table.fail(errors.New("the disk is full"))
		must(t, b.Touch(t.Context(), use("a", second)))
		const says = "last uses of 1 records are lost: the disk is full"
		if err := b.Close(t.Context()); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("got %v", err)
		}
	})
	bubble("an empty buffer has nothing to lose, even if the time is over",
		func(t *testing.T, table *table, b *touches.Buffer) {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			for range 50 { // one of two is chosen at random
				_, b := newBuffer()
				must(t, b.Close(ctx))
			}
		})
	bubble("a table that is busy is tried again until the context ends",
		func(t *testing.T, table *table, b *touches.Buffer) {
			for _, row := range []struct {
				busy time.Duration
				lost bool
			}{{4 * time.Second, false}, {6 * time.Second, true}} {
				table, b := newBuffer("a")
				table.fail(fmt.Errorf("after 1s: %w", errBusy))
				must(t, b.Touch(t.Context(), use("a", second)))
				time.AfterFunc(row.busy, func() { table.fail(nil) })
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				defer cancel()
				began := time.Now()
				err := b.Close(ctx)
				took, want := time.Since(began), min(row.busy, 5*time.Second)
				if took < want || took > want+100*time.Millisecond || errors.Is(err, errBusy) != row.lost {
					t.Errorf("busy for %v: got %v after %v, lost: %v", row.busy, err, took, row.lost)
				}
			}
			time.Sleep(10 * time.Second)
		})
	bubble("only what is left to write is lost", func(t *testing.T, table *table, b *touches.Buffer) {
		for i := range 2*touches.Rows + 7 {
			must(t, b.Touch(t.Context(), use(fmt.Sprintf("%05d", i), second)))
		}
		block := table.hang()
		time.Sleep(touches.Interval)
		block <- struct{}{}
		block <- struct{}{}
		synctest.Wait()
		time.Sleep(touches.Interval) // two parts are written, and the last one hangs
		must(t, b.Touch(t.Context(), use("a", second)))
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if err := b.Close(ctx); err == nil || !strings.Contains(err.Error(), "last uses of 8 records are lost") {
			t.Errorf("got %v, want 7 and 1 lost", err)
		}
	})
	bubble("a database that somebody else closed stops the timer", func(t *testing.T, table *table, b *touches.Buffer) {
		table.fail(fmt.Errorf("%w: sql: database is closed", touches.ErrGone))
		must(t, b.Touch(t.Context(), use("a", second)))
		time.Sleep(touches.Interval)
		synctest.Wait()
		table.fail(nil)
		time.Sleep(time.Hour)
		if synctest.Wait(); table.written() != 0 || strings.Count(table.log.String(), "\n") != 1 {
			t.Errorf("got %d writes, log %q", table.written(), table.log.String())
		}
		if err := b.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
