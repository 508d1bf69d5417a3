package cached_test

import (
	"context"
	"net/http"
	"net/http/httptest"
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

// discard is a ResponseWriter with a header that is used again.
type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(p []byte) (int, error) { return len(p), nil }
func (d discard) WriteHeader(code int)        { panic(code) }

// checker returns a function that has n requests with a token checked by a guard.
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
	guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{tokens}})
	if err != nil {
		b.Fatal(err)
	}
	served := 0
	handler := guard.Require()(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { served++ }))
	r, w := httptest.NewRequest("GET", "/", nil), discard{http.Header{}}
	r.Header.Set("Authorization", "Token "+issued.Secret.Reveal())
	return func(n int) {
		served = 0
		for range n {
			clear(w.header)
			handler.ServeHTTP(w, r)
		}
		if served != n {
			b.Fatalf("got %d requests through, want %d", served, n)
		}
	}
}

// BenchmarkCheck compares a request with a token, with the store in memory, with a cache in front of that, and with a
// cache in front of a store that builds its records. They take turns of 1,000 requests, because other programs on the
// machine disturb all alike then. The metrics are medians for one request.
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
			b.Fatalf("Find: got %v, %v, want a record", found, err)
		}
	}
}
