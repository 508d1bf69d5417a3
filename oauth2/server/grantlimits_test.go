package server_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/oauth2/server"
)

// limitedService has a grant of its own, which issues something to alice, and a log.
func limitedService(t *testing.T, change func(*server.Config)) (*service, *bytes.Buffer) {
	t.Helper()
	var log bytes.Buffer
	s := newOwn(t, func(ctx context.Context, s *server.Server, r *server.TokenRequest) (*server.TokenResponse, error) {
		return s.Issue(ctx, server.Issuance{Client: r.Client, Type: "x", UserID: "alice", Scopes: []string{"read"},
			Refresh: true})
	}, func(c *server.Config) {
		c.Logger = slog.New(slog.NewTextHandler(&log, nil))
		change(c)
	})
	return s, &log
}

func TestUnitGrantLimits(t *testing.T) {
	t.Run("a limit that is set refuses at the authorization endpoint, and the log names it", func(t *testing.T) {
		s, log := limitedService(t, func(c *server.Config) { c.Limits.User = 2 })
		kept := []answer{s.tokens("alice"), s.tokens("alice")}
		before := s.events.count(auth.EventFailure)
		sent(t, s, "a third", s.as("alice").authorize(), "access_denied")
		if !strings.Contains(log.String(), "Config.Limits.User") || s.events.count(auth.EventFailure) != before+1 {
			t.Errorf("got %s, want a line and an event that name the setting", log)
		}
		for _, tokens := range kept {
			if !s.good(tokens.text("access_token")) {
				t.Error("one that was there has ended")
			}
		}
		s.tokens("bob") // with a limit of his own
		page, _, err := s.server.Grants(t.Context(), "alice", backend.Page{})
		s.must(err)
		_, err = s.server.Revoke(t.Context(), page[0].ID)
		s.must(err)
		s.tokens("alice")
	})
	t.Run("a limit that is set refuses at the token endpoint with invalid_grant", func(t *testing.T) {
		s, log := limitedService(t, func(c *server.Config) { c.Limits.User, c.Limits.Client = 1, 1 })
		if a := s.own(); a.StatusCode != 200 {
			t.Fatalf("got %d %s", a.StatusCode, a.body)
		}
		refused(t, "a second of a user", s.own(), 400, "invalid_grant")
		if !strings.Contains(log.String(), "Config.Limits.User") ||
			strings.Contains(log.String(), "Config.Limits.Client") {
			t.Errorf("got %s, want it to name Config.Limits.User", log)
		}
		if a := s.post("/o/token/", "job", "grant_type", "client_credentials"); a.StatusCode != 200 {
			t.Fatalf("got %d %s for a client that has nothing", a.StatusCode, a.body)
		}
		refused(t, "a second of a client", s.post("/o/token/", "job", "grant_type", "client_credentials"), 400,
			"invalid_grant")
		if !strings.Contains(log.String(), "Config.Limits.Client") {
			t.Errorf("got %s, want it to name Config.Limits.Client", log)
		}
		if a := s.post("/o/token/", "api", "grant_type", "client_credentials"); a.StatusCode != 200 {
			t.Errorf("got %d %s for another client", a.StatusCode, a.body)
		}
		client, err := s.server.Client(t.Context(), "own")
		s.must(err)
		if err := s.grantTo("alice", client); !errors.Is(err, server.ErrLimit) ||
			errors.Is(err, server.ErrClientLimit) {
			t.Errorf("got %v from Issue, want ErrLimit as its cause", err)
		}
	})
	t.Run("with EvictOldest the oldest ends, with its tokens and an event", func(t *testing.T) {
		s, _ := limitedService(t, func(c *server.Config) { c.Limits.User, c.Limits.EvictOldest = 2, true })
		first, second := s.own(), s.tokens("alice")
		before := s.events.count(auth.EventRevoked)
		third := s.own()
		if s.events.count(auth.EventRevoked) != before+1 {
			t.Error("got no event of the one that made room")
		}
		if s.good(first.text("access_token")) {
			t.Error("the oldest is good")
		}
		refused(t, "its refresh token", s.post("/o/token/", "own", "grant_type", "refresh_token", "refresh_token",
			first.text("refresh_token")), 400, "invalid_grant")
		if !s.good(second.text("access_token")) || !s.good(third.text("access_token")) {
			t.Error("a younger one has ended")
		}
		s.as("alice").code() // makes room at once, redeemed or not
		if s.good(second.text("access_token")) || !s.good(third.text("access_token")) {
			t.Error("the second is good, or the third has ended")
		}
	})
	t.Run("without a setting the 1,001st of a user ends the oldest, and of nobody else", func(t *testing.T) {
		s, _ := limitedService(t, func(*server.Config) {})
		client, err := s.server.Client(t.Context(), "own")
		s.must(err)
		s.must(s.grantTo("bob", client))
		var oldest string
		for i := range 1001 {
			s.must(s.grantTo("alice", client))
			if i == 0 {
				all, _, err := s.server.Grants(t.Context(), "alice", backend.Page{})
				s.must(err)
				oldest = all[0].ID
			}
			if i == 999 && s.events.count(auth.EventRevoked) != 0 {
				t.Fatal("one of the first 1,000 made room")
			}
		}
		all, next, err := s.server.Grants(t.Context(), "alice", backend.Page{Limit: 1000})
		if err != nil || len(all) != 1000 || next != "" || slices.ContainsFunc(all,
			func(g *server.Grant) bool { return g.ID == oldest }) {
			t.Errorf("got %d grants, %q, %v, want 1,000 without the oldest", len(all), next, err)
		}
		if n := s.events.count(auth.EventRevoked); n != 1 {
			t.Errorf("got %d events, want 1", n)
		}
		if bobs, _, err := s.server.Grants(t.Context(), "bob", backend.Page{}); err != nil || len(bobs) != 1 {
			t.Errorf("got %d of bob's, %v", len(bobs), err)
		}
	})
	t.Run("grants of before a password change do not count", func(t *testing.T) {
		s, _ := limitedService(t, func(c *server.Config) { c.Limits.User = 1 })
		s.tokens("alice")
		s.users.changePassword("alice")
		s.tokens("alice")
		sent(t, s, "a second", s.as("alice").authorize(), "access_denied")
	})
	t.Run("without a limit there are any number", func(t *testing.T) {
		s, _ := limitedService(t, func(c *server.Config) {
			c.Limits.User, c.Limits.Client = server.NoLimit, server.NoLimit
		})
		client, err := s.server.Client(t.Context(), "own")
		s.must(err)
		for range 1005 {
			s.must(s.grantTo("alice", client))
		}
		if n := s.events.count(auth.EventRevoked); n != 0 {
			t.Errorf("got %d events, want no room made", n)
		}
	})
	t.Run("settings that contradict each other are refused", func(t *testing.T) {
		s := newService(t, nil)
		for says, change := range map[string]func(*server.Config){
			"Config.Limits.User is negative":            func(c *server.Config) { c.Limits.User = -2 },
			"Config.Limits.Client is negative":          func(c *server.Config) { c.Limits.Client = -2 },
			"Config.Clients.DeveloperLimit is negative": func(c *server.Config) { c.Clients.DeveloperLimit = -2 },
			"nothing to evict": func(c *server.Config) {
				c.Limits.User, c.Limits.Client, c.Limits.EvictOldest = server.NoLimit, server.NoLimit, true
			},
			"": func(c *server.Config) {
				c.Limits.User, c.Limits.Client, c.Limits.EvictOldest = server.NoLimit, 5, true
			},
		} {
			config := s.config
			change(&config)
			_, err := server.New(config)
			if (err == nil) != (says == "") || err != nil && !strings.Contains(err.Error(), says) {
				t.Errorf("got %v, want %q", err, says)
			}
		}
	})
}

