package password

import (
	"cmp"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"net/http"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/internal/seal"
)

// DeviceConfig is the configuration of [Devices]. Keys are required.
type DeviceConfig struct {
	// Keys seal the cookies. The first seals, all open, so a new key goes in front and an
	// old one stays for Lifetime. Each has at least 32 random bytes. They may be the
	// application's: a key for this purpose is derived from each.
	Keys []auth.Secret
	// Cookie is the name of the cookie without the prefix "__Host-", which it gets. Empty
	// is "device". Browsers send a server's cookies to all its ports: two
	// programs on one host need two names.
	Cookie string
	// InsecureCookie is for a host that is served by plain http and is not the browser's
	// own machine. It leaves out Secure and the prefix: anybody on the way can take
	// the cookie, and with it a counter of its own to guess at that user.
	InsecureCookie bool
	// Lifetime is how long a device is known after the last login, at most 400 days, the
	// longest that browsers keep a cookie. 0 is 90 days.
	Lifetime time.Duration
}

// Devices are the browsers that users logged in from, known by a cookie: the device
// cookies of OWASP ("Slow Down Online Guessing Attacks with Device Cookies"). Set
// Config.Devices of an [Authenticator], and a login by a form or JSON leaves a cookie on its
// answer. HTTP Basic leaves no cookie.
//
// A login with such a cookie of the same user counts at a counter of the device, of
// Limits.AccountFree failures, and at no other. So a user can log in from a new
// address while strangers guess at the account. A cookie that is stolen allows as many
// guesses as one more address does, and proves nothing else: the password is still needed.
//
// The cookie is sealed and bound to the name that was typed, the UserID and the
// [auth.Stamper] stamp, so that it ends when the user changes the password. A user without a
// stamp gets no cookie, because nothing would end it. It is HttpOnly, Secure and SameSite=Lax.
// A browser has one, of the user that logged in last.
//
// Nothing is stored, so one device cannot be forgotten by itself. A user that changes the password
// forgets all. Devices are immutable and safe for concurrent use.
type Devices struct {
	cookie backend.Cookie
	seals  []seal.Key
	life   time.Duration
}

// maxDeviceLife is what browsers keep a cookie for (RFC 6265bis §5.5).
const maxDeviceLife = 400 * 24 * time.Hour

// NewDevices returns Devices, or an error that says which settings are missing or out of range.
func NewDevices(config DeviceConfig) (*Devices, error) {
	d := &Devices{
		cookie: backend.Cookie{Name: cmp.Or(config.Cookie, "device"), Insecure: config.InsecureCookie},
		life:   cmp.Or(config.Lifetime, 90*24*time.Hour),
	}
	s := backend.Settings{Package: "password"}
	s.Add("DeviceConfig.Cookie", d.cookie.Check())
	s.Refuse(d.life < time.Minute || d.life > maxDeviceLife, "DeviceConfig.Lifetime is not from a minute to 400 days")
	var err error
	d.seals, err = seal.NewKeys(config.Keys, "gatewarden password device")
	s.Add("DeviceConfig.Keys", err)
	if err := s.Err(); err != nil {
		return nil, err
	}
	return d, nil
}

// Set leaves the cookie on an answer, for handlers that call [Authenticator.Check]
// themselves: call it with the name that was typed and the user that Check returned, before
// the answer is written. It keeps the device's counter if r has a cookie of that name and user.
func (d *Devices) Set(w http.ResponseWriter, r *http.Request, username string, user auth.User) {
	d.setCookie(w.Header(), d.cookieFor(r, username, user))
}

// device is what a cookie holds. Its parts are hashes and random, so that it has one size.
type device struct {
	id    [16]byte          // random, and the counter is named by it
	name  [sha256.Size]byte // of the folded name that was typed
	owner [sha256.Size]byte // of the user and stamp
	until int64             // Unix seconds
}

const deviceSize = 16 + 2*sha256.Size + 8

// bytes returns what is sealed.
func (v *device) bytes() []byte {
	text := make([]byte, 0, deviceSize)
	text = append(append(append(text, v.id[:]...), v.name[:]...), v.owner[:]...)
	return binary.BigEndian.AppendUint64(text, uint64(v.until))
}

// read returns the device of a request if its cookie is one for this name, or nil. d may be nil.
func (d *Devices) read(r *http.Request, username string) *device {
	if d == nil {
		return nil
	}
	value, count := d.cookie.Value(r)
	if count != 1 { // of two, one may be planted
		return nil
	}
	text, err := seal.Open(d.seals, value, d.cookie.FullName())
	if err != nil || len(text) != deviceSize {
		return nil
	}
	v := &device{until: int64(binary.BigEndian.Uint64(text[deviceSize-8:]))}
	copy(v.id[:], text)
	copy(v.name[:], text[16:])
	copy(v.owner[:], text[16+sha256.Size:])
	name := nameDigest(username)
	// A life longer than it is given is of a setting that was longer, or a clock that was ahead.
	left := time.Until(time.Unix(v.until, 0))
	if left <= 0 || left > d.life || !hmac.Equal(name[:], v.name[:]) {
		return nil
	}
	return v
}

// of reports whether the device is one of this account as it is now.
func (v *device) of(a *account) bool {
	if a.refused != nil {
		return false
	}
	owner, ok := ownerOf(a.user)
	return ok && hmac.Equal(owner[:], v.owner[:])
}

func (v *device) key() string { return base64.RawURLEncoding.EncodeToString(v.id[:]) }

func nameDigest(username string) [sha256.Size]byte {
	return sha256.Sum256([]byte("password device name:" + caseFold(username)))
}

// ownerOf returns what a cookie of a user is bound to, or false without a stamp.
func ownerOf(user auth.User) (sum [sha256.Size]byte, ok bool) {
	stamp := backend.Stamp("password device", user)
	if stamp == "" {
		return sum, false
	}
	return sha256.Sum256([]byte(stamp + user.UserID())), true // the stamp has one length
}

// cookieFor returns the value of the cookie after a login, or "" if the login gets no cookie.
func (d *Devices) cookieFor(r *http.Request, username string, user auth.User) string {
	owner, ok := ownerOf(user)
	if !ok {
		return ""
	}
	v := &device{name: nameDigest(username), owner: owner, until: time.Now().Add(d.life).Unix()}
	if old := d.read(r, username); old != nil && old.owner == owner {
		v.id = old.id
	} else {
		_, _ = rand.Read(v.id[:]) // never fails
	}
	return seal.Seal(d.seals, v.bytes(), d.cookie.FullName())
}

// setCookie sets the cookie, unless value is empty.
func (d *Devices) setCookie(h http.Header, value string) {
	if value != "" {
		d.cookie.Set(h, value, d.life)
	}
}
