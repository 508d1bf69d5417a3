package server_test

import (
	"fmt"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// asPage sends a secret of the client job as a form of a page of another origin.
func (g *guessed) asPage(from, header, value, secret string) *httptest.ResponseRecorder {
	g.Helper()
	body := url.Values{"grant_type": {"client_credentials"}, "client_id": {"job"}, "client_secret": {secret}}.Encode()
	r := httptest.NewRequestWithContext(g.Context(), "POST", "/o/token/", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set(header, value)
	r.RemoteAddr = from
	w := httptest.NewRecorder()
	g.handlers.ServeHTTP(w, r)
	return w
}

func TestUnitPlacesOfWrongSecrets(t *testing.T) {
	const here = "192.0.2.1:1000"
	for header, value := range map[string]string{"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"} {
		t.Run("a page of another origin does not lock out a client at the same address, by "+header,
			func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					g := newGuessed(t, nil)
					for i := range 40 {
						want := 401
						if i >= 30 {
							want = 429
						}
						if w := g.asPage(here, header, value, g.wrong()); w.Code != want {
							t.Fatalf("wrong secret %d: %d", i+1, w.Code)
						}
					}
					if w := g.asPage(here, header, "https://other.example", g.secret); w.Code != 429 {
						t.Errorf("another page: %d", w.Code)
					}
					if w := g.ask("/o/token/", here, "job", g.secret); w.Code != 200 {
						t.Errorf("the client: %d %s", w.Code, w.Body)
					}
				})
			})
	}
	t.Run("IPv4 addresses behind a translator of RFC 6052 count apart", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			g := newGuessed(t, nil)
			g.use(30, "[64:ff9b::c000:201]:1") // 192.0.2.1
			if w := g.ask("/o/token/", "[64:ff9b::c633:6401]:1", "job", g.secret); w.Code != 200 {
				t.Errorf("198.51.100.1: %d", w.Code)
			}
			if w := g.ask("/o/token/", here, "job", g.secret); w.Code != 429 {
				t.Errorf("192.0.2.1 without the translator: %d", w.Code)
			}
		})
	})
	t.Run("an unknown client gets the answers of one that is there", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			g := newGuessed(t, nil)
			for i := range 60 {
				secret := g.wrong()
				if i%4 == 3 {
					secret = "wrong 1" // which came before
				}
				known, unknown := g.ask("/o/token/", here, "job", secret), g.ask("/o/token/", here, "missing", secret)
				if known.Code != unknown.Code || known.Body.String() != unknown.Body.String() ||
					fmt.Sprint(known.Header()) != fmt.Sprint(unknown.Header()) {
					t.Fatalf("number %d: %d %v %s, unknown: %d %v %s", i+1, known.Code, known.Header(), known.Body,
						unknown.Code, unknown.Header(), unknown.Body)
				}
			}
			time.Sleep(time.Minute)
			if w := g.ask("/o/token/", here, "missing", "wrong"); w.Code != 401 {
				t.Errorf("later: %d", w.Code)
			}
		})
	})
}
