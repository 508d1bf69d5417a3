package redisstore

import (
	"testing"
	"time"

	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/internal/testserver"
	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/session"
)

// A user who logs in for months while nobody purges leaves nothing behind: keys end by themselves, and each addition
// drops from the indexes what has gone.
func TestNothingGrowsWithoutPurge(t *testing.T) {
	place := onNode(t)
	db := place.open(t, Config{MaxCached: -1})
	tokens, sessions, logins := Knox(db), Sessions(db), JWT(db)
	start := backend.StoreTime(time.Now()).Add(-1000 * 24 * time.Hour)
	const days = 400
	for day := range days {
		now := start.Add(time.Duration(day) * 24 * time.Hour)
		r := tokenOf("alice")
		r.Created, r.ExpiresAt = now, now.Add(time.Hour)
		ending := knox.Ending{Reason: knox.EndRevoked, At: now, Keep: true, KeepFor: time.Hour}
		if _, err := tokens.Add(t.Context(), r, 0, false, ending); err != nil {
			t.Fatal(err)
		}
		if day%2 == 0 {
			if ok, err := tokens.Revoke(t.Context(), "alice", r.ID, ending); !ok || err != nil {
				t.Fatalf("Revoke: got %v, %v, want true", ok, err)
			}
		}
		s := &session.Record{Digest: tokenOf("alice").Digest, ID: backend.NewID(), UserID: "alice", Created: now,
			LastUsed: now, ExpiresAt: now.Add(time.Hour), MaxExpiresAt: now.Add(time.Hour)}
		if _, err := sessions.Add(t.Context(), s, "", 0, false, now); err != nil {
			t.Fatal(err)
		}
		f := &jwt.Session{ID: backend.NewIDOf("alice"), UserID: "alice", Created: now, LastUsed: now,
			ExpiresAt: now.Add(time.Hour), MaxExpiresAt: now.Add(time.Hour)}
		first := &jwt.Refresh{Digest: tokenOf("alice").Digest, SessionID: f.ID, Issued: now, ExpiresAt: f.ExpiresAt}
		if _, err := logins.Start(t.Context(), f, first, nil, 0, false); err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{db.key(knoxTokens, tagOfOwner("alice"), r.Digest),
			db.key(sessionRecords, tagOfOwner("alice"), s.Digest), db.key(jwtFamilies, tagOfOwner("alice"), f.ID),
			db.key(jwtTokens, tagOfOwner("alice"), first.Digest)} {
			testserver.Redis(t).Do(t, "DEL", key) // as its time to live does a day later
		}
	}
	left := 0
	for _, index := range []kind{knoxLists, sessionLists, jwtLists, knoxEnded} {
		left += cardinality(t, db.key(index, tagOfOwner("alice"), "alice"))
	}
	for _, index := range []kind{knoxExpiry, knoxEndings, sessionExpiry, jwtExpiry} {
		left += cardinality(t, db.key(index, tagOfOwner("alice"), ""))
	}
	if left > days {
		t.Errorf("%d members are left in 8 indexes after %d days", left, days)
	}
}

func cardinality(t *testing.T, index string) int {
	t.Helper()
	n, ok := testserver.Redis(t).Do(t, "ZCARD", index).(int64)
	if !ok {
		t.Fatalf("no number of members of %s", index)
	}
	t.Logf("%s has %d", index, n)
	return int(n)
}

// A change that reads all members of a list drops those whose records have gone.
func TestListsDropWhatHasGone(t *testing.T) {
	db := openTest(t, Config{MaxCached: -1})
	store, owner := Knox(db), tagOfOwner("alice")
	for range 50 {
		r := tokenOf("alice")
		mustAdd(t, store, r)
		testserver.Redis(t).Do(t, "DEL", db.key(knoxTokens, owner, r.Digest))
	}
	if _, err := store.Add(t.Context(), tokenOf("alice"), 3, true, endNow()); err != nil {
		t.Fatal(err)
	}
	if n := cardinality(t, db.key(knoxLists, owner, "alice")); n != 1 {
		t.Errorf("the list of alice has %d members", n)
	}
}
