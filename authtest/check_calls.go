package authtest

import (
	"bytes"
	"context"
	"io"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/gatewarden/auth"
)

// callChecks are about calls of Authenticate: many, at the same time, and what
// they leave of the request.
func callChecks() []check {
	return []check{
		{"the same request has the same answer each time", each(isAny, (*suite).checkRepeated)},
		{"the same request has the same answer while others are asked about", (*suite).checkConcurrent},
		{"the request is left as it was", each(isAny, (*suite).checkUnchanged)},
		{"the body can be read from its start after the call", each(isAny, (*suite).checkBody)},
		{"a client that has gone away does not make a good credential bad", each(isGood, (*suite).checkCancelled)},
	}
}

func (s *suite) checkRepeated(p *probe) {
	for range 2 {
		if again := s.ask(p.request()); !again.is(p.first) {
			s.fault(p, "the first answer was %v, a later one is %v", p.first, again)
			return
		}
	}
}

const (
	goroutines = 8
	rounds     = 2
)

// checkConcurrent asks about all requests at once, each goroutine in an order of
// its own. Run the tests with -race, which sees more.
func (s *suite) checkConcurrent() {
	probes := s.sound(isAny)
	var (
		start   = make(chan struct{})
		all     [goroutines][]answer
		waiting sync.WaitGroup
	)
	for g := range goroutines {
		var requests []*http.Request
		for i := range rounds * len(probes) {
			requests = append(requests, probes[(i+g)%len(probes)].request())
		}
		waiting.Go(func() {
			<-start
			for _, r := range requests {
				all[g] = append(all[g], s.ask(r))
			}
		})
	}
	close(start)
	waiting.Wait()
	for g, answers := range all {
		for i, got := range answers {
			if p := probes[(i+g)%len(probes)]; !got.is(p.first) && !p.faulty {
				s.fault(p, "alone the answer is %v, among %d goroutines it is %v", p.first, goroutines, got)
			}
		}
	}
}

// asked is a context that is like its parent, but not the same one.
type asked struct{ context.Context }

func (s *suite) checkUnchanged(p *probe) {
	r := p.request()
	r = r.WithContext(&asked{r.Context()})
	before := *r
	before.Header, before.URL = r.Header.Clone(), new(url.URL)
	*before.URL = *r.URL
	ctx := r.Context()
	s.ask(r)
	if changed := changes(&before, r); len(changed) > 0 {
		s.fault(p, "changed: %s", strings.Join(changed, ", "))
	} else if r.Context() != ctx {
		s.fault(p, "changed: Context")
	}
}

// changes returns the names of the exported fields that differ. It leaves out the
// body, because a backend that reads it puts another one in its place.
func changes(before, after *http.Request) []string {
	var names []string
	one, other := reflect.ValueOf(before).Elem(), reflect.ValueOf(after).Elem()
	for i := range one.NumField() {
		field := one.Type().Field(i)
		if !field.IsExported() || field.Name == "Body" || field.Type.Kind() == reflect.Func {
			continue
		}
		if !reflect.DeepEqual(one.Field(i).Interface(), other.Field(i).Interface()) {
			names = append(names, field.Name)
		}
	}
	return names
}

// checkBody gives a body to a good request without one, and reads it after the
// call.
func (s *suite) checkBody(p *probe) {
	r := p.request()
	var want []byte
	if r.Body != nil {
		want, _ = io.ReadAll(r.Body)
	}
	if len(want) == 0 {
		if p.good == nil {
			return
		}
		want = []byte("a body for the handler")
		r.ContentLength = int64(len(want))
	}
	r.Body = io.NopCloser(bytes.NewReader(want))
	s.ask(r)
	if r.Body == nil {
		s.fault(p, "the body is gone")
		return
	}
	if got, err := io.ReadAll(r.Body); err != nil || !bytes.Equal(got, want) {
		s.fault(p, "want a body of %d bytes after the call, got %d bytes and error %v", len(want), len(got), err)
	}
}

func (s *suite) checkCancelled(p *probe) {
	r := p.request()
	ctx, cancel := context.WithCancel(r.Context())
	cancel()
	got := s.ask(r.WithContext(ctx))
	if got.panicked != nil || !got.is(p.first) && (got.err == nil || auth.KindOf(got.err) != nil) {
		s.fault(p, "want %v or an error without a kind once the context is done, got %v", p.first, got)
	}
}

// without returns a copy of r without some headers.
func without(r *http.Request, names ...string) *http.Request {
	clone := r.Clone(r.Context())
	for _, name := range names {
		delete(clone.Header, http.CanonicalHeaderKey(name))
	}
	return clone
}

// headersOf returns the names of the headers of r, sorted.
func headersOf(r *http.Request) []string { return slices.Sorted(maps.Keys(r.Header)) }
