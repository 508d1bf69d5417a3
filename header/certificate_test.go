package header_test

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/header"
)

func newCertificate(t testing.TB, config header.CertificateConfig) *header.Certificate {
	t.Helper()
	return must[*header.Certificate](t)(header.NewCertificate(config))
}

// byEmail believes these authorities about the addresses of people.
func byEmail(p *people, issuers ...*authority) header.CertificateConfig {
	config := header.CertificateConfig{Identity: header.EmailIdentity, LoadUser: p.Load}
	for _, issuer := range issuers {
		config.Issuers = append(config.Issuers, issuer.certificate)
	}
	return config
}

// told is what a server answers: the user that was let in, or why not.
type told struct {
	User, Thumbprint, Detail string
	status                   int
}

func tell(w http.ResponseWriter, r *http.Request) {
	var answer told
	if u, ok := auth.UserFrom[auth.User](r.Context()); ok {
		answer.User = u.UserID()
	}
	if c, ok := auth.CredentialFrom[*header.CertificateCredential](r.Context()); ok {
		answer.Thumbprint = c.Thumbprint()
	}
	_ = json.NewEncoder(w).Encode(answer)
}

// get asks server with a certificate, if there is any.
func get(t testing.TB, server *httptest.Server, certificates ...tls.Certificate) told {
	t.Helper()
	response, err := client(server, certificates...).Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	var answer told
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	answer.status = response.StatusCode
	return answer
}

