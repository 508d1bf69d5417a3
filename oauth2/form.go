package oauth2

import (
	"errors"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
)

// maxForm is the longest form that is read for a token, in bytes.
const maxForm = 64 << 10

// isForm reports a request that may have its token in the body (RFC 6750 §2.2).
func isForm(r *http.Request) bool {
	if r.Method != http.MethodPost || r.Body == nil || len(r.Header["Content-Type"]) != 1 {
		return false
	}
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && kind == backend.TypeForm
}

// formToken returns the token in a form, or "". The body is put back as it was. Of
// one that is too long for a token, the rest is not read.
func formToken(r *http.Request) (string, error) {
	body, err := backend.ReadBody(r, maxForm)
	if errors.Is(err, backend.ErrBodyTooLong) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	// What else is wrong with the form is for the handler to say.
	values, _ := url.ParseQuery(string(body.Text))
	switch tokens := values["access_token"]; {
	case len(tokens) == 0:
		return "", nil
	case len(tokens) > 1:
		return "", errTwoTokens
	default:
		return tokens[0], checkToken(tokens[0])
	}
}

// checkToken reports what cannot be a token (RFC 6750 §2.1), as in a header.
func checkToken(token string) error {
	_, _, err := auth.TokenFrom(&http.Request{Header: http.Header{"Authorization": {"Bearer " + token}}}, "Bearer")
	if errors.Is(err, auth.ErrNoCredentials) {
		return errFormToken
	}
	return err
}

// isToken reports whether token is a b64token (RFC 6750 §2.1). It does not allocate.
func isToken(token string) bool {
	end := len(token)
	for end > 1 && token[end-1] == '=' {
		end--
	}
	for n := range end {
		c := token[n]
		if (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') && strings.IndexByte("-._~+/", c) < 0 {
			return false
		}
	}
	return token != ""
}
