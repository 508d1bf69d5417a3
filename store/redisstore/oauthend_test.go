package redisstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/internal/testserver"
	"github.com/gatewarden/auth/oauth2/server"
)

// oauthNow is the instant of the tests of OAuth.
var oauthNow = backend.StoreTime(time.Now())

// oauthOn opens the store of OAuth without a cache.
func oauthOn(t *testing.T, place testRedis) *oauthStore {
	t.Helper()
	return &oauthStore{place.open(t, Config{MaxCached: -1})}
}

func (s *oauthStore) mustAddClient(t *testing.T, id string) *server.Client {
	t.Helper()
	client := &server.Client{ID: id, Created: oauthNow, Updated: oauthNow}
	if added, err := s.AddClient(t.Context(), client, 0); err != nil || !added.OK() {
		t.Fatalf("AddClient: got %v, %v, want OK", added, err)
	}
	return client
}

// grantOf returns a grant that is good for an hour.
func grantOf(userID, clientID string) *server.Grant {
	return &server.Grant{ID: backend.NewIDOf(userID), UserID: userID, ClientID: clientID, Type: "authorization_code",
		Created: oauthNow, ExpiresAt: oauthNow.Add(time.Hour), MaxExpiresAt: oauthNow.Add(time.Hour)}
}

// mustPut writes a grant that a client gave while it had a state.
func (s *oauthStore) mustPut(t *testing.T, g *server.Grant, client clientState) {
	t.Helper()
	if err := s.listOfClient(t.Context(), g); err != nil {
		t.Fatal(err)
	}
	of := grantTag(g.UserID, g.ClientID)
	s.change(t, func(c *change) {
		row := grantRowOf(g, client.row.Generation)
		s.putGrant(c, of, g.ID, &row, oauthNow)
	})
}

