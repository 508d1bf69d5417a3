package authtest_test

import (
	"slices"
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
