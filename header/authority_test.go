package header_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"
)

// authority issues certificates for the tests.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// newAuthority returns a root.
func newAuthority(t testing.TB, name string) *authority { return (*authority)(nil).sub(t, name) }

// sub returns an authority below a, or a root if a is nil.
func (a *authority) sub(t testing.TB, name string, changes ...func(*x509.Certificate)) *authority {
	t.Helper()
	changes = append([]func(*x509.Certificate){func(c *x509.Certificate) {
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage, c.ExtKeyUsage = true, true, x509.KeyUsageCertSign, nil
	}}, changes...)
	issued := a.issue(t, name, changes...)
	return &authority{issued.Leaf, issued.PrivateKey.(*ecdsa.PrivateKey)}
}

// issue returns a certificate for clients, unless changes make it another.
func (a *authority) issue(t testing.TB, name string, changes ...func(*x509.Certificate)) tls.Certificate {
	t.Helper()
	key := must[*ecdsa.PrivateKey](t)(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	template := &x509.Certificate{
		SerialNumber: must[*big.Int](t)(rand.Int(rand.Reader, big.NewInt(1<<62))),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	for _, change := range changes {
		change(template)
	}
	parent, signer := template, key
	if a != nil {
		parent, signer = a.certificate, a.key
	}
	der := must[[]byte](t)(x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer))
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key,
		Leaf: must[*x509.Certificate](t)(x509.ParseCertificate(der))}
}

// with returns c with the chain of authorities that a client sends besides.
func with(c tls.Certificate, authorities ...*authority) tls.Certificate {
	for _, a := range authorities {
		c.Certificate = append(c.Certificate[:len(c.Certificate):len(c.Certificate)], a.certificate.Raw)
	}
	return c
}

func email(addresses ...string) func(*x509.Certificate) {
	return func(c *x509.Certificate) { c.EmailAddresses = addresses }
}

func uri(t testing.TB, uris ...string) func(*x509.Certificate) {
	return func(c *x509.Certificate) {
		for _, each := range uris {
			c.URIs = append(c.URIs, must[*url.URL](t)(url.Parse(each)))
		}
	}
}

func valid(from, to time.Duration) func(*x509.Certificate) {
	return func(c *x509.Certificate) { c.NotBefore, c.NotAfter = time.Now().Add(from), time.Now().Add(to) }
}

// serve starts a TLS server that verifies the certificates it is given, by
// these authorities.
func serve(t testing.TB, handler http.Handler, authorities ...*authority) *httptest.Server {
	t.Helper()
	pool := x509.NewCertPool()
	for _, a := range authorities {
		pool.AddCert(a.certificate)
	}
	server := httptest.NewUnstartedServer(handler)
	server.TLS = &tls.Config{ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: pool}
	server.StartTLS()
	return server
}

// client returns a client of server that has these certificates.
func client(server *httptest.Server, certificates ...tls.Certificate) *http.Client {
	roots := x509.NewCertPool()
	if c := server.Certificate(); c != nil {
		roots.AddCert(c)
	}
	config := &tls.Config{RootCAs: roots}
	if len(certificates) > 0 {
		// Whatever the server asks for: a browser chooses, a test insists.
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return &certificates[0], nil
		}
	}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}}
}

// inExample is a testing.TB for examples, which do not get one.
type inExample struct{ testing.TB }

func (inExample) Helper()           {}
func (inExample) Fatal(args ...any) { panic(fmt.Sprint(args...)) }
