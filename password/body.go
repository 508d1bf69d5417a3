package password

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/gatewarden/auth"
)

// maxBody is the longest login body that is read, in bytes.
const maxBody = 8 << 10

func malformed(detail string) error { return &auth.Error{Kind: auth.ErrMalformed, Detail: detail} }

var (
	errBodySize   = malformed("The login body is longer than 8 KiB.")
	errBodySyntax = malformed("The login body is not valid JSON or not a valid form.")
	errBodyFields = malformed("username and password must each be given once, and not be empty.")
	errBodyText   = malformed("username or password is too long or has characters that are not allowed.")
)

// fields are what a login body says.
type fields struct {
	username, password       string
	hasUsername, hasPassword bool
}

func (f *fields) set(name, value string) error {
	switch {
	case name == "username" && !f.hasUsername:
		f.username, f.hasUsername = value, true
	case name == "password" && !f.hasPassword:
		f.password, f.hasPassword = value, true
	default:
		return errBodyFields
	}
	return nil
}

// fromBody reads username and password from the body of a POST: JSON or a
// form. A body of another type, or with neither of the two, is not a login:
// ErrNoCredentials. Whatever was read is put back.
func fromBody(r *http.Request) (username, password string, err error) {
	if r.Method != http.MethodPost || r.Body == nil || r.Body == http.NoBody {
		return "", "", auth.ErrNoCredentials
	}
	mediaType, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	var read func([]byte) (fields, error)
	switch {
	case err != nil:
		return "", "", auth.ErrNoCredentials
	case mediaType == "application/json":
		read = fromJSON
	case mediaType == "application/x-www-form-urlencoded":
		read = fromForm
	default:
		return "", "", auth.ErrNoCredentials
	}
	body, err := peek(r)
	if err != nil {
		return "", "", err
	}
	if charset := params["charset"]; charset != "" && !strings.EqualFold(charset, "utf-8") || !utf8.Valid(body) {
		return "", "", errBodySyntax
	}
	f, err := read(body)
	switch {
	case err != nil:
		return "", "", err
	case !f.hasUsername && !f.hasPassword:
		return "", "", auth.ErrNoCredentials
	case f.username == "" || f.password == "":
		return "", "", errBodyFields
	}
	return f.username, f.password, nil
}

// peek returns the whole body and leaves it to be read again.
func peek(r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	r.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(body), rest{r.Body, err}), r.Body}
	var tooLong *http.MaxBytesError
	switch {
	case errors.As(err, &tooLong) || len(body) > maxBody:
		return nil, errBodySize
	case err != nil: // the client stopped half way
		return nil, &auth.Error{Kind: auth.ErrMalformed, Detail: "The login body could not be read.", Cause: err}
	}
	return body, nil
}

// rest is what follows of a body, or the error at which reading it ended.
type rest struct {
	io.Reader
	err error
}

func (r rest) Read(p []byte) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	return r.Reader.Read(p)
}

// fromJSON reads the members of an object, by their exact names.
func fromJSON(body []byte) (f fields, err error) {
	decoder := json.NewDecoder(bytes.NewReader(body))
	if start, err := decoder.Token(); err != nil || start != json.Delim('{') {
		return f, errBodySyntax
	}
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return f, errBodySyntax
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return f, errBodySyntax
		}
		if name != "username" && name != "password" {
			continue
		}
		var text string
		if value[0] != '"' || json.Unmarshal(value, &text) != nil {
			return f, errBodyFields
		}
		if err := f.set(name.(string), text); err != nil {
			return f, err
		}
	}
	if _, err := decoder.Token(); err != nil {
		return f, errBodySyntax
	}
	if _, err := decoder.Token(); err != io.EOF {
		return f, errBodySyntax
	}
	return f, nil
}

// fromForm reads application/x-www-form-urlencoded.
func fromForm(body []byte) (f fields, err error) {
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return f, errBodySyntax
	}
	for _, name := range []string{"username", "password"} {
		for _, value := range form[name] {
			if err := f.set(name, value); err != nil {
				return f, err
			}
		}
	}
	return f, nil
}

// checkText refuses what no account can have: a store need not cope with a NUL
// byte, nor a hash with a megabyte.
func checkText(username, password string) error {
	control := func(r rune) bool { return r < ' ' || r == 0x7f }
	if len(username) > 255 || len(password) > 4096 || strings.ContainsFunc(username, control) ||
		!utf8.ValidString(username) || !utf8.ValidString(password) || strings.ContainsRune(password, 0) {
		return errBodyText
	}
	return nil
}
