package redisstore

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/session"
	"github.com/gatewarden/auth/store/storetest"
)

func TestSessionsCached(t *testing.T) {
	t.Parallel()
	storetest.Sessions(t, func(t *testing.T) session.Store { return Sessions(openTest(t, Config{})) })
}

// newSession returns a session as the backend makes it, which slides by an hour, for a day at most.
func newSession(userID string, now time.Time) *session.Record {
	now = backend.StoreTime(now)
	digest := backend.TokenDigest(backend.NewToken("", userID, backend.DefaultTokenLength), "")
	return &session.Record{Digest: digest, ID: backend.NewIDOf(userID), UserID: userID, Created: now, LastUsed: now,
		ExpiresAt: now.Add(time.Hour), Idle: time.Hour, MaxExpiresAt: now.Add(24 * time.Hour)}
}

// addSession adds a session in place of another one, or of none if that is nil.
func addSession(t testing.TB, store session.Store, r, replaced *session.Record) {
	t.Helper()
	old := ""
	if replaced != nil {
		old = replaced.Digest
	}
	added, err := store.Add(t.Context(), r, old, 0, false, r.Created)
	if err != nil || (replaced != nil) != (added.Replaced != nil) {
		t.Fatalf("Add: got %+v, %v, want no error and that it replaced what it was told to", added, err)
	}
}

// usersApart returns two users with different tags.
func usersApart() (string, string) { return "alice", "bob" }

// sessionKeyTTLs returns how long each key of a prefix lives, and a negative time for ever.
func sessionKeyTTLs(t *testing.T, db *DB) map[string]time.Duration {
	t.Helper()
	all := make(map[string]time.Duration)
	for _, node := range db.client.Nodes() {
		for cursor := uint64(0); ; {
			command := node.B().Scan().Cursor(cursor).Match(db.config.Prefix + "*").Count(1000).Build()
			page, err := node.Do(t.Context(), command).AsScanEntry()
			if err != nil {
				t.Fatal(err)
			}
			for _, key := range page.Elements {
				left, err := node.Do(t.Context(), node.B().Pttl().Key(key).Build()).AsInt64()
				if err != nil {
					t.Fatal(err)
				}
				all[strings.TrimPrefix(key, db.config.Prefix)] = time.Duration(left) * time.Millisecond
			}
			if cursor = page.Cursor; cursor == 0 {
				break
			}
		}
	}
	return all
}

func TestUnitSessionKeysEnd(t *testing.T) {
	db := openTest(t, Config{MaxCached: -1})
	store := Sessions(db)
	now := time.Now()
	alice, bob := usersApart()
	first, second := newSession(alice, now), newSession(alice, now)
	third, fourth := newSession(alice, now), newSession(bob, now)
	addSession(t, store, first, nil)
	touch := session.Touch{Digest: first.Digest, Used: backend.StoreTime(now.Add(time.Minute)),
		ExpiresAt: backend.StoreTime(now.Add(time.Hour + time.Minute)), LiveUntil: first.ExpiresAt}
	if err := store.Touch(t.Context(), touch); err != nil {
		t.Fatal(err)
	}
	addSession(t, store, second, first)
	third.ID = second.ID
	if replaced, err := store.Replace(t.Context(), second.Digest, third, now); !replaced || err != nil {
		t.Fatalf("Replace: got %v, %v, want true", replaced, err)
	}
	touch.Digest = third.Digest
	if err := store.Touch(t.Context(), touch); err != nil {
		t.Fatal(err)
	}
	addSession(t, store, fourth, third)

	kinds := map[string]int{}
	for key, left := range sessionKeyTTLs(t, db) {
		name, _, _ := strings.Cut(key, ":")
		kinds[name]++
		most := 2*time.Hour + time.Minute + slack // twice the hour, and the minute of the touch
		if strings.HasSuffix(key, first.Digest) || strings.HasSuffix(key, second.Digest) {
			most = time.Minute + slack
		}
		if left <= 0 || left > most {
			t.Errorf("key %s lives for %v, want at most %v", key, left, most)
		}
	}
	// Three tombstones and a session. No user has a use left, since the last one touched is a tombstone by now. The
	// digests name
	// their tag, so there is no key that says where they are.
	want := map[string]int{"st": 4, "su": 1, "sv": 2, "sx": 2}
	if !maps.Equal(kinds, want) {
		t.Errorf("got these kinds of keys %v, want %v", kinds, want)
	}
}

