package storetest

import (
	"testing"
	"time"

	"github.com/gatewarden/auth/oauth2/server"
)

// oauthAccess checks access tokens.
func oauthAccess(t *testing.T, open openFunc[oauthStore]) {
	check(t, open, "an access token is found as it was issued", oauthAccessFound)
	check(t, open, "Start with a stored digest or ID is an error and changes nothing", oauthAccessAgain)
	check(t, open, "AddAccess adds a token to a live grant and moves the expiry of the grant", oauthAccessAdded)
	check(t, open, "RemoveAccess removes one access token and leaves the rest of the grant", oauthAccessRemoved)
}

func oauthAccessFound(t *testing.T, open openFunc[oauthStore]) {
	s := open(t)
	g := oauthGrant("alice", "1")
	want := &server.Access{Digest: "d", ID: "jti", GrantID: "1", Scopes: []string{"read", "a:b"},
		Audience: []string{"https://api.example/", "https://x.example/'"}, Issued: fraction,
		ExpiresAt: fraction.Add(time.Hour)}
	if ok, err := s.started(g, server.Tokens{Access: want}); !ok || err != nil {
		t.Fatalf("started: got %v, %v, want true", ok, err)
	}
	got, grant, err := s.FindAccess(s.Context(), "d")
	if err != nil || !sameRecord(got, want) || !sameRecord(grant, g) {
		t.Errorf("FindAccess: got %+v, %+v, %v, want %+v and %+v", got, grant, err, want, g)
	}
	for _, digest := range []string{"D", "", "none"} {
		if got, grant, err := s.FindAccess(s.Context(), digest); got != nil || grant != nil || err != nil {
			t.Errorf("%q: FindAccess: got %+v, %v, want nil", digest, got, err)
		}
	}
	if refresh, grant, err := s.FindRefresh(s.Context(), "d"); refresh != nil || grant != nil || err != nil {
		t.Errorf("FindRefresh: got %+v, %v, want nil", refresh, err)
	}
}

func oauthAccessAgain(t *testing.T, open openFunc[oauthStore]) {
	s := open(t)
	s.start("alice", "1")
	for sentence, row := range map[string]struct {
		grant  *server.Grant
		tokens server.Tokens
	}{
		"the grant": {oauthGrant("bob", "1"), oauthTokens(oauthGrant("bob", "1"), "new")},
		"a token": {oauthGrant("bob", "2"),
			server.Tokens{Access: &server.Access{Digest: "1 access", GrantID: "2", ExpiresAt: noon}}},
		"one of another grant's": {oauthGrant("bob", "3"),
			server.Tokens{Access: &server.Access{Digest: "new access", GrantID: "1", ExpiresAt: noon}}},
	} {
		s.keeps(sentence, func() {
			if ok, err := s.started(row.grant, row.tokens); ok || err == nil {
				t.Errorf("%s: started: got %v, %v, want false and an error", sentence, ok, err)
			}
		}, "1", "1", "new")
	}
	s.start("bob", "2") // nothing of it is there
	s.wantLive(false, "3")
}

func oauthAccessAdded(t *testing.T, open openFunc[oauthStore]) {
	s := open(t)
	s.start("alice", "1")
	s.start("alice", "ended")
	_, err := s.End(s.Context(), "ended", noon)
	s.must(err)
	add := func(digest, grant string, expires, now time.Time, want bool) {
		t.Helper()
		if ok, err := s.AddAccess(s.Context(), &server.Access{Digest: digest, ID: digest, GrantID: grant, Issued: now,
			ExpiresAt: expires}, now); ok != want || err != nil {
			t.Errorf("%s: AddAccess: got %v, %v, want %v", digest, ok, err, want)
		}
	}
	add("a", "1", noon.Add(time.Minute), fraction, true)
	if g, err := s.Grant(s.Context(), "1"); err != nil || !g.LastUsed.Equal(fraction) ||
		!g.ExpiresAt.Equal(noon.Add(time.Hour)) {
		t.Errorf("Grant: got %+v, %v, want LastUsed %v and ExpiresAt %v", g, err, fraction, noon.Add(time.Hour))
	}
	add("b", "1", noon.Add(2*time.Hour), noon, true)
	if g, err := s.Grant(s.Context(), "1"); err != nil || !g.ExpiresAt.Equal(noon.Add(2*time.Hour)) {
		t.Errorf("Grant: got %+v, %v, want ExpiresAt %v", g, err, noon.Add(2*time.Hour))
	}
	add("c", "ended", noon.Add(time.Hour), noon, false)
	add("d", "none", noon.Add(time.Hour), noon, false)
	add("e", "1", noon.Add(9*time.Hour), noon.Add(2*time.Hour), false)
	s.keeps("one that is there", func() {
		if ok, err := s.AddAccess(s.Context(), &server.Access{Digest: "1 access", GrantID: "1",
			ExpiresAt: noon.Add(9 * time.Hour)}, fraction); ok || err == nil {
			t.Errorf("AddAccess: got %v, %v, want false and an error", ok, err)
		}
	}, "1", "1")
	for digest, want := range map[string]bool{"a": true, "b": true, "c": false, "d": false, "e": false} {
		if access, _, err := s.FindAccess(s.Context(), digest); (access != nil) != want || err != nil {
			t.Errorf("%s: FindAccess: got %+v, %v, want found to be %v", digest, access, err, want)
		}
	}
}

func oauthAccessRemoved(t *testing.T, open openFunc[oauthStore]) {
	s := open(t)
	s.start("alice", "1")
	for _, want := range []bool{true, false} {
		if ok, err := s.RemoveAccess(s.Context(), "1 access"); ok != want || err != nil {
			t.Errorf("RemoveAccess: got %v, %v, want %v", ok, err, want)
		}
	}
	if access, _, err := s.FindAccess(s.Context(), "1 access"); access != nil || err != nil {
		t.Errorf("FindAccess: got %+v, %v, want nil", access, err)
	}
	s.rotate("1 refresh", noon, 0, oauthTokens(oauthGrant("alice", "1"), "2"), server.Redeemed)
}
