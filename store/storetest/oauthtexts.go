package storetest

import (
	"slices"
	"testing"
	"time"

	"github.com/gatewarden/auth/oauth2/server"
)

// oauthTexts checks that texts are kept as they are and compared byte by byte, up to the longest ones.
func oauthTexts(t *testing.T, open openFunc[oauthStore]) {
	check(t, open, "clients with identifiers that differ by a byte are others, in order", oauthTextsOfClients)
	check(t, open, "users with names that differ by a byte are others", oauthTextsOfUsers)
	check(t, open, "owners of clients with names that differ by a byte are others", oauthTextsOfOwners)
	check(t, open, "sessions and keys that differ by a byte are others", oauthTextsOfSessions)
	check(t, open, "the longest texts of a client come back as they were", oauthTextsOfOneClient)
	check(t, open, "the longest texts of a grant and what is its own come back as they were", oauthTextsKept)
}

// clientIDs are names that have an order, without those that are there.
func clientIDs() []string {
	ids := names(longClientID)
	slices.Sort(ids)
	return ids
}

func oauthTextsOfClients(t *testing.T, open openFunc[oauthStore]) {
	s := open(t)
	ids := clientIDs()
	for i, id := range ids {
		s.addClient(id, "alice")
		g := oauthGrant("bob", "")
		g.ID, g.ClientID = string(rune('A'+i)), id
		consent := oauthConsent(noon, "read")
		consent.UserID, consent.ClientID = "bob", id
		ok, err := s.approved(server.Approval{Grant: g, Code: oauthCode(g, g.ID), Remember: consent})
		if !ok || err != nil {
			t.Fatalf("got %v, %v for the client %.80q, want true", ok, err, id)
		}
	}
	var listed, consents, grants []string
	clients, err := s.Clients(s.Context(), "alice", "", 1000)
	s.must(err)
	for _, c := range clients {
		listed = append(listed, c.ID)
	}
	wantOwn(t, "the owner", "alice", listed, ids...)
	agreed, err := s.Consents(s.Context(), "bob", "", 1000)
	s.must(err)
	for _, c := range agreed {
		consents = append(consents, c.ClientID)
	}
	wantOwn(t, "the consents of the user", "bob", consents, ids...)
	have, err := s.GrantsByClient(s.Context(), "bob", "", 1000, noon)
	s.must(err)
	for _, c := range have {
		grants = append(grants, c.ClientID)
	}
	wantOwn(t, "the grants of the user", "bob", grants, ids...)
	for i, id := range ids {
		page, err := s.Clients(s.Context(), "alice", id, 1)
		s.must(err)
		if want := next(ids, id); len(page) != len(want) || len(page) == 1 && page[0].ID != want[0] {
			t.Errorf("got %d clients after %.80q, want the next one", len(page), id)
		}
		if c, err := s.Client(s.Context(), id); err != nil || c == nil || c.ID != id {
			t.Errorf("got %+v, %v, want the client %.80q", c, err, id)
		}
		ended, err := s.Withdraw(s.Context(), "bob", id, noon)
		s.must(err)
		wantOwn(t, "what the user withdrew from", id, ended, string(rune('A'+i)))
	}
}

func oauthTextsOfUsers(t *testing.T, open openFunc[oauthStore]) {
	s := open(t)
	users := names(longUserID)
	eachName(users, func(user, number string) {
		g := oauthGrant("", number)
		g.UserID = user
		consent := oauthConsent(noon, "read")
		consent.UserID = user
		ok, err := s.approved(server.Approval{Grant: g, Code: oauthCode(g, "code "+number), Remember: consent})
		if !ok || err != nil {
			t.Fatalf("got %v, %v for the user %.80q, want true", ok, err, user)
		}
		s.must(s.AddInteraction(s.Context(), &server.Interaction{ID: number, Digest: "page " + number, UserID: user,
			Created: noon, ExpiresAt: noon.Add(time.Hour), Data: []byte("{}")}, 1))
	})
	eachName(users, func(user, number string) {
		var ids []string
		grants, err := s.Grants(s.Context(), user, "", 1000, noon)
		s.must(err)
		for _, g := range grants {
			ids = append(ids, g.ID)
		}
		wantOwn(t, "the user", user, ids, number)
		if c, err := s.Consent(s.Context(), user, "web"); err != nil || c == nil || c.UserID != user {
			t.Errorf("got %+v, %v, want the consent of %.80q", c, err, user)
		}
		i, err := s.Interaction(s.Context(), "page "+number, noon)
		if err != nil || i == nil || i.UserID != user {
			t.Errorf("got %+v, %v, want the page of %.80q, which no page of another user has replaced", i, err, user)
		}
	})
	eachName(users, func(user, number string) {
		ids, err := s.EndAll(s.Context(), user, "", "", noon)
		s.must(err)
		wantOwn(t, "the user", user, ids, number)
	})
}

