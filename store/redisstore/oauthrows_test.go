package redisstore

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/internal/testserver"
	"github.com/gatewarden/auth/oauth2/server"
)

// agree writes a consent of a user to a client.
func (s *oauthStore) agree(t *testing.T, userID, clientID string) {
	t.Helper()
	client := s.stateOf(t, clientID)
	s.change(t, func(c *change) {
		s.saveConsent(c, client, &server.Consent{UserID: userID, ClientID: clientID, Created: oauthNow,
			Updated:     oauthNow,
			Permissions: server.Permissions{{Resource: "https://api.example/", Scopes: []string{"read"}}}})
	})
}

func (s *oauthStore) agreedTo(t *testing.T, userID string) []string {
	t.Helper()
	all, err := s.Consents(t.Context(), userID, "", 10)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, one := range all {
		ids = append(ids, one.ClientID)
	}
	return ids
}

// pageOf returns an interaction that is good for ten minutes.
func pageOf(userID string) *server.Interaction {
	digest := backend.TokenDigest(backend.NewToken("", userID, backend.DefaultTokenLength), "")
	return &server.Interaction{ID: backend.NewID(), Digest: digest, UserID: userID, Created: oauthNow,
		ExpiresAt: oauthNow.Add(10 * time.Minute), Data: []byte("{}")}
}

// keysIn returns the keys of a place on the shared server, with how long they live. 0 is for ever.
func keysIn(t *testing.T, db *DB) map[string]time.Duration {
	t.Helper()
	all := make(map[string]time.Duration)
	for cursor := uint64(0); ; {
		entry, err := db.client.Do(t.Context(), db.client.B().Scan().Cursor(cursor).Match(db.config.Prefix+"*").
			Count(1000).Build()).AsScanEntry()
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range entry.Elements {
			ttl, err := db.client.Do(t.Context(), db.client.B().Pttl().Key(key).Build()).AsInt64()
			if err != nil || ttl == -2 {
				t.Fatalf("PTTL %s: got %d, %v, want a key that exists", key, ttl, err)
			}
			all[key] = time.Duration(max(ttl, 0)) * time.Millisecond
		}
		if cursor = entry.Cursor; cursor == 0 {
			return all
		}
	}
}

// wantTTLs checks that every key of a DB has a time to live, but those of kinds that have no natural end.
func wantTTLs(t *testing.T, db *DB, forever ...kind) {
	t.Helper()
	all := keysIn(t, db)
	if len(all) == 0 {
		t.Fatal("there are no keys")
	}
	for key, ttl := range all {
		name, _, _ := strings.Cut(strings.TrimPrefix(key, db.config.Prefix), ":{")
		if want := slices.Contains(forever, kind(name)); (ttl == 0) != want {
			t.Errorf("%q lives for %v, want forever: %v", key, ttl, want)
		}
	}
}

// oauthTokensOf returns tokens of a grant: an access token for an hour and a refresh token for two.
func oauthTokensOf(g *server.Grant) server.Tokens {
	digest := func() string {
		owner := cmp.Or(g.UserID, g.ClientID)
		return backend.TokenDigest(backend.NewToken("", owner, backend.DefaultTokenLength), "")
	}
	return server.Tokens{
		Access: &server.Access{Digest: digest(), ID: backend.NewID(), GrantID: g.ID,
			Audience: []string{"https://api.example/"}, Issued: oauthNow, ExpiresAt: oauthNow.Add(time.Hour)},
		Refresh: &server.Refresh{Digest: digest(), GrantID: g.ID, Issued: oauthNow,
			ExpiresAt: oauthNow.Add(2 * time.Hour)},
	}
}

// answer approves a grant of alice to the client web in a session, with a page, a request and a consent, and uses its
// code and its refresh token. It returns the grant and the last tokens.
func (s *oauthStore) answer(t *testing.T) (*server.Grant, server.Tokens) {
	t.Helper()
	page, g := pageOf("alice"), grantOf("alice", "web")
	g.SessionID = backend.NewIDOf("alice")
	code := backend.TokenDigest(backend.NewToken("", "alice", backend.DefaultTokenLength), "")
	if err := s.AddInteraction(t.Context(), page, 9); err != nil {
		t.Fatal(err)
	}
	soon := oauthNow.Add(time.Minute)
	added, err := s.Approve(t.Context(), server.Approval{Grant: g, Limit: 9, Interaction: page.Digest,
		Code:    &server.Code{Digest: code, GrantID: g.ID, ExpiresAt: soon},
		Request: "request " + g.ID, RequestExpires: soon, Remember: &server.Consent{UserID: "alice", ClientID: "web"}})
	if err != nil || !added.OK() {
		t.Fatalf("Approve: got %v, %v, want OK", added, err)
	}
	first, second := oauthTokensOf(g), oauthTokensOf(g)
	if verdict, err := s.Redeem(t.Context(), code, oauthNow, first); verdict != server.Redeemed || err != nil {
		t.Fatalf("Redeem: got %v, %v, want Redeemed", verdict, err)
	}
	rotation, err := s.Rotate(t.Context(), first.Refresh.Digest, oauthNow, 0, second)
	if rotation.Verdict != server.Redeemed || err != nil {
		t.Fatalf("Rotate: got %v, %v, want verdict Redeemed", rotation.Verdict, err)
	}
	return g, second
}

