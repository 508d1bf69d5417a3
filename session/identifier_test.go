package session_test

import (
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
	if list[0].ID() <= list[1].ID() {
		t.Errorf("got %s for a session later than %s, want a larger identifier", list[0].ID(), list[1].ID())
	}
	if _, err := uuid.Parse(cookie); err == nil || len(cookie) != 40 {
		t.Errorf("got the cookie %q, want a random value of 40 characters", cookie)
	}
}
