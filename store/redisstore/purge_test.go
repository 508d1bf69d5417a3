package redisstore

import (
	"errors"
	"testing"
	"time"

	"github.com/gatewarden/auth/internal/testserver"
	"github.com/gatewarden/auth/knox"
)

// A value that cannot be read does not keep a purge from the others, and is told.
func TestPurgePassesOverWhatCannotBeRead(t *testing.T) {
	db := openTest(t, Config{MaxCached: -1})
	store := Knox(db)
	for _, user := range []string{"alice", "bob", "carol", "dave"} {
		mustAdd(t, store, tokenOf(user))
	}
	broken := tokenOf("erin")
	mustAdd(t, store, broken)
	testserver.Redis(t).Do(t, "SET", db.key(knoxTokens, tagOfOwner("erin"), broken.Digest), "no record")
	later := knox.Ending{Reason: knox.EndExpired, At: endNow().At.Add(2 * time.Hour)}
	if purged, err := store.Purge(t.Context(), 100, later); len(purged) != 4 || err != nil {
		t.Errorf("%d were purged, %v, want 4", len(purged), err)
	}
	if purged, err := store.Purge(t.Context(), 100, later); len(purged) != 0 || !errors.Is(err, ErrUnreadable) {
		t.Errorf("%d were purged, %v, want ErrUnreadable", len(purged), err)
	}
}
