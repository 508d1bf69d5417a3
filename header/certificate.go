package header

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/internal/redact"
)

// CertificateConfig is the configuration of a [Certificate]. Issuers, Identity
// and one of LoadUser and LoadMachine are required.
type CertificateConfig struct {
	// Issuers are the authorities that certificates are believed of, at least
	// one: roots, or better the intermediate that signs for clients only. A
	// chain that the server verified must have one of them, byte for byte, so
	// list the old and the new one while an authority is renewed. There is no
	// default: tls.Config.ClientCAs is for the whole server, and may be wider.
	Issuers []*x509.Certificate
	// Identity returns the identifier that a certificate stands for:
	// [URIIdentity], [EmailIdentity], [DNSIdentity], or your own function. An
	// error refuses the certificate with ErrInvalid. Refuse revoked serial
	// numbers this way, because revocation lists and OCSP are not asked. The
	// subject's common name is a weak choice: authorities check it less, and it
	// may hold any kind of name. It must be safe for concurrent use.
	Identity func(leaf *x509.Certificate) (id string, err error)
	// LoadUser finds the user by the identifier. The user may have another UserID: see
	// [auth.UserLoader.Find].
	LoadUser auth.UserLoader
	// LoadMachine finds the [auth.Machine] by the identifier, where certificates
	// are for services. It returns [auth.ErrUserNotFound] or
	// [auth.ErrUserInactive] for one that may not enter, and any other error if
	// it cannot tell: 503. It must be safe for concurrent use. Give services and
	// people different Issuers and backends.
	LoadMachine func(ctx context.Context, id string) (auth.Machine, error)

	// Forwarded reads the certificate from a proxy's header, and ignores that of
	// the connection, which is the proxy's. If nil, the certificate of the
	// connection is read.
	Forwarded *Forwarded
	// Name is what credentials return as their backend, "certificate" if empty.
	Name string
}

// Format prints the name of the type only. If a verb does not fit a pointer, as with %s, package fmt prints the fields
// without their methods. That would show the [auth.Secret].
func (CertificateConfig) Format(f fmt.State, _ rune) { redact.WriteType(f, "header.CertificateConfig") }

// Certificate is the backend for client certificates (mutual TLS). It is
// immutable and safe for concurrent use.
//
// Choose it for services and devices that have keys of their own. The server
// must ask for certificates and verify them:
//
//	server.TLSConfig = &tls.Config{ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: pool}
//
// A certificate that no Issuer signed counts as absent, like an unknown cookie:
// browsers and service meshes add certificates by themselves, and a client can do
// nothing about it on this connection. One that an Issuer signed counts: if it
// ended since the handshake, or no user has its identity, the request is refused.
// There is no challenge, because TLS has asked already. See
// [auth.Config].Challenges.
type Certificate struct {
	config  CertificateConfig // without Forwarded
	trust   *trustCheck       // of forwarded certificates, nil without Forwarded
	roots   *x509.CertPool    // the Issuers, for forwarded certificates
	headers []string          // that are read, canonical
	parse   func(value string) ([]*x509.Certificate, error)
	absent  string // a value that stands for no certificate

	invalidDetail string // for a value that is malformed
	repeatedValue error  // the header came more than once
	invalidChain  error
}

var (
	_ auth.Authenticator  = (*Certificate)(nil)
	_ auth.Named          = (*Certificate)(nil)
	_ auth.HeaderStripper = (*Certificate)(nil)
	_ auth.Ambient        = (*Certificate)(nil)
	_ auth.Varier         = (*Certificate)(nil)
)

