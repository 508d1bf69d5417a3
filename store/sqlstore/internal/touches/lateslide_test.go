package touches_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatewarden/auth/store/sqlstore/internal/touches"
)

// TestUnitLateSlide has slides near the expiry, which are written at once.
func TestUnitLateSlide(t *testing.T) {
	late := slide("a", hour-second, 2*hour, hour)
	run(t, "one that cannot be written at once is written by the next flush",
		func(t *testing.T, table *table, b *touches.Buffer) {
			table.fail(errBusy)
			must(t, b.Touch(t.Context(), late))
			if got := table.read(b, "a"); table.now != 1 || got != [2]int64{hour - second, 2 * hour} {
				t.Errorf("got %v after %d tries, want the slide to be shown", got, table.now)
			}
			table.fail(nil)
			time.Sleep(touches.Interval)
			synctest.Wait()
			if got := table.rows["a"]; got != [2]int64{hour - second, 2 * hour} {
				t.Errorf("got %v in the table, want the slide", got)
			}
		})
	run(t, "one of a client that went away is written by the next flush",
		func(t *testing.T, table *table, b *touches.Buffer) {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			block := table.hang()
			must(t, b.Touch(ctx, late))
			close(block)
			time.Sleep(touches.Interval)
			synctest.Wait()
			if got := table.rows["a"]; got != [2]int64{hour - second, 2 * hour} {
				t.Errorf("got %v in the table, want the slide", got)
			}
		})
	run(t, "one that comes too late is not kept", func(t *testing.T, table *table, b *touches.Buffer) {
		table.fail(errBusy)
		err := b.Touch(t.Context(), slide("a", hour, 2*hour, hour))
		if !errors.Is(err, errBusy) || b.View().Len() != 0 {
			t.Errorf("got %v and %d pending, want the error of the table", err, b.View().Len())
		}
	})
	run(t, "one that cannot be kept either has both causes", func(t *testing.T, table *table, b *touches.Buffer) {
		table.fail(errBusy)
		for i := range touches.Most {
			must(t, b.Touch(t.Context(), use(fmt.Sprint(i), second)))
		}
		if err := b.Touch(t.Context(), late); !errors.Is(err, errBusy) || !errors.Is(err, touches.ErrFull) {
			t.Errorf("got %v, want the error of the table and ErrFull", err)
		}
	})
	run(t, "one after Close has the error of the table", func(t *testing.T, table *table, b *touches.Buffer) {
		must(t, b.Close(t.Context()))
		table.fail(errBusy)
		if err := b.Touch(t.Context(), late); !errors.Is(err, errBusy) || b.View().Len() != 0 {
			t.Errorf("got %v and %d pending, want the error of the table", err, b.View().Len())
		}
	})
	run(t, "one of a database that is gone is not kept", func(t *testing.T, table *table, b *touches.Buffer) {
		table.fail(touches.ErrGone)
		if err := b.Touch(t.Context(), late); !errors.Is(err, touches.ErrGone) || b.View().Len() != 0 {
			t.Errorf("got %v and %d pending, want ErrGone", err, b.View().Len())
		}
	})
}
