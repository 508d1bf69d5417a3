package password

import (
	"errors"
	"time"
)

// Limits say how [Authenticator] slows down guessing. Failures are counted
//
//   - per account: by the name that was typed, whether there is such a user or not, and
//     by the UserID of the user that Account found, so that other spellings of a name
//     and an e-mail address beside it do not add to the guesses
//   - per address: an IPv4 address or an IPv6 /64
//   - per network: an IPv6 /48. Clients without an address, which come by a Unix
//     socket, count as one network
//
// After so many free failures each further one doubles the delay until the next try.
// Zero fields are the defaults.
//
// An address that a user logged in from is known for that user. There the account and
// the network are not asked: the user has a counter of the same size as the account's for
// that address, so that strangers cannot lock a user out. A login forgives the
// failures of that counter and no others.
//
// With the defaults, strangers that do not pause get 17 guesses at an account in the first hour and
// 4 in each hour after it, from however many addresses, and while the user logs in as
// often as they like. One address gets 32 guesses in its first hour, and then 4. With pauses of
// Forget it is about 12 an hour at an account and 25 from an address. There
// is no number of failures that locks an account for good: everybody could then do that to
// every user. NIST SP 800-63B §5.2.2 allows at most 100 failures in a row. A service that must
// hold that sets MaxDelay to 24 hours and Forget to 90 days: 100 failures then take
// at least 80 days.
type Limits struct {
	// AccountFree is how many failures come before the first delay, per account, per
	// known address of it, and per device with a cookie of it. 0 is 5.
	AccountFree int
	// AddressFree is how many failures come before the first delay, per address. 0 is 20.
	AddressFree int
	// NetworkFree is how many failures come before the first delay, per IPv6 /48, and of all
	// clients without an address together. Many users may share these, so the
	// counter also forgets about this many failures in each Forget. 0 is 5 times AddressFree.
	NetworkFree int

	FirstDelay time.Duration // 0 is 1 second
	MaxDelay   time.Duration // 0 is 15 minutes. A block that ends later than this from now counts as no block
	Forget     time.Duration // failures are forgotten so long after the last. It is more than MaxDelay. 0 is 1 hour
	Known      time.Duration // how long an address is known after a login, to within a day. 0 is 30 days

	// MaxWait is how long a login waits while others of its account, address or
	// network are under way, within the context of its request. A login under
	// way is no failure, but no more of them run at once than failures are left. After MaxWait
	// the error is [ErrBusy], answered with 503. 0 is 5 seconds.
	MaxWait time.Duration
}

func (l Limits) withDefaults() (Limits, error) {
	if min(l.AccountFree, l.AddressFree, l.NetworkFree) < 0 ||
		min(l.FirstDelay, l.MaxDelay, l.Forget, l.Known, l.MaxWait) < 0 {
		return l, errors.New("password: Limits must not be negative")
	}
	setDefault(&l.AccountFree, 5)
	setDefault(&l.AddressFree, 20)
	setDefault(&l.NetworkFree, 5*l.AddressFree) // after AddressFree has its own default
	setDefault(&l.FirstDelay, time.Second)
	setDefault(&l.MaxDelay, 15*time.Minute)
	setDefault(&l.Forget, time.Hour)
	setDefault(&l.Known, 30*24*time.Hour)
	setDefault(&l.MaxWait, 5*time.Second)
	if l.FirstDelay > l.MaxDelay || l.MaxDelay >= l.Forget {
		return l, errors.New("password: Limits must have FirstDelay <= MaxDelay < Forget")
	}
	return l, nil
}

func setDefault[T int | time.Duration](field *T, value T) {
	if *field == 0 {
		*field = value
	}
}

// delay returns the delay after so many failures.
func (l Limits) delay(failures, free int) time.Duration {
	if failures < free {
		return 0
	}
	delay := l.FirstDelay
	for range failures - free {
		if delay *= 2; delay >= l.MaxDelay {
			return l.MaxDelay
		}
	}
	return delay
}
