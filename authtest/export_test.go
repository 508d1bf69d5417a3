package authtest

import (
	"context"
	"log/slog"
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

// Skipped returns the sentences that were not looked at, and why.
func Skipped(backend auth.Authenticator, cases Cases) map[string]string {
	skipped := make(map[string]string)
	s := newSuite(backend, cases, time.Now)
	for _, c := range contract() {
		if _, reason := s.try(c); reason != "" {
			skipped[c.sentence] = reason
		}
	}
	return skipped
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

// ExternalFaults returns what the checks of External find, by their sentences.
func ExternalFaults(cases ExternalCases) map[string][]string {
	found := map[string][]string{}
	for _, c := range externalContract() {
		if faults := checkExternal(c, cases); len(faults) > 0 {
			found[c.sentence] = faults
		}
	}
	return found
}

// UnfinishedFaults returns what the checks of UnfinishedLogins find, by their sentences.
func UnfinishedFaults(ctx context.Context, start func(*slog.Logger) Issuing) map[string][]string {
	found := map[string][]string{}
	for _, c := range unfinishedContract {
		if faults := c.run(ctx, start); len(faults) > 0 {
			found[c.sentence] = faults
		}
	}
	return found
}
