package redisstore

import (
	"testing"

	"github.com/gatewarden/auth/password"
	"github.com/gatewarden/auth/store/storetest"
)

func TestOneTime(t *testing.T) {
	storetest.OneTime(t, func(t *testing.T) password.OneTimeStore {
		first, second := pairOf(t, Config{MaxCached: -1})
		return storetest.OneTimePair(OneTime(first), OneTime(second))
	})
}
