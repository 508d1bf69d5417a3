package storetest

import (
	"context"
	"reflect"
	"testing"
	"time"

	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/session"
)

// ownDigest returns a new digest in the form of backend.TokenDigest, and the hash inside it.
func ownDigest(t *testing.T, user string) (digest string, hash [32]byte) {
	t.Helper()
	digest = backend.TokenDigest(backend.NewToken("", user, backend.DefaultTokenLength), "")
	hash, ok := backend.DigestHash(digest)
	if !ok {
		t.Fatalf("%q has no hash", digest)
	}
	return digest, hash
}

// sameHashOf returns a digest with the same hash and another shard.
func sameHashOf(digest string) string {
	shard := "AAA"
	if digest[:3] == shard {
		shard = "BBB"
	}
	return shard + digest[3:]
}

// byHash is a look-up by hash with the test that uses it.
func byHash[R any](t *testing.T, find func(context.Context, [32]byte) (*R, error), hash [32]byte) *R {
	t.Helper()
	record, err := find(t.Context(), hash)
	if err != nil {
		t.Fatalf("by hash: %v", err)
	}
	return record
}

// knoxByHash checks the look-up by hash of a store that is a [knox.HashFinder].
func knoxByHash(t *testing.T, open openFunc[knoxStore]) {
	s := open(t)
	finder, ok := s.Store.(knox.HashFinder)
	if !ok {
		t.Skip("the store has no look-up by hash")
	}
	if finder.HashFinder(struct{ knox.Store }{s.Store}) != nil {
		t.Error("got a look-up for another store, want nil")
	}
	find := finder.HashFinder(s.Store)
	if find == nil {
		t.Fatal("got no look-up for the store itself")
	}
	digest, hash := ownDigest(t, "alice")
	if got := byHash(t, find, hash); got != nil {
		t.Errorf("found %+v before it was added, want nil", got)
	}
	r := record("alice", "1", 0)
	r.Digest = digest
	s.add(r)
	s.add(record("alice", "2", 0)) // its digest is of another form
	same := func(when string) {
		t.Helper()
		got, want := byHash(t, find, hash), s.find(digest)
		if got == nil || want == nil || !reflect.DeepEqual(normal(got), normal(want)) {
			t.Errorf("%s: by hash %+v, by digest %+v", when, got, want)
		}
	}
	same("added")
	s.touch(r, noon.Add(time.Minute), time.Time{})
	same("used")
	if _, err := s.RevokeAll(t.Context(), "alice", digest, "stamp", revokedAtNoon); err != nil {
		t.Fatal(err)
	}
	if same("given another stamp"); byHash(t, find, hash).Stamp != "stamp" {
		t.Error("got the stamp of before")
	}
	if _, err := s.Purge(t.Context(), 10, knox.Ending{At: noon.Add(9 * time.Hour)}); err != nil {
		t.Fatal(err)
	}
	same("live after a purge")
	if _, err := s.Purge(t.Context(), 10, knox.Ending{At: noon.Add(10 * time.Hour)}); err != nil {
		t.Fatal(err)
	}
	if got := byHash(t, find, hash); got != nil {
		t.Errorf("found %+v after it was purged, want nil", got)
	}
	checkSameHash(t, find, func(id, digest string) {
		r := record("alice", id, 0)
		r.Digest = digest
		s.add(r)
	}, func(id string) (bool, error) {
		return s.Revoke(t.Context(), "alice", id, revokedAtNoon)
	}, func(r *knox.Record) string { return r.Digest })
}

// checkSameHash checks that of two records with digests that differ in the shard alone, the hash leads to
// the one that is left when the other is removed, whichever was added first.
func checkSameHash[R any](t *testing.T, find func(context.Context, [32]byte) (*R, error), add func(id, digest string),
	remove func(id string) (bool, error), digestOf func(*R) string) {
	t.Helper()
	mustRemove := func(id string) {
		t.Helper()
		if ok, err := remove(id); !ok || err != nil {
			t.Fatalf("remove: got %v, %v, want true", ok, err)
		}
	}
	for _, first := range []bool{true, false} {
		digest, hash := ownDigest(t, "alice")
		twin := sameHashOf(digest)
		add("one", digest)
		add("twin", twin)
		if byHash(t, find, hash) == nil {
			t.Error("twins: found nothing, want either")
		}
		goes, stays, left := "one", "twin", twin
		if !first {
			goes, stays, left = "twin", "one", digest
		}
		mustRemove(goes)
		if got := byHash(t, find, hash); got == nil || digestOf(got) != left {
			t.Errorf("without %s: found %+v, want %s", goes, got, stays)
		}
		mustRemove(stays)
		if got := byHash(t, find, hash); got != nil {
			t.Errorf("without both: found %+v, want nil", got)
		}
	}
}

// sessionsByHash checks the look-up by hash of a store that is a [session.HashFinder].
func sessionsByHash(t *testing.T, open openFunc[sessionStore]) {
	s := open(t)
	finder, ok := s.Store.(session.HashFinder)
	if !ok {
		t.Skip("the store has no look-up by hash")
	}
	if finder.HashFinder(struct{ session.Store }{s.Store}) != nil {
		t.Error("got a look-up for another store, want nil")
	}
	find := finder.HashFinder(s.Store)
	if find == nil {
		t.Fatal("got no look-up for the store itself")
	}
	digest, hash := ownDigest(t, "alice")
	next, nextHash := ownDigest(t, "alice")
	if got := byHash(t, find, hash); got != nil {
		t.Errorf("found %+v before it was added, want nil", got)
	}
	r := sessionRecord("alice", "1", 0)
	r.Digest = digest
	s.add(r)
	s.touch(r, noon.Add(time.Minute), time.Time{})
	if got := byHash(t, find, hash); got == nil || got.ID != "1" || !got.LastUsed.Equal(noon.Add(time.Minute)) {
		t.Errorf("after a use: found %+v, want it with its last use", got)
	}
	successor := *r
	successor.Digest = next
	if replaced, err := s.Replace(t.Context(), digest, &successor, noon); err != nil || !replaced {
		t.Fatalf("Replace: got %v, %v, want true", replaced, err)
	}
	tombstone, got := byHash(t, find, hash), byHash(t, find, nextHash)
	if tombstone == nil || !tombstone.IsTombstone() || got == nil || got.IsTombstone() {
		t.Errorf("replaced: found %+v and %+v, want a tombstone and its successor", tombstone, got)
	}
	if found, err := s.Revoke(t.Context(), "alice", "1"); err != nil || !found {
		t.Fatalf("Revoke: got %v, %v, want true", found, err)
	}
	if got := byHash(t, find, nextHash); got != nil {
		t.Errorf("found %+v after it was revoked, want nil", got)
	}
	checkSameHash(t, find, func(id, digest string) {
		r := sessionRecord("alice", id, 0)
		r.Digest = digest
		s.add(r)
	}, func(id string) (bool, error) {
		return s.Revoke(t.Context(), "alice", id)
	}, func(r *session.Record) string { return r.Digest })
}
