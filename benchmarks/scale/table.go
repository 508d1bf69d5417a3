package main

import (
	"cmp"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"time"
)

// This file prints tables for docs/benchmarks.md.

// table is a table of Markdown.
type table struct{ out io.Writer }

func newTable(out io.Writer, columns ...string) table {
	t := table{out}
	t.row(columns...)
	t.row(slices.Repeat([]string{"---"}, len(columns))...)
	return t
}

func (t table) row(cells ...string) { fmt.Fprintf(t.out, "| %s |\n", strings.Join(cells, " | ")) }

// aimed returns a text with its aim, in bold if it is missed.
func aimed(text string, met bool) string {
	if met {
		return text
	}
	return "**" + text + "**"
}

// times are how long the same thing took, in order.
type times []time.Duration

func (t times) at(part float64) time.Duration {
	if len(t) == 0 {
		return 0
	}
	return t[min(len(t)-1, int(part*float64(len(t))))]
}

func (t times) String() string {
	if len(t) == 0 {
		return "–"
	}
	return short(t.at(0.5)) + " / " + short(t.at(0.99))
}

// joined returns all times, in order.
func joined(all ...times) times {
	one := times(slices.Concat(all...))
	slices.Sort(one)
	return one
}

// ratio divides, and is 0 where there is nothing.
func ratio(a, b time.Duration) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}

// spread is the median of values, with the least and the greatest.
type spread []float64

func (s spread) middle() float64 {
	sorted := slices.Sorted(slices.Values(s))
	if len(sorted) == 0 {
		return 0
	}
	return sorted[(len(sorted)-1)/2]
}

// short is the median alone.
func (s spread) short() string {
	if len(s) == 0 {
		return "–"
	}
	return fmt.Sprintf("%.2fx", s.middle())
}

func (s spread) String() string {
	if len(s) == 0 {
		return "–"
	}
	return fmt.Sprintf("%.2fx (%.2f–%.2f)", s.middle(), slices.Min(s), slices.Max(s))
}

// short prints a duration with three digits or less.
func short(d time.Duration) string {
	for _, unit := range []struct {
		of   time.Duration
		name string
	}{{time.Second, "s"}, {time.Millisecond, "ms"}, {time.Microsecond, "µs"}} {
		if d >= 10*unit.of {
			return fmt.Sprintf("%.0f %s", float64(d)/float64(unit.of), unit.name)
		}
		if d >= unit.of {
			return fmt.Sprintf("%.1f %s", float64(d)/float64(unit.of), unit.name)
		}
	}
	return fmt.Sprintf("%d ns", d)
}

// number prints 10k and 5M.
func number(n int) string {
	switch {
	case n >= 1_000_000 && n%100_000 == 0:
		return fmt.Sprintf("%gM", float64(n)/1e6)
	case n >= 1000 && n%1000 == 0:
		return fmt.Sprintf("%dk", n/1000)
	}
	return fmt.Sprint(n)
}

// mebibytes prints bytes.
func mebibytes(bytes uint64) string { return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20)) }

// live returns the bytes of the heap that are in use after a collection.
func live() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func machine() string {
	return fmt.Sprintf("%s, %s/%s, %d CPUs", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
}

// settingsText says what a server was started with.
func settingsText(settings []string) string {
	return cmp.Or(strings.Join(settings, ", "), "as OpenSQLite opens it: WAL, one writer")
}
