package cached_test

import (
	"testing"
	"time"

	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/oauth2/server"
	"github.com/gatewarden/auth/session"
	"github.com/gatewarden/auth/store/cached"
	"github.com/gatewarden/auth/store/storetest"
)

// noon is the noon of package storetest. Its records would have expired by the clock.
var noon = time.Date(2026, 11, 23, 12, 0, 0, 123456000, time.UTC)

var minute = cached.Config{TTL: time.Minute}

// must returns a value without an error.
func must[S any](t testing.TB) func(store S, err error) S {
	return func(store S, err error) S {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return store
	}
}

func TestKnox(t *testing.T) {
	storetest.Knox(t, func(t *testing.T) knox.Store {
		return cached.At(must[*cached.KnoxStore](t)(cached.Knox(knox.NewMemoryStore(), minute)), noon)
	})
}

func TestSessions(t *testing.T) {
	storetest.Sessions(t, func(t *testing.T) session.Store {
		return cached.At(must[*cached.SessionStore](t)(cached.Sessions(session.NewMemoryStore(), minute)), noon)
	})
}

func TestOAuth(t *testing.T) {
	storetest.OAuth(t, func(t *testing.T) server.Store {
		return cached.At(must[*cached.OAuthStore](t)(cached.OAuth(server.NewMemoryStore(), minute)), noon)
	})
}

// TestJWT has a TTL in which no login of package storetest expires, since JWTStore notices that late.
func TestJWT(t *testing.T) {
	storetest.JWT(t, func(t *testing.T) jwt.Store {
		config := cached.Config{TTL: time.Microsecond}
		return cached.At(must[*cached.JWTStore](t)(cached.JWT(jwt.NewMemoryStore(), config)), noon)
	})
}
