// Package issue is what the backends that issue credentials share: what a new
// credential takes over from the one it was asked for with, and what is kept of
// the user and the client.
package backend

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/gatewarden/auth"
)

var (
	errNotPrimary error = &auth.Error{Kind: auth.ErrInsufficient, Detail: "A token cannot be used to make another one."}
	errScopes     error = &auth.Error{Kind: auth.ErrInsufficient, Detail: "The scopes exceed those of the credential presented."}
)

// Terms are what a credential allows a new one that is made with it.
type Terms struct {
	AuthInfo     auth.AuthInfo
	Scopes       []string // all that there may be, if Limited
	Limited      bool
	MaxExpiresAt time.Time // what the new one may not outlive; zero is none
}

// TermsOf returns the terms of a credential. One that is not [auth.Primary]
// allows nothing, unless allowToken.
func TermsOf(credential auth.Credential, allowToken bool) (Terms, error) {
	var t Terms
	primary, ok := credential.(auth.Primary)
	isPrimary := ok && primary.Primary()
	if !isPrimary && !allowToken {
		return t, errNotPrimary
	}
	if informer, ok := credential.(auth.AuthInformer); ok {
		t.AuthInfo = informer.AuthInfo()
	}
	if scoped, ok := credential.(auth.Scoped); ok {
		t.Scopes, t.Limited = scoped.Scopes()
	}
	if expirer, ok := credential.(auth.Expirer); ok && !isPrimary {
		t.MaxExpiresAt = expirer.ExpiresAt()
	}
	return t, nil
}

// Narrow returns the scopes of the new credential for those that were asked
// for; none are as many as there may be. It never returns more.
func (t Terms) Narrow(scopes []string, limited bool) ([]string, bool, error) {
	if !t.Limited {
		return scopes, limited, nil
	}
	if !limited && len(scopes) == 0 {
		return t.Scopes, true, nil
	}
	for _, scope := range scopes {
		if !slices.Contains(t.Scopes, scope) {
			return nil, true, errScopes
		}
	}
	return scopes, true, nil
}

// ValidScope reports a scope-token (RFC 6749 §3.3).
func ValidScope(scope string) bool {
	return scope != "" && !strings.ContainsFunc(scope, func(r rune) bool {
		return r <= ' ' || r > '~' || r == '"' || r == '\\'
	})
}

// Stamp returns a hash of a user's [auth.Stamper] stamp that is the issuer's
// own, or "" if there is none.
func Stamp(issuer string, user auth.User) string {
	stamper, ok := user.(auth.Stamper)
	if !ok {
		return ""
	}
	sum := sha256.Sum256([]byte(issuer + "\x00" + stamper.AuthStamp()))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// SameStamp compares in constant time.
func SameStamp(a, b string) bool {
	return len(a) == len(b) && subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1
}

// ClientOf returns the client's address, or "", and what it calls itself.
func ClientOf(r *http.Request, proxies auth.Proxies) (ip, userAgent string) {
	if addr := proxies.ClientIP(r); addr.IsValid() {
		ip = addr.String()
	}
	return ip, r.UserAgent()
}

// CleanText makes text from a client fit for any store and screen: valid UTF-8
// without control characters nor those that turn the direction of what follows,
// of at most max bytes.
func CleanText(text string, max int) string {
	text = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
			return -1
		}
		return r
	}, text)
	if len(text) > max {
		text = strings.ToValidUTF8(text[:max], "")
	}
	return text
}

// StoreTime is a time as stores keep it: UTC, in microseconds.
func StoreTime(at time.Time) time.Time { return at.UTC().Truncate(time.Microsecond) }

// Earlier returns the earlier of two instants, of which zero is never.
func Earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// Outage keeps a store's error from being taken for a statement about the
// credential, whatever it wraps.
func Outage(err error) error { return &auth.Error{Cause: err} }
