package main

import (
	"cmp"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"strings"

	"github.com/gatewarden/auth/benchmarks/internal/paired"
)

// record is a run: what a file of figures holds.
type record struct {
	Of      string                   `json:"of"` // the commit, or what else tells it
	Machine string                   `json:"machine"`
	Lines   map[string]paired.Result `json:"lines"`
}

//go:embed before.json
var embedded []byte

// readRecord returns the figures in a file, or without one those from before the hot path changed.
func readRecord(path string) (*record, error) {
	text := embedded
	if path != "" {
		var err error
		if text, err = os.ReadFile(path); err != nil {
			return nil, err
		}
	}
	before := new(record)
	return before, json.Unmarshal(text, before)
}

func (r *record) write(path string) error {
	for name, l := range r.Lines {
		for _, figure := range []*float64{&l.Entry.Min, &l.Entry.Median, &l.Entry.Bytes, &l.Entry.Allocs, &l.Floor.Min,
			&l.Floor.Median, &l.Floor.Bytes, &l.Floor.Allocs, &l.Ratio, &l.Least, &l.Most} {
			*figure = math.Round(*figure*1000) / 1000
		}
		r.Lines[name] = l
	}
	text, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}

// table prints rows of Markdown. A figure that misses its aim is bold.
type table struct {
	io.Writer
	before *record
}

func (t table) head() {
	fmt.Fprintln(t, "| work | compared with | before: ns, ratio | B, allocs | "+
		"now: ns, ratio (rounds) | B, allocs | aim |")
	fmt.Fprintln(t, "| --- | --- | --- | --- | --- | --- | --- |")
}

func (t table) row(l line, now paired.Result) {
	old, allocsBefore := "–", "–"
	if before, ok := t.before.Lines[l.name]; ok {
		old = fmt.Sprintf("%s, %s", nanos(before.Entry), l.aim.bold(before.Ratio, l.aim.ratio, ratio(before.Ratio)))
		allocsBefore = l.aim.memory(before.Entry)
	}
	fmt.Fprintf(t, "| %s | %s, %s | %s | %s | %s, %s (%s–%s) | %s | %s |\n", l.name, l.against, nanos(now.Floor),
		old, allocsBefore, l.aim.bold(now.Entry.Median, l.aim.nanos, nanos(now.Entry)),
		l.aim.bold(now.Ratio, l.aim.ratio, ratio(now.Ratio)), number(now.Least), number(now.Most),
		l.aim.memory(now.Entry), l.aim)
}

// bold returns text, in bold if a figure is more than its aim as it is printed.
func (aim) bold(figure, most float64, text string) string {
	if most > 0 && math.Round(figure*100)/100 > most {
		return "**" + text + "**"
	}
	return text
}

func (a aim) memory(f paired.Figures) string {
	text := fmt.Sprintf("%.0f, %.0f", f.Bytes, f.Allocs)
	if a.allocs != 0 && math.Round(f.Allocs) > max(0, a.allocs) {
		return "**" + text + "**"
	}
	return text
}

func (a aim) String() string {
	var parts []string
	if a.ratio > 0 {
		parts = append(parts, ratio(a.ratio))
	}
	if a.nanos > 0 {
		parts = append(parts, fmt.Sprintf("%.0f ns", a.nanos))
	}
	if a.allocs != 0 {
		parts = append(parts, fmt.Sprintf("%.0f allocs", max(0, a.allocs)))
	}
	return cmp.Or(strings.Join(parts, ", "), "–")
}

// nanos prints the least and the median of the rounds.
func nanos(f paired.Figures) string {
	if f.Median >= 10_000 {
		return fmt.Sprintf("%.1f / %.1f µs", f.Min/1000, f.Median/1000)
	}
	return fmt.Sprintf("%.0f / %.0f", f.Min, f.Median)
}

func ratio(r float64) string  { return number(r) + "x" }
func number(r float64) string { return fmt.Sprintf("%.2f", r) }

// foot says how the figures were made.
func (t table) foot(o *options, now *record) {
	fmt.Fprintf(t, "\nTimes are CPU time of one operation, the least and the median of %d rounds. A ratio is the "+
		"median of the rounds' ratios, with the least and the most of them.\n", o.paired.Rounds)
	fmt.Fprintf(t, "%s. %d tokens of as many users.", now.Machine, o.tokens)
	if t.before.Of != "" {
		fmt.Fprintf(t, " Before: %s, %s.", t.before.Of, t.before.Machine)
	}
	fmt.Fprintln(t)
}
