package touches_test

import (
	"bytes"
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

	"github.com/gatewarden/auth/store/sqlstore/internal/touches"
)

const (
	second = int64(1_000_000)
	hour   = 3600 * second
)

var errBusy = errors.New("others write")

// table has records with their last use and expiry, and writes touches as a database does.
type table struct {
	mu     sync.Mutex
	rows   map[string][2]int64
	writes [][]string // digests
	now    int        // how many of them were for a request
	err    error      // of each write
	block  chan struct{}
	log    bytes.Buffer
}

func (t *table) write(ctx context.Context, pending func() []touches.Touch) error {
	t.mu.Lock()
	block := t.block
	t.mu.Unlock()
	if block != nil {
		select {
		case <-block:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err != nil {
		return t.err
	}
	var digests []string
	for _, touch := range pending() {
		digests = append(digests, touch.Digest)
		if row, ok := t.rows[touch.Digest]; ok {
			used, expires := touch.Apply(row[0], row[1])
			t.rows[touch.Digest] = [2]int64{used, expires}
		}
	}
	t.writes = append(t.writes, digests)
	return nil
}

func (t *table) written() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.writes)
}

func (t *table) fail(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.err = err
}

// hang makes each write wait for a value of the channel that it returns.
func (t *table) hang() chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.block = make(chan struct{}, 1)
	return t.block
}

// read returns a row as a store shows it.
func (t *table) read(b *touches.Buffer, digest string) [2]int64 {
	view := b.View()
	t.mu.Lock()
	row := t.rows[digest]
	t.mu.Unlock()
	for _, touch := range view.Of(digest) {
		row[0], row[1] = touch.Apply(row[0], row[1])
	}
	return row
}

// newBuffer returns a buffer for records that expire after an hour.
func newBuffer(digests ...string) (*table, *touches.Buffer) {
	t := &table{rows: map[string][2]int64{}}
	for _, digest := range digests {
		t.rows[digest] = [2]int64{0, hour}
	}
	logger := slog.New(slog.NewTextHandler(&t.log, nil))
	return t, touches.New(touches.Config{Write: t.write, Table: "records", Logger: logger, Busy: errBusy,
		WriteNow: func(ctx context.Context, pending func() []touches.Touch) error {
			err := t.write(ctx, pending)
			t.mu.Lock()
			defer t.mu.Unlock()
			t.now++
			return err
		}})
}

// use is the use of a record at an instant, without a slide.
func use(digest string, at int64) touches.Touch {
	return touches.Touch{Digest: digest, Used: at, ExpiresAt: hour, LiveUntil: hour}
}

// slide is the use of a record that would expire at liveUntil.
func slide(digest string, at, expires, liveUntil int64) touches.Touch {
	return touches.Touch{Digest: digest, Used: at, ExpiresAt: expires, LiveUntil: liveUntil}
}