func TestUnitDeveloperLimit(t *testing.T) {
	t.Run("a developer with as many applications as allowed gets no other one, and is told why", func(t *testing.T) {
		var log bytes.Buffer
		s := newService(t, func(c *server.Config) {
			c.Clients.DeveloperLimit, c.Logger = 2, slog.New(slog.NewTextHandler(&log, nil))
		})
		_, id, _ := s.as("alice").register()
		s.as("alice").register()
		a, refusedID, _ := s.as("alice").register("name", "The third")
		if a.StatusCode != 403 || refusedID != "" || !strings.Contains(a.body, `role="alert"`) ||
			!strings.Contains(a.body, "Delete one first.") ||
			!strings.Contains(a.body, `value="The third"`) {
			t.Errorf("got %d %s, want the form with the reason", a.StatusCode, a.body)
		}
		if !strings.Contains(log.String(), "Config.Clients.DeveloperLimit") ||
			!strings.Contains(log.String(), "status=403") {
			t.Errorf("got %s, want a line that names the setting", &log)
		}
		if a, _, _ := s.as("bob").register(); a.StatusCode != 200 {
			t.Errorf("got %d for another developer", a.StatusCode)
		}
		if a := s.as("alice").do("POST", "/o/applications/"+id+"/delete/", ""); a.StatusCode != 303 {
			t.Fatalf("got %d", a.StatusCode)
		}
		if a, _, _ := s.as("alice").register(); a.StatusCode != 200 {
			t.Errorf("got %d %s after one was deleted", a.StatusCode, a.body)
		}
	})
	t.Run("the default is 100, and not for clients without an owner or of a file", func(t *testing.T) {
		s := newService(t, nil)
		registration := func(i int, owner string) server.Registration {
			return server.Registration{ClientID: fmt.Sprint(owner, i), Owner: owner,
				GrantTypes: []string{"client_credentials"}}
		}
		for i := range 100 {
			s.add(registration(i, "alice"))
		}
		if _, _, err := s.server.AddClient(t.Context(), registration(100, "alice")); !errors.Is(err,
			server.ErrDeveloperLimit) {
			t.Errorf("got %v for the 101st, want ErrDeveloperLimit as its cause", err)
		}
		if _, err := s.server.EnsureClient(t.Context(), registration(100, "alice")); err != nil {
			t.Errorf("got %v for one of a file", err)
		}
		for i := range 101 {
			s.add(registration(i, ""))
		}
	})
}