// NewCertificate returns a Certificate, or an error that tells of each setting
// that is missing, contradictory or dangerous: no Issuers, one that is not an
// authority (RFC 5280 §4.2.1.9), no Identity, not exactly one of LoadUser and
// LoadMachine, or a Forwarded that [New] would refuse.
func NewCertificate(config CertificateConfig) (*Certificate, error) {
	c := &Certificate{config: config, roots: x509.NewCertPool()}
	c.config.Name, c.config.Forwarded = cmp.Or(config.Name, "certificate"), nil
	c.config.Issuers = slices.Clone(config.Issuers)
	s := backend.Settings{Package: "header"}
	s.Refuse(len(config.Issuers) == 0, "CertificateConfig.Issuers is empty, so no certificate could be believed")
	s.Need("CertificateConfig.Identity", config.Identity)
	s.Refuse((config.LoadUser == nil) == (config.LoadMachine == nil),
		"CertificateConfig needs one of LoadUser and LoadMachine")
	for i, issuer := range config.Issuers {
		if issuer == nil || !issuer.BasicConstraintsValid || !issuer.IsCA {
			s.Refuse(true, "CertificateConfig.Issuers[%d] is not a certificate authority", i)
			continue
		}
		c.roots.AddCert(issuer)
	}
	if config.Forwarded != nil {
		c.forward(&s, *config.Forwarded)
	}
	if err := s.Err(); err != nil {
		return nil, err
	}
	return c, nil
}

// forward makes c read forwarded certificates.
func (c *Certificate) forward(s *backend.Settings, forwarded Forwarded) {
	format, headers := forwarded.format(s)
	c.headers, c.parse, c.absent = headers, format.parse, format.absent
	c.trust = newTrustCheck(s, forwarded.Trust, c.headers...)
	c.repeatedValue = repeatedHeader(c.headers[0])
	c.invalidDetail = "Malformed " + c.headers[0] + " header."
	c.invalidChain = invalidHeader(clientCertChain,
		"has more than 8 certificates or 64 KiB, or is no list of certificates (RFC "+
			"9440 §2.3)")
}

// maxIdentity is the longest identifier of a certificate, in bytes: that of a
// SPIFFE ID.
const maxIdentity = 2048

// Authenticate proves a request by the client's certificate. It returns
//
//   - ErrNoCredentials if it is missing, the server did not verify it, no Issuer
//     signed it, or a forwarded one comes from a sender that is not trusted
//   - ErrMalformed if a forwarded one comes more than once, does not parse, or is
//     longer than 16 KiB (without its chain), or its chain than 8 certificates or 64 KiB
//   - ErrInvalid if it, or the chain up to the Issuer, is not valid at this time
//     (connections outlive certificates), or is forwarded and not for clients
//     (RFC 5280 §4.2.1.12)
//   - ErrInvalid if Identity refuses it, or returns more than 2048 bytes or
//     control characters
//   - ErrInvalid, "No such user", if there is no such user
//
// Other errors of LoadUser or LoadMachine are returned as they are.
func (c *Certificate) Authenticate(r *http.Request) (auth.User, auth.Credential, error) {
	var chains [][]*x509.Certificate
	if c.trust != nil {
		var err error
		if chains, err = c.forwarded(r); err != nil {
			return nil, nil, err
		}
	} else if r.TLS != nil {
		chains = r.TLS.VerifiedChains
	}
	leaf, err := c.leaf(chains, time.Now())
	if err != nil {
		return nil, nil, err
	}
	id, err := c.config.Identity(leaf)
	if err == nil && (len(id) > maxIdentity || !isText(id)) {
		err = errors.New("header: identity is too long or has control characters")
	}
	if err != nil {
		return nil, nil, &auth.Error{Kind: auth.ErrInvalid, Detail: "Client certificate names nobody.", Cause: err}
	}
	user, err := c.load(r.Context(), id)
	if err != nil {
		return nil, nil, withIdentifier(id, err)
	}
	return user, &CertificateCredential{c.config.Name, leaf, c.config.LoadMachine != nil}, nil
}

// leaf returns the first certificate of a chain with an Issuer behind it, if
// all up to the Issuer are valid at now. What is behind the Issuer does not
// count: it is the anchor.
func (c *Certificate) leaf(chains [][]*x509.Certificate, now time.Time) (*x509.Certificate, error) {
	err := auth.ErrNoCredentials
	if len(chains) > 0 {
		err = errUnknownIssuer
	}
	for _, chain := range chains {
		for i, certificate := range chain {
			if i == 0 || !slices.ContainsFunc(c.config.Issuers, certificate.Equal) {
				continue
			}
			if !slices.ContainsFunc(chain[:i+1], func(each *x509.Certificate) bool {
				return now.Before(each.NotBefore) || now.After(each.NotAfter)
			}) {
				return chain[0], nil
			}
			err = errOutsideValidity
		}
	}
	return nil, err
}

