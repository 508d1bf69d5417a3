package jwt_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/jwt"
)

// digests is a store that notes each digest that it is given.
type digests struct {
	jwt.Store
	mu   sync.Mutex
	seen []string
	ids  []string // of sessions
}

func (d *digests) note(digests ...string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.seen = append(d.seen, digests...)
}

func (d *digests) Start(ctx context.Context, session *jwt.Session, first, adopted *jwt.Refresh, limit int,
	evict bool) (jwt.Started, error) {
	d.note(first.Digest)
	if adopted != nil {
		d.note(adopted.Digest)
	}
	d.ids = append(d.ids, session.ID)
	return d.Store.Start(ctx, session, first, adopted, limit, evict)
}

func (d *digests) Find(ctx context.Context, digest string) (*jwt.Refresh, *jwt.Session, error) {
	d.note(digest)
	return d.Store.Find(ctx, digest)
}

func (d *digests) Rotate(ctx context.Context, old string, now time.Time, grace time.Duration,
	next *jwt.Refresh) (jwt.Rotation, error) {
	d.note(old, next.Digest)
	return d.Store.Rotate(ctx, old, now, grace, next)
}

func (d *digests) Use(ctx context.Context, digest string, now, ends time.Time) (jwt.Rotation, error) {
	d.note(digest)
	return d.Store.Use(ctx, digest, now, ends)
}

func (d *digests) Revoked(ctx context.Context, c jwt.Claimed, now time.Time) (bool, error) {
	if c.Digest != "" {
		d.note(c.Digest)
	}
	return d.Store.Revoked(ctx, c, now)
}

func TestUnitDigests(t *testing.T) {
	for name, reuse := range map[string]bool{"tokens that rotate": false, "tokens that stay good": true} {
		t.Run("the digests of "+name+" begin with the shard of their user", func(t *testing.T) {
			store := &digests{Store: jwt.NewMemoryStore()}
			tokens, _, secret := besideDjango(t, func(c *jwt.Config) {
				c.Store, c.Compat.AllowRefreshReuse = store, reuse
			})
			for range 2 {
				pair, err := tokens.Issue(t.Context(), "alice", jwt.Options{})
				wantOK(t, err)
				_, err = tokens.Verify(t.Context(), pair.Refresh.Reveal())
				wantOK(t, err)
				_, err = tokens.Refresh(t.Context(), pair.Refresh.Reveal())
				wantOK(t, err)
			}
			sliding, err := tokens.IssueSliding(t.Context(), "alice", jwt.Options{})
			wantOK(t, err)
			_, _, err = tokens.VerifyToken(t.Context(), sliding.Token.Reveal())
			wantOK(t, err)
			_, err = tokens.RefreshSliding(t.Context(), sliding.Token.Reveal())
			wantOK(t, err)
			_, err = tokens.Refresh(t.Context(), django(t, secret, "refresh", nil))
			wantOK(t, err)
			wantOK(t, tokens.Logout(t.Context(), django(t, secret, "refresh", map[string]any{"jti": "other"})))
			if len(store.seen) < 10 {
				t.Fatalf("got %d digests, want more", len(store.seen))
			}
			for _, digest := range store.seen {
				if len(digest) != 46 || !strings.HasPrefix(digest, backend.Shard("alice")) {
					t.Errorf("got the digest %q, want 46 characters from %q on", digest, backend.Shard("alice"))
				}
			}
			for _, id := range store.ids {
				if shard, ok := backend.IDShard(id); !ok || shard != backend.Shard("alice") {
					t.Errorf("got the login %q with the shard %q, want %q", id, shard, backend.Shard("alice"))
				}
			}
		})
	}
}

func wantOK(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err, auth.KindOf(err))
	}
}
