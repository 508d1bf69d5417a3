// Package basic reads the credentials of the Basic scheme (RFC 7617), for the
// two packages that take them: header and password.
package basic

import (
	"encoding/base64"
	"strings"
	"unicode/utf8"

	"github.com/gatewarden/auth"
)

// The sentences are those of Django REST framework, and so is 401 for a
// malformed credential: Basic has no invalid_request as Bearer has.
var (
	errEmpty    error = &auth.Error{Kind: auth.ErrMalformed, Unauthorized: true, Detail: "Invalid basic header. No credentials provided."}
	errSpaces   error = &auth.Error{Kind: auth.ErrMalformed, Unauthorized: true, Detail: "Invalid basic header. Credentials string should not contain spaces."}
	errEncoding error = &auth.Error{Kind: auth.ErrMalformed, Unauthorized: true, Detail: "Invalid basic header. Credentials not correctly base64 encoded."}
)

// Credentials decodes what follows the scheme Basic in an Authorization header
// and splits it at the first colon: a username has none, a password may (RFC
// 7617 §2). What is not UTF-8 is read as ISO-8859-1, which clients sent before
// there was a charset parameter. Both strings may be empty; both are valid
// UTF-8.
//
// Every error is an [*auth.Error] that is [auth.ErrMalformed] and answered with
// 401: for an empty value, one with spaces inside, and one that is not padded
// base64 (RFC 4648 §4), holds no colon, or holds control characters, which RFC
// 7617 §2 forbids. value is at most [auth.MaxAuthorization] bytes where it
// comes from [auth.Authorization].
func Credentials(value string) (username, password string, err error) {
	if value == "" {
		return "", "", errEmpty
	}
	// Package base64 skips line breaks, so they are refused here.
	if strings.ContainsAny(value, " \t\r\n") {
		return "", "", errSpaces
	}
	decoded, err := base64.StdEncoding.DecodeString(value)
	if err != nil {
		return "", "", errEncoding
	}
	text := string(decoded)
	if !utf8.ValidString(text) {
		text = latin1(decoded)
	}
	if strings.ContainsFunc(text, isControl) {
		return "", "", errEncoding
	}
	username, password, found := strings.Cut(text, ":")
	if !found {
		return "", "", errEncoding
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
