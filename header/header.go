package header

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/internal/redact"
)

// Config is the configuration of a [Header]. Header, LoadUser and Trust are
// required.
type Config struct {
	// Header is the name of the header that holds the user's identifier. The
	// sender must overwrite what its client sent under this name: two lines are
	// refused, but a single line of the client is believed.
	Header string
	// Groups is the name of a header that holds the user's groups, separated
	// by commas, on one line or several. [Credential.Groups] returns them. If
	// empty, no groups are read. The sender must overwrite this header too, and
	// remove it from requests of users without groups: a line that the client
	// sent is believed. A group with a comma in its name reads as two, so users
	// must not be able to choose such names.
	Groups string
	// Clean returns the identifier that is loaded for the one in the header, for
	// example without its domain. It returns "" to refuse an identifier: "No
	// such user". Refuse what is not expected: if Clean drops any domain instead
	// of one, alice of another domain becomes alice. It must be safe for
	// concurrent use. If nil, identifiers are loaded as they are.
	Clean func(id string) string
	// LoadUser finds the user by the header's value, cleaned. The user may have another
	// UserID: see [auth.UserLoader.Find].
	LoadUser auth.UserLoader
	// Create makes the user of an identifier that LoadUser does not know,
	// [auth.ErrUserNotFound], and returns them. It is called only if Trust
	// holds, and not about inactive users or while LoadUser is down. What it
	// returns is checked as from LoadUser, see [auth.UserLoader.Find]. To
	// decline, it returns ErrUserNotFound. Several first requests of one user
	// may come at once, so it must be safe for concurrent use and idempotent:
	// it inserts the user if missing, and returns the stored one. groups are
	// those of this request. If nil, no users are created.
	Create func(ctx context.Context, id string, groups []string) (auth.User, error)
	// Trust says which sender's headers are believed. There is no default.
	Trust Trust
	// Name is what credentials return as their backend, "header" if empty.
	Name string
}

// Format prints the name of the type only. If a verb does not fit a pointer, as with %s, package fmt prints the fields
// without their methods. That would show the [auth.Secret].
func (Config) Format(f fmt.State, _ rune) { redact.WriteType(f, "header.Config") }

// Header is the backend for a header that a trusted sender sets. It is
// immutable and safe for concurrent use.
//
// From any other sender the header counts as absent. A Guard removes it, the
// groups and the secret header from every request before a handler sees it, in
// any case and with "_" for "-". The spelling with "_" is never read. There is
// no challenge, because a client cannot do anything about a 401.
//
// Nothing is remembered between requests, so a request without the header is
// anonymous, and what Django calls force_logout_if_no_header is not needed. A
// session or token that an issuer made for the header outlives it, by the rules
// of that issuer, and has no groups.
type Header struct {
	config Config // without Trust
	trust  *trustCheck
	key    string // canonical
	groups string // canonical, or ""

	repeatedValue error // the header came more than once
	invalidValue  error
	invalidGroups error
}

var (
	_ auth.Authenticator  = (*Header)(nil)
	_ auth.Named          = (*Header)(nil)
	_ auth.HeaderStripper = (*Header)(nil)
	_ auth.Ambient        = (*Header)(nil)
	_ auth.Varier         = (*Header)(nil)
)

// New returns a Header, or an error that says which setting is missing or
// dangerous: no rule in Trust, one that trusts everybody or can never hold, a
// header that is another's (Authorization, Cookie, X-Forwarded-For), of one
// connection only (Upgrade) or no name of letters, digits and "-", or one
// header for two things.
func New(config Config) (*Header, error) {
	h := &Header{config: config, key: http.CanonicalHeaderKey(config.Header),
		groups: http.CanonicalHeaderKey(config.Groups)}
	h.config.Name = cmp.Or(config.Name, "header")
	h.config.Trust = Trust{}
	s := backend.Settings{Package: "header"}
	s.Need("Config.Header", config.Header)
	s.Need("Config.LoadUser", config.LoadUser)
	h.trust = newTrustCheck(&s, config.Trust, h.headers()...)
	if err := s.Err(); err != nil {
		return nil, err
	}
	h.repeatedValue = repeatedHeader(h.key)
	h.invalidValue = invalidHeader(h.key, "is longer than 256 bytes, is not UTF-8 or has control characters")
	h.invalidGroups = invalidHeader(h.groups,
		"has more than 256 groups or 8 KiB, is not UTF-8 or has control characters")
	return h, nil
}

// headers returns the names of the headers that are read.
func (h *Header) headers() []string {
	if h.groups == "" {
		return []string{h.key}
	}
	return []string{h.key, h.groups}
}

// maxValue is the longest identifier that is read, in bytes.
const maxValue = 256

