package external_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatewarden/auth/authtest"
	"github.com/gatewarden/auth/oauth2/external"
)

// held is a store that is down for the codes it was given while losing was set.
type held struct {
	external.Store
	losing bool
	lost   map[string]bool
}

func (h *held) AddCode(ctx context.Context, code *external.Code) error {
	h.lost[code.Digest] = h.losing
	return h.Store.AddCode(ctx, code)
}

func (h *held) TakeCode(ctx context.Context, digest string, now time.Time) (*external.Code, error) {
	if h.lost[digest] {
		return nil, errDown
	}
	return h.Store.TakeCode(ctx, digest, now)
}

// A code is good once, so each request has one of a login of its own.
func TestUnitLoginsKeepTheContractOfABackend(t *testing.T) {
	store := &held{Store: external.NewMemoryStore(), lost: map[string]bool{}}
	a := newApp(t, func(a *app, c *external.Config) {
		withApp(a, c)
		c.Store = store
	})
	b := a.browser()
	body := func(contentType, text string) *http.Request {
		r := httptest.NewRequest("POST", "/auth/login/", strings.NewReader(text))
		r.Header.Set("Content-Type", contentType)
		return r
	}
	form := func(code, proof string) *http.Request {
		fields := url.Values{"login_code": {code}, "code_verifier": {proof}}
		return body("application/x-www-form-urlencoded", fields.Encode())
	}
	json := func(text string) authtest.Request {
		return func() *http.Request { return body("application/json", text) }
	}
	authtest.Backend(t, a.logins, authtest.Cases{
		Good: []authtest.Good{
			{Request: func() *http.Request { return form(b.code(appStart), verifier) }, User: "acme-1"},
			{Request: func() *http.Request {
				return json(`{"login_code":"` + b.code(appStart) + `","code_verifier":"` + verifier + `"}`)()
			}, User: "acme-1"},
		},
		Absent: []authtest.Request{json(`{"username":"alice","password":"x"}`),
			authtest.RequestWith("Authorization", "Bearer abc")},
		Invalid: []authtest.Request{
			func() *http.Request { return form("unknown", verifier) },
			func() *http.Request { return form(b.code(appStart), strings.Repeat("x", 43)) },
			func() *http.Request {
				code := b.code(appStart)
				if _, _, err := a.redeem(code, verifier); err != nil {
					t.Fatal(err)
				}
				return form(code, verifier)
			},
		},
		Malformed: []authtest.Request{
			json(`{"login_code":"x"}`),
			json(`{"code_verifier":"` + verifier + `"}`),
			json(`{"login_code":`),
			func() *http.Request { return form("x", verifier[:42]) },
		},
		Outage: []authtest.Request{func() *http.Request {
			store.losing = true
			defer func() { store.losing = false }()
			return form(b.code(appStart), verifier)
		}},
	})
}
