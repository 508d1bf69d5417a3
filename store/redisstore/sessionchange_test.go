package redisstore

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/session"
)

// sessionChange is what an instance does with a session. It reports its verdict.
type sessionChange func(ctx context.Context, store session.Store, r *session.Record) (bool, error)

func revokeIt(ctx context.Context, store session.Store, r *session.Record) (bool, error) {
	return store.Revoke(ctx, r.UserID, r.ID)
}

func revokeAll(ctx context.Context, store session.Store, r *session.Record) (bool, error) {
	ids, err := store.RevokeAll(ctx, r.UserID, "")
	return len(ids) == 1, err
}

func replaceIt(ctx context.Context, store session.Store, r *session.Record) (bool, error) {
	successor := newSession(r.UserID, r.Created)
	successor.ID = r.ID
	return store.Replace(ctx, r.Digest, successor, r.Created)
}

func loginOf(userID string) sessionChange {
	return func(ctx context.Context, store session.Store, r *session.Record) (bool, error) {
		added, err := store.Add(ctx, newSession(userID, r.Created), r.Digest, 0, false, r.Created)
		return added.Replaced != nil, err
	}
}

func loginBeside(evict bool) sessionChange {
	return func(ctx context.Context, store session.Store, r *session.Record) (bool, error) {
		added, err := store.Add(ctx, newSession(r.UserID, r.Created), "", 2, evict, r.Created)
		return !added.OverLimit, err
	}
}

func touchIt(ctx context.Context, store session.Store, r *session.Record) (bool, error) {
	used := backend.StoreTime(r.Created.Add(time.Minute))
	return true, store.Touch(ctx, session.Touch{Digest: r.Digest, Used: used, ExpiresAt: used.Add(time.Hour),
		LiveUntil: r.ExpiresAt})
}

func purgeIt(ctx context.Context, store session.Store, r *session.Record) (bool, error) {
	purged, err := store.Purge(ctx, r.ExpiresAt, 10)
	return len(purged) == 1, err
}

// purgeSteps is how many calls a purge makes until the session of alice is gone: two for the first 128 tags, of which
// alice has the 88th, and four for that tag. It goes on after that.
const purgeSteps = 6

// between is a change of one instance, before each of whose calls of Redis another instance makes a change.
type between struct {
	change, between sessionChange
	changed         bool // the verdict of change, if the other one came before its last step
	alice, bob      int  // sessions that are left
}

var betweens = map[string]between{
	"a replacement in a revocation":           {revokeIt, replaceIt, true, 0, 0},
	"a replacement in a revocation of all":    {revokeAll, replaceIt, true, 0, 0},
	"a use in a revocation":                   {revokeIt, touchIt, true, 0, 0},
	"a revocation in a revocation":            {revokeIt, revokeIt, false, 0, 0},
	"a revocation in a replacement":           {replaceIt, revokeIt, false, 0, 0},
	"a revocation of all in a replacement":    {replaceIt, revokeAll, false, 0, 0},
	"a replacement in a replacement":          {replaceIt, replaceIt, false, 1, 0},
	"a revocation in a use":                   {touchIt, revokeIt, true, 0, 0},
	"a replacement in a use":                  {touchIt, replaceIt, true, 1, 0},
	"a login in a use":                        {touchIt, loginOf("alice"), true, 1, 0},
	"a revocation in a login":                 {loginOf("alice"), revokeIt, false, 1, 0},
	"a login in a login":                      {loginOf("alice"), loginOf("alice"), false, 2, 0},
	"a revocation in a login of another user": {loginOf("bob"), revokeIt, false, 0, 1},
	"a login in a login of another user":      {loginOf("bob"), loginOf("alice"), false, 1, 1},
	"a login of another user in a login":      {loginOf("alice"), loginOf("bob"), false, 1, 1},
	"a login in a login with a limit":         {loginBeside(false), loginBeside(false), false, 2, 0},
	"a login in a login that evicts":          {loginBeside(true), loginBeside(true), true, 2, 0},
	"a replacement in a login that evicts":    {loginBeside(true), replaceIt, true, 2, 0},
	"a use that prolongs in a purge":          {purgeIt, touchIt, false, 1, 0},
	"a purge in a purge":                      {purgeIt, purgeIt, false, 0, 0},
	"a purge in a revocation":                 {revokeIt, purgeIt, false, 0, 0},
	"a revocation in a purge":                 {purgeIt, revokeIt, false, 0, 0},
}

// TestUnitSessionChangesBetween has one instance make a change before each call of Redis that a change of another
// instance makes, one after another. A race would meet few of these moments.
func TestUnitSessionChangesBetween(t *testing.T) {
	for name, c := range betweens {
		t.Run(name, func(t *testing.T) { c.run(t, strings.HasSuffix(name, "in a purge")) })
	}
}

func (c between) run(t *testing.T, purge bool) {
	first, second := pairOf(t, Config{MaxCached: -1})
	one, other, client := Sessions(first), Sessions(second), first.client
	first.purgeStart = func(int) int { return 0 }          // so that each purge makes the same calls: see purgeSteps
	addSession(t, one, newSession("bob", time.Now()), nil) // loads the script in a Cluster
	calls := 0
	for between := true; between && (!purge || calls < purgeSteps); calls++ {
		between = false
		endSessions(t, other)
		r := newSession("alice", time.Now())
		addSession(t, one, r, nil)
		first.client = &hookedClient{client, onCall(calls, func() {
			between = true
			if ok, err := c.between(t.Context(), other, r); err != nil || !ok {
				t.Errorf("the change between: got %v, %v, want true", ok, err)
			}
		})}
		changed, err := c.change(t.Context(), one, r)
		first.client = client
		if err != nil || between && changed != c.changed {
			t.Errorf("after %d calls: got %v, %v, want %v", calls, changed, err, c.changed)
		}
		if !between {
			break
		}
		for user, want := range map[string]int{"alice": c.alice, "bob": c.bob} {
			list, err := other.List(t.Context(), user, "", 10, r.Created)
			if err != nil || len(list) != want {
				t.Errorf("after %d calls: %s has %v, %v, want %d sessions", calls, user, list, err, want)
			}
		}
	}
	wantNoSessionKeys(t, second)
	if calls < 2 {
		t.Errorf("got %d calls of Redis, want 2 at least", calls)
	}
}

// endSessions ends all sessions of the users of the tests.
func endSessions(t *testing.T, store session.Store) {
	t.Helper()
	for _, user := range []string{"alice", "bob"} {
		if _, err := store.RevokeAll(t.Context(), user, ""); err != nil {
			t.Fatal(err)
		}
	}
}

// wantNoSessionKeys ends all sessions, and fails if a key is left that is no version.
func wantNoSessionKeys(t *testing.T, db *DB) {
	t.Helper()
	store := Sessions(db)
	endSessions(t, store)
	if _, err := store.Purge(t.Context(), time.Now().Add(48*time.Hour), 100); err != nil { // tombstones
		t.Fatal(err)
	}
	for key := range sessionKeyTTLs(t, db) {
		name, _, _ := strings.Cut(key, ":")
		switch kind(name) {
		case sessionVersion, purgeVersion, userChanges:
		default:
			t.Errorf("got the key %s after the end of all sessions", key)
		}
	}
}
