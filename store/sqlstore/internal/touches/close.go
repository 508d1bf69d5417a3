package touches

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Close writes what is pending, at most until ctx ends, and stops the timer. A flush that
// runs when ctx ends is cancelled. From then on touches are written at once. An error
// says how many touches are lost. A second Close does nothing.
func (b *Buffer) Close(ctx context.Context) error {
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return nil
	}
	b.closed = true
	close(b.closing)
	if b.timer != nil {
		b.timer.Stop()
	}
	b.mu.Unlock()
	defer b.cancel()
	select {
	case b.turn <- struct{}{}:
	case <-ctx.Done():
		return b.lost(ctx.Err())
	}
	defer func() { <-b.turn }()
	return b.lost(b.lastFlush(ctx))
}

// lastFlush is flush, again and again while others write.
func (b *Buffer) lastFlush(ctx context.Context) error {
	for {
		err := b.flush(ctx)
		if err == nil || !errors.Is(err, b.config.Busy) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(maxPause):
		}
	}
}

// lost is an error of Close, or nil if nothing is lost.
func (b *Buffer) lost(err error) error {
	left := b.left()
	if err == nil || left == 0 {
		return nil
	}
	return fmt.Errorf("sqlstore: the last uses of %d %s are lost: %w", left, b.config.Table, err)
}