func TestCertificateOverTLS(t *testing.T) {
	const (
		absent = "Authentication credentials were not provided."
		nobody = "Client certificate names nobody."
	)
	root, stranger := newAuthority(t, "root"), newAuthority(t, "stranger")
	people, services := root.sub(t, "people"), root.sub(t, "services")
	forged := newAuthority(t, "people") // of the same name
	directory := newPeople("alice@corp.example")
	directory.failed["carol@corp.example"] = auth.ErrUserInactive
	directory.failed["dave@corp.example"] = errors.New("connection refused to db.internal")
	guard := newGuard(t, newCertificate(t, byEmail(directory, people)))
	server := serve(t, guard.Require()(http.HandlerFunc(tell)), root, stranger)
	defer server.Close()
	// RequireAnyClientCert lets every certificate come through unverified.
	careless := httptest.NewUnstartedServer(server.Config.Handler)
	careless.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
	careless.StartTLS()
	defer careless.Close()
	plain := httptest.NewServer(server.Config.Handler)
	defer plain.Close()

	alice := with(people.issue(t, "alice", email("alice@corp.example")), people)
	tests := []struct {
		sentence     string
		certificates []tls.Certificate
		status       int
		user, detail string
	}{
		{"a certificate of the issuer is its user", []tls.Certificate{alice}, 200, "alice@corp.example", ""},
		{"none is no credential", nil, 401, "", absent},
		{"one of another authority of the server is no credential",
			[]tls.Certificate{stranger.issue(t, "alice", email("alice@corp.example"))}, 401, "", absent},
		{"one of another authority under the same root is no credential",
			[]tls.Certificate{with(services.issue(t, "alice", email("alice@corp.example")), services)}, 401,
			"", absent},
		{"one of the root itself is no credential",
			[]tls.Certificate{root.issue(t, "alice", email("alice@corp.example"))}, 401, "", absent},
		{"an authority below the issuer is believed",
			[]tls.Certificate{with2(t, people, "alice@corp.example")}, 200, "alice@corp.example", ""},
		{"the issuer's own certificate is nobody's",
			[]tls.Certificate{{Certificate: [][]byte{people.certificate.Raw}, PrivateKey: people.key}}, 401,
			"", absent},
		{"an unknown user is refused",
			[]tls.Certificate{with(people.issue(t, "mallory", email("mallory@corp.example")), people)}, 401, "",
			"No such user"},
		{"an inactive user is refused",
			[]tls.Certificate{with(people.issue(t, "carol", email("carol@corp.example")), people)}, 401, "",
			"User inactive or deleted."},
		{"an outage is 503",
			[]tls.Certificate{with(people.issue(t, "dave", email("dave@corp.example")), people)}, 503, "",
			"Authentication is temporarily unavailable."},
		{"no identity is refused",
			[]tls.Certificate{with(people.issue(t, "alice"), people)}, 401, "", nobody},
		{"two identities are refused",
			[]tls.Certificate{with(people.issue(t, "alice", email("alice@corp.example", "bob@corp.example")), people)},
			401, "", nobody},
		{"a control character in the identity is refused",
			[]tls.Certificate{with(people.issue(t, "alice", email("alice@corp.example\x00")), people)}, 401,
			"", nobody},
		{"an identity of over 2048 bytes is refused",
			[]tls.Certificate{with(people.issue(t, "alice", email(strings.Repeat("a", 2048)+"@corp.example")), people)},
			401, "", nobody},
	}
	for _, tt := range tests {
		t.Run(tt.sentence, func(t *testing.T) {
			got := get(t, server, tt.certificates...)
			if got.status != tt.status || got.User != tt.user || got.Detail != tt.detail {
				t.Errorf("%d %q, user %q; want %d %q, %q", got.status, got.Detail, got.User, tt.status,
					tt.detail, tt.user)
			}
			if tt.status == 200 {
				sum := sha256.Sum256(tt.certificates[0].Certificate[0])
				if want := base64.RawURLEncoding.EncodeToString(sum[:]); got.Thumbprint != want {
					t.Errorf("thumbprint %q, want %q", got.Thumbprint, want)
				}
			}
		})
	}
	t.Run("one that the server did not verify is no credential", func(t *testing.T) {
		for _, c := range []tls.Certificate{
			alice, with(forged.issue(t, "alice", email("alice@corp.example")), forged)} {
			if got := get(t, careless, c); got.status != 401 || got.Detail != absent {
				t.Errorf("got %d %q, want 401 %q", got.status, got.Detail, absent)
			}
		}
	})
	t.Run("without TLS there is none", func(t *testing.T) {
		if got := get(t, plain, alice); got.status != 401 || got.Detail != absent {
			t.Errorf("got %d %q, want 401 %q", got.status, got.Detail, absent)
		}
	})
	t.Run("a header is not read", func(t *testing.T) {
		r, err := http.NewRequest(http.MethodGet, server.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Client-Cert", sequence(alice))
		response, err := client(server).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != 401 {
			t.Errorf("got status %d, want 401", response.StatusCode)
		}
	})
	t.Run("a forged one fails in the handshake", func(t *testing.T) {
		response, err := client(server, with(forged.issue(t, "alice", email("alice@corp.example")), forged)).Get(
			server.URL)
		if err == nil {
			_ = response.Body.Close()
			t.Errorf("got status %d, want no answer: the handshake must fail", response.StatusCode)
		}
	})
}

// with2 is a certificate of an authority below issuer.
func with2(t testing.TB, issuer *authority, address string) tls.Certificate {
	below := issuer.sub(t, "below")
	return with(below.issue(t, "anybody", email(address)), below, issuer)
}

// An unknown certificate, as a browser or a mesh adds it, does not keep others
// out; one of the issuer that is bad does.
func TestWhichCertificatesLeaveARequestToOthers(t *testing.T) {
	issuer, stranger := newAuthority(t, "issuer"), newAuthority(t, "stranger")
	backend := newCertificate(t, byEmail(newPeople("alice@corp.example"), issuer))
	for _, tt := range []struct {
		sentence    string
		certificate tls.Certificate
		user        string
		status      int
	}{
		{"a stranger's is absent", stranger.issue(t, "alice", email("alice@corp.example")), "anybody", 200},
		{"an unknown user's is refused", issuer.issue(t, "mallory", email("mallory@corp.example")), "", 401},
		{"a nameless one is refused", issuer.issue(t, "alice"), "", 401},
	} {
		t.Run(tt.sentence, func(t *testing.T) {
			server := serve(t, newGuard(t, backend, everybody).Optional()(http.HandlerFunc(tell)), issuer, stranger)
			defer server.Close()
			if got := get(t, server, tt.certificate); got.status != tt.status || got.User != tt.user {
				t.Errorf("%d %q, user %q", got.status, got.Detail, got.User)
			}
		})
	}
}

// Connections outlive certificates: the state of TLS stays as it was.
func TestCertificateIsJudgedAtTheTimeOfTheRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		root := newAuthority(t, "root")
		long := func(c *x509.Certificate) { c.NotAfter = time.Now().Add(24 * time.Hour) }
		issuer := root.sub(t, "issuer", long)
		short := issuer.sub(t, "short", valid(0, 10*time.Hour))
		leaf := issuer.issue(t, "alice", email("alice@corp.example"), valid(time.Hour, 2*time.Hour)).Leaf
		below := short.issue(t, "alice", email("alice@corp.example"), long).Leaf
		late := issuer.issue(t, "alice", email("alice@corp.example"), valid(0, 48*time.Hour)).Leaf
		start := time.Now()
		// The root ends after an hour, but the issuer is the anchor.
		chain := []*x509.Certificate{leaf, issuer.certificate, root.certificate}
		through := []*x509.Certificate{below, short.certificate, issuer.certificate, root.certificate}
		other := []*x509.Certificate{leaf, newAuthority(t, "other").certificate}

		tests := []struct {
			sentence string
			at       time.Duration
			chains   [][]*x509.Certificate
			kind     error
		}{
			{"not yet valid is refused", time.Hour - 1, [][]*x509.Certificate{chain}, auth.ErrInvalid},
			{"valid from its first instant", time.Hour, [][]*x509.Certificate{chain}, nil},
			{"to its last", 2 * time.Hour, [][]*x509.Certificate{chain}, nil},
			{"expired is refused", 2*time.Hour + 1, [][]*x509.Certificate{chain}, auth.ErrInvalid},
			{"a stranger's that expired is still absent", 2*time.Hour + 1, [][]*x509.Certificate{other},
				auth.ErrNoCredentials},
			{"one chain that is valid is enough", 3 * time.Hour, [][]*x509.Certificate{chain, other, through}, nil},
			{"an authority between that expired is refused", 10*time.Hour + 1, [][]*x509.Certificate{through},
				auth.ErrInvalid},
			{"an issuer to its last instant", 24 * time.Hour, [][]*x509.Certificate{{late, issuer.certificate}}, nil},
			{"an issuer that expired is refused", 24*time.Hour + 1, [][]*x509.Certificate{{late, issuer.certificate}},
				auth.ErrInvalid},
		}
		backend := newCertificate(t, byEmail(newPeople("alice@corp.example"), issuer))
		for _, tt := range tests {
			time.Sleep(time.Until(start.Add(tt.at)))
			r := request(outside)
			r.TLS = &tls.ConnectionState{VerifiedChains: tt.chains}
			_, _, err := backend.Authenticate(r)
			if auth.KindOf(err) != tt.kind {
				t.Errorf("%s: got %v, want the kind %v", tt.sentence, err, tt.kind)
			}
		}
	})
}

