package enginetest

import (
	"context"
	"net/http/httptest"
	"path/filepath"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/oauth2/server"
	"github.com/gatewarden/auth/session"
	"github.com/gatewarden/auth/store/sqlstore"
)

// named is a user of no more than a name.
type named string

func (n named) UserID() string { return string(n) }

// TestUnitDefaultLimits issues more than a user may have without a setting.
func TestUnitDefaultLimits(t *testing.T) {
	load := func(_ context.Context, id string) (auth.User, error) { return named(id), nil }
	path := filepath.Join(t.TempDir(), "limits.db")
	type add = func() (id string, err error)
	type list = func(backend.Page) (ids []string, next string, err error)
	for name, start := range map[string]func(*testing.T, *sqlstore.DB, auth.Observer) (add, list){
		"tokens": func(t *testing.T, db *sqlstore.DB, observer auth.Observer) (add, list) {
			tokens, err := knox.New(knox.Config{Store: opened(t, sqlstore.Knox, db), LoadUser: load,
				Observer: observer})
			if err != nil {
				t.Fatal(err)
			}
			return func() (string, error) {
					issued, err := tokens.Issue(t.Context(), "alice", knox.Options{})
					if err != nil {
						return "", err
					}
					return issued.ID(), nil
				}, func(page backend.Page) ([]string, string, error) {
					all, next, err := tokens.List(t.Context(), "alice", page)
					return idsOf(all, (*knox.Token).ID), next, err
				}
		},
		"sessions": func(t *testing.T, db *sqlstore.DB, observer auth.Observer) (add, list) {
			sessions, err := session.New(session.Config{Store: opened(t, sqlstore.Sessions, db), LoadUser: load,
				Observer: observer})
			if err != nil {
				t.Fatal(err)
			}
			return func() (string, error) {
					w, r := httptest.NewRecorder(), httptest.NewRequest("POST", "https://a.example/", nil)
					s, err := sessions.SignIn(w, r, named("alice"), session.Options{})
					if err != nil {
						return "", err
					}
					return s.ID(), nil
				}, func(page backend.Page) ([]string, string, error) {
					all, next, err := sessions.List(t.Context(), "alice", page)
					return idsOf(all, (*session.Session).ID), next, err
				}
		},
		"grants": func(t *testing.T, db *sqlstore.DB, observer auth.Observer) (add, list) {
			srv, err := server.New(server.Config{Issuer: "https://a.example", Store: opened(t, sqlstore.OAuth, db),
				LoadUser: load,
				Observer: observer, Grants: []server.GrantType{server.ClientCredentials{}}})
			if err != nil {
				t.Fatal(err)
			}
			client, err := srv.EnsureClient(t.Context(),
				server.Registration{ClientID: "web", GrantTypes: []string{"client_credentials"}})
			if err != nil {
				t.Fatal(err)
			}
			list := func(page backend.Page) ([]string, string, error) {
				all, next, err := srv.Grants(t.Context(), "alice", page)
				return idsOf(all, func(g *server.Grant) string { return g.ID }), next, err
			}
			return func() (string, error) {
				if _, err := srv.Issue(t.Context(), server.Issuance{Client: client, Type: "test",
					UserID: "alice"}); err != nil {
					return "", err
				}
				newest, _, err := list(backend.Page{Limit: 1})
				if err != nil {
					return "", err
				}
				return newest[0], nil
			}, list
		},
	} {
		t.Run("1,000 "+name+" stay, and the next one ends the oldest", func(t *testing.T) {
			var revoked []string
			add, list := start(t, openSQLite(t, path), auth.ObserverFunc(func(_ context.Context, e auth.Event) {
				if e.Kind == auth.EventRevoked {
					revoked = append(revoked, e.CredentialID)
				}
			}))
			var ids []string
			for i := range 1001 {
				id, err := add()
				if err != nil {
					t.Fatal(err)
				}
				if ids = append(ids, id); i == 999 && len(revoked) != 0 {
					t.Errorf("got %q revoked to make room for the first 1,000", revoked)
				}
			}
			if len(revoked) != 1 || revoked[0] != ids[0] {
				t.Errorf("got %q revoked, want the oldest, %s", revoked, ids[0])
			}
			left, next, err := list(backend.Page{Limit: 1000})
			if err != nil || len(left) != 1000 || next != "" || left[0] != ids[1000] || left[999] != ids[1] {
				t.Errorf("got %d left, %q, %v, want the 1,000 newest", len(left), next, err)
			}
		})
	}
}

// idsOf returns the identifier of each row.
func idsOf[R any](rows []R, id func(R) string) (ids []string) {
	for _, row := range rows {
		ids = append(ids, id(row))
	}
	return ids
}
