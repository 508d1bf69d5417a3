package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/gatewarden/auth/oauth2/server"
)

// oauthClientEnds checks that what a client loses is told.
func oauthClientEnds(t *testing.T, open openFunc[oauthStore]) {
	for name, end := range map[string]func(s oauthStore) (bool, []server.EndedGrant, error){
		"a client that is disabled": func(s oauthStore) (bool, []server.EndedGrant, error) {
			c := &server.Client{ID: "web", Disabled: true, Created: noon, Updated: fraction}
			return s.ChangeClient(s.Context(), c, noon)
		},
		"a confidential client that becomes public": func(s oauthStore) (bool, []server.EndedGrant, error) {
			c := &server.Client{ID: "web", AuthMethod: server.AuthNone, Created: noon, Updated: fraction}
			return s.ChangeClient(s.Context(), c, noon)
		},
		"a client that is removed": func(s oauthStore) (bool, []server.EndedGrant, error) {
			return s.RemoveClient(s.Context(), "web", fraction)
		},
	} {
		check(t, open, name+" tells which grants ended, in order", func(t *testing.T, open openFunc[oauthStore]) {
			oauthClientTells(t, open, end)
		})
	}
	check(t, open, "another change of a client ends nothing", oauthClientKeeps)
	check(t, open, "a confidential client that becomes public loses its grants, and no other change ends them",
		oauthPublicClientKeeps)
}

func oauthClientKeeps(t *testing.T, open openFunc[oauthStore]) {
	s := open(t)
	s.start("alice", "1")
	c := &server.Client{ID: "web", Name: "new", Created: noon, Updated: fraction}
	if ok, ended, err := s.ChangeClient(s.Context(), c, noon); !ok || ended != nil || err != nil {
		t.Errorf("got %v, %v, %v, want it changed and nothing ended", ok, ended, err)
	}
	s.wantLive(true, "1")
}

// oauthPublicClientKeeps checks that only the change from confidential to public ends something.
func oauthPublicClientKeeps(t *testing.T, open openFunc[oauthStore]) {
	s := open(t)
	was := noon
	change := func(method, name string, want ...server.EndedGrant) {
		t.Helper()
		c := &server.Client{ID: "web", Name: name, AuthMethod: method, Created: noon, Updated: was.Add(time.Second)}
		ok, ended, err := s.ChangeClient(s.Context(), c, was)
		if !ok || !slices.Equal(ended, want) || err != nil {
			t.Fatalf("%s: got %v, %v, %v, want it changed and %v ended", name, ok, ended, err, want)
		}
		was = c.Updated
	}
	s.start("alice", "1")
	late := &server.Client{ID: "web", AuthMethod: server.AuthNone, Created: noon, Updated: fraction}
	if ok, ended, err := s.ChangeClient(s.Context(), late, noon.Add(time.Microsecond)); ok || ended != nil ||
		err != nil {
		t.Fatalf("got %v, %v, %v of a change that is too late, want nothing", ok, ended, err)
	}
	change(server.AuthClientSecretPost, "another method")
	change(server.AuthNone, "public", server.EndedGrant{ID: "1", UserID: "alice"})
	s.start("alice", "2")
	change(server.AuthNone, "public still")
	change("", "confidential again")
	s.wantLive(true, "2")
	change(server.AuthNone, "public again", server.EndedGrant{ID: "2", UserID: "alice"})
}

// oauthPurgeEnded checks Purge of grants that ended.
func oauthPurgeEnded(t *testing.T, open openFunc[oauthStore]) {
	check(t, open, "a grant that ended is known for KeepEnded, and not after that", oauthPurgesEnded)
	check(t, open, "Purge removes ended grants in batches, whatever ended them, and no live grant",
		oauthPurgesEndedSteps)
	check(t, open, "a loop of logins leaves as many grants as the limit", oauthPurgesLoop)
}

