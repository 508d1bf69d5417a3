package session_test

import (
	"testing"

	"github.com/gatewarden/auth/session"
	"github.com/gatewarden/auth/store/storetest"
)

func TestMemoryStore(t *testing.T) {
	storetest.Sessions(t, func(*testing.T) session.Store { return session.NewMemoryStore() })
}
