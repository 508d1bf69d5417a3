package storetest

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/oauth2/server"
)

func oauthClients(t *testing.T, open func(t *testing.T) oauthStore) {
	t.Run("a client is found as it was added, and once", func(t *testing.T) {
		s := open(t)
		want := &server.Client{ID: "A_b-1", SecretDigest: "digest", Name: odd, Owner: odd, AuthMethod: server.AuthClientSecretBasic, RedirectURIs: []string{"https://a.example/?x=1&y='"},
			PostLogoutRedirectURIs: []string{"com.example:/bye"}, GrantTypes: []string{"authorization_code", "x"}, Scopes: []string{"read", "a:b"}, Resources: []string{"https://api.example/"},
			ResourceServer: []string{"https://api.example/x"}, FirstParty: true, AllowWithoutPKCE: true,
			IDTokenAlgorithm: jwt.ES256, ClaimsInIDToken: true, Created: fraction, Updated: fraction.Add(time.Hour)}
		for i, added := range []bool{true, false} {
			again := *want
			if i > 0 {
				again.Name = "other"
			}
			if ok, err := s.added(&again); ok != added || err != nil {
				t.Errorf("AddClient: %v, %v", ok, err)
			}
		}
		if got, err := s.Client(s.Context(), "A_b-1"); err != nil || !sameRecord(got, want) {
			t.Errorf("%+v, %v", got, err)
		}
		for _, id := range []string{"a_b-1", "A_b-1 ", "", "A_b-"} {
			if got, err := s.Client(s.Context(), id); got != nil || err != nil {
				t.Errorf("%q: %+v, %v", id, got, err)
			}
		}
	})
	t.Run("clients are listed by owner or all, in order, from after one, up to a limit", func(t *testing.T) {
		s := open(t)
		for _, id := range []string{"d", "b", "c", "a", "B"} {
			s.addClient(id, map[bool]string{true: "alice"}[id != "c"])
		}
		for _, row := range []struct {
			owner, after string
			limit        int
			want         string
		}{{"alice", "", 9, "B a b d"}, {"", "", 9, "B a b c d web"}, {"alice", "a", 9, "b d"}, {"alice", "aa", 1, "b"}, {"", "d", 2, "web"}, {"alice", "d", 9, ""}, {"nobody", "", 9, ""}} {
			found, err := s.Clients(s.Context(), row.owner, row.after, row.limit)
			s.must(err)
			var ids []string
			for _, c := range found {
				ids = append(ids, c.ID)
			}
			if got := strings.Join(ids, " "); got != row.want {
				t.Errorf("%+v: %s", row, got)
			}
		}
	})
	t.Run("a client is changed by who knows how it is, and by nobody else", func(t *testing.T) {
		s := open(t)
		was := s.addClient("shop", "alice")
		change := func(name, owner string, updated, was time.Time, want bool) {
			t.Helper()
			c := &server.Client{ID: "shop", Name: name, Owner: owner, Created: noon, Updated: updated}
			if ok, _, err := s.ChangeClient(s.Context(), c, was); ok != want || err != nil {
				t.Errorf("%s: %v, %v", name, ok, err)
			}
		}
		change("first", "bob", fraction, was.Updated, true)
		change("late", "alice", fraction.Add(time.Second), was.Updated, false)
		if got, err := s.Client(s.Context(), "shop"); err != nil || got.Name != "first" || !got.Updated.Equal(fraction) {
			t.Errorf("%+v, %v", got, err)
		}
		if owned, err := s.Clients(s.Context(), "bob", "", 9); len(owned) != 1 || err != nil {
			t.Error("the owner has not changed")
		}
		if ok, _, err := s.ChangeClient(s.Context(), &server.Client{ID: "none", Updated: noon}, noon); ok || err != nil {
			t.Error(ok, err)
		}
	})
	t.Run("disabling or removing a client ends what it has, and lets it have no more", func(t *testing.T) {
		for name, end := range map[string]func(s oauthStore) (bool, error){
			"disable": func(s oauthStore) (bool, error) {
				return done(s.ChangeClient(s.Context(), &server.Client{ID: "web", Disabled: true, Created: noon, Updated: fraction}, noon))
			},
			"remove": func(s oauthStore) (bool, error) { return done(s.RemoveClient(s.Context(), "web", fraction)) },
		} {
			s := open(t)
			s.addClient("other", "")
			s.start("alice", "1")
			s.approve("bob", "2", "code")
			s.start("alice", "3", func(g *server.Grant) { g.ClientID = "other" })
			if ok, err := end(s); !ok || err != nil {
				t.Fatalf("%s: %v, %v", name, ok, err)
			}
			s.wantLive(false, "1", "2")
			s.wantLive(true, "3")
			if g, err := s.Grant(s.Context(), "1"); err != nil || !g.RevokedAt.Equal(fraction) {
				t.Errorf("%s: ended %v, %v", name, g.RevokedAt, err)
			}
			s.redeem("code", noon, oauthTokens(oauthGrant("bob", "2"), "new"), server.Revoked)
			g := oauthGrant("alice", "4")
			if ok, err := s.started(g, oauthTokens(g, "4")); ok || err != nil {
				t.Errorf("%s: started %v, %v", name, ok, err)
			}
			if ok, err := s.approved(server.Approval{Grant: g, Code: oauthCode(g, "4")}); ok || err != nil {
				t.Errorf("%s: approved %v, %v", name, ok, err)
			}
			if g, err := s.Grant(s.Context(), "4"); g != nil || err != nil {
				t.Errorf("%s: %+v, %v", name, g, err)
			}
		}
		s := open(t)
		if ok, _, err := s.RemoveClient(s.Context(), "none", noon); ok || err != nil {
			t.Error(ok, err)
		}
	})
	t.Run("a client is disabled from the start, or enabled again, and what had ended stays so", func(t *testing.T) {
		s := open(t)
		want := &server.Client{ID: "shop", Disabled: true, Created: noon, Updated: noon}
		_, err := s.added(want)
		s.must(err)
		if got, err := s.Client(s.Context(), "shop"); err != nil || !sameRecord(got, want) {
			t.Errorf("%+v, %v", got, err)
		}
		start := func(id string) bool {
			t.Helper()
			g := oauthGrant("alice", id)
			g.ClientID = "shop"
			ok, err := s.started(g, oauthTokens(g, id))
			s.must(err)
			return ok
		}
		change := func(disabled bool, updated, was time.Time) {
			t.Helper()
			if ok, _, err := s.ChangeClient(s.Context(), &server.Client{ID: "shop", Disabled: disabled, Created: noon, Updated: updated}, was); !ok || err != nil {
				t.Fatal(ok, err)
			}
		}
		if start("1") {
			t.Error("started for one that is disabled")
		}
		change(false, noon.Add(time.Second), noon)
		if !start("2") {
			t.Error("not started for one that is enabled")
		}
		change(true, noon.Add(2*time.Second), noon.Add(time.Second))
		change(true, noon.Add(3*time.Second), noon.Add(2*time.Second))
		change(false, noon.Add(4*time.Second), noon.Add(3*time.Second))
		if g, err := s.Grant(s.Context(), "2"); err != nil || !g.RevokedAt.Equal(noon.Add(2*time.Second)) {
			t.Errorf("%+v, %v", g, err)
		}
		if !start("3") {
			t.Error("not started for one that is enabled again")
		}
	})
	t.Run("a change that comes too late, or an addition of what is there, ends nothing", func(t *testing.T) {
		s := open(t)
		s.start("alice", "1")
		disabled := &server.Client{ID: "web", Disabled: true, Created: noon, Updated: fraction}
		if ok, _, err := s.ChangeClient(s.Context(), disabled, noon.Add(time.Microsecond)); ok || err != nil {
			t.Error(ok, err)
		}
		if ok, err := s.added(disabled); ok || err != nil {
			t.Error(ok, err)
		}
		s.wantLive(true, "1")
		s.start("alice", "2") // it is not disabled
	})
}

