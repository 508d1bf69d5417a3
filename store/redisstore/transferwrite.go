package redisstore

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/gatewarden/auth/store/transfer"
)

// This file writes many records at once. Those with one tag share a change, and many changes are under way together.

const (
	// changesAtOnce is how many changes are under way together.
	changesAtOnce = 32
	// movedAtOnce is how many records one change has, so that others have their turn.
	movedAtOnce = 64
)

// inTags runs do for groups of items with one tag, many at once. It returns all errors.
func inTags[T any](ctx context.Context, items []T, tagOf func(item T) tag,
	do func(ctx context.Context, t tag, some []T) error) error {
	byTag := make(map[tag][]T)
	for _, item := range items {
		t := tagOf(item)
		byTag[t] = append(byTag[t], item)
	}
	var (
		wait  sync.WaitGroup
		mu    sync.Mutex
		errs  []error
		turns = make(chan struct{}, changesAtOnce)
	)
	for t, all := range byTag {
		for some := range slices.Chunk(all, movedAtOnce) {
			turns <- struct{}{}
			wait.Go(func() {
				defer func() { <-turns }()
				if err := do(ctx, t, some); err != nil {
					mu.Lock()
					defer mu.Unlock()
					errs = append(errs, err)
				}
			})
		}
	}
	wait.Wait()
	if len(errs) > maxErrors {
		errs = errs[:maxErrors]
	}
	return errors.Join(errs...)
}

// maxErrors is how many errors of groups are told. A server that is down has all of them fail.
const maxErrors = 3

// Whole implements [transfer.Target].
func (*transferStore) Whole() bool { return false }

// Import implements [transfer.Target]. It is made in parts, so after an error some records may have been added.
func (m *transferStore) Import(ctx context.Context, k transfer.Kind, records []transfer.Record,
	now time.Time) (added int, err error) {
	moves, err := m.of(k, records...)
	if err != nil {
		return 0, err
	}
	if before, ok := moves.(interface {
		before(ctx context.Context, records []transfer.Record, now time.Time) error
	}); ok {
		if err := before.before(ctx, records, now); err != nil {
			return 0, failed(k, err)
		}
	}
	var mu sync.Mutex
	err = inTags(ctx, records, func(r transfer.Record) tag { return moves.refOf(r).t },
		func(ctx context.Context, t tag, some []transfer.Record) error {
			n, err := m.add(ctx, moves, t, some, now)
			mu.Lock()
			defer mu.Unlock()
			added += n
			return err
		})
	if err != nil {
		return added, failed(k, err)
	}
	return added, nil
}

// add adds those records of one tag that are not there. The first try supposes that all are missing, as most are. That
// saves a round trip. The records that are there are then read once. No other program changes them.
func (m *transferStore) add(ctx context.Context, moves transferKind, t tag, records []transfer.Record,
	now time.Time) (added int, err error) {
	supposes := moves.own() != ""
	err = m.db.transact(ctx, "import "+string(t), func(ctx context.Context, c *change) error {
		missing := records
		if supposes {
			for _, record := range records {
				c.assumeAbsent(m.db.key(moves.own(), t, moves.refOf(record).name))
			}
		} else if missing, err = m.missing(ctx, moves, records, now); err != nil {
			return err
		}
		supposes, added = false, len(missing)
		if added == 0 {
			return nil
		}
		return moves.add(ctx, c, t, missing, now)
	})
	if err != nil {
		return 0, err
	}
	return added, nil
}

// missing returns those of some records that are not there, or are of no use any more.
func (m *transferStore) missing(ctx context.Context, moves transferKind, records []transfer.Record,
	now time.Time) ([]transfer.Record, error) {
	at, err := moves.find(ctx, records)
	if err != nil {
		return nil, err
	}
	found, err := moves.load(ctx, at)
	if err != nil {
		return nil, err
	}
	var missing []transfer.Record
	for i, record := range records {
		if found[i] == nil || !found[i].Keep(now) {
			missing = append(missing, record)
		}
	}
	return missing, nil
}

// Replace implements [transfer.Target]. What is there is removed first.
func (m *transferStore) Replace(ctx context.Context, k transfer.Kind, records []transfer.Record, now time.Time) error {
	moves, err := m.of(k, records...)
	if err != nil {
		return err
	}
	if own, ok := moves.(interface {
		replace(ctx context.Context, records []transfer.Record) error
	}); ok {
		if err := own.replace(ctx, records); err != nil {
			return failed(k, err)
		}
	} else if err := m.Remove(ctx, k, records, now); err != nil {
		return err
	}
	_, err = m.Import(ctx, k, records, now)
	return err
}

// Remove implements [transfer.Target].
func (m *transferStore) Remove(ctx context.Context, k transfer.Kind, like []transfer.Record, _ time.Time) error {
	moves, err := m.of(k, like...)
	if err != nil || len(like) == 0 {
		return err
	}
	at, err := moves.find(ctx, like)
	if err != nil {
		return failed(k, err)
	}
	at = slices.DeleteFunc(at, func(r ref) bool { return r.name == "" })
	err = inTags(ctx, at, func(r ref) tag { return r.t }, func(ctx context.Context, t tag, some []ref) error {
		names := make([]string, len(some))
		for i, r := range some {
			names[i] = r.name
		}
		return m.db.transact(ctx, "import "+string(t), func(ctx context.Context, c *change) error {
			return moves.remove(ctx, c, t, names)
		})
	})
	if err != nil {
		return failed(k, err)
	}
	return nil
}
