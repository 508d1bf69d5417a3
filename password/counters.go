package password

import (
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"strings"
	"time"
)

// counterKind is what a counter counts the failures of.
type counterKind uint8

const (
	byName      counterKind = iota // of a name that was typed
	byUser                         // of a user that was found
	byKnown                        // of a name at an address that it logged in from
	byDevice                       // of a device with a cookie of the user
	byAddress                      // of an IPv4 address or an IPv6 /64
	byNetwork                      // of an IPv6 /48
	byNoAddress                    // of all clients without an address
)

// counterKinds has, for each kind, its label in store keys, its name in the log, and the setting
// that says how many failures are free.
var counterKinds = [...]struct{ label, name, setting string }{
	byName:      {"account", "account", "AccountFree"},
	byUser:      {"user", "account, by the user's identifier,", "AccountFree"},
	byKnown:     {"pair", "account at an address it is known from", "AccountFree"},
	byDevice:    {"device", "device", "AccountFree"},
	byAddress:   {"address", "address", "AddressFree"},
	byNetwork:   {"network", "network (an IPv6 /48)", "NetworkFree"},
	byNoAddress: {"no address", "clients without an address together", "NetworkFree"},
}

// counterKey is the key of a counter in the store, with what the counter counts.
type counterKey struct {
	kind counterKind
	hash string // the key that the store sees
}

// counterOf returns the key of a counter. The store sees a hash of what it counts.
func (t *throttle) counterOf(kind counterKind, of string) counterKey {
	sum := sha256.Sum256([]byte("password throttle " + t.label + counterKinds[kind].label + ":" + of))
	return counterKey{kind, hex.EncodeToString(sum[:])}
}

// source is where a try comes from and what it is for.
type source struct {
	username string     // as typed
	addr     netip.Addr // zero if it is not known
	device   string     // the identifier in a cookie that is good for the user, or ""
}

// folded is the name that was typed, in one form for all spellings that a finder without regard to
// case or surrounding spaces takes for the same user.
func (s source) folded() string { return caseFold(s.username) }

// caseFold returns one form for all spellings of a name that differ in case or in space around it.
// ToUpper comes first, since two lower-case letters can have one upper-case letter, such as s and ſ.
func caseFold(name string) string { return strings.ToLower(strings.ToUpper(strings.TrimSpace(name))) }

// prefix returns the prefix that counts as one address: of IPv6 what one customer gets,
// at least. It is "" if the address is not known.
func (s source) prefix(ipv6 int) string {
	if !s.addr.IsValid() {
		return ""
	}
	bits := 32
	if s.addr.Is6() {
		bits = ipv6
	}
	prefix, err := s.addr.WithZone("").Prefix(bits)
	if err != nil {
		return ""
	}
	return prefix.String()
}

// addressCounters returns the keys of the counters of address and network.
func (t *throttle) addressCounters(s source) []counterKey {
	address := s.prefix(64)
	switch {
	case address == "":
		return []counterKey{t.counterOf(byNoAddress, "")}
	case s.addr.Is6():
		return []counterKey{t.counterOf(byAddress, address), t.counterOf(byNetwork, s.prefix(48))}
	}
	return []counterKey{t.counterOf(byAddress, address)}
}

// known returns the key of what is known of the user's address, if there is an address.
func (t *throttle) known(s source) (counterKey, bool) {
	address := s.prefix(64)
	return t.counterOf(byKnown, address+" "+s.folded()), address != ""
}

// free is how many failures a counter has before the first delay.
func (t *throttle) free(kind counterKind) int {
	switch kind {
	case byAddress:
		return t.limits.AddressFree
	case byNetwork, byNoAddress:
		return t.limits.NetworkFree
	}
	return t.limits.AccountFree
}

// aged returns a counter without what is forgotten by now.
func (t *throttle) aged(kind counterKind, c Counter, now time.Time) Counter {
	switch {
	case c.Failures == 0:
	case kind == byKnown && now.Sub(c.Until) >= t.limits.Forget:
		c.Failures, c.Until = 0, time.Time{} // this row outlives its failures
	case kind == byNetwork || kind == byNoAddress:
		since := min(max(now.Sub(c.ExpiresAt.Add(-t.limits.Forget)), 0), t.limits.Forget) // the last failure
		share := float64(since) / float64(t.limits.Forget)
		c.Failures = max(c.Failures-int(share*float64(t.free(kind))), 0)
	}
	return c
}

// blocked reports whether an aged counter lets no try in at now. A counter that delays
// nothing has Until at its last failure, which may be later than now where two tries
// read the clock in another order. A block further off than MaxDelay, and a minute for the
// clocks of several instances, was written by a clock that was ahead.
func (t *throttle) blocked(kind counterKind, c Counter, now time.Time) bool {
	return t.limits.delay(c.Failures, t.free(kind)) > 0 && c.Until.After(now) &&
		!c.Until.After(now.Add(t.limits.MaxDelay+min(t.limits.MaxDelay, time.Minute)))
}

// budget is how many tries may be under way at once: as many as failures are left, then
// one after each delay, and while there is a block, 0.
func (t *throttle) budget(kind counterKind, c Counter, now time.Time) int {
	c = t.aged(kind, c, now)
	if t.blocked(kind, c, now) {
		return 0
	}
	return max(t.free(kind)-c.Failures, 1)
}

// failed returns a counter after one more failure.
func (t *throttle) failed(kind counterKind, c Counter, now time.Time) Counter {
	c = t.aged(kind, c, now)
	c.Failures++
	c.Until = now.Add(t.limits.delay(c.Failures, t.free(kind)))
	if kind != byKnown || c.ExpiresAt.IsZero() { // a known address may have expired since it was read
		c.ExpiresAt = now.Add(t.limits.Forget)
	}
	return c
}

// nowKnown returns the counter of an address that a user just logged in from. It stays as
// it is if nothing is to be forgiven and it was renewed within a day, so that most
// logins write nothing.
func (t *throttle) nowKnown(c Counter, now time.Time) Counter {
	age := now.Add(t.limits.Known).Sub(c.ExpiresAt)
	if c.Failures == 0 && age >= 0 && age <= min(t.limits.Known/30, 24*time.Hour) {
		return c
	}
	return Counter{ExpiresAt: now.Add(t.limits.Known)}
}
