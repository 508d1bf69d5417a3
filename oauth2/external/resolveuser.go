package external

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
)

// resolvedUser is the user of an identity.
type resolvedUser struct {
	user auth.User
	// unlinked is the identity if it is not linked to the user yet: Config.Accounts.ByEmail found an account that
	// existed, which may have a second factor. The identity is linked when the login is complete.
	unlinked *Identity
}

// resolveUser returns the user of an identity, by the steps of [Config].
func (l *Logins) resolveUser(ctx context.Context, profile *Profile, now time.Time) (*resolvedUser, *failure) {
	c := l.config
	if c.Accounts.Allow != nil {
		if err := c.Accounts.Allow(ctx, profile); err != nil {
			return nil, failureOf(hookError("Config.Accounts.Allow", err))
		}
	}
	known, err := c.Store.Identity(ctx, profile.Issuer, profile.Subject)
	if err != nil {
		return nil, &failure{Reason: reasonUnavailable, cause: err}
	}
	if known != nil {
		seen := profile.Identity(known.UserID, now)
		seen.ID, seen.Created = known.ID, known.Created
		if err := c.Store.Touch(ctx, seen); err != nil {
			l.logger().WarnContext(ctx, "oauth2/external: what an identity is called was not noted", "error", err)
		}
		return l.linkedUser(ctx, known.UserID)
	}
	existing, err := l.byEmail(ctx, profile)
	switch {
	case err != nil:
		return nil, failureOf(err)
	case existing != nil:
		user, f := l.load(ctx, existing.UserID())
		if f == nil {
			f = l.checkIssuer(ctx, user, profile.Issuer, profile.Subject)
		}
		if f != nil {
			return nil, f
		}
		return &resolvedUser{user, profile.Identity(user.UserID(), now)}, nil
	case c.Accounts.NewUser == nil:
		return nil, &failure{Reason: reasonNoAccount, cause: l.noAccount(profile)}
	}
	return l.register(ctx, profile, now)
}

// byEmail returns the account that exists to which an identity without a user is to be linked, or nil.
func (l *Logins) byEmail(ctx context.Context, p *Profile) (auth.User, error) {
	c := l.config
	if c.Accounts.ByEmail == nil || !p.Email.Authoritative {
		return nil, nil
	}
	account, err := c.Accounts.ByEmail(ctx, p.Email.Address)
	switch {
	case errors.Is(err, auth.ErrUserNotFound):
		return nil, nil
	case err != nil:
		return nil, hookError("Config.Accounts.ByEmail", err)
	case account.User == nil:
		return nil, errors.New("oauth2/external: Config.Accounts.ByEmail returned no user and no error")
	case account.Verified:
		return account.User, nil
	case c.Accounts.DropUnverified == nil:
		return nil, hookError("the account that Config.Accounts.ByEmail found has not proved the address, and "+
			"Config.Accounts.DropUnverified is nil", ErrAccountExists)
	}
	return nil, hookError("Config.Accounts.DropUnverified", c.Accounts.DropUnverified(ctx, account.User, p))
}

// register makes an account for an identity without a user, and links them. Logins of one identity at once have the
// same reservation, and so has a login after one that failed here: all of them make the same account. The identity is
// linked before the login is complete, because the account is new and has no other owner.
func (l *Logins) register(ctx context.Context, profile *Profile, now time.Time) (*resolvedUser, *failure) {
	store := l.config.Store
	id, owner, err := store.Reserve(ctx, &Reservation{ID: backend.NewID(), Issuer: profile.Issuer,
		Subject: profile.Subject, ExpiresAt: backend.StoreTime(now.Add(firstReservationTTL))}, now)
	switch {
	case err != nil:
		return nil, &failure{Reason: reasonUnavailable, cause: err}
	case owner != "": // another login was faster
		return l.linkedUser(ctx, owner)
	}
	made, f := l.newUser(ctx, profile, id, now)
	if f != nil {
		return nil, f
	}
	user, f := l.load(ctx, made.UserID()) // before anything is linked to a user that is not there
	if f != nil {
		return nil, f
	}
	identity := profile.Identity(user.UserID(), now)
	owner, linked, err := store.Confirm(ctx, id, identity, now)
	switch {
	case err != nil:
		return nil, &failure{Reason: reasonUnavailable, cause: err}
	case owner == "":
		return nil, &failure{Reason: reasonUsed, cause: errReservationUsed}
	case owner != user.UserID(): // it was linked to another user meanwhile
		return l.linkedUser(ctx, owner)
	}
	if linked {
		if f := l.confirmLinked(ctx, user, identity); f != nil {
			return nil, f
		}
	}
	return &resolvedUser{user: user}, nil
}

// linkedUser returns the user that an identity is linked to.
func (l *Logins) linkedUser(ctx context.Context, userID string) (*resolvedUser, *failure) {
	user, f := l.load(ctx, userID)
	if f != nil {
		return nil, f
	}
	return &resolvedUser{user: user}, nil
}

// noAccount says why an identity that is not linked got no user.
func (l *Logins) noAccount(p *Profile) error {
	if l.config.Accounts.ByEmail == nil {
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
		return failedSetting("Domains of the provider",
			"Config.Accounts.ByEmail was not asked: the provider is not authoritative for the domain of the e-mail "+
				"address",
			domain, domains...)
	case !p.Email.Authoritative:
		return errNotVouched
	}
	return errNoSuchEmail
}

// The causes of an identity without a user.
var (
	errNoNewUser = errors.New("the identity is not linked to a user, and Config.Accounts.NewUser is nil")
	errNoEmail   = errors.New("Config.Accounts.ByEmail was not asked: the provider told no e-mail address, see " +
		"Scopes of the provider")
	errNotVerified = errors.New("Config.Accounts.ByEmail was not asked: the provider does not say that the e-mail " +
		"address is verified")
	errNotVouched = errors.New("Config.Accounts.ByEmail was not asked: the provider does not vouch for addresses of " +
		"this domain")
	errNoSuchEmail = errors.New("Config.Accounts.ByEmail knows no user with the e-mail address, and " +
		"Config.Accounts.NewUser is nil")

	errReservationUsed = errors.New("while Config.Accounts.NewUser ran, another login linked the identity, and it " +
		"was unlinked again, or the reservation of the account has expired")
)

// load finds a user by Config.LoadUser.
func (l *Logins) load(ctx context.Context, id string) (auth.User, *failure) {
	user, err := l.config.LoadUser.Load(ctx, id)
	if err != nil {
		return nil, accountFailure(hookError("Config.LoadUser", err))
	}
	if err := backend.CheckUserID(user.UserID()); err != nil {
		return nil, accountFailure(err)
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
