package password

import (
	"cmp"
	"context"
	"net/http"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
)

// MailThrottleConfig is the configuration of [MailThrottle]. The zero value is
// right for a program of one instance.
type MailThrottleConfig struct {
	// Store keeps the counters. If nil, it is a [MemoryThrottle]. It may be that of an
	// Authenticator, which has other counters.
	Store ThrottleStore
	// Limits say how many requests are free and how long the delays are. Zero
	// fields are 3 requests per account, 20 per address and 100 per network, then delays
	// from a minute, doubled up to an hour, and all forgotten a day after the last.
	// Known and MaxWait are not used.
	Limits Limits
}

// MailThrottle slows down requests that have a mail sent to somebody, such as
// the link to a forgotten password. It is safe for concurrent use.
type MailThrottle struct {
	throttle *throttle
}

var _ auth.Purger = (*MailThrottle)(nil)

// NewMailThrottle returns a MailThrottle. It refuses Limits that contradict each
// other, and a Store that is a nil pointer.
func NewMailThrottle(config MailThrottleConfig) (*MailThrottle, error) {
	l := config.Limits
	l.AccountFree = cmp.Or(l.AccountFree, 3)
	l.FirstDelay = cmp.Or(l.FirstDelay, time.Minute)
	l.MaxDelay = cmp.Or(l.MaxDelay, time.Hour)
	l.Forget = cmp.Or(l.Forget, 24*time.Hour)
	limits, err := l.withDefaults()
	if err != nil {
		return nil, err
	}
	s := backend.Settings{Package: "password"}
	s.Optional("MailThrottleConfig.Store", config.Store)
	if err := s.Err(); err != nil {
		return nil, err
	}
	if config.Store == nil {
		config.Store = NewMemoryThrottle()
	}
	return &MailThrottle{&throttle{store: config.Store, limits: limits, label: "mail "}}, nil
}

// Count counts a request for a mail to an account, by the name or address that
// was typed, whether there is such an account or not. It returns
// [auth.ErrThrottled], with RetryAfter, if there were too many. Nothing is to be
// sent then. Any other error is the store's, without a kind. Requests are counted
// per address and network, too, of the address that [auth.ClientIP] returns: behind a proxy, call
// Count in a handler behind the guard, or with guard.WithProxies(r).
func (t *MailThrottle) Count(r *http.Request, account string) error {
	s := source{username: account, addr: auth.ClientIP(r)}
	keys := append([]counterKey{t.throttle.counterOf(byName, s.folded())}, t.throttle.addressCounters(s)...)
	return t.throttle.count(r.Context(), keys)
}

// CountUser counts a request for a mail to a user, once the user is found. Call it after
// Count where more than one spelling finds a user, or each spelling has mails of its
// own. It returns what Count does. Send nothing then, but answer as always: names of no
// user never come here, so another answer tells that there is a user.
func (t *MailThrottle) CountUser(ctx context.Context, userID string) error {
	return t.throttle.count(ctx, []counterKey{t.throttle.user(source{}, userID)})
}

// Purge implements [auth.Purger]. It removes at most limit expired counters of the
// store, also those of an Authenticator that shares it.
func (t *MailThrottle) Purge(ctx context.Context, limit int) (int, error) {
	return t.throttle.purge(ctx, limit)
}
