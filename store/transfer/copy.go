package transfer

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Options are how a copy is made. The zero value makes the first run of a new copy that cannot be resumed.
type Options struct {
	// Final makes the last run. The service must be stopped and stay so. The run compares every record, removes from
	// the target what has ended at the source, and is checked: it returns an error unless both have the same. It always
	// begins with the first record, whatever a run before it did.
	Final bool

	// State is how far the copy is: what Save was given last.
	State State
	// Save keeps the State of a run. It is called after each page. If nil, a run that is killed cannot be resumed.
	Save func(State) error

	// Progress is told after each page. It may be nil.
	Progress func(Progress)

	// PageSize is how many records are copied in one step. 0 is 1,000.
	PageSize int
	// Samples is how many records of each kind are read back from both at the end, and compared. 0 is 100.
	Samples int
}

// Progress is how far a run is.
type Progress struct {
	Kind     Kind
	Removing bool // the run looks for records of the target that ended at the source
	Done     int  // records of the kind in this call
	Total    int  // records of the kind at the source when the call began
}

// Report is what a run did.
type Report struct {
	Kinds []KindReport
	State State // how far the copy is now
}

// KindReport is what a run did with the records of a kind. A run that was resumed counts from there on.
type KindReport struct {
	Kind                     Kind
	Added, Replaced, Removed int
	Source, Target           int // how many both have at the end
	Samples, Differ          int // how many were compared at the end, and how many of them differed
}

const (
	defaultPageSize = 1000
	defaultSamples  = 100
)

// run is a run of a copy.
type run struct {
	source  Source
	target  Target
	options Options
	now     time.Time
	state   State
	reports map[Kind]*KindReport
	totals  map[Kind]int
	samples map[Kind]*sample
}

// Copy makes a run of a copy. Each run adds to the target what it does not have, and replaces what has changed at the
// source since the run before. See the package for when to make the final one.
//
// A new copy needs an empty target. Otherwise it is an [ErrNotEmpty].
func Copy(ctx context.Context, source Source, target Target, options Options) (Report, error) {
	r := &run{source: source, target: target, options: options, state: options.State,
		reports: make(map[Kind]*KindReport), totals: make(map[Kind]int), samples: make(map[Kind]*sample)}
	r.options.PageSize = cmp.Or(options.PageSize, defaultPageSize)
	r.options.Samples = cmp.Or(options.Samples, defaultSamples)
	for _, kind := range Kinds() {
		r.reports[kind], r.samples[kind] = &KindReport{Kind: kind}, &sample{size: r.options.Samples}
	}
	err := r.all(ctx)
	report := Report{State: r.state}
	for _, kind := range Kinds() {
		report.Kinds = append(report.Kinds, *r.reports[kind])
	}
	if err != nil {
		return report, fmt.Errorf("transfer: %w", err)
	}
	return report, nil
}

func (r *run) all(ctx context.Context) error {
	// A target that is empty when the final run begins has nothing that ended at the source.
	fresh := r.state.isNew()
	if err := r.begin(ctx); err != nil {
		return err
	}
	if err := r.copy(ctx); err != nil {
		return err
	}
	if r.options.Final && !fresh {
		for _, kind := range slices.Backward(Kinds()) {
			if err := r.removeEnded(ctx, kind); err != nil {
				return err
			}
		}
	}
	if err := r.check(ctx); err != nil {
		return err
	}
	r.state = State{Runs: r.state.Runs + 1, Finished: r.options.Final, Last: r.now, Counts: r.counts()}
	return r.save()
}

// begin checks that the run may write to the target, and decides where it begins.
func (r *run) begin(ctx context.Context) error {
	r.now = time.Now().UTC().Truncate(time.Microsecond)
	switch {
	case r.state.Finished:
		return ErrFinished
	case r.state.isNew():
		if err := r.wantEmpty(ctx); err != nil {
			return err
		}
	case !r.state.begun():
		if err := r.wantUnused(ctx); err != nil {
			return err
		}
	}
	if r.options.Final {
		r.state.Kind, r.state.After = "", ""
	}
	for _, kind := range Kinds() {
		n, err := r.source.Count(ctx, kind, r.now)
		if err != nil {
			return fmt.Errorf("counting %s of the source: %w", kind, err)
		}
		r.totals[kind] = n
	}
	r.state.Began = r.now
	return r.save()
}

// wantEmpty returns an error if the target has records.
func (r *run) wantEmpty(ctx context.Context) error {
	for _, kind := range Kinds() {
		n, err := r.target.Count(ctx, kind, r.now)
		if err != nil {
			return fmt.Errorf("counting %s of the target: %w", kind, err)
		}
		if n > 0 {
			return fmt.Errorf("%w: %d %s", ErrNotEmpty, n, kind)
		}
	}
	return nil
}

// forgets is how long each engine keeps a record at least after it is of no use.
const forgets = 23 * time.Hour

// wantUnused returns an error if the target has not as many records as the run before left there, at the instant of
// that run. Then a service has been at work in the target.
func (r *run) wantUnused(ctx context.Context) error {
	for _, kind := range Kinds() {
		n, err := r.target.Count(ctx, kind, r.state.Last)
		if err != nil {
			return fmt.Errorf("counting %s of the target: %w", kind, err)
		}
		was := r.state.Counts[kind]
		if n == was || n < was && r.now.Sub(r.state.Last) > forgets {
			continue
		}
		return &ConflictError{Kind: kind,
			About: fmt.Sprintf("the run before left %d there, and now there are %d", was, n)}
	}
	return nil
}

