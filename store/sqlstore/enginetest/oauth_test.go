package enginetest

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/gatewarden/auth/oauth2/server"
	"github.com/gatewarden/auth/store/sqlstore"
)

func openOAuth(t testing.TB, path string) *sqlstore.OAuthStore {
	t.Helper()
	store, err := sqlstore.OAuth(t.Context(), openSQLite(t, path))
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// oauthMay is to have these scopes at the one API.
func oauthMay(scopes ...string) server.Permissions {
	return server.Permissions{{Resource: "https://api.example/", Scopes: scopes}}
}

// oauthGrant is a grant of a user's own client, and its tokens.
func oauthGrant(user, id string, now time.Time) (*server.Grant, func(name string) server.Tokens) {
	g := &server.Grant{ID: user + id, ClientID: user, UserID: user, Type: "test", Permissions: oauthMay("read"),
		SessionID: user, Created: now, LastUsed: now, ExpiresAt: now.Add(time.Hour), MaxExpiresAt: now.Add(time.Hour)}
	return g, func(name string) server.Tokens {
		return server.Tokens{
			Access: &server.Access{Digest: user + id + name + "a", ID: name, GrantID: g.ID,
				Audience: g.Permissions.Resources(), Issued: now, ExpiresAt: now.Add(time.Hour)},
			Refresh: &server.Refresh{Digest: user + id + name + "r", GrantID: g.ID, Issued: now,
				ExpiresAt: now.Add(time.Hour), Sealed: []byte(name)},
		}
	}
}

func TestRedemptionsInTwoProcessesAtOnceLeaveNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "oauth.db")
	handles := []*sqlstore.OAuthStore{openOAuth(t, path), openOAuth(t, path)}
	now := time.Now().UTC().Truncate(time.Microsecond)
	if _, err := handles[0].AddClient(t.Context(), &server.Client{ID: "alice", Updated: now}, 0); err != nil {
		t.Fatal(err)
	}
	for round := range 5 {
		g, tokens := oauthGrant("alice", fmt.Sprint(round), now)
		if added, err := handles[0].Approve(t.Context(),
			server.Approval{Grant: g, Code: &server.Code{Digest: g.ID, GrantID: g.ID,
				ExpiresAt: g.ExpiresAt}}); !added.OK() || err != nil {
			t.Fatal(added, err)
		}
		verdicts := make(chan server.Verdict, 32)
		for i := range 32 {
			go func() {
				verdict, err := handles[i%2].Redeem(t.Context(), g.ID, now, tokens(fmt.Sprint(i)))
				if err != nil {
					t.Error(err)
				}
				verdicts <- verdict
			}()
		}
		count := map[server.Verdict]int{}
		for range 32 {
			count[<-verdicts]++
		}
		if count[server.Redeemed] != 1 || count[server.Reused] != 1 || count[server.Revoked] != 30 {
			t.Errorf("%v", count)
		}
		if found, err := handles[1].Grant(t.Context(), g.ID); err != nil || found.Live(now) {
			t.Errorf("%+v, %v", found, err)
		}
	}
}

// wasAdded reports whether a client or grant was added.
func wasAdded(added server.Added, err error) (bool, error) { return err == nil && added.OK(), err }

