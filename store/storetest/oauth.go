package storetest

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/gatewarden/auth/oauth2/server"
)

// OAuth checks a [server.Store].
func OAuth(t *testing.T, open func(t *testing.T) server.Store) {
	checkAspects(t, func(t *testing.T) oauthStore {
		s := oauthStore{t, open(t)}
		s.addClient("web", "")
		return s
	}, []aspect[oauthStore]{
		{"clients", oauthClients},
		{"disabling clients", oauthDisabling},
		{"interactions", oauthInteractions},
		{"consents", oauthConsents},
		{"permissions", oauthPermissions},
		{"answers", oauthAnswers},
		{"pages that wait", oauthPages},
		{"requests", oauthRequests},
		{"codes", oauthCodes},
		{"refresh tokens", oauthRefresh},
		{"the grace", oauthGrace},
		{"access tokens", oauthAccess},
		{"access tokens by hash", oauthByHash},
		{"grants", oauthGrants},
		{"ending all", oauthEndingAll},
		{"lists", oauthLists},
		{"limits", oauthLimits},
		{"limits of clients", oauthClientLimits},
		{"codes that wait", oauthWaiting},
		{"what a client loses", oauthClientEnds},
		{"purging", oauthPurge},
		{"purging what ended", oauthPurgeEnded},
		{"races", oauthRaces},
		{"races of ends", oauthEndRaces},
		{"texts", oauthTexts},
		{"every method", oauthCalls},
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

// added adds a client, approved and started a grant, without a limit. They report
// whether it was added.
func (s oauthStore) added(client *server.Client) (bool, error) {
	added, err := s.AddClient(s.Context(), client, 0)
	return s.unlimited(added, err)
}

func (s oauthStore) approved(a server.Approval) (bool, error) {
	added, err := s.Approve(s.Context(), a)
	return s.unlimited(added, err)
}

func (s oauthStore) started(g *server.Grant, tokens server.Tokens) (bool, error) {
	added, err := s.Start(s.Context(), g, tokens, 0, false)
	return s.unlimited(added, err)
}

func (s oauthStore) unlimited(added server.Added, err error) (bool, error) {
	if added.OverLimit || added.Evicted != nil || err != nil && added.Refused {
		s.Errorf("got %+v, %v without a limit", added, err)
	}
	return err == nil && added.OK(), err
}

func (s oauthStore) addClient(id, owner string) *server.Client {
	s.Helper()
	c := &server.Client{ID: id, Name: id, Owner: owner, Created: noon, Updated: noon}
	ok, err := s.added(c)
	s.must(err)
	if !ok {
		s.Fatalf("client %s is there", id)
	}
	return c
}

// The APIs of the tests.
const (
	oauthAPI      = "https://api.example/"
	oauthOtherAPI = "https://other.example/"
)

// oauthMay is to have these scopes at the first API.
func oauthMay(scopes ...string) server.Permissions {
	return server.Permissions{{Resource: oauthAPI, Scopes: scopes}}
}

// oauthGrant is a grant of the client web that expires in an hour.
func oauthGrant(user, id string) *server.Grant {
	return &server.Grant{ID: id, ClientID: "web", UserID: user, Type: "authorization_code",
		Permissions: oauthMay("read"), Created: noon, LastUsed: noon, ExpiresAt: noon.Add(time.Hour),
		MaxExpiresAt: noon.Add(24 * time.Hour)}
}

// oauthCode is good for a minute.
func oauthCode(g *server.Grant, digest string) *server.Code {
	return &server.Code{Digest: digest, GrantID: g.ID, ExpiresAt: noon.Add(time.Minute)}
}

// oauthTokens are an access token for two hours and a refresh token for three, with
// digests made of a name.
func oauthTokens(g *server.Grant, name string) server.Tokens {
	return server.Tokens{
		Access: &server.Access{Digest: name + " access", ID: name + " id", GrantID: g.ID,
			Scopes: g.Permissions.Scopes(), Audience: g.Permissions.Resources(), Issued: noon,
			ExpiresAt: noon.Add(2 * time.Hour)},
		Refresh: &server.Refresh{Digest: name + " refresh", GrantID: g.ID, Issued: noon,
			ExpiresAt: noon.Add(3 * time.Hour)},
	}
}

// approve adds a grant with a code.
func (s oauthStore) approve(user, id, code string) *server.Grant {
	s.Helper()
	g := oauthGrant(user, id)
	ok, err := s.approved(server.Approval{Grant: g, Code: oauthCode(g, code)})
	s.must(err)
	if !ok {
		s.Fatal("Approve did not add the grant")
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
	ok, err := s.started(g, oauthTokens(g, id))
	s.must(err)
	if !ok {
		s.Fatal("Start did not add the grant")
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

func (s oauthStore) rotate(old string, now time.Time, grace time.Duration, tokens server.Tokens,
	want server.Verdict) server.Rotation {
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

// sameRecord compares records as stores keep them. An empty list is as nil.
func sameRecord(a, b any) bool {
	return reflect.TypeOf(a) == reflect.TypeOf(b) && recordText(a) == recordText(b)
}

func recordText(v any) string {
	out, _ := json.Marshal(v) // of strings, times and bytes
	return strings.NewReplacer("[]", "null", ":\"\"", ":null").Replace(string(out))
}

// snapshot is what there is of a grant, and the code and the tokens of each name.
func (s oauthStore) snapshot(grant string, names ...string) string {
	s.Helper()
	g, err := s.Grant(s.Context(), grant)
	s.must(err)
	all := []any{g}
	for _, name := range names {
		code, _, err := s.FindCode(s.Context(), name)
		s.must(err)
		access, _, err := s.FindAccess(s.Context(), name+" access")
		s.must(err)
		refresh, _, err := s.FindRefresh(s.Context(), name+" refresh")
		s.must(err)
		all = append(all, code, access, refresh)
	}
	return recordText(all)
}

// keeps checks that what is done changes nothing of a grant and those names.
func (s oauthStore) keeps(sentence string, do func(), grant string, names ...string) {
	s.Helper()
	before := s.snapshot(grant, names...)
	do()
	if after := s.snapshot(grant, names...); after != before {
		s.Errorf("%s changed\n%s\nto\n%s", sentence, before, after)
	}
}

const odd = "ä'\"\\%_ \u202e\U0001f512 "

var fraction = noon.Add(123456 * time.Microsecond)

// done leaves out which grants ended.
func done(ok bool, _ []server.EndedGrant, err error) (bool, error) { return ok, err }
