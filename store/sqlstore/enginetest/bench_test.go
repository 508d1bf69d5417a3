package enginetest

import (
	"context"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/store/sqlstore"
)

type benchUser string

func (u benchUser) UserID() string { return string(u) }

// sqliteWithToken has one token, and a table of users with one row.
func sqliteWithToken(b *testing.B) (db *sqlstore.DB, tokens *knox.Tokens, secret, digest string,
	loadUser auth.UserLoader) {
	db, err := sqlstore.OpenSQLite(b.Context(), "sqlite", filepath.Join(b.TempDir(), "bench.db"), sqlstore.Config{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { db.Close() })
	if _, err := db.Writer().Exec("CREATE TABLE users (id TEXT PRIMARY KEY, active INTEGER); INSERT INTO users " +
		"VALUES ('alice', 1)"); err != nil {
		b.Fatal(err)
	}
	byID, err := db.Reader().Prepare("SELECT id, active FROM users WHERE id = ?")
	if err != nil {
		b.Fatal(err)
	}
	loadUser = func(ctx context.Context, id string) (auth.User, error) {
		var u benchUser
		var active bool
		if err := byID.QueryRowContext(ctx, id).Scan(&u, &active); err != nil {
			return nil, err
		}
		return u, nil
	}
	store, err := sqlstore.Knox(b.Context(), db)
	if err != nil {
		b.Fatal(err)
	}
	if tokens, err = knox.New(knox.Config{Store: store, LoadUser: loadUser}); err != nil {
		b.Fatal(err)
	}
	issued, err := tokens.Issue(b.Context(), "alice", knox.Options{})
	if err != nil {
		b.Fatal(err)
	}
	if err := db.Reader().QueryRow("SELECT digest FROM gatewarden_knox_tokens").Scan(&digest); err != nil {
		b.Fatal(err)
	}
	return db, tokens, issued.Secret.Reveal(), digest, loadUser
}

// BenchmarkSQLiteFloor is a bare prepared SELECT by primary key and the user's.
func BenchmarkSQLiteFloor(b *testing.B) {
	db, _, _, digest, loadUser := sqliteWithToken(b)
	find, err := db.Reader().Prepare("SELECT user_id FROM gatewarden_knox_tokens WHERE digest = ?")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		var id string
		if err := find.QueryRow(digest).Scan(&id); err != nil {
			b.Fatal(err)
		}
		if _, err := loadUser(b.Context(), id); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkKnoxSQLite(b *testing.B) {
	_, tokens, secret, _, _ := sqliteWithToken(b)
	guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{tokens}})
	if err != nil {
		b.Fatal(err)
	}
	handler := guard.Require()(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Authorization", "Token "+secret)
	b.ReportAllocs()
	for b.Loop() {
		w := httptest.NewRecorder()
		if handler.ServeHTTP(w, r); w.Code != 200 {
			b.Fatal(w.Code)
		}
	}
}
