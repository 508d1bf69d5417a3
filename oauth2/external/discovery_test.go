package external_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatewarden/auth/authtest"
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

func TestTheMetadataSaysHowAClientAuthenticates(t *testing.T) {
	for sentence, row := range map[string]struct {
		methods []string
		method  external.Method
		basic   bool
	}{
		"nothing said":      {nil, "", true},
		"both":              {[]string{"client_secret_post", "client_secret_basic"}, "", true},
		"by post only":      {[]string{"client_secret_post"}, "", false},
		"neither":           {[]string{"private_key_jwt"}, "", true},
		"but configured":    {[]string{"client_secret_post"}, external.ClientSecretBasic, true},
		"and the other way": {nil, external.ClientSecretPost, false},
	} {
		a := newApp(t, func(a *app, c *external.Config) {
			acme := a.acme()
			acme.Method = row.method
			c.Providers = []external.Provider{acme}
		})
		a.idp.SetQuirks(authtest.Quirks{Metadata: func(m map[string]any) {
			if row.methods != nil {
				m["token_endpoint_auth_methods_supported"] = row.methods
			}
		}})
		if p := a.browser().visit("/login/acme/"); p.status != 200 || a.idp.TokenRequests()[0].Basic != row.basic {
			t.Errorf("%s: %d, basic %v", sentence, p.status, a.idp.TokenRequests()[0].Basic)
		}
	}
}

func TestMetadataThatCannotBeRightIsAnOutage(t *testing.T) {
	for sentence, change := range map[string]func(map[string]any){
		"another issuer":      func(m map[string]any) { m["issuer"] = "https://evil.example" },
		"no token endpoint":   func(m map[string]any) { delete(m, "token_endpoint") },
		"a relative endpoint": func(m map[string]any) { m["authorization_endpoint"] = "/authorize" },
		"http elsewhere":      func(m map[string]any) { m["token_endpoint"] = "http://elsewhere.example/token" },
		"javascript":          func(m map[string]any) { m["authorization_endpoint"] = "javascript:alert(1)" },
	} {
		a := newApp(t, nil)
		a.idp.SetQuirks(authtest.Quirks{Metadata: change})
		b := a.browser()
		b.wants(sentence, b.do("GET", "/login/acme/", nil), 503, "temporarily_unavailable")
	}
}

func TestMetadataIsAskedForOnce(t *testing.T) {
	var asked []string
	a := newApp(t, func(_ *app, c *external.Config) {
		c.HTTP.Client = &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			asked = append(asked, r.URL.Path)
			return http.DefaultTransport.RoundTrip(r)
		})}
	})
	for range 3 {
		a.browser().do("GET", "/login/acme/", nil)
	}
	if !slices.Equal(asked, []string{"/.well-known/openid-configuration"}) {
		t.Errorf("the requests were %q, want one for the metadata", asked)
	}
}
