package auth_test

import (
	"crypto/tls"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/gatewarden/auth"
)

func TestUnitOriginByHTTP(t *testing.T) {
	trusting := http.NewCrossOriginProtection()
	if err := trusting.AddTrustedOrigin("http://app.example"); err != nil {
		t.Fatal(err)
	}
	strict := newGuard(t, auth.Config{Backends: []auth.Authenticator{speaking("Token", nil)}, Proxies: behindProxy})
	loose := newGuard(t, auth.Config{Backends: []auth.Authenticator{speaking("Token", nil)}, Proxies: behindProxy,
		CrossOrigin: trusting})
	overTLS := &tls.ConnectionState{}
	const proxy, stranger = "10.0.0.1:5", "203.0.113.1:5"
	for sentence, row := range map[string]struct {
		guard   *auth.Guard
		tls     *tls.ConnectionState
		peer    string
		header  []string
		refused bool
	}{
		"a page by http of the same host is another origin than a service by https": {strict, overTLS, stranger,
			[]string{"Origin", "http://app.example"}, true},
		"in any case of the scheme": {strict, overTLS, stranger, []string{"Origin", "HTTP://app.example"}, true},
		"also where a trusted proxy says https": {strict, nil, proxy,
			[]string{"Origin", "http://app.example", "X-Forwarded-Proto", "https"}, true},
		"also for a WebSocket": {strict, nil, proxy,
			[]string{"Origin", "http://app.example", "X-Forwarded-Proto", "wss", "Upgrade", "websocket"}, true},
		"a page by https is the same origin": {strict, overTLS, stranger,
			[]string{"Origin", "https://app.example"}, false},
		"a service by http has pages by http": {strict, nil, stranger, []string{"Origin", "http://app.example"}, false},
		"a proxy that is not named may have ended TLS": {strict, nil, stranger,
			[]string{"Origin", "https://app.example"}, false},
		"what a stranger says of the scheme does not count": {strict, nil, stranger,
			[]string{"Origin", "http://app.example", "X-Forwarded-Proto", "https"}, false},
		"what the browser says itself decides": {strict, overTLS, stranger,
			[]string{"Origin", "http://app.example", "Sec-Fetch-Site", "same-origin"}, false},
		"a program without an Origin is no browser": {strict, overTLS, stranger, nil, false},
		"an origin by http that is trusted is allowed": {loose, overTLS, stranger,
			[]string{"Origin", "http://app.example"}, false},
		"and no other one by http": {loose, overTLS, stranger, []string{"Origin", "http://other.example"}, true},
	} {
		t.Run(sentence, func(t *testing.T) {
			r := request("POST", "/", row.header...)
			r.Host, r.TLS, r.RemoteAddr = "app.example", row.tls, row.peer
			if err := row.guard.CheckOrigin(r); errors.Is(err, auth.ErrCrossOrigin) != row.refused {
				t.Errorf("got %v, want a refusal: %v", err, row.refused)
			}
			if got := len(r.Header["Sec-Fetch-Site"]); got != strings.Count(strings.Join(row.header, " "),
				"Sec-Fetch") {
				t.Error("the request was changed")
			}
		})
	}
	t.Run("the log says that the page came by http, and names the setting", func(t *testing.T) {
		r := request("POST", "/", "Origin", "http://app.example")
		r.Host, r.TLS = "app.example", overTLS
		var stated *auth.Error
		if !errors.As(strict.CheckOrigin(r), &stated) {
			t.Fatal("got no error, want a refusal")
		}
		for _, want := range []string{"page by http", `"http://app.example"`, "spoke https", "AddTrustedOrigin"} {
			if !strings.Contains(stated.Cause.Error(), want) {
				t.Errorf("got %q, want %q in it", stated.Cause, want)
			}
		}
	})
}
