package transfer

import (
	"context"
	"fmt"
	"math/rand/v2"
)

// sample is a random choice of the records of a kind.
type sample struct {
	size, seen int
	records    []Record
}

// add gives each record that was ever added the same chance.
func (s *sample) add(records []Record) {
	for _, record := range records {
		s.seen++
		if len(s.records) < s.size {
			s.records = append(s.records, record)
		} else if i := rand.N(s.seen); i < s.size {
			s.records[i] = record
		}
	}
}

// check compares both engines at the end of a run. After the final run they must have the same.
func (r *run) check(ctx context.Context) error {
	for _, kind := range Kinds() {
		report := r.reports[kind]
		var err error
		if report.Source, err = r.source.Count(ctx, kind, r.now); err != nil {
			return fmt.Errorf("counting %s of the source: %w", kind, err)
		}
		if report.Target, err = r.target.Count(ctx, kind, r.now); err != nil {
			return fmt.Errorf("counting %s of the target: %w", kind, err)
		}
		if err := r.checkSamples(ctx, kind, report); err != nil {
			return err
		}
		switch {
		case !r.options.Final:
		case report.Source != r.totals[kind]:
			return fmt.Errorf("%w It had %d %s, and has %d now", ErrSourceUsed, r.totals[kind], kind, report.Source)
		case report.Source != report.Target:
			return fmt.Errorf("%w: the source has %d %s, and the target has %d", ErrDiffers, report.Source, kind,
				report.Target)
		}
	}
	return nil
}

// checkSamples reads records of a kind back from both engines.
func (r *run) checkSamples(ctx context.Context, kind Kind, report *KindReport) error {
	records := r.samples[kind].records
	if len(records) == 0 {
		return nil
	}
	at, err := r.source.Lookup(ctx, kind, records, r.now)
	if err != nil {
		return fmt.Errorf("reading %s of the source: %w", kind, err)
	}
	there, err := r.target.Lookup(ctx, kind, records, r.now)
	if err != nil {
		return fmt.Errorf("reading %s of the target: %w", kind, err)
	}
	report.Samples = len(records)
	for i, record := range records {
		field := "being there"
		if at[i] != nil && there[i] != nil {
			field = Difference(at[i], there[i])
		}
		if field == "" {
			continue
		}
		report.Differ++
		if r.options.Final {
			return fmt.Errorf("%w: %s, key %q: %s", ErrDiffers, kind, record.Key(), field)
		}
	}
	return nil
}

// counts returns how many records the target has.
func (r *run) counts() map[Kind]int {
	counts := make(map[Kind]int)
	for kind, report := range r.reports {
		if report.Target > 0 {
			counts[kind] = report.Target
		}
	}
	return counts
}
