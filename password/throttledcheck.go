package password

import (
	"context"
	"errors"
	"net/http"

	"github.com/gatewarden/auth"
)

// checkThrottled is check with a throttle. It writes the outcome before it returns.
func (a *Authenticator) checkThrottled(r *http.Request, username, password string) (auth.User, bool, error) {
	ctx := r.Context()
	from := source{username: username, addr: auth.ClientIP(r)}
	found, err := a.accountOfDevice(r, &from)
	if err != nil {
		return nil, false, err
	}
	try, err := a.throttle.begin(ctx, from)
	if err != nil {
		return nil, false, err
	}
	decided := false
	defer func() {
		if !decided { // a panic, too
			a.throttle.undecided(try)
		}
	}()
	if found == nil {
		if found, err = a.find(ctx, username); err != nil {
			return nil, false, err
		}
	}
	rehash, err := a.verify(ctx, password, found)
	if err != nil && !errors.Is(err, auth.ErrInvalid) {
		return nil, false, err
	}
	overruled := settle(r, func(ctx context.Context) error {
		return a.throttle.decide(ctx, try, found.id(ctx), err == nil)
	})
	decided = true // not before: a store that panics must not keep its room
	switch {
	case overruled != nil:
		return nil, false, overruled
	case err != nil:
		return nil, false, err
	}
	return found.user, rehash, nil
}

// accountOfDevice finds out whether the request comes from a device of the user. It returns the account if
// it had to be looked up for that, before the throttle was asked: a client with such a cookie
// has logged in by that name before.
func (a *Authenticator) accountOfDevice(r *http.Request, from *source) (*account, error) {
	device := a.config.Devices.read(r, from.username)
	if device == nil {
		return nil, nil
	}
	found, err := a.find(r.Context(), from.username)
	if err != nil {
		return nil, err
	}
	if device.of(found) {
		from.device = device.key()
	}
	return found, nil
}

// id returns the identifier of the user, or "" if there is no user of the name.
func (a *account) id(ctx context.Context) string {
	if errors.Is(a.refused, auth.ErrUserNotFound) || checkUser(ctx, a.user) != nil {
		return ""
	}
	return a.user.UserID()
}
