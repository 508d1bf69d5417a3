package redisstore

import (
	"testing"

	"github.com/gatewarden/auth/password"
	"github.com/gatewarden/auth/store/storetest"
)

func TestThrottle(t *testing.T) {
	storetest.Throttle(t, func(t *testing.T) password.ThrottleStore {
		first, second := pairOf(t, Config{MaxCached: -1})
		return storetest.ThrottlePair(Throttle(first), Throttle(second))
	})
}