// change makes a change.
func (s *oauthStore) change(t *testing.T, note func(c *change)) {
	t.Helper()
	err := s.db.transact(t.Context(), "test", func(_ context.Context, c *change) error {
		note(c)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (s *oauthStore) stateOf(t *testing.T, clientID string) clientState {
	t.Helper()
	state, err := s.clientState(t.Context(), clientID)
	if err != nil {
		t.Fatal(err)
	}
	return state
}

// revokedAt returns when a grant ended, or the zero time.
func (s *oauthStore) revokedAt(t *testing.T, g *server.Grant) time.Time {
	t.Helper()
	all, err := s.loadGrants(t.Context(), newChange(s.db), grantTag(g.UserID, g.ClientID), []string{g.ID})
	if err != nil || len(all) != 1 {
		t.Fatalf("%s: heldIn: got %v, %v, want 1 entry", g.ID, all, err)
	}
	return all[0].row.Revoked.time()
}

func TestUnitGenerationsOfAClient(t *testing.T) {
	at := func(minutes int) micros { return microsOf(oauthNow.Add(time.Duration(minutes) * time.Minute)) }
	grant := grantRow{Created: at(0), Expires: at(60), Generation: "first"}
	client := &server.Client{ID: "web"}
	for name, c := range map[string]struct {
		state clientState
		row   func(*grantRow)
		want  micros
	}{
		"a grant of the same generation is good": {clientState{clientRow{Generation: "first", Client: client}}, nil, 0},
		"another generation has ended at the change": {
			clientState{clientRow{Generation: "second", Ended: at(9), Client: client}}, nil, at(9)},
		"a grant that had ended before stays so": {
			clientState{clientRow{Generation: "second", Ended: at(9), Client: client}},
			func(r *grantRow) { r.Revoked = at(5) }, at(5)},
		"a grant that had expired before has not been ended": {
			clientState{clientRow{Generation: "second", Ended: at(60), Client: client}}, nil, 0},
		"without a client it has ended when it was created": {clientState{}, nil, at(0)},
		"a client that was added anew has nothing of the one before": {
			clientState{clientRow{Generation: "other", Client: client}}, nil, at(0)},
		"no generation is that of no client": {
			clientState{}, func(r *grantRow) { r.Generation = "" }, at(0)},
	} {
		t.Run(name, func(t *testing.T) {
			row := grant
			if c.row != nil {
				c.row(&row)
			}
			if got := c.state.revoke(row); got.Revoked != c.want {
				t.Errorf("got an end at %v, want %v", got.Revoked.time(), c.want.time())
			}
		})
	}
}

func TestClientEndsGrantsOfManyUsers(t *testing.T) {
	for name, place := range map[string]testRedis{"one server": onNode(t), "a Cluster": onCluster(t)} {
		t.Run(name, func(t *testing.T) {
			s := oauthOn(t, place)
			s.mustAddClient(t, "web")
			s.mustAddClient(t, "other")
			web, other := s.stateOf(t, "web"), s.stateOf(t, "other")
			var want []server.EndedGrant
			var all []*server.Grant
			const grants = walkSize + 100
			for i := range grants {
				g := grantOf(fmt.Sprint("user", i%300), "web")
				all = append(all, g)
				want = append(want, server.EndedGrant{ID: g.ID, UserID: g.UserID})
				s.mustPut(t, g, web)
			}
			slices.SortFunc(want, func(a, b server.EndedGrant) int { return strings.Compare(a.ID, b.ID) })
			kept := grantOf("user1", "other")
			s.mustPut(t, kept, other)
			ended := oauthNow.Add(time.Minute)
			disabled := &server.Client{ID: "web", Disabled: true, Updated: ended}
			ok, got, err := s.ChangeClient(t.Context(), disabled, oauthNow)
			if !ok || err != nil || !slices.Equal(got, want) {
				t.Fatalf("got %v, %d ended, %v, want the %d grants in order", ok, len(got), err, len(want))
			}
			for _, g := range []*server.Grant{all[0], all[grants-1]} {
				if at := s.revokedAt(t, g); !at.Equal(ended) {
					t.Errorf("got an end at %v, want %v", at, ended)
				}
			}
			if at := s.revokedAt(t, kept); !at.IsZero() {
				t.Errorf("the grant of another client ended at %v", at)
			}
		})
	}
}

func TestGrantsGivenWhileTheirClientEnds(t *testing.T) {
	s := oauthOn(t, onNode(t))
	client := s.mustAddClient(t, "web")
	before := s.stateOf(t, "web")
	ended := oauthNow.Add(time.Minute)
	if ok, _, err := s.ChangeClient(t.Context(), &server.Client{ID: "web", Disabled: true, Updated: ended},
		client.Updated); !ok || err != nil {
		t.Fatalf("ChangeClient: got %v, %v, want true", ok, err)
	}
	late := grantOf("alice", "web")
	s.mustPut(t, late, before)
	if at := s.revokedAt(t, late); !at.Equal(ended) {
		t.Errorf("got an end at %v, want %v, that of the client", at, ended)
	}
	enabled := ended.Add(time.Minute)
	if ok, all, err := s.ChangeClient(t.Context(), &server.Client{ID: "web", Updated: enabled}, ended); !ok ||
		all != nil || err != nil {
		t.Fatalf("ChangeClient: got %v, %v, %v, want true and nil", ok, all, err)
	}
	if at := s.revokedAt(t, late); !at.Equal(ended) {
		t.Errorf("got an end at %v after the client was enabled, want %v", at, ended)
	}
	good := grantOf("alice", "web")
	s.mustPut(t, good, s.stateOf(t, "web"))
	if at := s.revokedAt(t, good); !at.IsZero() {
		t.Errorf("a grant of the client that was enabled ended at %v", at)
	}
	if ok, all, err := s.RemoveClient(t.Context(), "web", enabled); !ok || err != nil ||
		!slices.Equal(all, []server.EndedGrant{{ID: good.ID, UserID: "alice"}}) {
		t.Errorf("got %v, %v, %v, want the grant that was good", ok, all, err)
	}
	if at := s.revokedAt(t, good); !at.Equal(enabled) {
		t.Errorf("got an end at %v, want %v", at, enabled)
	}
	s.mustAddClient(t, "web")
	again := grantOf("alice", "web")
	s.mustPut(t, again, before)
	if at := s.revokedAt(t, again); at.IsZero() {
		t.Error("a grant of the client before is good at the one that was added with its ID")
	}
}

// If the walk fails, there is an error, and all grants have ended nevertheless.
func TestUnreadableGrantOfAClientThatEnds(t *testing.T) {
	place := onNode(t)
	s := oauthOn(t, place)
	s.mustAddClient(t, "web")
	first, second := grantOf("alice", "web"), grantOf("bob", "web")
	s.mustPut(t, first, s.stateOf(t, "web"))
	s.mustPut(t, second, s.stateOf(t, "web"))
	key := s.grantKey(tagOfOwner("alice"), first.ID)
	testserver.Redis(t).Do(t, "SET", key, "{")
	ok, all, err := s.RemoveClient(t.Context(), "web", oauthNow)
	if ok || all != nil || !errors.Is(err, errNotListed) || !errors.Is(err, ErrUnreadable) {
		t.Errorf("got %v, %v, %v, want an error that says what is left", ok, all, err)
	}
	if client, err := s.Client(t.Context(), "web"); client != nil || err != nil {
		t.Errorf("got the client %v, %v", client, err)
	}
	if at := s.revokedAt(t, second); at.IsZero() {
		t.Error("the other grant of the client is good")
	}
}

func TestRemovingAClientWithAFullMemory(t *testing.T) {
	node := testserver.NewRedis(t)
	s := oauthOn(t, testRedis{optionOf(t, node), "x:"})
	client := s.mustAddClient(t, "web")
	g, other := grantOf("alice", "web"), grantOf("bob", "web")
	s.mustPut(t, g, s.stateOf(t, "web"))
	s.mustPut(t, other, s.stateOf(t, "web"))
	node.Do(t, "CONFIG", "SET", "maxmemory", "1")
	ok, all, err := s.ChangeClient(t.Context(), &server.Client{ID: "web", Disabled: true, Updated: oauthNow.Add(1e9)},
		client.Updated)
	if ok || all != nil {
		t.Errorf("got %v, %v", ok, all)
	}
	wantOutage(t, "a change of a client with a full memory", err, "memory of the server is full")
	if at := s.revokedAt(t, g); !at.IsZero() {
		t.Errorf("a change that failed ended a grant at %v", at)
	}
	if ids, err := s.Withdraw(t.Context(), "alice", "web", oauthNow); err != nil || !slices.Equal(ids, []string{g.ID}) {
		t.Errorf("withdrawn with a full memory: %v, %v", ids, err)
	}
	ok, all, err = s.RemoveClient(t.Context(), "web", oauthNow)
	if !ok || err != nil || !slices.Equal(all, []server.EndedGrant{{ID: other.ID, UserID: "bob"}}) {
		t.Errorf("removed with a full memory: %v, %v, %v", ok, all, err)
	}
	node.Do(t, "CONFIG", "SET", "maxmemory", "0")
	for _, gone := range []*server.Grant{g, other} {
		all, err := s.loadGrants(t.Context(), newChange(s.db), grantTag(gone.UserID, "web"), []string{gone.ID})
		if len(all) != 0 || err != nil {
			t.Errorf("got %v, %v, want no grant", all, err)
		}
	}
}
