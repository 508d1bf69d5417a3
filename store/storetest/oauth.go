package storetest

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/oauth2/server"
)

// OAuth checks a [server.Store].
func OAuth(t *testing.T, open func(t *testing.T) server.Store) {
	for _, part := range []struct {
		name string
		run  func(t *testing.T, open func(t *testing.T) oauthStore)
	}{{"clients", oauthClients}, {"interactions", oauthInteractions}, {"consents", oauthConsents}, {"codes", oauthCodes}, {"refresh tokens", oauthRefresh},
		{"access tokens", oauthAccess}, {"grants", oauthGrants}, {"purging", oauthPurge}, {"races", oauthRaces}} {
		t.Run(part.name, func(t *testing.T) {
			part.run(t, func(t *testing.T) oauthStore {
				s := oauthStore{t, open(t)}
				s.addClient("web", "")
				return s
			})
		})
	}
	t.Run("a context that has ended is an error", func(t *testing.T) {
		s := open(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for name, call := range map[string]func() error{
			"AddClient":    func() error { _, err := s.AddClient(ctx, &server.Client{ID: "x", Updated: noon}); return err },
			"Client":       func() error { _, err := s.Client(ctx, "x"); return err },
			"Clients":      func() error { _, err := s.Clients(ctx, "", "", 1); return err },
			"ChangeClient": func() error { _, err := s.ChangeClient(ctx, &server.Client{ID: "x"}, noon); return err },
			"RemoveClient": func() error { _, err := s.RemoveClient(ctx, "x", noon); return err },
			"Pend":         func() error { return s.Pend(ctx, &server.Interaction{Digest: "x", Expires: noon}) },
			"Pending":      func() error { _, err := s.Pending(ctx, "x", noon); return err },
			"Take":         func() error { _, err := s.Take(ctx, "x", noon); return err },
			"Consent":      func() error { _, err := s.Consent(ctx, "x", "x"); return err },
			"Consents":     func() error { _, err := s.Consents(ctx, "x"); return err },
			"Withdraw":     func() error { _, err := s.Withdraw(ctx, "x", "x", noon); return err },
			"Approve": func() error {
				g := oauthGrant("alice", "g")
				_, err := s.Approve(ctx, server.Approval{Grant: g, Code: oauthCode(g, "c")})
				return err
			},
			"FindCode": func() error { _, _, err := s.FindCode(ctx, "x"); return err },
			"Redeem": func() error {
				_, err := s.Redeem(ctx, "x", noon, oauthTokens(oauthGrant("alice", "g"), "t"))
				return err
			},
			"Start": func() error {
				g := oauthGrant("alice", "g")
				_, err := s.Start(ctx, g, oauthTokens(g, "t"))
				return err
			},
			"FindRefresh": func() error { _, _, err := s.FindRefresh(ctx, "x"); return err },
			"Rotate": func() error {
				_, err := s.Rotate(ctx, "x", noon, 0, oauthTokens(oauthGrant("alice", "g"), "t"))
				return err
			},
			"FindAccess": func() error { _, _, err := s.FindAccess(ctx, "x"); return err },
			"AddAccess": func() error {
				_, err := s.AddAccess(ctx, oauthTokens(oauthGrant("a", "g"), "t").Access, noon)
				return err
			},
			"RemoveAccess": func() error { _, err := s.RemoveAccess(ctx, "x"); return err },
			"Grant":        func() error { _, err := s.Grant(ctx, "x"); return err },
			"Grants":       func() error { _, err := s.Grants(ctx, "x", noon); return err },
			"End":          func() error { _, err := s.End(ctx, "x", noon); return err },
			"EndSession":   func() error { _, err := s.EndSession(ctx, "x", noon); return err },
			"EndAll":       func() error { _, err := s.EndAll(ctx, "x", "", "", noon); return err },
			"PutOnce":      func() error { _, err := s.PutOnce(ctx, "x", noon, noon); return err },
			"Purge":        func() error { _, err := s.Purge(ctx, noon, 1); return err },
		} {
			if err := call(); err == nil {
				t.Errorf("%s went on", name)
			}
		}
	})
}

// oauthStore adds what tests say often.
type oauthStore struct {
	*testing.T
	server.Store
}

func (s oauthStore) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func (s oauthStore) addClient(id, owner string) *server.Client {
	s.Helper()
	c := &server.Client{ID: id, Name: id, Owner: owner, Created: noon, Updated: noon}
	ok, err := s.AddClient(s.Context(), c)
	s.must(err)
	if !ok {
		s.Fatalf("client %s is there", id)
	}
	return c
}

// oauthGrant is a grant of the client web that expires in an hour.
func oauthGrant(user, id string) *server.Grant {
	return &server.Grant{ID: id, ClientID: "web", UserID: user, Type: "authorization_code", Scopes: []string{"read"}, Resources: []string{"https://api.example/"},
		Created: noon, LastUsed: noon, Expires: noon.Add(time.Hour), Ends: noon.Add(24 * time.Hour)}
}

// oauthCode is good for a minute.
func oauthCode(g *server.Grant, digest string) *server.Code {
	return &server.Code{Digest: digest, GrantID: g.ID, Expires: noon.Add(time.Minute)}
}

// oauthTokens are an access token for two hours and a refresh token for three, with
// digests made of a name.
func oauthTokens(g *server.Grant, name string) server.Tokens {
	return server.Tokens{
		Access:  &server.Access{Digest: name + " access", ID: name + " id", GrantID: g.ID, Scopes: g.Scopes, Audience: g.Resources, Issued: noon, Expires: noon.Add(2 * time.Hour)},
		Refresh: &server.Refresh{Digest: name + " refresh", GrantID: g.ID, Issued: noon, Expires: noon.Add(3 * time.Hour)},
	}
}

// approve adds a grant with a code.
func (s oauthStore) approve(user, id, code string) *server.Grant {
	s.Helper()
	g := oauthGrant(user, id)
	ok, err := s.Approve(s.Context(), server.Approval{Grant: g, Code: oauthCode(g, code)})
	s.must(err)
	if !ok {
		s.Fatal("not approved")
	}
	return g
}

// start adds a grant with tokens, changed before.
func (s oauthStore) start(user, id string, changes ...func(*server.Grant)) *server.Grant {
	s.Helper()
	g := oauthGrant(user, id)
	for _, change := range changes {
		change(g)
	}
	ok, err := s.Start(s.Context(), g, oauthTokens(g, id))
	s.must(err)
	if !ok {
		s.Fatal("not started")
	}
	return g
}

func (s oauthStore) redeem(digest string, now time.Time, tokens server.Tokens, want server.Verdict) {
	s.Helper()
	verdict, err := s.Redeem(s.Context(), digest, now, tokens)
	if err != nil || verdict != want {
		s.Errorf("Redeem %s: %v, want %v (%v)", digest, verdict, want, err)
	}
}

func (s oauthStore) rotate(old string, now time.Time, grace time.Duration, tokens server.Tokens, want server.Verdict) server.Rotation {
	s.Helper()
	rotation, err := s.Rotate(s.Context(), old, now, grace, tokens)
	if err != nil || rotation.Verdict != want {
		s.Errorf("Rotate %s: %v, want %v (%v)", old, rotation.Verdict, want, err)
	}
	return rotation
}

// live reports whether a grant is.
func (s oauthStore) live(id string, now time.Time) bool {
	s.Helper()
	g, err := s.Grant(s.Context(), id)
	s.must(err)
	return g != nil && g.Live(now)
}

func (s oauthStore) wantLive(want bool, ids ...string) {
	s.Helper()
	for _, id := range ids {
		if got := s.live(id, noon); got != want {
			s.Errorf("grant %s is live: %v, want %v", id, got, want)
		}
	}
}

// sameRecord compares records as stores keep them: an empty list is as none.
func sameRecord(a, b any) bool {
	text := func(v any) string {
		out, _ := json.Marshal(v)
		return strings.NewReplacer("[]", "null", ":\"\"", ":null").Replace(string(out))
	}
	return reflect.TypeOf(a) == reflect.TypeOf(b) && text(a) == text(b)
}

const odd = "ä'\"\\%_ \u202e\U0001f512 "

var fraction = noon.Add(123456 * time.Microsecond)

func oauthClients(t *testing.T, open func(t *testing.T) oauthStore) {
	t.Run("a client is found as it was added, and once", func(t *testing.T) {
		s := open(t)
		want := &server.Client{ID: "A_b-1", SecretDigest: "digest", Name: odd, Owner: odd, AuthMethod: server.AuthClientSecretBasic, RedirectURIs: []string{"https://a.example/?x=1&y='"},
			PostLogoutRedirectURIs: []string{"com.example:/bye"}, GrantTypes: []string{"authorization_code", "x"}, Scopes: []string{"read", "a:b"}, Resources: []string{"https://api.example/"},
			ResourceServer: []string{"https://api.example/x"}, FirstParty: true, AllowWithoutPKCE: true, Created: fraction, Updated: fraction.Add(time.Hour)}
		for i, added := range []bool{true, false} {
			again := *want
			if i > 0 {
				again.Name = "other"
			}
			if ok, err := s.AddClient(s.Context(), &again); ok != added || err != nil {
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
			if ok, err := s.ChangeClient(s.Context(), c, was); ok != want || err != nil {
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
		if ok, err := s.ChangeClient(s.Context(), &server.Client{ID: "none", Updated: noon}, noon); ok || err != nil {
			t.Error(ok, err)
		}
	})
	t.Run("disabling or removing a client ends what it has, and lets it have no more", func(t *testing.T) {
		for name, end := range map[string]func(s oauthStore) (bool, error){
			"disable": func(s oauthStore) (bool, error) {
				return s.ChangeClient(s.Context(), &server.Client{ID: "web", Disabled: true, Created: noon, Updated: fraction}, noon)
			},
			"remove": func(s oauthStore) (bool, error) { return s.RemoveClient(s.Context(), "web", fraction) },
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
			if g, err := s.Grant(s.Context(), "1"); err != nil || !g.Ended.Equal(fraction) {
				t.Errorf("%s: ended %v, %v", name, g.Ended, err)
			}
			s.redeem("code", noon, oauthTokens(oauthGrant("bob", "2"), "new"), server.Revoked)
			g := oauthGrant("alice", "4")
			if ok, err := s.Start(s.Context(), g, oauthTokens(g, "4")); ok || err != nil {
				t.Errorf("%s: started %v, %v", name, ok, err)
			}
			if ok, err := s.Approve(s.Context(), server.Approval{Grant: g, Code: oauthCode(g, "4")}); ok || err != nil {
				t.Errorf("%s: approved %v, %v", name, ok, err)
			}
			if g, err := s.Grant(s.Context(), "4"); g != nil || err != nil {
				t.Errorf("%s: %+v, %v", name, g, err)
			}
		}
		s := open(t)
		if ok, err := s.RemoveClient(s.Context(), "none", noon); ok || err != nil {
			t.Error(ok, err)
		}
	})
}

func oauthInteractions(t *testing.T, open func(t *testing.T) oauthStore) {
	t.Run("an interaction is there until it expires or is taken", func(t *testing.T) {
		s := open(t)
		want := &server.Interaction{Digest: "d", UserID: odd, SessionID: "s", Created: fraction, Expires: noon.Add(time.Hour), Data: []byte(`{"a":"\u0000ü"}`)}
		s.must(s.Pend(s.Context(), want))
		if err := s.Pend(s.Context(), &server.Interaction{Digest: "d", Expires: noon.Add(time.Hour)}); err == nil {
			t.Error("it was added again")
		}
		s.must(s.Pend(s.Context(), &server.Interaction{Digest: "bare", Created: noon, Expires: noon.Add(time.Hour), Data: []byte("{}")}))
		for _, row := range []struct {
			digest string
			now    time.Time
			there  bool
		}{{"d", noon, true}, {"d", want.Expires.Add(-time.Microsecond), true}, {"d", want.Expires, false}, {"D", noon, false}, {"", noon, false}} {
			got, err := s.Pending(s.Context(), row.digest, row.now)
			if err != nil || (got != nil) != row.there || row.there && !sameRecord(got, want) {
				t.Errorf("%+v: %+v, %v", row, got, err)
			}
		}
		if got, err := s.Take(s.Context(), "d", want.Expires); got != nil || err != nil {
			t.Errorf("taken after it expired: %+v, %v", got, err)
		}
		if got, err := s.Take(s.Context(), "d", noon); err != nil || !sameRecord(got, want) {
			t.Errorf("%+v, %v", got, err)
		}
		for _, digest := range []string{"d", "none"} {
			if got, err := s.Take(s.Context(), digest, noon); got != nil || err != nil {
				t.Errorf("%s: %+v, %v", digest, got, err)
			}
		}
		if got, err := s.Pending(s.Context(), "bare", noon); got == nil || err != nil {
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
			{"k", noon.Add(time.Hour), noon.Add(time.Minute - time.Microsecond), false}, {"k", noon.Add(time.Hour), noon.Add(time.Minute), true}, {"k", noon.Add(time.Hour), noon.Add(59 * time.Minute), false}} {
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
		g.Scopes = scopes
		ok, err := s.Approve(s.Context(), server.Approval{Grant: g, Code: oauthCode(g, id), Remember: remember, Recall: recall})
		s.must(err)
		return ok
	}
	consent := func(at time.Time, scopes ...string) *server.Consent {
		return &server.Consent{UserID: "alice", ClientID: "web", Scopes: scopes, Resources: []string{"https://api.example/"}, Created: at, Updated: at}
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
		more.Resources = []string{"https://other.example/"}
		approve(s, "2", more, false, "write")
		want := &server.Consent{UserID: "alice", ClientID: "web", Scopes: []string{"read", odd, "write"}, Resources: []string{"https://api.example/", "https://other.example/"}, Created: fraction, Updated: fraction.Add(time.Hour)}
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
		g.Resources = []string{"https://other.example/"}
		if ok, err := s.Approve(s.Context(), server.Approval{Grant: g, Code: oauthCode(g, "6"), Recall: true}); ok || err != nil {
			t.Error("for a resource that was not agreed to", err)
		}
		for _, user := range []string{"Alice", "alice ", "bob"} {
			g := oauthGrant(user, "of "+user)
			if ok, err := s.Approve(s.Context(), server.Approval{Grant: g, Code: oauthCode(g, user), Recall: true}); ok || err != nil {
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
		for _, id := range []string{"b", "a"} {
			s.addClient(id, "")
			g := oauthGrant("alice", id)
			g.ClientID = id
			c := consent(noon, "read")
			c.ClientID = id
			_, err := s.Approve(s.Context(), server.Approval{Grant: g, Code: oauthCode(g, id), Remember: c})
			s.must(err)
		}
		all, err := s.Consents(s.Context(), "alice")
		if err != nil || len(all) != 2 || all[0].ClientID != "a" || all[1].ClientID != "b" {
			t.Errorf("%+v, %v", all, err)
		}
		if all, err := s.Consents(s.Context(), "bob"); len(all) != 0 || err != nil {
			t.Errorf("%+v, %v", all, err)
		}
		_, err = s.RemoveClient(s.Context(), "a", noon)
		s.must(err)
		if all, err := s.Consents(s.Context(), "alice"); len(all) != 1 || err != nil {
			t.Errorf("after the client is gone: %+v, %v", all, err)
		}
	})
	t.Run("withdrawing ends all that the client has of the user, and nothing else", func(t *testing.T) {
		s := open(t)
		s.addClient("other", "")
		approve(s, "b", consent(noon, "read"), false, "read")
		s.start("alice", "a")
		s.start("alice", "expired", func(g *server.Grant) { g.Expires = noon })
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
		if g, err := s.Grant(s.Context(), "expired"); err != nil || !g.Ended.IsZero() {
			t.Errorf("%+v, %v", g, err)
		}
		if ids, err := s.Withdraw(s.Context(), "alice", "web", noon); len(ids) != 0 || err != nil {
			t.Errorf("again: %v, %v", ids, err)
		}
	})
}

func oauthCodes(t *testing.T, open func(t *testing.T) oauthStore) {
	t.Run("a grant and its code are found as they were approved", func(t *testing.T) {
		s := open(t)
		g := &server.Grant{ID: "g", ClientID: "web", UserID: odd, Type: "authorization_code", Scopes: []string{"read", "a:b"}, Resources: []string{"https://api.example/?x='"}, SessionID: odd, Offline: true,
			Login: auth.LoginInfo{AuthTime: fraction, AMR: []string{"pwd", "one time"}, ACR: "urn:high"}, Stamp: "stamp", Created: fraction, LastUsed: fraction, Expires: fraction.Add(time.Hour), Ends: fraction.Add(time.Hour * 2)}
		c := &server.Code{Digest: "c", GrantID: "g", RedirectURI: "https://web.example/cb?x=%00", Challenge: "challenge", Nonce: odd, Expires: fraction.Add(time.Minute)}
		ok, err := s.Approve(s.Context(), server.Approval{Grant: g, Code: c})
		if !ok || err != nil {
			t.Fatal(ok, err)
		}
		code, grant, err := s.FindCode(s.Context(), "c")
		if err != nil || !sameRecord(code, c) || !sameRecord(grant, g) {
			t.Errorf("%+v %+v, %v", code, grant, err)
		}
		if grant, err := s.Grant(s.Context(), "g"); err != nil || !sameRecord(grant, g) {
			t.Errorf("%+v, %v", grant, err)
		}
		for _, digest := range []string{"C", "", "none"} {
			if code, grant, err := s.FindCode(s.Context(), digest); code != nil || grant != nil || err != nil {
				t.Errorf("%q: %+v %+v, %v", digest, code, grant, err)
			}
		}
	})
	t.Run("what is there already is an error and changes nothing", func(t *testing.T) {
		s := open(t)
		s.approve("alice", "1", "c1")
		for sentence, a := range map[string]server.Approval{
			"the grant":                 {Grant: oauthGrant("bob", "1"), Code: &server.Code{Digest: "new", GrantID: "1", Expires: noon}},
			"the code":                  {Grant: oauthGrant("bob", "2"), Code: &server.Code{Digest: "c1", GrantID: "2", Expires: noon}},
			"a code of another grant's": {Grant: oauthGrant("bob", "3"), Code: &server.Code{Digest: "c3", GrantID: "1", Expires: noon}},
		} {
			if ok, err := s.Approve(s.Context(), a); ok || err == nil {
				t.Errorf("%s: %v, %v", sentence, ok, err)
			}
		}
		s.wantLive(false, "2", "3")
		if _, grant, err := s.FindCode(s.Context(), "c1"); err != nil || grant.UserID != "alice" {
			t.Errorf("%+v, %v", grant, err)
		}
		s.start("alice", "taken")
		for sentence, tokens := range map[string]server.Tokens{
			"an access token":        {Access: &server.Access{Digest: "taken access", GrantID: "1", Expires: noon}},
			"a refresh token":        {Access: &server.Access{Digest: "a", GrantID: "1", Expires: noon}, Refresh: &server.Refresh{Digest: "taken refresh", GrantID: "1", Expires: noon}},
			"one of another grant":   {Access: &server.Access{Digest: "a", GrantID: "taken", Expires: noon}},
			"a refresh token of one": {Access: &server.Access{Digest: "a", GrantID: "1", Expires: noon}, Refresh: &server.Refresh{Digest: "r", GrantID: "taken", Expires: noon}},
		} {
			if verdict, err := s.Redeem(s.Context(), "c1", noon, tokens); err == nil {
				t.Errorf("%s: %v", sentence, verdict)
			}
		}
		s.redeem("c1", noon, oauthTokens(oauthGrant("alice", "1"), "good"), server.Redeemed)
	})
	t.Run("a code is good once", func(t *testing.T) {
		s := open(t)
		g := s.approve("alice", "1", "c")
		s.redeem("none", noon, oauthTokens(g, "t"), server.Unknown)
		s.redeem("c", fraction, oauthTokens(g, "t"), server.Redeemed)
		code, grant, err := s.FindCode(s.Context(), "c")
		if err != nil || !code.Redeemed.Equal(fraction) || !grant.LastUsed.Equal(fraction) || !grant.Expires.Equal(noon.Add(3*time.Hour)) {
			t.Errorf("%+v %+v, %v", code, grant, err)
		}
		access, grant, err := s.FindAccess(s.Context(), "t access")
		if err != nil || !sameRecord(access, oauthTokens(g, "t").Access) || grant.ID != "1" {
			t.Errorf("%+v, %v", access, err)
		}
		refresh, grant, err := s.FindRefresh(s.Context(), "t refresh")
		if err != nil || !sameRecord(refresh, oauthTokens(g, "t").Refresh) || grant.ID != "1" {
			t.Errorf("%+v, %v", refresh, err)
		}
		// Long after it expired: its tokens are good still.
		late := noon.Add(2 * time.Hour)
		s.redeem("c", late, oauthTokens(g, "u"), server.Reused)
		if g, err := s.Grant(s.Context(), "1"); err != nil || !g.Ended.Equal(late) {
			t.Errorf("%+v, %v", g, err)
		}
		if access, _, err := s.FindAccess(s.Context(), "u access"); access != nil || err != nil {
			t.Errorf("%+v, %v", access, err)
		}
		s.redeem("c", late, oauthTokens(g, "v"), server.Revoked)
	})
	t.Run("a code expires, and its grant may before it", func(t *testing.T) {
		s := open(t)
		g := s.approve("alice", "1", "c")
		s.redeem("c", noon.Add(time.Minute), oauthTokens(g, "t"), server.Expired)
		s.redeem("c", noon.Add(time.Minute-time.Microsecond), oauthTokens(g, "t"), server.Redeemed)
		short := oauthGrant("alice", "2")
		short.Expires = noon.Add(time.Second)
		_, err := s.Approve(s.Context(), server.Approval{Grant: short, Code: oauthCode(short, "d")})
		s.must(err)
		s.redeem("d", noon.Add(time.Second), oauthTokens(short, "u"), server.Expired)
	})
	t.Run("tokens without a refresh token expire with the access token", func(t *testing.T) {
		s := open(t)
		g := s.approve("alice", "1", "c")
		s.redeem("c", noon, server.Tokens{Access: oauthTokens(g, "t").Access}, server.Redeemed)
		if g, err := s.Grant(s.Context(), "1"); err != nil || !g.Expires.Equal(noon.Add(2*time.Hour)) {
			t.Errorf("%+v, %v", g, err)
		}
	})
}

func oauthRefresh(t *testing.T, open func(t *testing.T) oauthStore) {
	sealed := func(g *server.Grant, name string) server.Tokens {
		tokens := oauthTokens(g, name)
		tokens.Refresh.Sealed = []byte{0, 255, 1}
		return tokens
	}
	t.Run("a refresh token is good once, and a second use ends the grant", func(t *testing.T) {
		s := open(t)
		g := s.start("alice", "1")
		s.rotate("none", noon, 0, oauthTokens(g, "2"), server.Unknown)
		if r := s.rotate("1 refresh", fraction, 0, oauthTokens(g, "2"), server.Redeemed); r.Sealed != nil {
			t.Error(r.Sealed)
		}
		refresh, grant, err := s.FindRefresh(s.Context(), "1 refresh")
		if err != nil || !refresh.Rotated.Equal(fraction) || refresh.Successor != "2 refresh" || !grant.LastUsed.Equal(fraction) || !grant.Expires.Equal(noon.Add(3*time.Hour)) {
			t.Errorf("%+v %+v, %v", refresh, grant, err)
		}
		for _, name := range []string{"1", "2"} {
			if access, grant, err := s.FindAccess(s.Context(), name+" access"); access == nil || !grant.Live(noon) || err != nil {
				t.Errorf("%s: %+v, %v", name, access, err)
			}
		}
		s.rotate("1 refresh", noon.Add(time.Hour), 0, oauthTokens(g, "3"), server.Reused)
		s.wantLive(false, "1")
		if access, _, err := s.FindAccess(s.Context(), "3 access"); access != nil || err != nil {
			t.Errorf("%+v, %v", access, err)
		}
		s.rotate("2 refresh", noon, 0, oauthTokens(g, "4"), server.Revoked)
		s.rotate("1 refresh", noon, 0, oauthTokens(g, "4"), server.Revoked)
	})
	t.Run("one that expired, or whose grant did, is expired", func(t *testing.T) {
		s := open(t)
		g := s.start("alice", "1", func(g *server.Grant) { g.Expires = noon.Add(5 * time.Hour) })
		s.rotate("1 refresh", noon.Add(3*time.Hour), 0, oauthTokens(g, "2"), server.Expired)
		s.rotate("1 refresh", noon.Add(3*time.Hour-time.Microsecond), 0, oauthTokens(g, "2"), server.Redeemed)
		s.start("alice", "short")
		s.rotate("short refresh", noon.Add(time.Hour), 0, oauthTokens(oauthGrant("alice", "short"), "x"), server.Expired)
	})
	t.Run("what is there already or of another grant is an error and changes nothing", func(t *testing.T) {
		s := open(t)
		g := s.start("alice", "1")
		other := s.start("alice", "2")
		for _, tokens := range []server.Tokens{oauthTokens(g, "2"), oauthTokens(other, "new")} {
			if rotation, err := s.Rotate(s.Context(), "1 refresh", noon, 0, tokens); err == nil {
				t.Errorf("%+v", rotation)
			}
		}
		s.rotate("1 refresh", noon, 0, oauthTokens(g, "3"), server.Redeemed)
	})
	t.Run("within the grace it answers with the same successor, until that is used", func(t *testing.T) {
		const grace = 10 * time.Second
		s := open(t)
		g := s.start("alice", "1")
		s.rotate("1 refresh", noon, grace, sealed(g, "2"), server.Redeemed)
		for i, at := range []time.Time{noon, noon.Add(grace - time.Microsecond), noon.Add(-grace + time.Microsecond)} {
			name := fmt.Sprint("retry", i)
			if r := s.rotate("1 refresh", at, grace, sealed(g, name), server.Retried); !slices.Equal(r.Sealed, []byte{0, 255, 1}) {
				t.Errorf("sealed %v", r.Sealed)
			}
			if access, _, err := s.FindAccess(s.Context(), name+" access"); access == nil || err != nil {
				t.Errorf("the access token: %+v, %v", access, err)
			}
			if refresh, _, err := s.FindRefresh(s.Context(), name+" refresh"); refresh != nil || err != nil {
				t.Errorf("a refresh token: %+v, %v", refresh, err)
			}
		}
		if refresh, _, err := s.FindRefresh(s.Context(), "2 refresh"); err != nil || refresh.Sealed == nil {
			t.Errorf("%+v, %v", refresh, err)
		}
		s.rotate("2 refresh", noon, grace, sealed(g, "3"), server.Redeemed)
		if refresh, _, err := s.FindRefresh(s.Context(), "2 refresh"); err != nil || refresh.Sealed != nil {
			t.Errorf("what was sealed is kept after its use: %+v, %v", refresh, err)
		}
		s.rotate("1 refresh", noon, grace, sealed(g, "4"), server.Reused)
		s.wantLive(false, "1")
	})
	t.Run("after the grace, or without a sealed successor, it is reused", func(t *testing.T) {
		const grace = 10 * time.Second
		s := open(t)
		for i, row := range []struct {
			at     time.Time
			tokens func(*server.Grant, string) server.Tokens
		}{{noon.Add(grace), sealed}, {noon.Add(-grace), sealed}, {noon, oauthTokens}} {
			id := fmt.Sprint("g", i)
			g := s.start("alice", id)
			s.rotate(id+" refresh", noon, grace, row.tokens(g, id+"n"), server.Redeemed)
			s.rotate(id+" refresh", row.at, grace, sealed(g, id+"m"), server.Reused)
			s.wantLive(false, id)
		}
		g := s.start("alice", "expiring")
		next := sealed(g, "soon")
		next.Refresh.Expires = noon.Add(time.Second)
		s.rotate("expiring refresh", noon, grace, next, server.Redeemed)
		s.rotate("expiring refresh", noon.Add(time.Second), grace, sealed(g, "x"), server.Reused)
	})
}

func oauthAccess(t *testing.T, open func(t *testing.T) oauthStore) {
	t.Run("an access token is found as it was issued", func(t *testing.T) {
		s := open(t)
		g := oauthGrant("alice", "1")
		want := &server.Access{Digest: "d", ID: "jti", GrantID: "1", Scopes: []string{"read", "a:b"}, Audience: []string{"https://api.example/", "https://x.example/'"}, Issued: fraction, Expires: fraction.Add(time.Hour)}
		if ok, err := s.Start(s.Context(), g, server.Tokens{Access: want}); !ok || err != nil {
			t.Fatal(ok, err)
		}
		got, grant, err := s.FindAccess(s.Context(), "d")
		if err != nil || !sameRecord(got, want) || !sameRecord(grant, g) {
			t.Errorf("%+v %+v, %v", got, grant, err)
		}
		for _, digest := range []string{"D", "", "none"} {
			if got, grant, err := s.FindAccess(s.Context(), digest); got != nil || grant != nil || err != nil {
				t.Errorf("%q: %+v, %v", digest, got, err)
			}
		}
		if refresh, grant, err := s.FindRefresh(s.Context(), "d"); refresh != nil || grant != nil || err != nil {
			t.Errorf("%+v, %v", refresh, err)
		}
	})
	t.Run("what is there already is an error, and nothing is started", func(t *testing.T) {
		s := open(t)
		s.start("alice", "1")
		for sentence, row := range map[string]struct {
			grant  *server.Grant
			tokens server.Tokens
		}{
			"the grant":              {oauthGrant("bob", "1"), oauthTokens(oauthGrant("bob", "1"), "new")},
			"a token":                {oauthGrant("bob", "2"), server.Tokens{Access: &server.Access{Digest: "1 access", GrantID: "2", Expires: noon}}},
			"one of another grant's": {oauthGrant("bob", "3"), server.Tokens{Access: &server.Access{Digest: "x", GrantID: "1", Expires: noon}}},
		} {
			if ok, err := s.Start(s.Context(), row.grant, row.tokens); ok || err == nil {
				t.Errorf("%s: %v, %v", sentence, ok, err)
			}
		}
		s.wantLive(false, "2", "3")
	})
	t.Run("one more is added to a live grant, which moves with it", func(t *testing.T) {
		s := open(t)
		s.start("alice", "1")
		s.start("alice", "ended")
		_, err := s.End(s.Context(), "ended", noon)
		s.must(err)
		add := func(digest, grant string, expires, now time.Time, want bool) {
			t.Helper()
			if ok, err := s.AddAccess(s.Context(), &server.Access{Digest: digest, ID: digest, GrantID: grant, Issued: now, Expires: expires}, now); ok != want || err != nil {
				t.Errorf("%s: %v, %v", digest, ok, err)
			}
		}
		add("a", "1", noon.Add(time.Minute), fraction, true)
		if g, err := s.Grant(s.Context(), "1"); err != nil || !g.LastUsed.Equal(fraction) || !g.Expires.Equal(noon.Add(time.Hour)) {
			t.Errorf("%+v, %v", g, err)
		}
		add("b", "1", noon.Add(2*time.Hour), noon, true)
		if g, err := s.Grant(s.Context(), "1"); err != nil || !g.Expires.Equal(noon.Add(2*time.Hour)) {
			t.Errorf("%+v, %v", g, err)
		}
		add("c", "ended", noon.Add(time.Hour), noon, false)
		add("d", "none", noon.Add(time.Hour), noon, false)
		add("e", "1", noon.Add(9*time.Hour), noon.Add(2*time.Hour), false)
		if _, err := s.AddAccess(s.Context(), &server.Access{Digest: "a", GrantID: "1", Expires: noon.Add(time.Hour)}, noon); err == nil {
			t.Error("one that is there")
		}
	})
	t.Run("one is removed alone", func(t *testing.T) {
		s := open(t)
		s.start("alice", "1")
		for _, want := range []bool{true, false} {
			if ok, err := s.RemoveAccess(s.Context(), "1 access"); ok != want || err != nil {
				t.Error(ok, err)
			}
		}
		if access, _, err := s.FindAccess(s.Context(), "1 access"); access != nil || err != nil {
			t.Errorf("%+v, %v", access, err)
		}
		s.rotate("1 refresh", noon, 0, oauthTokens(oauthGrant("alice", "1"), "2"), server.Redeemed)
	})
}

func oauthGrants(t *testing.T, open func(t *testing.T) oauthStore) {
	list := func(s oauthStore, user string, now time.Time) string {
		s.Helper()
		all, err := s.Grants(s.Context(), user, now)
		s.must(err)
		var ids []string
		for _, g := range all {
			ids = append(ids, g.ID)
		}
		return strings.Join(ids, " ")
	}
	t.Run("a user's live grants are listed, the newest first", func(t *testing.T) {
		s := open(t)
		later := func(g *server.Grant) { g.Created = noon.Add(time.Microsecond) }
		s.start("alice", "b", later)
		s.start("alice", "c", later)
		s.start("alice", "a")
		s.start("alice", "z")
		s.start("bob", "bob's")
		s.start("", "a client's own")
		s.approve("alice", "pending", "code")
		s.start("alice", "over", func(g *server.Grant) { g.Expires = noon })
		if got := list(s, "alice", noon); got != "c b z pending a" {
			t.Error(got)
		}
		if got := list(s, "alice", noon.Add(time.Hour)); got != "" {
			t.Error(got)
		}
		for _, user := range []string{"Alice", "alice ", "nobody"} {
			if got := list(s, user, noon); got != "" {
				t.Errorf("%q: %s", user, got)
			}
		}
	})
	t.Run("a grant ends once", func(t *testing.T) {
		s := open(t)
		s.start("alice", "1")
		s.start("alice", "over", func(g *server.Grant) { g.Expires = noon })
		for _, row := range []struct {
			id   string
			want bool
		}{{"1", true}, {"1", false}, {"over", false}, {"none", false}} {
			if ok, err := s.End(s.Context(), row.id, noon); ok != row.want || err != nil {
				t.Errorf("%+v: %v, %v", row, ok, err)
			}
		}
		if access, grant, err := s.FindAccess(s.Context(), "1 access"); access == nil || grant.Live(noon) || err != nil {
			t.Errorf("%+v %+v, %v", access, grant, err)
		}
		if got := list(s, "alice", noon.Add(-time.Second)); got != "over" {
			t.Error(got)
		}
	})
	t.Run("the end of a session ends what was granted in it, but what outlives it", func(t *testing.T) {
		s := open(t)
		in := func(session string, offline bool) func(*server.Grant) {
			return func(g *server.Grant) { g.SessionID, g.Offline = session, offline }
		}
		s.start("alice", "b", in("s", false))
		s.start("alice", "a", in("s", false))
		s.start("alice", "offline", in("s", true))
		s.start("alice", "other", in("S", false))
		s.start("alice", "none")
		s.start("alice", "over", in("s", false), func(g *server.Grant) { g.Expires = noon })
		for _, session := range []string{"", "unknown"} {
			if ended, err := s.EndSession(s.Context(), session, noon); len(ended) != 0 || err != nil {
				t.Errorf("%q: %+v, %v", session, ended, err)
			}
		}
		ended, err := s.EndSession(s.Context(), "s", fraction)
		if err != nil || len(ended) != 2 || ended[0].ID != "a" || ended[1].ID != "b" || !ended[0].Ended.Equal(fraction) || ended[0].UserID != "alice" {
			t.Errorf("%+v, %v", ended, err)
		}
		s.wantLive(true, "offline", "other", "none")
		s.wantLive(false, "a", "b")
	})
	t.Run("all of a user ends but what is kept, which gets the new stamp", func(t *testing.T) {
		s := open(t)
		for _, id := range []string{"b", "a", "kept"} {
			s.start("alice", id)
		}
		s.start("bob", "bob's")
		s.approve("alice", "pending", "code")
		if ids, err := s.EndAll(s.Context(), "alice", "kept", "new", fraction); err != nil || !slices.Equal(ids, []string{"a", "b", "pending"}) {
			t.Errorf("%v, %v", ids, err)
		}
		s.wantLive(true, "kept", "bob's")
		s.wantLive(false, "a", "b", "pending")
		if g, err := s.Grant(s.Context(), "kept"); err != nil || g.Stamp != "new" {
			t.Errorf("%+v, %v", g, err)
		}
		if ids, err := s.EndAll(s.Context(), "alice", "bob's", "stolen", noon); err != nil || !slices.Equal(ids, []string{"kept"}) {
			t.Errorf("%v, %v", ids, err)
		}
		if g, err := s.Grant(s.Context(), "bob's"); err != nil || g.Stamp != "" || !g.Live(noon) {
			t.Errorf("somebody else's: %+v, %v", g, err)
		}
	})
}

func oauthPurge(t *testing.T, open func(t *testing.T) oauthStore) {
	t.Run("what can be of no use any more is removed, in steps, and nothing else", func(t *testing.T) {
		s := open(t)
		for i := range 3 {
			id := fmt.Sprint("over", i)
			s.start("alice", id, func(g *server.Grant) { g.Expires = noon })
			s.must(s.Pend(s.Context(), &server.Interaction{Digest: id, Created: noon, Expires: noon, Data: []byte("{}")}))
			_, err := s.PutOnce(s.Context(), id, noon, noon.Add(-time.Second))
			s.must(err)
		}
		s.start("alice", "good", func(g *server.Grant) { g.Expires = noon.Add(9 * time.Hour) })
		s.approve("alice", "pending", "code")
		s.must(s.Pend(s.Context(), &server.Interaction{Digest: "good", Created: noon, Expires: noon.Add(time.Microsecond), Data: []byte("{}")}))
		_, err := s.PutOnce(s.Context(), "good", noon.Add(time.Microsecond), noon)
		s.must(err)
		if n, err := s.Purge(s.Context(), noon.Add(-time.Microsecond), 9); n != 0 || err != nil {
			t.Errorf("too early: %d, %v", n, err)
		}
		for _, want := range []int{6, 3, 0} { // of grants, interactions and keys two each, then one
			if n, err := s.Purge(s.Context(), noon, 2); n != want || err != nil {
				t.Errorf("%d, %v, want %d", n, err, want)
			}
		}
		for i := range 3 {
			id := fmt.Sprint("over", i)
			if g, err := s.Grant(s.Context(), id); g != nil || err != nil {
				t.Errorf("%+v, %v", g, err)
			}
			if access, _, err := s.FindAccess(s.Context(), id+" access"); access != nil || err != nil {
				t.Errorf("%+v, %v", access, err)
			}
			if refresh, _, err := s.FindRefresh(s.Context(), id+" refresh"); refresh != nil || err != nil {
				t.Errorf("%+v, %v", refresh, err)
			}
		}
		if got, err := s.Pending(s.Context(), "good", noon); got == nil || err != nil {
			t.Error("the interaction is gone", err)
		}
		if fresh, err := s.PutOnce(s.Context(), "good", noon, noon); fresh || err != nil {
			t.Error("the key is gone", err)
		}
		if code, _, err := s.FindCode(s.Context(), "code"); code == nil || err != nil {
			t.Error("the code is gone", err)
		}
		// Of a live grant the tokens go one by one.
		if n, err := s.Purge(s.Context(), noon.Add(2*time.Hour), 9); n != 4 || err != nil { // the pending grant, an access token, an interaction, a key
			t.Errorf("%d, %v", n, err)
		}
		if access, _, err := s.FindAccess(s.Context(), "good access"); access != nil || err != nil {
			t.Errorf("%+v, %v", access, err)
		}
		if code, _, err := s.FindCode(s.Context(), "code"); code != nil || err != nil {
			t.Errorf("%+v, %v", code, err)
		}
		s.rotate("good refresh", noon.Add(2*time.Hour), 0, oauthTokens(oauthGrant("alice", "good"), "next"), server.Redeemed)
	})
}

func oauthRaces(t *testing.T, open func(t *testing.T) oauthStore) {
	t.Run("of 32 redemptions of a code one is the first, and nothing is left", func(t *testing.T) {
		s := open(t)
		for round := range 3 {
			id := fmt.Sprint("g", round)
			g := s.approve("alice", id, id)
			var first, reused, revoked atomic.Int32
			together(32, func(i int) {
				verdict, err := s.Redeem(s.Context(), id, noon, oauthTokens(g, fmt.Sprint(id, i)))
				if err != nil {
					t.Error(err)
				}
				switch verdict {
				case server.Redeemed:
					first.Add(1)
				case server.Reused:
					reused.Add(1)
				case server.Revoked:
					revoked.Add(1)
				}
			})
			if first.Load() != 1 || reused.Load() != 1 || revoked.Load() != 30 {
				t.Errorf("%d, %d, %d", first.Load(), reused.Load(), revoked.Load())
			}
			s.wantLive(false, id)
		}
	})
	t.Run("of 16 refreshes without a grace one succeeds, and nothing is left", func(t *testing.T) {
		s := open(t)
		g := s.start("alice", "1")
		var first atomic.Int32
		together(16, func(i int) {
			rotation, err := s.Rotate(s.Context(), "1 refresh", noon, 0, oauthTokens(g, fmt.Sprint("next", i)))
			if err != nil {
				t.Error(err)
			}
			if rotation.Verdict == server.Redeemed {
				first.Add(1)
			}
		})
		if first.Load() != 1 {
			t.Error(first.Load())
		}
		s.wantLive(false, "1")
	})
	t.Run("of 16 refreshes within a grace all get one successor", func(t *testing.T) {
		s := open(t)
		g := s.start("alice", "1")
		var first atomic.Int32
		successors := make([]string, 16)
		together(16, func(i int) {
			tokens := oauthTokens(g, fmt.Sprint("next", i))
			tokens.Refresh.Sealed = []byte(tokens.Refresh.Digest)
			rotation, err := s.Rotate(s.Context(), "1 refresh", noon, time.Second, tokens)
			switch {
			case err != nil:
				t.Error(err)
			case rotation.Verdict == server.Redeemed:
				first.Add(1)
				successors[i] = tokens.Refresh.Digest
			case rotation.Verdict == server.Retried:
				successors[i] = string(rotation.Sealed)
			default:
				t.Error(rotation.Verdict)
			}
		})
		if slices.Sort(successors); first.Load() != 1 || successors[0] == "" || successors[0] != successors[15] {
			t.Errorf("%d %q", first.Load(), successors)
		}
		s.wantLive(true, "1")
	})
	t.Run("a key is fresh, and an interaction taken, once of 32 times", func(t *testing.T) {
		s := open(t)
		s.must(s.Pend(s.Context(), &server.Interaction{Digest: "i", Created: noon, Expires: noon.Add(time.Hour), Data: []byte("{}")}))
		var fresh, taken atomic.Int32
		together(32, func(int) {
			if ok, err := s.PutOnce(s.Context(), "k", noon.Add(time.Hour), noon); err != nil {
				t.Error(err)
			} else if ok {
				fresh.Add(1)
			}
			if i, err := s.Take(s.Context(), "i", noon); err != nil {
				t.Error(err)
			} else if i != nil {
				taken.Add(1)
			}
		})
		if fresh.Load() != 1 || taken.Load() != 1 {
			t.Error(fresh.Load(), taken.Load())
		}
	})
	t.Run("whatever ends a grant while it is redeemed or refreshed, nothing of it is live", func(t *testing.T) {
		for name, end := range map[string]func(s oauthStore) error{
			"End":          func(s oauthStore) error { _, err := s.End(s.Context(), "1", noon); return err },
			"Withdraw":     func(s oauthStore) error { _, err := s.Withdraw(s.Context(), "alice", "web", noon); return err },
			"EndAll":       func(s oauthStore) error { _, err := s.EndAll(s.Context(), "alice", "", "", noon); return err },
			"RemoveClient": func(s oauthStore) error { _, err := s.RemoveClient(s.Context(), "web", noon); return err },
		} {
			s := open(t)
			g := s.approve("alice", "1", "c")
			r := s.start("alice", "2")
			together(9, func(i int) {
				var err error
				switch i % 3 {
				case 0:
					_, err = s.Redeem(s.Context(), "c", noon, oauthTokens(g, fmt.Sprint("c", i)))
				case 1:
					_, err = s.Rotate(s.Context(), "2 refresh", noon, 0, oauthTokens(r, fmt.Sprint("r", i)))
				default:
					err = end(s)
				}
				if err != nil {
					t.Errorf("%s: %v", name, err)
				}
			})
			s.wantLive(false, "1")
			if name != "End" {
				s.wantLive(false, "2")
			}
		}
	})
	t.Run("a grant that rests on a consent is not live after the consent was withdrawn", func(t *testing.T) {
		for range 10 {
			s := open(t)
			g := oauthGrant("alice", "first")
			_, err := s.Approve(s.Context(), server.Approval{Grant: g, Code: oauthCode(g, "first"), Remember: &server.Consent{UserID: "alice", ClientID: "web", Scopes: g.Scopes, Resources: g.Resources, Created: noon, Updated: noon}})
			s.must(err)
			together(8, func(i int) {
				var err error
				if i == 4 {
					_, err = s.Withdraw(s.Context(), "alice", "web", noon)
				} else {
					g := oauthGrant("alice", fmt.Sprint("g", i))
					_, err = s.Approve(s.Context(), server.Approval{Grant: g, Code: oauthCode(g, g.ID), Recall: true})
				}
				if err != nil {
					t.Error(err)
				}
			})
			if live, err := s.Grants(s.Context(), "alice", noon); len(live) != 0 || err != nil {
				t.Errorf("%d live, %v", len(live), err)
			}
		}
	})
	t.Run("of many changes of a client from one state, one is made", func(t *testing.T) {
		s := open(t)
		var changed atomic.Int32
		together(16, func(i int) {
			ok, err := s.ChangeClient(s.Context(), &server.Client{ID: "web", Name: fmt.Sprint(i), Created: noon, Updated: noon.Add(time.Duration(i+1) * time.Second)}, noon)
			if err != nil {
				t.Error(err)
			}
			if ok {
				changed.Add(1)
			}
		})
		if changed.Load() != 1 {
			t.Error(changed.Load())
		}
	})
}
