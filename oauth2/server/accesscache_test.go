package server_test

import (
	"context"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/oauth2"
	"github.com/gatewarden/auth/oauth2/server"
)

const knownAPI = "https://api.example/"

// issuing is a server without HTTP, its client and its users, and an API that asks it.
type issuing struct {
	testing.TB
	server *server.Server
	client *server.Client
	users  *users
	api    *oauth2.Resource
}

func newIssuing(t testing.TB, store server.Store, change func(*server.Config)) *issuing {
	t.Helper()
	i := &issuing{TB: t, users: &users{stamps: map[string]string{"alice": "a", "bob": "b"}, off: map[string]bool{}}}
	key, err := jwt.GenerateKey(jwt.ES256)
	i.must(err)
	keys, err := jwt.NewKeySet(key)
	i.must(err)
	config := server.Config{Issuer: "https://login.example", Store: store, LoadUser: i.users.load, Keys: keys,
		Tokens:    server.TokenConfig{Grants: []server.GrantType{server.ClientCredentials{}}},
		Scopes:    []server.Scope{{Name: "read"}},
		Resources: []server.Resource{{ID: knownAPI}}}
	if change != nil {
		change(&config)
	}
	i.server, err = server.New(config)
	i.must(err)
	i.client, _, err = i.server.AddClient(t.Context(), server.Registration{ClientName: "Job",
		GrantTypes: []string{"client_credentials"}, Scope: "read"})
	i.must(err)
	i.api = i.resource(oauth2.Config{})
	return i
}

func (i *issuing) must(err error) {
	i.Helper()
	if err != nil {
		i.Fatal(err)
	}
}

// resource is an API with the server as its first source.
func (i *issuing) resource(config oauth2.Config) *oauth2.Resource {
	i.Helper()
	config.Resource, config.LoadUser = knownAPI, i.users.load
	if config.Sources == nil {
		config.Sources = []oauth2.Source{i.server}
	}
	api, err := oauth2.New(config)
	i.must(err)
	return api
}

func (i *issuing) token(userID string) string {
	i.Helper()
	issued, err := i.server.Issue(i.Context(), server.Issuance{Client: i.client, Type: "test", UserID: userID,
		Scopes: []string{"read"}})
	i.must(err)
	return issued.AccessToken().Reveal()
}

// credential returns the credential of a token that must be good.
func (i *issuing) credential(api *oauth2.Resource, token string) *oauth2.Token {
	i.Helper()
	_, credential, err := api.VerifyToken(i.Context(), token)
	i.must(err)
	return credential.(*oauth2.Token)
}

// refused presents a token that must be ErrInvalid with this cause.
func (i *issuing) refused(api *oauth2.Resource, token, cause string) {
	i.Helper()
	_, _, err := api.VerifyToken(i.Context(), token)
	if auth.KindOf(err) != auth.ErrInvalid || !strings.Contains(err.Error(), cause) {
		i.Errorf("want ErrInvalid, %q, got %v", cause, err)
	}
}

func TestUnitAnOpaqueTokenAllocatesNothing(t *testing.T) {
	i := newIssuing(t, server.NewMemoryStore(), nil)
	foreign, err := oauth2.NewJWT(oauth2.JWTConfig{Issuer: "https://other.example", Audience: []string{knownAPI}})
	i.must(err)
	owner := newIssuing(t, server.NewMemoryStore(), nil)
	for name, row := range map[string]struct {
		api   *oauth2.Resource
		token string
		kind  error
	}{
		"of a user with a stamp":          {i.api, i.token("alice"), nil},
		"at a resource of another name":   {i.resource(oauth2.Config{Name: "api"}), i.token("alice"), nil},
		"that is not known":               {i.api, owner.token("alice"), auth.ErrInvalid},
		"that is garbage":                 {i.api, strings.Repeat("x", 43), auth.ErrUnrecognized},
		"that is garbage with our prefix": {i.api, "at_" + strings.Repeat("x", 40), auth.ErrUnrecognized},
		"that is 8,000 bytes of garbage":  {i.api, strings.Repeat("x", 8000), auth.ErrUnrecognized},
		"that no source recognizes": {i.resource(oauth2.Config{Sources: []oauth2.Source{i.server, foreign}}),
			strings.Repeat("x", 43), auth.ErrUnrecognized},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/", nil)
			r.Header.Set("Authorization", "Bearer "+row.token)
			_, _, _ = row.api.Authenticate(r) // remembers the token
			var err error
			n := testing.AllocsPerRun(100, func() { _, _, err = row.api.Authenticate(r) })
			if n > loaded(row.kind) || auth.KindOf(err) != row.kind {
				t.Errorf("want %v without an allocation, got %v and %v", row.kind, err, n)
			}
		})
	}
}

