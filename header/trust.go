package header

import (
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"

	"github.com/gatewarden/auth"
)

// Trust says whose headers are believed. At least one rule must be set; if
// several are, all must hold.
type Trust struct {
	// Proxies are the addresses that may connect. It is the connection's
	// address that counts ([auth.Peer]), never X-Forwarded-For; a Unix socket
	// has none. Prefixes of 0 bits are refused: everybody is no rule. Every
	// program that can connect from one of the addresses can be any user, so
	// add a second rule where others share the network.
	Proxies []netip.Prefix

	// ClientCertificate decides about the certificate that the other side of
	// a TLS connection has proved to have. The server must verify it:
	// tls.Config.ClientCAs with tls.VerifyClientCertIfGiven or
	// tls.RequireAndVerifyClientCert. It must be safe for concurrent use.
	ClientCertificate func(leaf *x509.Certificate) bool

	// SecretHeader must come once and hold Secret, which the proxy adds: 16
	// bytes to 1 KiB, compared in constant time. It is removed from what
	// handlers see.
	SecretHeader string
	Secret       auth.Secret
}

func (t Trust) check() error {
	if len(t.Proxies) == 0 && t.ClientCertificate == nil && t.SecretHeader == "" {
		return errors.New("header: Trust has no rule, so anybody could send the header")
	}
	for _, prefix := range t.Proxies {
		if !prefix.IsValid() || unmap(prefix).Bits() <= 0 {
			return fmt.Errorf("header: trusting %v is trusting everybody", prefix)
		}
	}
	if (t.SecretHeader == "") != (t.Secret == "") {
		return errors.New("header: Trust.SecretHeader and Trust.Secret go together")
	}
	if t.SecretHeader == "" {
		return nil
	}
	secret := t.Secret.Reveal()
	if len(secret) < 16 || len(secret) > maxSecret {
		return errors.New("header: Trust.Secret is shorter than 16 bytes or longer than 1 KiB")
	}
	// No header carries these, so the rule could never hold.
	if strings.Trim(secret, " \t") != secret || strings.ContainsFunc(secret, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return errors.New("header: Trust.Secret has control characters, or spaces around it")
	}
	return nil
}

const maxSecret = 1 << 10

// strip returns the names and that of the secret, which no handler may see.
func (t Trust) strip(names ...string) []string {
	if t.SecretHeader == "" {
		return names
	}
	return append(names, t.SecretHeader)
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

// unmap is not valid for a prefix of both IPv4 and IPv6 addresses.
func unmap(prefix netip.Prefix) netip.Prefix {
	if prefix.Addr().Is4In6() {
		return netip.PrefixFrom(prefix.Addr().Unmap(), prefix.Bits()-96)
	}
	return prefix
}

// holds reports whether the sender of r may say who the user is.
func (t Trust) holds(r *http.Request) bool {
	if len(t.Proxies) > 0 && !(auth.Proxies{Trusted: t.Proxies}).Trusts(auth.Peer(r)) {
		return false
	}
	if t.ClientCertificate != nil {
		if r.TLS == nil || len(r.TLS.VerifiedChains) == 0 || len(r.TLS.PeerCertificates) == 0 ||
			!t.ClientCertificate(r.TLS.PeerCertificates[0]) {
			return false
		}
	}
	if t.SecretHeader != "" {
		lines := r.Header[http.CanonicalHeaderKey(t.SecretHeader)]
		if len(lines) != 1 || len(lines[0]) > maxSecret {
			return false
		}
		// Hashes are of one length, so the comparison tells nothing of it.
		got, want := sha256.Sum256([]byte(lines[0])), sha256.Sum256([]byte(t.Secret.Reveal()))
		if subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
			return false
		}
	}
	return true
}
