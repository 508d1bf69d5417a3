package header

import (
	"errors"
	"fmt"

	"github.com/gatewarden/auth"
)

// This file has why a header is refused, for the log. These reasons do not depend on the
// request, so all are made once.

// malformed returns an ErrMalformed. detail is for the client, why is for the log.
func malformed(detail, why string) error {
	return &auth.Error{Kind: auth.ErrMalformed, Detail: detail, Cause: errors.New("header: " + why)}
}

// repeatedHeader returns the error for a header that comes more than once.
func repeatedHeader(header string) error {
	return malformed("More than one "+header+" header.", header+" came more than once")
}

// invalidHeader returns the error for a header with a value that breaks a rule.
func invalidHeader(header, rule string) error {
	return malformed("Malformed "+header+" header.", header+" "+rule)
}

// Headers of a sender that is not believed count as absent, and the log has the rule of
// Trust that did not hold.
var (
	errProxy = untrusted("the address of the connection is not in Trust.Proxies")
	errNoTLS = untrusted("the connection has no client certificate that the server verified, and " +
		"Trust.ClientCertificate needs one")
	errClient   = untrusted("Trust.ClientCertificate refused the certificate of the connection")
	errNoSecret = untrusted("Trust.SecretHeader did not come exactly once")
	errSecret   = untrusted("the value of Trust.SecretHeader is not Trust.Secret")
)

// untrusted returns the error for a header of a sender that is not believed.
func untrusted(why string) error {
	return &auth.Error{Kind: auth.ErrNoCredentials,
		Cause: errors.New("header: the sender of the header is not believed: " + why)}
}

// identityError is the error of a UserLoader, with the identifier that it could not load. The identifier comes from a
// client, so the text has at most 200 characters of it, in quotes.
type identityError struct {
	id  string
	err error
}

func (e *identityError) Error() string {
	return fmt.Sprintf("header: identifier %.200q: %v", e.id, e.err)
}

func (e *identityError) Unwrap() error { return e.err }
