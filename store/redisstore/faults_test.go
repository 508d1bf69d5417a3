package redisstore

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/internal/testserver"
	"github.com/gatewarden/auth/knox"
)

// tokenOf returns a record of a token that is good for an hour from now.
func tokenOf(userID string) *knox.Record {
	now := backend.StoreTime(time.Now())
	digest := backend.TokenDigest(backend.NewToken("", userID, backend.DefaultTokenLength), "")
	return &knox.Record{Digest: digest, ID: backend.NewID(), UserID: userID, Created: now,
		ExpiresAt: now.Add(time.Hour)}
}

func endNow() knox.Ending {
	return knox.Ending{Reason: knox.EndRevoked, At: backend.StoreTime(time.Now())}
}

// mustAdd adds a record.
func mustAdd(t *testing.T, s knox.Store, r *knox.Record) {
	t.Helper()
	if added, err := s.Add(t.Context(), r, 0, false, endNow()); err != nil || added.OverLimit {
		t.Fatalf("Add: %+v, %v", added, err)
	}
}

// wantFound checks whether a record is there.
func wantFound(t *testing.T, s knox.Store, r *knox.Record, want bool) {
	t.Helper()
	if got, err := s.Find(t.Context(), r.Digest); err != nil || (got != nil) != want {
		t.Errorf("found %v, %v, want %v", got, err, want)
	}
}

// wantOutage checks that an error is one with these words in it.
func wantOutage(t *testing.T, what string, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("%s: no error", what)
		return
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%s: %q does not say %q", what, err, word)
		}
	}
}

// failedOpen opens an instance that cannot be opened.
func failedOpen(t *testing.T, option rueidis.ClientOption, config Config) error {
	t.Helper()
	config.Logger = slog.New(slog.DiscardHandler)
	db, err := Open(t.Context(), option, config)
	if err == nil {
		db.Close()
		t.Error("Open has no error")
	}
	return err
}

func TestStartWithoutAServer(t *testing.T) {
	node := testserver.NewRedis(t)
	option := optionOf(t, node)
	node.Stop(t)
	wantOutage(t, "a server that is down", failedOpen(t, option, Config{}), "cannot be reached", node.Address())
}

func TestStartWithAWrongPassword(t *testing.T) {
	option := optionOf(t, testserver.Redis(t))
	password := option.Password
	option.Password = "wrong one"
	err := failedOpen(t, option, Config{})
	wantOutage(t, "a wrong password", err, "the user name or the password is wrong")
	if strings.Contains(err.Error(), "wrong one") || password != "" && strings.Contains(err.Error(), password) {
		t.Errorf("%q has a password", err)
	}
	option.Password = ""
	wantOutage(t, "no password", failedOpen(t, option, Config{}), "password")
}

func TestStartOnAReplica(t *testing.T) {
	primary := testserver.NewRedis(t)
	replica := testserver.NewRedis(t, testserver.RedisReplicaOf(primary))
	wantOutage(t, "a replica", failedOpen(t, optionOf(t, replica), Config{}), "replica", replica.Address())
}