func oauthTextsOfOwners(t *testing.T, open openFunc[oauthStore]) {
	s := open(t)
	eachName(names(longUserID), func(owner, number string) {
		client := &server.Client{ID: number, Owner: owner, Created: noon, Updated: noon}
		if added, err := s.AddClient(s.Context(), client, 1); !added.OK() || err != nil {
			t.Errorf("got %+v, %v for the first client of %.80q, want it added", added, err, owner)
		}
		clients, err := s.Clients(s.Context(), owner, "", 1000)
		if err != nil || len(clients) != 1 || clients[0].ID != number || clients[0].Owner != owner {
			t.Errorf("got %+v, %v, want the client of %.80q", clients, err, owner)
		}
	})
}

func oauthTextsOfSessions(t *testing.T, open openFunc[oauthStore]) {
	s := open(t)
	sessions := names(longID)
	eachName(sessions, func(session, number string) {
		s.start("alice", number, func(g *server.Grant) { g.SessionID = session })
	})
	eachName(sessions, func(session, number string) {
		ended, err := s.EndSession(s.Context(), session, noon)
		s.must(err)
		if len(ended) != 1 || ended[0].ID != number {
			t.Errorf("got %+v of the session %.80q, want the grant %s", ended, session, number)
		}
	})
	for _, want := range []bool{true, false} {
		for _, key := range sessions {
			if fresh, err := s.PutOnce(s.Context(), key, noon.Add(time.Hour), noon); fresh != want || err != nil {
				t.Errorf("got %v, %v for the key %.80q, want %v", fresh, err, key, want)
			}
		}
	}
}

// oauthTextsOfOneClient checks a client as large as a developer can make one, and larger.
func oauthTextsOfOneClient(t *testing.T, open openFunc[oauthStore]) {
	s := open(t)
	want := &server.Client{ID: longText(longClientID), Name: longText(200), Owner: longText(longUserID),
		SecretHash: longText(1024), Created: noon, Updated: noon, Scopes: longScopes()}
	for range 50 {
		want.RedirectURIs = append(want.RedirectURIs, longText(2048))
		want.SecretsRetired = append(want.SecretsRetired, longText(64))
	}
	if ok, err := s.added(want); !ok || err != nil {
		t.Fatalf("got %v, %v, want it added", ok, err)
	}
	if got, err := s.Client(s.Context(), want.ID); err != nil || !sameRecord(got, want) {
		t.Errorf("got %+v, %v\nwant %+v", got, err, want)
	}
}

func oauthTextsKept(t *testing.T, open openFunc[oauthStore]) {
	s := open(t)
	g := oauthGrant("", longText(longRecordID))
	g.UserID, g.SessionID, g.Type = longText(longUserID), longText(longID), longText(64)
	g.AuthInfo.ACR, g.AuthInfo.AMR = longText(1024), longMethods()
	g.Permissions = server.Permissions{{Resource: longText(2048), Scopes: longScopes()}, {Scopes: []string{"openid"}}}
	g.Extra = map[string]string{longText(100): longText(4 << 10), "\u0001": "\x01"}
	code := oauthCode(g, longText(46))
	code.RedirectURI, code.Nonce, code.Challenge = longText(2048), longText(2048), longText(43)
	page := &server.Interaction{ID: longText(longRecordID), Digest: longText(46), UserID: g.UserID,
		SessionID: g.SessionID, Created: noon, ExpiresAt: noon.Add(time.Hour),
		Data: []byte(`{"state":"` + longText(3400) + `\u0000"}`)}
	s.must(s.AddInteraction(s.Context(), page, 1))
	if got, err := s.Interaction(s.Context(), page.Digest, noon); err != nil || !sameRecord(got, page) {
		t.Errorf("got %+v, %v\nwant %+v", got, err, page)
	}
	ok, err := s.approved(server.Approval{Grant: g, Code: code, Interaction: page.Digest, Request: longText(longID),
		RequestExpires: noon.Add(time.Hour)})
	if !ok || err != nil {
		t.Fatalf("got %v, %v, want it approved", ok, err)
	}
	gotCode, gotGrant, err := s.FindCode(s.Context(), code.Digest)
	if err != nil || !sameRecord(gotCode, code) || !sameRecord(gotGrant, g) {
		t.Errorf("got %+v of %+v, %v\nwant %+v of %+v", gotCode, gotGrant, err, code, g)
	}
	tokens := oauthTokens(g, "new")
	tokens.Access.ID = longText(longRecordID)
	s.redeem(code.Digest, noon, tokens, server.Redeemed)
	access, _, err := s.FindAccess(s.Context(), tokens.Access.Digest)
	if err != nil || !sameRecord(access, tokens.Access) {
		t.Errorf("got %+v, %v\nwant %+v", access, err, tokens.Access)
	}
}