// loaded is how many allocations the loader of the users makes: the user of a good token.
func loaded(kind error) float64 {
	if kind == nil {
		return 1
	}
	return 0
}

func TestUnitWhatIsKnownOfAnOpaqueTokenEndsInTime(t *testing.T) {
	store := server.NewMemoryStore()
	i := newIssuing(t, store, nil)
	i.Run(t, "requests share one credential", func(i *issuing) {
		token := i.token("alice")
		first := i.credential(i.api, token)
		if again := i.credential(i.api, token); again != first || again.Subject != "alice" ||
			again.Backend() != "oauth2" {
			i.Errorf("want %+v, got %+v", first, again)
		}
	})
	i.Run(t, "resources of other names do not share it", func(i *issuing) {
		token, other := i.token("alice"), i.resource(oauth2.Config{Name: "api"})
		for range 2 {
			if got := i.credential(i.api, token).Backend(); got != "oauth2" {
				i.Errorf("want oauth2, got %s", got)
			}
			if got := i.credential(other, token).Backend(); got != "api" {
				i.Errorf("want api, got %s", got)
			}
		}
	})
	i.Run(t, "a resource with another audience refuses what one accepted", func(i *issuing) {
		token := i.token("alice")
		i.credential(i.api, token)
		other, err := oauth2.New(oauth2.Config{Resource: "https://b.example/", Sources: []oauth2.Source{i.server},
			LoadUser: i.users.load})
		i.must(err)
		for range 2 {
			i.refused(other, token, "aud is")
		}
		i.credential(i.api, token)
	})
	i.Run(t, "a revoked grant", func(i *issuing) {
		token := i.token("alice")
		grant := i.credential(i.api, token).GrantID
		if ended, err := store.End(t.Context(), grant, time.Now()); !ended || err != nil {
			t.Fatal(ended, err)
		}
		i.refused(i.api, token, "the grant was ended")
	})
	i.Run(t, "a removed token", func(i *issuing) {
		token := i.token("alice")
		i.credential(i.api, token)
		if removed, err := store.RemoveAccess(t.Context(), backend.TokenDigest(token, "at_")); !removed || err != nil {
			t.Fatal(removed, err)
		}
		i.refused(i.api, token, "no such access token is kept")
	})
	i.Run(t, "another stamp", func(i *issuing) {
		token := i.token("bob")
		i.credential(i.api, token)
		i.users.changePassword("bob")
		for range 2 {
			i.refused(i.api, token, "stamp")
		}
	})
	i.Run(t, "another stamp of user and grant", func(i *issuing) {
		token := i.token("alice")
		first := i.credential(i.api, token)
		i.users.changePassword("alice")
		user, err := i.users.load(t.Context(), "alice")
		i.must(err)
		_, err = store.EndAll(t.Context(), "alice", first.GrantID, backend.Stamp("oauth2", user), time.Now())
		i.must(err)
		if got := i.credential(i.api, token); got == first || got.Stamp == first.Stamp {
			i.Errorf("want a credential with the new stamp, got %+v", got)
		}
	})
	i.Run(t, "an inactive user", func(i *issuing) {
		token := i.token("alice")
		i.credential(i.api, token)
		i.users.disable("alice", true)
		defer i.users.disable("alice", false)
		i.refused(i.api, token, "inactive")
	})
}

// Run runs a part of a test.
func (i *issuing) Run(t *testing.T, sentence string, part func(i *issuing)) {
	t.Run(sentence, func(t *testing.T) {
		here := *i
		here.TB = t
		part(&here)
	})
}

func TestUnitAnOpaqueTokenExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := newIssuing(t, server.NewMemoryStore(), func(c *server.Config) { c.Tokens.Lifetimes.Access = time.Hour })
		token := i.token("alice")
		time.Sleep(time.Hour - time.Nanosecond)
		i.credential(i.api, token)
		time.Sleep(time.Nanosecond)
		i.refused(i.api, token, "has expired")
	})
}

// own is a store with a look-up of its own around one in memory.
type own struct {
	*server.MemoryStore
	asked int
}

func (o *own) FindAccess(ctx context.Context, digest string) (*server.Access, *server.Grant, error) {
	o.asked++
	return o.MemoryStore.FindAccess(ctx, digest)
}

// copying is a store that returns copies with other scopes.
type copying struct{ server.Store }

func (c copying) FindAccess(ctx context.Context, digest string) (*server.Access, *server.Grant, error) {
	access, grant, err := c.Store.FindAccess(ctx, digest)
	if access != nil {
		changed := *access
		changed.Scopes = nil
		access = &changed
	}
	return access, grant, err
}

