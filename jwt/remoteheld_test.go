package jwt_test

import (
	"log/slog"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/jwt"
)

// hangs is a key server that never answers.
type hangs struct{ asked atomic.Int32 }

func (h *hangs) RoundTrip(r *http.Request) (*http.Response, error) {
	h.asked.Add(1)
	<-r.Context().Done()
	return nil, r.Context().Err()
}

func TestUnitAKeyServerThatHangsHoldsFewRequests(t *testing.T) {
	key := signing(t, jwt.ES256)
	run := func(t *testing.T, tokens int, claims map[string]any) (asked, refused, failed int32) {
		synctest.Test(t, func(t *testing.T) {
			server := new(hangs)
			keys, err := jwt.NewRemoteKeys(jwt.RemoteKeysConfig{URL: "https://keys.example/jwks",
				Client: &http.Client{Transport: server}, Logger: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatal(err)
			}
			v := foreignVerifier(t, key, func(i *jwt.Issuer) { i.Keys = keys })
			token := foreignToken(t, key, claims)
			var invalid, outages atomic.Int32
			for range tokens {
				go func() {
					switch _, _, err := v.VerifyToken(t.Context(), token); {
					case auth.KindOf(err) == auth.ErrInvalid:
						invalid.Add(1)
					case err != nil:
						outages.Add(1)
					}
				}()
			}
			synctest.Wait() // no time has passed
			asked, refused, failed = server.asked.Load(), invalid.Load(), outages.Load()
			time.Sleep(time.Minute)
		})
		return asked, refused, failed
	}
	t.Run("at most 1,000 requests wait for the first keys", func(t *testing.T) {
		asked, refused, failed := run(t, 1500, nil)
		if asked != 1 || refused != 0 || failed != 500 {
			t.Errorf("want 500 outages at once, got %d fetches, %d refusals and %d outages", asked, refused, failed)
		}
	})
}
