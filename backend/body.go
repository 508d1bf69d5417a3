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

// Errors of [ReadBody] and of what reads a [Body]. All are auth.ErrMalformed.
var (
	ErrBodyTooLong = malformed("The body is too long.",
		"the body of the request is longer than the handler reads (8 KiB where it has credentials)")

	errUnreadable = malformed("The body could not be read.", "reading the body of the request failed: the client "+
		"sent less than it announced, or another handler had read the body before")
	errNotUTF8 = malformed("The body is not UTF-8.", "the body of the request has bytes that are not UTF-8")
	errNotJSON = malformed("The body is not JSON.", "the Content-Type is application/json, and the body is not "+
		"JSON")
	errHalfCharacter = malformed("A string has half a character.",
		"a JSON string escapes one half of a UTF-16 surrogate pair (RFC 8259 §8.2)")
	errNotObject = malformed("The body is not a JSON object.", "the body of the request is JSON, and not an object")
	errNotForm   = malformed("The body is not a form.", "the Content-Type is of a form, and the body breaks its syntax")
	errNotText   = malformed("A field that must be a string has another type.",
		"a member that must be a JSON string is of another type")
	errTwice = malformed("A field must not be repeated.",
		"the body of the request has a field twice, and two readers could take different ones")
)

// malformed returns a refusal with a sentence for the client and one for the log.
func malformed(detail, why string) error {
	return &auth.Error{Kind: auth.ErrMalformed, Detail: detail, Cause: errors.New(why)}
}

// The media types of bodies that are read.
const (
	TypeJSON = "application/json"
	TypeForm = "application/x-www-form-urlencoded"
	// TypeMultipart is a form of several parts (RFC 7578). Files in it are not read.
	TypeMultipart = "multipart/form-data"
)

// Body is the body of a request, read whole.
type Body struct {
	// Type is the media type in lower case, or "" if there is not exactly one valid
	// Content-Type, or its charset is not UTF-8.
	Type string
	Text []byte

	boundary string // of TypeMultipart
}

// maxBody bounds every limit, in bytes: a body is held in memory.
const maxBody = 64 << 20

// ReadBody reads the body of r, of at most limit bytes, and puts it back, so that
// the next reader starts from its beginning, whatever the outcome. A longer one is
// ErrBodyTooLong, and one that cannot be read is auth.ErrMalformed too, unless the
// request has ended: that is an outage. A limit over 64 MiB is 64 MiB.
func ReadBody(r *http.Request, limit int64) (Body, error) {
	kind, params := mediaType(r.Header["Content-Type"])
	b := Body{Type: kind, boundary: params["boundary"]}
	if r.Body == nil {
		return b, nil
	}
	limit = min(limit, maxBody)
	original := r.Body
	text, err := io.ReadAll(io.LimitReader(original, limit+1))
	again := io.Reader(bytes.NewReader(text))
	if err != nil || int64(len(text)) > limit {
		rest := io.Reader(original)
		if err != nil {
			rest = failing{err}
		}
		again = io.MultiReader(again, rest)
	}
	r.Body = putBack{again, original}
	var tooLong *http.MaxBytesError // of a limit further out
	switch {
	case int64(len(text)) > limit, errors.As(err, &tooLong):
		return b, ErrBodyTooLong
	case err != nil && r.Context().Err() != nil:
		return b, Outage(r.Context().Err())
	case err != nil:
		return b, errUnreadable
	}
	b.Text = text
	return b, nil
}

// HasForm reports a request with a header that says that its body is a form.
func HasForm(r *http.Request) bool {
	kind, _ := mediaType(r.Header["Content-Type"])
	return kind == TypeForm || kind == TypeMultipart
}

// mediaType returns the media type of a body in UTF-8 and its parameters, or "".
func mediaType(lines []string) (kind string, params map[string]string) {
	if len(lines) != 1 {
		return "", nil
	}
	kind, params, err := mime.ParseMediaType(lines[0])
	charset, ok := params["charset"]
	if err != nil || ok && !strings.EqualFold(charset, "utf-8") && !strings.EqualFold(charset, "utf8") {
		return "", nil
	}
	return kind, params
}

