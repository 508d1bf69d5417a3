package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/gatewarden/auth/oauth2/server"
)

// oauthPurge checks Purge of what expired.
func oauthPurge(t *testing.T, open openFunc[oauthStore]) {
	check(t, open, "Purge removes expired records in batches, and nothing else", oauthPurges)
	check(t, open, "the tokens of a live grant are removed in steps", oauthPurgesTokens)
}

func oauthPurges(t *testing.T, open openFunc[oauthStore]) {
	s := open(t)
	for i := range 3 {
		id := fmt.Sprint("over", i)
		s.start("alice", id, func(g *server.Grant) { g.ExpiresAt = noon })
		s.must(s.AddInteraction(s.Context(), &server.Interaction{Digest: id, Created: noon, ExpiresAt: noon,
			Data: []byte("{}")}, 0))
		_, err := s.PutOnce(s.Context(), id, noon, noon.Add(-time.Second))
		s.must(err)
	}
	s.start("alice", "good", func(g *server.Grant) { g.ExpiresAt = noon.Add(9 * time.Hour) })
	s.approve("alice", "pending", "code")
	s.must(s.AddInteraction(s.Context(), &server.Interaction{Digest: "good", Created: noon,
		ExpiresAt: noon.Add(time.Microsecond), Data: []byte("{}")}, 0))
	_, err := s.PutOnce(s.Context(), "good", noon.Add(time.Microsecond), noon)
	s.must(err)
	if n, err := s.Purge(s.Context(), noon.Add(-time.Microsecond), 9); n != 0 || err != nil {
		t.Errorf("too early: %d, %v, want 0", n, err)
	}
	for _, want := range []int{2, 2, 2, 2, 1, 0} { // three grants, interactions and keys
		if n, err := s.Purge(s.Context(), noon, 2); n != want || err != nil {
			t.Errorf("%d, %v, want %d", n, err, want)
		}
	}
	for i := range 3 {
		s.wantPurged(fmt.Sprint("over", i))
	}
	if got, err := s.Interaction(s.Context(), "good", noon); got == nil || err != nil {
		t.Errorf("the interaction is gone before it expires: %v", err)
	}
	if fresh, err := s.PutOnce(s.Context(), "good", noon, noon); fresh || err != nil {
		t.Errorf("the key is gone before it expires: %v", err)
	}
	if code, _, err := s.FindCode(s.Context(), "code"); code == nil || err != nil {
		t.Errorf("the code is gone before it expires: %v", err)
	}
	oauthPurgesLater(t, s)
}

// wantPurged fails if a grant or its tokens are there.
func (s oauthStore) wantPurged(id string) {
	s.Helper()
	if g, err := s.Grant(s.Context(), id); g != nil || err != nil {
		s.Errorf("%+v, %v, want nil", g, err)
	}
	if access, _, err := s.FindAccess(s.Context(), id+" access"); access != nil || err != nil {
		s.Errorf("%+v, %v, want nil", access, err)
	}
	if refresh, _, err := s.FindRefresh(s.Context(), id+" refresh"); refresh != nil || err != nil {
		s.Errorf("%+v, %v, want nil", refresh, err)
	}
}

// oauthPurgesLater checks that of a live grant the tokens go one by one.
func oauthPurgesLater(t *testing.T, s oauthStore) {
	t.Helper()
	if n, err := s.Purge(s.Context(), noon.Add(2*time.Hour), 9); n != 4 ||
		err != nil { // the pending grant, an access token, an interaction, a key
		t.Errorf("Purge: got %d, %v, want 4: the pending grant, an access token, an interaction and a key", n, err)
	}
	if access, _, err := s.FindAccess(s.Context(), "good access"); access != nil || err != nil {
		t.Errorf("FindAccess: got %+v, %v, want nil", access, err)
	}
	if code, _, err := s.FindCode(s.Context(), "code"); code != nil || err != nil {
		t.Errorf("FindCode: got %+v, %v, want nil", code, err)
	}
	s.rotate("good refresh", noon.Add(2*time.Hour), 0, oauthTokens(oauthGrant("alice", "good"), "next"),
		server.Redeemed)
}

func oauthPurgesTokens(t *testing.T, open openFunc[oauthStore]) {
	s := open(t)
	g := s.start("alice", "1")
	old := "1 refresh"
	for i := range 3 { // five expire, and not the last access token
		tokens := oauthTokens(g, fmt.Sprint("t", i))
		tokens.Access.ExpiresAt, tokens.Refresh.ExpiresAt = noon.Add(time.Minute), noon.Add(time.Minute)
		if i == 2 {
			tokens.Access.ExpiresAt = noon.Add(9 * time.Hour)
		}
		s.rotate(old, noon, 0, tokens, server.Redeemed)
		old = tokens.Refresh.Digest
	}
	for _, want := range []int{2, 2, 1, 0} {
		if n, err := s.Purge(s.Context(), noon.Add(time.Minute), 2); n != want || err != nil {
			t.Errorf("%d, %v, want %d", n, err, want)
		}
	}
	for digest, want := range map[string]bool{"1 access": true, "t0 access": false, "t1 access": false,
		"t2 access": true} {
		if access, _, err := s.FindAccess(s.Context(), digest); (access != nil) != want || err != nil {
			t.Errorf("%s: FindAccess: got %+v, %v, want found to be %v", digest, access, err, want)
		}
	}
	for digest, want := range map[string]bool{"1 refresh": true, "t0 refresh": false, "t1 refresh": false,
		"t2 refresh": false} {
		if refresh, _, err := s.FindRefresh(s.Context(), digest); (refresh != nil) != want || err != nil {
			t.Errorf("%s: FindRefresh: got %+v, %v, want found to be %v", digest, refresh, err, want)
		}
	}
	// A replay is known as long as it would have been good.
	s.rotate("1 refresh", noon.Add(time.Minute), 0, oauthTokens(g, "x"), server.Reused)
	s.wantLive(false, "1")
}
