package authtest

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/gatewarden/auth"
)

// guardChecks ask the backend behind a Guard, as an application does. The Guard
// knows a proxy, which a backend with ReadsProxies can see.
func guardChecks() []check {
	return []check{
		{"behind a Guard, a good request reaches the handler without stripped headers",
			each(isGood, (*suite).checkServed)},
		{"behind a Guard, an absent credential is 401 with a challenge", each(isAbsent, (*suite).checkChallenged)},
		{"behind a Guard, a bad credential has the status of its kind", each(isBad, (*suite).checkRefused)},
		{"behind an optional Guard, a request without a credential is anonymous",
			each(isAbsent, (*suite).checkAnonymous)},
		{"behind an optional Guard, a bad credential is refused", each(isBad, (*suite).checkNotAnonymous)},
	}
}

// served is what became of a request behind a Guard.
type served struct {
	status   int
	header   http.Header
	reached  bool        // the handler
	user     string      // for the handler
	sent     http.Header // that the handler saw
	panicked any
	cause    error // of a refusal, which a client is not told
}

// String returns the status, and what a failed test needs to know besides.
func (got served) String() string {
	text := fmt.Sprint(got.status)
	if got.user != "" {
		text += fmt.Sprintf(" for user %q", got.user)
	}
	if got.cause != nil {
		text += fmt.Sprintf(" because of the error %q", got.cause)
	}
	if got.panicked != nil {
		text += fmt.Sprintf(" and the panic %v", got.panicked)
	}
	return text
}

// serve sends a request to a handler behind the Guard. It returns false if there
// is no Guard.
func (s *suite) serve(r *http.Request, optional bool) (got served, ok bool) {
	switch {
	case s.guard == nil:
		s.skipped = "auth.New has made no Guard of the backend"
		return got, false
	case s.unfit:
		s.skipped = "a capability is not as it should be"
		return got, false
	}
	middleware := s.guard.Require(auth.AllowMachines)
	if optional {
		middleware = s.guard.Optional(auth.AllowMachines)
	}
	w := httptest.NewRecorder()
	s.cause = nil
	defer func() {
		got.panicked, ok = recover(), true
		got.status, got.header, got.cause = w.Code, w.Header(), s.cause
	}()
	middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		got.reached, got.sent = true, r.Header
		if user, found := auth.UserFrom[auth.User](r.Context()); found {
			got.user = user.UserID()
		}
	})).ServeHTTP(w, r)
	return got, true
}

// checkServed also sends each stripped header with "_" for "-", which a program
// behind the handler could take for it.
func (s *suite) checkServed(p *probe) {
	r := p.request()
	for _, name := range s.stripped() {
		if strings.Contains(name, "-") {
			r.Header[strings.ReplaceAll(name, "-", "_")] = []string{"forged"}
		}
	}
	got, ok := s.serve(r, false)
	switch {
	case !ok:
	case got.panicked != nil || got.status != http.StatusOK || got.user != p.good.User:
		s.fault(p, "want status 200 for user %q, got %v", p.good.User, got)
	default:
		for name := range got.sent {
			if has(s.stripped(), strings.ReplaceAll(name, "_", "-")) {
				s.fault(p, "the handler sees %s", name)
				return
			}
		}
	}
}

func (s *suite) checkChallenged(p *probe) {
	got, ok := s.serve(p.request(), false)
	challenges := got.header["Www-Authenticate"]
	if ok && (got.panicked != nil || got.status != http.StatusUnauthorized || len(challenges) == 0) {
		s.fault(p, "want status 401 with WWW-Authenticate, got %q and %v", challenges, got)
	}
}

func (s *suite) checkRefused(p *probe) {
	got, ok := s.serve(p.request(), false)
	want := []int{http.StatusUnauthorized}
	switch p.kind {
	case auth.ErrMalformed:
		want = []int{http.StatusBadRequest, http.StatusUnauthorized}
	case auth.ErrThrottled:
		want = []int{http.StatusTooManyRequests}
	case nil:
		want = []int{http.StatusServiceUnavailable}
	}
	for _, status := range want {
		if !ok || got.panicked == nil && got.status == status {
			return
		}
	}
	s.fault(p, "want status %v, got %v", want, got)
}

func (s *suite) checkAnonymous(p *probe) {
	got, ok := s.serve(p.request(), true)
	if ok && (got.panicked != nil || got.status != http.StatusOK || !got.reached || got.user != "") {
		s.fault(p, "want status 200 without a user, got %v", got)
	}
}

func (s *suite) checkNotAnonymous(p *probe) {
	if got, ok := s.serve(p.request(), true); ok && got.reached {
		s.fault(p, "want a refusal, but the handler was called")
	}
}
