package header

import (
	"bytes"
	"cmp"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/gatewarden/auth/backend"
)

// CertificateFormat is how a proxy writes a client's certificate into a header. Only
// the headers of the chosen format are read.
type CertificateFormat int

// The formats of [Forwarded]. A proxy that is not named here may write one of them too.
const (
	// FormatRFC9440 is Client-Cert and Client-Cert-Chain. It is the default.
	FormatRFC9440 CertificateFormat = iota
	// FormatNginx is one certificate in PEM, percent-encoded. Set Header to the name
	// that nginx is told:
	//
	//	ssl_verify_client optional;
	//	proxy_set_header X-Client-Cert $ssl_client_escaped_cert;
	FormatNginx
	// FormatALB is X-Amzn-Mtls-Clientcert, which an Application Load Balancer sends
	// in passthrough mode: the chain in PEM, percent-encoded. In verify mode it sends the
	// client's certificate alone, so set Header to "X-Amzn-Mtls-Clientcert-Leaf".
	FormatALB
	// FormatTraefik is X-Forwarded-Tls-Client-Cert of the middleware passTLSClientCert
	// with pem: the chain in base64, separated by commas.
	FormatTraefik
	// FormatHAProxy is X-SSL-Client-DER, unless Header says otherwise, in base64. A chain
	// may follow behind a comma, as one value:
	//
	//	http-request del-header X-SSL-Client-DER
	//	http-request set-header X-SSL-Client-DER %[ssl_c_der,base64],%[ssl_c_chain_der,base64] if { ssl_c_used }
	FormatHAProxy
	// FormatCaddy is X-SSL-Client-DER, unless Header says otherwise, in base64. Caddy sends
	// the name of the placeholder where there is no certificate, which counts as absent:
	//
	//	header_up X-SSL-Client-DER {http.request.tls.client.certificate_der_base64}
	FormatCaddy
	// FormatEnvoy is X-Forwarded-Client-Cert with one element, which needs Hash, and Cert
	// or Chain. Set forward_client_cert_details to SANITIZE_SET, and cert or chain in
	// set_current_client_cert_details.
	FormatEnvoy
	// FormatEnvoyAppended is FormatEnvoy with any number of elements, for APPEND_FORWARD.
	// The last element counts, because the proxy that connects to us has added it.
	// Envoy does not quote the URI of a certificate. An authority that signs a URI with
	// commas and quotes in it would let its holder add a last element, so choose
	// FormatEnvoy where you can.
	FormatEnvoyAppended
)

// certificateFormat is what New needs to know of a format.
type certificateFormat struct {
	header string // the usual name, "" if there is no such
	// parse returns the client's certificate and those behind it, at least one, or what is
	// wrong with the value. The errors are static: nothing of the value is in them.
	parse func(value string) ([]*x509.Certificate, error)
	// absent is what stands for no certificate, besides an empty value.
	absent string
}

var certificateFormats = map[CertificateFormat]certificateFormat{
	FormatRFC9440:       {header: clientCert, parse: parseClientCert},
	FormatNginx:         {parse: parseEscapedLeaf},
	FormatALB:           {header: "X-Amzn-Mtls-Clientcert", parse: parseEscapedChain},
	FormatTraefik:       {header: "X-Forwarded-Tls-Client-Cert", parse: parseBase64Chain},
	FormatHAProxy:       {header: "X-Ssl-Client-Der", parse: parseBase64Chain},
	FormatCaddy:         {"X-Ssl-Client-Der", parseBase64Chain, "{http.request.tls.client.certificate_der_base64}"},
	FormatEnvoy:         {header: "X-Forwarded-Client-Cert", parse: parseOneXFCC},
	FormatEnvoyAppended: {header: "X-Forwarded-Client-Cert", parse: parseLastXFCC},
}

// format returns the parser of a format, and the canonical names of its headers.
func (f Forwarded) format(s *backend.Settings) (format certificateFormat, headers []string) {
	format, known := certificateFormats[f.Encoding]
	s.Refuse(!known, "Forwarded.Encoding %d is no format of certificates", int(f.Encoding))
	s.Refuse(f.Encoding == FormatRFC9440 && f.Header != "",
		"Forwarded.Header is set, and FormatRFC9440 names its headers itself")
	s.Refuse(known && format.header == "" && f.Header == "",
		"Forwarded.Header is empty, and FormatNginx has no usual header")
	if f.Encoding == FormatRFC9440 {
		return format, []string{clientCert, clientCertChain}
	}
	return format, []string{http.CanonicalHeaderKey(cmp.Or(f.Header, format.header))}
}