func oauthInteractions(t *testing.T, open func(t *testing.T) oauthStore) {
	t.Run("an interaction is there until it expires or is taken", func(t *testing.T) {
		s := open(t)
		want := &server.Interaction{ID: "0190163d-8694-739b-aea5-966c26f8ad91", Digest: "d", UserID: odd, SessionID: "s",
			Created: fraction, ExpiresAt: noon.Add(time.Hour), Data: []byte(`{"a":"\u0000ü"}`)}
		s.must(s.AddInteraction(s.Context(), want))
		if err := s.AddInteraction(s.Context(), &server.Interaction{Digest: "d", ExpiresAt: noon.Add(time.Hour)}); err == nil {
			t.Error("it was added again")
		}
		s.must(s.AddInteraction(s.Context(), &server.Interaction{Digest: "bare", Created: noon, ExpiresAt: noon.Add(time.Hour), Data: []byte("{}")}))
		for _, row := range []struct {
			digest string
			now    time.Time
			there  bool
		}{{"d", noon, true}, {"d", want.ExpiresAt.Add(-time.Microsecond), true}, {"d", want.ExpiresAt, false}, {"D", noon, false}, {"", noon, false}} {
			got, err := s.Interaction(s.Context(), row.digest, row.now)
			if err != nil || (got != nil) != row.there || row.there && !sameRecord(got, want) {
				t.Errorf("%+v: %+v, %v", row, got, err)
			}
		}
		if got, err := s.Interaction(s.Context(), want.ID, noon); got != nil || err != nil {
			t.Errorf("found by its identifier, which is not secret: %+v, %v", got, err)
		}
		if got, err := s.ConsumeInteraction(s.Context(), "d", want.ExpiresAt); got != nil || err != nil {
			t.Errorf("taken after it expired: %+v, %v", got, err)
		}
		if got, err := s.ConsumeInteraction(s.Context(), "d", noon); err != nil || !sameRecord(got, want) {
			t.Errorf("%+v, %v", got, err)
		}
		for _, digest := range []string{"d", "none"} {
			if got, err := s.ConsumeInteraction(s.Context(), digest, noon); got != nil || err != nil {
				t.Errorf("%s: %+v, %v", digest, got, err)
			}
		}
		if got, err := s.Interaction(s.Context(), "bare", noon); got == nil || err != nil {
			t.Errorf("another one: %+v, %v", got, err)
		}
	})
	t.Run("a key is fresh once, until it expires", func(t *testing.T) {
		s := open(t)
		for i, row := range []struct {
			key          string
			expires, now time.Time
			want         bool
		}{{"k", noon.Add(time.Minute), noon, true}, {"k", noon.Add(time.Hour), noon, false}, {"K", noon.Add(time.Minute), noon, true},
			{"k", noon.Add(time.Hour), noon.Add(time.Minute - time.Microsecond), false}, {"k", noon.Add(time.Hour), noon.Add(time.Minute), true}, {"k", noon.Add(time.Hour), noon.Add(59 * time.Minute), false},
			{odd, noon.Add(time.Hour), noon, true}, {odd, noon.Add(time.Hour), noon, false}, {odd + " ", noon.Add(time.Hour), noon, true}} {
			if got, err := s.PutOnce(s.Context(), row.key, row.expires, row.now); got != row.want || err != nil {
				t.Errorf("%d: %v, %v", i, got, err)
			}
		}
	})
}

