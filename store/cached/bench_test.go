package cached_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/store/cached"
)

// built is a store that is no knox.HashFinder and builds its records, as one behind a network does.
type built struct{ knox.Store }

func (s built) Find(ctx context.Context, digest string) (*knox.Record, error) {
	found, err := s.Store.Find(ctx, digest)
	if found == nil || err != nil {
		return nil, err
	}
	copied := *found
	return &copied, nil
}

type benchUser struct{}

func (benchUser) UserID() string { return "alice" }

// checker returns a function that checks a token n times.
func checker(b *testing.B, store knox.Store) func(n int) {
	b.Helper()
	alice := auth.User(benchUser{})
	tokens, err := knox.New(knox.Config{Store: store,
		LoadUser: func(context.Context, string) (auth.User, error) { return alice, nil }})
	if err != nil {
		b.Fatal(err)
	}
	issued, err := tokens.Issue(b.Context(), "alice", knox.Options{})
	if err != nil {
		b.Fatal(err)
	}
	secret, ctx := issued.Secret.Reveal(), b.Context()
	return func(n int) {
		for range n {
			if _, _, err := tokens.VerifyToken(ctx, secret); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// BenchmarkCheck compares the check of a token with the store in memory, with a cache in front of that, and with a
// cache in front of a store that builds its records. They take turns of 1,000 checks, because other programs on the
// machine disturb all alike then. The metrics are medians for one check.
func BenchmarkCheck(b *testing.B) {
	config := cached.Config{TTL: time.Minute}
	names := []string{"memory", "cached-memory", "cached-built"}
	checks := []func(int){
		checker(b, knox.NewMemoryStore()),
		checker(b, must[*cached.KnoxStore](b)(cached.Knox(knox.NewMemoryStore(), config))),
		checker(b, must[*cached.KnoxStore](b)(cached.Knox(built{knox.NewMemoryStore()}, config))),
	}
	took := make([][]time.Duration, len(checks))
	for b.Loop() {
		for i, check := range checks {
			began := time.Now()
			check(1000)
			took[i] = append(took[i], time.Since(began))
		}
	}
	for i, all := range took {
		slices.Sort(all)
		b.ReportMetric(float64(all[len(all)/2].Nanoseconds())/1000, names[i]+"-ns")
	}
}

// BenchmarkFind is the look-up alone: a hit.
func BenchmarkFind(b *testing.B) {
	store := must[*cached.KnoxStore](b)(cached.Knox(knox.NewMemoryStore(), cached.Config{TTL: time.Minute}))
	token := record("alice", "1")
	token.Digest = strings.Repeat("x", 46) // as long as a digest of ours
	if _, err := store.Add(b.Context(), token, 0, false, ending()); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if found, err := store.Find(b.Context(), token.Digest); found == nil || err != nil {
			b.Fatal(found, err)
		}
	}
}