func TestStartWithEviction(t *testing.T) {
	node := testserver.NewRedis(t, testserver.RedisSetting("maxmemory-policy", "volatile-lru"))
	option := optionOf(t, node)
	err := failedOpen(t, option, Config{})
	wantOutage(t, "eviction", err, "maxmemory-policy", "volatile-lru", "AllowEviction")
	if !errors.Is(err, ErrEviction) {
		t.Errorf("%v is not ErrEviction", err)
	}
	var log strings.Builder
	db, err := Open(t.Context(), option, Config{AllowEviction: true, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	db.Close()
	if !strings.Contains(log.String(), "volatile-lru") {
		t.Errorf("the log does not name the policy: %s", log.String())
	}
}

func TestBecomingAReplica(t *testing.T) {
	primary, node := testserver.NewRedis(t), testserver.NewRedis(t, testserver.RedisSetting("requirepass", ""))
	store := Knox(testRedis{optionOf(t, node), "x:"}.open(t, Config{Timeout: time.Second}))
	r := tokenOf("alice")
	mustAdd(t, store, r)
	_ = primary
	node.Do(t, "REPLICAOF", "127.0.0.1", "1") // which never answers
	_, err := store.Revoke(t.Context(), "alice", r.ID, endNow())
	wantOutage(t, "a revocation at a replica", err, "replica")
	node.Do(t, "REPLICAOF", "NO", "ONE")
	wantFound(t, store, r, true)
}

func TestScriptsAreForgotten(t *testing.T) {
	node := testserver.NewRedis(t, testserver.RedisAOF())
	store := Knox(testRedis{optionOf(t, node), "x:"}.open(t, Config{}))
	first, second := tokenOf("alice"), tokenOf("alice")
	mustAdd(t, store, first)
	node.Do(t, "SCRIPT", "FLUSH")
	mustAdd(t, store, second)
	wantFound(t, store, first, true)
	wantFound(t, store, second, true)
}

func TestKillAndRestart(t *testing.T) {
	node := testserver.NewRedis(t, testserver.RedisAOF())
	store := Knox(testRedis{optionOf(t, node), "x:"}.open(t, Config{Timeout: time.Second}))
	kept, revoked := tokenOf("alice"), tokenOf("bob")
	mustAdd(t, store, kept)
	mustAdd(t, store, revoked)
	wantFound(t, store, kept, true) // and is cached
	if ok, err := store.Revoke(t.Context(), "bob", revoked.ID, endNow()); !ok || err != nil {
		t.Fatalf("Revoke: got %v, %v, want true", ok, err)
	}
	node.Kill(t)
	eventually(t, "nothing cached is believed", func() bool {
		_, err := store.Find(t.Context(), kept.Digest)
		return err != nil
	})
	_, err := store.Find(t.Context(), revoked.Digest)
	wantOutage(t, "a look-up without a server", err)
	node.Start(t)
	eventually(t, "the server answers again", func() bool {
		_, err := store.Find(t.Context(), kept.Digest)
		return err == nil
	})
	wantFound(t, store, kept, true)
	wantFound(t, store, revoked, false)
	mustAdd(t, store, tokenOf("alice"))
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !is() {
		if time.Now().After(deadline) {
			t.Fatalf("not within 20 s: %s", what)
		}
	}
}

func TestFullMemory(t *testing.T) {
	node := testserver.NewRedis(t)
	db := testRedis{optionOf(t, node), "x:"}.open(t, Config{MaxCached: -1})
	store := Knox(db)
	first, second := tokenOf("alice"), tokenOf("alice")
	mustAdd(t, store, first)
	mustAdd(t, store, second)
	node.Do(t, "CONFIG", "SET", "maxmemory", "1")
	third := tokenOf("alice")
	_, err := store.Add(t.Context(), third, 0, false, endNow())
	wantOutage(t, "a login with a full memory", err, "memory of the server is full")
	wantFound(t, store, first, true)
	if ok, err := store.Revoke(t.Context(), "alice", first.ID, endNow()); !ok || err != nil {
		t.Errorf("a logout with a full memory: %v, %v", ok, err)
	}
	if ids, err := store.RevokeAll(t.Context(), "alice", "", "", endNow()); len(ids) != 1 || err != nil {
		t.Errorf("the end of all with a full memory: %v, %v", ids, err)
	}
	fourth := tokenOf("bob")
	node.Do(t, "CONFIG", "SET", "maxmemory", "0")
	mustAdd(t, store, fourth)
	node.Do(t, "CONFIG", "SET", "maxmemory", "1")
	kept := knox.Ending{Reason: knox.EndRevoked, At: endNow().At, Keep: true}
	_, err = store.Revoke(t.Context(), "bob", fourth.ID, kept)
	wantOutage(t, "a logout that is kept with a full memory", err, "memory of the server is full")
	wantFound(t, store, fourth, true)
	node.Do(t, "CONFIG", "SET", "maxmemory", "0")
	for _, gone := range []*knox.Record{first, second, third} {
		wantFound(t, store, gone, false)
	}
	all, err := store.List(t.Context(), "alice", "", 10, endNow().At)
	if len(all) != 0 || err != nil {
		t.Errorf("alice has %v, %v", all, err)
	}
}

func TestForeignValues(t *testing.T) {
	place := onNode(t)
	node := testserver.Redis(t)
	db := place.open(t, Config{MaxCached: -1})
	store := Knox(db)
	r := tokenOf("alice")
	tag := tagOfOwner("alice")
	key, list := db.key(knoxTokens, tag, r.Digest), db.key(knoxLists, tag, "alice")
	for _, value := range []string{"", "{", "[]", `{"v":1}{}`, `{"v":1,"u":"alice"}}`, `{"v":1,"unknown":1}`,
		`{"v":2}`, "\x00"} {
		node.Do(t, "SET", key, value)
		got, err := store.Find(t.Context(), r.Digest)
		if !errors.Is(err, ErrUnreadable) || got != nil {
			t.Errorf("%q: found %v, %v", value, got, err)
		}
		wantOutage(t, "an unreadable value", err, key)
		if err := store.Touch(t.Context(), knox.Touch{Digest: r.Digest, Used: r.Created}); !errors.Is(
			err, ErrUnreadable) {
			t.Errorf("%q: touched with %v", value, err)
		}
	}
	node.Do(t, "DEL", key)
	node.Do(t, "RPUSH", key, "of another type")
	_, err := store.Find(t.Context(), r.Digest)
	wantOutage(t, "another type", err, "another type", key)
	node.Do(t, "DEL", key)
	node.Do(t, "SET", list, "no list")
	_, err = store.Add(t.Context(), r, 0, false, endNow())
	wantOutage(t, "a list of another type", err, "another type")
	wantFound(t, store, r, false)
}

// A user's identifier is a part of keys, and may have the braces by which a Cluster chooses a slot.
func TestOddUsers(t *testing.T) {
	for _, place := range []testRedis{onNode(t), onCluster(t)} {
		store := Knox(place.open(t, Config{MaxCached: -1}))
		for _, userID := range []string{"{a}", "}{", "a:{b}", "*", "[x]", "\n", strings.Repeat("ä", 256), " "} {
			r := tokenOf(userID)
			mustAdd(t, store, r)
			wantFound(t, store, r, true)
			if all, err := store.List(t.Context(), userID, "", 10, r.Created); len(all) != 1 || err != nil {
				t.Errorf("%q has %v, %v", userID, all, err)
			}
			if ids, err := store.RevokeAll(t.Context(), userID, "", "", endNow()); len(ids) != 1 || err != nil {
				t.Errorf("%q lost %v, %v", userID, ids, err)
			}
		}
	}
}
