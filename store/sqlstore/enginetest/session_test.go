package enginetest

import (
	"database/sql"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
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
	plain, err := sql.Open("sqlite", "")
	if err != nil {
		t.Fatal(err)
	}
	f := &faults{}
	sql.Register("sqlite with faults for sessions", driverOf{plain.Driver(), f})
	if err := plain.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := sqlstore.OpenSQLite(t.Context(), "sqlite with faults for sessions", filepath.Join(t.TempDir(), "faults.db"), sqlstore.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
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
	for _, row := range []struct {
		sentence string
		do       func(user string) error
		after    []string
		fails    int // at least so often
	}{
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
	} {
		failed := 0
		for nth := int64(1); ; nth++ {
			user := fmt.Sprint(row.sentence, nth)
			for i := 1; i <= 3; i++ {
				if _, err := store.Add(t.Context(), record(user, i), "", 0, false, now); err != nil {
					t.Fatal(err)
				}
			}
			f.calls.Store(0)
			f.nth.Store(nth)
			err := row.do(user)
			calls := f.calls.Load()
			f.nth.Store(0)
			want := row.after
			if err != nil {
				want = []string{"3", "2", "1"}
				failed++
			}
			if got := state(user); !slices.Equal(got, want) {
				t.Errorf("%s, statement %d failing: error %v, left %v, want %v", row.sentence, nth, err, got, want)
			}
			if calls < nth {
				break
			}
		}
		if failed < row.fails {
			t.Errorf("%s failed %d times only", row.sentence, failed)
		}
	}
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
