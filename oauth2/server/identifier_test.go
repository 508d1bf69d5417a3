package server_test

import (
	"context"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/oauth2/server"
)

// seen is a store that remembers what it was given.
type seen struct {
	server.Store
	mu           sync.Mutex
	interactions []*server.Interaction
	access       []*server.Access
}

func (s *seen) Redeem(ctx context.Context, digest string, now time.Time, tokens server.Tokens) (server.Verdict, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.access = append(s.access, tokens.Access)
	return s.Store.Redeem(ctx, digest, now, tokens)
}

func (s *seen) AddInteraction(ctx context.Context, interaction *server.Interaction, limit int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.interactions = append(s.interactions, interaction)
	return s.Store.AddInteraction(ctx, interaction, limit)
}

func TestUnitIdentifiers(t *testing.T) {
	store := &seen{Store: server.NewMemoryStore()}
	s := newService(t, func(c *server.Config) { c.Store = store })
	client := s.add(server.Registration{RedirectURIs: []string{"https://new.example/cb"}})

	s.stranger().authorize("scope", "openid read offline_access")
	returnTo, err := url.Parse(s.logins[0].ReturnTo)
	s.must(err)
	page := s.as("alice").do("GET", s.logins[0].ReturnTo, "")
	code := s.as("alice").allow(page).location("code")
	opaque := s.redeem(code)
	asJWT := s.tokens("alice", "resource", "https://jwt.example/api")

	identifiers := map[string]string{"client": client.ID}
	for i, interaction := range store.interactions {
		identifiers["interaction "+string(rune('1'+i))] = interaction.ID
	}
	for name, token := range map[string]string{"opaque": opaque.text("access_token"),
		"JWT": asJWT.text("access_token")} {
		found, err := s.server.Inspect(t.Context(), token)
		s.must(err)
		identifiers[name+" access token"], identifiers["grant of "+name] = found.ID, found.GrantID
	}
	job := s.post("/o/token/", "job", "grant_type", "client_credentials").text("access_token")
	found, err := s.server.Inspect(t.Context(), job)
	s.must(err)
	identifiers["grant of a client"] = found.GrantID

	t.Run("what people and tables see is a UUID of version 7", func(t *testing.T) {
		if len(store.interactions) != 2 {
			t.Fatalf("got %d interactions, want two consents", len(store.interactions))
		}
		different := map[string]bool{}
		for name, text := range identifiers {
			if id, err := uuid.Parse(text); err != nil || id.Version() != 7 {
				t.Errorf("%s: got %q, want a UUID of version 7", name, text)
			}
			different[text] = true
		}
		if len(different) != len(identifiers) {
			t.Errorf("got %d different identifiers, want %d", len(different), len(identifiers))
		}
	})
	t.Run("that of a grant names the shard of its user or, without one, of its client", func(t *testing.T) {
		for name, owner := range map[string]string{"grant of opaque": "alice", "grant of JWT": "alice",
			"grant of a client": "job"} {
			if shard, ok := backend.IDShard(identifiers[name]); !ok || shard != backend.Shard(owner) {
				t.Errorf("%s: got the shard %q, %v, want that of %s", name, shard, ok, owner)
			}
		}
	})
	t.Run("what works as a secret is random, and has nothing of an identifier", func(t *testing.T) {
		secrets := map[string]string{
			"interaction in an address": returnTo.Query().Get("interaction"),
			"interaction on a page":     fields(page.body).Get("interaction"),
			"code":                      code, "access token": opaque.text("access_token"),
			"refresh token": opaque.text("refresh_token"),
			"client secret": s.secrets[client.ID],
		}
		for name, secret := range secrets {
			// 27 characters of base62 have 160 bits.
			if _, err := uuid.Parse(secret); err == nil || len(secret) < 36 {
				t.Errorf("%s: got %q, want a random secret", name, secret)
			}
			for what, id := range identifiers {
				if strings.Contains(secret, id) {
					t.Errorf("%s: got %q, want nothing of %s in it", name, secret, what)
				}
			}
		}
	})
	t.Run("the identifier of an interaction opens no page", func(t *testing.T) {
		for _, interaction := range store.interactions {
			for _, text := range []string{interaction.ID, interaction.Digest} {
				if got := s.as("alice").do("GET", "/o/authorize/?interaction="+url.QueryEscape(text),
					""); got.StatusCode != 400 {
					t.Errorf("%s: got %d, want 400", text, got.StatusCode)
				}
			}
		}
	})
	t.Run("a JWT is kept under the shard of its owner, as opaque tokens are", func(t *testing.T) {
		if len(store.access) < 2 {
			t.Fatalf("got %d access tokens, want 2", len(store.access))
		}
		for _, access := range store.access {
			if !strings.HasPrefix(access.Digest, backend.Shard("alice")) {
				t.Errorf("got the digest %s, want it to start with %s", access.Digest, backend.Shard("alice"))
			}
		}
		if !s.good(asJWT.text("access_token")) {
			t.Error("got a JWT that is no good, want it found by its subject and jti")
		}
	})
}
