package header

import (
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/internal/redact"
)

// Forwarded says how a proxy that terminates TLS hands on the certificate that
// a client proved to have.
//
// The proxy must ask for the certificate, overwrite the headers named here on
// every request, and remove them from requests of clients without a certificate
// (RFC 9440 §2.4). What it checked of the certificate is checked again.
type Forwarded struct {
	// Trust says which proxies are believed. There is no default.
	Trust Trust
	// Encoding is how the proxy writes the certificate. Where it writes none of the
	// certificates between, the authority that signed the client's must be among
	// the Issuers.
	Encoding CertificateFormat
	// Header is the name of the header, where it is not the usual one of Encoding.
	Header string
}

// Format prints the name of the type only. If a verb does not fit a pointer, as with %s, package fmt prints the fields
// without their methods. That would show the [auth.Secret].
func (Forwarded) Format(f fmt.State, _ rune) { redact.WriteType(f, "header.Forwarded") }

const (
	clientCert      = "Client-Cert"
	clientCertChain = "Client-Cert-Chain"

	maxClientCert = 16 << 10 // in bytes, encoded
	maxChainBytes = 64 << 10 // of all lines together
	maxChain      = 8
)

// forwarded returns the chains from the certificate in the proxy's header to
// the Issuers.
func (c *Certificate) forwarded(r *http.Request) ([][]*x509.Certificate, error) {
	lines := r.Header[c.headers[0]]
	if len(lines) == 0 {
		return nil, auth.ErrNoCredentials
	}
	if err := c.trust.refusal(r); err != nil {
		return nil, err
	}
	if len(lines) > 1 {
		return nil, c.repeatedValue
	}
	value := strings.Trim(lines[0], " \t")
	if value == "" || value == c.absent {
		return nil, auth.ErrNoCredentials
	}
	certificates, cause := c.parse(value)
	if cause != nil {
		return nil, &auth.Error{Kind: auth.ErrMalformed, Detail: c.invalidDetail, Cause: cause}
	}
	leaf, chain := certificates[0], certificates[1:]
	if len(c.headers) == 2 { // of RFC 9440
		var ok bool
		if chain, ok = parseClientCertChain(r.Header[clientCertChain]); !ok {
			return nil, c.invalidChain
		}
	}
	intermediates := x509.NewCertPool()
	for _, certificate := range chain {
		intermediates.AddCert(certificate)
	}
	return c.verify(leaf, intermediates)
}

// verify returns the chains from leaf to the Issuers (RFC 5280 §6). Those of
// the past and future are returned if there is no chain for now: an expired
// certificate of ours is bad, and one of a stranger absent.
func (c *Certificate) verify(leaf *x509.Certificate, intermediates *x509.CertPool) ([][]*x509.Certificate, error) {
	var refusal error
	for _, at := range []time.Time{time.Now(), leaf.NotBefore, leaf.NotAfter} {
		chains, err := leaf.Verify(x509.VerifyOptions{Roots: c.roots, Intermediates: intermediates,
			CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
		if err == nil {
			return chains, nil
		}
		var unknown x509.UnknownAuthorityError
		var invalid x509.CertificateInvalidError
		if !errors.As(err, &unknown) && !(errors.As(err, &invalid) && invalid.Reason == x509.Expired) {
			refusal = err
		}
	}
	if refusal != nil {
		return nil, &auth.Error{Kind: auth.ErrInvalid, Detail: "Client certificate is not valid here.", Cause: refusal}
	}
	return nil, errUnknownIssuer
}

// parseClientCert reads the value of Client-Cert: a Byte Sequence that is a
// certificate in DER (RFC 9440 §2.1, §2.2). It has no parameters.
func parseClientCert(value string) ([]*x509.Certificate, error) {
	if len(value) > maxClientCert {
		return nil, errTooLong
	}
	der, ok := parseByteSequence(value)
	if !ok {
		return nil, errNoByteSequence
	}
	certificate, ok := parseDER(der)
	if !ok {
		return nil, errNoCertificate
	}
	return []*x509.Certificate{certificate}, nil
}

// parseClientCertChain reads the lines of Client-Cert-Chain: a List of Byte
// Sequences (RFC 9440 §2.3), which may be empty (RFC 8941 §4.2.1).
func parseClientCertChain(lines []string) ([]*x509.Certificate, bool) {
	size := 0
	for _, line := range lines {
		size += len(line)
	}
	if size > maxChainBytes {
		return nil, false
	}
	list := strings.Trim(strings.Join(lines, ","), " \t")
	if list == "" {
		return nil, true
	}
	items := strings.Split(list, ",") // no Byte Sequence has a comma
	if len(items) > maxChain {
		return nil, false
	}
	chain := make([]*x509.Certificate, len(items))
	for i, item := range items {
		der, ok := parseByteSequence(strings.Trim(item, " \t"))
		if !ok {
			return nil, false
		}
		if chain[i], ok = parseDER(der); !ok {
			return nil, false
		}
	}
	return chain, true
}

// parseByteSequence reads base64 between colons (RFC 8941 §4.2.7). Padding may
// be missing, and the bits behind the last byte need not be zero.
func parseByteSequence(s string) ([]byte, bool) {
	if len(s) < 2 || s[0] != ':' || s[len(s)-1] != ':' {
		return nil, false
	}
	s = s[1 : len(s)-1]
	// Package base64 skips line breaks, so they are refused here.
	if strings.ContainsAny(s, "\r\n") {
		return nil, false
	}
	encoding := base64.StdEncoding
	if !strings.Contains(s, "=") {
		encoding = base64.RawStdEncoding
	}
	decoded, err := encoding.DecodeString(s)
	return decoded, err == nil
}

func parseDER(der []byte) (*x509.Certificate, bool) {
	certificate, err := x509.ParseCertificate(der)
	return certificate, err == nil
}
