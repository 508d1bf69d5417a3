package enginetest

import (
	"context"
	"fmt"
	"net/http/httptest"
	"path/filepath"
	"strings"
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
	type start = func(*testing.T, *sqlstore.DB, auth.Observer) (add, list)
	for table, start := range map[string]start{
		"gatewarden_knox_tokens": func(t *testing.T, db *sqlstore.DB, observer auth.Observer) (add, list) {
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
		"gatewarden_sessions": func(t *testing.T, db *sqlstore.DB, observer auth.Observer) (add, list) {
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
		"gatewarden_oauth_grants": func(t *testing.T, db *sqlstore.DB, observer auth.Observer) (add, list) {
			srv, err := server.New(server.Config{Issuer: "https://a.example", Store: opened(t, sqlstore.OAuth, db),
				LoadUser: load,
				Observer: observer, Tokens: server.TokenConfig{Grants: []server.GrantType{server.ClientCredentials{}}}})
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
		t.Run("1,000 rows of "+table+" stay, and the next one ends the oldest", func(t *testing.T) {
			var revoked []string
			db := openSQLite(t, path)
			add, list := start(t, db, auth.ObserverFunc(func(_ context.Context, e auth.Event) {
				if e.Kind == auth.EventRevoked {
					revoked = append(revoked, e.CredentialID)
				}
			}))
			var ids []string
			more := func() {
				t.Helper()
				id, err := add()
				if err != nil {
					t.Fatal(err)
				}
				ids = append(ids, id)
			}
			more()
			copyBack(t, db, table, 998)
			if more(); len(revoked) != 0 {
				t.Errorf("got %q revoked to make room for the 1,000th", revoked)
			}
			if more(); len(revoked) != 1 || revoked[0] != copyID(998) {
				t.Errorf("got %q revoked by the next one, want the oldest", revoked)
			}
			left, next, err := list(backend.Page{Limit: 1000})
			if err != nil || len(left) != 1000 || next != "" || left[0] != ids[2] || left[999] != copyID(997) {
				t.Errorf("got %d left, %q, %v, want the 1,000 newest", len(left), next, err)
			}
		})
	}
}

// copyBack adds many copies of the one row of a table, each older than the one before. To
// issue as many would take minutes on a slow disk.
func copyBack(t *testing.T, db *sqlstore.DB, table string, many int) {
	t.Helper()
	rows, err := db.Reader().QueryContext(t.Context(), "SELECT * FROM "+table)
	if err != nil {
		t.Fatal(err)
	}
	columns, err := rows.Columns()
	_ = rows.Close()
	if err != nil {
		t.Fatal(err)
	}
	values := make([]string, len(columns))
	for i, column := range columns {
		switch column {
		case "id":
			values[i] = "printf('00000000-0000-7000-8000-%012d', 100000 - i)"
		case "digest":
			values[i] = "digest || i"
		case "created":
			values[i] = "created - 1000 * i"
		default:
			values[i] = column
		}
	}
	if _, err := db.Writer().ExecContext(t.Context(), "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM "+
		"n WHERE i < ?) "+
		"INSERT INTO "+table+" ("+strings.Join(columns, ", ")+") SELECT "+strings.Join(values, ", ")+" FROM n, "+table,
		many); err != nil {
		t.Fatal(err)
	}
}

// copyID is the identifier of a copy, of which the first is the newest.
func copyID(i int) string { return fmt.Sprintf("00000000-0000-7000-8000-%012d", 100000-i) }

// idsOf returns the identifier of each row.
func idsOf[R any](rows []R, id func(R) string) (ids []string) {
	for _, row := range rows {
		ids = append(ids, id(row))
	}
	return ids
}
