package redisstore

import (
	"testing"

	"github.com/gatewarden/auth/oauth2/server"
	"github.com/gatewarden/auth/store/storetest"
)

func TestOAuth(t *testing.T) {
	storetest.OAuth(t, func(t *testing.T) server.Store {
		first, second := pairOf(t, Config{MaxCached: -1})
		return storetest.OAuthPair(OAuth(first), OAuth(second))
	})
}

func TestOAuthCached(t *testing.T) {
	storetest.OAuth(t, func(t *testing.T) server.Store { return OAuth(openTest(t, Config{})) })
}
