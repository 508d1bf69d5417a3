package storetest

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatewarden/auth/oauth2/server"
)

// oauthLimits checks the limit of grants, and what makes room.
func oauthLimits(t *testing.T, open openFunc[oauthStore]) {
	for _, l := range oauthLimitsOf {
		t.Run(l.name, func(t *testing.T) {
			if l.user != "" { // a client's own are counted by the same code
				checkLimitRace(t, l.limited(open))
			}
			l.check(t, open, "over the limit nothing changes", oauthOverLimit)
			l.check(t, open, "eviction ends the grants with the smallest identifiers, and their tokens", oauthEvicts)
			l.check(t, open, "grants that ended, expired or belong to others do not count and are not evicted",
				oauthLimitOthers)
			l.check(t, open, "a call that fails or is refused evicts no grant", oauthEvictsNothing)
		})
	}
	check(t, open, "the grants of a user count whatever their client is", oauthLimitClients)
	check(t, open, "tokens of another grant evict nothing", oauthLimitTokens)
	check(t, open, "over the limit a consent is not remembered", oauthLimitConsent)
}

func oauthLimitClients(t *testing.T, open openFunc[oauthStore]) {
	s := open(t)
	s.addClient("other", "")
	s.start("alice", "1", func(g *server.Grant) { g.ClientID = "other" })
	g := oauthGrant("alice", "2")
	if added, err := s.Start(s.Context(), g, oauthTokens(g, "2"), 1, true); err != nil ||
		!slices.Equal(added.Evicted, []string{"1"}) {
		t.Errorf("got %+v, %v, want [1]", added, err)
	}
}

func oauthLimitTokens(t *testing.T, open openFunc[oauthStore]) {
	s := open(t)
	s.start("alice", "1")
	if added, err := s.Start(s.Context(), oauthGrant("alice", "2"), oauthTokens(oauthGrant("alice", "1"), "2"), 1,
		true); err == nil {
		t.Errorf("got %+v, want an error", added)
	}
	s.wantLive(true, "1")
}

func oauthLimitConsent(t *testing.T, open openFunc[oauthStore]) {
	s := open(t)
	s.start("alice", "1")
	g := oauthGrant("alice", "2")
	if added, err := s.Approve(s.Context(), server.Approval{Grant: g, Code: oauthCode(g, "c"), Limit: 1,
		Remember: &server.Consent{UserID: "alice", ClientID: "web", Created: noon, Updated: noon}}); err != nil ||
		!added.OverLimit {
		t.Errorf("got %+v, %v, want OverLimit", added, err)
	}
	if got, err := s.Consent(s.Context(), "alice", "web"); got != nil || err != nil {
		t.Errorf("got %+v, %v, want no consent", got, err)
	}
}

// oauthClientLimits checks the limit of clients of an owner.
func oauthClientLimits(t *testing.T, open openFunc[oauthStore]) {
	check(t, open, "an owner has as many clients as the limit, whatever others have", oauthOwnerLimit)
	check(t, open, "of 32 clients at once an owner gets as many as the limit", oauthOwnerLimitRace)
}

func oauthOwnerLimit(t *testing.T, open openFunc[oauthStore]) {
	s := open(t)
	for i, row := range []struct {
		id    string
		owner string
		limit int
		want  server.Added
	}{{"a", "alice", 2, server.Added{}}, {"b", "alice", 2, server.Added{}}, {"c", "alice", 2,
		server.Added{OverLimit: true}},
		{"a", "alice", 2, server.Added{Refused: true}}, {"a", "bob", 9, server.Added{Refused: true}}, {"c", "Alice",
			2, server.Added{}},
		{"d", "bob", 1, server.Added{}}, {"e", "alice", 3, server.Added{}}, {"f", "alice", 0, server.Added{}}} {
		added, err := s.AddClient(s.Context(), &server.Client{ID: row.id, Owner: row.owner, Created: noon,
			Updated: noon}, row.limit)
		if err != nil || added.Refused != row.want.Refused || added.OverLimit != row.want.OverLimit {
			t.Errorf("%d: got %+v, %v, want %+v", i, added, err, row.want)
		}
	}
	if owned, err := s.Clients(s.Context(), "alice", "", 9); err != nil || len(owned) != 4 {
		t.Errorf("got %d clients, %v, want 4", len(owned), err)
	}
	_, _, err := s.RemoveClient(s.Context(), "a", noon)
	s.must(err)
	if added, err := s.AddClient(s.Context(), &server.Client{ID: "a", Owner: "alice", Created: noon,
		Updated: noon.Add(time.Second)}, 4); err != nil || !added.OK() {
		t.Errorf("got %+v, %v after one was removed, want OK", added, err)
	}
}

func oauthOwnerLimitRace(t *testing.T, open openFunc[oauthStore]) {
	s := open(t)
	var added, over atomic.Int32
	atOnce(32, func(i int) {
		got, err := s.AddClient(s.Context(), &server.Client{ID: fmt.Sprint(i), Owner: "alice", Created: noon,
			Updated: noon}, 10)
		switch {
		case err != nil:
			t.Error(err)
		case got.OK():
			added.Add(1)
		case got.OverLimit:
			over.Add(1)
		}
	})
	owned, err := s.Clients(s.Context(), "alice", "", 100)
	if err != nil || added.Load() != 10 || over.Load() != 22 || len(owned) != 10 {
		t.Errorf("got %d added, %d over the limit, %d there, %v, want 10, 22 and 10", added.Load(), over.Load(),
			len(owned), err)
	}
}
