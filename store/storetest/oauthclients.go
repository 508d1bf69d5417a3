package storetest

import (
	"strings"
	"testing"
	"time"

	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/oauth2/server"
)

// oauthClients checks what clients there are, and how they change.
func oauthClients(t *testing.T, open openFunc[oauthStore]) {
	check(t, open, "a client is found as it was added, and once", oauthClientFound)
	check(t, open, "clients are listed by owner or all, in order, from after one, up to a limit", oauthClientsListed)
	check(t, open, "ChangeClient changes a client only if the caller knows its last change", oauthClientChanged)
}

func oauthClientFound(t *testing.T, open openFunc[oauthStore]) {
	s := open(t)
	want := &server.Client{ID: "A_b-1", SecretDigest: "digest", SecretHash: "a$1$" + odd, SecretReplaces: "before",
		SecretsRetired: []string{"one", "two"}, Name: odd, Owner: odd,
		AuthMethod: server.AuthClientSecretBasic, RedirectURIs: []string{"https://a.example/?x=1&y='"},
		PostLogoutRedirectURIs: []string{"com.example:/bye"}, GrantTypes: []string{"authorization_code", "x"},
		Scopes: []string{"read", "a:b"}, Resources: []string{"https://api.example/"},
		ResourceServer: []string{"https://api.example/x"}, FirstParty: true, AllowWithoutPKCE: true,
		AllowShortSecret: true, IDTokenAlgorithm: jwt.ES256, ClaimsInIDToken: true, Created: fraction,
		Updated: fraction.Add(time.Hour)}
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
		t.Errorf("Client: got %+v, %v, want %+v", got, err, want)
	}
	for _, id := range []string{"a_b-1", "A_b-1 ", "", "A_b-"} {
		if got, err := s.Client(s.Context(), id); got != nil || err != nil {
			t.Errorf("%q: Client: got %+v, %v, want nil", id, got, err)
		}
	}
}

func oauthClientsListed(t *testing.T, open openFunc[oauthStore]) {
	s := open(t)
	for _, id := range []string{"d", "b", "c", "a", "B"} {
		s.addClient(id, map[bool]string{true: "alice"}[id != "c"])
	}
	for _, row := range []struct {
		owner string
		after string
		limit int
		want  string
	}{{"alice", "", 9, "B a b d"}, {"", "", 9, "B a b c d web"}, {"alice", "a", 9, "b d"}, {"alice", "aa", 1, "b"},
		{"", "d", 2, "web"}, {"alice", "d", 9, ""}, {"nobody", "", 9, ""}} {
		found, err := s.Clients(s.Context(), row.owner, row.after, row.limit)
		s.must(err)
		var ids []string
		for _, c := range found {
			ids = append(ids, c.ID)
		}
		if got := strings.Join(ids, " "); got != row.want {
			t.Errorf("Clients of %+v: got %s, want %s", row, got, row.want)
		}
	}
}

func oauthClientChanged(t *testing.T, open openFunc[oauthStore]) {
	s := open(t)
	was := s.addClient("shop", "alice")
	change := func(name, owner string, updated, was time.Time, want bool) {
		t.Helper()
		c := &server.Client{ID: "shop", Name: name, Owner: owner, Created: noon, Updated: updated}
		if ok, _, err := s.ChangeClient(s.Context(), c, was); ok != want || err != nil {
			t.Errorf("%s: ChangeClient: got %v, %v, want %v", name, ok, err, want)
		}
	}
	change("first", "bob", fraction, was.Updated, true)
	change("late", "alice", fraction.Add(time.Second), was.Updated, false)
	if got, err := s.Client(s.Context(), "shop"); err != nil || got.Name != "first" || !got.Updated.Equal(fraction) {
		t.Errorf("Client: got %+v, %v, want Name \"first\" and Updated %v", got, err, fraction)
	}
	if owned, err := s.Clients(s.Context(), "bob", "", 9); len(owned) != 1 || err != nil {
		t.Error("the owner has not changed")
	}
	if ok, _, err := s.ChangeClient(s.Context(), &server.Client{ID: "none", Updated: noon}, noon); ok || err != nil {
		t.Errorf("ChangeClient: got %v, %v, want false", ok, err)
	}
}

