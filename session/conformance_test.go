package session_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/authtest"
	"github.com/gatewarden/auth/session"
)

// held is a store that has been down for one session since that began.
type held struct {
	session.Store
	down string
}

func (h *held) Find(ctx context.Context, digest string) (*session.Record, error) {
	record, err := h.Store.Find(ctx, digest)
	if record != nil && record.ID == h.down {
		return nil, errors.New("the store is down")
	}
	return record, err
}

// A cookie that is no good counts as absent, because the browser sends it to
// pages for everybody too.
func TestUnitSessionsKeepTheContractOfABackend(t *testing.T) {
	store := &held{Store: session.NewMemoryStore()}
	load := func(_ context.Context, id string) (auth.User, error) { return authtest.User(id), nil }
	sessions, err := session.New(session.Config{Store: store, LoadUser: load})
	if err != nil {
		t.Fatal(err)
	}
	signIn := func(user string, options session.Options) (authtest.Request, *session.Session) {
		w := httptest.NewRecorder()
		r := httptest.NewRequest("POST", "https://service.example/login/", nil)
		started, err := sessions.SignIn(w, r, authtest.User(user), options)
		if err != nil {
			t.Fatal(err)
		}
		cookie, _, _ := strings.Cut(w.Header().Get("Set-Cookie"), ";")
		return authtest.RequestWith("Cookie", cookie), started
	}
	alice, _ := signIn("alice", session.Options{})
	bob, _ := signIn("bob", session.Options{Scopes: []string{"read"}})
	ended, endedSession := signIn("alice", session.Options{})
	if _, err := sessions.Revoke(t.Context(), "alice", endedSession.ID()); err != nil {
		t.Fatal(err)
	}
	lost, lostSession := signIn("alice", session.Options{})
	store.down = lostSession.ID()
	authtest.Backend(t, sessions, authtest.Cases{
		Good: []authtest.Good{
			{Request: alice, User: "alice"},
			{Request: bob, User: "bob", Scopes: []string{"read"}},
		},
		Absent: []authtest.Request{ended, authtest.RequestWith("Cookie", "theme=dark"),
			authtest.RequestWith("Cookie", alice().Header.Get("Cookie")+"; "+alice().Header.Get("Cookie"))},
		Outage: []authtest.Request{lost},
	})
}