// errUnknownIssuer is what a certificate of another authority is answered with: it may be for
// another backend.
var errUnknownIssuer error = &auth.Error{Kind: auth.ErrNoCredentials,
	Cause: errors.New("header: no issuer of the client certificate is among CertificateConfig.Issuers")}

var errOutsideValidity error = &auth.Error{Kind: auth.ErrInvalid,
	Detail: "Client certificate has expired or is not yet valid.",
	Cause:  errors.New("header: the certificate, or one of its chain up to the issuer, is not valid at this time")}

func (c *Certificate) load(ctx context.Context, id string) (auth.User, error) {
	if c.config.LoadUser != nil {
		return c.config.LoadUser.Find(ctx, id)
	}
	if id == "" {
		return nil, auth.ErrUserNotFound
	}
	machine, err := c.config.LoadMachine(ctx, id)
	if err != nil {
		if kind := auth.KindOf(err); kind == nil || kind == auth.ErrInvalid {
			return nil, err
		}
		// As text: a certificate that was presented is not absent.
		return nil, errors.New("header: CertificateConfig.LoadMachine: " + fmt.Sprint(err))
	}
	if machine.ID == "" {
		return nil, errors.New("header: CertificateConfig.LoadMachine returned no machine and no error")
	}
	return machine, nil
}

// Backend returns CertificateConfig.Name.
func (c *Certificate) Backend() string { return c.config.Name }

// StripHeaders returns the headers that no handler may see, which are those of
// Forwarded.
func (c *Certificate) StripHeaders() []string {
	if c.trust == nil {
		return nil
	}
	return c.trust.strip(c.headers...)
}

// Vary returns the headers that are read (RFC 9440 §2.4). The certificate of a
// connection is in no header, and no cache stands between it and the server.
func (c *Certificate) Vary() []string { return slices.Clone(c.headers) }

// Ambient returns true: a browser shows its certificate whichever page caused
// the request.
func (c *Certificate) Ambient() bool { return true }

// CertificateCredential is a client certificate. The client proved to have its
// key.
type CertificateCredential struct {
	backend string
	leaf    *x509.Certificate
	machine bool
}

var (
	_ auth.Credential   = (*CertificateCredential)(nil)
	_ auth.Scoped       = (*CertificateCredential)(nil)
	_ auth.Primary      = (*CertificateCredential)(nil)
	_ auth.Ambient      = (*CertificateCredential)(nil)
	_ auth.AuthInformer = (*CertificateCredential)(nil)
	_ auth.Expirer      = (*CertificateCredential)(nil)
)

// Backend returns CertificateConfig.Name.
func (c *CertificateCredential) Backend() string { return c.backend }

// Leaf returns the client's certificate. Do not change it.
func (c *CertificateCredential) Leaf() *x509.Certificate { return c.leaf }

// Thumbprint returns the base64url SHA-256 of the certificate in DER, the
// x5t#S256 to which access tokens are bound (RFC 8705 §3.1).
func (c *CertificateCredential) Thumbprint() string {
	sum := sha256.Sum256(c.leaf.Raw)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// Scopes returns false: the user or machine has full access.
func (c *CertificateCredential) Scopes() (scopes []string, limited bool) { return nil, false }

// Primary returns true for a user and false for a machine: tokens are issued to
// users only.
func (c *CertificateCredential) Primary() bool { return !c.machine }

// Ambient returns true, as [Certificate.Ambient] does.
func (c *CertificateCredential) Ambient() bool { return true }

// AuthInfo returns "pop", proof of possession of a key (RFC 8176 §2): whether
// software or hardware keeps it, as "swk" and "hwk" would say, is not known
// here. When the user last unlocked it is not known either, so [auth.Fresh] refuses the
// credential.
func (c *CertificateCredential) AuthInfo() auth.AuthInfo {
	return auth.AuthInfo{AMR: []string{"pop"}}
}

// ExpiresAt returns the end of the certificate.
func (c *CertificateCredential) ExpiresAt() time.Time { return c.leaf.NotAfter }
