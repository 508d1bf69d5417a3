package transfer

import (
	"context"
	"fmt"
	"time"
)

// This file reads all records of an engine, and compares them with what the copy wrote.

const (
	aboutAdded   = "this copy did not write it"
	aboutChanged = "it changed after the copy wrote it"
	aboutEnded   = "it ended after the copy wrote it"
)

// reportFunc returns the error about a record that is not as the copy wrote it. The record is nil if it is not there.
type reportFunc func(key, about string, record Record) (error, error)

// wantUnused returns an error unless the target has what the copy wrote. Otherwise a service has used it.
func (r *run) wantUnused(ctx context.Context) error {
	return r.walkTarget(ctx, func(kind Kind) reportFunc {
		return func(key, about string, record Record) (error, error) {
			conflict := &ConflictError{Kind: kind, Key: key, About: about}
			if record == nil {
				return conflict, nil
			}
			at, err := r.source.Lookup(ctx, kind, []Record{record}, r.keep)
			if err != nil {
				return nil, fmt.Errorf("reading %s of the source: %w", kind, err)
			}
			if at[0] != nil {
				conflict.Field = Difference(at[0], record)
			}
			return conflict, nil
		}
	})
}

// checkAll reads both engines again. If the source has changed since it was copied, the service is not stopped.
func (r *run) checkAll(ctx context.Context) error {
	if err := r.walkSource(ctx); err != nil {
		return err
	}
	return r.walkTarget(ctx, func(kind Kind) reportFunc {
		return func(key, about string, _ Record) (error, error) {
			return fmt.Errorf("%w: %s, key %q: %s", ErrDiffers, kind, key, about), nil
		}
	})
}

// walkTarget compares all records of the target with what the copy wrote.
func (r *run) walkTarget(ctx context.Context, wrongOf func(Kind) reportFunc) error {
	r.walk++
	for _, kind := range Kinds() {
		walk := &targetWalk{run: r, kind: kind, all: r.journal.of(kind), wrong: wrongOf(kind),
			unsettled: make(map[string]Written), records: make(map[string]Record)}
		if err := walk.do(ctx); err != nil {
			return err
		}
		if r.options.Final {
			r.reports[kind].Target, r.reports[kind].Samples = walk.useful, walk.useful
		}
	}
	return nil
}

// targetWalk reads all records of a kind from the target.
type targetWalk struct {
	*run
	kind   Kind
	all    map[string]*copiedRecord
	wrong  reportFunc
	found  firstErrors
	useful int // how many are of use

	// Records with steps that have not ended are compared after all others.
	unsettled map[string]Written
	records   map[string]Record
}

func (w *targetWalk) do(ctx context.Context) error {
	since := time.Now().Add(-minRetention)
	if err := w.eachPage(ctx, w.target, "the target", w.kind, since, w.seePage); err != nil {
		return err
	}
	if err := w.journal.settle(w.journal.settled(w.kind, w.unsettled)); err != nil {
		return err
	}
	for key, there := range w.unsettled {
		if err := w.compare(w.records[key], there); err != nil {
			return err
		}
	}
	if err := w.reportEnded(); err != nil {
		return err
	}
	return w.found.err()
}

func (w *targetWalk) seePage(records []Record) error {
	for _, record := range records {
		if err := w.see(record); err != nil {
			return err
		}
	}
	return nil
}

// reportEnded reports the records that the copy wrote and that the target does not have any more.
func (w *targetWalk) reportEnded() error {
	for key, k := range w.all {
		if k.seen == w.walk || mayBeGone(w.kind, k.until()) {
			continue
		}
		if err := w.found.add(func() (error, error) { return w.wrong(key, aboutEnded, nil) }); err != nil {
			return err
		}
	}
	return nil
}

func (w *targetWalk) see(record Record) error {
	there := writtenOf(record)
	if isUseful(there.Until, w.keep) {
		w.useful++
	}
	if k := w.all[there.Key]; k != nil && !k.settled() {
		w.unsettled[there.Key], w.records[there.Key] = there, record
		return nil
	}
	return w.compare(record, there)
}

func (w *targetWalk) compare(record Record, there Written) error {
	k := w.all[there.Key]
	about := ""
	switch {
	case k == nil || k.written == nil:
		about = aboutAdded
	case !k.written.atTarget(there):
		about = aboutChanged
	}
	if k != nil {
		k.seen = w.walk
	}
	if about == "" {
		return nil
	}
	return w.found.add(func() (error, error) { return w.wrong(there.Key, about, record) })
}

// walkSource compares all records of the source with those that were copied.
func (r *run) walkSource(ctx context.Context) error {
	r.walk++
	for _, kind := range Kinds() {
		if err := r.walkSourceKind(ctx, kind); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) walkSourceKind(ctx context.Context, kind Kind) error {
	err := r.eachPage(ctx, r.source, "the source", kind, r.keep, func(records []Record) error {
		return r.wantCopied(kind, records)
	})
	if err != nil {
		return err
	}
	expired := time.Now().Add(clockSkew) // a purge, or Redis by itself, may have removed what expired
	for key, k := range r.journal.of(kind) {
		if k.seen != r.walk && kind != KnoxEnded && isUseful(k.until(), expired) {
			return fmt.Errorf("%w: %s, key %q: it ended", ErrSourceUsed, kind, key)
		}
	}
	return nil
}

// wantCopied returns an error if the source has added or changed one of these records since it was copied.
func (r *run) wantCopied(kind Kind, records []Record) error {
	all := r.journal.of(kind)
	for _, record := range records {
		if kind == OAuthConsents && r.leftOut[record.Key()] {
			continue
		}
		k := all[record.Key()]
		if k == nil {
			return fmt.Errorf("%w: %s, key %q: it was added", ErrSourceUsed, kind, record.Key())
		}
		if !k.written.atSource(writtenOf(record)) {
			return fmt.Errorf("%w: %s, key %q: it has changed", ErrSourceUsed, kind, record.Key())
		}
		k.seen = r.walk
		r.reports[kind].Source++
	}
	return nil
}

// eachPage reads all records of a kind that are of use at an instant, and calls do with each page. An error of a read
// names the place, such as "the source".
func (r *run) eachPage(ctx context.Context, from Source, place string, kind Kind, at time.Time,
	do func(records []Record) error) error {
	for after := ""; ; {
		page, err := from.Export(ctx, kind, after, r.options.PageSize, at)
		if err != nil {
			return fmt.Errorf("reading %s of %s: %w", kind, place, err)
		}
		if err := do(page.Records); err != nil {
			return err
		}
		if after = page.Next; after == "" {
			return nil
		}
	}
}
