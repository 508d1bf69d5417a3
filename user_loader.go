package auth

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// UserLoader finds a user by the identifier that UserID returned. Backends
// that keep state ask it on every request, so that a user that is disabled or
// deleted is out at once. [CacheUsers] trades some of that for speed.
//
// It returns [ErrUserNotFound] or [ErrUserInactive] for a user that may not log
// in, and any other error if it cannot tell, which is answered with 503. It
// must be safe for concurrent use.
type UserLoader func(ctx context.Context, id string) (User, error)

// Load calls the loader and checks what it returns. A nil user, a user with another
// identifier than id, and one with an identifier that is empty or marks a [Machine] are
// bugs of the loader and no user: the error is ErrInternal. Backends call Load rather than
// the function.
func (load UserLoader) Load(ctx context.Context, id string) (User, error) {
	user, err := load.Find(ctx, id)
	if err != nil {
		return nil, err
	}
	if got := user.UserID(); got != id {
		return nil, fmt.Errorf("%w: user loader was asked for the user %q and returned %q", ErrInternal, id, got)
	}
	return user, nil
}

// Find is Load for a name that need not be the user's identifier, such as one in a header
// or a certificate: a user of another identifier is accepted.
func (load UserLoader) Find(ctx context.Context, name string) (User, error) {
	if name == "" || isMachineID(name) {
		return nil, ErrUserNotFound
	}
	user, err := load(ctx, name)
	if err != nil {
		return nil, loaderError(err)
	}
	if isNil(user) {
		return nil, fmt.Errorf("%w: user loader returned neither user nor error. Return auth.ErrUserNotFound for an "+
			"unknown user", ErrInternal)
	}
	if got := user.UserID(); got == "" || isMachineID(got) {
		return nil, fmt.Errorf("%w: user loader returned the reserved UserID %q", ErrInternal, got)
	}
	return user, nil
}

// loaderError returns the error of a loader as the error of a backend. A loader can say
// "invalid", "outage" or "bug". Any other kind would let it turn a presented credential
// into an absent one.
func loaderError(err error) error {
	switch KindOf(err) {
	case ErrInvalid, ErrInternal: // ErrInternal: a CachedUsers inside
		return err
	case nil:
		// The text of sql.ErrNoRows and pgx.ErrNoRows, without an import of database/sql.
		if strings.Contains(err.Error(), "no rows in result set") {
			return fmt.Errorf("auth: user loader: %w. Return auth.ErrUserNotFound for an unknown user", err)
		}
		return fmt.Errorf("auth: user loader: %w", err)
	}
	return errors.New("auth: user loader: " + fmt.Sprint(err)) // fmt, since it recovers a panic of Error
}
