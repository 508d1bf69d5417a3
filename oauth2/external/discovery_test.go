package external_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatewarden/auth/oauth2/external"
)

// hangs is a provider that answers no request.
type hangs struct{ asked atomic.Int32 }

func (h *hangs) RoundTrip(r *http.Request) (*http.Response, error) {
	h.asked.Add(1)
	<-r.Context().Done()
	return nil, r.Context().Err()
}

func TestUnitDiscovery(t *testing.T) {
	t.Run("a request waits for a provider that hangs at most as long as its context, first or not", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			provider := &hangs{}
			find := external.Discovery(&http.Client{Transport: provider}, time.Minute)
			var requests sync.WaitGroup
			start := time.Now()
			for i := range 3 {
				requests.Go(func() {
					limit := time.Duration(i+1) * time.Second
					ctx, cancel := context.WithTimeout(t.Context(), limit)
					defer cancel()
					if err := find(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != limit {
						t.Errorf("got %v after %v, want the end of the context after %v", err, time.Since(start), limit)
					}
				})
				synctest.Wait()
			}
			requests.Wait()
			if n := provider.asked.Load(); n != 1 {
				t.Errorf("got %d requests to the provider, want one", n)
			}
			if err := find(t.Context()); err == nil || errors.Is(err, context.Canceled) ||
				time.Since(start) != time.Minute {
				t.Errorf("got %v after %v, want the failure of the first request after a minute", err,
					time.Since(start))
			}
		})
	})
}
