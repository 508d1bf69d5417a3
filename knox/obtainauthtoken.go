package knox

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
)

// ObtainAuthToken returns a handler that answers a login as obtain_auth_token of Django
// REST framework does: POST, 200 with {"token"}. guard is as in [Tokens.Handlers].
//
// A wrong password is 400 with {"non_field_errors": ["Unable to log in with provided
// credentials."]}. A username or password that is missing, null, blank or no string is 400
// with a list of sentences under its name. JSON that is no object is 400 with non_field_errors.
// These members stand beside those of problem+json. A body of another type is 415, and what HTTP
// Basic gets wrong is 401. White space around the username is left out, and around the password
// it counts.
//
// Every login makes another token here. Django REST framework answers with the same one
// each time, which needs the token itself in the database.
func (t *Tokens) ObtainAuthToken(guard *auth.Guard) (http.Handler, error) {
	login, err := t.loginGuard(guard, "ObtainAuthToken")
	if err != nil {
		return nil, err
	}
	login = login.MapProblem(rewordObtain)
	h := handler{t, login}
	endpoint := backend.NewEndpoint(login, login.Require(), backend.Methods{"POST": h.serveObtain})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		endpoint.ServeHTTP(w, trimUsername(r))
	}), nil
}

func (h handler) serveObtain(w http.ResponseWriter, r backend.Request) {
	issued, err := h.issue(r, Options{Name: deviceName(r.Request)})
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	h.sendEvent(r, auth.EventLogin, issued.ID())
	backend.WriteJSON(w, http.StatusOK, map[string]any{"token": issued.Secret.Reveal()})
}

// wrongCredentialsErrors are the members of the answer to credentials that are not right. The
// serializer of Django REST framework writes the same.
var wrongCredentialsErrors = map[string]any{
	"non_field_errors": []string{"Unable to log in with provided credentials."}}

// rewordObtain puts the refusal of a login by its body into the words of Django REST
// framework.
func rewordObtain(r *http.Request, p *auth.Problem) {
	if r.Header.Get("Authorization") != "" || p.Status == http.StatusUnsupportedMediaType {
		return
	}
	var fieldErrors map[string]any
	wrongCredentials := false
	switch auth.KindOf(p.Err) {
	case auth.ErrNoCredentials, auth.ErrMalformed:
		fieldErrors = fieldErrorsOf(r, true)
	case auth.ErrInvalid:
		if fieldErrors = fieldErrorsOf(r, false); fieldErrors == nil {
			wrongCredentials, fieldErrors = true, wrongCredentialsErrors
		}
	}
	if fieldErrors == nil {
		return // such as a body that is not JSON, of which the login backend has said enough
	}
	p.Status, p.Code, p.Detail, p.Challenges = http.StatusBadRequest, "invalid", "Invalid input.", nil
	p.Extensions = fieldErrors
	if wrongCredentials {
		p.Code, p.Detail = "authorization", "Unable to log in with provided credentials."
	}
}

// fieldErrorsOf returns what is wrong with username and password in the body of r, or
// nil if that is nothing, or the body cannot be read. A field that is missing counts where
// both are required: a login backend may read others.
func fieldErrorsOf(r *http.Request, required bool) map[string]any {
	body, err := backend.ReadBody(r, maxBody)
	if err != nil {
		return nil
	}
	if text := notAnObjectDetail(body); text != "" {
		return map[string]any{"non_field_errors": []string{text}}
	}
	fields, ok := membersOf(body)
	if !ok {
		return nil
	}
	fieldErrors := make(map[string]any)
	for _, name := range []string{"username", "password"} {
		value, found := fields[name]
		text, err := backend.Text(value)
		switch {
		case !found && required:
			fieldErrors[name] = []string{"This field is required."}
		case !found:
		case string(value) == "null":
			fieldErrors[name] = []string{"This field may not be null."}
		case err != nil:
			fieldErrors[name] = []string{"Not a valid string."}
		case text == "":
			fieldErrors[name] = []string{"This field may not be blank."}
		}
	}
	if len(fieldErrors) == 0 {
		return nil
	}
	return fieldErrors
}

// notAnObjectDetail returns the sentence of Django REST framework for a JSON body that is not an
// object. It names the type as Python does. It returns "" for an object, for an empty body, and for
// a body that is not JSON.
func notAnObjectDetail(body backend.Body) string {
	text := bytes.TrimLeft(body.Text, " \t\r\n")
	if body.Type != backend.TypeJSON || len(text) == 0 || !json.Valid(text) {
		return ""
	}
	kind := "int"
	switch text[0] {
	case '{':
		return ""
	case 'n':
		return "No data provided"
	case '[':
		kind = "list"
	case '"':
		kind = "str"
	case 't', 'f':
		kind = "bool"
	default:
		if bytes.ContainsAny(text, ".eE") {
			kind = "float"
		}
	}
	return "Invalid data. Expected a dictionary, but got " + kind + "."
}

// trimUsername returns r with the username in its body as a CharField of Django REST framework
// reads it. A body that is not understood stays as it is, for the login to refuse.
func trimUsername(r *http.Request) *http.Request {
	body, err := backend.ReadBody(r, maxBody)
	if err != nil {
		return r
	}
	if body.Type != backend.TypeJSON {
		if form, err := body.Form(); err != nil || len(form["username"]) != 1 || len(form["password"]) != 1 ||
			!utf8.ValidString(form.Get("username")+form.Get("password")) {
			return r
		}
	}
	fields, ok := membersOf(body)
	username, err := backend.Text(fields["username"])
	trimmed := strings.TrimFunc(username, func(c rune) bool { return unicode.IsSpace(c) || c >= 0x1c && c <= 0x1f })
	if !ok || err != nil || trimmed == username {
		return r
	}
	fields["username"], _ = json.Marshal(trimmed) // a string of UTF-8
	text, err := json.Marshal(fields)
	if err != nil || len(text) > maxBody {
		return r
	}
	r = r.Clone(r.Context())
	r.Body, r.ContentLength, r.TransferEncoding = io.NopCloser(bytes.NewReader(text)), int64(len(text)), nil
	r.Header["Content-Type"] = []string{backend.TypeJSON}
	return r
}

// membersOf returns the fields of a body as members of a JSON object. It reports false for a body
// that it cannot read. Of a field that is there twice, the first value counts. Without a body there
// are no members.
func membersOf(body backend.Body) (map[string]json.RawMessage, bool) {
	members := make(map[string]json.RawMessage)
	switch body.Type {
	case backend.TypeJSON:
		if len(body.Text) == 0 {
			return members, true
		}
		members, err := body.Members()
		return members, err == nil
	case backend.TypeForm, backend.TypeMultipart:
		if len(body.Text) == 0 {
			return members, true
		}
		values, err := body.Form()
		if err != nil {
			return nil, false
		}
		for name, all := range values {
			members[name], _ = json.Marshal(all[0])
		}
		return members, true
	}
	return members, len(body.Text) == 0
}
