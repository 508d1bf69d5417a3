package redisstore

import (
	"slices"
	"testing"
	"time"

	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/oauth2/server"
)

// An approval that comes to nothing takes back what it noted under other tags.
func TestOAuthApprovalsThatComeToNothing(t *testing.T) {
	o := newOAuthTest(t, openTest(t, Config{MaxCached: -1}))
	approval := func(page string) server.Approval {
		g := o.grant("alice")
		return server.Approval{Grant: g, Interaction: page, Request: "request", RequestExpires: o.now.Add(time.Hour),
			Code: &server.Code{Digest: o.digest("alice"), GrantID: g.ID, ExpiresAt: o.now.Add(time.Minute)}}
	}
	page := func(userID string) string {
		digest := o.digest(userID)
		err := o.store.AddInteraction(t.Context(), &server.Interaction{ID: backend.NewID(), Digest: digest,
			UserID:  userID,
			Created: o.now, ExpiresAt: o.now.Add(time.Hour)}, 0)
		if err != nil {
			t.Fatal(err)
		}
		return digest
	}
	bobs := page("bob")
	for name, digest := range map[string]string{"a page that is gone": o.digest("alice"), "a page of bob": bobs} {
		if added, err := o.store.Approve(t.Context(), approval(digest)); !added.Answered || err != nil {
			t.Errorf("%s: got %+v, %v, want Answered", name, added, err)
		}
	}
	if i, err := o.store.Interaction(t.Context(), bobs, o.now); i == nil || err != nil {
		t.Errorf("the page of bob: got %+v, %v, want it there", i, err)
	}
	foreign := approval("")
	foreign.Code.GrantID = "another"
	if added, err := o.store.Approve(t.Context(), foreign); err == nil {
		t.Errorf("a code of another grant: got %+v", added)
	}
	index := o.db.key(oauthClientHas, tagOfOwner("web"), "web")
	if members, err := o.db.all(t.Context(), index); len(members) != 0 || err != nil {
		t.Errorf("the client has %q, %v, want no grant", members, err)
	}
	good := approval(page("alice"))
	o.add(o.store.Approve(t.Context(), good))
	again, err := o.store.Approve(t.Context(), approval(page("alice")))
	if !again.Answered || err != nil {
		t.Errorf("the second answer: got %+v, %v, want Answered", again, err)
	}
	over := approval("")
	over.Request, over.Limit = "", 1
	if added, err := o.store.Approve(t.Context(), over); !added.OverLimit || err != nil {
		t.Errorf("one too many: got %+v, %v, want OverLimit", added, err)
	}
	members, err := o.db.all(t.Context(), index)
	if want := []string{clientMember(good.Grant.ID, "alice")}; !slices.Equal(members, want) || err != nil {
		t.Errorf("the client has %q, %v, want %q", members, err, want)
	}
}

// A session whose identifier names no user may have grants with several tags. All end.
func TestOAuthSessionsWithOtherIdentifiers(t *testing.T) {
	o := newOAuthTest(t, openTest(t, Config{MaxCached: -1}))
	var want []server.EndedGrant
	for _, userID := range []string{"alice", "bob", "carol", "dave"} {
		g := o.grant(userID)
		g.SessionID = "of an application"
		o.add(o.store.Start(t.Context(), g, o.tokens(g), 0, false))
		want = append(want, server.EndedGrant{ID: g.ID, UserID: userID})
	}
	ended, err := o.store.EndSession(t.Context(), "of an application", o.now)
	if err != nil || !slices.Equal(ended, want) {
		t.Errorf("got %v, %v, want %v", ended, err, want)
	}
}

// The index that a limit reads has no grant that ended, so a client that starts grants all day costs the same each
// time.
func TestOAuthLimitsReadLiveGrantsOnly(t *testing.T) {
	o := newOAuthTest(t, openTest(t, Config{MaxCached: -1}))
	for range 20 {
		g := o.grant("")
		g.ID, g.SessionID = backend.NewIDOf("web"), ""
		tokens := o.tokens(g)
		tokens.Access.Digest, tokens.Refresh = o.digest("web"), nil
		o.add(o.store.Start(t.Context(), g, tokens, 3, true))
	}
	s := &oauthStore{o.db}
	index, _ := s.grantLists(tagOfOwner("web"), "", "web")
	if members, err := o.db.all(t.Context(), index); len(members) != 3 || err != nil {
		t.Errorf("got %d grants in the index, %v, want 3", len(members), err)
	}
}
