package password

import (
	"errors"
	"net/http"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
)

var errOneMissing error = &auth.Error{Kind: auth.ErrMalformed, Detail: "Username and password are both required.",
	Cause: errors.New("password: the body of the login has one of username and password, and not the other")}

// fromBody reads username and password from the body of r and puts it back.
func fromBody(r *http.Request) (username, password string, err error) {
	found := backend.Fields{{Name: "username"}, {Name: "password"}}
	if err := found.FromLogin(r); err != nil {
		return "", "", err
	}
	switch {
	case !found[0].Set && !found[1].Set:
		return "", "", auth.ErrNoCredentials
	case !found[0].Set || !found[1].Set:
		return "", "", errOneMissing
	}
	return found[0].Value, found[1].Value, nil
}