func TestCertificateFromAnotherOriginIsRefused(t *testing.T) {
	issuer := newAuthority(t, "issuer")
	alice := issuer.issue(t, "alice", email("alice@corp.example"))
	server := serve(t, newGuard(t, newCertificate(t, byEmail(newPeople("alice@corp.example"), issuer))).Optional()(
		http.HandlerFunc(tell)), issuer)
	defer server.Close()
	for site, status := range map[string]int{"cross-site": 403, "same-origin": 200, "": 200} {
		r, err := http.NewRequest(http.MethodPost, server.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		if site != "" {
			r.Header.Set("Sec-Fetch-Site", site)
		}
		response, err := client(server, alice).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != status {
			t.Errorf("%q: %d, want %d", site, response.StatusCode, status)
		}
	}
}

func TestCertificateOfAMachine(t *testing.T) {
	issuer := newAuthority(t, "issuer")
	tests := []struct {
		sentence, id string
		err          error
		status       int
	}{
		{"a machine is let in where machines are", "billing", nil, 200},
		{"an unknown one is refused", "billing", auth.ErrUserNotFound, 401},
		{"an inactive one is refused", "billing", auth.ErrUserInactive, 401},
		{"an outage is 503", "billing", errors.New("connection refused"), 503},
		{"a loader cannot make it anonymous", "billing", auth.ErrNoCredentials, 503},
		{"nor pass it on", "billing", auth.ErrUnrecognized, 503},
		{"a machine without a name is a fault", "", nil, 503},
	}
	for _, tt := range tests {
		t.Run(tt.sentence, func(t *testing.T) {
			backend := newCertificate(t, header.CertificateConfig{
				Issuers:  []*x509.Certificate{issuer.certificate},
				Identity: header.URIIdentity,
				LoadMachine: func(_ context.Context, id string) (auth.Machine, error) {
					if id != "spiffe://corp.example/billing" {
						t.Errorf("asked for %q", id)
					}
					return auth.Machine{ID: tt.id}, tt.err
				},
			})
			guard := newGuard(t, backend, everybody)
			r := request(outside)
			r.TLS = &tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{
				{issuer.issue(t, "billing", uri(t, "spiffe://corp.example/billing")).Leaf, issuer.certificate}}}
			a := ask(t, guard.Optional(auth.AllowMachines), r)
			if a.status != tt.status || a.status == 200 && a.userID != "client:billing" {
				t.Errorf("%d %q, user %q", a.status, a.detail, a.userID)
			}
			if c, ok := a.credential.(*header.CertificateCredential); a.status == 200 && (!ok || c.Primary()) {
				t.Errorf("credential %v: a machine's certificate makes no tokens", a.credential)
			}
			if a := ask(t, guard.Require(), r); tt.status == 200 && a.status != 403 {
				t.Errorf("where machines are not: %d", a.status)
			}
		})
	}
}

