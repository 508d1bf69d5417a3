package password

import (
	"context"
	"errors"
	"net/http"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
)

// ChangeConfig is the configuration of [Change]. Authenticator and UpdateConfig are required.
type ChangeConfig struct {
	UpdateConfig

	// Authenticator checks the old password, and slows down guesses at it.
	Authenticator *Authenticator
	// Username returns the name that a user logs in with. If nil, it is UserID.
	Username func(user auth.User) string
	// Redirect is the path of this site that a browser which posted a form is
	// sent to afterwards. Empty answers 204 to them too.
	Redirect string
}

// Change is the handler by which users that are logged in change their password.
// It authenticates requests by itself and needs no middleware:
//
//	POST {"old": "…", "new": "…"}, or a form of these, of at most 8 KiB
//
// It refuses requests that a page of another origin made a browser send, with
// 403, and other methods with 405. Machines and credentials that are limited to
// scopes get 403. Then, in this order, by Guard.Answer so that Config.Render may
// show a form again:
//
//   - 415 "unsupported_media_type": the body is not JSON and not a form, and Accept
//     names the types that are read
//   - 400 "invalid_request": the body is broken or a field is missing
//   - 400 with the code of the first reason and all as "errors", an array of
//     {"code", "detail"}: UpdateConfig.Validators refuse the new password, or it is
//     the old one ("password_unchanged")
//   - 429: too many wrong passwords, counted as those of logins are
//   - 400 "password_incorrect": the old password is wrong, or was changed
//     meanwhile. Not 401: the credential of the request is good
//   - 503: a store or the loader is down. With "password_changed": true the new
//     password holds, but some of what was issued before may have been left. The
//     remedy is another change
//
// On success, 204 or 303, the new password is stored and all that UpdateConfig.Revokers
// issued is ended, but the credential of this very request. A client that goes
// away meanwhile does not interrupt this.
//
// A login with the old password may be under way meanwhile. Authenticator proves the user
// with the [auth.Stamper] stamp of before, so that what an issuer makes of that
// very user is not accepted. Where users have no stamp, or an issuer loads them
// anew, it survives if it is issued after the others were ended.
//
// A user without a usable password, such as one of a third-party login, has no
// old one to prove: mail them a link to [Reset]. It is safe for concurrent use.
type Change struct {
	shared  *updater
	config  ChangeConfig
	handler http.Handler
}

var _ http.Handler = (*Change)(nil)

var (
	errOldAndNew error = &auth.Error{Kind: auth.ErrMalformed, Detail: "The body must be JSON or a form with old and " +
		"new.",
		Cause: errors.New("password: the body of the change lacks old or new")}
	errUnchanged error = &auth.Error{Kind: auth.ErrMalformed, Code: "password_unchanged",
		Detail: "The new password must differ from the old one.",
		Cause:  errors.New("password: the new password is the old one")}
	errOtherUser = errors.New("password: the user of ChangeConfig.Username is not the one that proved the request")
)

// oldPassword is the answer to an old password that is not right.
func oldPassword(cause error) error {
	return &auth.Error{Kind: auth.ErrInvalid, Code: "password_incorrect",
		Detail: "Your old password was entered incorrectly. Please enter it again.", Cause: cause}
}

// NewChange returns a Change for the users that guard proves, or an error that
// says which setting is missing or wrong.
func NewChange(guard *auth.Guard, config ChangeConfig) (*Change, error) {
	s := backend.Settings{Package: "password"}
	s.Need("ChangeConfig.Authenticator", config.Authenticator)
	if err := s.Err(); err != nil {
		return nil, err
	}
	if config.Username == nil {
		config.Username = auth.User.UserID
	}
	shared, err := newUpdater(guard, config.UpdateConfig, config.Redirect)
	if err != nil {
		return nil, err
	}
	c := &Change{shared: shared, config: config}
	c.handler = backend.NewEndpoint(shared.guard, shared.guard.Require(auth.FullAccess),
		backend.Methods{"POST": c.post})
	return c, nil
}

// ServeHTTP implements [http.Handler].
func (c *Change) ServeHTTP(w http.ResponseWriter, r *http.Request) { c.handler.ServeHTTP(w, r) }

func (c *Change) post(w http.ResponseWriter, r backend.Request) {
	user, encoded, err := c.check(r)
	if err != nil {
		c.shared.refuse(w, r.Request, r.User, err)
		return
	}
	stored, err := c.shared.store(w, r.Request, user, encoded)
	if errors.Is(err, ErrChanged) && !stored {
		err = oldPassword(ErrChanged) // that it was right a moment ago is not for the client
	}
	c.shared.answer(w, r.Request, user, EventChanged, stored, err)
}

// check checks a request. It returns its user, as they were when their old password was
// verified, and the string to store for the new one.
func (c *Change) check(r backend.Request) (user auth.User, encoded string, err error) {
	values, err := c.shared.read(r.Request, errOldAndNew, "old", "new")
	if err != nil {
		return nil, "", err
	}
	old, chosen := values[0], values[1]
	// First, since it costs nothing, and a new password that is refused should
	// not use up a try at the old one.
	err = c.shared.validate(r.Context(), r.User, chosen, func(_ context.Context, password string, _ []Attribute) error {
		if password == old {
			return errUnchanged
		}
		return nil
	})
	if err != nil {
		return nil, "", err
	}
	// Upgrading what is about to be replaced would be for nothing.
	user, _, err = c.config.Authenticator.check(r.Request, c.config.Username(r.User), old)
	switch {
	case errors.Is(err, auth.ErrInvalid):
		return nil, "", oldPassword(err)
	case err != nil:
		return nil, "", err
	case user.UserID() != r.User.UserID():
		return nil, "", oldPassword(errOtherUser)
	}
	encoded, err = c.shared.Hasher.Hash(r.Context(), chosen)
	return user, encoded, err
}
