package password

import (
	"errors"
	"net/http"
	"strings"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
)

var errOneMissing error = &auth.Error{Kind: auth.ErrMalformed, Detail: "Username and password are both required.",
	Cause: errors.New("password: the body of the login has one of username and password, and not the other")}

// The causes of a body at a login without username and password. The client is told what is
// missing, because a body of another shape is the most common first request.
var (
	errMissingFields error = &auth.Error{Kind: auth.ErrNoCredentials, Detail: detailMissingFields,
		Cause: errors.New("password: the body of the login has no members or fields named username and password")}
	errJSONAsForm error = &auth.Error{Kind: auth.ErrNoCredentials, Detail: detailMissingFields,
		Cause: errors.New("password: the body of the login looks like JSON and came as a form, as curl -d sends it. " +
			"Send Content-Type: application/json")}
)

// The causes of a login without a body.
var (
	errNoBody error = &auth.Error{Kind: auth.ErrNoCredentials,
		Cause: errors.New("password: the request has neither a body nor an Authorization header to log in with")}
	errInQuery error = &auth.Error{Kind: auth.ErrNoCredentials,
		Detail: "A password in the address is not accepted. Send it in the body.",
		Cause:  errors.New("password: the login has its password in the query, which logs keep, and which is not read")}
)

const detailMissingFields = "The body has no username and password."

// missingFields returns the error for a body that lacks username and password.
func missingFields(r *http.Request) error {
	if !auth.AtLogin(r.Context()) {
		return auth.ErrNoCredentials
	}
	body, err := backend.ReadBody(r, maxLoginBody)
	if err == nil && body.Type == backend.TypeForm && strings.HasPrefix(strings.TrimSpace(string(body.Text)), "{") {
		return errJSONAsForm
	}
	return errMissingFields
}

// missingBody returns err, with a reason if r is a login that has nothing to read.
func missingBody(r *http.Request, err error) error {
	if err != auth.ErrNoCredentials || !auth.AtLogin(r.Context()) || r.Method != http.MethodPost ||
		r.Header["Authorization"] != nil {
		return err
	}
	if strings.Contains("&"+r.URL.RawQuery, "&password=") {
		return errInQuery
	}
	return errNoBody
}

// maxLoginBody is what [backend.Fields] reads, in bytes.
const maxLoginBody = 8 << 10

// fromBody reads username and password from the body of r and puts it back.
func fromBody(r *http.Request) (username, password string, err error) {
	found := backend.Fields{{Name: "username"}, {Name: "password"}}
	if err := found.FromLogin(r); err != nil {
		return "", "", missingBody(r, err)
	}
	switch {
	case !found[0].Set && !found[1].Set:
		return "", "", missingFields(r)
	case !found[0].Set || !found[1].Set:
		return "", "", errOneMissing
	}
	return found[0].Value, found[1].Value, nil
}