func TestCertificateCredential(t *testing.T) {
	issuer := newAuthority(t, "issuer")
	config := byEmail(newPeople("alice@corp.example"), issuer)
	config.Name = "smartcard"
	backend := newCertificate(t, config)
	leaf := issuer.issue(t, "alice", email("alice@corp.example")).Leaf
	r := request(outside)
	r.TLS = &tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{leaf, issuer.certificate}}}
	guard := newGuard(t, backend)
	a := ask(t, guard.Require(), r)
	c, ok := a.credential.(*header.CertificateCredential)
	if !ok {
		t.Fatalf("%d, credential %T", a.status, a.credential)
	}
	info := c.AuthInfo()
	if c.Backend() != "smartcard" || backend.Backend() != "smartcard" || !c.Primary() || !c.Ambient() ||
		!backend.Ambient() || c.Leaf() != leaf ||
		!c.ExpiresAt().Equal(leaf.NotAfter) || len(info.AMR) != 1 || info.AMR[0] != "pop" || !info.AuthTime.IsZero() {
		t.Errorf("got %+v, %+v, want the end of the certificate and pop", c, info)
	}
	if a.header["Vary"] != nil || backend.StripHeaders() != nil {
		t.Errorf("Vary %q, stripped %q: no header is read", a.header["Vary"], backend.StripHeaders())
	}
	if a := ask(t, guard.Require(auth.Fresh(time.Hour)), r); a.status != 401 {
		t.Errorf("Fresh: %d; nobody knows when the key was unlocked", a.status)
	}
}

func TestIdentities(t *testing.T) {
	issuer := newAuthority(t, "issuer")
	dns := func(names ...string) func(*x509.Certificate) {
		return func(c *x509.Certificate) { c.DNSNames = names }
	}
	all := func(c *x509.Certificate) {
		email("a@corp.example")(c)
		uri(t, "spiffe://corp.example/a")(c)
		dns("A.corp.example")(c)
	}
	type identity = func(*x509.Certificate) (string, error)
	tests := []struct {
		sentence string
		identity identity
		change   func(*x509.Certificate)
		id       string // "" is an error
	}{
		{"the only address", header.EmailIdentity, all, "a@corp.example"},
		{"the only URI", header.URIIdentity, all, "spiffe://corp.example/a"},
		{"the only host, in lower case", header.DNSIdentity, all, "a.corp.example"},
		{"an address as it is written", header.EmailIdentity, email("A.B@Corp.Example"), "A.B@Corp.Example"},
		{"no address", header.EmailIdentity, dns("a.corp.example"), ""},
		{"no URI", header.URIIdentity, email("a@corp.example"), ""},
		{"no host", header.DNSIdentity, email("a@corp.example"), ""},
		{"two addresses", header.EmailIdentity, email("a@corp.example", "a@corp.example"), ""},
		{"two URIs", header.URIIdentity, uri(t, "spiffe://corp.example/a", "spiffe://corp.example/b"), ""},
		{"two hosts", header.DNSIdentity, dns("a.corp.example", "b.corp.example"), ""},
		{"all hosts of a domain", header.DNSIdentity, dns("*.corp.example"), ""},
		{"a common name is no name", header.EmailIdentity, func(c *x509.Certificate) {
			c.Subject.CommonName = "a@corp.example"
		}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.sentence, func(t *testing.T) {
			id, err := tt.identity(issuer.issue(t, "a", tt.change).Leaf)
			if id != tt.id || (err != nil) != (tt.id == "") {
				t.Errorf("%q, %v; want %q", id, err, tt.id)
			}
		})
	}
}

