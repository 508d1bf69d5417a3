package header

import (
	"crypto/x509"
	"fmt"
	"strings"
)

// URIIdentity is a CertificateConfig.Identity: the only URI among the subject
// alternative names, as package net/url writes it, such as the SPIFFE ID of a
// service (X.509-SVID §2). A certificate without one, or with several, has no
// identity.
func URIIdentity(leaf *x509.Certificate) (id string, err error) {
	uris := make([]string, len(leaf.URIs))
	for i, uri := range leaf.URIs {
		uris[i] = uri.String()
	}
	return onlyName("URI", uris)
}

// EmailIdentity is a CertificateConfig.Identity: the only email address among
// the subject alternative names (RFC 5280 §4.2.1.6), as it is written there. A
// certificate without one, or with several, has no identity. The authority must
// have checked that the address is the holder's.
func EmailIdentity(leaf *x509.Certificate) (id string, err error) {
	return onlyName("email address", leaf.EmailAddresses)
}

// DNSIdentity is a CertificateConfig.Identity: the only DNS name among the
// subject alternative names, in lower case. A certificate without one, with
// several, or for all names of a domain ("*.") has no identity.
func DNSIdentity(leaf *x509.Certificate) (id string, err error) {
	name, err := onlyName("DNS name", leaf.DNSNames)
	if strings.Contains(name, "*") {
		return "", fmt.Errorf("header: certificate is for every host of %s", name)
	}
	return strings.ToLower(name), err
}

// onlyName returns the name in names. It returns an error if there is not exactly one.
func onlyName(kind string, names []string) (string, error) {
	if len(names) != 1 {
		return "", fmt.Errorf("header: the certificate has %d names of type %s, want 1", len(names), kind)
	}
	return names[0], nil
}
