package cached_test

import (
	"context"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/store/cached"
)

// plain is a store that is no knox.HashFinder and that copies records, as one behind a network does.
type plain struct{ knox.Store }

func (s plain) Find(ctx context.Context, digest string) (*knox.Record, error) {
	found, err := s.Store.Find(ctx, digest)
	if found == nil || err != nil {
		return nil, err
	}
	copied := *found
	return &copied, nil
}

type benchUser struct{}

func (benchUser) UserID() string { return "alice" }

// BenchmarkCheck is the check of a token: with the store in memory, with a cache in front of it, and with a cache in
// front of a store that builds its records.
func BenchmarkCheck(b *testing.B) {
	config := cached.Config{TTL: time.Minute}
	memory := knox.NewMemoryStore()
	for _, row := range []struct {
		name  string
		store knox.Store
	}{
		{"memory", memory},
		{"cached memory", must[*cached.KnoxStore](b)(cached.Knox(knox.NewMemoryStore(), config))},
		{"cached", must[*cached.KnoxStore](b)(cached.Knox(plain{knox.NewMemoryStore()}, config))},
	} {
		b.Run(row.name, func(b *testing.B) {
			alice := auth.User(benchUser{})
			tokens, err := knox.New(knox.Config{Store: row.store,
				LoadUser: func(context.Context, string) (auth.User, error) { return alice, nil }})
			if err != nil {
				b.Fatal(err)
			}
			issued, err := tokens.Issue(b.Context(), "alice", knox.Options{})
			if err != nil {
				b.Fatal(err)
			}
			secret := issued.Secret.Reveal()
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := tokens.VerifyToken(b.Context(), secret); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkFind is the look-up alone: a hit.
func BenchmarkFind(b *testing.B) {
	store := must[*cached.KnoxStore](b)(cached.Knox(knox.NewMemoryStore(), cached.Config{TTL: time.Minute}))
	if _, err := store.Add(b.Context(), record("alice", "1"), 0, false, ending()); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if found, err := store.Find(b.Context(), "digest 1"); found == nil || err != nil {
			b.Fatal(found, err)
		}
	}
}