func TestNewCertificateRefuses(t *testing.T) {
	issuer := newAuthority(t, "issuer")
	leaf := issuer.issue(t, "alice").Leaf
	machine := func(context.Context, string) (auth.Machine, error) { return auth.Machine{ID: "a"}, nil }
	for sentence, change := range map[string]func(*header.CertificateConfig){
		"no issuers":             func(c *header.CertificateConfig) { c.Issuers = nil },
		"an empty list of them":  func(c *header.CertificateConfig) { c.Issuers = []*x509.Certificate{} },
		"a nil issuer":           func(c *header.CertificateConfig) { c.Issuers = append(c.Issuers, nil) },
		"an issuer that is none": func(c *header.CertificateConfig) { c.Issuers = append(c.Issuers, leaf) },
		"no identity":            func(c *header.CertificateConfig) { c.Identity = nil },
		"no loader":              func(c *header.CertificateConfig) { c.LoadUser = nil },
		"two loaders":            func(c *header.CertificateConfig) { c.LoadMachine = machine },
		"forwarding without trust": func(c *header.CertificateConfig) {
			c.Forwarded = &header.Forwarded{}
		},
		"forwarding in a header of others": func(c *header.CertificateConfig) {
			c.Forwarded = &header.Forwarded{Trust: proxy, Encoding: header.FormatNginx, Header: "Authorization"}
		},
		"forwarding in no header": func(c *header.CertificateConfig) {
			c.Forwarded = &header.Forwarded{Trust: proxy, Encoding: header.FormatNginx, Header: "X Client"}
		},
		"the secret in the certificate": func(c *header.CertificateConfig) {
			c.Forwarded = &header.Forwarded{Trust: header.Trust{SecretHeader: "client-cert", Secret: secret}}
		},
		"the secret in the chain": func(c *header.CertificateConfig) {
			c.Forwarded = &header.Forwarded{Trust: header.Trust{SecretHeader: "Client-Cert-Chain", Secret: secret}}
		},
		"the secret in the escaped certificate": func(c *header.CertificateConfig) {
			c.Forwarded = &header.Forwarded{Encoding: header.FormatNginx, Header: "X-Cert",
				Trust: header.Trust{SecretHeader: "x-cert", Secret: secret}}
		},
	} {
		config := byEmail(newPeople(), issuer)
		change(&config)
		if c, err := header.NewCertificate(config); err == nil || c != nil {
			t.Errorf("%s: accepted", sentence)
		}
	}
}

func ExampleNewCertificate() {
	t := inExample{}
	issuer := newAuthority(t, "People of example") // read from a file in earnest
	users := newPeople("alice@corp.example")
	certificates, err := header.NewCertificate(header.CertificateConfig{
		Issuers:  []*x509.Certificate{issuer.certificate},
		Identity: header.EmailIdentity,
		LoadUser: users.Load,
	})
	if err != nil {
		panic(err)
	}
	guard, err := auth.New(auth.Config{
		Backends:   []auth.Authenticator{certificates},
		Challenges: []auth.Challenge{{Scheme: "Token"}}, // of the token backend one has besides
	})
	if err != nil {
		panic(err)
	}
	hello := guard.Require()(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u, _ := auth.UserFrom[*user](r.Context())
		_, _ = fmt.Fprint(w, "hello, ", u.UserID())
	}))

	pool := x509.NewCertPool()
	pool.AddCert(issuer.certificate)
	server := httptest.NewUnstartedServer(hello)
	server.TLS = &tls.Config{ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: pool}
	server.StartTLS()
	defer server.Close()

	response, err := client(server, issuer.issue(t, "alice", email("alice@corp.example"))).Get(server.URL)
	if err != nil {
		panic(err)
	}
	body, _ := io.ReadAll(response.Body)
	_ = response.Body.Close()
	fmt.Println(response.StatusCode, string(body))
	// Output: 200 hello, alice@corp.example
}
