// Package header authenticates by headers that are not tokens: one that a
// trusted proxy sets, such as X-Username ([New]), and HTTP Basic ([NewBasic]).
//
// Choose the custom header where something in front of the service has
// authenticated the user already. It refuses to be built without a rule for
// whom to believe, because a header is what anybody can write:
//
//	proxied, err := header.New(header.Config{
//		Header:   "X-Username",
//		LoadUser: users.Load,
//		Trust:    header.Trust{Proxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.2/32")}},
//	})
//
// Choose Basic for scripts and for logging in; see [NewBasic].
package header

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/gatewarden/auth"
)

// Config is the configuration of a [Header]. Header, LoadUser and Trust are
// required.
type Config struct {
	// Header is the name of the header that holds the user's identifier. The
	// sender must overwrite what its client sent under this name: a second
	// line beside its own is refused, but alone the client's is believed.
	Header string
	// LoadUser finds the user by the header's value.
	LoadUser auth.UserLoader
	// Trust says whose header is believed. There is no default.
	Trust Trust
	// Name is what credentials return as their backend; empty is "header".
	Name string
}

// Header is the backend for a header that a trusted sender sets. It is
// immutable and safe for concurrent use.
//
// From anybody else the header counts as absent. A Guard removes it, and the
// secret header, from every request before a handler sees it, in any case and
// with "_" for "-"; the spelling with "_" is never read. There is no challenge:
// a client cannot do anything about a 401.
type Header struct {
	config Config
	key    string // canonical
	twice  error
	bad    error
}

var (
	_ auth.Authenticator = (*Header)(nil)
	_ auth.Named         = (*Header)(nil)
	_ auth.Stripper      = (*Header)(nil)
	_ auth.Ambient       = (*Header)(nil)
	_ auth.Varier        = (*Header)(nil)
)

// New returns a Header, or an error that says which setting is missing or
// dangerous: no rule in Trust, one that trusts everybody or can never hold, or
// a header that is another's (Authorization, Cookie, Host) or no name of
// letters, digits and "-".
func New(config Config) (*Header, error) {
	h := &Header{config: config, key: http.CanonicalHeaderKey(config.Header)}
	if h.config.Name == "" {
		h.config.Name = "header"
	}
	for _, name := range []string{h.key, http.CanonicalHeaderKey(config.Trust.SecretHeader)} {
		switch name {
		case "Authorization", "Cookie", "Host":
			return nil, fmt.Errorf("header: %s has a meaning of its own", name)
		}
		if strings.ContainsFunc(name, func(r rune) bool {
			return !(r == '-' || '0' <= r && r <= '9' || 'A' <= r && r <= 'Z' || 'a' <= r && r <= 'z')
		}) {
			return nil, fmt.Errorf("header: %q is not a name of letters, digits and -", name)
		}
	}
	switch {
	case h.key == "":
		return nil, errors.New("header: Config.Header is missing")
	case config.LoadUser == nil:
		return nil, errors.New("header: Config.LoadUser is missing")
	case strings.EqualFold(config.Header, config.Trust.SecretHeader):
		return nil, errors.New("header: Header and Trust.SecretHeader are the same")
	}
	if err := config.Trust.check(); err != nil {
		return nil, err
	}
	h.config.Trust.Proxies = unmapped(config.Trust.Proxies)
	h.twice = &auth.Error{Kind: auth.ErrMalformed, Detail: "More than one " + h.key + " header."}
	h.bad = &auth.Error{Kind: auth.ErrMalformed, Detail: "Malformed " + h.key + " header."}
	return h, nil
}

// maxValue is the longest identifier that is read, in bytes.
const maxValue = 256

// Authenticate proves a request by the header. It returns ErrNoCredentials if
// the header is absent or empty, or if its sender is not trusted; ErrMalformed
// if it comes more than once, is longer than 256 bytes, is not UTF-8 or has
// control characters; ErrInvalid, "No such user", if there is no such user. What else
// LoadUser says is returned as it is.
func (h *Header) Authenticate(r *http.Request) (auth.User, auth.Credential, error) {
	lines := r.Header[h.key]
	if len(lines) == 0 || !h.config.Trust.holds(r) {
		return nil, nil, auth.ErrNoCredentials
	}
	if len(lines) > 1 {
		return nil, nil, h.twice
	}
	id := strings.Trim(lines[0], " \t")
	if id == "" {
		return nil, nil, auth.ErrNoCredentials
	}
	if len(id) > maxValue || !utf8.ValidString(id) || strings.ContainsFunc(id, unicode.IsControl) {
		return nil, nil, h.bad
	}
	user, err := h.config.LoadUser.Load(r.Context(), id)
	if errors.Is(err, auth.ErrUserNotFound) {
		return nil, nil, &auth.Error{Kind: auth.ErrInvalid, Code: auth.CodeAuthenticationFailed, Detail: "No such user", Cause: err}
	}
	if err != nil {
		return nil, nil, err
	}
	return user, Credential{h.config.Name}, nil
}

// Backend returns Config.Name.
func (h *Header) Backend() string { return h.config.Name }

// StripHeaders returns the headers that no handler may see.
func (h *Header) StripHeaders() []string {
	if h.config.Trust.SecretHeader == "" {
		return []string{h.key}
	}
	return []string{h.key, h.config.Trust.SecretHeader}
}

// Vary returns the header. The secret's is left out: its name is no client's
// business.
func (h *Header) Vary() []string { return []string{h.key} }

// Ambient returns true: the proxy adds the header to whatever a browser was
// made to send.
func (h *Header) Ambient() bool { return true }

// Credential is the word of a trusted sender.
type Credential struct{ backend string }

var (
	_ auth.Credential    = Credential{}
	_ auth.Primary       = Credential{}
	_ auth.Ambient       = Credential{}
	_ auth.LoginInformer = Credential{}
)

// Backend returns Config.Name.
func (c Credential) Backend() string { return c.backend }

// Primary returns true: the word may be turned into a token.
func (c Credential) Primary() bool { return true }

// Ambient returns true, as [Header.Ambient] does.
func (c Credential) Ambient() bool { return true }

// LoginInfo returns the zero value: when and how the user logged in is known to
// the sender alone. [auth.Fresh] therefore refuses the credential.
func (c Credential) LoginInfo() auth.LoginInfo { return auth.LoginInfo{} }
