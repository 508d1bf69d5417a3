package authtest

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"time"

	"github.com/gatewarden/auth"
)

// check is one sentence of the contract, with the function that looks for a
// backend that breaks it.
type check struct {
	sentence string
	run      func(*suite)
}

// contract returns all checks. What others build on comes first: whether auth.New
// accepts the backend, and whether a request is proved at all, for example.
func contract() []check {
	return slices.Concat(newChecks(), outcomeChecks(), callChecks(), authorizationChecks(), capabilityChecks(),
		tokenChecks(), credentialChecks(), unwrapChecks(), headerChecks(), decoratorChecks(), guardChecks())
}

// suite is a backend under test.
type suite struct {
	backend auth.Authenticator
	cases   Cases
	now     func() time.Time

	probes  []*probe
	stopped bool // the cases cannot be used
	unfit   bool // a fault that does not depend on a request

	guard   *auth.Guard
	refused bool  // auth.New did not accept the backend, whatever its challenges are
	cause   error // of the last answer of guard that is not a success

	faults  []string
	skipped string
}

// probe is one request of the cases.
type probe struct {
	name    string
	request Request
	good    *Good  // nil for a request that is not to be proved
	kind    error  // the kind of error to be returned, nil for an outage
	first   answer // what the backend said when first asked
	faulty  bool   // a check has failed, so later ones leave it out
}

func newSuite(backend auth.Authenticator, cases Cases, now func() time.Time) *suite {
	s := &suite{backend: backend, cases: cases, now: now}
	for i := range cases.Good {
		good := &cases.Good[i]
		s.probes = append(s.probes, &probe{
			name: fmt.Sprintf("Good[%d], %s", i, good.User), request: good.Request, good: good})
	}
	add := func(list string, kind error, requests []Request) {
		for i, request := range requests {
			s.probes = append(s.probes, &probe{name: fmt.Sprintf("%s[%d]", list, i), request: request, kind: kind})
		}
	}
	add("Absent", auth.ErrNoCredentials, cases.Absent)
	add("Invalid", auth.ErrInvalid, cases.Invalid)
	add("Malformed", auth.ErrMalformed, cases.Malformed)
	add("Unrecognized", auth.ErrUnrecognized, cases.Unrecognized)
	add("Throttled", auth.ErrThrottled, cases.Throttled)
	add("Outage", nil, cases.Outage)
	s.probes = append(s.probes,
		&probe{name: bareProbe, kind: auth.ErrNoCredentials, request: func() *http.Request {
			return httptest.NewRequest(http.MethodGet, "/", nil)
		}},
		&probe{name: schemeProbe, kind: auth.ErrNoCredentials,
			request: RequestWith("Authorization", unknownScheme+" abc")})
	return s
}

// The requests that every backend is asked about.
const (
	bareProbe     = "a request without headers"
	schemeProbe   = "a request with an unknown scheme"
	unknownScheme = "Authtest-Unknown"
)

// try runs a check. It returns its faults, and why it could not look at anything.
func (s *suite) try(c check) (faults []string, skipped string) {
	s.faults, s.skipped = nil, ""
	if s.stopped {
		return nil, "the cases cannot be used"
	}
	c.run(s)
	return s.faults, s.skipped
}

// fault reports a fault of the backend's answer to p, or one that does not
// depend on a request if p is nil.
func (s *suite) fault(p *probe, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if p == nil {
		s.unfit = true
	} else {
		p.faulty = true
		text = p.name + ": " + text
	}
	s.faults = append(s.faults, text)
}

// sound returns the probes that no check has failed for and that match.
func (s *suite) sound(match func(*probe) bool) []*probe {
	var sound []*probe
	for _, p := range s.probes {
		if !p.faulty && match(p) {
			sound = append(sound, p)
		}
	}
	if len(sound) == 0 {
		s.skipped = "no request of the cases is for this, or each of them failed already"
	}
	return sound
}

func isAny(*probe) bool    { return true }
func isGood(p *probe) bool { return p.good != nil }

// isAbsent matches requests without anything for the backend.
func isAbsent(p *probe) bool { return p.good == nil && p.kind == auth.ErrNoCredentials }

// isBad matches requests that have something for the backend, which is no good.
func isBad(p *probe) bool { return p.good == nil && p.kind != auth.ErrNoCredentials }

// isOf matches requests with an error of a kind.
func isOf(kind error) func(*probe) bool {
	return func(p *probe) bool { return p.good == nil && p.kind == kind }
}

// each makes a check of a function that looks at each request that matches.
func each(match func(*probe) bool, look func(*suite, *probe)) func(*suite) {
	return func(s *suite) {
		for _, p := range s.sound(match) {
			look(s, p)
		}
	}
}

// answer is what a backend said.
type answer struct {
	user       auth.User
	credential auth.Credential
	err        error
	panicked   any
}

// ask calls the backend. A panic is an answer too.
func (s *suite) ask(r *http.Request) answer { return askOf(s.backend.Authenticate, r) }

func askOf[T any](authenticate func(T) (auth.User, auth.Credential, error), of T) (a answer) {
	defer func() { a.panicked = recover() }()
	a.user, a.credential, a.err = authenticate(of)
	return a
}

// proves reports a proof that a Guard would take.
func (a answer) proves() bool { return a.panicked == nil && a.err == nil && !isNil(a.user) }

// is reports whether a and b say the same of a request.
func (a answer) is(b answer) bool { return a.String() == b.String() }

// String returns what the backend said, for a failed test.
func (a answer) String() string {
	switch {
	case a.panicked != nil:
		return fmt.Sprintf("a panic: %v", a.panicked)
	case a.err != nil && isNil(a.err):
		return fmt.Sprintf("an error that is a nil %T", a.err)
	case a.err != nil && auth.KindOf(a.err) == nil:
		return "an error without a kind"
	case a.err != nil:
		return fmt.Sprintf("the error %q", auth.KindOf(a.err))
	case a.user == nil:
		return "no user and no error"
	case isNil(a.user):
		return fmt.Sprintf("a nil %T as user", a.user)
	case a.credential == nil:
		return fmt.Sprintf("user %q", a.user.UserID())
	case isNil(a.credential):
		return fmt.Sprintf("user %q with a nil %T as credential", a.user.UserID(), a.credential)
	}
	return fmt.Sprintf("user %q by %q", a.user.UserID(), a.credential.Backend())
}

// checkCases asks the backend about each request for the first time.
func (s *suite) checkCases() {
	if isNil(s.backend) {
		s.fault(nil, "The backend is nil")
	}
	if len(s.cases.Good) == 0 {
		s.fault(nil, "Cases.Good is empty")
	}
	for _, p := range s.probes {
		switch {
		case p.request == nil:
			s.fault(p, "Request is nil")
		case p.good != nil && p.good.User == "":
			s.fault(p, "User is empty")
		default:
			if one, other := p.request(), p.request(); one == nil || other == nil || one == other {
				s.fault(p, "Request returned nil, or the same request twice")
			}
		}
	}
	if s.stopped = len(s.faults) > 0; s.stopped {
		return
	}
	for _, p := range s.probes {
		p.first = s.ask(p.request())
	}
}

// isNil reports a nil interface, and a nil pointer, map or func inside one.
func isNil(v any) bool {
	if v == nil {
		return true
	}
	switch rv := reflect.ValueOf(v); rv.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Func, reflect.Slice, reflect.Chan:
		return rv.IsNil()
	}
	return false
}

// findError is errors.As for one type.
func findError[T any](err error) (found T, ok bool) {
	ok = errors.As(err, &found)
	return found, ok && !isNil(found)
}
