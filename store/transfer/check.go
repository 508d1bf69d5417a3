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
	if r.options.Final {
		return r.checkAll(ctx)
	}
	for _, kind := range Kinds() {
		report := r.reports[kind]
		var err error
		if report.Source, err = r.source.Count(ctx, kind, r.keep); err != nil {
			return fmt.Errorf("counting %s of the source: %w", kind, err)
		}
		if report.Target, err = r.target.Count(ctx, kind, r.keep); err != nil {
			return fmt.Errorf("counting %s of the target: %w", kind, err)
		}
		if err := r.checkSamples(ctx, kind, report); err != nil {
			return err
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
	at, err := r.source.Lookup(ctx, kind, records, r.keep)
	if err != nil {
		return fmt.Errorf("reading %s of the source: %w", kind, err)
	}
	there, err := r.target.Lookup(ctx, kind, records, r.keep)
	if err != nil {
		return fmt.Errorf("reading %s of the target: %w", kind, err)
	}
	report.Samples = len(records)
	for i := range records {
		if at[i] == nil || there[i] == nil || Difference(at[i], there[i]) != "" {
			report.Differ++
		}
	}
	return nil
}
