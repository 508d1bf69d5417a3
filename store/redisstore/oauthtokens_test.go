package redisstore

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/internal/testserver"
	"github.com/gatewarden/auth/oauth2/server"
)

// oauthTest adds grants as package server does, with identifiers and digests that name their owner.
type oauthTest struct {
	*testing.T
	db    *DB
	store server.Store
	now   time.Time
}

func newOAuthTest(t *testing.T, db *DB) oauthTest {
	t.Helper()
	o := oauthTest{t, db, OAuth(db), backend.StoreTime(time.Now())}
	o.add(o.store.AddClient(t.Context(), &server.Client{ID: "web", Created: o.now, Updated: o.now}, 0))
	return o
}

func (o oauthTest) add(added server.Added, err error) {
	o.Helper()
	if !added.OK() || err != nil {
		o.Fatalf("got %+v, %v, want it added", added, err)
	}
}

func (o oauthTest) digest(owner string) string {
	return backend.TokenDigest(backend.NewToken("", owner, backend.DefaultTokenLength), "")
}

// grant returns a grant of the client web to a user, in a session of the user.
func (o oauthTest) grant(userID string) *server.Grant {
	return &server.Grant{ID: backend.NewIDOf(userID), ClientID: "web", UserID: userID, Type: "authorization_code",
		Permissions: server.Permissions{{Resource: "https://api.example/", Scopes: []string{"read"}}},
		SessionID:   backend.NewIDOf(userID), Created: o.now, LastUsed: o.now, ExpiresAt: o.now.Add(time.Hour),
		MaxExpiresAt: o.now.Add(24 * time.Hour)}
}

func (o oauthTest) tokens(g *server.Grant) server.Tokens {
	return server.Tokens{
		Access: &server.Access{Digest: o.digest(g.UserID), ID: backend.NewID(), GrantID: g.ID, Issued: o.now,
			ExpiresAt: o.now.Add(time.Hour)},
		Refresh: &server.Refresh{Digest: o.digest(g.UserID), GrantID: g.ID, Issued: o.now,
			ExpiresAt: o.now.Add(2 * time.Hour)}}
}

// start adds a grant with tokens.
func (o oauthTest) start(userID string) (*server.Grant, server.Tokens) {
	o.Helper()
	g := o.grant(userID)
	tokens := o.tokens(g)
	o.add(o.store.Start(o.Context(), g, tokens, 0, false))
	return g, tokens
}

// good reports whether an access token is.
func (o oauthTest) good(tokens server.Tokens) bool {
	o.Helper()
	access, g, err := o.store.FindAccess(o.Context(), tokens.Access.Digest)
	if err != nil {
		o.Fatal(err)
	}
	return access != nil && g.Live(o.now)
}

// keys returns all keys, without their prefix.
func (o oauthTest) keys() []string {
	o.Helper()
	keys, err := o.db.client.Do(o.Context(),
		o.db.client.B().Keys().Pattern(o.db.config.Prefix+"*").Build()).AsStrSlice()
	if err != nil {
		o.Fatal(err)
	}
	return keys
}