// oauthDisabling checks what becomes of the grants of a client that is disabled or removed.
func oauthDisabling(t *testing.T, open openFunc[oauthStore]) {
	check(t, open, "disabling or removing a client ends what it has, and lets it have no more", oauthClientLoses)
	check(t, open, "a client may be added disabled and enabled again, and its ended grants stay ended",
		oauthClientEnabled)
	check(t, open, "ChangeClient with an old time, and AddClient with a known ID, change nothing", oauthClientTooLate)
}

func oauthClientLoses(t *testing.T, open openFunc[oauthStore]) {
	for name, end := range map[string]func(s oauthStore) (bool, error){
		"disable": func(s oauthStore) (bool, error) {
			return done(s.ChangeClient(s.Context(), &server.Client{ID: "web", Disabled: true, Created: noon,
				Updated: fraction}, noon))
		},
		"remove": func(s oauthStore) (bool, error) { return done(s.RemoveClient(s.Context(), "web", fraction)) },
	} {
		oauthLoses(t, open(t), name, end)
	}
	s := open(t)
	if ok, _, err := s.RemoveClient(s.Context(), "none", noon); ok || err != nil {
		t.Errorf("RemoveClient: got %v, %v, want false", ok, err)
	}
}

// oauthLoses ends what a client has, and checks that it has nothing and gets no more.
func oauthLoses(t *testing.T, s oauthStore, name string, end func(s oauthStore) (bool, error)) {
	t.Helper()
	s.addClient("other", "")
	s.start("alice", "1")
	s.approve("bob", "2", "code")
	s.start("alice", "3", func(g *server.Grant) { g.ClientID = "other" })
	if ok, err := end(s); !ok || err != nil {
		t.Fatalf("%s: end: got %v, %v, want true", name, ok, err)
	}
	s.wantLive(false, "1", "2")
	s.wantLive(true, "3")
	if g, err := s.Grant(s.Context(), "1"); err != nil || !g.RevokedAt.Equal(fraction) {
		t.Errorf("%s: the grant has RevokedAt %v, %v, want %v", name, g.RevokedAt, err, fraction)
	}
	s.redeem("code", noon, oauthTokens(oauthGrant("bob", "2"), "new"), server.Revoked)
	g := oauthGrant("alice", "4")
	if ok, err := s.started(g, oauthTokens(g, "4")); ok || err != nil {
		t.Errorf("%s: started %v, %v, want false", name, ok, err)
	}
	if ok, err := s.approved(server.Approval{Grant: g, Code: oauthCode(g, "4")}); ok || err != nil {
		t.Errorf("%s: approved %v, %v, want false", name, ok, err)
	}
	if g, err := s.Grant(s.Context(), "4"); g != nil || err != nil {
		t.Errorf("%s: Grant: got %+v, %v, want nil", name, g, err)
	}
}

func oauthClientEnabled(t *testing.T, open openFunc[oauthStore]) {
	s := open(t)
	want := &server.Client{ID: "shop", Disabled: true, Created: noon, Updated: noon}
	_, err := s.added(want)
	s.must(err)
	if got, err := s.Client(s.Context(), "shop"); err != nil || !sameRecord(got, want) {
		t.Errorf("Client: got %+v, %v, want %+v", got, err, want)
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
		if ok, _, err := s.ChangeClient(s.Context(), &server.Client{ID: "shop", Disabled: disabled, Created: noon,
			Updated: updated}, was); !ok || err != nil {
			t.Fatalf("ChangeClient: got %v, %v, want true", ok, err)
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
		t.Errorf("Grant: got %+v, %v, want RevokedAt %v", g, err, noon.Add(2*time.Second))
	}
	if !start("3") {
		t.Error("not started for one that is enabled again")
	}
}

func oauthClientTooLate(t *testing.T, open openFunc[oauthStore]) {
	s := open(t)
	s.start("alice", "1")
	disabled := &server.Client{ID: "web", Disabled: true, Created: noon, Updated: fraction}
	if ok, _, err := s.ChangeClient(s.Context(), disabled, noon.Add(time.Microsecond)); ok || err != nil {
		t.Errorf("ChangeClient: got %v, %v, want false", ok, err)
	}
	if ok, err := s.added(disabled); ok || err != nil {
		t.Errorf("added: got %v, %v, want false", ok, err)
	}
	s.wantLive(true, "1")
	s.start("alice", "2") // it is not disabled
}
