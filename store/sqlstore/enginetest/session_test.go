package enginetest

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/session"
	"github.com/gatewarden/auth/store/sqlstore"
	"github.com/gatewarden/auth/store/storetest"
)

func TestSessionsOnSQLite(t *testing.T) {
	storetest.Sessions(t, func(t *testing.T) session.Store {
		store, err := sqlstore.Sessions(t.Context(), openSQLite(t, filepath.Join(t.TempDir(), "sessions.db")))
		if err != nil {
			t.Fatal(err)
		}
		return store
	})
}

func TestASessionStatementThatFailsLeavesTheOldStateOrTheNew(t *testing.T) {
	db, f := openFaulty(t)
	store, err := sqlstore.Sessions(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	record := func(user string, i int) *session.Record {
		created := now.Add(time.Duration(i) * time.Second)
		return &session.Record{Digest: fmt.Sprint(user, i), ID: fmt.Sprint(i), UserID: user, Created: created, LastUsed: created,
			Expires: now.Add(time.Hour), Idle: time.Hour, Ends: now.Add(time.Hour)}
	}
	state := func(user string) (ids []string) {
		records, err := store.List(t.Context(), user, now)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range records {
			ids = append(ids, r.ID)
		}
		return ids
	}
	prepare := func(user string) {
		for i := 1; i <= 3; i++ {
			if _, err := store.Add(t.Context(), record(user, i), "", 0, false, now); err != nil {
				t.Fatal(err)
			}
		}
	}
	f.failEach(t, prepare, state, []faultRow{
		{"a login in place of one, that evicts another", func(user string) error {
			_, err := store.Add(t.Context(), record(user, 9), record(user, 2).Digest, 2, true, now)
			return err
		}, []string{"9", "3"}, 7},
		{"replacing", func(user string) error {
			replaced, err := store.Replace(t.Context(), record(user, 3).Digest, record(user, 9), now)
			if replaced != (err == nil) {
				t.Errorf("replaced %v with error %v", replaced, err)
			}
			return err
		}, []string{"9", "2", "1"}, 4},
		{"revoking all others", func(user string) error {
			_, err := store.RevokeAll(t.Context(), user, record(user, 2).Digest)
			return err
		}, []string{"2"}, 5},
	})
}

func BenchmarkSessionSQLite(b *testing.B) {
	db, _, _, _, loadUser := sqliteWithToken(b)
	store, err := sqlstore.Sessions(b.Context(), db)
	if err != nil {
		b.Fatal(err)
	}
	sessions, err := session.New(session.Config{Store: store, LoadUser: loadUser})
	if err != nil {
		b.Fatal(err)
	}
	guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{sessions}})
	if err != nil {
		b.Fatal(err)
	}
	login := httptest.NewRecorder()
	if _, err := sessions.Login(login, httptest.NewRequest("POST", "https://app.example/", nil), benchUser("alice"), session.Options{}); err != nil {
		b.Fatal(err)
	}
	handler := guard.Require()(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	r := httptest.NewRequest("GET", "/", nil)
	r.AddCookie(login.Result().Cookies()[0])
	b.ReportAllocs()
	for b.Loop() {
		w := httptest.NewRecorder()
		if handler.ServeHTTP(w, r); w.Code != 200 {
			b.Fatal(w.Code)
		}
	}
}