// Whatever a user has is at the user's tag and ends by itself. Clients and consents stay until they are removed.
func TestOAuthKeys(t *testing.T) {
	o := newOAuthTest(t, openTest(t, Config{MaxCached: -1}))
	g := o.grant("alice")
	code := &server.Code{Digest: o.digest("alice"), GrantID: g.ID, ExpiresAt: o.now.Add(time.Minute)}
	o.add(o.store.Approve(t.Context(), server.Approval{Grant: g, Code: code, Request: "r", Limit: 9,
		RequestExpires: o.now.Add(time.Hour), Remember: &server.Consent{UserID: "alice", ClientID: "web",
			Permissions: g.Permissions, Created: o.now, Updated: o.now}}))
	tokens, next := o.tokens(g), o.tokens(g)
	if verdict, err := o.store.Redeem(t.Context(), code.Digest, o.now, tokens); verdict != server.Redeemed ||
		err != nil {
		t.Fatalf("Redeem: got %v, %v, want Redeemed", verdict, err)
	}
	rotation, err := o.store.Rotate(t.Context(), tokens.Refresh.Digest, o.now, 0, next)
	if rotation.Verdict != server.Redeemed || err != nil {
		t.Fatalf("Rotate: got %v, %v, want verdict Redeemed", rotation, err)
	}
	if ok, err := o.store.AddAccess(t.Context(), o.tokens(g).Access, o.now); !ok || err != nil {
		t.Fatalf("AddAccess: got %v, %v, want true", ok, err)
	}
	ended, _ := o.start("alice")
	if ok, err := o.store.End(t.Context(), ended.ID, o.now); !ok || err != nil {
		t.Fatalf("End: got %v, %v, want true", ok, err)
	}
	kept := []kind{oauthClients, oauthClientList, oauthOwned, oauthConsents, oauthAgreed}
	elsewhere := append(slices.Clone(kept), oauthOwnedVer, oauthClientHas, oauthOnce, oauthOnceExpiry)
	places := []kind{oauthGrantPlaces, oauthCodePlaces, oauthAccessPlaces, oauthRefreshPlace, oauthSessionTags}
	for _, key := range o.keys() {
		name, rest, _ := strings.Cut(strings.TrimPrefix(key, o.db.config.Prefix), ":")
		ttl, err := o.db.client.Do(t.Context(), o.db.client.B().Pttl().Key(key).Build()).AsInt64()
		if forever := slices.Contains(kept, kind(name)); err != nil || forever != (ttl == -1) {
			t.Errorf("%q lives for %d ms, %v; for ever: %v", key, ttl, err, forever)
		}
		if !slices.Contains(elsewhere, kind(name)) && !strings.HasPrefix(rest, "{"+string(tagOfOwner("alice"))+"}") {
			t.Errorf("%q has another tag than the user", key)
		}
		if slices.Contains(places, kind(name)) {
			t.Errorf("%q says where something is whose name says so already", key)
		}
	}
}

// A code that comes twice ends the grant as long as the grant may have tokens.
func TestOAuthCodesLiveAsLongAsTheirGrants(t *testing.T) {
	o := newOAuthTest(t, openTest(t, Config{MaxCached: -1}))
	g := o.grant("alice")
	g.ExpiresAt, g.MaxExpiresAt = o.now.Add(time.Minute), time.Time{}
	code := &server.Code{Digest: o.digest("alice"), GrantID: g.ID, ExpiresAt: o.now.Add(time.Minute)}
	o.add(o.store.Approve(t.Context(), server.Approval{Grant: g, Code: code}))
	verdict, err := o.store.Redeem(t.Context(), code.Digest, o.now, o.tokens(g))
	if verdict != server.Redeemed || err != nil {
		t.Fatalf("Redeem: got %v, %v, want Redeemed", verdict, err)
	}
	long := o.tokens(g).Access
	long.ExpiresAt = o.now.Add(1000 * time.Hour)
	if ok, err := o.store.AddAccess(t.Context(), long, o.now); !ok || err != nil {
		t.Fatalf("AddAccess: got %v, %v, want true", ok, err)
	}
	for _, key := range []string{o.db.key(oauthCodes, tagOfOwner("alice"), code.Digest),
		o.db.key(oauthGrantTokens, tagOfOwner("alice"), g.ID), o.db.key(oauthGrantList, tagOfOwner("alice"), "alice"),
		o.db.key(oauthSessions, tagOfOwner("alice"), g.SessionID)} {
		ttl, err := o.db.client.Do(t.Context(), o.db.client.B().Pttl().Key(key).Build()).AsInt64()
		if err != nil || time.Duration(ttl)*time.Millisecond < 1000*time.Hour {
			t.Errorf("%q lives for %d ms, %v, want as long as the token", key, ttl, err)
		}
	}
}

