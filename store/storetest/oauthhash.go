package storetest

import (
	"testing"
	"time"

	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/oauth2/server"
)

// oauthByHash checks the look-up by hash of a store that is a [server.HashFinder].
func oauthByHash(t *testing.T, open openFunc[oauthStore]) {
	check(t, open, "a look-up of an access token by hash, if there is one, finds what FindAccess does",
		oauthFindsByHash)
}

func oauthFindsByHash(t *testing.T, open openFunc[oauthStore]) {
	s := open(t)
	finder, ok := s.Store.(server.HashFinder)
	if !ok {
		t.Skip("the store has no look-up by hash")
	}
	if finder.HashFinder(struct{ server.Store }{s.Store}) != nil {
		t.Error("got a look-up for another store, want nil")
	}
	find := finder.HashFinder(s.Store)
	if find == nil {
		t.Fatal("got no look-up for the store itself")
	}
	own := backend.TokenDigest(backend.NewToken("", "alice", backend.DefaultTokenLength), "")
	hash, _ := backend.DigestHash(own)
	same := func(when string, want bool) {
		t.Helper()
		access, grant, err := find(t.Context(), hash)
		s.must(err)
		byDigest, itsGrant, err := s.FindAccess(t.Context(), own)
		s.must(err)
		if (access != nil) != want || !sameRecord(access, byDigest) || !sameRecord(grant, itsGrant) {
			t.Errorf("%s: by hash %+v of %+v, by digest %+v of %+v", when, access, grant, byDigest, itsGrant)
		}
	}
	same("before it is added", false)
	g := oauthGrant("alice", "1")
	tokens := oauthTokens(g, "1")
	tokens.Access.Digest = own
	ok, err := s.started(g, tokens)
	s.must(err)
	same("added", ok)
	if ok, err := s.AddAccess(t.Context(), oauthTokens(g, "other").Access, noon); !ok || err != nil {
		t.Fatalf("AddAccess with a digest of another form: got %v, %v, want true", ok, err)
	}
	same("with another token of its grant", true)
	if ok, err := s.AddAccess(t.Context(), &server.Access{Digest: own, GrantID: "1", ExpiresAt: noon.Add(time.Hour)},
		noon); err == nil {
		t.Errorf("added twice: %v, want an error", ok)
	}
	_, err = s.End(t.Context(), "1", noon)
	s.must(err)
	same("ended", true)
	oauthTwins(s, find, own)
	same("removed", false)
	oauthPurgedByHash(s, find)
}

// oauthTwins checks that a digest with the same hash and another shard is another one. It
// removes both.
func oauthTwins(s oauthStore, find server.FindAccessHash, own string) {
	s.Helper()
	twin := sameHashOf(own)
	if access, _, err := s.FindAccess(s.Context(), twin); access != nil || err != nil {
		s.Errorf("another shard: found %+v and %v, want nil and nil", access, err)
	}
	g := oauthGrant("bob", "twin")
	tokens := oauthTokens(g, "twin")
	tokens.Access.Digest = twin
	ok, err := s.started(g, tokens)
	s.must(err)
	if !ok {
		s.Error("another shard: not started")
	}
	s.wantOf("another shard", "twin", func() (*server.Access, *server.Grant,
		error) {
		return s.FindAccess(s.Context(), twin)
	})
	s.wantOf("its twin", "1", func() (*server.Access, *server.Grant, error) { return s.FindAccess(s.Context(), own) })
	hash, _ := backend.DigestHash(own)
	if access, _, err := find(s.Context(), hash); access == nil || err != nil {
		s.Errorf("their hash: found %+v and %v, want either", access, err)
	}
	remove := func(digest, other, grant string) {
		s.Helper()
		if ok, err := s.RemoveAccess(s.Context(), digest); !ok || err != nil {
			s.Errorf("removed: %v and %v, want true", ok, err)
		}
		s.wantOf("without its twin", grant, func() (*server.Access, *server.Grant, error) {
			return s.FindAccess(s.Context(), other)
		})
		s.wantOf("by hash without its twin", grant, func() (*server.Access, *server.Grant, error) {
			return find(s.Context(), hash)
		})
	}
	remove(twin, own, "1")
	again := *tokens.Access
	if ok, err := s.AddAccess(s.Context(), &again, noon); !ok || err != nil {
		s.Fatalf("got %v, %v, want true", ok, err)
	}
	remove(own, twin, "twin")
	if ok, err := s.RemoveAccess(s.Context(), twin); !ok || err != nil {
		s.Errorf("the last one was removed: %v and %v, want true", ok, err)
	}
	if access, _, err := find(s.Context(), hash); access != nil || err != nil {
		s.Errorf("both were removed: found %+v and %v, want nil and nil", access, err)
	}
}

// wantOf fails unless a look-up finds an access token of a grant.
func (s oauthStore) wantOf(when, grant string, find func() (*server.Access, *server.Grant, error)) {
	s.Helper()
	if access, _, err := find(); access == nil || access.GrantID != grant || err != nil {
		s.Errorf("%s: found %+v and %v, want that of the grant %s", when, access, err, grant)
	}
}

// oauthPurgedByHash checks that a purge removes what the hash leads to, with its grant and
// alone.
func oauthPurgedByHash(s oauthStore, find server.FindAccessHash) {
	s.Helper()
	for id, expires := range map[string]time.Time{"with its grant": noon.Add(time.Hour),
		"alone": noon.Add(9 * time.Hour)} {
		digest := backend.TokenDigest(backend.NewToken("", id, backend.DefaultTokenLength), "")
		hash, _ := backend.DigestHash(digest)
		g := oauthGrant("alice", id)
		g.ExpiresAt = expires
		tokens := oauthTokens(g, id)
		tokens.Access.Digest, tokens.Access.ExpiresAt = digest, noon.Add(time.Hour)
		_, err := s.started(g, tokens)
		s.must(err)
		_, err = s.Purge(s.Context(), noon.Add(time.Hour-time.Microsecond), 1000)
		s.must(err)
		if access, _, err := find(s.Context(), hash); access == nil || err != nil {
			s.Errorf("%s: found %+v and %v, want the token that has not expired", id, access, err)
		}
		_, err = s.Purge(s.Context(), noon.Add(time.Hour), 1000)
		s.must(err)
		if access, _, err := find(s.Context(), hash); access != nil || err != nil {
			s.Errorf("%s: found %+v and %v after the purge, want nil and nil", id, access, err)
		}
	}
}