func TestUnitSessionKeysAfterTheirEnd(t *testing.T) {
	db := openTest(t, Config{MaxCached: -1})
	store := Sessions(db)
	now := time.Now()
	var records []*session.Record
	for i := range 4 {
		r := newSession("alice", now)
		records = append(records, r)
		addSession(t, store, r, nil)
		touch := session.Touch{Digest: r.Digest, Used: backend.StoreTime(now.Add(time.Second)), LiveUntil: r.ExpiresAt}
		if err := store.Touch(t.Context(), touch); err != nil {
			t.Fatalf("Touch of session %d: got error %v, want nil", i, err)
		}
	}
	successor := newSession("alice", now)
	if replaced, err := store.Replace(t.Context(), records[3].Digest, successor, now); !replaced || err != nil {
		t.Fatalf("Replace: got %v, %v, want true", replaced, err)
	}
	if found, err := store.Revoke(t.Context(), "alice", records[0].ID); !found || err != nil {
		t.Fatalf("Revoke: got %v, %v, want true", found, err)
	}
	if ids, err := store.RevokeAll(t.Context(), "alice", records[1].Digest); len(ids) != 2 || err != nil {
		t.Fatalf("RevokeAll: got %v, %v, want 2 entries", ids, err)
	}
	if purged, err := store.Purge(t.Context(), now.Add(48*time.Hour), 100); len(purged) != 2 || err != nil {
		t.Fatalf("Purge: got %v, %v, want 2 entries", purged, err)
	}
	var left []string
	for key := range sessionKeyTTLs(t, db) {
		name, _, _ := strings.Cut(key, ":")
		left = append(left, name)
	}
	slices.Sort(left)
	if want := []string{"pv", "sv", "uc"}; !slices.Equal(left, want) { // versions only
		t.Errorf("got keys of the kinds %v, want %v", left, want)
	}
}

func TestUnitSessionKeyLivesLongerWhenUsed(t *testing.T) {
	for name, c := range map[string]struct{ left, want time.Duration }{
		"a key that lives long enough stays as it is": {time.Hour + time.Minute + slack,
			time.Hour + time.Minute + slack},
		"a key that would end too early is prolonged": {time.Hour - time.Minute + slack, 2*time.Hour + slack},
	} {
		t.Run(name, func(t *testing.T) {
			db := openTest(t, Config{MaxCached: -1})
			store, r := Sessions(db), newSession("alice", time.Now())
			addSession(t, store, r, nil)
			key := db.key(sessionRecords, tagOfOwner("alice"), r.Digest)
			command := db.client.B().Pexpire().Key(key).Milliseconds(c.left.Milliseconds()).Build()
			if err := db.client.Do(t.Context(), command).Error(); err != nil { // as if time had passed
				t.Fatal(err)
			}
			used := backend.StoreTime(r.Created.Add(time.Minute))
			touch := session.Touch{Digest: r.Digest, Used: used, ExpiresAt: used.Add(time.Hour), LiveUntil: r.ExpiresAt}
			if err := store.Touch(t.Context(), touch); err != nil {
				t.Fatal(err)
			}
			got, err := db.client.Do(t.Context(), db.client.B().Pttl().Key(key).Build()).AsInt64()
			left := time.Duration(got) * time.Millisecond
			if err != nil || left > c.want || left < c.want-30*time.Second {
				t.Errorf("got %v, %v, want %v", left, err, c.want)
			}
		})
	}
}

func TestUnitSessionPurgeMendsTheIndex(t *testing.T) {
	db := openTest(t, Config{MaxCached: -1})
	store, r := Sessions(db), newSession("alice", time.Now())
	addSession(t, store, r, nil)
	index := db.key(sessionExpiry, tagOfOwner("alice"), "")
	add := db.client.B().Zadd().Key(index).ScoreMember().ScoreMember(1, r.Digest).Build()
	if err := db.client.Do(t.Context(), add).Error(); err != nil {
		t.Fatal(err)
	}
	if purged, err := store.Purge(t.Context(), r.Created, 1); err != nil || len(purged) != 0 {
		t.Errorf("got %v, %v, want that a live session stays", purged, err)
	}
	score, err := db.client.Do(t.Context(), db.client.B().Zscore().Key(index).Member(r.Digest).Build()).AsFloat64()
	if want := float64(r.ExpiresAt.UnixMicro()); err != nil || score != want {
		t.Errorf("got the score %v, %v, want %v", score, err, want)
	}
}

