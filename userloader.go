package auth

import (
	"context"
	"fmt"
)

// UserLoader finds a user by the identifier that UserID returned. Backends
// that keep state ask it on every request, so that a user that is disabled or
// deleted is out at once. [CacheUsers] trades some of that for speed.
//
// It returns [ErrUserNotFound] or [ErrUserInactive] for a user that may not log
// in, and any other error if it cannot tell, which is answered with 503. It
// must be safe for concurrent use.
type UserLoader func(ctx context.Context, id string) (User, error)

// Load calls the loader and checks what it returns: a nil user, or one with an
// identifier that is empty or marks a [Machine], is a bug of the loader and no user.
// Backends call Load rather than the function.
func (load UserLoader) Load(ctx context.Context, id string) (User, error) {
	if id == "" || isMachineID(id) {
		return nil, ErrUserNotFound
	}
	user, err := load(ctx, id)
	if err != nil {
		if k := KindOf(err); k == nil || k == ErrInvalid || k == ErrInternal { // ErrInternal: a CachedUsers inside
			return nil, err
		}
		// A loader has no say but "invalid": any other kind would let it turn
		// a presented credential into an absent one.
		return nil, fmt.Errorf("auth: user loader: %v", err)
	}
	if isNil(user) {
		return nil, fmt.Errorf("%w: user loader returned neither user nor error", ErrInternal)
	}
	if got := user.UserID(); got == "" || isMachineID(got) {
		return nil, fmt.Errorf("%w: user loader returned the reserved UserID %q", ErrInternal, got)
	}
	return user, nil
}
