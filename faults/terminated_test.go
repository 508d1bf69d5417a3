package faults

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// endLimit is how long an instance may run after SIGTERM.
const endLimit = 5 * time.Second

// TestUnitTerminated ends instances by SIGTERM under load, as when a new version of a service is put in place.
func TestUnitTerminated(t *testing.T) {
	onEach(t, "SIGTERM under load loses nothing that was acknowledged", func(t *testing.T, e engine) {
		s := e.shared(t)
		p := newProgram(t, s.address)
		l := newLoad(t, s, p.start(t), p.start(t))
		l.client.http.Transport.(*http.Transport).DisableKeepAlives = true
		l.stats.breaks(true)
		l.begin()
		var slowest time.Duration
		for n := range size(2, 20) {
			l.more(size(50, 200))
			at := l.slots[n%2]
			slowest = max(slowest, l.terminate(at.now.Load()))
			at.now.Store(p.start(t))
		}
		l.more(size(50, 200))
		l.finish()
		l.settle()
		// A connection that nothing has accepted is reset, which a client cannot tell from a request that was dropped.
		l.stats.verdict(t, "SIGTERM under load", e.name, fmt.Sprintf("ended after at most %v, %d connections reset",
			slowest.Round(time.Millisecond), l.stats.dropped))
	})
}

// TestUnitTerminatedUnderWay has requests wait for the server, or for a processor, when SIGTERM comes.
func TestUnitTerminatedUnderWay(t *testing.T) {
	onEach(t, "requests that are under way at SIGTERM are answered", func(t *testing.T, e engine) {
		s := e.shared(t)
		if e.own == nil {
			p := newProgram(t, s.address)
			start := func() *load { return newLoad(t, s, p.start(t)) }
			underWay(t, start, func() {}, func() {}, passwordLogin, 2) // more of them would wait for a processor
			return
		}
		address, n := s.through(t)
		p := newProgram(t, address)
		start := func() *load { return newLoad(t, s, p.start(t)) }
		underWay(t, start, n.hold, n.resume, request{method: "POST", path: "/auth/login/", header: as("alice")}, 8)
	})
}

// TestUnitTerminatedAlone sends SIGTERM to an instance with requests and a server that does not answer.
func TestUnitTerminatedAlone(t *testing.T) {
	onEachServer(t, "SIGTERM ends an instance whose server does not answer", func(t *testing.T, e engine) {
		s := e.shared(t)
		address, n := s.through(t)
		i := newProgram(t, address).start(t)
		l := newLoad(t, s, i)
		n.hold()
		all := l.sendAll(request{method: "POST", path: "/auth/login/", header: as("alice")}, 8)
		took := l.terminate(i)
		for _, a := range all() {
			if !a.outage() {
				t.Errorf("a login without a server: got %d %s, want an outage", a.status, a.body)
			}
		}
		l.stats.verdict(t, "SIGTERM without a server", e.name, "ended after "+took.Round(time.Millisecond).String())
	})
}

// passwordLogin takes a while, because the password is hashed.
var passwordLogin = request{method: "POST", path: "/auth/login/",
	body: map[string]string{"username": "alice", "password": "correct-horse-battery"}}

// terminate ends an instance by SIGTERM, which must take at most five seconds.
func (l *load) terminate(i *instance) time.Duration {
	l.t.Helper()
	took := i.terminate(l.t)
	if took > endLimit {
		l.stats.fault("it ended %v after SIGTERM, want at most %v\n%s", took, endLimit, i.log.tail())
	}
	if i.failure != nil {
		l.stats.fault("it ended with %v, want exit status 0\n%s", i.failure, i.log.tail())
	}
	return took
}

// underWay has requests wait for the server, sends SIGTERM, and lets them go on when no new one is accepted.
//
// net/http closes a connection without an answer if it has read its request no earlier than SIGTERM came, and only the
// instance knows when that was. So a client without an answer tells nothing, and the whole is done again.
func underWay(t *testing.T, start func() *load, hold, resume func(), r request, requests int) {
	t.Helper()
	const tries = 10
	for range tries {
		l := start()
		unread := l.underWayOnce(hold, resume, r, requests)
		for _, text := range l.stats.faults {
			t.Error(text)
		}
		if unread == 0 || t.Failed() {
			return
		}
	}
	t.Errorf("requests under way at SIGTERM had no answer %d times, want 200", tries)
}

// underWayOnce returns how many requests were closed without an answer.
func (l *load) underWayOnce(hold, resume func(), r request, requests int) (unread int) {
	l.t.Helper()
	i := l.slots[0].now.Load()
	hold()
	all := l.sendAll(r, requests)
	go func() {
		l.awaitDeaf(i)
		resume()
	}()
	l.terminate(i)
	for _, a := range all() {
		switch {
		case errors.Is(a.failure, io.EOF):
			unread++
		case a.status != http.StatusOK:
			l.t.Errorf("a request under way at SIGTERM: got %d %s %v, want 200\n%s", a.status, a.body, a.failure,
				i.log.tail())
		}
	}
	return unread
}

// awaitDeaf waits until an instance accepts no more connections.
func (l *load) awaitDeaf(i *instance) {
	for late := time.Now().Add(patience); time.Now().Before(late); {
		conn, err := net.Dial("tcp", strings.TrimPrefix(i.url, "http://"))
		if errors.Is(err, syscall.ECONNREFUSED) {
			return
		}
		if err == nil {
			_ = conn.Close()
		}
	}
	l.stats.fault("it accepts connections %v after SIGTERM", patience)
}

// sendAll sends some requests at once, and returns when the instance has accepted all of them. What it returns waits
// for the answers.
func (l *load) sendAll(r request, requests int) (answers func() []answer) {
	l.t.Helper()
	i := l.slots[0].now.Load()
	var sent, done sync.WaitGroup
	all := make([]answer, requests)
	for n := range all {
		sent.Add(1)
		done.Go(func() {
			once := sync.OnceFunc(sent.Done)
			trace := &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) { once() }}
			all[n] = newClient().sendIn(httptrace.WithClientTrace(context.Background(), trace), i, r)
			once()
		})
	}
	sent.Wait()
	// Connections are accepted in the order in which they came, so this one is accepted after them.
	if a := newClient().send(i, request{method: "GET", path: "/api/public"}); a.status != http.StatusOK {
		l.t.Fatalf("/api/public: got %d %v", a.status, a.failure)
	}
	return func() []answer {
		done.Wait()
		return all
	}
}
