package touches

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// Interval is how long touches are collected before they are written.
	Interval = time.Second
	// Margin is the time before the expiry of a record from which on a touch that moves
	// the expiry is written at once. It leaves a flush that fails some tries.
	Margin = 10 * time.Second
	// Most is the number of touches that may be pending.
	Most = 65_536
	// Early is the number of touches that are written without waiting for Interval.
	Early = 4_096
	// Rows is the number of touches in a transaction, few enough that other changes get
	// their turn soon.
	Rows = 256

	writeTimeout = 30 * time.Second
	maxPause     = 50 * time.Millisecond
)

var (
	// ErrFull is returned for a touch that is dropped because Most are pending.
	ErrFull = errors.New("sqlstore: too many last uses wait to be written")
	// ErrGone is wrapped by an error of Config.Write after which no write succeeds any more.
	ErrGone = errors.New("sqlstore: the database is closed")
)

// Config is the configuration of a [Buffer].
type Config struct {
	// Write writes touches in one transaction, in their order, which it asks for in the
	// transaction. A touch may be written twice. Write must not change a record that has
	// expired at Touch.Since.
	Write func(ctx context.Context, touches func() []Touch) error
	// WriteNow is Write for a request that waits.
	WriteNow func(ctx context.Context, touches func() []Touch) error
	// Busy is wrapped by an error of Write that had no turn to write. Close tries again.
	Busy   error
	Table  string       // named in the log
	Logger *slog.Logger // if nil, slog.Default()
}

// Buffer collects touches. It is safe for concurrent use. A timer runs only while a touch
// is pending. Close stops it.
type Buffer struct {
	config Config

	pending atomic.Int64 // so that View costs nothing if there are no touches

	mu      sync.Mutex
	newer   *batch // being collected
	older   *batch // being written, or nil
	dropped int64  // since the last flush
	due     bool   // a flush is due or runs
	timer   *time.Timer
	closed  bool

	turn    chan struct{} // is full while a flush runs
	ctx     context.Context
	cancel  context.CancelFunc
	closing chan struct{}
	failing bool // was logged; belongs to the flush
}

// New returns an empty buffer.
func New(config Config) *Buffer {
	b := &Buffer{config: config, newer: newGeneration(), turn: make(chan struct{}, 1), closing: make(chan struct{})}
	b.ctx, b.cancel = context.WithCancel(context.Background())
	return b
}

// View returns the touches that are pending.
func (b *Buffer) View() View {
	if b.pending.Load() == 0 {
		return View{}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return View{b, b.older, b.newer}
}

// Touch keeps a touch for the next flush, or writes it at once if it must not wait: if it
// moves the expiry of a record that expires within [Margin], and after Close. If the
// write fails and the record is live, Touch keeps the touch after all, so that the next
// flush tries again. A touch that finds [Most] pending is dropped with [ErrFull]. Since is
// set by Touch.
func (b *Buffer) Touch(ctx context.Context, t Touch) error {
	t.Since = t.Used
	if !t.hurries() {
		if kept, err := b.keep(t); kept || err != nil {
			return err
		}
	}
	// What is pending for the record may be what keeps it alive until now.
	err := b.config.WriteNow(ctx, func() []Touch { return append(b.View().Of(t.Digest), t) })
	if err == nil || t.isExpired() || errors.Is(err, ErrGone) {
		return err
	}
	if kept, full := b.keep(t); !kept {
		return errors.Join(err, full)
	}
	return nil
}

// keep collects a touch, unless the buffer is closed.
func (b *Buffer) keep(t Touch) (kept bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return false, nil
	}
	if _, ok := b.newer.touches[t.Digest]; !ok {
		if b.pending.Load() >= Most {
			b.dropped++
			return false, ErrFull
		}
		b.pending.Add(1)
	}
	b.newer.add(t)
	b.schedule()
	return true, nil
}

// Drop forgets what is pending for a record that was removed. A store calls it in the
// transaction that adds a new record with the same digest.
func (b *Buffer) Drop(digest string) {
	if b.pending.Load() == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, g := range []*batch{b.older, b.newer} {
		if g == nil {
			continue
		}
		if _, ok := g.touches[digest]; ok {
			delete(g.touches, digest)
			b.pending.Add(-1)
		}
	}
}

