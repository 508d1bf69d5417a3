package header

import (
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/internal/redact"
)

// Trust says which sender's headers are believed. Set at least one rule. If
// several are set, all must hold.
type Trust struct {
	// Proxies are the addresses that may connect. The address of the
	// connection counts ([auth.Peer]), and X-Forwarded-For does not. A Unix
	// socket has no address. Prefixes of 0 bits are refused, because they would
	// let everybody in. Every program that can connect from one of the
	// addresses can be any user, so add a second rule where others share the
	// network.
	Proxies []netip.Prefix

	// ClientCertificate decides about the certificate that the other side of
	// a TLS connection has proved to have. The server must verify it:
	// tls.Config.ClientCAs with tls.VerifyClientCertIfGiven or
	// tls.RequireAndVerifyClientCert. It must be safe for concurrent use.
	ClientCertificate func(leaf *x509.Certificate) bool

	// SecretHeader must come once and hold Secret, which the proxy adds: 16
	// bytes to 1 KiB, compared in constant time. It is removed from what
	// handlers see. The backend keeps a hash of it only.
	SecretHeader string
	Secret       auth.Secret
}

// Format prints the name of the type only. If a verb does not fit a pointer, as with %s, package fmt prints the fields
// without their methods. That would show the [auth.Secret].
func (Trust) Format(f fmt.State, _ rune) { redact.WriteType(f, "header.Trust") }

func (t Trust) check(s *backend.Settings) {
	s.Refuse(len(t.Proxies) == 0 && t.ClientCertificate == nil && t.SecretHeader == "",
		"Trust has no rule, so anybody could send the header")
	for _, prefix := range t.Proxies {
		s.Refuse(!prefix.IsValid() || unmap(prefix).Bits() <= 0, "trusting %v is trusting everybody", prefix)
	}
	s.Refuse((t.SecretHeader == "") != (t.Secret == ""), "Trust.SecretHeader and Trust.Secret go together")
	if t.SecretHeader == "" || t.Secret == "" {
		return
	}
	secret := t.Secret.Reveal()
	s.Refuse(len(secret) < 16 || len(secret) > maxSecret,
		"Trust.Secret is shorter than 16 bytes or longer than 1 KiB")
	// No header carries these, so the rule could never hold.
	s.Refuse(strings.Trim(secret, " \t") != secret || hasControl(secret),
		"Trust.Secret has control characters, or spaces around it")
}

const maxSecret = 1 << 10

// trustCheck checks the rules of a Trust. It has no copy of the secret.
type trustCheck struct {
	proxies      []netip.Prefix // as they compare with auth.Peer
	certificate  func(leaf *x509.Certificate) bool
	secretHeader string // canonical, or ""
	// isSecret keeps the hash of the secret where package fmt cannot print it.
	isSecret func(line string) bool
}

// newTrustCheck checks the names that are read if trust holds, and trust itself.
func newTrustCheck(s *backend.Settings, trust Trust, names ...string) *trustCheck {
	t := &trustCheck{proxies: unmapped(trust.Proxies), certificate: trust.ClientCertificate,
		secretHeader: http.CanonicalHeaderKey(trust.SecretHeader)}
	checkNames(s, t.strip(names...)...)
	trust.check(s)
	want := sha256.Sum256([]byte(trust.Secret.Reveal()))
	t.isSecret = func(line string) bool {
		// Hashes are of one length, so the comparison tells nothing of it.
		got := sha256.Sum256([]byte(line))
		return subtle.ConstantTimeCompare(got[:], want[:]) == 1
	}
	return t
}

// strip returns a copy of the names with that of the secret, which no handler
// may see.
func (t *trustCheck) strip(names ...string) []string {
	names = slices.Clone(names)
	if t.secretHeader == "" {
		return names
	}
	return append(names, t.secretHeader)
}

// unmapped returns a copy of prefixes as they compare with [auth.Peer], which
// writes no IPv4 address as IPv6.
func unmapped(prefixes []netip.Prefix) []netip.Prefix {
	var copied []netip.Prefix
	for _, prefix := range prefixes {
		copied = append(copied, unmap(prefix))
	}
	return copied
}

// unmap returns an IPv4-mapped prefix, such as ::ffff:10.0.0.0/104, as a prefix of IPv4. If it is shorter than /96, it
// has other addresses too, and the result is not valid.
func unmap(prefix netip.Prefix) netip.Prefix {
	if prefix.Addr().Is4In6() {
		return netip.PrefixFrom(prefix.Addr().Unmap(), prefix.Bits()-96) // ::ffff:0:0/96 is all of IPv4
	}
	return prefix
}

// refusal returns nil if the sender of r may speak for a user. Otherwise the header
// counts as absent, and the error says which rule does not hold.
func (t *trustCheck) refusal(r *http.Request) error {
	if len(t.proxies) > 0 && !(auth.Proxies{Trusted: t.proxies}).Trusts(auth.Peer(r)) {
		return errProxy
	}
	if t.certificate != nil {
		if r.TLS == nil || len(r.TLS.VerifiedChains) == 0 || len(r.TLS.PeerCertificates) == 0 {
			return errNoTLS
		}
		if !t.certificate(r.TLS.PeerCertificates[0]) {
			return errClient
		}
	}
	if t.secretHeader == "" {
		return nil
	}
	lines := r.Header[t.secretHeader]
	if len(lines) != 1 || len(lines[0]) > maxSecret {
		return errNoSecret
	}
	if !t.isSecret(lines[0]) {
		return errSecret
	}
	return nil
}