// sessionCalls are all calls of a store that read the session r.
func sessionCalls(store session.Store, r *session.Record) map[string]func(ctx context.Context) error {
	now := r.Created
	return map[string]func(ctx context.Context) error{
		"Find": func(ctx context.Context) error {
			_, err := store.Find(ctx, r.Digest)
			return err
		},
		"Add within a limit": func(ctx context.Context) error {
			_, err := store.Add(ctx, newSession(r.UserID, now), "", 5, true, now)
			return err
		},
		"Add in its place": func(ctx context.Context) error {
			_, err := store.Add(ctx, newSession(r.UserID, now), r.Digest, 0, false, now)
			return err
		},
		"Add of another user in its place": func(ctx context.Context) error {
			_, err := store.Add(ctx, newSession("bob", now), r.Digest, 0, false, now)
			return err
		},
		"Touch": func(ctx context.Context) error {
			return store.Touch(ctx, session.Touch{Digest: r.Digest, Used: now.Add(time.Second), LiveUntil: r.ExpiresAt})
		},
		"Replace": func(ctx context.Context) error {
			_, err := store.Replace(ctx, r.Digest, newSession(r.UserID, now), now)
			return err
		},
		"List": func(ctx context.Context) error {
			_, err := store.List(ctx, r.UserID, "", 10, now)
			return err
		},
		"Revoke": func(ctx context.Context) error {
			_, err := store.Revoke(ctx, r.UserID, r.ID)
			return err
		},
		"RevokeAll": func(ctx context.Context) error {
			_, err := store.RevokeAll(ctx, r.UserID, "")
			return err
		},
		"Purge": func(ctx context.Context) error {
			// One that purges something tells of an unreadable value the next time.
			at := time.Now().Add(48 * time.Hour)
			for {
				if purged, err := store.Purge(ctx, at, 100); err != nil || len(purged) == 0 {
					return err
				}
			}
		},
	}
}

func TestUnitSessionThatCannotBeRead(t *testing.T) {
	for name, text := range map[string]string{"a text that is cut": `{"v":1,"i":"x`, "nothing": "",
		"a member of a later version": `{"v":2,"i":"x","c":1,"e":2,"zz":1}`, "two values": `{"v":1} {"v":1}`} {
		for _, useOrRecord := range []kind{sessionRecords, sessionUses} {
			db := openTest(t, Config{})
			store, r := Sessions(db), newSession("alice", time.Now())
			addSession(t, store, r, nil)
			key := db.key(useOrRecord, tagOfOwner("alice"), r.Digest)
			set := db.client.B().Set().Key(key).Value(text).Build()
			if err := db.client.Do(t.Context(), set).Error(); err != nil {
				t.Fatal(err)
			}
			for call, run := range sessionCalls(store, r) {
				t.Run(call+" with "+name+" in "+string(useOrRecord)+" is an error", func(t *testing.T) {
					if err := run(t.Context()); !errors.Is(err, ErrUnreadable) {
						t.Errorf("got %v, want ErrUnreadable", err)
					}
				})
			}
			got, err := db.client.Do(t.Context(), db.client.B().Get().Key(key).Build()).ToString()
			if err != nil || got != text {
				t.Errorf("the key has %q, %v by now, want %q", got, err, text)
			}
		}
	}
}

func TestUnitSessionKeyOfAnotherType(t *testing.T) {
	db := openTest(t, Config{})
	alice := tagOfOwner("alice")
	for name, keyOf := range map[string]func(r *session.Record) string{
		"the record":           func(r *session.Record) string { return db.key(sessionRecords, alice, r.Digest) },
		"the list of the user": func(*session.Record) string { return db.key(sessionLists, alice, "alice") },
		"the index by expiry":  func(*session.Record) string { return db.key(sessionExpiry, alice, "") },
	} {
		t.Run(name, func(t *testing.T) {
			store, r := Sessions(db), newSession("alice", time.Now())
			addSession(t, store, r, nil)
			key, client := keyOf(r), db.client
			for _, command := range []rueidis.Completed{client.B().Del().Key(key).Build(),
				client.B().Hset().Key(key).FieldValue().FieldValue("a", "b").Build()} {
				if err := client.Do(t.Context(), command).Error(); err != nil {
					t.Fatal(err)
				}
			}
			defer client.Do(t.Context(), client.B().Del().Key(key).Build())
			calls := sessionCalls(store, r)
			switch name { // the others do not use this key
			case "the list of the user":
				delete(calls, "Find")
				delete(calls, "Touch") // which moves no expiry
				delete(calls, "Add of another user in its place")
			case "the index by expiry":
				delete(calls, "Find")
				delete(calls, "List")
				delete(calls, "Touch")
			}
			for call, run := range calls {
				if err := run(t.Context()); err == nil || !strings.Contains(err.Error(), "another type") {
					t.Errorf("%s: got %v, want an error that says that the key has another type", call, err)
				}
			}
		})
	}
}