func TestAnOAuthStatementThatFailsLeavesTheOldStateOrTheNew(t *testing.T) {
	db, f := openFaulty(t)
	store, err := sqlstore.OAuth(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	ctx, now := t.Context(), time.Now().UTC().Truncate(time.Microsecond)
	must := func(ok bool, err error) {
		t.Helper()
		if !ok || err != nil {
			t.Fatal(ok, err)
		}
	}
	// state is what is there of a user, whose client has the same name.
	state := func(user string) (all []string) {
		client, err := store.Client(ctx, user)
		must(true, err)
		if client != nil {
			all = append(all, "client "+client.Name)
		}
		consent, err := store.Consent(ctx, user, user)
		must(true, err)
		if consent != nil {
			all = append(all, fmt.Sprint("consent ", consent.Permissions.Scopes()))
		}
		for _, id := range []string{"code", "tokens", "used", "new"} {
			g, err := store.Grant(ctx, user+id)
			must(true, err)
			if g != nil {
				all = append(all, fmt.Sprint(id, " live ", g.Live(now), g.Stamp))
			}
			code, _, err := store.FindCode(ctx, user+id)
			must(true, err)
			if code != nil {
				all = append(all, fmt.Sprint("code redeemed ", !code.Redeemed.IsZero()))
			}
			for _, name := range []string{"first", "next"} {
				access, _, err := store.FindAccess(ctx, user+id+name+"a")
				must(true, err)
				if access != nil {
					all = append(all, "access "+name)
				}
				refresh, _, err := store.FindRefresh(ctx, user+id+name+"r")
				must(true, err)
				if refresh != nil {
					all = append(all, fmt.Sprint("refresh ", name, " used ", !refresh.Rotated.IsZero()))
				}
			}
		}
		pending, err := store.Interaction(ctx, user, now)
		must(true, err)
		if pending != nil {
			all = append(all, "pending")
		}
		return all
	}
	prepare := func(user string) {
		for {
			n, err := store.Purge(ctx, now.Add(2*time.Hour), 100)
			must(true, err)
			if n == 0 {
				break
			}
		}
		must(wasAdded(store.AddClient(ctx, &server.Client{ID: user, Name: "old", Updated: now}, 0)))
		g, _ := oauthGrant(user, "code", now)
		must(wasAdded(store.Approve(ctx,
			server.Approval{Grant: g, Code: &server.Code{Digest: user + "code", GrantID: g.ID, ExpiresAt: g.ExpiresAt},
				Remember: &server.Consent{UserID: user, ClientID: user, Permissions: oauthMay("read"), Created: now,
					Updated: now}})))
		for _, id := range []string{"tokens", "used"} {
			g, tokens := oauthGrant(user, id, now)
			must(wasAdded(store.Start(ctx, g, tokens("first"), 0, false)))
			if id == "used" {
				_, err := store.Rotate(ctx, user+"usedfirstr", now, 0, tokens("next"))
				must(true, err)
			}
		}
		must(
			true,
			store.AddInteraction(ctx, &server.Interaction{Digest: user, Created: now, ExpiresAt: now.Add(time.Hour),
				Data: []byte("{}")}, 0))
	}
	const client, consent, pending = "client old", "consent [read]", "pending"
	code := []string{"code live true", "code redeemed false"}
	tokens := []string{"tokens live true", "access first", "refresh first used false"}
	used := []string{"used live true", "access first", "refresh first used true", "access next",
		"refresh next used false"}
	all := func(parts ...any) (joined []string) {
		for _, part := range parts {
			switch part := part.(type) {
			case string:
				joined = append(joined, part)
			case []string:
				joined = append(joined, part...)
			}
		}
		return joined
	}
	ended := func(lines []string) []string {
		over := append([]string(nil), lines...)
		over[0] = over[0][:len(over[0])-len("true")] + "false"
		return over
	}
	check := func(ok bool, err error) error {
		if ok == (err != nil) {
			t.Errorf("done %v with error %v", ok, err)
		}
		return err
	}
	f.failEach(t, prepare, state, []faultRow{
		{"approving", func(user string) error {
			g, _ := oauthGrant(user, "new", now)
			return check(wasAdded(store.Approve(ctx,
				server.Approval{Grant: g, Code: &server.Code{Digest: user + "new", GrantID: g.ID,
					ExpiresAt: g.ExpiresAt},
					Remember: &server.Consent{UserID: user, ClientID: user, Permissions: oauthMay("write"),
						Created: now,
						Updated: now}})))
		}, all(client, "consent [read write]", code, tokens, used, "new live true", "code redeemed false", pending), 7},
		{"approving by an answer", func(user string) error {
			g, _ := oauthGrant(user, "new", now)
			return check(wasAdded(store.Approve(ctx, server.Approval{Grant: g, Interaction: user,
				Code: &server.Code{Digest: user + "new", GrantID: g.ID, ExpiresAt: g.ExpiresAt}})))
		}, all(client, consent, code, tokens, used, "new live true", "code redeemed false"), 6},
		{"approving over the limit", func(user string) error {
			g, _ := oauthGrant(user, "new", now)
			added, err := store.Approve(ctx,
				server.Approval{Grant: g, Code: &server.Code{Digest: user + "new", GrantID: g.ID,
					ExpiresAt: g.ExpiresAt},
					Limit: 2, EvictOldest: true})
			return check(len(added.Evicted) == 2, err)
		}, all(client, consent, ended(code), ended(tokens), used, "new live true", "code redeemed false", pending), 8},
		{"starting over the limit", func(user string) error {
			g, made := oauthGrant(user, "new", now)
			added, err := store.Start(ctx, g, made("first"), 3, true)
			return check(len(added.Evicted) == 1, err)
		}, all(client, consent, ended(code), tokens, used, "new live true", "access first", "refresh first used false",
			pending), 9},
		{"redeeming", func(user string) error {
			_, made := oauthGrant(user, "code", now)
			verdict, err := store.Redeem(ctx, user+"code", now, made("first"))
			return check(verdict == server.Redeemed, err)
		}, all(client, consent, "code live true", "code redeemed true", "access first", "refresh first used false",
			tokens, used, pending), 7},
		{"starting", func(user string) error {
			g, made := oauthGrant(user, "new", now)
			return check(wasAdded(store.Start(ctx, g, made("first"), 0, false)))
		}, all(client, consent, code, tokens, used, "new live true", "access first", "refresh first used false",
			pending), 6},
		{"rotating", func(user string) error {
			_, made := oauthGrant(user, "tokens", now)
			rotation, err := store.Rotate(ctx, user+"tokensfirstr", now, 0, made("next"))
			return check(rotation.Verdict == server.Redeemed, err)
		}, all(client, consent, code, "tokens live true", "access first", "refresh first used true", "access next",
			"refresh next used false", used, pending), 7},
		{"replaying", func(user string) error {
			_, made := oauthGrant(user, "used", now)
			rotation, err := store.Rotate(ctx, user+"usedfirstr", now, 0, made("x"))
			return check(rotation.Verdict == server.Reused, err)
		}, all(client, consent, code, tokens, ended(used), pending), 4},
		{"adding access", func(user string) error {
			_, made := oauthGrant(user, "tokens", now)
			return check(store.AddAccess(ctx, made("next").Access, now))
		}, all(client, consent, code, "tokens live true", "access first", "refresh first used false", "access next",
			used, pending), 4},
		{"withdrawing", func(user string) error {
			ids, err := store.Withdraw(ctx, user, user, now)
			return check(len(ids) == 3, err)
		}, all(client, ended(code), ended(tokens), ended(used), pending), 5},
		{"ending all others", func(user string) error {
			ids, err := store.EndAll(ctx, user, user+"tokens", " new", now)
			return check(len(ids) == 2, err)
		}, all(client, consent, ended(code), "tokens live true new", "access first", "refresh first used false",
			ended(used), pending), 5},
		{"ending a session", func(user string) error {
			grants, err := store.EndSession(ctx, user, now)
			return check(len(grants) == 3, err)
		}, all(client, consent, ended(code), ended(tokens), ended(used), pending), 4},
		{"disabling a client", func(user string) error {
			c := &server.Client{ID: user, Name: "new", Disabled: true, Updated: now.Add(time.Second)}
			ok, _, err := store.ChangeClient(ctx, c, now)
			return check(ok, err)
		}, all("client new", consent, ended(code), ended(tokens), ended(used), pending), 4},
		{"making a client public", func(user string) error {
			c := &server.Client{ID: user, Name: "new", AuthMethod: server.AuthNone, Updated: now.Add(time.Second)}
			ok, _, err := store.ChangeClient(ctx, c, now)
			return check(ok, err)
		}, all("client new", consent, ended(code), ended(tokens), ended(used), pending), 5},
		{"removing a client", func(user string) error {
			ok, _, err := store.RemoveClient(ctx, user, now)
			return check(ok, err)
		}, all(ended(code), ended(tokens), ended(used), pending), 5},
		{"taking", func(user string) error {
			taken, err := store.ConsumeInteraction(ctx, user, now)
			return check(taken != nil, err)
		}, all(client, consent, code, tokens, used), 4},
		{"purging", func(user string) error {
			n, err := store.Purge(ctx, now.Add(time.Hour), 10)
			return check(n == 4, err) // three grants and an interaction
		}, all(client, consent), 10},
	})
}

func BenchmarkOAuthSQLite(b *testing.B) {
	store := openOAuth(b, filepath.Join(b.TempDir(), "oauth.db"))
	now := time.Now().UTC().Truncate(time.Microsecond)
	if _, err := store.AddClient(b.Context(), &server.Client{ID: "alice", Updated: now}, 0); err != nil {
		b.Fatal(err)
	}
	g, tokens := oauthGrant("alice", "1", now)
	if added, err := store.Start(b.Context(), g, tokens("first"), 0, false); !added.OK() || err != nil {
		b.Fatal(added, err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if access, _, err := store.FindAccess(b.Context(), "alice1firsta"); access == nil || err != nil {
			b.Fatal(err)
		}
	}
}