var (
	errTooLong        = errors.New("header: the certificate, or the chain with it, is too long")
	errNoEscapedPEM   = errors.New("header: the value is no PEM with percent-encoding, as Forwarded.Encoding says")
	errNoBase64       = errors.New("header: the value is no DER in base64, as Forwarded.Encoding says")
	errNoByteSequence = errors.New("header: the value is no Byte Sequence (RFC 9440 §2.1), as Forwarded.Encoding says")
	errNoCertificate  = errors.New("header: what is encoded is no certificate in DER")
	errTooMany        = errors.New("header: there are more certificates than the format may have")
)

func parseEscapedLeaf(value string) ([]*x509.Certificate, error) {
	return parseEscapedPEM(value, maxClientCert, 1)
}

func parseEscapedChain(value string) ([]*x509.Certificate, error) {
	return parseEscapedPEM(value, maxChainBytes, 1+maxChain)
}

// parseEscapedPEM reads at most most certificates in PEM (RFC 7468 §5), percent-encoded
// (RFC 3986 §2.1), of at most size bytes. A "+" is a plus.
func parseEscapedPEM(value string, size, most int) ([]*x509.Certificate, error) {
	if len(value) > 3*size { // every byte may be escaped
		return nil, errTooLong
	}
	text, err := url.PathUnescape(value)
	if err != nil {
		return nil, errNoEscapedPEM
	}
	var all []*x509.Certificate
	for rest := []byte(text); len(all) == 0 || len(rest) > 0; {
		if len(all) == most {
			return nil, errTooMany
		}
		if !bytes.HasPrefix(rest, []byte("-----BEGIN CERTIFICATE-----")) {
			return nil, errNoEscapedPEM
		}
		block, left := pem.Decode(rest)
		if block == nil || block.Type != "CERTIFICATE" || len(block.Headers) > 0 ||
			bytes.Count(rest[:len(rest)-len(left)], []byte("-----BEGIN ")) != 1 { // Decode skips what is broken
			return nil, errNoEscapedPEM
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, errNoCertificate
		}
		all, rest = append(all, certificate), bytes.TrimSpace(left)
	}
	return all, nil
}

// parseBase64Chain reads certificates in DER and base64, separated by commas. An element may hold several. HAProxy
// writes an empty element if there is no chain.
func parseBase64Chain(value string) ([]*x509.Certificate, error) {
	value, err := unwrapBase64(value)
	if err != nil {
		return nil, err
	}
	var all []*x509.Certificate
	for item := range strings.SplitSeq(value, ",") {
		item = strings.Trim(item, " \t")
		if item == "" && len(all) > 0 {
			continue
		}
		certificates, err := parseBase64Certificates(item)
		if err != nil {
			return nil, err
		}
		if all = append(all, certificates...); len(all) > 1+maxChain {
			return nil, errTooMany
		}
	}
	return all, nil
}

// unwrapBase64 removes quotes around all of a value, and percent-encoding, as some versions of the proxies have them.
func unwrapBase64(value string) (string, error) {
	if len(value) > 3*maxChainBytes { // every byte may be escaped
		return "", errTooLong
	}
	if len(value) > 1 && value[0] == '"' && value[len(value)-1] == '"' {
		value = value[1 : len(value)-1]
	}
	if strings.Contains(value, "%") {
		text, err := url.PathUnescape(value)
		if err != nil {
			return "", errNoBase64
		}
		value = text
	}
	if len(value) > maxChainBytes {
		return "", errTooLong
	}
	return value, nil
}

// parseBase64Certificates reads one or more certificates in DER that follow each other, in base64.
func parseBase64Certificates(text string) ([]*x509.Certificate, error) {
	// Package base64 skips line breaks, so they are refused here.
	der, err := base64.StdEncoding.DecodeString(text)
	if err != nil || strings.ContainsAny(text, "\r\n") {
		return nil, errNoBase64
	}
	certificates, err := x509.ParseCertificates(der)
	if err != nil || len(certificates) == 0 {
		return nil, errNoCertificate
	}
	return certificates, nil
}
