// Package paired measures one piece of work against another by CPU time.
//
// On a machine that others use too, two benchmarks that run one after the other cannot be compared:
// the machine may be twice as fast a second later. So the work, called the entry, and what it is
// compared with, called the floor, alternate in short slices. What counts is the CPU time of the
// process, which holds its garbage collector and no neighbour. Several rounds show the spread.
package paired

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"
)

// Side is one of the two that are compared.
type Side struct {
	// Op does the work once. An error ends the measurement.
	Op func() error
	// MaxOps is the most operations in one round. 0 is no bound.
	MaxOps int
	// Prepare is called before each round and is not measured. It may be nil.
	Prepare func() error
	// Settle is called when the operations of a round have ended. It waits for work that they left to
	// another goroutine. The CPU time meanwhile is measured. It may be nil.
	Settle func() error
}

// Config says how long to measure. The zero value measures as the published figures were made.
type Config struct {
	Rounds int           // 0 is 10
	Round  time.Duration // CPU time of the entry in a round. 0 is 200 ms
	Slice  time.Duration // CPU time of the entry before the floor has its turn. 0 is 10 ms. The floor gets half of it
}

// Figures are what one side costs for each operation. Times are nanoseconds of CPU.
type Figures struct {
	Min    float64 `json:"min"`    // of the rounds
	Median float64 `json:"median"` // of the rounds
	Bytes  float64 `json:"bytes"`  // allocated
	Allocs float64 `json:"allocs"`
}

// Result is a comparison. A ratio is the entry's time divided by the floor's in the same round.
type Result struct {
	Entry Figures `json:"entry"`
	Floor Figures `json:"floor"`
	Ratio float64 `json:"ratio"` // median of the rounds
	Least float64 `json:"least"` // the smallest ratio of a round
	Most  float64 `json:"most"`  // the largest
}

// allocated is how many operations run while allocations are counted.
const allocated = 1000

// Measure compares entry with floor. It sets GOMAXPROCS to 1 while it runs, so other goroutines of the
// program should rest.
func Measure(entry, floor Side, config Config) (Result, error) {
	return measure(entry, floor, config, CPUTime)
}

func measure(entry, floor Side, c Config, clock func() time.Duration) (Result, error) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	c = c.withDefaults()
	ours, theirs := &meter{Side: entry, clock: clock}, &meter{Side: floor, clock: clock}
	var result Result
	if err := errors.Join(ours.allocations(&result.Entry), theirs.allocations(&result.Floor)); err != nil {
		return Result{}, err
	}
	var entries, floors, ratios []float64
	for range c.Rounds {
		a, b, err := round(ours, theirs, c)
		if err != nil {
			return Result{}, err
		}
		entries, floors, ratios = append(entries, a), append(floors, b), append(ratios, a/b)
	}
	result.Entry.Min, result.Entry.Median = slices.Min(entries), median(entries)
	result.Floor.Min, result.Floor.Median = slices.Min(floors), median(floors)
	result.Ratio, result.Least, result.Most = median(ratios), slices.Min(ratios), slices.Max(ratios)
	return result, nil
}

func (c Config) withDefaults() Config {
	if c.Rounds == 0 {
		c.Rounds = 10
	}
	if c.Round == 0 {
		c.Round = 200 * time.Millisecond
	}
	if c.Slice == 0 {
		c.Slice = 10 * time.Millisecond
	}
	return c
}

// round returns the nanoseconds that each side took for an operation.
func round(entry, floor *meter, c Config) (a, b float64, err error) {
	if err := errors.Join(entry.begin(), floor.begin()); err != nil {
		return 0, 0, err
	}
	runtime.GC()
	for entry.spent < c.Round && !entry.done() {
		if err := errors.Join(entry.run(c.Slice), floor.run(c.Slice/2)); err != nil {
			return 0, 0, err
		}
	}
	if err := errors.Join(entry.end(), floor.end()); err != nil {
		return 0, 0, err
	}
	if entry.ops == 0 || floor.ops == 0 || floor.spent == 0 {
		return 0, 0, fmt.Errorf("a round of %d and %d operations is too short to compare", entry.ops, floor.ops)
	}
	return entry.each(), floor.each(), nil
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	half := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[half]
	}
	return (sorted[half-1] + sorted[half]) / 2
}