func TestOAuthForeignValues(t *testing.T) {
	o := newOAuthTest(t, openTest(t, Config{MaxCached: -1}))
	g, tokens := o.start("alice")
	node := testserver.Redis(t)
	tag := tagOfOwner("alice")
	calls := map[string]func() error{
		"FindAccess": func() error { return errOf2(o.store.FindAccess(t.Context(), tokens.Access.Digest)) },
		"Rotate": func() error {
			return errOf(o.store.Rotate(t.Context(), tokens.Refresh.Digest, o.now, 0, o.tokens(g)))
		},
		"FindRefresh": func() error { return errOf2(o.store.FindRefresh(t.Context(), tokens.Refresh.Digest)) },
		"Grant":       func() error { return errOf(o.store.Grant(t.Context(), g.ID)) },
		"Grants":      func() error { return errOf(o.store.Grants(t.Context(), "alice", "", 9, o.now)) },
		"End":         func() error { return errOf(o.store.End(t.Context(), g.ID, o.now)) },
		"EndAll":      func() error { return errOf(o.store.EndAll(t.Context(), "alice", "", "", o.now)) },
		"EndSession":  func() error { return errOf(o.store.EndSession(t.Context(), g.SessionID, o.now)) },
		"AddAccess":   func() error { return errOf(o.store.AddAccess(t.Context(), o.tokens(g).Access, o.now)) },
	}
	keys := map[string][]string{
		o.db.key(oauthGrants, tag, g.ID): {"FindAccess", "Rotate", "FindRefresh", "Grant", "Grants", "End", "EndAll",
			"EndSession", "AddAccess"},
		o.db.key(oauthClients, clientsTag, "web"): {"FindAccess", "Rotate", "FindRefresh", "Grant", "Grants", "End",
			"EndAll", "EndSession", "AddAccess"},
		o.db.key(oauthAccess, tag, tokens.Access.Digest):   {"FindAccess"},
		o.db.key(oauthRefresh, tag, tokens.Refresh.Digest): {"Rotate", "FindRefresh"},
	}
	for key, broken := range keys {
		good, err := o.db.client.Do(t.Context(), o.db.client.B().Get().Key(key).Build()).ToString()
		if err != nil {
			t.Fatal(err)
		}
		for _, value := range []string{"", "{", `{"v":1,"unknown":1}`, good + "{}"} {
			node.Do(t, "SET", key, value)
			for _, name := range broken {
				if err := calls[name](); !errors.Is(err, ErrUnreadable) {
					t.Errorf("%s with %q in %q: %v, want ErrUnreadable", name, value, key, err)
				}
			}
		}
		node.Do(t, "DEL", key)
		node.Do(t, "RPUSH", key, "of another type")
		for _, name := range broken {
			wantOutage(t, name+" with another type", calls[name](), "another type")
		}
		node.Do(t, "DEL", key)
		node.Do(t, "SET", key, good)
	}
	if !o.good(tokens) {
		t.Error("a call that failed has changed something")
	}
}

func errOf[T any](_ T, err error) error { return err }

func errOf2[T, U any](_ T, _ U, err error) error { return err }

