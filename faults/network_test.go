package faults

import (
	"net/http"
	"testing"
	"time"
)

// TestUnitNetwork proves that instances reach their servers through the proxies of a test, and in no other way.
func TestUnitNetwork(t *testing.T) {
	t.Parallel()
	for _, e := range engines {
		if e.own == nil || e.name != "Redis Cluster" && !full {
			continue // a Cluster is the one whose nodes name addresses
		}
		t.Run("an instance asks its server through proxies: "+e.name, func(t *testing.T) {
			t.Parallel()
			address, n := e.shared(t).through(t)
			i := newProgram(t, address).start(t)
			healthy := func(want int) {
				t.Helper()
				var got int
				for deadline := time.Now().Add(patience); time.Now().Before(deadline) && got != want; {
					answer, err := http.Get(i.url + "/healthz")
					if err != nil {
						t.Fatal(err)
					}
					_ = answer.Body.Close()
					got = answer.StatusCode
				}
				if got != want {
					t.Fatalf("/healthz: got %d, want %d\n%s", got, want, i.log.tail())
				}
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
}
