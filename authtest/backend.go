package authtest

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/gatewarden/auth"
)

// Backend tests that a backend keeps the contract of [auth.Authenticator] and of
// the capabilities it has. It is for backends of your own and for decorators. It
// runs one subtest for each sentence of the contract, named for that sentence:
//
//	func TestUnitSigned(t *testing.T) {
//		authtest.Backend(t, signed{key}, authtest.Cases{
//			Good:         []authtest.Good{{Request: authtest.RequestWith("Authorization", right), User: "ci"}},
//			Absent:       []authtest.Request{authtest.RequestWith("Cookie", "theme=dark")},
//			Invalid:      []authtest.Request{authtest.RequestWith("Authorization", forged)},
//			Malformed:    []authtest.Request{authtest.RequestWith("Authorization", "Signed")},
//		})
//	}
//
// A request that has failed one subtest is left out of the later ones, so that
// one mistake is reported once. A subtest for which the cases have no request is
// skipped and says so. If auth.New refuses the backend, mend that first: subtests
// that would only repeat it are skipped.
func Backend(t *testing.T, backend auth.Authenticator, cases Cases) {
	t.Helper()
	s := newSuite(backend, cases, time.Now)
	for _, c := range contract() {
		t.Run(c.sentence, func(t *testing.T) {
			faults, skipped := s.try(c)
			for _, fault := range faults {
				t.Errorf("the backend breaks this sentence of its contract: %s. %s", c.sentence, fault)
			}
			if len(faults) == 0 && skipped != "" {
				t.Skip(skipped)
			}
		})
	}
}

// Cases are requests, in a list for each answer that a backend can give. Good is
// required. The more lists have a request, the more is tested.
type Cases struct {
	// Good requests are proved.
	Good []Good
	// Absent requests have nothing for this backend: [auth.ErrNoCredentials].
	// A request without headers and one with an unknown scheme in Authorization
	// are always tested.
	Absent []Request
	// Invalid requests have a credential of this backend that is no good, such
	// as an expired or a forged one: [auth.ErrInvalid].
	Invalid []Request
	// Malformed requests have a credential that breaks the syntax:
	// [auth.ErrMalformed].
	Malformed []Request
	// Unrecognized requests have a token of another backend, with a scheme that
	// this backend speaks: [auth.ErrUnrecognized].
	Unrecognized []Request
	// Throttled requests came after too many tries: [auth.ErrThrottled].
	Throttled []Request
	// Outage requests cannot be decided, because a store is down, for example.
	Outage []Request

	// Wraps is the backend inside, if the backend under test is a decorator. It
	// must lose no capability of that one. If nil, Unwrap is asked.
	Wraps auth.Authenticator
	// Challenges are those of the auth.Config that the backend is used with.
	// They are needed only if the backend has no challenge of its own.
	Challenges []auth.Challenge
}

// Request returns a new request each time it is called. Every one must get the
// same answer, so for a credential that can be used once, it issues a new one.
type Request func() *http.Request

// Good is a request that a backend proves.
type Good struct {
	Request Request
	User    string   // the UserID
	Scopes  []string // what the credential is limited to, in any order
	Limited bool     // limited even where Scopes is empty, and so to nothing
}

// RequestWith returns a [Request] by GET with one header.
func RequestWith(name, value string) Request {
	return func() *http.Request {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set(name, value)
		return r
	}
}
