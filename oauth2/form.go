package oauth2

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"

	"github.com/gatewarden/auth"
)

// maxForm is the longest form that is read for a token, in bytes.
const maxForm = 64 << 10

// isForm reports a request that may have its token in the body (RFC 6750 §2.2).
func isForm(r *http.Request) bool {
	if r.Method != http.MethodPost || r.Body == nil || len(r.Header["Content-Type"]) != 1 {
		return false
	}
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && kind == "application/x-www-form-urlencoded"
}

// formToken returns the token in a form, or "". The body is put back as it was; of
// one that is too long for a token, the rest is not read.
func formToken(r *http.Request) (string, error) {
	text, err := io.ReadAll(io.LimitReader(r.Body, maxForm+1))
	r.Body = &putBack{io.MultiReader(bytes.NewReader(text), r.Body), r.Body}
	if err != nil {
		return "", &auth.Error{Kind: auth.ErrMalformed, Code: auth.CodeInvalidRequest, Detail: "The body could not be read.", Cause: err}
	}
	if len(text) > maxForm {
		return "", nil
	}
	// What else is wrong with the form is for the handler to say.
	values, _ := url.ParseQuery(string(text))
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
		return &auth.Error{Kind: auth.ErrMalformed, Code: auth.CodeInvalidRequest}
	}
	return err
}

// putBack is a body of which a part was read before.
type putBack struct {
	io.Reader
	io.Closer
}
