package redisstore

import (
	"testing"
	"time"

	"github.com/gatewarden/auth/password"
	"github.com/gatewarden/auth/store/storetest"
)

func TestThrottle(t *testing.T) {
	for name, place := range map[string]func(t testing.TB) testPlace{"a server": onNode, "a Cluster": onCluster} {
		t.Run("on "+name, func(t *testing.T) {
			storetest.Throttle(t, func(t *testing.T) password.ThrottleStore {
				first, second := place(t).pair(t, Config{MaxCached: -1, Timeout: 20 * time.Second})
				return storetest.ThrottlePair(Throttle(first), Throttle(second))
			})
		})
	}
}
