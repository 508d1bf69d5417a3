package password

import (
	"context"
	"errors"
	"net/http"

	"github.com/gatewarden/auth"
)

// throttled is check with a throttle. The outcome is written before it is told.
func (l *Authenticator) throttled(r *http.Request, username, password string) (auth.User, bool, error) {
	ctx := r.Context()
	from := source{username: username, addr: auth.ClientIP(r)}
	found, err := l.known(r, &from)
	if err != nil {
		return nil, false, err
	}
	try, err := l.throttle.begin(ctx, from)
	if err != nil {
		return nil, false, err
	}
	decided := false
	defer func() {
		if !decided { // a panic, too
			l.throttle.undecided(try)
		}
	}()
	if found == nil {
		if found, err = l.find(ctx, username); err != nil {
			return nil, false, err
		}
	}
	rehash, err := l.prove(ctx, password, found)
	if err != nil && !errors.Is(err, auth.ErrInvalid) {
		return nil, false, err
	}
	overruled := settle(r, func(ctx context.Context) error {
		return l.throttle.decide(ctx, try, found.id(ctx), err == nil)
	})
	decided = true // not before: a store that panics must not keep the turn
	switch {
	case overruled != nil:
		return nil, false, overruled
	case err != nil:
		return nil, false, err
	}
	return found.user, rehash, nil
}

// known finds out whether the request comes from a device of the user. It returns the account if
// it had to be looked up for that, before the throttle was asked: a client with such a cookie
// has logged in by that name before.
func (l *Authenticator) known(r *http.Request, from *source) (*account, error) {
	seen := l.config.Devices.read(r, from.username)
	if seen == nil {
		return nil, nil
	}
	found, err := l.find(r.Context(), from.username)
	if err != nil {
		return nil, err
	}
	if seen.of(found) {
		from.device = seen.key()
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
