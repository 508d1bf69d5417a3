package jwt

import (
	"errors"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
)

// NoLimit as a Config.Limit lets a user have any number of logins.
const NoLimit = backend.NoLimit

// ErrLimit is returned when a user already has Config.Limit logins.
var ErrLimit error = &auth.Error{Kind: auth.ErrInsufficient, Code: "login_limit",
	Detail: "Maximum amount of logins allowed per user exceeded.",
	Cause:  errors.New("the user has as many logins as jwt Config.Limit allows")}