func TestLivesOfOAuthKeys(t *testing.T) {
	s := oauthOn(t, onNode(t))
	s.mustAddClient(t, "web")
	_, tokens := s.answer(t)
	ended, _ := s.answer(t)
	if err := s.AddInteraction(t.Context(), pageOf("alice"), 9); err != nil {
		t.Fatal(err)
	}
	if ok, err := s.RemoveAccess(t.Context(), tokens.Access.Digest); !ok || err != nil {
		t.Fatalf("RemoveAccess: got %v, %v, want true", ok, err)
	}
	if all, err := s.EndSession(t.Context(), ended.SessionID, oauthNow); len(all) != 1 || err != nil {
		t.Fatalf("EndSession: got %v, %v, want 1 entry", all, err)
	}
	machine := grantOf("", "web")
	machine.ID = backend.NewIDOf("web")
	if added, err := s.Start(t.Context(), machine, oauthTokensOf(machine), 9, false); !added.OK() || err != nil {
		t.Fatalf("Start: got %v, %v, want OK", added, err)
	}
	wantTTLs(t, s.db, oauthClients, oauthClientList, oauthOwned, oauthConsents, oauthAgreed)
	for key, ttl := range keysIn(t, s.db) {
		if strings.Contains(key, ":oo:") && ttl > 2*time.Hour {
			t.Errorf("%q, a key for a minute, lives for %v", key, ttl)
		}
	}
	if n, err := s.Purge(t.Context(), oauthNow.Add(3*time.Hour), 99); n != 6 || err != nil {
		t.Errorf("got %d, %v, want three grants, a page and two requests purged", n, err)
	}
	if ids, err := s.Withdraw(t.Context(), "alice", "web", oauthNow); len(ids) != 0 || err != nil {
		t.Fatalf("Withdraw: got %v, %v, want an empty list", ids, err)
	}
	if ok, all, err := s.RemoveClient(t.Context(), "web", oauthNow); !ok || len(all) != 0 || err != nil {
		t.Fatalf("RemoveClient: got %v, %v, %v, want true and an empty list", ok, all, err)
	}
	versions := []kind{oauthOwnedVer, oauthUserPageVer, oauthGrantVer, oauthSessionVer, userChanges}
	for key := range keysIn(t, s.db) {
		name, _, _ := strings.Cut(strings.TrimPrefix(key, s.db.config.Prefix), ":{")
		if !slices.Contains(versions, kind(name)) && name[0] != 'p' {
			t.Errorf("%q is left", key)
		}
	}
}

func TestConsentsToAClientThatWasRemoved(t *testing.T) {
	s := oauthOn(t, onNode(t))
	for _, id := range []string{"a", "b"} {
		s.mustAddClient(t, id)
		s.agree(t, "alice", id)
	}
	if ok, _, err := s.RemoveClient(t.Context(), "a", oauthNow); !ok || err != nil {
		t.Fatalf("RemoveClient: got %v, %v, want true", ok, err)
	}
	s.mustAddClient(t, "a")
	if got, err := s.Consent(t.Context(), "alice", "a"); got != nil || err != nil {
		t.Errorf("got %v, %v, want no consent to the client that was added anew", got, err)
	}
	if ids := s.agreedTo(t, "alice"); !slices.Equal(ids, []string{"b"}) {
		t.Errorf("got consents to %v, want b", ids)
	}
	for key := range keysIn(t, s.db) {
		if key == s.consentKey("alice", "a") {
			t.Error("the list has left the key of the consent that is gone")
		}
	}
	s.agree(t, "alice", "a")
	if ids := s.agreedTo(t, "alice"); !slices.Equal(ids, []string{"a", "b"}) {
		t.Errorf("got consents to %v, want a and b", ids)
	}
}

func TestDisablingAClientKeepsConsents(t *testing.T) {
	s := oauthOn(t, onNode(t))
	client := s.mustAddClient(t, "web")
	s.agree(t, "alice", "web")
	if ok, _, err := s.ChangeClient(t.Context(), &server.Client{ID: "web", Disabled: true, Updated: oauthNow.Add(1e9)},
		client.Updated); !ok || err != nil {
		t.Fatalf("ChangeClient: got %v, %v, want true", ok, err)
	}
	if ids := s.agreedTo(t, "alice"); !slices.Equal(ids, []string{"web"}) {
		t.Errorf("got consents to %v, want web", ids)
	}
}

