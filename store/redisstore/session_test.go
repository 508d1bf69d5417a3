package redisstore

import (
	"testing"

	"github.com/gatewarden/auth/session"
	"github.com/gatewarden/auth/store/storetest"
)

func TestSessions(t *testing.T) {
	storetest.Sessions(t, func(t *testing.T) session.Store {
		first, second := pairOf(t, Config{MaxCached: -1})
		return storetest.SessionsPair(Sessions(first), Sessions(second))
	})
}
