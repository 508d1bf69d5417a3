package faults

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
)

// full is whether the long form of each fault runs, by `make faults`.
var full = os.Getenv("GATEWARDEN_FAULTS") == "full"

// size is how much of something a test does: little in `make test`, and much in `make faults`.
func size(short, long int) int {
	if full {
		return long
	}
	return short
}

// atOnce is how many tests run beside each other. They mostly wait for servers, but with many of them a small machine
// takes seconds for what a fault gives one second.
const atOnce = "3"

func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", atOnce); err != nil {
		panic(err)
	}
	code := m.Run()
	report.print()
	for _, folder := range leftovers.folders {
		_ = os.RemoveAll(folder)
	}
	os.Exit(code)
}

// leftovers are folders that all tests share.
var leftovers struct {
	mu      sync.Mutex
	folders []string
}

func removeAfterTests(folder string) {
	leftovers.mu.Lock()
	defer leftovers.mu.Unlock()
	leftovers.folders = append(leftovers.folders, folder)
}

// report is the table that the long form prints.
var report table

// table has a row for each fault on each engine.
type table struct {
	mu   sync.Mutex
	rows []string
}

// columns are the names of the columns.
const columns = "fault\tengine\trequests\t503\tno answer\tlongest outage\tslowest answer\tlost\trevived\tnote"

// add adds a row. Its fields stand for the columns.
func (r *table) add(fields ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rows = append(r.rows, strings.TrimSuffix(strings.Repeat("%v\t", len(fields)), "\t"))
	last := len(r.rows) - 1
	r.rows[last] = fmt.Sprintf(r.rows[last], fields...)
}

// print prints the table of the long form.
func (r *table) print() {
	if !full || len(r.rows) == 0 {
		return
	}
	slices.Sort(r.rows)
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, columns)
	for _, row := range r.rows {
		fmt.Fprintln(w, row)
	}
	_ = w.Flush()
}
