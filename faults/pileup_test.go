package faults

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

// This file sends many requests at once to an instance with a silent server, and counts what is left of them.

const (
	// answerSlack is how much later than its limit a request may be answered. Other tests use the processors, too.
	answerSlack = 15 * time.Second
	// spareGoroutines and spareConnections are how many more an instance may have after a fault than before it.
	spareGoroutines  = 40
	spareConnections = 4
)

// crowd is what became of many requests at once.
type crowd struct {
	app         *app
	requests    int
	unavailable int
	fine        int
	slowest     time.Duration
	faults      []string
}

// crowd sends n requests at once: three checks for one login. Each is answered, and if it is refused then with 503.
func (a *app) crowd(n int, token func(i int) string) *crowd {
	a.t.Helper()
	c := &crowd{app: a, requests: n}
	var mu sync.Mutex
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			var got answer
			if i%4 == 3 {
				_, got = a.login(fmt.Sprint("crowd", i))
			} else {
				got = a.check(token(i))
			}
			mu.Lock()
			defer mu.Unlock()
			c.count(got)
		})
	}
	all.Wait()
	for _, fault := range c.faults[:min(5, len(c.faults))] {
		a.t.Error(fault)
	}
	return c
}

func (c *crowd) count(got answer) {
	took := got.ended.Sub(got.began)
	c.slowest = max(c.slowest, took)
	switch {
	case got.failure != nil:
		c.faults = append(c.faults, fmt.Sprintf("no answer: %v", got.failure))
	case got.status == http.StatusOK:
		c.fine++
	case got.status == http.StatusServiceUnavailable:
		c.unavailable++
		if got.header.Get("Retry-After") == "" {
			c.faults = append(c.faults, "503 has no Retry-After")
		}
	default:
		c.faults = append(c.faults, fmt.Sprintf("got %d, want 503 while the server is silent: %s",
			got.status, got.body))
	}
	if took > c.app.limit+answerSlack {
		c.faults = append(c.faults, fmt.Sprintf("a request took %v, want at most %v and some seconds", took,
			c.app.limit))
	}
}

// footprint is what an instance has open.
type footprint struct{ goroutines, connections int }

func (a *app) footprint() footprint {
	a.client.http.CloseIdleConnections()
	return footprint{a.goroutines(), int(a.dials.open.Load())}
}

func (f footprint) String() string {
	return fmt.Sprintf("%d goroutines and %d connections", f.goroutines, f.connections)
}

// settled waits until an instance has as much open as before, and a few more.
func (a *app) settled(before footprint) footprint {
	a.t.Helper()
	var now footprint
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for late := time.Now().Add(patience); ; <-tick.C {
		now = a.footprint()
		if now.goroutines <= before.goroutines+spareGoroutines &&
			now.connections <= before.connections+spareConnections {
			return now
		}
		if time.Now().After(late) {
			a.t.Errorf("the instance has %v after %v, and had %v before\n%s", now, patience, before,
				strings.Join(a.stacks(), "\n\n"))
			return now
		}
	}
}

func round(d time.Duration) time.Duration { return d.Round(time.Millisecond) }
