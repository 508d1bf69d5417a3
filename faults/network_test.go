package faults

import (
	"fmt"
	"net/http"
	"testing"
)

// TestUnitNetwork proves that instances reach their servers through the proxies of a test, and in no other way.
func TestUnitNetwork(t *testing.T) {
	onEachServer(t, "an instance asks its server through proxies", func(t *testing.T, e engine) {
		if e.name != "Redis Cluster" && !full {
			t.Skip("the long form has it: a Cluster is the one whose nodes name addresses")
		}
		address, n := e.shared(t).through(t)
		i := newProgram(t, address).start(t)
		c := newClient()
		healthy := func(want int) {
			t.Helper()
			await(t, fmt.Sprint("/healthz answers ", want), func() bool {
				return c.send(i, request{method: "GET", path: "/healthz"}).status == want
			})
		}
		healthy(http.StatusOK)
		for _, p := range n {
			p.Hold()
			p.Cut()
			healthy(http.StatusServiceUnavailable)
			p.Resume()
			healthy(http.StatusOK)
		}
	})
}
