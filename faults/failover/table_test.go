package failover

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
)

// full reports whether the long form of the tests runs.
func full() bool { return os.Getenv("GATEWARDEN_FAULTS") == "full" }

// onlyFull skips a test in the short form.
func onlyFull(t testing.TB) {
	t.Helper()
	if !full() {
		t.Skip("only in the long form: make faults")
	}
}

// rounds is how many answers a load waits for before and after a fault.
func rounds() int {
	if full() {
		return 500
	}
	return 150
}

// table has a row for each fault. The long form prints it in the end.
var table struct {
	mu   sync.Mutex
	rows []string
}

// row adds a row to the table, and to the log of the test.
func row(t testing.TB, fault, outcome string) {
	t.Helper()
	line := fmt.Sprintf("| %s | %s |", fault, outcome)
	t.Log(line)
	table.mu.Lock()
	defer table.mu.Unlock()
	table.rows = append(table.rows, line)
}

// parallel is how many tests run at once. Most of their time they wait.
const parallel = "8"

func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", parallel); err != nil {
		panic(err)
	}
	code := m.Run()
	if full() {
		slices.Sort(table.rows)
		fmt.Println("| fault | outcome |\n| --- | --- |")
		for _, line := range table.rows {
			fmt.Println(line)
		}
	}
	os.Exit(code)
}
