package paired

import (
	"runtime"
	"time"
)

// meter runs a Side and keeps the sum of a round.
type meter struct {
	Side
	clock func() time.Duration // CPU time since the process began

	batch int // operations between two looks at the clock
	ops   int
	spent time.Duration
}

// looks is how often the clock is read in a slice.
const looks = 50

func (m *meter) begin() error {
	m.ops, m.spent = 0, 0
	if m.Prepare == nil {
		return nil
	}
	return m.Prepare()
}

func (m *meter) done() bool { return m.MaxOps > 0 && m.ops >= m.MaxOps }

// run does operations for a slice of CPU time.
func (m *meter) run(slice time.Duration) error {
	start := m.clock()
	for last := start; last-start < slice && !m.done(); {
		n := max(1, m.batch)
		if m.MaxOps > 0 {
			n = min(n, m.MaxOps-m.ops)
		}
		for range n {
			if err := m.Op(); err != nil {
				return err
			}
		}
		m.ops += n
		now := m.clock()
		if n >= m.batch && now-last < slice/looks {
			m.batch = 2 * n
		}
		last = now
	}
	m.spent += m.clock() - start
	return nil
}

func (m *meter) end() error {
	if m.Settle == nil {
		return nil
	}
	start := m.clock()
	err := m.Settle()
	m.spent += m.clock() - start
	return err
}

func (m *meter) each() float64 { return float64(m.spent.Nanoseconds()) / float64(m.ops) }

// allocations counts what operations allocate. It also warms caches up.
func (m *meter) allocations(f *Figures) error {
	if err := m.begin(); err != nil {
		return err
	}
	n := allocated
	if m.MaxOps > 0 {
		n = min(n, m.MaxOps)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range n {
		if err := m.Op(); err != nil {
			return err
		}
	}
	if m.Settle != nil {
		if err := m.Settle(); err != nil {
			return err
		}
	}
	runtime.ReadMemStats(&after)
	f.Bytes = float64(after.TotalAlloc-before.TotalAlloc) / float64(n)
	f.Allocs = float64(after.Mallocs-before.Mallocs) / float64(n)
	return nil
}
