package backend

import (
	"bytes"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/gatewarden/auth"
)

// This file reads forms of several parts (RFC 7578), and refuses bodies of other types.

// AcceptedTypes are the types that [Fields] reads, as the Accept header of an answer has
// them (RFC 9110 §12.5.1).
const AcceptedTypes = TypeJSON + ", " + TypeForm + ", " + TypeMultipart

var (
	errParts = malformed("The body is not a form.",
		"the Content-Type is multipart/form-data, and the body breaks its syntax (RFC 7578)")
	errPartName = malformed("The name of a field must be plain.",
		"a part of the form has the parameter name*, which RFC 7578 §4.2 does not know")
	errPartCharset = malformed("A field is in another charset than UTF-8.",
		"a part of the form names another charset than UTF-8, and its bytes are not all ASCII")
	errPartEncoding = malformed("A field is encoded.",
		"a part of the form has a Content-Transfer-Encoding, which RFC 7578 §4.7 has done away with")
	errFile = malformed("A field must not be a file.",
		"the body of the request has a file where a text is expected")
)

// UnsupportedLoginType returns the refusal of a body with a type that is not read. It is
// auth.ErrNoCredentials with status 415 and an Accept header in the answer (RFC 9110
// §15.5.16): the next backend is asked, which may not need the body.
func UnsupportedLoginType(r *http.Request) error {
	return &unsupportedType{&auth.Error{Kind: auth.ErrNoCredentials, Status: http.StatusUnsupportedMediaType,
		Code:   CodeUnsupportedType,
		Detail: "The body must be " + TypeJSON + ", " + TypeForm + " or " + TypeMultipart + ", in UTF-8.",
		Cause:  contentType(r.Header["Content-Type"])}, AcceptedTypes}
}

// CodeUnsupportedType is the code of the answer to a body of another type.
const CodeUnsupportedType = "unsupported_media_type"

// unsupportedType is an error that sets the Accept header of the answer.
type unsupportedType struct {
	stated *auth.Error
	accept string
}

var _ auth.HeaderSetter = (*unsupportedType)(nil)

func (e *unsupportedType) Error() string { return e.stated.Error() }

func (e *unsupportedType) Unwrap() error { return e.stated }

// SetHeaders implements [auth.HeaderSetter].
func (e *unsupportedType) SetHeaders(h http.Header) { h.Set("Accept", e.accept) }

// UnsupportedBodyType is UnsupportedLoginType for a handler that reads bodies of the types that
// accepted names, such as [TypeJSON], for a request that is proved. It is auth.ErrMalformed with
// status 415.
func UnsupportedBodyType(r *http.Request, accepted string) error {
	return &unsupportedType{&auth.Error{Kind: auth.ErrMalformed, Status: http.StatusUnsupportedMediaType,
		Code: CodeUnsupportedType, Detail: "The body must be " + accepted + ", in UTF-8.",
		Cause: contentType(r.Header["Content-Type"])}, accepted}
}

// contentType is the Content-Type lines of a request with a body that is not read.
type contentType []string

func (lines contentType) Error() string {
	switch len(lines) {
	case 0:
		return "the request has a body and no Content-Type"
	case 1:
		return fmt.Sprintf("the Content-Type is %.200q", lines[0])
	}
	return fmt.Sprintf("there are %d Content-Type headers", len(lines))
}

// part is a part of a form.
type part struct {
	name, value string
	file        bool
	ascii       bool // it names a charset that is read as far as it is ASCII
}

