package external

import (
	"context"
	"errors"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
)

const (
	// firstReservationTTL is how long an account is reserved before Config.Accounts.NewUser is asked. A person that it
	// refuses leaves no more.
	firstReservationTTL = time.Hour
	// reservationTTL is how long a login can be repeated without making another account, once Config.Accounts.NewUser
	// may have made one. Each repetition starts it anew.
	reservationTTL = 30 * 24 * time.Hour
	// extendTimeout is how long the store may take to extend a reservation after an outage.
	extendTimeout = 5 * time.Second
)

// newUser makes an account by Config.Accounts.NewUser. The reservation is kept for long if there is an account now, or
// if there may be one because NewUser failed.
func (l *Logins) newUser(ctx context.Context, p *Profile, id string, now time.Time) (auth.User, *failure) {
	user, err := l.config.Accounts.NewUser(ctx, p, id)
	if err == nil && user == nil {
		err = errors.New("oauth2/external: Config.Accounts.NewUser returned no user and no error")
	} else {
		err = hookError("Config.Accounts.NewUser", err)
	}
	if err == nil {
		return user, l.extendReservation(ctx, p, id, now)
	}
	f := failureOf(err)
	if f.Reason == reasonUnavailable {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), extendTimeout)
		defer cancel()
		_ = l.extendReservation(ctx, p, id, now) // the outage is the error that is returned
	}
	return nil, f
}

// extendReservation extends a reservation to reservationTTL. It never adds it again if it is gone, since the identity
// was then linked and unlinked meanwhile: the ID that it offers to the store is a new one.
func (l *Logins) extendReservation(ctx context.Context, p *Profile, id string, now time.Time) *failure {
	kept, owner, err := l.config.Store.Reserve(ctx, &Reservation{ID: backend.NewID(), Issuer: p.Issuer,
		Subject: p.Subject, ExpiresAt: backend.StoreTime(now.Add(reservationTTL))}, now)
	switch {
	case err != nil:
		return &failure{Reason: reasonUnavailable, cause: err}
	case owner == "" && kept != id:
		return &failure{Reason: reasonUsed, cause: errReservationUsed}
	}
	return nil
}