func TestClaimsOfRequests(t *testing.T) {
	s := oauthOn(t, onNode(t))
	of := func(grant string) server.Approval {
		return server.Approval{Grant: &server.Grant{ID: grant, Created: oauthNow}, Request: "request",
			RequestExpires: oauthNow.Add(time.Minute)}
	}
	claim := func(grant string, want bool) {
		t.Helper()
		if fresh, err := s.claimRequest(t.Context(), of(grant)); fresh != want || err != nil {
			t.Errorf("got %v, %v for %s, want %v", fresh, err, grant, want)
		}
	}
	release := func(grant string) {
		t.Helper()
		if err := s.releaseRequest(t.Context(), of(grant)); err != nil {
			t.Error(err)
		}
	}
	claim("first", true)
	claim("second", false)
	release("second") // which does not have it
	claim("second", false)
	release("first")
	release("first")
	claim("second", true)
	if fresh, err := s.PutOnce(t.Context(), "request", oauthNow.Add(time.Hour), oauthNow); fresh || err != nil {
		t.Errorf("got %v, %v, want the key used", fresh, err)
	}
}

// Whatever is in a key that this package did not write, no call takes it for a record that is not there.
func TestForeignValuesOfOAuth(t *testing.T) {
	place := onNode(t)
	node := testserver.Redis(t)
	s := oauthOn(t, place)
	s.mustAddClient(t, "good")
	ctx, page := t.Context(), pageOf("alice")
	client := &server.Client{ID: "web", Updated: oauthNow}
	calls := map[string][]func() error{
		s.clientKey("web"): {
			func() error { _, err := s.Client(ctx, "web"); return err },
			func() error { _, _, err := s.ChangeClient(ctx, client, oauthNow); return err },
			func() error { _, _, err := s.RemoveClient(ctx, "web", oauthNow); return err },
		},
		s.db.key(oauthPages, tagOfOwner("alice"), page.Digest): {
			func() error { _, err := s.Interaction(ctx, page.Digest, oauthNow); return err },
			func() error { _, err := s.ConsumeInteraction(ctx, page.Digest, oauthNow); return err },
		},
		s.consentKey("alice", "good"): {
			func() error { _, err := s.Consent(ctx, "alice", "good"); return err },
		},
		s.onceKey("key"): {
			func() error { _, err := s.PutOnce(ctx, "key", oauthNow.Add(time.Hour), oauthNow); return err },
		},
	}
	for key, those := range calls {
		for _, value := range []string{"", "{", `{"v":2}`, `{"v":1,"unknown":1}`, `{"v":1}{}`, "\x00"} {
			node.Do(t, "SET", key, value)
			for i, call := range those {
				if err := call(); !errors.Is(err, ErrUnreadable) || !strings.Contains(err.Error(), key[len(key)-3:]) {
					t.Errorf("%q has %q: got %v from call %d, want that it cannot be read", key, value, err, i)
				}
			}
		}
		node.Do(t, "DEL", key)
		node.Do(t, "RPUSH", key, "of another type")
		for _, call := range those {
			wantOutage(t, "another type", call(), "another type")
		}
		node.Do(t, "DEL", key)
	}
	node.Do(t, "SET", s.clientKey("web"), `{"v":1,"g":"","a":"x","c":{"client_id":"web"}}`)
	if _, err := s.Client(ctx, "web"); !errors.Is(err, ErrUnreadable) {
		t.Errorf("got %v for a client without a generation, want that it cannot be read", err)
	}
}

// Redis removes grants that expired a day ago. If no purge came before, their users' lists must not grow for ever.
func TestListsForgetGrantsThatRedisRemoved(t *testing.T) {
	s := oauthOn(t, onNode(t))
	s.mustAddClient(t, "web")
	gone, kept := grantOf("alice", "web"), grantOf("alice", "web")
	for _, g := range []*server.Grant{gone, kept} {
		if added, err := s.Start(t.Context(), g, oauthTokensOf(g), 2, false); !added.OK() || err != nil {
			t.Fatalf("Start: got %v, %v, want OK", added, err)
		}
	}
	of := tagOfOwner("alice")
	testserver.Redis(t).Do(t, "DEL", s.grantKey(of, gone.ID))
	third := grantOf("alice", "web")
	if added, err := s.Start(t.Context(), third, oauthTokensOf(third), 2, false); !added.OK() || err != nil {
		t.Fatalf("Start: got %v, %v, want OK", added, err)
	}
	index, _ := s.grantLists(of, "alice", "web")
	members, err := s.db.all(t.Context(), index)
	want := []string{listed(kept.ID, kept.ID), listed(third.ID, third.ID)}
	slices.Sort(want)
	if err != nil || !slices.Equal(members, want) {
		t.Errorf("got %q, %v, want %q", members, err, want)
	}
}