// parts reads a form of several parts. It takes no encoding of a part but its bytes: RFC
// 7578 §4.7 has done away with others. A part in US-ASCII or ISO-8859-1 must be ASCII.
func (b Body) parts() ([]part, error) {
	if b.boundary == "" || len(b.boundary) > 70 { // RFC 2046 §5.1.1
		return nil, errParts
	}
	var all []part
	reader := multipart.NewReader(bytes.NewReader(b.Text), b.boundary)
	for {
		next, err := reader.NextRawPart()
		if err == io.EOF && (len(all) > 0 || bytes.Contains(b.Text, []byte("--"+b.boundary+"--"))) {
			return all, nil
		}
		if err != nil {
			return nil, errParts
		}
		p, err := readPart(next)
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
}

// readPart reads a part, without the content of a file.
func readPart(from *multipart.Part) (part, error) {
	p, err := partOf(from.Header)
	if err != nil || p.file {
		return p, err
	}
	text, err := io.ReadAll(from)
	if err != nil {
		return p, errParts
	}
	if p.value = string(text); p.ascii && strings.ContainsFunc(p.value, isNotASCII) {
		return p, errPartCharset
	}
	return p, nil
}

// partOf reads the headers of a part (RFC 7578 §4.2). A file is a part with a file name.
func partOf(h textproto.MIMEHeader) (p part, err error) {
	disposition := h["Content-Disposition"]
	if len(disposition) != 1 {
		return p, errParts
	}
	kind, params, err := mime.ParseMediaType(disposition[0])
	if err != nil || kind != "form-data" {
		return p, errParts
	}
	if hasExtendedName(disposition[0]) {
		return p, errPartName
	}
	name, named := params["name"]
	if p.name = name; !named {
		return p, errParts
	}
	if _, p.file = params["filename"]; p.file {
		return p, nil
	}
	if len(h["Content-Transfer-Encoding"]) > 1 {
		return p, errParts
	}
	if encoding := h.Get("Content-Transfer-Encoding"); encoding != "" &&
		!strings.EqualFold(encoding, "7bit") && !strings.EqualFold(encoding, "8bit") &&
		!strings.EqualFold(encoding, "binary") {
		return p, errPartEncoding
	}
	p.ascii, err = partCharset(h["Content-Type"])
	return p, err
}

// partCharset reads the Content-Type of a part, and reports whether it is read only as far as
// it is ASCII. Clients in Java name such a charset by default.
func partCharset(lines []string) (ascii bool, err error) {
	if len(lines) == 0 {
		return false, nil
	}
	_, params, err := mime.ParseMediaType(lines[0])
	if err != nil || len(lines) > 1 {
		return false, errParts
	}
	switch strings.ToLower(params["charset"]) {
	case "", "utf-8", "utf8":
		return false, nil
	case "us-ascii", "ascii", "iso-8859-1", "latin1", "windows-1252":
		return true, nil
	}
	return false, errPartCharset
}

func isNotASCII(c rune) bool { return c >= utf8.RuneSelf }

// hasExtendedName reports a parameter "name*" (RFC 8187), which package mime takes for "name".
func hasExtendedName(disposition string) bool {
	var plain strings.Builder // without what is in quotes
	quoted := false
	for i := 0; i < len(disposition); i++ {
		switch c := disposition[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case !quoted:
			plain.WriteByte(c)
		}
	}
	for param := range strings.SplitSeq(plain.String(), ";") {
		name, _, _ := strings.Cut(param, "=")
		if strings.HasPrefix(strings.ToLower(strings.TrimSpace(name)), "name*") {
			return true
		}
	}
	return false
}

// partValues returns the fields of a form of several parts that are not files.
func (b Body) partValues() (url.Values, error) {
	all, err := b.parts()
	if err != nil {
		return nil, err
	}
	values := make(url.Values)
	for _, p := range all {
		if !p.file {
			values.Add(p.name, p.value)
		}
	}
	for _, p := range all { // a reader that takes the last part of a name would see the file
		if p.file && values.Has(p.name) {
			return nil, errFile
		}
	}
	return values, nil
}

func (f Fields) fromParts(body Body) error {
	all, err := body.parts()
	if err != nil {
		return err
	}
	for _, p := range all {
		for i := range f {
			switch {
			case f[i].Name != p.name:
			case p.file:
				return errFile
			case f[i].Set:
				return errTwice
			case !utf8.ValidString(p.value):
				return errNotUTF8
			default:
				f[i].Value, f[i].Set = p.value, true
			}
		}
	}
	return nil
}
