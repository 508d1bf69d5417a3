package jwt_test

import (
	"testing"

	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/store/storetest"
)

func TestMemoryStore(t *testing.T) {
	storetest.JWT(t, func(*testing.T) jwt.Store { return jwt.NewMemoryStore() })
}

func TestMemoryKeyStore(t *testing.T) {
	storetest.JWTKeys(t, func(*testing.T) jwt.KeyStore { return jwt.NewMemoryKeyStore() })
}
