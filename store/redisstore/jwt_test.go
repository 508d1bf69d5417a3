package redisstore

import (
	"testing"

	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/store/storetest"
)

func TestJWT(t *testing.T) {
	storetest.JWT(t, func(t *testing.T) jwt.Store {
		first, second := pairOf(t, Config{MaxCached: -1})
		return storetest.JWTPair(JWT(first), JWT(second))
	})
}

func TestJWTKeys(t *testing.T) {
	storetest.JWTKeys(t, func(t *testing.T) jwt.KeyStore {
		first, second := pairOf(t, Config{MaxCached: -1})
		return storetest.JWTKeysPair(JWTKeys(first), JWTKeys(second))
	})
}
