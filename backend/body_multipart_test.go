package backend_test

import (
	"bytes"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"strings"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
)

// parts are a form of parts with the boundary "b". Each has its headers, an empty line and its value.
func parts(all ...string) string {
	var text strings.Builder
	for _, each := range all {
		text.WriteString("--b\r\n" + each + "\r\n")
	}
	return text.String() + "--b--\r\n"
}

// named is a part with a name and a value.
func named(name, value string, headers ...string) string {
	return strings.Join(append(headers, `Content-Disposition: form-data; name="`+name+`"`), "\r\n") + "\r\n\r\n" + value
}

func posted(contentType string, body io.Reader) *http.Request {
	r := httptest.NewRequest("POST", "/", body)
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	return r
}

func TestUnitFieldsOfAFormOfParts(t *testing.T) {
	const parted = "multipart/form-data; boundary=b"
	both := parts(named("username", "alice"), named("password", "p&=\r\n ä"))
	for name, row := range map[string]struct {
		contentType, body  string
		kind               error // nil if both fields are there
		username, password string
	}{
		"both fields":       {parted, both, nil, "alice", "p&=\r\n ä"},
		"with a charset":    {parted + "; charset=utf-8", both, nil, "alice", "p&=\r\n ä"},
		"a quoted boundary": {`multipart/form-data; boundary="b"`, both, nil, "alice", "p&=\r\n ä"},
		"another field is a file": {parted, parts(named("username", "a"), named("password", "b"),
			"Content-Disposition: form-data; name=\"x\"; filename=\"x\"\r\n\r\nfile"), nil, "a", "b"},
		"a part with its own charset": {
			parted, parts(named("username", "a", "Content-Type: text/plain; charset=utf-8"), named("password", "b")),
			nil, "a", "b"},
		"text that looks encoded stays": {parted, parts(named("username", "a%20b"), named("password", "=41")), nil,
			"a%20b", "=41"},
		"a line before the first part": {parted, "ignored\r\n" + both, nil, "alice", "p&=\r\n ä"},
		"no end":                       {parted, strings.TrimSuffix(both, "--b--\r\n"), auth.ErrMalformed, "", ""},
		"no boundary":                  {"multipart/form-data", both, auth.ErrMalformed, "", ""},
		"a boundary of 71": {"multipart/form-data; boundary=" + strings.Repeat("b", 71), both,
			auth.ErrMalformed, "", ""},
		"another boundary": {"multipart/form-data; boundary=c", both, auth.ErrMalformed, "", ""},
		"a field twice": {parted, parts(named("username", "a"), named("username", "b"),
			named("password", "c")), auth.ErrMalformed, "", ""},
		"a field that is a file": {
			parted,
			parts(named("username", "a"), "Content-Disposition: form-data; name=\"password\"; filename=\"x\"\r\n\r\nb"),
			auth.ErrMalformed, "", ""},
		"a part without a disposition": {parted, parts("X: 1\r\n\r\nalice"), auth.ErrMalformed, "", ""},
		"a part of another disposition": {parted, parts("Content-Disposition: attachment; name=\"username\"\r\n\r\na"),
			auth.ErrMalformed, "", ""},
		"a part without a name": {parted, parts("Content-Disposition: form-data\r\n\r\na"),
			auth.ErrMalformed, "", ""},
		"a part in quoted-printable": {
			parted, parts(named("username", "=41", "Content-Transfer-Encoding: quoted-printable"),
				named("password", "b")), auth.ErrMalformed, "", ""},
		"a part in another charset": {
			parted, parts(named("username", "a", "Content-Type: text/plain; charset=utf-7"), named("password", "b")),
			auth.ErrMalformed, "", ""},
		"parts of Java in ASCII": {
			parted, parts(named("username", "a", "Content-Type: text/plain; charset=ISO-8859-1"),
				named("password", "b", "Content-Type: text/plain; charset=US-ASCII")), nil, "a", "b"},
		"Latin-1 that is not ASCII": {
			parted, parts(named("username", "a\xe4", "Content-Type: text/plain; charset=ISO-8859-1"),
				named("password", "b")), auth.ErrMalformed, "", ""},
		"UTF-8 called US-ASCII": {
			parted, parts(named("username", "ä", "Content-Type: text/plain; charset=US-ASCII"), named("password", "b")),
			auth.ErrMalformed, "", ""},
		"two types of a part": {
			parted, parts(named("username", "a", "Content-Type: text/plain", "Content-Type: text/plain"),
				named("password", "b")), auth.ErrMalformed, "", ""},
		"an extended name": {
			parted, parts("Content-Disposition: form-data; name*=utf-8''username\r\n\r\na", named("password", "b")),
			auth.ErrMalformed, "", ""},
		"a name and an extended one": {
			parted, parts("Content-Disposition: form-data; name=\"username\"; Name*0=password\r\n\r\na",
				named("x", "b")), auth.ErrMalformed, "", ""},
		"a star in a name": {parted, parts(named("username", "a"), named("password", "b"),
			named(`x;name*=`, "c")), nil, "a", "b"},
		"a part that is not UTF-8": {parted, parts(named("username", "\xff"), named("password", "b")),
			auth.ErrMalformed, "", ""},
		"longer than 8 KiB": {
			parted, parts(named("username", "a"), named("password", strings.Repeat("b", 9<<10))),
			auth.ErrMalformed, "", ""},
		"nothing":                {parted, "", auth.ErrNoCredentials, "", ""},
		"another charset of all": {parted + "; charset=latin1", both, auth.ErrNoCredentials, "", ""},
		"another type":           {"multipart/mixed; boundary=b", both, auth.ErrNoCredentials, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			found := backend.Fields{{Name: "username"}, {Name: "password"}}
			r := posted(row.contentType, strings.NewReader(row.body))
			err := found.From(r)
			if auth.KindOf(err) != row.kind {
				t.Fatalf("error %v, want the kind %v", err, row.kind)
			}
			var stated *auth.Error
			if err != nil && err != auth.ErrNoCredentials && (!errors.As(err, &stated) || stated.Cause == nil) {
				t.Errorf("%v has no cause", err)
			}
			if err == nil && (found[0].Value != row.username || found[1].Value != row.password) {
				t.Errorf("fields %+v, want %q and %q", found, row.username, row.password)
			}
			if again, err := io.ReadAll(r.Body); err != nil || string(again) != row.body {
				t.Errorf("the body is not put back: %q, %v", again, err)
			}
		})
	}
}

