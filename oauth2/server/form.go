package server

import (
	"errors"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/internal/cause"
)

// maxBody is the longest body, or query, that is read, in bytes.
const maxBody = 64 << 10

// Form are the parameters of a request. Only "resource" may be there twice (RFC
// 8707 §2), and one without a value counts as missing (RFC 6749 §3.1, §3.2). It
// does not show them when it is printed: codes, tokens and secrets are among them.
type Form struct{ values func() url.Values }

// NewForm returns a Form, for tests of a [GrantType] of your own.
func NewForm(values url.Values) Form {
	return Form{func() url.Values { return values }}
}

// Get returns the value of a parameter, or "".
func (f Form) Get(name string) string {
	if all := f.All(name); len(all) > 0 {
		return all[0]
	}
	return ""
}

// All returns the values of a parameter that may be there several times.
func (f Form) All(name string) []string {
	if f.values == nil {
		return nil
	}
	return f.values()[name]
}

var errLongBody = &Error{Code: CodeInvalidRequest, Description: "The body is too long.",
	Status: http.StatusRequestEntityTooLarge, Cause: errors.New("the body or the query is longer than 65536 bytes")}

func errNoForm(cause error) *Error {
	return refuse(CodeInvalidRequest, "The body must be application/x-www-form-urlencoded.", cause)
}

func errTwice(name string) *Error {
	return refuse(CodeInvalidRequest, "A parameter must not be there twice.",
		failedValue("a parameter is repeated", name))
}

func errNotText(name string) *Error {
	return refuse(CodeInvalidRequest, "A parameter is not UTF-8, or has a NUL.",
		failedValue("a parameter is not UTF-8, or has a NUL", name))
}

// bodyForm reads the body of a POST of a client: its type first, then its size, then what is
// twice. A "resource" may be there twice, and so may the fields that are named. RFC 6749 §3.2 has
// forms of one type. Clients of django-oauth-toolkit send multipart/form-data too (RFC 7578).
// Files in it are not read.
func bodyForm(r *http.Request, repeatable ...string) (Form, error) {
	values, err := bodyValuesOf(r, backend.TypeForm, backend.TypeMultipart)
	if err != nil {
		return Form{}, err
	}
	return single(values, repeatable)
}

// isForm reports a request with a form as its body. Some clients name another charset
// than UTF-8 and write ASCII.
func isForm(r *http.Request) bool { return hasType(r, backend.TypeForm) }

// hasType reports a request with a body of one of these media types.
func hasType(r *http.Request, types ...string) bool {
	lines := r.Header["Content-Type"]
	if len(lines) != 1 {
		return false
	}
	kind, _, err := mime.ParseMediaType(lines[0])
	return err == nil && slices.Contains(types, kind) && r.Header.Get("Content-Encoding") == ""
}

// bodyValues reads the body of a POST of a browser as it is, and puts it back: a backend of the
// guard may look for its credential there.
func bodyValues(r *http.Request) (url.Values, error) { return bodyValuesOf(r, backend.TypeForm) }

// bodyValuesOf is bodyValues for a body of one of these media types.
func bodyValuesOf(r *http.Request, types ...string) (url.Values, error) {
	if !hasType(r, types...) {
		return nil, errNoForm(failedValue("the Content-Type is not a form, is there twice, or has a Content-Encoding",
			r.Header.Get("Content-Type")))
	}
	body, err := backend.ReadBody(r, maxBody)
	switch {
	case errors.Is(err, backend.ErrBodyTooLong):
		return nil, errLongBody
	case auth.KindOf(err) == auth.ErrMalformed:
		return nil, refuse(CodeInvalidRequest, "The body could not be read.", err)
	case err != nil:
		return nil, err
	}
	values, err := body.Form()
	if err != nil {
		return nil, errNoForm(&cause.Reason{Check: "the form of the body is badly encoded", Err: err})
	}
	return values, nil
}

// single makes a Form of values.
func single(values url.Values, repeatable []string) (Form, error) {
	form := make(url.Values, len(values))
	for name, all := range values {
		if len(all) > 1 && name != "resource" && !slices.Contains(repeatable, name) {
			return Form{}, errTwice(name)
		}
		for _, value := range all {
			if !isText(value) || !isText(name) {
				return Form{}, errNotText(name)
			}
			if value != "" {
				form[name] = append(form[name], value)
			}
		}
	}
	return NewForm(form), nil
}

// isText reports what every store can keep and every page show.
func isText(value string) bool { return utf8.ValidString(value) && strings.IndexByte(value, 0) < 0 }

// allowPost answers other methods than POST, and reports whether to go on.
func (s *Server) allowPost(w http.ResponseWriter, r *http.Request) bool {
	if r.Method == http.MethodPost {
		return true
	}
	s.report(r, http.StatusMethodNotAllowed, wrongMethod("The method must be POST.", r))
	w.Header().Set("Allow", "POST")
	answerJSON(w, http.StatusMethodNotAllowed, map[string]string{"error": CodeInvalidRequest,
		"error_description": "The method must be POST."})
	return false
}

// wrongMethod refuses a request of a method that an endpoint does not have.
func wrongMethod(description string, r *http.Request) *Error {
	return &Error{Code: CodeInvalidRequest, Description: description, Status: http.StatusMethodNotAllowed,
		Cause: failedValue("the method is not one of the endpoint", r.Method)}
}

// allowEverywhere lets pages of every origin read the answers of an endpoint that
// takes no cookies, and answers their preflight requests.
func allowEverywhere(methods string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Access-Control-Allow-Origin", "*")
		if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
			h.Set("Access-Control-Allow-Methods", methods)
			h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type")
			h.Set("Access-Control-Max-Age", "3600")
			w.WriteHeader(http.StatusNoContent)
			return
		}
		h.Set("Access-Control-Expose-Headers", "WWW-Authenticate, Retry-After")
		next.ServeHTTP(w, r)
	})
}