// putBack is a body that was read and can be read again.
type putBack struct {
	io.Reader
	io.Closer
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// Members returns the members of a JSON object (RFC 8259), under their exact
// names. It is auth.ErrMalformed if the text is not a JSON object in UTF-8, or has
// a member twice. encoding/json alone would take "Username" for "username" and
// let the last of two win.
func (b Body) Members() (map[string]json.RawMessage, error) {
	if !utf8.Valid(b.Text) {
		return nil, errNotUTF8
	}
	if !json.Valid(b.Text) {
		return nil, errNotJSON
	}
	decoder := json.NewDecoder(bytes.NewReader(b.Text))
	if start, err := decoder.Token(); err != nil || start != json.Delim('{') {
		return nil, errNotObject
	}
	members := make(map[string]json.RawMessage)
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return nil, errNotJSON
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return nil, errNotJSON
		}
		text, _ := name.(string)
		if _, ok := members[text]; ok {
			return nil, errTwice
		}
		members[text] = value
	}
	return members, nil
}

// Form returns the fields of a form of TypeForm (URL Standard §5.1) or TypeMultipart
// (RFC 7578), without files. It is auth.ErrMalformed if the text is not one. Values may
// be of any bytes.
func (b Body) Form() (url.Values, error) {
	if b.Type == TypeMultipart {
		return b.partValues()
	}
	values, err := url.ParseQuery(string(b.Text))
	if err != nil {
		return nil, errNotForm
	}
	return values, nil
}

// Text returns a member that is a JSON string. It is auth.ErrMalformed if it has
// another type, or escapes half a character.
func Text(member json.RawMessage) (string, error) {
	if len(member) == 0 || member[0] != '"' {
		return "", errNotText
	}
	var text string
	if hasLoneSurrogate(member) {
		return "", errHalfCharacter
	}
	if json.Unmarshal(member, &text) != nil {
		return "", errNotJSON
	}
	return text, nil
}

// Fields are strings that are looked for in a body: members of a JSON object, or
// fields of a form.
type Fields []Field

// Field is one of [Fields].
type Field struct {
	Name, Value string
	Set         bool // it was there
}

// maxFields is the longest body that Fields reads, in bytes.
const maxFields = 8 << 10

// From reads the fields from the body of a POST, of at most 8 KiB, and puts it
// back. No body, and an empty one, is auth.ErrNoCredentials. A body of another type
// than TypeJSON, TypeForm or TypeMultipart in UTF-8, and one without a type, is
// auth.ErrNoCredentials too, with status 415: see [UnsupportedLoginType]. A field that is
// repeated, not a string, or a file is auth.ErrMalformed. JSON that is no object has no
// fields.
func (f Fields) From(r *http.Request) error {
	for i := range f {
		f[i].Value, f[i].Set = "", false // of an earlier request
	}
	if r.Method != http.MethodPost || r.Body == nil || r.Body == http.NoBody {
		return auth.ErrNoCredentials
	}
	body, err := ReadBody(r, maxFields)
	switch {
	case err == nil && len(body.Text) == 0:
		return auth.ErrNoCredentials
	case !isRead(body.Type):
		return UnsupportedLoginType(r)
	case err != nil:
		return err
	case body.Type == TypeJSON:
		return f.fromJSON(body)
	case body.Type == TypeMultipart:
		return f.fromParts(body)
	}
	return f.fromForm(body)
}

// FromLogin is From for a backend. It reads no body of another type, and states the 415
// only at a login: see [auth.AtLogin]. Elsewhere the body may be an upload.
func (f Fields) FromLogin(r *http.Request) error {
	kind, _ := mediaType(r.Header["Content-Type"])
	if (!isRead(kind) || kind == TypeMultipart) && !auth.AtLogin(r.Context()) {
		return auth.ErrNoCredentials
	}
	return f.From(r)
}

// isRead reports a media type that Fields reads.
func isRead(kind string) bool { return kind == TypeJSON || kind == TypeForm || kind == TypeMultipart }

func (f Fields) fromJSON(body Body) error {
	members, err := body.Members()
	if errors.Is(err, errNotObject) {
		return nil // a value that has no members
	}
	if err != nil {
		return err
	}
	for i := range f {
		member, ok := members[f[i].Name]
		if !ok {
			continue
		}
		if f[i].Value, err = Text(member); err != nil {
			return err
		}
		f[i].Set = true
	}
	return nil
}

func (f Fields) fromForm(body Body) error {
	values, err := body.Form()
	if err != nil {
		return err
	}
	for i := range f {
		given := values[f[i].Name]
		if len(given) == 0 {
			continue
		}
		if len(given) > 1 {
			return errTwice
		}
		if !utf8.ValidString(given[0]) {
			return errNotUTF8
		}
		f[i].Value, f[i].Set = given[0], true
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
