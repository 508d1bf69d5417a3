// Package body reads what a request proves itself by from its body, and leaves the
// body to be read again by the handler.
package backend

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gatewarden/auth"
)

var (
	errLongBody   error = &auth.Error{Kind: auth.ErrMalformed, Detail: "The body is longer than 8192 bytes."}
	errUnreadable error = &auth.Error{Kind: auth.ErrMalformed, Detail: "The body could not be read."}
	errNotUTF8    error = &auth.Error{Kind: auth.ErrMalformed, Detail: "The body is not UTF-8."}
	errNotJSON    error = &auth.Error{Kind: auth.ErrMalformed, Detail: "The body is not JSON."}
	errNotForm    error = &auth.Error{Kind: auth.ErrMalformed, Detail: "The body is not a form."}
	errNotText    error = &auth.Error{Kind: auth.ErrMalformed, Detail: "A field that must be a string is none."}
	errTwice      error = &auth.Error{Kind: auth.ErrMalformed, Detail: "A field must not be repeated."}
)

// Fields are what is looked for in a body.
type Fields []Field

// Field is a member of an object, or a parameter of a form, that is a string.
type Field struct {
	Name, Value string
	Set         bool // it was there
}

// maxBody is the longest body that is read, in bytes.
const maxBody = 8 << 10

// From reads the fields from the body of r and puts it back. If the body is of
// another type than JSON or a form in UTF-8, or empty, it returns
// auth.ErrNoCredentials. A field that is there twice, or is no string, is
// auth.ErrMalformed.
func (f Fields) From(r *http.Request) error {
	read := reader(r)
	if read == nil {
		return auth.ErrNoCredentials
	}
	body, err := takeBody(r)
	if err != nil {
		return err
	}
	if len(body) == 0 {
		return auth.ErrNoCredentials
	}
	return read(body, f)
}

// named returns the field of that very name, or nil.
func (f Fields) named(name string) *Field {
	for i := range f {
		if f[i].Name == name {
			return &f[i]
		}
	}
	return nil
}

// reader returns the function that reads a body of the request's type, or nil
// if it is none that is read.
func reader(r *http.Request) func(body []byte, found Fields) error {
	lines := r.Header["Content-Type"]
	if r.Method != http.MethodPost || r.Body == nil || len(lines) != 1 {
		return nil
	}
	kind, params, err := mime.ParseMediaType(lines[0])
	if err != nil {
		return nil
	}
	if charset, ok := params["charset"]; ok && !strings.EqualFold(charset, "utf-8") {
		return nil
	}
	switch kind {
	case "application/json":
		return readJSON
	case "application/x-www-form-urlencoded":
		return readForm
	}
	return nil
}

// takeBody returns the body of r and puts it back, to be read again from its
// start: with the error that ended it if one did, and with what follows if it
// is too long.
func takeBody(r *http.Request) ([]byte, error) {
	original := r.Body
	body, err := io.ReadAll(io.LimitReader(original, maxBody+1))
	again := io.Reader(bytes.NewReader(body))
	if err != nil || len(body) > maxBody {
		rest := io.Reader(original)
		if err != nil {
			rest = failing{err}
		}
		again = io.MultiReader(again, rest)
	}
	r.Body = putBack{again, original}
	var tooLong *http.MaxBytesError // a limit further out
	switch {
	case len(body) > maxBody, errors.As(err, &tooLong):
		return nil, errLongBody
	case err != nil && r.Context().Err() != nil:
		return nil, &auth.Error{Cause: r.Context().Err()}
	case err != nil:
		return nil, errUnreadable
	}
	return body, nil
}

// putBack is a body that was read and can be read again.
type putBack struct {
	io.Reader
	io.Closer
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// readJSON finds the fields among the members of an object (RFC 8259).
// Unmarshal into a struct would take "Username" for "username", let the last
// of two win, and put U+FFFD for what it cannot read.
func readJSON(body []byte, found Fields) error {
	if !utf8.Valid(body) {
		return errNotUTF8
	}
	if !json.Valid(body) {
		return errNotJSON
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	if start, err := decoder.Token(); err != nil || start != json.Delim('{') {
		return nil // a value that has no members
	}
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return errNotJSON
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return errNotJSON
		}
		text, _ := name.(string)
		f := found.named(text)
		switch {
		case f == nil:
			continue
		case f.Set:
			return errTwice
		case value[0] != '"':
			return errNotText
		case hasLoneSurrogate(value) || json.Unmarshal(value, &f.Value) != nil:
			return errNotJSON
		}
		f.Set = true
	}
	return nil
}

// hasLoneSurrogate reports a \u escape of half a character in a JSON string.
func hasLoneSurrogate(text []byte) bool {
	unit := func(i int) uint64 { // the UTF-16 unit escaped at i, or 0
		if i+6 > len(text) || text[i] != '\\' || text[i+1] != 'u' {
			return 0
		}
		n, _ := strconv.ParseUint(string(text[i+2:i+6]), 16, 16)
		return n
	}
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' {
			continue
		}
		switch first := unit(i); {
		case first < 0xd800 || first > 0xdfff:
			i++ // past the escaped character, which may be a backslash
		case first < 0xdc00 && unit(i+6) >= 0xdc00 && unit(i+6) <= 0xdfff:
			i += 11
		default:
			return true
		}
	}
	return false
}

// readForm finds the fields among the parameters of a form (URL Standard §5.1).
func readForm(body []byte, found Fields) error {
	values, err := url.ParseQuery(string(body))
	if err != nil {
		return errNotForm
	}
	for i := range found {
		switch given := values[found[i].Name]; {
		case len(given) > 1:
			return errTwice
		case len(given) == 1:
			if !utf8.ValidString(given[0]) {
				return errNotUTF8
			}
			found[i].Value, found[i].Set = given[0], true
		}
	}
	return nil
}
