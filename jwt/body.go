package jwt

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
)

// maxBody is the longest request body that is read, in bytes.
const maxBody = 16 << 10

// body is the members of a JSON object, or the fields of a form.
type body map[string]json.RawMessage

// readBody reads the body of a request and puts it back. Its problems are those
// of Django REST framework.
func readBody(r *http.Request) (body, *auth.Problem) {
	read, err := backend.ReadBody(r, maxBody)
	switch {
	case errors.Is(err, backend.ErrBodyTooLong):
		return nil, badBody(http.StatusRequestEntityTooLarge, auth.CodeInvalidRequest, "The body is too long.")
	case err != nil:
		return nil, badBody(http.StatusBadRequest, "parse_error", "The body could not be read.")
	case len(read.Text) == 0:
		return nil, nil
	}
	switch read.Type {
	case backend.TypeJSON:
		members, err := read.Members()
		if err != nil {
			return nil, badBody(http.StatusBadRequest, "parse_error",
				"JSON parse error: not an object, or a member twice.")
		}
		return members, nil
	case backend.TypeForm:
		return fieldsOf(read)
	}
	return nil, badBody(http.StatusUnsupportedMediaType, "unsupported_media_type",
		"The body must be application/json or application/x-www-form-urlencoded.")
}

// fieldsOf returns the fields of a form as members of a JSON object.
func fieldsOf(read backend.Body) (body, *auth.Problem) {
	fields, err := read.Form()
	if err != nil {
		return nil, badBody(http.StatusBadRequest, "parse_error", "The form could not be read.")
	}
	b := make(body, len(fields))
	for name, values := range fields {
		if len(values) > 1 {
			return nil, badBody(http.StatusBadRequest, "parse_error", "A field is there twice.")
		}
		b[name], _ = json.Marshal(values[0])
	}
	return b, nil
}

func badBody(status int, code, detail string) *auth.Problem {
	return &auth.Problem{Status: status, Code: code, Detail: detail}
}

// text returns a member that is a string, without spaces around it, or "".
func (b body) text(name string) string {
	text, _ := unquote(string(b[name]))
	return strings.TrimSpace(text)
}

// faults says which of these members are missing or not a string, in the words
// of Django REST framework. It returns nil if all are there.
func (b body) faults(names ...string) *auth.Problem {
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
	return &auth.Problem{Status: http.StatusBadRequest, Code: "invalid", Detail: "Invalid input.", Extensions: says}
}
