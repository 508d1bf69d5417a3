package authtest_test

import (
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/authtest"
)

func TestUnitBackendFindsEachMutantByTheSentenceThatItBreaks(t *testing.T) {
	var clock atomic.Int64
	now := func() time.Time { return time.Now().Add(time.Duration(clock.Load())) }
	found := make(map[string]bool)
	for _, m := range mutants(&clock) {
		t.Run(m.sentence+" ("+m.how+")", func(t *testing.T) {
			clock.Store(0)
			broken := authtest.Broken(m.backend, m.cases, now)
			for sentence, faults := range broken {
				if sentence != m.sentence {
					t.Errorf("a mutant that breaks %q was found by %q too: %q", m.sentence, sentence, faults)
				}
			}
			if len(broken[m.sentence]) == 0 {
				t.Errorf("want a fault of %q, got none", m.sentence)
			}
		})
		found[m.sentence] = true
	}
	for _, sentence := range authtest.Sentences() {
		if !found[sentence] {
			t.Errorf("no mutant breaks the sentence %q", sentence)
		}
		delete(found, sentence)
	}
	for sentence := range found {
		t.Errorf("a mutant breaks the sentence %q, which is not in the contract", sentence)
	}
}

func TestUnitBackendPassesHealthyBackends(t *testing.T) {
	wrapping := func(cases authtest.Cases, inner auth.Authenticator) authtest.Cases {
		cases.Wraps = inner
		return cases
	}
	tokens := byToken()
	for name, row := range map[string]struct {
		backend auth.Authenticator
		cases   authtest.Cases
	}{
		"tokens":                                {tokens, tokenCases()},
		"a cookie":                              {byCookie(), cookieCases()},
		"a header of a gateway":                 {byGateway(), gatewayCases()},
		"a decorator by auth.Wrap":              {wrapped(tokens), wrapping(tokenCases(), tokens)},
		"a decorator by a type":                 {counting{tokens}, tokenCases()},
		"a decorator around a gateway's header": {counting{wrapped(byGateway())}, gatewayCases()},
		"a chain":                               {auth.Chain(tokens), tokenCases()},
	} {
		t.Run(name, func(t *testing.T) { authtest.Backend(t, row.backend, row.cases) })
	}
}

func TestUnitBackendNamesEachSentenceOnce(t *testing.T) {
	sentences := authtest.Sentences()
	if once := slices.Compact(slices.Sorted(slices.Values(sentences))); len(once) != len(sentences) {
		t.Errorf("want %d different sentences, got %d", len(sentences), len(once))
	}
}

// byKey proves a key in X-Key and has no method Vary.
func byKey(r *http.Request) (auth.User, auth.Credential, error) {
	switch r.Header.Get("X-Key") {
	case "":
		return nil, nil, auth.ErrNoCredentials
	case "right":
		return authtest.User("alice"), nil, nil
	}
	return nil, nil, auth.ErrInvalid
}

func TestUnitBackendSaysWhatToDo(t *testing.T) {
	const accepted, served = "auth.New accepts the backend",
		"behind a Guard, a good request reaches the handler without stripped headers"
	spaced, keyed := byToken(), gatewayCases()
	spaced.challenges = always([]auth.Challenge{{Scheme: "Be arer"}})
	keyed.Good[0].Request = authtest.RequestWith("X-Key", "right")
	keyed.Challenges = []auth.Challenge{{Scheme: "Key"}}
	wrong := tokenCases()
	wrong.Good[0].User = "bob"
	bad := instead("", "", "gw_plain", proved{user: holding{authtest.User("plain")}})
	for name, row := range map[string]struct {
		backend  auth.Authenticator
		cases    authtest.Cases
		sentence string
		want     string
	}{
		"a decorator without Unwrap":          {closed{byToken()}, tokenCases(), accepted, "has no method Unwrap()"},
		"the same after a request has failed": {closed{byToken()}, wrong, accepted, "has no method Unwrap()"},
		"a scheme with a space": {spaced, tokenCases(), "a challenge can be sent",
			`the scheme "Be arer" of a challenge is not a token`},
		"no method Vary": {auth.AuthenticatorFunc(byKey), keyed,
			"Vary names every header that the answer depends on", "the backend has no method Vary, so Authorization " +
				"and Cookie are assumed. Add a method Vary that returns X-Key"},
		"a user without Unwrap behind a Guard": {bad.backend, bad.cases, served,
			"embeds a User and has no method Unwrap() auth.User"},
		"a scheme in one case only": {byExactScheme(), tokenCases(), "the scheme of Authorization is read in any case",
			`with the scheme BEARER too, got the error "no credentials"`},
	} {
		t.Run(name, func(t *testing.T) {
			faults := strings.Join(authtest.Broken(row.backend, row.cases, time.Now)[row.sentence], "\n")
			if !strings.Contains(faults, row.want) {
				t.Errorf("want a fault of %q with %q, got %q", row.sentence, row.want, faults)
			}
		})
	}
}

// byExactScheme compares the scheme with ==.
func byExactScheme() *spoken {
	s := byToken()
	authenticate := s.authenticate
	s.authenticate = func(r *http.Request) proved {
		if scheme, _, err := auth.Authorization(r); err == nil && scheme != "Bearer" {
			return proved{err: auth.ErrNoCredentials}
		}
		return authenticate(r)
	}
	return s
}

func TestUnitBackendAsksNewFirstAndSkipsWhatFollows(t *testing.T) {
	if first := authtest.Sentences()[0]; first != "auth.New accepts the backend" {
		t.Errorf("want the check of auth.New first, got %q", first)
	}
	skipped := authtest.Skipped(closed{byToken()}, tokenCases())
	for _, sentence := range []string{"a 401 has a challenge to send",
		"a decorator has every capability of what it wraps", "Vary names every header that the answer depends on"} {
		if reason := skipped[sentence]; !strings.Contains(reason, "auth.New did not accept the backend") {
			t.Errorf("want %q skipped because of auth.New, got the reason %q", sentence, reason)
		}
	}
	if reason := skipped["a good request is proved"]; reason != "" {
		t.Errorf("want requests looked at still, got them skipped: %q", reason)
	}
}