// Authenticate proves a request by the header. It returns
//
//   - ErrNoCredentials if the header is absent or empty, or if its sender is not
//     trusted
//   - ErrMalformed if it comes more than once, is longer than 256 bytes, is not
//     UTF-8 or has control characters
//   - ErrMalformed for groups that are not UTF-8, have control characters, are
//     more than 256 or come in more than 8 KiB
//   - ErrInvalid, "No such user", if there is no such user
//
// Other errors of LoadUser or Create are returned as they are.
func (h *Header) Authenticate(r *http.Request) (auth.User, auth.Credential, error) {
	lines := r.Header[h.key]
	if len(lines) == 0 {
		return nil, nil, auth.ErrNoCredentials
	}
	if err := h.trust.refusal(r); err != nil {
		return nil, nil, err
	}
	if len(lines) > 1 {
		return nil, nil, h.repeatedValue
	}
	id := strings.Trim(lines[0], " \t")
	if id == "" {
		return nil, nil, auth.ErrNoCredentials
	}
	if len(id) > maxValue || !isText(id) {
		return nil, nil, h.invalidValue
	}
	groups := ""
	if h.groups != "" {
		var ok bool
		if groups, ok = joinGroups(r.Header[h.groups]); !ok {
			return nil, nil, h.invalidGroups
		}
	}
	user, err := h.user(r.Context(), id, groups)
	if err != nil {
		return nil, nil, err
	}
	return user, Credential{h.config.Name, groups}, nil
}

// user returns the user that the trusted sender named.
func (h *Header) user(ctx context.Context, id, groups string) (auth.User, error) {
	if h.config.Clean != nil {
		id = h.config.Clean(id)
	}
	user, err := h.config.LoadUser.Find(ctx, id)
	if isUnknown(err) && h.config.Create != nil {
		// A loader too, so that no user is created under a reserved identifier.
		var create auth.UserLoader = func(ctx context.Context, id string) (auth.User, error) {
			return h.config.Create(ctx, id, splitGroups(groups))
		}
		user, err = create.Find(ctx, id)
	}
	if err != nil {
		return nil, withIdentifier(id, err)
	}
	return user, nil
}

// isUnknown reports whether err states that there is no such user. What is
// undecided, or of an inactive user, does not state it, whatever it wraps.
func isUnknown(err error) bool {
	return auth.KindOf(err) == auth.ErrInvalid && errors.Is(err, auth.ErrUserNotFound) &&
		!errors.Is(err, auth.ErrUserInactive)
}

// withIdentifier adds the identifier to what a loader says of it, for the log. That there is
// no such user is said in the words of Django REST framework.
func withIdentifier(id string, err error) error {
	var stated *auth.Error
	if auth.KindOf(err) != auth.ErrInvalid || !errors.As(err, &stated) {
		return err
	}
	told := *stated
	told.Kind, told.Cause = auth.ErrInvalid, &identityError{id, err}
	if isUnknown(err) {
		told.Code, told.Detail = auth.CodeAuthenticationFailed, "No such user"
	}
	return &told
}

// Backend returns Config.Name.
func (h *Header) Backend() string { return h.config.Name }

// StripHeaders returns the headers that no handler may see.
func (h *Header) StripHeaders() []string { return h.trust.strip(h.headers()...) }

// Vary returns the headers that are read, but for that of the secret, because
// clients need not know its name.
func (h *Header) Vary() []string { return h.headers() }

// Ambient returns true: the proxy adds the header to whatever a browser was
// made to send.
func (h *Header) Ambient() bool { return true }

// Credential is what a trusted sender said. Two are equal if they say the same.
type Credential struct {
	backend string
	groups  string // joined by commas, so that credentials compare
}

var (
	_ auth.Credential   = Credential{}
	_ auth.Scoped       = Credential{}
	_ auth.Primary      = Credential{}
	_ auth.Ambient      = Credential{}
	_ auth.AuthInformer = Credential{}
)

// Backend returns Config.Name.
func (c Credential) Backend() string { return c.backend }

// Groups returns a copy of the user's groups, as the sender named them and in its
// order. It returns nil if there are no groups or Config.Groups is "".
func (c Credential) Groups() []string { return splitGroups(c.groups) }

// Scopes returns false: the user has full access.
func (c Credential) Scopes() (scopes []string, limited bool) { return nil, false }

// Primary returns true: a token may be issued for it.
func (c Credential) Primary() bool { return true }

// Ambient returns true, as [Header.Ambient] does.
func (c Credential) Ambient() bool { return true }

// AuthInfo returns the zero value, because only the sender knows when and how
// the user logged in. [auth.Fresh] therefore refuses the credential.
func (c Credential) AuthInfo() auth.AuthInfo { return auth.AuthInfo{} }
