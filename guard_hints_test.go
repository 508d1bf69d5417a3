package auth_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/gatewarden/auth"
)

// asking is a backend that asks for the client's address.
type asking struct{ auth.Authenticator }

func (a asking) Unwrap() auth.Authenticator { return a.Authenticator }
func (asking) ReadsProxies() bool           { return true }

func TestAForgottenProxy(t *testing.T) {
	var log bytes.Buffer
	guardFor := func(backend auth.Authenticator) *auth.Guard {
		log.Reset()
		return newGuard(t, auth.Config{Backends: []auth.Authenticator{backend}, Proxies: behindProxy,
			Logger: slog.New(slog.NewTextHandler(&log, nil))})
	}
	warnings := func() int { return strings.Count(log.String(), "level=WARN") }
	from := func(peer string, header ...string) *http.Request {
		r := request("GET", "/", header...)
		r.RemoteAddr = peer
		return r
	}
	for _, name := range []string{"X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host"} {
		t.Run("is said once, with its address, by "+name, func(t *testing.T) {
			g := guardFor(asking{speaking("Token", nil)})
			for range 3 {
				wantStatus(t, do(g.Require()(whoami), from("192.0.2.7:5", name, "x")), 200)
			}
			if warnings() != 1 || !strings.Contains(log.String(), "Config.Proxies") ||
				!strings.Contains(log.String(), "192.0.2.7") ||
				!strings.Contains(log.String(), name) {
				t.Errorf("log: %s", log.String())
			}
			other, err := g.With(asking{speaking("Other", nil)})
			if err != nil {
				t.Fatal(err)
			}
			other.WithProxies(from("192.0.2.7:5", name, "x"))
			if warnings() != 1 {
				t.Errorf("a guard of the same family warned again: %s", log.String())
			}
		})
	}
	t.Run("of a Unix socket is said too", func(t *testing.T) {
		guardFor(speaking("Token", nil)).WithProxies(from("@", "X-Forwarded-For", "203.0.113.1"))
		if warnings() != 1 || !strings.Contains(log.String(), "Unix socket") {
			t.Errorf("log: %s", log.String())
		}
	})
	t.Run("is said when an origin is refused", func(t *testing.T) {
		g := guardFor(speaking("Token", nil))
		r := from("192.0.2.7:5", "X-Forwarded-Host", "app.example", "Origin", "https://app.example")
		r.Method = http.MethodPost
		if err := g.CheckOrigin(r); err == nil || warnings() != 1 {
			t.Errorf("%v; log: %s", err, log.String())
		}
	})
	t.Run("is not said of one that is named, or where nothing depends on it", func(t *testing.T) {
		g := guardFor(asking{speaking("Token", nil)})
		do(g.Require()(whoami), from("10.0.0.1:5", "X-Forwarded-For", "203.0.113.1"))
		do(g.Require()(whoami), from("192.0.2.7:5"))
		g = guardFor(speaking("Token", nil))
		do(g.Require()(whoami), from("192.0.2.7:5", "X-Forwarded-For", "203.0.113.1"))
		if warnings() != 0 {
			t.Errorf("log: %s", log.String())
		}
	})
	t.Run("is said once by many requests at once", func(t *testing.T) {
		g := guardFor(speaking("Token", nil))
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() { g.WithProxies(from("192.0.2.7:5", "X-Forwarded-For", "203.0.113.1")) })
		}
		all.Wait()
		if warnings() != 1 {
			t.Errorf("log: %s", log.String())
		}
	})
}
