package redisstore

import (
	"testing"

	"github.com/gatewarden/auth/oauth2/external"
	"github.com/gatewarden/auth/store/storetest"
)

func TestExternal(t *testing.T) {
	storetest.External(t, func(t *testing.T) external.Store {
		first, second := pairOf(t, Config{MaxCached: -1})
		return storetest.ExternalPair(External(first), External(second))
	})
}
