package header_test

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/header"
)

func TestTrust(t *testing.T) {
	bySecret := header.Trust{SecretHeader: "X-Proxy-Secret", Secret: secret}
	byBoth := header.Trust{Proxies: proxy.Proxies, SecretHeader: "X-Proxy-Secret", Secret: secret}
	byCertificate := header.Trust{ClientCertificate: func(*x509.Certificate) bool { return true }}
	mapped := header.Trust{Proxies: []netip.Prefix{netip.MustParsePrefix("::ffff:10.0.0.0/120")}}
	leaf := &x509.Certificate{}
	tests := []struct {
		sentence string
		trust    header.Trust
		peer     string
		tls      *tls.ConnectionState
		headers  []string
		trusted  bool
	}{
		{"the right secret is trust", bySecret, outside, nil, []string{"X-Proxy-Secret", secret}, true},
		{"no secret is none", bySecret, outside, nil, nil, false},
		{"an empty secret is none", bySecret, outside, nil, []string{"X-Proxy-Secret", ""}, false},
		{"a wrong secret of the same length is none", bySecret, outside, nil,
			[]string{"X-Proxy-Secret", "0123456789abcdeF"}, false},
		{"the start of the secret is none", bySecret, outside, nil, []string{"X-Proxy-Secret", secret[:15]}, false},
		{"the secret and more is none", bySecret, outside, nil, []string{"X-Proxy-Secret", secret + "0"}, false},
		{"a huge secret is none", bySecret, outside, nil, []string{"X-Proxy-Secret", strings.Repeat(secret, 1<<16)},
			false},
		{"the right secret twice is none", bySecret, outside, nil, []string{"X-Proxy-Secret", secret, "X-Proxy-Secret",
			secret}, false},
		{"the right secret after a wrong one is none", bySecret, outside, nil,
			[]string{"X-Proxy-Secret", "no", "X-Proxy-Secret", secret}, false},
		{"the secret in the underscore twin is none", bySecret, outside, nil,
			[]string{"X_proxy_secret", secret, "X_Proxy_Secret", secret}, false},
		{"of two rules both hold", byBoth, inside, nil, []string{"X-Proxy-Secret", secret}, true},
		{"of two rules the secret fails", byBoth, inside, nil, nil, false},
		{"of two rules the address fails", byBoth, outside, nil, []string{"X-Proxy-Secret", secret}, false},
		{"a network written as IPv4 in IPv6 is the IPv4 network", mapped, inside, nil, nil, true},
		{"and no other", mapped, outside, nil, nil, false},
		{"a certificate rule without TLS is none", byCertificate, inside, nil, nil, false},
		{"a certificate rule without a certificate is none", byCertificate, inside, &tls.ConnectionState{}, nil, false},
		{"a certificate that nobody verified is none", byCertificate, inside,
			&tls.ConnectionState{PeerCertificates: []*x509.Certificate{leaf}}, nil, false},
		{"a verified certificate is trust", byCertificate, outside,
			&tls.ConnectionState{PeerCertificates: []*x509.Certificate{leaf}, VerifiedChains: [][]*x509.Certificate{
				{leaf}}}, nil, true},
	}
	for _, tt := range tests {
		t.Run(tt.sentence, func(t *testing.T) {
			h := newHeader(t, newPeople("alice"), tt.trust)
			r := request(tt.peer, append(tt.headers, "X-Username", "alice")...)
			r.TLS = tt.tls
			_, _, err := h.Authenticate(r)
			if tt.trusted && err != nil || !tt.trusted && auth.KindOf(err) != auth.ErrNoCredentials {
				t.Errorf("error %v, want trusted: %v", err, tt.trusted)
			}
		})
	}
}

func TestTrustDoesNotShowItsSecret(t *testing.T) {
	trust := header.Trust{SecretHeader: "X-Proxy-Secret", Secret: secret}
	if text := fmt.Sprintf("%v %+v %#v", trust, trust, trust); strings.Contains(text, secret) {
		t.Errorf("got %s, want nothing of the secret", text)
	}
}

func TestClientCertificateOverTLS(t *testing.T) {
	authority := newAuthority(t, "authority")
	gateway := authority.issue(t, "gateway")
	laptop := authority.issue(t, "laptop")
	forged := newAuthority(t, "authority").issue(t, "gateway")

	guard := newGuard(t, newHeader(t, newPeople("alice"), header.Trust{
		ClientCertificate: func(leaf *x509.Certificate) bool { return leaf.Subject.CommonName == "gateway" },
	}))
	server := httptest.NewUnstartedServer(guard.Require()(http.HandlerFunc(func(w http.ResponseWriter,
		r *http.Request) {
		u, _ := auth.UserFrom[*user](r.Context())
		_, _ = io.WriteString(w, u.UserID()+r.Header.Get("X-Username"))
	})))
	pool := x509.NewCertPool()
	pool.AddCert(authority.certificate)
	server.TLS = &tls.Config{ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: pool}
	server.StartTLS()
	defer server.Close()
	// RequestClientCert lets a forged certificate come through, as a server
	// configured without care would.
	careless := httptest.NewUnstartedServer(server.Config.Handler)
	careless.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	careless.StartTLS()
	defer careless.Close()

	tests := []struct {
		sentence     string
		server       *httptest.Server
		certificates []tls.Certificate
		status       int
		body         string
	}{
		{"the gateway's certificate is trusted", server, []tls.Certificate{gateway}, 200, "alice"},
		{"another one's is not", server, []tls.Certificate{laptop}, 401, ""},
		{"none is not", server, nil, 401, ""},
		{"one that the server did not verify is not", careless, []tls.Certificate{forged}, 401, ""},
	}
	for _, tt := range tests {
		t.Run(tt.sentence, func(t *testing.T) {
			roots := x509.NewCertPool()
			roots.AddCert(tt.server.Certificate())
			transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: tt.certificates}}
			defer transport.CloseIdleConnections()
			r, err := http.NewRequest(http.MethodGet, tt.server.URL, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("X-Username", "alice")
			response, err := (&http.Client{Transport: transport}).Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = response.Body.Close() }()
			body, err := io.ReadAll(response.Body)
			if err != nil {
				t.Fatal(err)
			}
			if response.StatusCode != tt.status || tt.body != "" && string(body) != tt.body {
				t.Errorf("got %d %s, want %d %s", response.StatusCode, body, tt.status, tt.body)
			}
		})
	}
}
