package faults

import (
	"fmt"
	"testing"
)

// TestUnitDemoKilled kills one instance after the other amid logins and refreshes. On SQLite both have one file.
func TestUnitDemoKilled(t *testing.T) {
	onEach(t, "what was acknowledged outlives kill -9 of the instance", func(t *testing.T, e engine) {
		s := e.shared(t)
		p := newProgram(t, s.address)
		l := newLoad(t, s, p.start(t), p.start(t))
		l.mixture = loginsAndRefreshes
		l.stats.breaks(true)
		l.begin()
		kills := size(3, 10)
		each := size(60, 1000) / kills
		for n := range kills {
			l.await("logins and refreshes", func() bool { return l.stats.progress() >= n*each+each/2 })
			at := l.slots[n%2]
			at.now.Load().kill()
			at.now.Store(p.start(t))
		}
		l.await("logins and refreshes", func() bool { return l.stats.progress() >= kills*each })
		l.finish()
		l.settle()
		l.stats.verdict(t, "kill -9 of the demo", e.name, fmt.Sprint(l.stats.logins, " logins, ", l.stats.refreshes,
			" refreshes"))
	})
}