// schedule sees to it that a flush comes: b.mu is held.
func (b *Buffer) schedule() {
	switch {
	case b.timer == nil:
		b.timer = time.AfterFunc(Interval, b.run)
	case !b.due:
		b.timer.Reset(Interval)
	case len(b.newer.touches) == Early && b.older == nil && b.timer.Stop():
		b.timer.Reset(0)
	}
	b.due = true
}

// run is a flush in a goroutine of its own. It ends if nothing is pending.
func (b *Buffer) run() {
	b.turn <- struct{}{}
	var err error
	if !b.isClosed() {
		err = b.flush(b.ctx)
	}
	if !b.isClosed() { // or Close returns what is lost
		b.report(err)
	}
	<-b.turn

	b.mu.Lock()
	defer b.mu.Unlock()
	b.due = false
	if errors.Is(err, ErrGone) {
		b.closed, b.older, b.newer = true, nil, newGeneration()
		b.pending.Store(0)
	}
	if b.closed || b.pending.Load() == 0 {
		return
	}
	b.due = true
	if err == nil && len(b.newer.touches) >= Early {
		b.timer.Reset(0)
	} else {
		b.timer.Reset(Interval)
	}
}

func (b *Buffer) isClosed() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.closed
}

// flush writes what a flush before could not write, and then what was collected since.
func (b *Buffer) flush(ctx context.Context) error {
	b.mu.Lock()
	left := b.older
	b.mu.Unlock()
	if left != nil {
		if err := b.write(ctx, left); err != nil {
			return err
		}
	}
	b.mu.Lock()
	if len(b.newer.touches) == 0 {
		b.mu.Unlock()
		return nil
	}
	collected := b.newer
	b.older, b.newer = collected, newGeneration()
	collected.close()
	b.mu.Unlock()
	collected.sort()
	return b.write(ctx, collected)
}

// write writes a batch in parts. After an error the rest stays for the next flush.
func (b *Buffer) write(ctx context.Context, g *batch) error {
	for len(g.todo) > 0 {
		began := time.Now()
		part := g.todo[:min(Rows, len(g.todo))]
		limited, cancel := context.WithTimeout(ctx, writeTimeout)
		err := b.config.Write(limited, func() []Touch { return b.pendingOf(g, part) })
		cancel()
		if err != nil {
			return err
		}
		g.todo = g.todo[len(part):]
		b.mu.Lock()
		g.left = len(g.todo)
		b.mu.Unlock()
		if len(g.todo) > 0 {
			b.pause(time.Since(began))
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.older = nil
	b.pending.Add(-int64(len(g.touches)))
	return nil
}

// pendingOf returns the touches that were not dropped.
func (b *Buffer) pendingOf(g *batch, part []Touch) []Touch {
	b.mu.Lock()
	defer b.mu.Unlock()
	pending := make([]Touch, 0, len(part))
	for _, t := range part {
		if _, ok := g.touches[t.Digest]; ok {
			pending = append(pending, t)
		}
	}
	return pending
}

// pause lets other programs write for as long as a transaction took. It ends early if the
// buffer is closed.
func (b *Buffer) pause(took time.Duration) {
	timer := time.NewTimer(min(took, maxPause))
	defer timer.Stop()
	select {
	case <-b.closing:
	case <-timer.C:
	}
}

// report logs the first of several flushes that fail or drop touches. It logs again when a flush succeeds.
func (b *Buffer) report(err error) {
	b.mu.Lock()
	dropped := b.dropped
	b.dropped = 0
	b.mu.Unlock()
	logger := cmp.Or(b.config.Logger, slog.Default()).With("table", b.config.Table)
	trouble := err != nil || dropped > 0
	switch {
	case errors.Is(err, ErrGone):
		logger.Warn("sqlstore: last uses are lost, because the database was closed by other means than DB.Close",
			"lost", b.left())
	case err != nil && !b.failing:
		logger.Warn("sqlstore: cannot write last uses now, and will try again every second",
			"pending", b.left(), "error", err)
	case dropped > 0 && !b.failing:
		logger.Warn("sqlstore: tokens and sessions are used faster than last uses can be written, so some are dropped",
			"dropped", dropped)
	case !trouble && b.failing:
		logger.Info("sqlstore: last uses are written again")
	}
	b.failing = trouble
}

// left returns the number of touches that are still to be written.
func (b *Buffer) left() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	left := len(b.newer.touches)
	if b.older != nil {
		left += b.older.left
	}
	return left
}
