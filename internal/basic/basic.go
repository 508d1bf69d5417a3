// Package basic reads the credentials of the Basic scheme (RFC 7617), and makes its challenge.
// Packages header and password authenticate with it.
package basic

import (
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/gatewarden/auth"
)

// The sentences are those of Django REST framework, and so is 401 for a
// malformed credential: Basic has no invalid_request as Bearer has.
var (
	errEmpty  = malformed("No credentials provided.", "nothing follows the scheme Basic")
	errSpaces = malformed("Credentials string should not contain spaces.",
		"the credentials behind the scheme Basic have a space in them")
	errNoBase64 = malformed(detailEncoding, "the credentials behind the scheme Basic are not base64 (RFC 4648 §4)")
	errControl  = malformed(detailEncoding, "the username or password has a control character (RFC 7617 §2)")
	errNoColon  = malformed(detailEncoding, "there is no colon between username and password (RFC 7617 §2)")
	errNoSpace  = malformed("A space must follow the scheme.",
		`the scheme Basic is followed by ":" or "=" instead of a space`)
)

const detailEncoding = "Credentials not correctly base64 encoded."

func malformed(detail, cause string) error {
	return &auth.Error{Kind: auth.ErrMalformed, Status: http.StatusUnauthorized,
		Detail: "Invalid basic header. " + detail, Cause: errors.New(cause)}
}

// FromRequest returns what follows the scheme Basic in the Authorization header of r. It
// returns auth.ErrNoCredentials if the header is absent or has another scheme, and
// auth.ErrMalformed for "Basic: x" and "Basic=x" and as [auth.Authorization] does.
func FromRequest(r *http.Request) (value string, err error) {
	scheme, value, err := auth.Authorization(r)
	switch {
	case err != nil:
		return "", err
	case strings.EqualFold(scheme, "Basic"):
		return value, nil
	case auth.IsMisspelled(scheme, "Basic"):
		return "", errNoSpace
	}
	return "", auth.ErrNoCredentials
}

// Decode decodes what follows the scheme Basic in an Authorization header
// and splits it at the first colon: a username has no colon, a password may have some (RFC
// 7617 §2). What is not UTF-8 is read as ISO-8859-1, which clients sent before
// there was a charset parameter. Both strings may be empty; both are valid
// UTF-8.
//
// Every error is an [*auth.Error] that is [auth.ErrMalformed] and answered with
// 401: for an empty value, one with spaces inside, and one that is not base64 (RFC 4648
// §4), holds no colon, or holds control characters, which RFC 7617 §2 forbids. The
// padding may be left out, as by some clients: RFC 4648 §3.2 leaves that to the
// specification, RFC 7617 does not mention it, and there is one reading of it. value is at most
// [auth.MaxAuthorization] bytes where it
// comes from [auth.Authorization].
func Decode(value string) (username, password string, err error) {
	if value == "" {
		return "", "", errEmpty
	}
	// Package base64 skips line breaks, so they are refused here.
	if strings.ContainsAny(value, " \t\r\n") {
		return "", "", errSpaces
	}
	decoded, err := base64.StdEncoding.DecodeString(value)
	if err != nil {
		decoded, err = base64.RawStdEncoding.DecodeString(value)
	}
	if err != nil {
		return "", "", errNoBase64
	}
	text := string(decoded)
	if !utf8.ValidString(text) {
		text = latin1(decoded)
	}
	if strings.ContainsFunc(text, isControl) {
		return "", "", errControl
	}
	username, password, found := strings.Cut(text, ":")
	if !found {
		return "", "", errNoColon
	}
	return username, password, nil
}

// isControl reports a CTL (RFC 5234 appendix B.1).
func isControl(r rune) bool { return r < 0x20 || r == 0x7f }

// latin1 reads every byte as the code point of the same number.
func latin1(b []byte) string {
	runes := make([]rune, len(b))
	for i, c := range b {
		runes[i] = rune(c)
	}
	return string(runes)
}
