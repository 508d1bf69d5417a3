package auth

import (
	"net/http"
	"strings"
)

// MaxAuthorization is the longest Authorization value that is read, in bytes.
// A longer one is ErrMalformed before anything looks at its content.
const MaxAuthorization = 8 << 10

var (
	errTwoAuthorizations error = &Error{Kind: ErrMalformed, Detail: "More than one Authorization header."}
	errLongAuthorization error = &Error{Kind: ErrMalformed, Detail: "Authorization header is too long."}
)

// Authorization returns the scheme of the request's Authorization header and
// what follows it, leading and trailing spaces removed (RFC 9110 §11.6.2).
// Schemes are compared without regard to case: use strings.EqualFold. The
// value is what the client sent, of any bytes, and may be empty.
//
// It returns ErrNoCredentials if the header is absent or empty, and
// ErrMalformed if there is more than one or it is longer than
// [MaxAuthorization]. It does not allocate.
func Authorization(r *http.Request) (scheme, value string, err error) {
	lines := r.Header["Authorization"]
	if len(lines) == 0 {
		return "", "", ErrNoCredentials
	}
	if len(lines) > 1 {
		return "", "", errTwoAuthorizations
	}
	line := lines[0]
	if len(line) > MaxAuthorization {
		return "", "", errLongAuthorization
	}
	// Loops of our own: every request of every backend comes by here.
	for line != "" && isSpace(line[0]) {
		line = line[1:]
	}
	for line != "" && isSpace(line[len(line)-1]) {
		line = line[:len(line)-1]
	}
	if line == "" {
		return "", "", ErrNoCredentials
	}
	end := 0
	for end < len(line) && !isSpace(line[end]) {
		end++
	}
	scheme, value = line[:end], line[end:]
	for value != "" && isSpace(value[0]) {
		value = value[1:]
	}
	return scheme, value, nil
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' }

// The sentences are those of Django REST framework. RFC 6750 §3.1 wants 400
// for Bearer. Token, which no RFC defines, answers 401 as it always did.
var (
	malformedToken = [3]error{
		&Error{Kind: ErrMalformed, Unauthorized: true, Detail: "Invalid token header. No credentials provided."},
		&Error{Kind: ErrMalformed, Unauthorized: true, Detail: "Invalid token header. Token string should not contain spaces."},
		&Error{Kind: ErrMalformed, Unauthorized: true, Detail: "Invalid token header. Token string should not contain invalid characters."},
	}
	malformedBearer = [3]error{
		&Error{Kind: ErrMalformed, Detail: "Invalid token header. No credentials provided."},
		&Error{Kind: ErrMalformed, Detail: "Invalid token header. Token string should not contain spaces."},
		&Error{Kind: ErrMalformed, Detail: "Invalid token header. Token string should not contain invalid characters."},
	}
)

// TokenFrom returns the token in the request's Authorization header if its
// scheme is one of schemes, and which of them it is.
//
// It returns ErrNoCredentials if there is no such header or its scheme is
// another, and ErrMalformed if there is more than one, no token, anything
// after the token, or a character outside b64token (RFC 6750 §2.1). The
// answer to a malformed token is 400 for Bearer and DPoP and 401 for other
// schemes. It does not allocate.
func TokenFrom(r *http.Request, schemes ...string) (scheme, token string, err error) {
	presented, value, err := Authorization(r)
	if err != nil {
		return "", "", err
	}
	for _, s := range schemes {
		if len(s) == len(presented) && strings.EqualFold(s, presented) {
			scheme = s
			break
		}
	}
	if scheme == "" {
		return "", "", ErrNoCredentials
	}
	if fault := tokenFault(value); fault >= 0 {
		if strings.EqualFold(scheme, "Bearer") || strings.EqualFold(scheme, "DPoP") {
			return scheme, "", malformedBearer[fault]
		}
		return scheme, "", malformedToken[fault]
	}
	return scheme, value, nil
}

// tokenFault returns which of the malformed errors fits, or -1 for a b64token.
func tokenFault(value string) int {
	if value == "" {
		return 0
	}
	end := len(value)
	for end > 1 && value[end-1] == '=' {
		end--
	}
	for i := range end {
		if !b64tokenChar[value[i]] {
			if strings.ContainsAny(value, " \t") {
				return 1
			}
			return 2
		}
	}
	return -1
}

// b64tokenChar is the alphabet of b64token but the trailing "=".
var b64tokenChar = func() (table [256]bool) {
	for _, c := range []byte("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~+/") {
		table[c] = true
	}
	return table
}()
