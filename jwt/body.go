package jwt

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
)

// maxBody is the longest request body that is read, in bytes.
const maxBody = 16 << 10

// body is the members of a JSON object, or the fields of a form.
type body map[string]json.RawMessage

// What is told of a body that cannot be read, in the words of Django REST framework.
var (
	errBodyTooLong = badBody(http.StatusRequestEntityTooLarge, auth.CodeInvalidRequest, "The body is too long.",
		errors.New("the body is longer than 16 KiB"))
	errBodyJSON = badBody(http.StatusBadRequest, codeParse, "JSON parse error: not an object, or a member twice.",
		errors.New("the body is not a JSON object in UTF-8, or has a member twice"))
	errBodyForm = badBody(http.StatusBadRequest, codeParse, "The form could not be read.",
		errors.New("the body is not a form, though its Content-Type says so"))
	errFieldTwice = badBody(http.StatusBadRequest, codeParse, "A field is there twice.",
		errors.New("a field of the form is there twice"))
	errBodyType = badBody(http.StatusUnsupportedMediaType, codeType,
		"The body must be application/json, application/x-www-form-urlencoded or multipart/form-data, in UTF-8.",
		wrongType{})
)

const (
	codeParse = "parse_error"
	codeType  = "unsupported_media_type"
)

// badBody is the error for a body. The caller of a handler is at fault, not a token.
func badBody(status int, code, detail string, why error) *auth.Error {
	return &auth.Error{Kind: auth.ErrMalformed, Status: status, Code: code, Detail: detail, Cause: badBodyCause{why}}
}

// badBodyCause marks the errors of badBody. Their answers have no challenge.
type badBodyCause struct{ error }

// Unwrap returns what is wrong with the body.
func (c badBodyCause) Unwrap() error { return c.error }

// wrongType is a body of a type that is not read. It names those that are, in the Accept
// header of the answer (RFC 9110 §15.5.16).
type wrongType struct{}

var _ auth.HeaderSetter = wrongType{}

func (wrongType) Error() string {
	return "the Content-Type of the body is missing, repeated, of another charset than UTF-8, or neither JSON nor a " +
		"form"
}

// SetHeaders implements [auth.HeaderSetter].
func (wrongType) SetHeaders(h http.Header) { h.Set("Accept", backend.AcceptedTypes) }

// withoutChallenge leaves the challenge out of the answer to a bad body.
func withoutChallenge(_ *http.Request, p *auth.Problem) {
	if bad := (badBodyCause{}); errors.As(p.Err, &bad) {
		p.Challenges = nil
	}
}

// readBody reads the body of a request and puts it back.
func readBody(r *http.Request) (body, error) {
	read, err := backend.ReadBody(r, maxBody)
	switch {
	case errors.Is(err, backend.ErrBodyTooLong):
		return nil, errBodyTooLong
	case err != nil && auth.KindOf(err) != auth.ErrMalformed:
		return nil, err
	case err != nil:
		return nil, badBody(http.StatusBadRequest, codeParse, "The body could not be read.", err)
	case len(read.Text) == 0:
		return nil, nil
	}
	switch read.Type {
	case backend.TypeJSON:
		members, err := read.Members()
		if err != nil {
			return nil, errBodyJSON
		}
		return members, nil
	case backend.TypeForm, backend.TypeMultipart:
		return fieldsOf(read)
	}
	return nil, errBodyType
}

// fieldsOf returns the fields of a form as members of a JSON object.
func fieldsOf(read backend.Body) (body, error) {
	fields, err := read.Form()
	if err != nil {
		return nil, errBodyForm
	}
	b := make(body, len(fields))
	for name, values := range fields {
		if len(values) > 1 {
			return nil, errFieldTwice
		}
		b[name], _ = json.Marshal(values[0])
	}
	return b, nil
}

// text returns a member that is a string, without spaces around it, or "".
func (b body) text(name string) string {
	text, _ := unquote(string(b[name]))
	return strings.TrimSpace(text)
}

// faults says which of these members are missing or not a string, in the words
// of Django REST framework. It returns nil if all are there.
func (b body) faults(names ...string) error {
	says := make(map[string]any)
	for _, name := range names {
		value, ok := b[name]
		_, isText := unquote(string(value))
		switch {
		case !ok:
			says[name] = []string{"This field is required."}
		case string(value) == "null":
			says[name] = []string{"This field may not be null."}
		case !isText:
			says[name] = []string{"Not a valid string."}
		case b.text(name) == "":
			says[name] = []string{"This field may not be blank."}
		}
	}
	if len(says) == 0 {
		return nil
	}
	bad := badBody(http.StatusBadRequest, "invalid", "Invalid input.", badFields(says))
	bad.Extensions = says
	return bad
}

// badFields are members of a body that are missing or not a string, and what is told of
// each.
type badFields map[string]any

func (f badFields) Error() string {
	text := "members of the body are refused"
	for _, name := range slices.Sorted(maps.Keys(f)) {
		text += fmt.Sprintf(", %s: %v", name, f[name])
	}
	return text
}
