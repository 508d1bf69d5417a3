package server_test

import (
	"testing"

	"github.com/gatewarden/auth/oauth2/server"
	"github.com/gatewarden/auth/store/storetest"
)

func TestMemoryStore(t *testing.T) {
	storetest.OAuth(t, func(*testing.T) server.Store { return server.NewMemoryStore() })
}
