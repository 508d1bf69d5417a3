package server_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/oauth2/server"
)

// slow is a store without a look-up by hash that takes its time.
type slow struct {
	server.Store
	wait time.Duration
}

func (s *slow) FindAccess(ctx context.Context, digest string) (*server.Access, *server.Grant, error) {
	time.Sleep(s.wait)
	return s.Store.FindAccess(ctx, digest)
}

func TestUnitATokenThatExpiresWhileItIsLookedUpIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &slow{Store: server.NewMemoryStore()}
		i := newIssuing(t, store, nil)
		token := i.token("alice")
		expiry := i.credential(i.api, token).Expiry
		time.Sleep(time.Until(expiry) - time.Second)
		store.wait = 4 * time.Second
		i.refused(i.api, token, "has expired")
	})
}

// misled has one answer to each look-up by hash, and counts what it is asked.
type misled struct {
	*server.MemoryStore
	access           *server.Access
	byHash, byDigest int
}

func (m *misled) FindAccess(ctx context.Context, digest string) (*server.Access, *server.Grant, error) {
	m.byDigest++
	return m.MemoryStore.FindAccess(ctx, digest)
}

func (m *misled) HashFinder(server.Store) server.FindAccessHash {
	return func(ctx context.Context, _ [32]byte) (*server.Access, *server.Grant, error) {
		m.byHash++
		_, grant, err := m.MemoryStore.FindAccess(ctx, m.access.Digest)
		return m.access, grant, err
	}
}

func TestUnitALookUpByHashIsForOpaqueTokens(t *testing.T) {
	store := &misled{MemoryStore: server.NewMemoryStore()}
	asJWT := func(yes bool) func(c *server.Config) {
		return func(c *server.Config) { c.Resources[0].JWT = yes }
	}
	t.Run("the shard and the jti of a JWT are no token", func(t *testing.T) {
		i := newIssuing(t, store, asJWT(true))
		token := i.token("alice")
		var claims struct {
			ID string `json:"jti"`
		}
		payload, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
		i.must(err)
		i.must(json.Unmarshal(payload, &claims))
		text := backend.Shard("alice") + claims.ID
		access, _, err := store.MemoryStore.FindAccess(t.Context(), backend.TokenDigest(text, ""))
		i.must(err)
		if access == nil {
			t.Fatal("the record of the JWT has another digest")
		}
		store.access = access
		i.credential(i.api, token)
		for _, public := range []string{text, "at_" + text, "at_" + claims.ID, claims.ID} {
			if _, _, err := i.api.VerifyToken(t.Context(), public); auth.KindOf(err) != auth.ErrUnrecognized {
				t.Errorf("%d characters: want ErrUnrecognized, got %v", len(public), err)
			}
		}
		store.access = access
		i.refused(i.api, backend.NewToken("at_", "alice", backend.DefaultTokenLength), "no such access token")
	})
	t.Run("a store is asked once for a record of which nothing is known", func(t *testing.T) {
		i := newIssuing(t, store, asJWT(false))
		token := i.token("alice")
		access, _, err := store.MemoryStore.FindAccess(t.Context(), backend.TokenDigest(token, "at_"))
		i.must(err)
		copied := *access
		store.access, store.byHash, store.byDigest = &copied, 0, 0
		if got := i.credential(i.api, token); got.ID != access.ID || store.byHash != 1 || store.byDigest != 0 {
			t.Errorf("want one question by hash, got %d and %d by digest", store.byHash, store.byDigest)
		}
	})
}
