package enginetest

import (
	"database/sql"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"testing/fstest"
	"time"

	"github.com/gatewarden/auth/oauth2/server"
	"github.com/gatewarden/auth/store/sqlstore"
	"github.com/gatewarden/auth/store/sqlstore/internal/schema"
)

// makeVersion makes the tables of a component as a program of before made them.
func makeVersion(t *testing.T, db *sqlstore.DB, component string, version int) {
	t.Helper()
	folder := fstest.MapFS{}
	for i := range version {
		name := component + "_" + string(rune('1'+i)) + ".sql"
		script, err := os.ReadFile(filepath.Join("..", "migrations", "sqlite", name))
		if err != nil {
			t.Fatal(err)
		}
		folder[name] = &fstest.MapFile{Data: script}
	}
	if err := db.Update(t.Context(), func(conn *sql.Conn) error {
		return schema.Scripts{Folder: folder, Prefix: "gatewarden_"}.Migrate(t.Context(), conn, component)
	}); err != nil {
		t.Fatal(err)
	}
}

const (
	firstAPI  = "https://a.example/"
	secondAPI = "https://b.example/"
)

// addBefore writes a consent of a user and a grant of the same name as a program of before does, with two lists.
func addBefore(t *testing.T, db *sqlstore.DB, user, scopes, resources string) {
	t.Helper()
	for _, err := range []error{
		run(t, db, `INSERT INTO gatewarden_oauth_consents (user_id, client_id, scopes, resources, created, updated)
			VALUES (?, 'web', ?, ?, 1, 1)`, user, scopes, resources),
		run(t, db, `INSERT INTO gatewarden_oauth_grants
			(id, client_id, user_id, type, scopes, resources, session_id, offline, acr, stamp, created, last_used,
			expires_at, max_expires_at) VALUES (?, 'web', ?, 'authorization_code', ?, ?, '', 0, '', '', 1, 1, 9, 9)`,
			user, user, scopes, resources),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestUnitConsentsFromBefore has rows with a list of scopes beside a list of resources.
func TestUnitConsentsFromBefore(t *testing.T) {
	db := openSQLite(t, filepath.Join(t.TempDir(), "before.db"))
	makeVersion(t, db, "oauth", 3)
	list := func(names string) string { return "[" + names + "]" }
	const a, b = `"` + firstAPI + `"`, `"` + secondAPI + `"`
	at := func(resource string, scopes ...string) server.Permission {
		return server.Permission{Resource: resource, Scopes: scopes}
	}
	rows := map[string]struct {
		scopes, resources string
		consent, grant    server.Permissions
		covers, not       server.Permissions
	}{
		"one resource": {`"read","openid"`, a,
			server.Permissions{at("", "read", "openid"), at(firstAPI, "read", "openid")},
			server.Permissions{at("", "read", "openid"), at(firstAPI, "read", "openid")},
			server.Permissions{at("", "openid"), at(firstAPI, "read")}, server.Permissions{at(secondAPI, "read")}},
		"several resources": {`"read","write","openid"`, a + "," + b,
			server.Permissions{at("", "read", "write", "openid"), at(firstAPI), at(secondAPI)},
			server.Permissions{at("", "read", "write", "openid"), at(firstAPI, "read", "write", "openid"),
				at(secondAPI, "read", "write", "openid")},
			server.Permissions{at("", "openid"), at(secondAPI)}, server.Permissions{at(firstAPI, "write")}},
		"several resources and one scope": {`"read"`, a + "," + b,
			server.Permissions{at("", "read"), at(firstAPI), at(secondAPI)},
			server.Permissions{at("", "read"), at(firstAPI, "read"), at(secondAPI, "read")},
			server.Permissions{at(firstAPI)}, server.Permissions{at(firstAPI, "read")}},
		"no scope": {"", a, server.Permissions{at(firstAPI)}, server.Permissions{at(firstAPI)},
			server.Permissions{at(firstAPI)}, server.Permissions{at(firstAPI, "read")}},
	}
	for user, row := range rows {
		addBefore(t, db, user, list(row.scopes), list(row.resources))
	}
	store, err := sqlstore.OAuth(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	for user, row := range rows {
		addBefore(t, db, user+", added later", list(row.scopes), list(row.resources))
		for _, user := range []string{user, user + ", added later"} {
			t.Run("a consent to "+user+" gives nothing that was not agreed to", func(t *testing.T) {
				c, err := store.Consent(t.Context(), user, "web")
				if err != nil || !reflect.DeepEqual(c.Permissions, row.consent) {
					t.Errorf("got %+v, %v, want %+v", c, err, row.consent)
				}
				if !c.Covers(row.covers) || c.Covers(row.not) {
					t.Errorf("got %v and %v, want that it covers %v and not %v", c.Covers(row.covers),
						c.Covers(row.not),
						row.covers, row.not)
				}
			})
			t.Run("a grant of "+user+" has what its page showed", func(t *testing.T) {
				g, err := store.Grant(t.Context(), user)
				if err != nil || !reflect.DeepEqual(g.Permissions, row.grant) {
					t.Errorf("got %+v, %v, want %+v", g, err, row.grant)
				}
			})
		}
	}
	t.Run("a consent of before takes what is agreed to now, and a program of before reads nothing there",
		func(t *testing.T) {
			const user = "several resources"
			now := time.UnixMicro(1).UTC()
			if _, err := store.AddClient(t.Context(), &server.Client{ID: "web", Updated: now}, 0); err != nil {
				t.Fatal(err)
			}
			may := server.Permissions{at(firstAPI, "write")}
			added, err := store.Approve(t.Context(), server.Approval{
				Grant: &server.Grant{ID: "new", ClientID: "web", UserID: user, Permissions: may, Created: now,
					LastUsed:  now,
					ExpiresAt: now, MaxExpiresAt: now},
				Code:     &server.Code{Digest: "new", GrantID: "new", ExpiresAt: now},
				Remember: &server.Consent{UserID: user, ClientID: "web", Permissions: may, Created: now, Updated: now}})
			if err != nil || !added.OK() {
				t.Fatal(added, err)
			}
			c, err := store.Consent(t.Context(), user, "web")
			if err != nil || !c.Covers(may) || c.Covers(server.Permissions{at(secondAPI, "write")}) {
				t.Errorf("got %+v, %v, want write at the first API alone", c, err)
			}
			var scopes, resources string
			for _, table := range []string{"consents", "grants"} {
				row := db.Reader().QueryRow(`SELECT scopes, resources FROM gatewarden_oauth_`+table+`
					WHERE user_id = ? AND permissions IS NOT NULL`, user)
				if err := row.Scan(&scopes, &resources); err != nil || scopes != "[]" || resources != "[]" {
					t.Errorf("got %s and %s in %s, %v, want two empty lists", scopes, resources, table, err)
				}
			}
			if err := run(t, db, `UPDATE gatewarden_oauth_consents SET scopes = '["read"]', resources = '[`+b+`]'
				WHERE user_id = ?`, user); err != nil {
				t.Fatal(err)
			}
			c, err = store.Consent(t.Context(), user, "web")
			if err != nil || !c.Covers(may) || c.Covers(server.Permissions{at(secondAPI, "read")}) {
				t.Errorf("got %+v, %v, want what this program wrote", c, err)
			}
		})
	t.Run("a list of clients adds up what grants of before and of now have", func(t *testing.T) {
		all, err := store.GrantsByClient(t.Context(), "one resource", "", 9, time.UnixMicro(2).UTC())
		want := server.Permissions{at("", "openid", "read"), at(firstAPI, "openid", "read")}
		if err != nil || len(all) != 1 || !reflect.DeepEqual(all[0].Permissions, want) {
			t.Errorf("got %+v, %v, want %+v", all, err, want)
		}
	})
}
