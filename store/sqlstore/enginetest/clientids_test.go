package enginetest

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/oauth2/server"
)

type visitor string

func (v visitor) UserID() string { return string(v) }

type issued struct{}

func (issued) Name() string { return "urn:example:issue" }
func (issued) Exchange(ctx context.Context, s *server.Server, r *server.TokenRequest) (*server.TokenResponse, error) {
	return s.Issue(ctx, server.Issuance{Client: r.Client, Type: "urn:example:issue", UserID: "alice", Refresh: true})
}

// Every client_id is found, listed once in order, and keeps its grace; eight refreshes at once keep one chain.
func TestUnitEveryClientIDInSQLite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "o.db")
	for name, store := range map[string]server.Store{"sqlite": openOAuth(t, path), "memory": server.NewMemoryStore()} {
		t.Run(name, func(t *testing.T) {
			s, err := server.New(server.Config{Issuer: "https://login.example", Store: store,
				Tokens:   server.TokenConfig{Grants: []server.GrantType{server.RefreshToken{}, issued{}}},
				LoadUser: func(_ context.Context, id string) (auth.User, error) { return visitor(id), nil }})
			if err != nil {
				t.Fatal(err)
			}
			handlers, err := s.Handlers(nil)
			if err != nil {
				t.Fatal(err)
			}
			do := func(id string, secret auth.Secret, pairs ...string) (int, map[string]any) {
				form := url.Values{}
				for i := 0; i < len(pairs); i += 2 {
					form.Set(pairs[i], pairs[i+1])
				}
				r := httptest.NewRequest("POST", "/o/token/", strings.NewReader(form.Encode()))
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				r.SetBasicAuth(url.QueryEscape(id), url.QueryEscape(secret.Reveal()))
				w := httptest.NewRecorder()
				handlers.ServeHTTP(w, r)
				var answer map[string]any
				_ = json.Unmarshal(w.Body.Bytes(), &answer)
				return w.Code, answer
			}
			var ids []string
			for _, id := range []string{"a", "A", "a ", " a", "a%", "_", "%", "a_b", "aXb", "'; DROP TABLE x; --", "\"",
				"https://x.example/?a=b#c", "~", " ", "!", "*", "?", "[a]", "\\"} {
				grace := []int{-1, 0, 30}[len(ids)%3]
				_, secret, err := s.AddClient(t.Context(), server.Registration{ClientID: id, ClientName: "Client",
					Owner: "alice", GrantTypes: []string{"urn:example:issue", "refresh_token"}, RefreshGrace: grace})
				if err != nil {
					t.Fatal(err)
				}
				ids = append(ids, id)
				again, err := s.EnsureClient(t.Context(), server.Registration{ClientID: id, ClientName: "Client",
					Owner: "alice", GrantTypes: []string{"urn:example:issue", "refresh_token"}, RefreshGrace: grace})
				if err != nil || again.RefreshGrace != grace {
					t.Errorf("%q: %+v, %v", id, again, err)
				}
				c, err := s.Client(t.Context(), id)
				if err != nil || c == nil || c.ID != id || c.RefreshGrace != grace {
					t.Fatalf("%q: got %+v, %v", id, c, err)
				}
				status, answer := do(id, secret, "grant_type", "urn:example:issue")
				if status != http.StatusOK {
					t.Fatalf("%q: got %d %v", id, status, answer)
				}
				token, _ := answer["refresh_token"].(string)
				var group sync.WaitGroup
				got := make([]int, 8)
				next := make([]any, 8)
				for i := range got {
					group.Go(func() {
						var a map[string]any
						got[i], a = do(id, secret, "grant_type", "refresh_token", "refresh_token", token)
						next[i] = a["refresh_token"]
					})
				}
				group.Wait()
				good := 0
				for i := range got {
					if got[i] == 200 {
						good++
						if grace >= 0 && next[i] != next[0] {
							t.Errorf("%q: two successors", id)
						}
					}
				}
				if want := 8; grace >= 0 && good != want || grace < 0 && good > 1 {
					t.Errorf("%q with a grace of %d: %d of 8 refreshes", id, grace, good)
				}
				if grace < 0 { // the grant has ended; another one, for the list
					do(id, secret, "grant_type", "urn:example:issue")
				}
			}
			slices.Sort(ids)
			var clients, authorized []string
			for after := ""; ; {
				page, next, err := s.Clients(t.Context(), "alice", backend.Page{After: after, Limit: 1})
				if err != nil {
					t.Fatal(err)
				}
				for _, c := range page {
					clients = append(clients, c.ID)
				}
				if after = next; next == "" {
					break
				}
			}
			for after := ""; ; {
				page, next, err := s.Authorized(t.Context(), "alice", backend.Page{After: after, Limit: 1})
				if err != nil {
					t.Fatal(err)
				}
				for _, c := range page {
					authorized = append(authorized, c.Client.ID)
				}
				if after = next; next == "" {
					break
				}
			}
			if !slices.Equal(clients, ids) || !slices.Equal(authorized, ids) {
				t.Errorf("got %q and %q, want %q", clients, authorized, ids)
			}
			for _, id := range ids {
				if n, err := s.Withdraw(t.Context(), "alice", id); n != 1 || err != nil {
					t.Errorf("%q: withdrew %d, %v", id, n, err)
				}
			}
		})
	}
}
