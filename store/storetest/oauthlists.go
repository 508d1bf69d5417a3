package storetest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gatewarden/auth/oauth2/server"
)

// oauthLists checks the lists that come in pages. Those of clients are in [oauthClients].
func oauthLists(t *testing.T, open openFunc[oauthStore]) {
	checkPages(t, oauthPaged(open))
	check(t, open, "Grants returns a grant with the same fields as Grant", oauthGrantListed)
	check(t, open, "consents come in pages in order of client, and those of others are not among them",
		oauthConsentPages)
	check(t, open, "the grants of a user for each client come in pages", oauthClientPages)
	check(t, open, "a long list has each row once, whatever the limit of a page", oauthLongList)
}

func oauthGrantListed(t *testing.T, open openFunc[oauthStore]) {
	s := open(t)
	want := s.start("alice", "1", func(g *server.Grant) {
		g.Permissions = server.Permissions{{Resource: "b", Scopes: []string{odd, "read"}}, {Resource: "a"}}
		g.SessionID, g.Offline = "s", true
		g.AuthInfo.AuthTime, g.AuthInfo.AMR, g.AuthInfo.ACR, g.Stamp = fraction, []string{"pwd", "a b"}, "2",
			"stamp"
	})
	if got, err := s.Grants(s.Context(), "alice", "", 1, noon); err != nil || len(got) != 1 ||
		!sameRecord(got[0], want) {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
}

func oauthConsentPages(t *testing.T, open openFunc[oauthStore]) {
	s := open(t)
	agree := func(user, client string) {
		g := oauthGrant(user, user+client)
		g.ClientID = client
		added, err := s.approved(server.Approval{Grant: g, Code: oauthCode(g, g.ID), Remember: &server.Consent{
			UserID: user, ClientID: client, Permissions: oauthMay("of " + user), Created: noon, Updated: noon}})
		s.must(err)
		if !added {
			t.Fatal("not approved")
		}
	}
	for _, id := range []string{"c", "a", "B", "e", "d"} {
		s.addClient(id, "")
		agree("alice", id)
	}
	agree("bob", "web")
	agree("bob", "a")
	for limit, want := range map[int]string{1: "B|a|c|d|e", 2: "B a|c d|e", 5: "B a c d e", 9: "B a c d e"} {
		if got := s.consentPages(oauthMay("of alice"), limit); got != want {
			t.Errorf("got %s with a limit of %d, want %s", got, limit, want)
		}
	}
	if _, err := s.Withdraw(s.Context(), "alice", "c", noon); err != nil {
		t.Fatal(err)
	}
	if page, err := s.Consents(s.Context(), "alice", "c", 9); err != nil || len(page) != 2 ||
		page[0].ClientID != "d" {
		t.Errorf("got %+v, %v after a client that is gone, want d and e", page, err)
	}
}

// consentPages returns the clients of the consents of alice, page by page. It fails if a consent does not
// cover what alice agrees to.
func (s oauthStore) consentPages(agreed server.Permissions, limit int) string {
	s.Helper()
	var pages []string
	for after := ""; ; {
		page, err := s.Consents(s.Context(), "alice", after, limit)
		s.must(err)
		if len(page) == 0 {
			return strings.Join(pages, "|")
		}
		var ids []string
		for _, c := range page {
			ids = append(ids, c.ClientID)
			if !c.Covers(agreed) {
				s.Errorf("got %+v in alice's list", c)
			}
		}
		pages, after = append(pages, strings.Join(ids, " ")), ids[len(ids)-1]
	}
}

func oauthClientPages(t *testing.T, open openFunc[oauthStore]) {
	s := open(t)
	for _, id := range []string{"a", "b", "C"} {
		s.addClient(id, "")
	}
	grant := func(user, id, client string, minutes int, may server.Permissions) {
		s.start(user, id, func(g *server.Grant) {
			g.ClientID, g.Permissions = client, may
			g.Created = noon.Add(time.Duration(minutes) * time.Minute)
			g.LastUsed = g.Created.Add(time.Hour)
		})
	}
	grant("alice", "1", "a", 5, server.Permissions{{Resource: oauthOtherAPI, Scopes: []string{"write", odd}},
		{Scopes: []string{"openid"}}})
	grant("alice", "2", "a", -5, oauthMay("write", "read"))
	grant("alice", "3", "a", 0, oauthMay())
	grant("alice", "4", "C", 1, oauthMay())
	grant("bob", "5", "a", -9, oauthMay("secret"))
	grant("bob", "6", "b", -9, oauthMay("secret"))
	grant("", "7", "b", -9, oauthMay("own"))
	grant("alice", "8", "a", -30, oauthMay("ended"))
	_, err := s.End(s.Context(), "8", noon)
	s.must(err)
	s.start("alice", "9", func(g *server.Grant) { g.ClientID, g.ExpiresAt = "b", noon })
	first := &server.ClientGrants{ClientID: "C", Count: 1, Permissions: oauthMay(), Since: noon.Add(time.Minute),
		LastUsed: noon.Add(61 * time.Minute)}
	second := &server.ClientGrants{ClientID: "a", Count: 3, Since: noon.Add(-5 * time.Minute),
		LastUsed: noon.Add(65 * time.Minute), Permissions: server.Permissions{{Scopes: []string{"openid"}},
			{Resource: oauthAPI, Scopes: []string{"read", "write"}},
			{Resource: oauthOtherAPI, Scopes: []string{"write", odd}}}.Sorted()}
	for _, row := range []struct {
		after string
		limit int
		want  []*server.ClientGrants
	}{{"", 9, []*server.ClientGrants{first, second}}, {"", 1, []*server.ClientGrants{first}},
		{"C", 1, []*server.ClientGrants{second}}, {"C", 9, []*server.ClientGrants{second}}, {"a", 9, nil}, {"D", 9,
			[]*server.ClientGrants{second}}} {
		got, err := s.GrantsByClient(s.Context(), "alice", row.after, row.limit, noon)
		if err != nil || len(got) != len(row.want) || len(got) > 0 && !sameRecord(got, row.want) {
			t.Errorf("got %s, %v after %q, want %s", recordText(got), err, row.after, recordText(row.want))
		}
	}
	for _, user := range []string{"Alice", "alice ", "nobody"} {
		if got, err := s.GrantsByClient(s.Context(), user, "", 9, noon); len(got) != 0 || err != nil {
			t.Errorf("got %s, %v of %q, want nothing", recordText(got), err, user)
		}
	}
}

func oauthLongList(t *testing.T, open openFunc[oauthStore]) {
	s := open(t)
	for i := range 60 {
		s.start("alice", fmt.Sprintf("%03d", i*37%60))
	}
	for _, limit := range []int{7, 20, 59, 60, 61} {
		if n := s.countGrants(limit); n != 60 {
			t.Errorf("got %d rows with a limit of %d, want 60", n, limit)
		}
	}
}

// countGrants returns how many grants of alice all pages have, and fails if one comes out of order.
func (s oauthStore) countGrants(limit int) (n int) {
	s.Helper()
	for after, last := "", "999"; ; {
		page, err := s.Grants(s.Context(), "alice", after, limit, noon)
		s.must(err)
		for _, g := range page {
			if g.ID >= last {
				s.Errorf("got %s after %s with a limit of %d, want a smaller identifier", g.ID, last, limit)
			}
			last = g.ID
			n++
		}
		if after = last; len(page) < limit {
			return n
		}
	}
}

// oauthPaged opens stores of the authorization server for checkPages.
func oauthPaged(open openFunc[oauthStore]) openFunc[pageStore] {
	return func(t *testing.T) pageStore {
		s := open(t)
		return pageStore{
			add: func(user, id string, created time.Time) {
				s.start(user, id, func(g *server.Grant) { g.Created = created })
			},
			list: func(user, after string, limit int) (ids []string) {
				grants, err := s.Grants(s.Context(), user, after, limit, noon)
				s.must(err)
				for _, g := range grants {
					ids = append(ids, g.ID)
				}
				return ids
			},
			end: func(_, id string) {
				if ended, err := s.End(s.Context(), id, noon); !ended || err != nil {
					t.Errorf("End: got %v, %v, want true", ended, err)
				}
			},
		}
	}
}