func TestUnitStoresOfOthers(t *testing.T) {
	t.Run("a store that embeds another one is asked by its own method", func(t *testing.T) {
		store := &own{MemoryStore: server.NewMemoryStore()}
		i := newIssuing(t, store, nil)
		token := i.token("alice")
		for range 3 {
			i.credential(i.api, token)
		}
		if store.asked != 3 {
			t.Errorf("want 3 questions, got %d", store.asked)
		}
	})
	t.Run("a copy of a record is believed", func(t *testing.T) {
		i := newIssuing(t, copying{server.NewMemoryStore()}, nil)
		token := i.token("alice")
		for range 2 {
			if got := i.credential(i.api, token); len(got.Scope) != 0 {
				t.Errorf("want no scope, got %v", got.Scope)
			}
		}
	})
	t.Run("servers that share a store tell their own issuer and take tokens of their own prefix", func(t *testing.T) {
		store := server.NewMemoryStore()
		one := newIssuing(t, store, nil)
		other := newIssuing(t, store, func(c *server.Config) { c.Issuer = "https://other.example" })
		third := newIssuing(t, store, func(c *server.Config) { c.Tokens.Prefix = "at_" })
		token := one.token("alice")
		for range 2 {
			if got := one.credential(one.api, token).Issuer; got != "https://login.example" {
				t.Errorf("want https://login.example, got %s", got)
			}
			if got := other.credential(other.api, token).Issuer; got != "https://other.example" {
				t.Errorf("want https://other.example, got %s", got)
			}
		}
		longer := third.token("alice") // starts as those of one do
		third.credential(third.api, longer)
		if _, _, err := one.api.VerifyToken(t.Context(), longer); auth.KindOf(err) != auth.ErrUnrecognized {
			t.Errorf("want ErrUnrecognized, got %v", err)
		}
	})
	t.Run("a record that something else built is found, and only under a token of our form", func(t *testing.T) {
		store := server.NewMemoryStore()
		i := newIssuing(t, store, nil)
		now := time.Now().UTC()
		ours := backend.NewToken("at_", "alice", backend.DefaultTokenLength)
		for id, token := range map[string]string{"1": ours, "2": "at_abc"} {
			grant := &server.Grant{ID: id, ClientID: i.client.ID, UserID: "alice", Created: now,
				ExpiresAt: now.Add(time.Hour),
				Stamp:     backend.Stamp("oauth2", user{"alice", "a"})}
			access := &server.Access{Digest: backend.TokenDigest(token, "at_"[:min(3, len(token)-3)]), ID: id,
				GrantID:  id,
				Audience: []string{knownAPI}, Issued: now, ExpiresAt: now.Add(time.Hour)}
			if added, err := store.Start(t.Context(), grant, server.Tokens{Access: access}, 0, false); !added.OK() ||
				err != nil {
				t.Fatal(added, err)
			}
		}
		if got := i.credential(i.api, ours); got.ID != "1" {
			t.Errorf("want the record 1, got %+v", got)
		}
		if _, _, err := i.api.VerifyToken(t.Context(), "at_abc"); auth.KindOf(err) != auth.ErrUnrecognized {
			t.Errorf("want ErrUnrecognized, got %v", err)
		}
	})
}

// TestUnitChecksAtOnceOfATokenThatChanges is for the race detector: what is kept with a record
// is written by many requests while its grant and its user's stamp change.
func TestUnitChecksAtOnceOfATokenThatChanges(t *testing.T) {
	store := server.NewMemoryStore()
	i := newIssuing(t, store, nil)
	token := i.token("alice")
	apis := []*oauth2.Resource{i.api, i.resource(oauth2.Config{Name: "api"})}
	grant := i.credential(i.api, token).GrantID
	var group sync.WaitGroup
	for n := range 8 {
		group.Go(func() {
			for range 200 {
				_, credential, err := apis[n%2].VerifyToken(t.Context(), token)
				if err == nil && credential.Backend() != apis[n%2].Backend() {
					t.Errorf("want %s, got %s", apis[n%2].Backend(), credential.Backend())
				}
				if err != nil && !strings.Contains(err.Error(), "stamp") {
					t.Error(err)
				}
			}
		})
	}
	group.Go(func() {
		for range 50 {
			i.users.changePassword("alice")
			user, err := i.users.load(t.Context(), "alice")
			if err == nil {
				_, err = store.EndAll(t.Context(), "alice", grant, backend.Stamp("oauth2", user), time.Now())
			}
			if err != nil {
				t.Error(err)
			}
		}
	})
	group.Wait()
	i.credential(i.api, token)
	i.users.changePassword("alice")
	i.refused(i.api, token, "stamp")
}
