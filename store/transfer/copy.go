package transfer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Options are how a copy is made. The zero value makes the first run of a new copy that cannot be resumed.
type Options struct {
	// Final makes the last run. The service must be stopped and stay so. The run compares every record, removes from
	// the target what has ended at the source, and then reads both once more: it returns an error unless both have the
	// same, and an [ErrSourceUsed] if the source changed meanwhile. It always begins with the first record, whatever a
	// run before it did.
	Final bool

	// State is how far the copy is: what Save was given last.
	State State
	// Save keeps the State of a run. It is called before anything is written, and after each page. If nil, a run that
	// is killed cannot be resumed.
	Save func(State) error
	// Journal keeps what the copy writes. Each run needs the journal of the runs before it. If nil, no run can follow.
	Journal Journal

	// Progress is told after each page. It may be nil.
	Progress func(Progress)

	// PageSize is how many records are copied in one step. 0 is 1,000.
	PageSize int
	// Samples is how many records of each kind are read back from both at the end of a run that is not the final one,
	// and compared. 0 is 100. The final run compares all records.
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
	Kind     Kind
	Added    int
	Replaced int
	Removed  int
	Source   int // how many the source has at the end
	Target   int // how many the target has at the end
	Samples  int // how many were compared at the end
	Differ   int // how many of the samples differed
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
	keep    time.Time // what is of no use at this instant is left out
	state   State
	journal *journalState
	walk    int             // counts how often all records of an engine are read
	leftOut map[string]bool // keys of consents without a client
	reports map[Kind]*KindReport
	totals  map[Kind]int
	samples map[Kind]*sample
}

// Copy makes a run of a copy. Each run adds to the target what it does not have, and replaces what has changed at the
// source since the run before. See the package for when to make the final one.
//
// A new copy needs an empty target. Otherwise it is an [ErrNotEmpty]. Each further run first compares the target with
// what the copy wrote. What a service has added, changed or ended there since is an [ErrConflict], and the run writes
// nothing.
//
// Records that expired less than five minutes ago are copied too, since the clocks of two machines may differ.
func Copy(ctx context.Context, source Source, target Target, options Options) (Report, error) {
	r := &run{source: source, target: target, options: options, state: options.State, leftOut: make(map[string]bool),
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
	if err := r.begin(ctx); err != nil {
		return err
	}
	if err := r.copy(ctx); err != nil {
		return err
	}
	if err := r.check(ctx); err != nil {
		return err
	}
	r.state = State{Runs: r.state.Runs + 1, Finished: r.options.Final, Last: r.now}
	return r.save()
}

// begin checks that the run may write to the target, and decides where it begins.
func (r *run) begin(ctx context.Context) error {
	r.now = time.Now().UTC().Truncate(time.Microsecond)
	r.keep = r.now.Add(-clockSkew)
	if r.state.Finished {
		return ErrFinished
	}
	if err := r.openLedger(); err != nil {
		return err
	}
	mayWrite := r.wantUnused
	if r.state.isNew() {
		mayWrite = r.wantEmpty
	}
	if err := mayWrite(ctx); err != nil {
		return err
	}
	if r.options.Final {
		r.state.Kind, r.state.After = "", ""
	}
	for _, kind := range Kinds() {
		n, err := r.source.Count(ctx, kind, r.keep)
		if err != nil {
			return fmt.Errorf("counting %s of the source: %w", kind, err)
		}
		r.totals[kind] = n
	}
	r.state.Began = r.now
	return r.save()
}

// openLedger reads what the runs before wrote.
func (r *run) openLedger() (err error) {
	journal := r.options.Journal
	if journal == nil {
		if !r.state.isNew() {
			return errors.New("Options.Journal is nil, and only it tells what the runs before wrote")
		}
		journal = &MemoryJournal{}
	}
	if r.journal, err = openJournalState(journal, r.target.Whole()); err != nil {
		return err
	}
	if r.state.isNew() && len(r.journal.kinds) > 0 {
		return errors.New("this copy is a new one, and the journal is of another one")
	}
	return nil
}

// wantEmpty returns an error if the target has records.
func (r *run) wantEmpty(ctx context.Context) error {
	for _, kind := range Kinds() {
		n, err := r.target.Count(ctx, kind, r.now.Add(-minRetention))
		if err != nil {
			return fmt.Errorf("counting %s of the target: %w", kind, err)
		}
		if n > 0 {
			return fmt.Errorf("%w: %d %s", ErrNotEmpty, n, kind)
		}
	}
	return nil
}

// copy copies all kinds. It starts at the position in the state.
func (r *run) copy(ctx context.Context) error {
	r.walk++
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
	if !r.options.Final {
		return nil
	}
	for _, kind := range slices.Backward(kinds) { // a grant goes before its client
		if err := r.removeEnded(ctx, kind); err != nil {
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
		page, err := from.Export(ctx, kind, after, r.options.PageSize, r.keep)
		result <- fetched{page, err}
	}()
	return result
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
	if err := r.options.Save(r.state); err != nil {
		return fmt.Errorf("keeping the state of the copy: %w", err)
	}
	return nil
}
