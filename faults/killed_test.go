package faults

import "testing"

// TestUnitServerKilled kills the server of two instances under load, and starts it again.
func TestUnitServerKilled(t *testing.T) {
	onEachServer(t, "what was acknowledged outlives kill -9 of the server", func(t *testing.T, e engine) {
		s := e.own(t)
		p := newProgram(t, s.address)
		l := newLoad(t, s, p.start(t), p.start(t))
		l.begin()
		l.more(size(100, 2000))
		for range size(1, 5) {
			bad := l.stats.bad()
			s.kill(t)
			l.await("requests while the server is down", func() bool { return l.stats.bad() >= bad+20 })
			s.start(t)
			l.heal()
			l.more(size(100, 1000))
		}
		l.finish()
		l.settle()
		l.stats.verdict(t, "kill -9 of the server", e.name, "")
	})
}
