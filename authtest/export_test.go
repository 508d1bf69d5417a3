package authtest

import (
	"time"

	"github.com/gatewarden/auth"
)

// Sentences returns the sentences of the contract, in their order.
func Sentences() []string {
	var sentences []string
	for _, c := range contract() {
		sentences = append(sentences, c.sentence)
	}
	return sentences
}

// Broken returns what a backend breaks, by sentence. It is Backend without a test.
func Broken(backend auth.Authenticator, cases Cases, now func() time.Time) map[string][]string {
	broken := make(map[string][]string)
	s := newSuite(backend, cases, now)
	for _, c := range contract() {
		if faults, _ := s.try(c); len(faults) > 0 {
			broken[c.sentence] = faults
		}
	}
	return broken
}
