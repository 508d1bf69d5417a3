package header

import (
	"errors"
	"fmt"

	"github.com/gatewarden/auth"
)

// This file has why a header is refused, for the log. These reasons do not depend on the
// request, so all are made once.

// malformed returns the refusal of a header.
func malformed(detail, why string) error {
	return &auth.Error{Kind: auth.ErrMalformed, Detail: detail, Cause: errors.New("header: " + why)}
}

// twice returns the refusal of a header that comes more than once.
func twice(header string) error {
	return malformed("More than one "+header+" header.", header+" came more than once")
}

// broken returns the refusal of a header with a value that breaks a rule.
func broken(header, rule string) error {
	return malformed("Malformed "+header+" header.", header+" "+rule)
}

// Headers of a sender that is not believed count as absent, and the log has the rule of
// Trust that did not hold.
var (
	errProxy = distrust("the address of the connection is not in Trust.Proxies")
	errNoTLS = distrust("the connection has no client certificate that the server verified, and " +
		"Trust.ClientCertificate needs one")
	errClient   = distrust("Trust.ClientCertificate refused the certificate of the connection")
	errNoSecret = distrust("Trust.SecretHeader did not come exactly once")
	errSecret   = distrust("the value of Trust.SecretHeader is not Trust.Secret")
)

func distrust(why string) error {
	return &auth.Error{Kind: auth.ErrNoCredentials,
		Cause: errors.New("header: the sender of the header is not believed: " + why)}
}

// identityError is what a loader says of an identifier, which may come from outside.
type identityError struct {
	id  string
	err error
}

func (e *identityError) Error() string {
	return fmt.Sprintf("header: identifier %.200q: %v", e.id, e.err)
}

func (e *identityError) Unwrap() error { return e.err }
