package external

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/gatewarden/auth"
)

// who returns the user whose identity it is, by the steps of [Config].
func (l *Logins) who(ctx context.Context, profile *Profile, now time.Time) (auth.User, *failure) {
	c := l.config
	if c.Allow != nil {
		if err := c.Allow(ctx, profile); err != nil {
			return nil, failureOf(by("Config.Allow", err))
		}
	}
	known, err := c.Store.Identity(ctx, profile.Issuer, profile.Subject)
	if err != nil {
		return nil, &failure{Reason: reasonUnavailable, cause: err}
	}
	if known != nil {
		seen := identityOf(profile, known.UserID, now)
		seen.ID, seen.Created = known.ID, known.Created
		if err := c.Store.Touch(ctx, seen); err != nil {
			l.logger().WarnContext(ctx, "oauth2/external: what an identity is called was not noted", "error", err)
		}
		return l.load(ctx, known.UserID)
	}
	user, err := l.newcomer(ctx, profile)
	switch {
	case err != nil:
		return nil, failureOf(err)
	case user == nil:
		return nil, &failure{Reason: reasonNoAccount, cause: l.noAccount(profile)}
	}
	found, f := l.load(ctx, user.UserID()) // before anything is linked to somebody who is not there
	if f != nil {
		return nil, f
	}
	identity := identityOf(profile, found.UserID(), now)
	owner, err := c.Store.Link(ctx, identity)
	if err != nil {
		return nil, &failure{Reason: reasonUnavailable, cause: err}
	}
	if owner != found.UserID() { // another login was faster
		return l.load(ctx, owner)
	}
	l.changed(ctx, found, Linked, identity)
	return found, nil
}

// newcomer returns the user that an identity of nobody is to be linked to, or nil.
func (l *Logins) newcomer(ctx context.Context, p *Profile) (auth.User, error) {
	c := l.config
	if c.ByEmail != nil && p.Email.Authoritative {
		account, err := c.ByEmail(ctx, p.Email.Address)
		switch {
		case errors.Is(err, auth.ErrUserNotFound):
		case err != nil:
			return nil, by("Config.ByEmail", err)
		case account.User == nil:
			return nil, errors.New("oauth2/external: Config.ByEmail returned neither a user nor an error")
		case account.Verified:
			return account.User, nil
		case c.DropUnverified == nil:
			return nil, by("the account that Config.ByEmail found has not proved the address, and "+
				"Config.DropUnverified is nil", ErrAccountExists)
		default:
			if err := c.DropUnverified(ctx, account.User, p); err != nil {
				return nil, by("Config.DropUnverified", err)
			}
		}
	}
	if c.NewUser == nil {
		return nil, nil
	}
	user, err := c.NewUser(ctx, p)
	if err == nil && user == nil {
		err = errors.New("oauth2/external: Config.NewUser returned neither a user nor an error")
		return nil, err
	}
	return user, by("Config.NewUser", err)
}

// noAccount says why an identity that is not linked got no user.
func (l *Logins) noAccount(p *Profile) error {
	if l.config.ByEmail == nil {
		return errNoNewUser
	}
	domains := l.providers[p.Provider].domains
	domain := domainOf(p.Email.Address)
	switch {
	case domain == "":
		return errNoEmail
	case !p.Email.Verified:
		return errNotVerified
	case !slices.Contains(domains, domain):
		return setting("Domains of the provider",
			"Config.ByEmail was not asked: the provider is not authoritative for the domain of the e-mail address", domain, domains...)
	case !p.Email.Authoritative:
		return errNotVouched
	}
	return errNoSuchEmail
}

// The causes of an identity without a user.
var (
	errNoNewUser = errors.New("the identity is not linked to a user, and Config.NewUser is nil")
	errNoEmail   = errors.New("Config.ByEmail was not asked: the provider told no e-mail address, see Scopes of " +
		"the provider")
	errNotVerified = errors.New("Config.ByEmail was not asked: the provider does not say that the e-mail address " +
		"is verified")
	errNotVouched = errors.New("Config.ByEmail was not asked: the provider does not vouch for addresses of this " +
		"domain")
	errNoSuchEmail = errors.New("Config.ByEmail knows no user with the e-mail address, and Config.NewUser is nil")
)

// load finds a user by Config.LoadUser.
func (l *Logins) load(ctx context.Context, id string) (auth.User, *failure) {
	user, err := l.config.LoadUser.Load(ctx, id)
	if err != nil {
		return nil, accountFailure(by("Config.LoadUser", err))
	}
	return user, nil
}

// accountFailure says what an error about a user is.
func accountFailure(err error) *failure {
	switch {
	case errors.Is(err, auth.ErrUserInactive), errors.Is(err, auth.ErrUserNotFound),
		auth.KindOf(err) == auth.ErrInvalid:
		return &failure{Reason: reasonInactive, cause: err}
	case auth.KindOf(err) == auth.ErrInsufficient:
		return &failure{Reason: reasonNotAllowed, cause: err}
	}
	return &failure{Reason: reasonUnavailable, cause: err}
}