// On a server whose memory is full, everything can still be ended.
func TestOAuthFullMemory(t *testing.T) {
	node := testserver.NewRedis(t)
	o := newOAuthTest(t, testRedis{optionOf(t, node), "x:"}.open(t, Config{MaxCached: -1}))
	first, firstTokens := o.start("alice")
	second, secondTokens := o.start("alice")
	_, thirdTokens := o.start("alice")
	fifth, fifthTokens := o.start("carol")
	fourth, fourthTokens := o.start("bob")
	rotation, err := o.store.Rotate(t.Context(), fourthTokens.Refresh.Digest, o.now, 0, o.tokens(fourth))
	if rotation.Verdict != server.Redeemed || err != nil {
		t.Fatalf("Rotate: got %v, %v, want verdict Redeemed", rotation, err)
	}
	node.Do(t, "CONFIG", "SET", "maxmemory", "1")
	g := o.grant("alice")
	_, err = o.store.Start(t.Context(), g, o.tokens(g), 0, false)
	wantOutage(t, "a grant with a full memory", err, "memory of the server is full")
	if ok, err := o.store.End(t.Context(), first.ID, o.now); !ok || err != nil || o.good(firstTokens) {
		t.Errorf("End: %v, %v", ok, err)
	}
	ended, err := o.store.EndSession(t.Context(), second.SessionID, o.now)
	if len(ended) != 1 || err != nil || o.good(secondTokens) {
		t.Errorf("EndSession: %v, %v", ended, err)
	}
	ids, err := o.store.EndAll(t.Context(), "alice", "", "", o.now)
	if len(ids) != 1 || err != nil || o.good(thirdTokens) {
		t.Errorf("EndAll: %v, %v", ids, err)
	}
	rotation, err = o.store.Rotate(t.Context(), fourthTokens.Refresh.Digest, o.now, 0, o.tokens(fourth))
	if rotation.Verdict != server.Reused || err != nil || o.good(fourthTokens) {
		t.Errorf("a refresh token that comes twice: %+v, %v", rotation, err)
	}
	_, err = o.store.Rotate(t.Context(), fifthTokens.Refresh.Digest, o.now, 0, o.tokens(fifth))
	wantOutage(t, "a refresh with a full memory", err, "memory of the server is full")
	if ok, err := o.store.RemoveAccess(t.Context(), fifthTokens.Access.Digest); !ok || err != nil ||
		o.good(fifthTokens) {
		t.Errorf("RemoveAccess: %v, %v", ok, err)
	}
	if ids, err := o.store.Withdraw(t.Context(), "carol", "web", o.now); len(ids) != 1 || err != nil {
		t.Errorf("Withdraw: %v, %v, want %s", ids, err, fifth.ID)
	}
}

// What one instance ends, the others forget.
func TestOAuthEndsAreTold(t *testing.T) {
	for name, end := range map[string]func(s server.Store, g *server.Grant, tokens server.Tokens, now time.Time) error{
		"End": func(s server.Store, g *server.Grant, _ server.Tokens, now time.Time) error {
			return errOf(s.End(t.Context(), g.ID, now))
		},
		"RemoveAccess": func(s server.Store, _ *server.Grant, tokens server.Tokens, _ time.Time) error {
			return errOf(s.RemoveAccess(t.Context(), tokens.Access.Digest))
		},
		"RemoveClient": func(s server.Store, _ *server.Grant, _ server.Tokens, now time.Time) error {
			return errOf2(s.RemoveClient(t.Context(), "web", now))
		},
		"ChangeClient": func(s server.Store, _ *server.Grant, _ server.Tokens, now time.Time) error {
			disabled := &server.Client{ID: "web", Disabled: true, Created: now, Updated: now.Add(time.Microsecond)}
			return errOf2(s.ChangeClient(t.Context(), disabled, now))
		},
	} {
		t.Run(name, func(t *testing.T) {
			first, second := pairOf(t, Config{})
			o, other := newOAuthTest(t, first), OAuth(second)
			g, tokens := o.start("alice")
			for range 2 { // the second time from memory
				if !o.good(tokens) {
					t.Fatal("the token is not good before")
				}
			}
			if c, err := o.store.Client(t.Context(), "web"); c == nil || err != nil {
				t.Fatalf("Client: got %v, %v, want a record", c, err)
			}
			if err := end(other, g, tokens, o.now); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the other instance refuses the token", func() bool { return !o.good(tokens) })
			if !strings.HasSuffix(name, "Client") {
				return
			}
			eventually(t, "the other instance knows the client", func() bool {
				c, err := o.store.Client(t.Context(), "web")
				return err == nil && (c == nil || c.Disabled)
			})
		})
	}
}
