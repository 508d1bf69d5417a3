package external

import (
	"context"
	"errors"
	"time"

	"github.com/gatewarden/auth"
)

// linkFound links the identity of an account that existed, if it is not linked.
func (l *Logins) linkFound(ctx context.Context, resolved *resolvedUser) *failure {
	if resolved.unlinked == nil {
		return nil
	}
	owner, linked, err := l.config.Store.LinkFirst(ctx, resolved.unlinked)
	switch {
	case err != nil:
		return &failure{Reason: reasonUnavailable, cause: err}
	case owner == "":
		return &failure{Reason: reasonAccountExists, cause: errOtherPerson}
	case owner != resolved.user.UserID():
		return &failure{Reason: reasonTaken, cause: failedValue(
			"the identity was linked to another user before the login was complete", owner, resolved.user.UserID())}
	case !linked:
		return nil
	}
	return l.confirmLinked(ctx, resolved.user, resolved.unlinked)
}

// linkTo links an identity to the user that asked for it.
func (l *Logins) linkTo(ctx context.Context, user auth.User, profile *Profile, now time.Time) *failure {
	identity := profile.Identity(user.UserID(), now)
	owner, linked, err := l.config.Store.Link(ctx, identity)
	switch {
	case err != nil:
		return &failure{Reason: reasonUnavailable, cause: err}
	case owner != user.UserID():
		return &failure{Reason: reasonTaken, cause: failedValue("the identity is linked to another user", owner,
			user.UserID())}
	case !linked:
		return nil
	}
	return l.confirmLinked(ctx, user, identity)
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

// confirmLinked is called after an identity was linked to a user that was loaded before. If the user was deleted
// meanwhile, it unlinks the identity again, so that it does not become that of a later user with the same ID. Otherwise
// it calls Config.Linking.Changed.
func (l *Logins) confirmLinked(ctx context.Context, user auth.User, linked *Identity) *failure {
	_, f := l.load(ctx, user.UserID())
	if f == nil || !errors.Is(f.cause, auth.ErrUserNotFound) {
		l.changed(ctx, user, Linked, linked)
		return f
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), unlinkTimeout)
	defer cancel()
	if _, _, err := l.config.Store.Unlink(ctx, linked.UserID, linked.ID, false); err != nil {
		l.logger().ErrorContext(ctx, "oauth2/external: the identity of a user that was deleted stays linked: call "+
			"RemoveUser again", "user", linked.UserID, "error", err)
	}
	return f
}

// unlinkTimeout is how long the store may take to unlink what was linked to a deleted user.
const unlinkTimeout = 5 * time.Second

var errOtherPerson = errors.New("the account that Config.Accounts.ByEmail found has another identity of this issuer, " +
	"so the address may have been given to another person")