func TestUnitABodyOfAnotherTypeIsTold(t *testing.T) {
	for name, row := range map[string]struct {
		contentType []string
		cause       string
	}{
		"a text": {[]string{"text/plain"}, `the Content-Type is "text/plain"`},
		"a long one": {[]string{"text/" + strings.Repeat("x", 300)}, `the Content-Type is "text/` + strings.Repeat(
			"x", 195) + `"`},
		"no type":     {nil, "the request has a body and no Content-Type"},
		"two of them": {[]string{backend.TypeJSON, backend.TypeJSON}, "there are 2 Content-Type headers"},
	} {
		t.Run(name, func(t *testing.T) {
			r := posted("", strings.NewReader("x"))
			r.Header["Content-Type"] = row.contentType
			err := backend.Fields{{Name: "x"}}.From(r)
			var stated *auth.Error
			if !errors.As(err, &stated) || stated.Status != 415 || stated.Kind != auth.ErrNoCredentials ||
				stated.Cause.Error() != row.cause {
				t.Fatalf("%v, want 415 because %s", err, row.cause)
			}
			h := make(http.Header)
			err.(auth.HeaderSetter).SetHeaders(h)
			if h.Get("Accept") != backend.AcceptedTypes {
				t.Errorf("Accept %q, want %q", h.Get("Accept"), backend.AcceptedTypes)
			}
		})
	}
	empty := posted("text/plain", io.NopCloser(strings.NewReader(""))) // of a length that no header tells
	if err := (backend.Fields{{Name: "x"}}).From(empty); err != auth.ErrNoCredentials {
		t.Errorf("a body that turns out to be empty: %v, want ErrNoCredentials", err)
	}
	unread := posted("application/octet-stream", failingBody{t})
	if err := (backend.Fields{{Name: "x"}}).FromLogin(unread); err != auth.ErrNoCredentials {
		t.Errorf("an upload to a route of the API: %v, want ErrNoCredentials", err)
	}
}

// failingBody fails the test that reads it.
type failingBody struct{ t *testing.T }

func (b failingBody) Read([]byte) (int, error) {
	b.t.Error("a body that is no login was read")
	return 0, io.EOF
}

func TestUnitAPartThatIsRefusedSaysWhy(t *testing.T) {
	for name, row := range map[string]struct{ part, says string }{
		"Latin-1": {named("x", "\xe4", "Content-Type: text/plain; charset=ISO-8859-1"),
			"another charset than UTF-8"},
		"another charset":  {named("x", "a", "Content-Type: text/plain; charset=utf-16"), "another charset than UTF-8"},
		"an extended name": {"Content-Disposition: form-data; name*=utf-8''x\r\n\r\na", "name*"},
		"base64":           {named("x", "YQ==", "Content-Transfer-Encoding: base64"), "Content-Transfer-Encoding"},
	} {
		t.Run(name, func(t *testing.T) {
			err := backend.Fields{{Name: "x"}}.From(
				posted("multipart/form-data; boundary=b", strings.NewReader(parts(row.part))))
			var stated *auth.Error
			if !errors.As(err, &stated) || stated.Kind != auth.ErrMalformed ||
				!strings.Contains(stated.Cause.Error(), row.says) {
				t.Errorf("%v, want a cause with %q", err, row.says)
			}
		})
	}
}

func FuzzMultipart(f *testing.F) {
	f.Add("b", []byte(parts(named("username", "alice"), named("password", "x"))))
	f.Add("b", []byte(parts("Content-Disposition: form-data; name=\"username\"; filename*=UTF-8''x\r\n\r\nb")))
	f.Add("", []byte("----\r\n"))
	f.Add("b", []byte("--b\r\n\r\n"))
	f.Fuzz(func(t *testing.T, boundary string, text []byte) {
		found := backend.Fields{{Name: "username"}, {Name: "password"}}
		r := posted("", bytes.NewReader(text))
		r.Header["Content-Type"] = []string{"multipart/form-data; boundary=\"" + boundary + "\""}
		err := found.From(r)
		if kind := auth.KindOf(err); err != nil && kind != auth.ErrMalformed && kind != auth.ErrNoCredentials {
			t.Fatalf("%v is of another kind", err)
		}
		if again, _ := io.ReadAll(r.Body); !bytes.Equal(again, text) {
			t.Fatalf("the body is not put back")
		}
		if err != nil || !found[0].Set {
			return
		}
		// What was read is what a form that is written with it holds.
		var written bytes.Buffer
		w := multipart.NewWriter(&written)
		part, err := w.CreatePart(textproto.MIMEHeader{"Content-Disposition": {`form-data; name="username"`}})
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(part, found[0].Value)
		w.Close()
		again := backend.Fields{{Name: "username"}}
		if err := again.From(posted(w.FormDataContentType(), &written)); err != nil ||
			again[0].Value != found[0].Value {
			t.Fatalf("%q was read as %q: %v", found[0].Value, again[0].Value, err)
		}
	})
}
