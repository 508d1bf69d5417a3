package session_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/session"
)

func TestUnitIdentifiers(t *testing.T) {
	s := newService(t, session.Config{})
	_, cookie, _ := strings.Cut(s.login("alice"), "=")
	s.login("alice")
	list, _, err := s.List(t.Context(), "alice", backend.Page{})
	if err != nil || len(list) != 2 {
		t.Fatalf("got %d sessions, %v, want 2", len(list), err)
	}
	for _, each := range list {
		if id, err := uuid.Parse(each.ID()); err != nil || id.Version() != 7 {
			t.Errorf("got the identifier %q, want a UUID of version 7", each.ID())
		}
	}
	for _, each := range list {
		if shard, ok := backend.IDShard(each.ID()); !ok || shard != backend.Shard("alice") {
			t.Errorf("got the shard %q, %v of %s, want that of the user", shard, ok, each.ID())
		}
	}
	if list[0].ID() <= list[1].ID() {
		t.Errorf("got %s for a session later than %s, want a larger identifier", list[0].ID(), list[1].ID())
	}
	if _, err := uuid.Parse(cookie); err == nil || len(cookie) != 40 {
		t.Errorf("got the cookie %q, want a random value of 40 characters", cookie)
	}
}

func TestUnitIdentifierStaysWhenTheCookieChanges(t *testing.T) {
	s := newService(t, session.Config{})
	cookie := s.login("alice")
	before, _, err := s.List(t.Context(), "alice", backend.Page{})
	if err != nil || len(before) != 1 {
		t.Fatalf("got %d sessions, %v, want 1", len(before), err)
	}
	w := httptest.NewRecorder()
	if err := s.Renew(w, withCookie(cookie)); err != nil {
		t.Fatal(err)
	}
	if renewed := cookieOf(t, w.Result()); renewed == cookie {
		t.Fatal("got the same cookie, want another one")
	}
	after, _, err := s.List(t.Context(), "alice", backend.Page{})
	if err != nil || len(after) != 1 || after[0].ID() != before[0].ID() {
		t.Errorf("got %v, %v, want the session %s", after, err, before[0].ID())
	}
}