func TestUnitSessionTakesThePlaceOfAnotherUsers(t *testing.T) {
	alice, bob := usersApart()
	if tagOfOwner(alice) == tagOfOwner(bob) {
		t.Fatal("the users have one tag")
	}
	t.Run("a login that is cancelled on its way leaves no half", func(t *testing.T) {
		db := openTest(t, Config{})
		store, old, fresh := Sessions(db), newSession(alice, time.Now()), newSession(bob, time.Now())
		addSession(t, store, old, nil)
		addSession(t, store, newSession(bob, time.Now()), nil) // the script is loaded then, also in a Cluster
		client := db.client
		for calls := range 100 {
			ctx, cancel := context.WithCancel(t.Context())
			db.client = &hookedClient{client, onCall(calls, cancel)}
			_, err := store.Add(ctx, fresh, old.Digest, 0, false, fresh.Created)
			db.client = client
			cancel()
			tombstone, findErr := store.Find(t.Context(), old.Digest)
			added, addedErr := store.Find(t.Context(), fresh.Digest)
			if errors.Join(findErr, addedErr) != nil {
				t.Fatalf("Find: got errors %v and %v, want nil", findErr, addedErr)
			}
			if tombstone.IsTombstone() != (err == nil) || (added != nil) != (err == nil) {
				t.Fatalf("cancelled after %d calls of Redis, with error %v: found %+v and %+v", calls, err, tombstone,
					added)
			}
			if err == nil {
				// One call finds the old session, one reads for the first change and one makes it. A login that is
				// cancelled later is made to its end.
				if calls != 3 {
					t.Errorf("got that the login was made if cancelled after %d calls, want 3", calls)
				}
				return
			}
		}
		t.Error("got an error after 100 calls of Redis, want that the login is made")
	})
	t.Run("if the old session cannot be read, it stays, and the new one is without a cookie", func(t *testing.T) {
		db := openTest(t, Config{MaxCached: -1})
		store, old, fresh := Sessions(db), newSession(alice, time.Now()), newSession(bob, time.Now())
		addSession(t, store, old, nil)
		key := db.key(sessionRecords, tagOfOwner(alice), old.Digest)
		if err := db.client.Do(t.Context(), db.client.B().Set().Key(key).Value("{").Build()).Error(); err != nil {
			t.Fatal(err)
		}
		added, err := store.Add(t.Context(), fresh, old.Digest, 0, false, fresh.Created)
		if !errors.Is(err, ErrUnreadable) || added.Replaced != nil {
			t.Errorf("got %+v, %v, want ErrUnreadable", added, err)
		}
		list, err := store.List(t.Context(), bob, "", 10, fresh.Created)
		if err != nil || len(list) != 1 || list[0].ID != fresh.ID {
			t.Errorf("got %v, %v, want that the new session is listed, as the comment of Add says", list, err)
		}
	})
}

// hookedClient runs a function before each call.
type hookedClient struct {
	rueidis.Client
	before func()
}

func (c *hookedClient) Do(ctx context.Context, command rueidis.Completed) rueidis.RedisResult {
	c.before()
	return c.Client.Do(ctx, command)
}

func (c *hookedClient) DoMulti(ctx context.Context, commands ...rueidis.Completed) []rueidis.RedisResult {
	c.before()
	return c.Client.DoMulti(ctx, commands...)
}

// onCall returns a function that runs f when it is called after a number of other calls.
func onCall(after int, f func()) func() {
	return func() {
		if after--; after == -1 {
			f()
		}
	}
}
