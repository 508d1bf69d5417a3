package login_test

import (
	"testing"

	"github.com/gatewarden/auth/oauth2/login"
	"github.com/gatewarden/auth/store/storetest"
)

func TestMemoryStore(t *testing.T) {
	storetest.Login(t, func(*testing.T) login.Store { return login.NewMemoryStore() })
}
