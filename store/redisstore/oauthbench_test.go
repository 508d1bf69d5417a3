package redisstore

import (
	"context"
	"testing"
	"time"

	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/oauth2/server"
)

// BenchmarkOAuthFindAccess is a look-up that the memory of the process answers, and one that asks Redis.
func BenchmarkOAuthFindAccess(b *testing.B) {
	find := func(b *testing.B, store server.Store) {
		now := backend.StoreTime(time.Now())
		client := &server.Client{ID: "web", Created: now, Updated: now}
		if added, err := store.AddClient(b.Context(), client, 0); !added.OK() || err != nil {
			b.Fatalf("AddClient: got %v, %v, want OK", added, err)
		}
		g := &server.Grant{ID: backend.NewIDOf("alice"), ClientID: "web", UserID: "alice", Created: now,
			ExpiresAt: now.Add(time.Hour), MaxExpiresAt: now.Add(time.Hour)}
		digest := backend.TokenDigest(backend.NewToken("", "alice", backend.DefaultTokenLength), "")
		tokens := server.Tokens{Access: &server.Access{Digest: digest, GrantID: g.ID, Issued: now,
			ExpiresAt: g.ExpiresAt}}
		if added, err := store.Start(b.Context(), g, tokens, 0, false); !added.OK() || err != nil {
			b.Fatalf("Start: got %v, %v, want OK", added, err)
		}
		b.ReportAllocs()
		for b.Loop() {
			if a, g, err := store.FindAccess(context.Background(), digest); a == nil || g == nil || err != nil {
				b.Fatalf("FindAccess: got %v, %v, %v, want a record", a, g, err)
			}
		}
	}
	b.Run("memory", func(b *testing.B) { find(b, server.NewMemoryStore()) })
	b.Run("hit", func(b *testing.B) { find(b, OAuth(openTest(b, Config{}))) })
	b.Run("miss", func(b *testing.B) { find(b, OAuth(openTest(b, Config{MaxCached: -1}))) })
}
