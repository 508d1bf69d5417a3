package redisstore

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/internal/testserver"
	"github.com/gatewarden/auth/password"
)

// onceTest is a store with the test that uses it.
type onceTest struct {
	jwtTest
	password.OneTimeStore
}

func newOnceTest(t *testing.T, db *DB) onceTest {
	return onceTest{jwtTest{t: t, db: db, now: backend.StoreTime(time.Now())}, OneTime(db)}
}

// add adds a token as package password makes it, which is good for an hour, and returns its digest.
func (o onceTest) add(user string) string {
	o.t.Helper()
	digest := backend.TokenDigest(backend.NewToken("", user, backend.DefaultTokenLength), "")
	if err := o.Add(o.t.Context(), &password.OneTimeRecord{Digest: digest, UserID: user, Purpose: password.PurposeReset,
		Created: o.now, ExpiresAt: o.now.Add(time.Hour)}, 100, o.now); err != nil {
		o.t.Fatal(err)
	}
	return digest
}

func (o onceTest) redeem(digest string, want password.OneTimeVerdict) {
	o.t.Helper()
	if got, err := o.Redeem(o.t.Context(), digest, o.now); got != want || err != nil {
		o.t.Errorf("got %d, %v, want %d", got, err, want)
	}
}

func TestOneTimeKeysExpire(t *testing.T) {
	o := newOnceTest(t, openTest(t, Config{MaxCached: -1}))
	used := o.add("alice")
	o.redeem(used, password.OneTimeFirst)
	unused := o.add("alice")
	o.redeem(used, password.OneTimeUsed)
	seen := map[kind]int{}
	for key, left := range o.keys() {
		seen[kind(key[:2])]++
		want := time.Hour + slack
		if kind(key[:2]) == onceVersion {
			want = versionTTL
		}
		if left < want-time.Minute || left > want {
			t.Errorf("%s lives %v, want %v", key, left, want)
		}
	}
	if seen[onceRecords] != 2 || seen[onceLists] != 1 || seen[onceExpiry] != 1 || seen[oncePlaces] != 0 {
		t.Errorf("got keys %v, want two records and no places", seen)
	}
	o.do("DEL", o.key(onceRecords, unused))
	if n, err := o.Purge(t.Context(), o.now.Add(time.Hour), 100); n != 1 || err != nil {
		t.Errorf("got %d, %v, want 1, since one record has gone already", n, err)
	}
	o.add("alice") // which takes what has gone off the list
	if n, err := o.RemoveUnused(t.Context(), "alice"); n != 1 || err != nil {
		t.Errorf("got %d, %v, want 1", n, err)
	}
	for key := range o.keys() {
		if k := kind(key[:2]); k == onceRecords || k == onceLists || k == onceExpiry {
			t.Errorf("a purge left %s", key)
		}
	}
}

func TestOneTimeUnreadable(t *testing.T) {
	for _, value := range []string{"type", "{", `{"v":1,"later":1}`, ""} {
		o := newOnceTest(t, openTest(t, Config{MaxCached: -1}))
		digest := o.add("alice")
		key := o.key(onceRecords, digest)
		if o.do("DEL", key); value == "type" {
			o.do("LPUSH", key, "x")
		} else {
			o.do("SET", key, value)
		}
		errs := map[string]error{}
		_, errs["Find"] = o.Find(t.Context(), digest)
		_, errs["Redeem"] = o.Redeem(t.Context(), digest, o.now)
		_, errs["RemoveUnused"] = o.RemoveUnused(t.Context(), "alice")
		_, errs["Purge"] = o.Purge(t.Context(), o.now.Add(time.Hour), 10)
		errs["Add"] = o.Add(t.Context(), &password.OneTimeRecord{Digest: "other", UserID: "alice", Created: o.now,
			Purpose: password.PurposeReset, ExpiresAt: o.now.Add(time.Hour)}, 1, o.now)
		for name, err := range errs {
			if err == nil || value != "type" && !errors.Is(err, ErrUnreadable) {
				t.Errorf("%q: %s: got %v, want an error that says so", value, name, err)
			}
		}
	}
}

func TestOneTimeFullMemory(t *testing.T) {
	node := testserver.NewRedis(t)
	o := newOnceTest(t, testRedis{optionOf(t, node), "x:"}.open(t, Config{MaxCached: -1}))
	digest := o.add("alice")
	node.Do(t, "CONFIG", "SET", "maxmemory", "1")
	if verdict, err := o.Redeem(t.Context(), digest, o.now); err == nil || !strings.Contains(err.Error(), "memory") {
		t.Errorf("got %d, %v, want an error of the memory, since a use cannot be noted", verdict, err)
	}
	if n, err := o.RemoveUnused(t.Context(), "alice"); n != 1 || err != nil {
		t.Errorf("got %d, %v, want 1", n, err)
	}
	o.redeem(digest, password.OneTimeUnknown)
}

func TestOneTimePurgesManyUsers(t *testing.T) {
	o := newOnceTest(t, openTest(t, Config{MaxCached: -1}))
	const users = 50
	for i := range users {
		o.add(fmt.Sprint("user", i))
	}
	for step, want := range []int{20, 20, 10, 0} {
		if n, err := o.Purge(t.Context(), o.now.Add(time.Hour), 20); n != want || err != nil {
			t.Errorf("step %d: got %d, %v, want %d", step, n, err, want)
		}
	}
}

// TestOneTimeAddedMeanwhile checks that a change which read all unused tokens of a user misses none.
func TestOneTimeAddedMeanwhile(t *testing.T) {
	o := newOnceTest(t, openTest(t, Config{MaxCached: -1}))
	o.add("alice")
	c := newChange(o.db)
	if all, err := (&oneTimeStore{o.db}).unused(t.Context(), c, "alice"); len(all) != 1 || err != nil {
		t.Fatalf("unused: got %v, %v, want 1 entry", all, err)
	}
	o.add("alice")
	if written, err := c.commit(t.Context()); written || err != nil {
		t.Errorf("got %v, %v, want false, since a token was added", written, err)
	}
}