// run gives each test a bubble. The buffer is closed after it.
func run(t *testing.T, sentence string, test func(t *testing.T, table *table, b *touches.Buffer)) {
	t.Run(sentence, func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			table, b := newBuffer("a", "b", "c")
			test(t, table, b)
			table.fail(nil)
			if err := b.Close(t.Context()); err != nil {
				t.Error(err)
			}
		})
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestUnitBuffer(t *testing.T) {
	errDown := errors.New("the disk is full")
	run(t, "touches of a second are written in one transaction, in order of digest",
		func(t *testing.T, table *table, b *touches.Buffer) {
			for _, digest := range []string{"c", "a", "b", "a"} {
				must(t, b.Touch(t.Context(), use(digest, second)))
			}
			time.Sleep(touches.Interval - time.Nanosecond)
			if table.written() != 0 {
				t.Error("got a write before the interval")
			}
			time.Sleep(time.Nanosecond)
			synctest.Wait()
			if len(table.writes) != 1 || !slices.Equal(table.writes[0], []string{"a", "b", "c"}) || table.now != 0 {
				t.Errorf("got %v, want a, b and c at once", table.writes)
			}
			if b.View().Len() != 0 {
				t.Errorf("got %d pending, want 0", b.View().Len())
			}
			time.Sleep(time.Hour)
			if synctest.Wait(); table.written() != 1 {
				t.Errorf("got %d writes, want no other without a touch", table.written())
			}
			must(t, b.Touch(t.Context(), use("b", 2*second)))
			time.Sleep(touches.Interval)
			if synctest.Wait(); table.written() != 2 {
				t.Errorf("got %d writes, want another one for the next touch", table.written())
			}
		})
	run(t, "the latest use and expiry count, in whatever order they come",
		func(t *testing.T, table *table, b *touches.Buffer) {
			for _, at := range []int64{3, 5, 1, 4} {
				must(t, b.Touch(t.Context(), slide("a", at*second, 2*hour-at, hour)))
			}
			if got, want := table.read(b, "a"), [2]int64{5 * second, 2*hour - 1}; got != want {
				t.Errorf("got %v before the write, want %v", got, want)
			}
			time.Sleep(touches.Interval)
			synctest.Wait()
			if got, want := table.rows["a"], [2]int64{5 * second, 2*hour - 1}; got != want {
				t.Errorf("got %v, want %v", got, want)
			}
		})
	run(t, "a slide near the expiry is written at once, and no other one",
		func(t *testing.T, table *table, b *touches.Buffer) {
			margin := touches.Margin.Microseconds()
			for _, row := range []struct {
				sentence string
				touch    touches.Touch
				now      bool
			}{
				{"long before", slide("a", hour-margin, 2*hour, hour), false},
				{"within the margin", slide("b", hour-margin+1, 2*hour, hour), true},
				{"no slide", slide("c", hour-1, hour, hour), false},
				{"no expiry", touches.Touch{Digest: "d", Used: hour}, false},
				{"no expiry, with a slide", touches.Touch{Digest: "d", Used: hour, ExpiresAt: 2 * hour}, false},
				{"expired", slide("c", hour, hour, hour), true},
			} {
				before := table.now
				must(t, b.Touch(t.Context(), row.touch))
				if now := table.now > before; now != row.now {
					t.Errorf("%s: got a write at once: %v, want %v", row.sentence, now, row.now)
				}
			}
			if got := table.rows["b"]; got != [2]int64{hour - margin + 1, 2 * hour} {
				t.Errorf("got %v in the table, want the slide", got)
			}
		})
	run(t, "what is pending is written before a touch that does not wait",
		func(t *testing.T, table *table, b *touches.Buffer) {
			must(t, b.Touch(t.Context(), slide("a", second, 2*hour, hour)))
			must(t, b.Touch(t.Context(), slide("a", 2*hour-1, 3*hour, 2*hour)))
			if got, want := table.rows["a"], [2]int64{2*hour - 1, 3 * hour}; got != want {
				t.Errorf("got %v, want %v", got, want)
			}
		})
	run(t, "a touch that is being written is shown, and one that comes meanwhile",
		func(t *testing.T, table *table, b *touches.Buffer) {
			block := table.hang()
			must(t, b.Touch(t.Context(), use("a", second)))
			must(t, b.Touch(t.Context(), slide("b", second, 2*hour, hour)))
			time.Sleep(touches.Interval)
			synctest.Wait()
			must(t, b.Touch(t.Context(), slide("b", 2*second, 3*hour, 2*hour)))
			view := b.View()
			if view.Len() != 3 || view.Earliest() != hour {
				t.Errorf("got %d, earliest %d, want 3 and %d", view.Len(), view.Earliest(), hour)
			}
			if got := table.read(b, "a"); got != [2]int64{second, hour} {
				t.Errorf("got %v", got)
			}
			if got := table.read(b, "b"); got != [2]int64{2 * second, 3 * hour} {
				t.Errorf("got %v", got)
			}
			close(block)
			time.Sleep(touches.Interval)
			synctest.Wait()
			if got := table.rows["b"]; got != [2]int64{2 * second, 3 * hour} || b.View().Len() != 0 {
				t.Errorf("got %v in the table, %d pending", got, b.View().Len())
			}
			if got := view.Of("b"); len(got) != 2 || view.Earliest() != hour {
				t.Errorf("got %v, want the view to have what was pending when it was made", got)
			}
		})
	run(t, "touches that were dropped are not shown or written, even if a write was under way",
		func(t *testing.T, table *table, b *touches.Buffer) {
			for _, digest := range []string{"a", "b"} {
				must(t, b.Touch(t.Context(), use(digest, second)))
			}
			block := table.hang()
			time.Sleep(touches.Interval)
			synctest.Wait()
			must(t, b.Touch(t.Context(), use("a", 2*second)))
			must(t, b.Touch(t.Context(), use("c", 2*second)))
			b.Drop("a")
			b.Drop("c")
			b.Drop("unknown")
			if a, b := table.read(b, "a"), table.read(b, "b"); a[0] != 0 || b[0] != second {
				t.Errorf("got uses at %d and %d, want the second one", a[0], b[0])
			}
			must(t, b.Touch(t.Context(), use("c", 3*second)))
			close(block)
			time.Sleep(2 * touches.Interval)
			synctest.Wait()
			if table.rows["a"][0] != 0 || table.rows["b"][0] != second || table.rows["c"][0] != 3*second {
				t.Errorf("got %v in the table", table.rows)
			}
			if b.View().Len() != 0 {
				t.Errorf("got %d pending, want 0", b.View().Len())
			}
		})
	run(t, "a write that fails is tried again, and logged once", func(t *testing.T, table *table, b *touches.Buffer) {
		table.fail(errDown)
		must(t, b.Touch(t.Context(), use("a", second)))
		time.Sleep(5 * touches.Interval)
		must(t, b.Touch(t.Context(), use("a", 3*second)))
		must(t, b.Touch(t.Context(), use("b", second)))
		time.Sleep(5 * touches.Interval)
		synctest.Wait()
		if a, b := table.read(b, "a"), table.read(b, "b"); a[0] != 3*second || b[0] != second {
			t.Errorf("got uses at %d and %d while the table fails", a[0], b[0])
		}
		table.fail(nil)
		time.Sleep(touches.Interval)
		synctest.Wait()
		if a, b := table.rows["a"], table.rows["b"]; a[0] != 3*second || b[0] != second {
			t.Errorf("got uses at %d and %d afterwards", a[0], b[0])
		}
		lines := strings.Split(strings.TrimSpace(table.log.String()), "\n")
		if len(lines) != 2 || !strings.Contains(lines[1], "written again") {
			t.Fatalf("got %q, want the outage and its end", lines)
		}
		for _, part := range []string{"level=WARN", "table=records", errDown.Error()} {
			if !strings.Contains(lines[0], part) {
				t.Errorf("got %q, want %q", lines[0], part)
			}
		}
	})
	run(t, "many touches are written in parts, and only the rest is tried again",
		func(t *testing.T, table *table, b *touches.Buffer) {
			for i := range 3*touches.Rows + 1 {
				must(t, b.Touch(t.Context(), use(fmt.Sprintf("%05d", i), second)))
			}
			block := table.hang()
			time.Sleep(touches.Interval)
			block <- struct{}{}
			synctest.Wait() // one part is written
			table.fail(errDown)
			block <- struct{}{}
			synctest.Wait()
			table.fail(nil)
			close(block)
			time.Sleep(touches.Interval)
			synctest.Wait()
			var sizes []int
			for _, digests := range table.writes {
				sizes = append(sizes, len(digests))
			}
			all := slices.Concat(table.writes...)
			want := []int{touches.Rows, touches.Rows, touches.Rows, 1}
			if !slices.Equal(sizes, want) || !slices.IsSorted(all) || all[0] == all[1] {
				t.Errorf("got parts of %v", sizes)
			}
		})
	run(t, "many touches do not wait for the interval", func(t *testing.T, table *table, b *touches.Buffer) {
		for i := range touches.Early {
			must(t, b.Touch(t.Context(), use(fmt.Sprint(i), second)))
		}
		time.Sleep(touches.Interval / 100)
		if synctest.Wait(); table.written() != touches.Early/touches.Rows {
			t.Errorf("got %d writes, want %d", table.written(), touches.Early/touches.Rows)
		}
	})
	run(t, "at most so many are pending: others are dropped, or written at once near the expiry",
		func(t *testing.T, table *table, b *touches.Buffer) {
			table.fail(errDown)
			for i := range touches.Most {
				must(t, b.Touch(t.Context(), use(fmt.Sprint(i), second)))
			}
			must(t, b.Touch(t.Context(), use("1", 2*second))) // it is pending already
			if err := b.Touch(t.Context(), use("a", second)); !errors.Is(err, touches.ErrFull) {
				t.Errorf("got %v, want ErrFull", err)
			}
			table.fail(nil)
			for range 3 {
				if err := b.Touch(t.Context(), slide("b", second, 2*hour, hour)); !errors.Is(err, touches.ErrFull) {
					t.Errorf("got %v for a slide long before the expiry, want ErrFull", err)
				}
			}
			if table.now != 0 {
				t.Errorf("got %d writes at once, want 0", table.now)
			}
			table.fail(errDown)
			late := slide("b", hour-second, 2*hour, hour)
			if err := b.Touch(t.Context(), late); !errors.Is(err, errDown) {
				t.Errorf("got %v, want the error of the table", err)
			}
			if b.View().Len() != touches.Most {
				t.Errorf("got %d pending, want %d", b.View().Len(), touches.Most)
			}
			table.fail(nil)
			must(t, b.Touch(t.Context(), late))
			if table.rows["b"][1] != 2*hour {
				t.Error("got no slide in the table")
			}
			time.Sleep(time.Minute)
			synctest.Wait()
			must(t, b.Touch(t.Context(), use("a", second)))
		})
	run(t, "drops are logged once, and that they end", func(t *testing.T, table *table, b *touches.Buffer) {
		block := table.hang()
		for i := range touches.Most + 7 {
			if err := b.Touch(t.Context(), use(fmt.Sprint(i), second)); (err != nil) != (i >= touches.Most) {
				t.Fatalf("touch %d: got %v", i, err)
			}
		}
		close(block)
		time.Sleep(time.Minute)
		synctest.Wait()
		must(t, b.Touch(t.Context(), use("a", second)))
		time.Sleep(time.Minute)
		synctest.Wait()
		log := table.log.String()
		lines := strings.Count(log, "\n")
		if lines != 2 || !strings.Contains(log, "dropped=7") || !strings.Contains(log, "written again") {
			t.Errorf("got %q, want 7 dropped, and the end of it", log)
		}
	})
}

// TestUnitBufferRaces has real time.
func TestUnitBufferRaces(t *testing.T) {
	t.Run("eight callers touch and read while it is written, and no use is lost or undone", func(t *testing.T) {
		var digests []string
		for i := range 500 {
			digests = append(digests, fmt.Sprint("digest", i))
		}
		table, b := newBuffer(digests...)
		var group sync.WaitGroup
		for caller := range 8 {
			group.Go(func() {
				for i := range 5000 {
					digest, at := digests[(i*7+caller)%len(digests)], int64(i+1)
					if err := b.Touch(t.Context(), slide(digest, at, hour+at, hour)); err != nil {
						t.Error(err)
					}
					if got := table.read(b, digest); got[0] < at || got[1] < hour+at {
						t.Errorf("got %v after a touch at %d", got, at)
					}
					if i%1000 == 999 {
						b.View().Earliest()
					}
				}
			})
		}
		group.Wait()
		before := make([][2]int64, len(digests))
		for i, digest := range digests {
			before[i] = table.read(b, digest)
		}
		must(t, b.Close(t.Context()))
		for i, digest := range digests {
			if table.rows[digest] != before[i] {
				t.Errorf("got %v in the table, want %v", table.rows[digest], before[i])
			}
		}
	})
}
