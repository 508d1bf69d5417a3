package redisstore

import (
	"testing"
	"time"

	"github.com/gatewarden/auth/oauth2/external"
	"github.com/gatewarden/auth/store/storetest"
)

func TestExternal(t *testing.T) {
	for name, place := range map[string]func(t testing.TB) testPlace{"a server": onNode, "a Cluster": onCluster} {
		t.Run("on "+name, func(t *testing.T) {
			storetest.External(t, func(t *testing.T) external.Store {
				first, second := place(t).pair(t, Config{MaxCached: -1, Timeout: 20 * time.Second})
				return storetest.ExternalPair(External(first), External(second))
			})
		})
	}
}