func oauthPurgesEnded(t *testing.T, open openFunc[oauthStore]) {
	s := open(t)
	g := s.approve("alice", "1", "c")
	s.redeem("c", noon, oauthTokens(g, "t"), server.Redeemed)
	s.redeem("c", noon, oauthTokens(g, "u"), server.Reused)
	s.purge(oauthEndedGone.Add(-time.Microsecond), 9, 0)
	s.redeem("c", oauthEndedGone, oauthTokens(g, "u"), server.Revoked)
	s.rotate("t refresh", oauthEndedGone, 0, oauthTokens(g, "u"), server.Revoked)
	s.purge(oauthEndedGone, 9, 1)
	s.redeem("c", oauthEndedGone, oauthTokens(g, "u"), server.Unknown)
	s.rotate("t refresh", oauthEndedGone, 0, oauthTokens(g, "u"), server.Unknown)
	if access, _, err := s.FindAccess(s.Context(), "t access"); access != nil || err != nil {
		t.Errorf("got %+v, %v, want no token", access, err)
	}
	s.start("alice", "1") // its identifier and digests are free
}

func oauthPurgesEndedSteps(t *testing.T, open openFunc[oauthStore]) {
	s := open(t)
	s.addClient("closed", "")
	long := func(g *server.Grant) { g.ExpiresAt = noon.Add(900 * time.Hour) }
	for _, id := range []string{"1", "2", "3", "4", "5", "6"} {
		s.start("alice", id, long, func(g *server.Grant) {
			if id == "3" {
				g.ClientID = "closed"
			}
			g.SessionID = id
		})
	}
	s.start("bob", "bob's", long)
	_, err := s.End(s.Context(), "1", noon)
	s.must(err)
	_, err = s.EndSession(s.Context(), "2", noon)
	s.must(err)
	_, _, err = s.RemoveClient(s.Context(), "closed", noon)
	s.must(err)
	g := oauthGrant("alice", "7")
	long(g)
	added, err := s.Start(s.Context(), g, oauthTokens(g, "7"), 3, true)
	if err != nil || !slices.Equal(added.Evicted, []string{"4"}) {
		t.Fatalf("got %+v, %v, want the oldest evicted", added, err)
	}
	s.rotate("5 refresh", noon, 0, oauthTokens(oauthGrant("alice", "5"), "new"), server.Redeemed)
	s.rotate("5 refresh", noon, 0, oauthTokens(oauthGrant("alice", "5"), "again"), server.Reused)
	_, err = s.EndAll(s.Context(), "alice", "7", "", noon)
	s.must(err)
	s.purge(oauthEndedGone.Add(-time.Microsecond), 9, 0)
	for _, want := range []int{4, 2, 0} {
		s.purge(oauthEndedGone, 4, want)
	}
	s.wantLive(true, "7", "bob's")
}

func oauthPurgesLoop(t *testing.T, open openFunc[oauthStore]) {
	s := open(t)
	for i := range 20 {
		g := oauthGrant("alice", fmt.Sprintf("%02d", i))
		g.ExpiresAt = noon.Add(900 * time.Hour)
		_, err := s.Start(s.Context(), g, oauthTokens(g, g.ID), 3, true)
		s.must(err)
	}
	s.purge(oauthEndedGone, 99, 17)
}

func oauthClientTells(t *testing.T, open openFunc[oauthStore],
	end func(s oauthStore) (bool, []server.EndedGrant, error)) {
	s := open(t)
	s.addClient("other", "")
	s.start("bob", "3")
	s.start("", "2")
	s.approve("alice", "1", "c")
	s.start("alice", "0 over", func(g *server.Grant) { g.ExpiresAt = fraction })
	s.start("alice", "0 another's", func(g *server.Grant) { g.ClientID = "other" })
	ok, ended, err := end(s)
	if want := []server.EndedGrant{{ID: "1", UserID: "alice"}, {ID: "2"}, {ID: "3", UserID: "bob"}}; !ok ||
		err != nil || !slices.Equal(ended, want) {
		t.Errorf("got %v, %v, %v, want %v", ok, ended, err, want)
	}
	if ok, ended, err := end(s); ok || ended != nil || err != nil {
		t.Errorf("got %v, %v, %v the second time, want nothing", ok, ended, err)
	}
}

// oauthEndedGone is when a grant that ended at noon is purged.
var oauthEndedGone = noon.Add(server.KeepEnded)

func (s oauthStore) purge(now time.Time, limit, want int) {
	s.Helper()
	if n, err := s.Purge(s.Context(), now, limit); n != want || err != nil {
		s.Errorf("got %d, %v at %v, want %d", n, err, now.Sub(noon), want)
	}
}