func oauthConsents(t *testing.T, open func(t *testing.T) oauthStore) {
	approve := func(s oauthStore, id string, remember *server.Consent, recall bool, scopes ...string) bool {
		s.Helper()
		g := oauthGrant("alice", id)
		g.Permissions = oauthMay(scopes...)
		ok, err := s.approved(server.Approval{Grant: g, Code: oauthCode(g, id), Remember: remember, Recall: recall})
		s.must(err)
		return ok
	}
	consent := func(at time.Time, scopes ...string) *server.Consent {
		return &server.Consent{UserID: "alice", ClientID: "web", Permissions: oauthMay(scopes...), Created: at, Updated: at}
	}
	t.Run("what is agreed to is added to what was", func(t *testing.T) {
		s := open(t)
		if got, err := s.Consent(s.Context(), "alice", "web"); got != nil || err != nil {
			t.Errorf("%+v, %v", got, err)
		}
		approve(s, "1", consent(fraction, "read", odd), false, "read")
		if got, err := s.Consent(s.Context(), "alice", "web"); err != nil || !sameRecord(got, consent(fraction, "read", odd)) {
			t.Errorf("%+v, %v", got, err)
		}
		more := consent(fraction.Add(time.Hour), "write", "read")
		more.Permissions = server.Permissions{{Resource: oauthOtherAPI, Scopes: []string{"read"}},
			{Resource: oauthAPI, Scopes: []string{"write", "read"}}, {Scopes: []string{"openid"}}}
		approve(s, "2", more, false, "write")
		want := &server.Consent{UserID: "alice", ClientID: "web", Created: fraction, Updated: fraction.Add(time.Hour),
			Permissions: server.Permissions{{Resource: oauthAPI, Scopes: []string{"read", odd, "write"}},
				{Resource: oauthOtherAPI, Scopes: []string{"read"}}, {Scopes: []string{"openid"}}}}
		if got, err := s.Consent(s.Context(), "alice", "web"); err != nil || !sameRecord(got, want) {
			t.Errorf("%+v, %v", got, err)
		}
	})
	t.Run("a grant that rests on a consent needs one that covers it", func(t *testing.T) {
		s := open(t)
		if approve(s, "1", nil, true, "read") {
			t.Error("without a consent")
		}
		approve(s, "2", consent(noon, "read"), false, "read")
		if approve(s, "3", nil, true, "read", "write") {
			t.Error("for a scope that was not agreed to")
		}
		if !approve(s, "4", nil, true, "read") || !approve(s, "5", nil, true) {
			t.Error("not for what was agreed to")
		}
		g := oauthGrant("alice", "6")
		g.Permissions = server.Permissions{{Resource: oauthOtherAPI}}
		if ok, err := s.approved(server.Approval{Grant: g, Code: oauthCode(g, "6"), Recall: true}); ok || err != nil {
			t.Error("for a resource that was not agreed to", err)
		}
		for _, user := range []string{"Alice", "alice ", "bob"} {
			g := oauthGrant(user, "of "+user)
			if ok, err := s.approved(server.Approval{Grant: g, Code: oauthCode(g, user), Recall: true}); ok || err != nil {
				t.Errorf("%q: %v, %v", user, ok, err)
			}
		}
		s.wantLive(false, "1", "3", "6", "of bob")
		if code, _, err := s.FindCode(s.Context(), "3"); code != nil || err != nil {
			t.Error("the code is there", err)
		}
	})
	t.Run("consents are listed in order of client", func(t *testing.T) {
		s := open(t)
		for _, id := range []string{"b", "a", "B"} {
			s.addClient(id, "")
			g := oauthGrant("alice", id)
			g.ClientID = id
			c := consent(noon, "read")
			c.ClientID = id
			_, err := s.approved(server.Approval{Grant: g, Code: oauthCode(g, id), Remember: c})
			s.must(err)
		}
		all, err := s.Consents(s.Context(), "alice", "", 100)
		if err != nil || len(all) != 3 || all[0].ClientID != "B" || all[1].ClientID != "a" || all[2].ClientID != "b" {
			t.Errorf("%+v, %v", all, err)
		}
		if all, err := s.Consents(s.Context(), "bob", "", 100); len(all) != 0 || err != nil {
			t.Errorf("%+v, %v", all, err)
		}
		bobs := oauthGrant("bob", "bob's")
		bobs.ClientID = "a"
		_, err = s.approved(server.Approval{Grant: bobs, Code: oauthCode(bobs, "bob's"), Remember: &server.Consent{UserID: "bob", ClientID: "a", Created: noon, Updated: noon}})
		s.must(err)
		_, _, err = s.RemoveClient(s.Context(), "a", noon)
		s.must(err)
		if got, err := s.Consent(s.Context(), "bob", "a"); got != nil || err != nil {
			t.Errorf("another user's, after the client is gone: %+v, %v", got, err)
		}
		if all, err := s.Consents(s.Context(), "alice", "", 100); len(all) != 2 || err != nil {
			t.Errorf("after the client is gone: %+v, %v", all, err)
		}
	})
	t.Run("withdrawing ends all that the client has of the user, and nothing else", func(t *testing.T) {
		s := open(t)
		s.addClient("other", "")
		approve(s, "b", consent(noon, "read"), false, "read")
		s.start("alice", "a")
		s.start("alice", "expired", func(g *server.Grant) { g.ExpiresAt = noon })
		s.start("alice", "elsewhere", func(g *server.Grant) { g.ClientID = "other" })
		s.start("bob", "bob's")
		if ids, err := s.Withdraw(s.Context(), "alice", "web", fraction); err != nil || !slices.Equal(ids, []string{"a", "b"}) {
			t.Errorf("%v, %v", ids, err)
		}
		s.wantLive(false, "a", "b")
		s.wantLive(true, "elsewhere", "bob's")
		if got, err := s.Consent(s.Context(), "alice", "web"); got != nil || err != nil {
			t.Errorf("%+v, %v", got, err)
		}
		if g, err := s.Grant(s.Context(), "expired"); err != nil || !g.RevokedAt.IsZero() {
			t.Errorf("%+v, %v", g, err)
		}
		if ids, err := s.Withdraw(s.Context(), "alice", "web", noon); len(ids) != 0 || err != nil {
			t.Errorf("again: %v, %v", ids, err)
		}
	})
	t.Run("what is refused or an error is not remembered", func(t *testing.T) {
		s := open(t)
		s.addClient("closed", "")
		_, _, err := s.ChangeClient(s.Context(), &server.Client{ID: "closed", Disabled: true, Created: noon, Updated: fraction}, noon)
		s.must(err)
		g := oauthGrant("alice", "1")
		g.ClientID = "closed"
		remember := consent(noon, "read")
		remember.ClientID = "closed"
		if ok, err := s.approved(server.Approval{Grant: g, Code: oauthCode(g, "1"), Remember: remember}); ok || err != nil {
			t.Error(ok, err)
		}
		if got, err := s.Consent(s.Context(), "alice", "closed"); got != nil || err != nil {
			t.Errorf("for a client that gets nothing: %+v, %v", got, err)
		}
		approve(s, "2", consent(noon, "read"), false, "read")
		if approve(s, "3", consent(fraction, "read", "write"), true, "write") {
			t.Error("what is agreed to now is no consent of before")
		}
		again := oauthGrant("alice", "2")
		if ok, err := s.approved(server.Approval{Grant: again, Code: oauthCode(again, "4"), Remember: consent(fraction, "write")}); ok || err == nil {
			t.Error(ok, err)
		}
		if got, err := s.Consent(s.Context(), "alice", "web"); err != nil || !sameRecord(got, consent(noon, "read")) {
			t.Errorf("%+v, %v", got, err)
		}
		if !approve(s, "5", consent(fraction, "write"), true, "read") {
			t.Error("both are not approved")
		}
		if got, err := s.Consent(s.Context(), "alice", "web"); err != nil || !got.Covers(oauthMay("read", "write")) {
			t.Errorf("%+v, %v", got, err)
		}
	})
	t.Run("neither what was passed nor what was returned changes", func(t *testing.T) {
		s := open(t)
		spare := make([]string, 1, 4) // that appending would write to
		spare[0] = "read"
		approve(s, "1", consent(noon, spare...), false, "read")
		first, err := s.Consent(s.Context(), "alice", "web")
		s.must(err)
		more := consent(fraction, "write")
		approve(s, "2", more, false, "write")
		if !sameRecord(first, consent(noon, "read")) || !sameRecord(more, consent(fraction, "write")) || spare[:2][1] != "" {
			t.Errorf("%+v %+v %q", first, more, spare[:2])
		}
	})
	t.Run("users whose names differ by little are others", func(t *testing.T) {
		s := open(t)
		others := []string{"Alice", "alice ", "älice", "alic", "alice2", "' OR ''='", "%", ""}
		for _, user := range append(others, "alice") {
			g := oauthGrant(user, "of "+user)
			_, err := s.approved(server.Approval{Grant: g, Code: oauthCode(g, "of "+user),
				Remember: &server.Consent{UserID: user, ClientID: "web", Permissions: oauthMay(user + "."), Created: noon, Updated: noon}})
			s.must(err)
		}
		if ids, err := s.Withdraw(s.Context(), "alice", "web", noon); err != nil || !slices.Equal(ids, []string{"of alice"}) {
			t.Errorf("%q, %v", ids, err)
		}
		if ids, err := s.Withdraw(s.Context(), "Alice", "Web", noon); err != nil || len(ids) != 0 {
			t.Errorf("of another client: %q, %v", ids, err)
		}
		if ids, err := s.EndAll(s.Context(), "alice", "", "", noon); err != nil || len(ids) != 0 {
			t.Errorf("%q, %v", ids, err)
		}
		for _, user := range others {
			s.wantLive(true, "of "+user)
			if all, err := s.Consents(s.Context(), user, "", 100); err != nil || len(all) != 1 || !all[0].Covers(oauthMay(user+".")) {
				t.Errorf("%q: %+v, %v", user, all, err)
			}
		}
	})
}
