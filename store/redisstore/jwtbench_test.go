package redisstore

import (
	"fmt"
	"testing"

	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/jwt"
)

// BenchmarkJWT is one refresh, which takes two round trips to read and one to write, and one check whether a token is
// revoked, which takes one.
func BenchmarkJWT(b *testing.B) {
	db := openTest(b, Config{MaxCached: -1})
	j := newJWTTest(nil, db)
	id := backend.NewIDOf("alice")
	digest := func(n int) string { return backend.Shard("alice") + fmt.Sprintf("%043d", n) }
	token := func(n int) *jwt.Refresh {
		r := j.token(id, "")
		r.Digest = digest(n)
		return r
	}
	f := &jwt.Session{ID: id, UserID: "alice", Created: j.now, LastUsed: j.now, ExpiresAt: token(0).ExpiresAt}
	if _, err := j.Start(b.Context(), f, token(0), nil, 0, false); err != nil {
		b.Fatal(err)
	}
	n := 0
	b.Run("refresh", func(b *testing.B) {
		for b.Loop() {
			rotation, err := j.Rotate(b.Context(), digest(n), j.now, 0, token(n+1))
			if rotation.Verdict != jwt.Rotated || err != nil {
				b.Fatalf("Rotate: got %v, %v, want verdict Rotated", rotation, err)
			}
			n++
		}
	})
	b.Run("revoked", func(b *testing.B) {
		for b.Loop() {
			revoked, err := j.Revoked(b.Context(), jwt.Claimed{SessionID: id, UserID: "alice"}, j.now)
			if revoked || err != nil {
				b.Fatalf("Revoked: got %v, %v, want false", revoked, err)
			}
		}
	})
}
