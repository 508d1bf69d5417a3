package header_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/header"
)

// What the tests of this package share.

const secret = "0123456789abcdef"

var proxy = header.Trust{Proxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24")}}

type user struct{ id, stamp string }

func (u *user) UserID() string    { return u.id }
func (u *user) AuthStamp() string { return u.stamp }

// plainUser has no stamp.
type plainUser string

func (u plainUser) UserID() string { return string(u) }

// people is a directory of users that can be changed while it is in use.
type people struct {
	mu     sync.Mutex
	byID   map[string]*user
	failed map[string]error // what Load says instead
	down   error
}

func newPeople(ids ...string) *people {
	p := &people{byID: map[string]*user{}, failed: map[string]error{}}
	for _, id := range ids {
		p.byID[id] = &user{id, "stamp 1"}
	}
	return p
}

func (p *people) Load(_ context.Context, id string) (auth.User, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.down != nil {
		return nil, p.down
	}
	if err := p.failed[id]; err != nil {
		return nil, err
	}
	if u, ok := p.byID[id]; ok {
		return u, nil
	}
	return nil, auth.ErrUserNotFound
}

func (p *people) set(change func(*people)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(p)
}

// everybody is a weaker backend: it proves any request, by something that no
// browser adds.
var everybody weaker

type weaker struct{}

func (weaker) Ambient() bool { return false }
func (weaker) Authenticate(*http.Request) (auth.User, auth.Credential, error) {
	return plainUser("anybody"), nil, nil
}

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func newGuard(t testing.TB, backends ...auth.Authenticator) *auth.Guard {
	t.Helper()
	return must[*auth.Guard](t)(auth.New(auth.Config{
		Backends:   backends,
		Challenges: []auth.Challenge{{Scheme: "Token"}},
		Logger:     slog.New(slog.DiscardHandler),
	}))
}

// answer is what a client and, if it was let through, a handler saw.
type answer struct {
	status     int
	detail     string
	code       string
	challenges []string
	header     http.Header
	reached    bool
	userID     string
	credential auth.Credential
	seen       http.Header // the request's headers in the handler
}

// ask sends r through middleware.
func ask(t testing.TB, middleware func(http.Handler) http.Handler, r *http.Request) answer {
	t.Helper()
	var a answer
	w := httptest.NewRecorder()
	middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		a.reached, a.seen = true, r.Header
		if u, ok := auth.UserFrom[auth.User](r.Context()); ok {
			a.userID = u.UserID()
		}
		a.credential, _ = auth.CredentialFrom[auth.Credential](r.Context())
	})).ServeHTTP(w, r)
	a.status, a.header, a.challenges = w.Code, w.Header(), w.Header()["Www-Authenticate"]
	if !a.reached && w.Body.Len() > 0 {
		var body struct{ Detail, Code string }
		if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
			t.Fatalf("body %q: %v", w.Body, err)
		}
		a.detail, a.code = body.Detail, body.Code
	}
	return a
}

// request has a peer, outside of the trusted network unless it is told.
func request(peer string, headers ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.RemoteAddr = peer
	for i := 0; i < len(headers); i += 2 {
		r.Header[headers[i]] = append(r.Header[headers[i]], headers[i+1])
	}
	return r
}

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
