package faults

import (
	"testing"
	"time"

	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/knox"
)

// clocks are the stores of an engine, and the times of two instances that use them. Each method of a store takes the
// time of the instance that calls it.
type clocks struct {
	*testing.T
	app         *app
	slow, ahead time.Time
}

// TestUnitClocksOfStores has two instances use one store at times that are two minutes apart. TestUnitClocks does so
// with processes, in the long form.
func TestUnitClocksOfStores(t *testing.T) {
	onEach(t, "what one instance ended stays so for another time", func(t *testing.T, e engine) {
		a := newApp(t, e.shared(t).address, 10*time.Second)
		now := backend.StoreTime(time.Now())
		c := clocks{t, a, now, now.Add(skew)}
		c.tokens(c.slow, c.ahead)
		c.tokens(c.ahead, c.slow)
		c.logins(c.slow, c.ahead)
		c.logins(c.ahead, c.slow)
	})
}

func digest() string {
	return backend.TokenDigest(backend.NewToken("", "alice", backend.DefaultTokenLength), "")
}

// tokens makes a knox token at one time, uses it and ends it at another, and looks whether anything brings it back.
func (c clocks) tokens(made, other time.Time) {
	c.Helper()
	ctx, store := c.Context(), c.app.stores.knox
	kept := c.token(made)
	ended := c.token(made)
	if _, err := store.Purge(ctx, 100, knox.Ending{Reason: knox.EndRevoked, At: other}); err != nil {
		c.Fatal(err)
	}
	found, err := store.Revoke(ctx, "alice", ended.ID, knox.Ending{Reason: knox.EndRevoked, At: other})
	if err != nil || !found {
		c.Errorf("revoking a token of another time: got %v, %v, want that it is found", found, err)
	}
	for _, used := range []time.Time{made, other} {
		touch := knox.Touch{Digest: ended.Digest, Used: used, ExpiresAt: used.Add(2 * time.Hour),
			LiveUntil: ended.ExpiresAt}
		if err := store.Touch(ctx, touch); err != nil {
			c.Fatal(err)
		}
		if got, err := store.Find(ctx, ended.Digest); err != nil || got != nil {
			c.Errorf("after a use of a revoked token: got %v, %v, want none", got, err)
		}
		if got, err := store.Find(ctx, kept.Digest); err != nil || got == nil || !got.Live(used) {
			c.Errorf("a token that was kept: got %v, %v, want that it is live", got, err)
		}
	}
	ids, err := store.RevokeAll(ctx, "alice", "", "", knox.Ending{Reason: knox.EndRevoked, At: other})
	if err != nil || len(ids) != 1 {
		c.Errorf("revoking all at another time: got %v, %v, want the one that was kept", ids, err)
	}
}

// token adds a token for an hour.
func (c clocks) token(made time.Time) *knox.Record {
	c.Helper()
	r := &knox.Record{Digest: digest(), ID: backend.NewID(), UserID: "alice", Created: made,
		ExpiresAt: made.Add(time.Hour)}
	ending := knox.Ending{Reason: knox.EndEvicted, At: made}
	if _, err := c.app.stores.knox.Add(c.Context(), r, 0, false, ending); err != nil {
		c.Fatal(err)
	}
	return r
}

// logins starts a login with JWTs at one time, refreshes it at both, and uses a refresh token twice.
func (c clocks) logins(made, other time.Time) {
	c.Helper()
	family := &jwt.Session{ID: backend.NewID(), UserID: "alice", Created: made, LastUsed: made,
		ExpiresAt: made.Add(time.Hour), MaxExpiresAt: made.Add(24 * time.Hour)}
	first := c.refreshToken(family, made)
	if _, err := c.app.stores.jwt.Start(c.Context(), family, first, nil, 0, false); err != nil {
		c.Fatal(err)
	}
	second, third := c.refreshToken(family, other), c.refreshToken(family, made)
	c.rotate("the first refresh, at the other time", first, other, second, jwt.Rotated)
	c.rotate("the second refresh", second, made, third, jwt.Rotated)
	if _, err := c.app.stores.jwt.Purge(c.Context(), other, 100); err != nil {
		c.Fatal(err)
	}
	c.rotate("a token that was used", first, other, c.refreshToken(family, other), jwt.Reused)
	c.rotate("the newest token after it", third, made, c.refreshToken(family, made), jwt.Revoked)
}

func (c clocks) refreshToken(family *jwt.Session, made time.Time) *jwt.Refresh {
	return &jwt.Refresh{Digest: digest(), SessionID: family.ID, Issued: made, ExpiresAt: made.Add(time.Hour)}
}

// rotate uses a refresh token.
func (c clocks) rotate(what string, old *jwt.Refresh, now time.Time, next *jwt.Refresh, want jwt.Verdict) {
	c.Helper()
	got, err := c.app.stores.jwt.Rotate(c.Context(), old.Digest, now, 0, next)
	if err != nil || got.Verdict != want {
		c.Errorf("%s: got the verdict %v, %v, want %v", what, got.Verdict, err, want)
	}
}
