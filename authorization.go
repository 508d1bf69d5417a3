package auth

import (
	"errors"
	"net/http"
	"strings"
)

// MaxAuthorization is the longest Authorization value that is read, in bytes, unless
// Config.MaxAuthorization allows more. A longer one is ErrMalformed before anything looks at
// its content.
const MaxAuthorization = 8 << 10

var (
	errTwoAuthorizations error = &Error{Kind: ErrMalformed, Detail: "More than one Authorization header.",
		Cause: errors.New("two lines of one request could be of two people (RFC 9110 §5.3)")}
	errLongAuthorization error = &Error{Kind: ErrMalformed, Detail: "Authorization header is too long.",
		Cause: errors.New("the header is longer than auth.MaxAuthorization, 8 KiB, or what " +
			"auth.Config.MaxAuthorization allows")}
)

// Authorization returns the scheme of the request's Authorization header and
// what follows it, leading and trailing spaces removed (RFC 9110 §11.6.2).
// Schemes are compared without regard to case: use strings.EqualFold. The
// value is what the client sent, of any bytes, and may be empty.
//
// It returns ErrNoCredentials if the header is absent or empty, and
// ErrMalformed if there is more than one or it is longer than
// [MaxAuthorization], or than Config.MaxAuthorization of the Guard that asks. It does not
// allocate.
func Authorization(r *http.Request) (scheme, value string, err error) {
	lines := r.Header["Authorization"]
	if len(lines) == 0 {
		return "", "", ErrNoCredentials
	}
	if len(lines) > 1 {
		return "", "", errTwoAuthorizations
	}
	line := lines[0]
	if isTooLong(r, len(line)) {
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

// tokenFaults are what can be wrong with a token in a header. The sentences are those of
// Django REST framework, except for the last.
var tokenFaults = [4]struct {
	detail string
	cause  error
}{
	{"Invalid token header. No credentials provided.",
		errors.New("nothing follows the scheme in the Authorization header")},
	{"Invalid token header. Token string should not contain spaces.",
		errors.New("the token in the Authorization header has a space in it")},
	{"Invalid token header. Token string should not contain invalid characters.",
		errors.New("the token in the Authorization header has a character outside b64token (RFC 6750 §2.1)")},
	{"Invalid token header. A space must follow the scheme.",
		errors.New(`the scheme in the Authorization header is followed by ":" or "=" instead of a space`)},
}

// malformedBearer and malformedToken are the errors for these faults. RFC 6750 §3.1 wants
// 400 for Bearer. Token, which no RFC defines, answers 401 as it always did.
var malformedBearer, malformedToken = malformedBy(0), malformedBy(http.StatusUnauthorized)

func malformedBy(status int) (all [len(tokenFaults)]error) {
	for i, fault := range tokenFaults {
		all[i] = &Error{Kind: ErrMalformed, Status: status, Detail: fault.detail, Cause: fault.cause}
	}
	return all
}

// The positions in tokenFaults.
const (
	faultEmpty = iota
	faultSpace
	faultCharacter
	faultNoSpace // after the scheme
	noFault      = -1
)

// TokenFrom returns the token in the request's Authorization header if its
// scheme is one of schemes, and which of them it is.
//
// It returns ErrNoCredentials if there is no such header or its scheme is
// another, and ErrMalformed if there is more than one, no token, anything
// after the token, a character outside b64token (RFC 6750 §2.1), or a ":" or "=" where a
// space must follow the scheme. The answer to a malformed token is 400 for Bearer and DPoP
// and 401 for other schemes. It does not allocate.
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
		return misspelledScheme(presented, schemes)
	}
	if fault := tokenFault(value); fault != noFault {
		return scheme, "", malformed(scheme, fault)
	}
	return scheme, value, nil
}

// misspelledScheme returns ErrMalformed for one of schemes with ":" or "=" behind it, as
// in "Bearer: x", and ErrNoCredentials for another scheme.
func misspelledScheme(presented string, schemes []string) (scheme, token string, err error) {
	for _, s := range schemes {
		if IsMisspelled(presented, s) {
			return s, "", malformed(s, faultNoSpace)
		}
	}
	return "", "", ErrNoCredentials
}

// IsMisspelled reports whether what [Authorization] returned as the scheme of a header is
// scheme with a ":" or "=" where a space must be, as in "Bearer: x" and "Bearer=x" (RFC
// 9110 §11.4). A backend answers it with ErrMalformed, because as ErrNoCredentials the
// request would go on as anonymous.
func IsMisspelled(presented, scheme string) bool {
	n := len(scheme)
	return n > 0 && len(presented) > n && (presented[n] == ':' || presented[n] == '=') &&
		strings.EqualFold(presented[:n], scheme)
}

func malformed(scheme string, fault int) error {
	if strings.EqualFold(scheme, "Bearer") || strings.EqualFold(scheme, "DPoP") {
		return malformedBearer[fault]
	}
	return malformedToken[fault]
}

// tokenFault returns what is wrong with a token, or noFault for a b64token.
func tokenFault(value string) int {
	if value == "" {
		return faultEmpty
	}
	end := len(value)
	for end > 1 && value[end-1] == '=' {
		end--
	}
	for i := range end {
		if !b64tokenChar[value[i]] {
			if strings.ContainsAny(value, " \t") {
				return faultSpace
			}
			return faultCharacter
		}
	}
	return noFault
}

// b64tokenChar is the alphabet of b64token but the trailing "=".
var b64tokenChar = func() (table [256]bool) {
	for _, c := range []byte("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~+/") {
		table[c] = true
	}
	return table
}()
