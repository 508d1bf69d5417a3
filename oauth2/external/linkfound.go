package external

import (
	"context"
	"errors"
	"time"

	"github.com/gatewarden/auth"
)

// linkFound links the identity of an account that existed, if it is not linked.
func (l *Logins) linkFound(ctx context.Context, who *found) *failure {
	if who.unlinked == nil {
		return nil
	}
	owner, linked, err := l.config.Store.LinkFirst(ctx, who.unlinked)
	switch {
	case err != nil:
		return &failure{Reason: reasonUnavailable, cause: err}
	case owner == "":
		return &failure{Reason: reasonAccountExists, cause: errOtherPerson}
	case owner != who.user.UserID():
		return &failure{Reason: reasonTaken, cause: because(
			"the identity was linked to another user before the login was complete", owner, who.user.UserID())}
	case !linked:
		return nil
	}
	return l.stillThere(ctx, who.user, who.unlinked)
}

// linkTo links an identity to the user that asked for it.
func (l *Logins) linkTo(ctx context.Context, user auth.User, profile *Profile, now time.Time) *failure {
	identity := profile.Identity(user.UserID(), now)
	owner, linked, err := l.config.Store.Link(ctx, identity)
	switch {
	case err != nil:
		return &failure{Reason: reasonUnavailable, cause: err}
	case owner != user.UserID():
		return &failure{Reason: reasonTaken, cause: because("the identity is linked to another user", owner,
			user.UserID())}
	case !linked:
		return nil
	}
	return l.stillThere(ctx, user, identity)
}

// checkIssuer refuses an account that has another identity of an issuer. An issuer can give an address that was of one
// person to another person, and an account that was found by the address is that of the first one. It refuses before
// the login goes on. What decides is LinkFirst, when the login is complete.
func (l *Logins) checkIssuer(ctx context.Context, user auth.User, issuer, subject string) *failure {
	all, err := l.config.Store.Identities(ctx, user.UserID())
	if err != nil {
		return &failure{Reason: reasonUnavailable, cause: err}
	}
	for _, has := range all {
		if has.Issuer == issuer && has.Subject != subject {
			return &failure{Reason: reasonAccountExists, cause: errOtherPerson}
		}
	}
	return nil
}

// stillThere tells that an identity was linked to a user that was loaded before. If the user was deleted meanwhile, it
// is unlinked again, so that it does not become that of a later user with the same ID.
func (l *Logins) stillThere(ctx context.Context, user auth.User, linked *Identity) *failure {
	_, f := l.load(ctx, user.UserID())
	if f == nil || !errors.Is(f.cause, auth.ErrUserNotFound) {
		l.changed(ctx, user, Linked, linked)
		return f
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), unlinkWithin)
	defer cancel()
	if _, _, err := l.config.Store.Unlink(ctx, linked.UserID, linked.ID, false); err != nil {
		l.logger().ErrorContext(ctx, "oauth2/external: the identity of a user who was deleted stays linked: call "+
			"RemoveUser again", "user", linked.UserID, "error", err)
	}
	return f
}

// unlinkWithin is how long the store may take to unlink what was linked to a deleted user.
const unlinkWithin = 5 * time.Second

var errOtherPerson = errors.New("the account that Config.Accounts.ByEmail found has another identity of this issuer, " +
	"so the address may have been given to another person")
