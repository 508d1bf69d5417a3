package server_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/oauth2/server"
)

// grantTo issues something to a client for a user, as a grant of the application's own
// does.
func (s *service) grantTo(user string, client *server.Client, scopes ...string) error {
	s.Helper()
	_, err := s.server.Issue(s.Context(), server.Issuance{Client: client, Type: "test", UserID: user, Scopes: scopes})
	return err
}

func TestUnitLists(t *testing.T) {
	t.Run("applications with access are shown 100 a page, with a link to more", func(t *testing.T) {
		s := newService(t, nil)
		for i := range 101 {
			s.must(s.grantTo("alice", s.add(server.Registration{ClientID: fmt.Sprintf("a%03d", i),
				ClientName: fmt.Sprintf("Named %03d", 200-i), GrantTypes: []string{"client_credentials"}}), "read"))
		}
		first := s.as("alice").do("GET", "/o/authorized_tokens/", "")
		if n := strings.Count(first.body, "<section"); n != 100 ||
			!strings.Contains(first.body, `href="/o/authorized_tokens/?after=a099" rel="next"`) {
			t.Errorf("got %d applications in %s, want 100 and a link", n, first.body)
		}
		if strings.Contains(first.body, "The first ones") || strings.Index(first.body,
			"Named 101") > strings.Index(first.body, "Named 200") {
			t.Errorf("got a link back, or another order than that of names, in %s", first.body)
		}
		second := s.as("alice").do("GET", "/o/authorized_tokens/?after=a099", "")
		if n := strings.Count(second.body, "<section"); n != 1 || !strings.Contains(second.body, "Named 100<") ||
			strings.Contains(second.body, `rel="next"`) || !strings.Contains(second.body,
			`href="/o/authorized_tokens/">The first ones`) {
			t.Errorf("got %s, want the last application and no link to more", second.body)
		}
		if beyond := s.as("alice").do("GET", "/o/authorized_tokens/?after=z", ""); !strings.Contains(beyond.body,
			"There are no more.") {
			t.Errorf("got %s after the last application", beyond.body)
		}
		if broken := s.as("alice").do("GET", "/o/authorized_tokens/?after=%22%3E%3Cscript%3E",
			""); broken.StatusCode != 200 ||
			!strings.Contains(broken.body, "Named 200") || strings.Contains(broken.body, "<script>") {
			t.Errorf("got %d %s for an address that was never a page's", broken.StatusCode, broken.body)
		}
		if bobs := s.as("bob").do("GET", "/o/authorized_tokens/", ""); !strings.Contains(bobs.body,
			"No application has access.") {
			t.Errorf("got %s for bob", bobs.body)
		}
	})
	t.Run("a developer's applications are shown 100 a page, with a link to more", func(t *testing.T) {
		s := newService(t, func(c *server.Config) { c.Clients.DeveloperLimit = server.NoLimit })
		for i := range 101 {
			s.add(server.Registration{ClientID: fmt.Sprintf("a%03d", i), Owner: "alice",
				GrantTypes: []string{"client_credentials"}})
		}
		first := s.as("alice").do("GET", "/o/applications/", "")
		if n := strings.Count(first.body, "<li><a href=\"/o/applications/a"); n != 100 ||
			!strings.Contains(first.body, `href="/o/applications/?after=a099" rel="next"`) {
			t.Errorf("got %d applications in %s, want 100 and a link", n, first.body)
		}
		second := s.as("alice").do("GET", "/o/applications/?after=a099", "")
		if !strings.Contains(second.body, "<code>a100</code>") || strings.Contains(second.body, `rel="next"`) ||
			!strings.Contains(second.body, `href="/o/applications/">The first ones`) {
			t.Errorf("got %s, want the last application and no link to more", second.body)
		}
		if beyond := s.as("alice").do("GET", "/o/applications/?after=z", ""); !strings.Contains(beyond.body,
			"There are no more.") {
			t.Errorf("got %s after the last application", beyond.body)
		}
	})
	t.Run("an application is shown with what was agreed to and what it has", func(t *testing.T) {
		s := newService(t, nil)
		s.tokens("alice", "scope", "openid read") // a consent and a grant of web
		for range 3 {
			s.must(s.grantTo("alice", s.add(server.Registration{GrantTypes: []string{"client_credentials"}}), "write"))
		}
		for _, limit := range []int{1, 2, 4, 100} {
			var all []server.Authorized
			for page := (backend.Page{Limit: limit}); ; {
				some, next, err := s.server.Authorized(t.Context(), "alice", page)
				s.must(err)
				if all = append(all, some...); next == "" {
					break
				}
				page.After = next
			}
			i := slices.IndexFunc(all, func(a server.Authorized) bool { return a.Client.ID == "web" })
			if len(all) != 4 || i < 0 {
				t.Fatalf("got %+v with a limit of %d, want 4 applications", all, limit)
			}
			if web := all[i]; web.Consent == nil || web.Grants != 1 || len(web.Permissions) != 2 ||
				web.Since.IsZero() ||
				web.LastUsed.IsZero() {
				t.Errorf("got %+v", web)
			}
			if other := all[(i+1)%4]; other.Consent != nil || other.Grants != 1 || len(other.Permissions) != 1 ||
				other.Permissions[0].Scopes[0].Name != "write" || other.Since.IsZero() {
				t.Errorf("got %+v", other)
			}
		}
	})
	t.Run("grants and clients come in pages in Go, too", func(t *testing.T) {
		s := newService(t, nil)
		client := s.add(server.Registration{ClientID: "shop", Owner: "bob", GrantTypes: []string{"client_credentials"}})
		for range 5 {
			s.must(s.grantTo("alice", client))
		}
		seen, last := 0, "~"
		for page := (backend.Page{Limit: 2}); ; {
			some, next, err := s.server.Grants(t.Context(), "alice", page)
			s.must(err)
			for _, g := range some {
				if seen++; g.ID >= last {
					t.Errorf("got %s after %s, want the newest first", g.ID, last)
				}
				last = g.ID
			}
			if page.After = next; next == "" {
				break
			}
		}
		if seen != 5 {
			t.Errorf("got %d grants, want 5", seen)
		}
		some, next, err := s.server.Clients(t.Context(), "", backend.Page{Limit: 2})
		if err != nil || len(some) != 2 || next != some[1].ID {
			t.Errorf("got %+v, %q, %v, want two and a cursor", some, next, err)
		}
		if owned, next, err := s.server.Clients(t.Context(), "bob", backend.Page{}); err != nil || len(owned) != 1 ||
			next != "" {
			t.Errorf("got %+v, %q, %v, want bob's", owned, next, err)
		}
	})
	t.Run("a page that cannot be meant is malformed", func(t *testing.T) {
		s := newService(t, nil)
		for _, page := range []backend.Page{{Limit: -1}, {Limit: 1001}, {After: "a\nb"}} {
			_, _, grants := s.server.Grants(t.Context(), "alice", page)
			_, _, clients := s.server.Clients(t.Context(), "alice", page)
			_, _, authorized := s.server.Authorized(t.Context(), "alice", page)
			for _, err := range []error{grants, clients, authorized} {
				if e := (*auth.Error)(nil); auth.KindOf(err) != auth.ErrMalformed || !errors.As(err, &e) ||
					e.Cause == nil {
					t.Errorf("got %v for %+v, want ErrMalformed with a cause", err, page)
				}
			}
		}
	})
}
