package redisstore

import (
	"testing"

	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/store/storetest"
)

func TestKnox(t *testing.T) {
	storetest.Knox(t, func(t *testing.T) knox.Store {
		first, second := pairOf(t, Config{MaxCached: -1})
		return storetest.KnoxPair(Knox(first), Knox(second))
	})
}
