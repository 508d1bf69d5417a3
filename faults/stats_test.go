package faults

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// stats are what the clients of a load have seen.
type stats struct {
	mu          sync.Mutex
	requests    int
	unavailable int // answered with 503
	unanswered  int
	dropped     int // of these, those that an instance was sent
	slowest     time.Duration
	lastGood    time.Time     // the last answer of another kind
	outage      time.Duration // the longest time between two of them
	lost        int           // acknowledged, and refused
	revived     int           // ended, and accepted
	made        int           // changes without an acknowledgement that were made
	unmade      int           // the others
	logins      int           // acknowledged
	refreshes   int           // acknowledged
	faults      []string

	// mayBreak is set while instances may end in the middle of a request.
	mayBreak bool
}

// fault notes what must not happen.
func (s *stats) fault(format string, values ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, fmt.Sprintf(format, values...))
}

// hangLimit is how long an answer may take: 10 s in the demo, and what a busy machine adds.
const hangLimit = 12 * time.Second

// saw counts an answer. Its status must be one of these, or 503.
func (s *stats) saw(a answer, what string, statuses ...int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
	took := a.ended.Sub(a.began)
	s.slowest = max(s.slowest, took)
	if took > hangLimit {
		s.faults = append(s.faults, fmt.Sprintf("%s: took %v", what, took))
	}
	switch {
	case a.status == 0:
		s.unanswered++
		if !a.unsent() {
			s.dropped++
		}
		if !s.mayBreak {
			s.faults = append(s.faults, fmt.Sprintf("%s: got no answer after %v: %v", what, took, a.failure))
		}
		return
	case a.status == http.StatusServiceUnavailable:
		s.unavailable++
		if a.header.Get("Retry-After") == "" {
			s.faults = append(s.faults, fmt.Sprintf("%s: got 503 without Retry-After: %s", what, a.body))
		}
		return
	case !slices.Contains(statuses, a.status):
		s.faults = append(s.faults, fmt.Sprintf("%s: got %d %.200s, want 503 or one of %v", what, a.status, a.body,
			statuses))
	}
	s.outage = max(s.outage, a.ended.Sub(s.lastGood))
	s.lastGood = a.ended
}

// breaks says whether instances may end in the middle of a request from now on.
func (s *stats) breaks(may bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mayBreak = may
}

// good is how many answers were there and not 503.
func (s *stats) good() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests - s.unavailable - s.unanswered
}

// bad is how many requests were answered with 503, or not.
func (s *stats) bad() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.unavailable + s.unanswered
}

// progress is how many logins and refreshes were acknowledged, whichever are fewer.
func (s *stats) progress() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return min(s.logins, s.refreshes)
}

// count adds one to a counter.
func (s *stats) count(counter *int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	*counter++
}

// resolved notes what became of a change without an acknowledgement.
func (s *stats) resolved(made bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if made {
		s.made++
	} else {
		s.unmade++
	}
}

// verdict fails the test for each fault, and adds a row to the table.
func (s *stats) verdict(t testing.TB, fault, engine, note string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	const shown = 8
	for i, text := range s.faults {
		if i == shown {
			t.Errorf("and %d more", len(s.faults)-shown)
			break
		}
		t.Error(text)
	}
	doubt := fmt.Sprintf("%d unacknowledged changes were made and %d not", s.made, s.unmade)
	note = strings.TrimPrefix(note+", "+doubt, ", ")
	outage, slowest := s.outage.Round(time.Millisecond), s.slowest.Round(time.Millisecond)
	report.add(fault, engine, s.requests, s.unavailable, s.unanswered, outage, slowest, s.lost, s.revived, note)
	t.Logf("%s, %s: %d requests, %d of them 503, %d without an answer, longest outage %v, slowest answer %v, %d lost, "+
		"%d revived, %s", fault, engine, s.requests, s.unavailable, s.unanswered, outage, slowest, s.lost, s.revived,
		note)
}
