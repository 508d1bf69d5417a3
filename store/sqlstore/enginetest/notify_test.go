package enginetest

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/gatewarden/auth/internal/testserver"
	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/oauth2/server"
	"github.com/gatewarden/auth/session"
	"github.com/gatewarden/auth/store/sqlstore"
	"github.com/jackc/pgx/v5"
)

// told is a database whose stores tell what they end, and a connection that hears it.
type told struct {
	*testing.T
	db   *sqlstore.DB
	conn *pgx.Conn
	now  time.Time
}

const toldChannel = "told"

// newTold opens stores that tell what they end. The test is skipped if there is no PostgreSQL.
func newTold(t *testing.T) *told {
	t.Helper()
	database := testserver.PostgreSQL(t).Database(t)
	conn, err := pgx.Connect(t.Context(), database.DSN)
	if err == nil {
		_, err = conn.Exec(t.Context(), "LISTEN "+toldChannel)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	pool := openPool(t, "pgx", database)
	db, err := sqlstore.NewPostgreSQL(t.Context(), pool, sqlstore.Config{NotifyChannel: toldChannel})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return &told{t, db, conn, time.Now().UTC().Truncate(time.Microsecond)}
}

// tells fails unless an operation succeeds and tells of these users.
func (w *told) tells(what string, operation func(ctx context.Context) error, want ...string) {
	w.Helper()
	if err := operation(w.Context()); err != nil {
		w.Fatalf("%s: %v", what, err)
	}
	if err := w.db.UserChanged(w.Context(), "marker"); err != nil {
		w.Fatal(err)
	}
	var got []string
	for {
		n, err := w.conn.WaitForNotification(w.Context())
		if err != nil {
			w.Fatal(err)
		}
		if n.Payload == `{"user":"marker"}` {
			break
		}
		got = append(got, n.Payload)
	}
	slices.Sort(got)
	payloads := []string{}
	for _, user := range want {
		payload := fmt.Sprintf(`{"user":%q}`, user)
		if user == "all" {
			payload = `{"all":true}`
		}
		payloads = append(payloads, payload)
	}
	if slices.Sort(payloads); !slices.Equal(got, payloads) {
		w.Errorf("%s told %q, want %q", what, got, payloads)
	}
}

func TestUnitKnoxTellsWhatItEndsAndNothingElse(t *testing.T) {
	w := newTold(t)
	s := opened(t, sqlstore.Knox, w.db)
	ending := knox.Ending{Reason: knox.EndRevoked, At: w.now}
	add := func(id string, limit int) func(ctx context.Context) error {
		return func(ctx context.Context) error {
			token := &knox.Record{Digest: id, ID: id, UserID: "alice", Created: w.now, ExpiresAt: w.now.Add(time.Hour)}
			return errorOf(s.Add(ctx, token, limit, true, ending))
		}
	}
	w.tells("a login", add("1", 2))
	w.tells("a second login", add("2", 2))
	w.tells("a login that evicts", add("3", 2), "alice")
	w.tells("a check", func(ctx context.Context) error { return errorOf(s.Find(ctx, "2")) })
	w.tells("a use", func(ctx context.Context) error {
		return s.Touch(ctx, knox.Touch{Digest: "2", Used: w.now, ExpiresAt: w.now.Add(2 * time.Hour), LiveUntil: w.now})
	})
	w.tells("Revoke", func(ctx context.Context) error { return errorOf(s.Revoke(ctx, "alice", "2", ending)) }, "alice")
	w.tells("Revoke of none", func(ctx context.Context) error { return errorOf(s.Revoke(ctx, "alice", "2", ending)) })
	w.tells("RevokeAll", func(ctx context.Context) error {
		return errorOf(s.RevokeAll(ctx, "alice", "3", "stamp", ending))
	}, "alice")
	w.tells("a purge", func(ctx context.Context) error {
		return errorOf(s.Purge(ctx, 9, knox.Ending{Reason: knox.EndExpired, At: w.now.Add(9 * time.Hour)}))
	})
}

func TestUnitSessionsTellWhatTheyEndAndNothingElse(t *testing.T) {
	w := newTold(t)
	s := opened(t, sqlstore.Sessions, w.db)
	record := func(digest, id string) *session.Record {
		return &session.Record{Digest: digest, ID: id, UserID: "alice", Created: w.now, LastUsed: w.now,
			ExpiresAt: w.now.Add(time.Hour), MaxExpiresAt: w.now.Add(time.Hour)}
	}
	add := func(id, replaced string, limit int) func(ctx context.Context) error {
		return func(ctx context.Context) error {
			return errorOf(s.Add(ctx, record(id, id), replaced, limit, true, w.now))
		}
	}
	w.tells("a login", add("1", "", 2))
	w.tells("a second login", add("2", "none", 2))
	w.tells("a login that evicts", add("3", "", 2), "alice")
	w.tells("a login in the place of a session", add("4", "3", 2), "alice")
	w.tells("a check", func(ctx context.Context) error { return errorOf(s.Find(ctx, "4")) })
	w.tells("a use", func(ctx context.Context) error {
		return s.Touch(ctx, session.Touch{Digest: "4", Used: w.now, ExpiresAt: w.now, LiveUntil: w.now})
	})
	w.tells("a new cookie", func(ctx context.Context) error {
		return errorOf(s.Replace(ctx, "4", record("5", "4"), w.now))
	}, "alice")
	w.tells("a new cookie of none", func(ctx context.Context) error {
		return errorOf(s.Replace(ctx, "4", record("6", "4"), w.now))
	})
	w.tells("Revoke", func(ctx context.Context) error { return errorOf(s.Revoke(ctx, "alice", "4")) }, "alice")
	w.tells("Revoke of none", func(ctx context.Context) error { return errorOf(s.Revoke(ctx, "alice", "4")) })
	w.tells("RevokeAll", func(ctx context.Context) error { return errorOf(s.RevokeAll(ctx, "alice", "")) }, "alice")
	w.tells("RevokeAll of none", func(ctx context.Context) error { return errorOf(s.RevokeAll(ctx, "alice", "")) })
	w.tells("a purge", func(ctx context.Context) error { return errorOf(s.Purge(ctx, w.now.Add(9*time.Hour), 9)) })
}

func TestUnitLoginsOfJWTsTellWhatTheyEndAndNothingElse(t *testing.T) {
	w := newTold(t)
	s := opened(t, sqlstore.JWT, w.db)
	token := func(family, digest string) *jwt.Refresh {
		return &jwt.Refresh{Digest: digest, SessionID: family, Issued: w.now, ExpiresAt: w.now.Add(time.Hour)}
	}
	start := func(id string, adopted *jwt.Refresh, limit int) func(ctx context.Context) error {
		return func(ctx context.Context) error {
			family := &jwt.Session{ID: id, UserID: "alice", Created: w.now, LastUsed: w.now,
				ExpiresAt: w.now.Add(time.Hour), MaxExpiresAt: w.now.Add(time.Hour)}
			return errorOf(s.Start(ctx, family, token(id, id+" first"), adopted, limit, true))
		}
	}
	rotate := func(old, next string) func(ctx context.Context) error {
		return func(ctx context.Context) error { return errorOf(s.Rotate(ctx, old, w.now, 0, token(old[:1], next))) }
	}
	w.tells("a login", start("1", nil, 2))
	w.tells("a second login", start("2", token("", "adopted"), 2))
	w.tells("a refresh", rotate("1 first", "1 second"))
	w.tells("a check", func(ctx context.Context) error {
		return errorOf(s.Revoked(ctx, jwt.Claimed{SessionID: "1", UserID: "alice"}, w.now))
	})
	w.tells("a login that evicts", start("3", nil, 2), "alice")
	w.tells("a token that was adopted before", start("4", token("", "adopted"), 2), "alice")
	w.tells("a login", start("5", nil, 0))
	w.tells("a refresh", rotate("5 first", "5 second"))
	w.tells("a refresh by a token that was used", rotate("5 first", "5 third"), "alice")
	w.tells("and once more", rotate("5 first", "5 third"))
	w.tells("a login", start("6", nil, 0))
	w.tells("Revoke", func(ctx context.Context) error { return errorOf(s.Revoke(ctx, "alice", "6", w.now)) }, "alice")
	w.tells("Revoke of none", func(ctx context.Context) error { return errorOf(s.Revoke(ctx, "alice", "6", w.now)) })
	w.tells("RevokeAll, which revokes what others issued, too", func(ctx context.Context) error {
		return errorOf(s.RevokeAll(ctx, "alice", "", "", w.now))
	}, "alice")
	w.tells("a purge", func(ctx context.Context) error { return errorOf(s.Purge(ctx, w.now.Add(99*time.Hour), 9)) })
}

func TestUnitOAuthTellsWhatItEndsAndNothingElse(t *testing.T) {
	w := newTold(t)
	s := opened(t, sqlstore.OAuth, w.db)
	tokens := func(grant, name string) server.Tokens {
		expires := w.now.Add(time.Hour)
		return server.Tokens{
			Access:  &server.Access{Digest: name, ID: name, GrantID: grant, Issued: w.now, ExpiresAt: expires},
			Refresh: &server.Refresh{Digest: name + " refresh", GrantID: grant, Issued: w.now, ExpiresAt: expires}}
	}
	start := func(id, user string, limit int) func(ctx context.Context) error {
		return func(ctx context.Context) error {
			grant := &server.Grant{ID: id, ClientID: "web", UserID: user, SessionID: "session " + user, Created: w.now,
				LastUsed: w.now, ExpiresAt: w.now.Add(time.Hour), MaxExpiresAt: w.now.Add(time.Hour),
				Permissions: server.Permissions{{Resource: "https://api.example/", Scopes: []string{"read"}}}}
			return errorOf(s.Start(ctx, grant, tokens(id, id), limit, true))
		}
	}
	web := &server.Client{ID: "web", Created: w.now, Updated: w.now}
	w.tells("a new client", func(ctx context.Context) error { return errorOf(s.AddClient(ctx, web, 0)) })
	w.tells("a login", start("1", "alice", 1))
	w.tells("a login that evicts", start("2", "alice", 1), "alice")
	w.tells("a token for the client itself", start("3", "", 1))
	w.tells("a token for the client itself that evicts", start("4", "", 1), "client:web")
	rotate := func(next string) func(ctx context.Context) error {
		return func(ctx context.Context) error {
			return errorOf(s.Rotate(ctx, "2 refresh", w.now, 0, tokens("2", next)))
		}
	}
	w.tells("a refresh", rotate("2 second"))
	w.tells("a check", func(ctx context.Context) error { _, _, err := s.FindAccess(ctx, "2"); return err })
	remove := func(ctx context.Context) error { return errorOf(s.RemoveAccess(ctx, "2 second")) }
	w.tells("the end of a token", remove, "alice")
	w.tells("the end of a token that has ended", remove)
	w.tells("a refresh by a token that was used", rotate("2 third"), "alice")
	w.tells("a login", start("5", "alice", 0))
	w.tells("End", func(ctx context.Context) error { return errorOf(s.End(ctx, "5", w.now)) }, "alice")
	w.tells("End of none", func(ctx context.Context) error { return errorOf(s.End(ctx, "none", w.now)) })
	w.tells("a login", start("6", "alice", 0))
	endSession := func(ctx context.Context) error { return errorOf(s.EndSession(ctx, "session alice", w.now)) }
	w.tells("EndSession", endSession, "alice")
	w.tells("EndSession of none", endSession)
	w.tells("EndAll", func(ctx context.Context) error {
		return errorOf(s.EndAll(ctx, "alice", "", "", w.now))
	}, "alice")
	w.tells("Withdraw", func(ctx context.Context) error {
		return errorOf(s.Withdraw(ctx, "alice", "web", w.now))
	}, "alice")
	change := func(ctx context.Context) error {
		changed := &server.Client{ID: "web", Created: w.now, Updated: w.now.Add(time.Second)}
		_, _, err := s.ChangeClient(ctx, changed, w.now)
		return err
	}
	w.tells("a change of a client", change, "client:web")
	w.tells("a change that comes too late", change)
	removeClient := func(ctx context.Context) error { _, _, err := s.RemoveClient(ctx, "web", w.now); return err }
	w.tells("the end of a client", removeClient, "client:web")
	w.tells("the end of none", removeClient)
	w.tells("a purge", func(ctx context.Context) error { return errorOf(s.Purge(ctx, w.now.Add(99*time.Hour), 9)) })
}

func TestUnitTheEndOfATokenWithoutAGrantTellsOfAll(t *testing.T) {
	w := newTold(t)
	s := opened(t, sqlstore.OAuth, w.db)
	for _, statement := range []string{
		// The stores add no token without a grant, so this row is made by hand.
		`ALTER TABLE gatewarden_oauth_access DROP CONSTRAINT gatewarden_oauth_access_grant_id_fkey`,
		`INSERT INTO gatewarden_oauth_access (digest, id, grant_id, scopes, audience, issued, expires_at)
			VALUES ('a', 'a', 'none', '[]', '[]', 0, 9000000000000000)`,
	} {
		if _, err := w.db.Writer().ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	w.tells("the end of a token", func(ctx context.Context) error { return errorOf(s.RemoveAccess(ctx, "a")) }, "all")
}

func TestUnitASessionOfManyUsersTellsOfAll(t *testing.T) {
	w := newTold(t)
	s := opened(t, sqlstore.OAuth, w.db)
	if _, err := s.AddClient(t.Context(), &server.Client{ID: "web", Created: w.now, Updated: w.now}, 0); err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		id := fmt.Sprint(i)
		grant := &server.Grant{ID: id, ClientID: "web", UserID: id, SessionID: "s", Created: w.now, LastUsed: w.now,
			ExpiresAt: w.now.Add(time.Hour), MaxExpiresAt: w.now.Add(time.Hour),
			Permissions: server.Permissions{{Resource: "https://api.example/", Scopes: []string{"read"}}}}
		access := &server.Access{Digest: id, ID: id, GrantID: id, Issued: w.now, ExpiresAt: w.now.Add(time.Hour)}
		if _, err := s.Start(t.Context(), grant, server.Tokens{Access: access}, 0, false); err != nil {
			t.Fatal(err)
		}
	}
	w.tells("EndSession", func(ctx context.Context) error { return errorOf(s.EndSession(ctx, "s", w.now)) }, "all")
}

// errorOf returns the error of two results.
func errorOf[T any](_ T, err error) error { return err }
