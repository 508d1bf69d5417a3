package interop

import (
	"crypto/x509"
	"encoding/json"
	"net"
	"testing"
)

// secureDemo is examples/demo behind TLS, as clients of strangers insist on, with clients of the test.
type secureDemo struct {
	url         string
	authority   *x509.Certificate
	roots       string   // the file of the authority
	environment []string // with which other programs trust it
}

func newSecureDemo(t *testing.T, clients ...map[string]any) *secureDemo {
	t.Helper()
	demoBuilt = true
	binary, err := buildDemo()
	if err != nil {
		t.Fatal(err)
	}
	authority := issue(t, nil, func(c *x509.Certificate) {
		c.IsCA, c.KeyUsage = true, x509.KeyUsageCertSign
	})
	own := issue(t, &authority, func(c *x509.Certificate) {
		c.IPAddresses, c.KeyUsage = []net.IP{net.IPv4(127, 0, 0, 1)}, x509.KeyUsageDigitalSignature
		c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	})
	if clients == nil {
		clients = []map[string]any{}
	}
	text, err := json.Marshal(clients)
	if err != nil {
		t.Fatal(err)
	}
	certificate, roots := inPEM(t, own, true), inPEM(t, authority, false)
	return &secureDemo{
		url: serve(t, "", binary, "-addr", "127.0.0.1:0", "-db", "memory:", "-clients",
			write(t, "clients.json", string(text)),
			"-tls-cert", certificate, "-tls-key", certificate),
		authority: authority.Leaf, roots: roots,
		environment: []string{
			"NODE_EXTRA_CA_CERTS=" + roots, "REQUESTS_CA_BUNDLE=" + roots, "SSL_CERT_FILE=" + roots,
			"NO_PROXY=127.0.0.1", "no_proxy=127.0.0.1",
		},
	}
}

// serve starts a program that trusts the demo's certificate, and returns its URL. Its first argument is the issuer.
func (d *secureDemo) serve(t *testing.T, program, script string, args ...string) string {
	t.Helper()
	return serveWith(t, d.environment, "", program, append([]string{script, d.url}, args...)...)
}
