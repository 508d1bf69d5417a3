package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/gatewarden/auth/oauth2/server"
)

// oauthWaiting checks that requests that are never completed cost what is used one grant at most.
func oauthWaiting(t *testing.T, open openFunc[oauthStore]) {
	check(t, open, "grants whose code was not redeemed are evicted first", oauthWaitingFirst)
	check(t, open, "among them, those of the same client are evicted first", oauthWaitingClient)
	check(t, open, "a start without a code evicts the oldest grant, redeemed or not", oauthWaitingTokens)
	check(t, open, "a grant whose life was extended counts for the limit, and an expired one does not",
		oauthWaitingExtended)
}

func oauthWaitingFirst(t *testing.T, open openFunc[oauthStore]) {
	s := open(t)
	s.addClient("other", "")
	s.start("alice", "1")
	s.start("alice", "2")
	s.start("alice", "3")
	s.approveOver("4", "web", "1")
	s.approveOver("5", "web", "4")
	s.approveOver("6", "other", "5")
	s.approveOver("7", "web", "6")
	s.wantLive(true, "2", "3", "7")
	s.redeem("code 6", noon, oauthTokens(oauthGrant("alice", "6"), "6"), server.Revoked)
	s.redeem("code 7", noon, oauthTokens(oauthGrant("alice", "7"), "7"), server.Redeemed)
	s.approveOver("8", "web", "2")
}

func oauthWaitingClient(t *testing.T, open openFunc[oauthStore]) {
	s := open(t)
	s.addClient("other", "")
	s.approveOver("1", "other")
	s.approveOver("2", "web")
	s.start("alice", "0")
	s.approveOver("3", "web", "2")
	s.approveOver("4", "web", "3")
	s.start("alice", "5") // without a limit
	s.approveOver("6", "web", "4", "1")
	s.wantLive(true, "0", "5", "6")
	s.start("alice", "7")
	s.start("alice", "8")
	s.approveOver("9", "web", "6", "0", "5")
}

func oauthWaitingTokens(t *testing.T, open openFunc[oauthStore]) {
	s := open(t)
	s.start("alice", "1")
	s.approve("alice", "2", "c")
	g := oauthGrant("alice", "3")
	if added, err := s.Start(s.Context(), g, oauthTokens(g, "3"), 2, true); err != nil ||
		!slices.Equal(added.Evicted, []string{"1"}) {
		t.Errorf("got %+v, %v, want the oldest evicted", added, err)
	}
}

func oauthWaitingExtended(t *testing.T, open openFunc[oauthStore]) {
	s := open(t)
	for i, minutes := range []int{5, 1, 4, 2, 3} {
		s.start("alice", fmt.Sprint(i), func(g *server.Grant) {
			g.ExpiresAt = noon.Add(time.Duration(minutes) * time.Minute)
		})
	}
	tokens := oauthTokens(oauthGrant("alice", "1"), "more")
	if ok, err := s.AddAccess(s.Context(), tokens.Access, noon); !ok || err != nil {
		t.Fatalf("AddAccess: got %v, %v, want true", ok, err)
	}
	g := oauthGrant("alice", "9")
	g.Created = noon.Add(3 * time.Minute)
	if added, err := s.Start(s.Context(), g, oauthTokens(g, "9"), 3, true); err != nil ||
		!slices.Equal(added.Evicted, []string{"0"}) {
		t.Errorf("got %+v, %v, want the oldest of three that are live evicted", added, err)
	}
}

// approveOver approves a grant of alice with a limit of three, and fails unless these make room.
func (s oauthStore) approveOver(id, client string, want ...string) {
	s.Helper()
	g := oauthGrant("alice", id)
	g.ClientID = client
	added, err := s.Approve(s.Context(), server.Approval{Grant: g, Code: oauthCode(g, "code "+id), Limit: 3,
		EvictOldest: true})
	if err != nil || !added.OK() || !slices.Equal(added.Evicted, want) {
		s.Errorf("got %+v, %v for %s, want %v evicted", added, err, id, want)
	}
}