// copy copies all kinds, from the position of the state on.
func (r *run) copy(ctx context.Context) error {
	kinds := Kinds()
	if r.state.Kind != "" {
		first := slices.Index(kinds, r.state.Kind)
		if first < 0 {
			return fmt.Errorf("the state of the copy names a kind %q, which does not exist", r.state.Kind)
		}
		kinds = kinds[first:]
	}
	for _, kind := range kinds {
		if kind != r.state.Kind {
			r.state.Kind, r.state.After = kind, ""
		}
		if err := r.copyKind(ctx, kind); err != nil {
			return err
		}
	}
	return nil
}

// copyKind copies the records of a kind. It reads a page while it writes the one before.
func (r *run) copyKind(ctx context.Context, kind Kind) error {
	ctx, cancel := context.WithCancel(ctx)
	done := 0
	next := r.fetch(ctx, r.source, kind, r.state.After)
	defer func() {
		cancel()
		if next != nil {
			<-next
		}
	}()
	for next != nil {
		fetched := <-next
		next = nil
		if fetched.err != nil {
			return fmt.Errorf("reading %s of the source: %w", kind, fetched.err)
		}
		if fetched.page.Next != "" {
			next = r.fetch(ctx, r.source, kind, fetched.page.Next)
		}
		if err := r.write(ctx, kind, fetched.page.Records); err != nil {
			return err
		}
		done += len(fetched.page.Records)
		r.tell(Progress{Kind: kind, Done: done, Total: r.totals[kind]})
		if fetched.page.Next != "" {
			r.state.After = fetched.page.Next
			if err := r.save(); err != nil {
				return err
			}
		}
	}
	return nil
}

// fetched is a page, or why there is none.
type fetched struct {
	page Page
	err  error
}

// fetch reads a page. The channel has room for it, so the goroutine ends whether or not it is received.
func (r *run) fetch(ctx context.Context, from Source, kind Kind, after string) chan fetched {
	result := make(chan fetched, 1)
	go func() {
		page, err := from.Export(ctx, kind, after, r.options.PageSize, r.now)
		result <- fetched{page, err}
	}()
	return result
}

// write brings records of the source to the target.
func (r *run) write(ctx context.Context, kind Kind, records []Record) error {
	if len(records) == 0 {
		return nil
	}
	r.samples[kind].add(records)
	added, err := r.target.Import(ctx, kind, records, r.now)
	if err != nil {
		return fmt.Errorf("writing %s to the target, the first key is %q: %w", kind, records[0].Key(), err)
	}
	r.reports[kind].Added += added
	if added == len(records) {
		return nil
	}
	changed, err := r.changed(ctx, kind, records)
	if err != nil || len(changed) == 0 {
		return err
	}
	if err := r.target.Replace(ctx, kind, changed, r.now); err != nil {
		return fmt.Errorf("replacing %s of the target, the first key is %q: %w", kind, changed[0].Key(), err)
	}
	r.reports[kind].Replaced += len(changed)
	return nil
}

// clocks is by how much the clocks of two instances of the service may differ.
const clocks = 5 * time.Minute

// changed returns those records that differ from the ones in the target. One that has changed in the target since is a
// conflict.
func (r *run) changed(ctx context.Context, kind Kind, records []Record) (changed []Record, err error) {
	there, err := r.target.Lookup(ctx, kind, records, r.now)
	if err != nil {
		return nil, fmt.Errorf("reading %s of the target: %w", kind, err)
	}
	for i, record := range records {
		if there[i] == nil {
			return nil, fmt.Errorf("%w: %s, key %q: it was written, and is not there", ErrDiffers, kind, record.Key())
		}
		field := Difference(record, there[i])
		if field == "" {
			continue
		}
		if there[i].Changed().After(record.Changed().Add(clocks)) {
			return nil, &ConflictError{kind, record.Key(), field, "it changed in the target later than at the source"}
		}
		changed = append(changed, record)
	}
	return changed, nil
}

// removeEnded removes from the target what the source does not have any more.
func (r *run) removeEnded(ctx context.Context, kind Kind) error {
	done := 0
	for after := ""; ; {
		page, err := r.target.Export(ctx, kind, after, r.options.PageSize, r.now)
		if err != nil {
			return fmt.Errorf("reading %s of the target: %w", kind, err)
		}
		there, err := r.source.Lookup(ctx, kind, page.Records, r.now)
		if err != nil {
			return fmt.Errorf("reading %s of the source: %w", kind, err)
		}
		var ended []Record
		for i, record := range page.Records {
			if there[i] == nil {
				ended = append(ended, record)
			}
		}
		if len(ended) > 0 {
			if err := r.target.Remove(ctx, kind, ended, r.now); err != nil {
				return fmt.Errorf("removing %s of the target: %w", kind, err)
			}
			r.reports[kind].Removed += len(ended)
		}
		done += len(page.Records)
		r.tell(Progress{Kind: kind, Removing: true, Done: done, Total: r.totals[kind]})
		if after = page.Next; after == "" {
			return nil
		}
	}
}

func (r *run) tell(progress Progress) {
	if r.options.Progress != nil {
		r.options.Progress(progress)
	}
}

func (r *run) save() error {
	if r.options.Save == nil {
		return nil
	}
	state := r.state
	state.Counts = maps.Clone(state.Counts)
	if err := r.options.Save(state); err != nil {
		return fmt.Errorf("keeping the state of the copy: %w", err)
	}
	return nil
}
