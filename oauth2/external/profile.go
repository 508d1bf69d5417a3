package external

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
)

// Profile is a person as told by a provider that was asked. It is verified: what is in
// it the provider said, to this service, about the person at this browser now.
type Profile struct {
	Provider string // the provider's name in Config
	// Issuer and Subject are the person, for ever: they are never given to another one. They are the key
	// of an [Identity]. Nothing else here is. They have at most 1,024 and 255 bytes.
	Issuer  string
	Subject string

	Email Email
	Name  string // for people, as the person likes, "" if not told
	// Username is what the provider calls the person. Others may have it later. It is "" if it would have to be
	// changed to be shown, and so is Tenant.
	Username string
	Picture  string // an https URL, or ""
	// Tenant is the organization that the person belongs to: the "hd" of Google, the
	// "tid" of Microsoft.
	Tenant string

	// AuthInfo is when and how the person proved their identity to the provider, if it says. AuthTime is zero if not,
	// and if it is more than a minute ahead of our clock. ACR and AMR are empty if no store could keep them: see
	// [backend.CheckAuthInfo].
	AuthInfo auth.AuthInfo
	// Claims are what the provider said besides: those of the ID token, over those of
	// the userinfo endpoint. Numbers are [json.Number].
	Claims map[string]any
}

// Email is an address as a provider tells it. It is an attribute, and no key.
type Email struct {
	Address string // "" if not told
	// Verified is that the provider once saw that the person reads the mail there.
	Verified bool
	// Authoritative is that the provider decides to which person the address belongs: it is verified,
	// the operator listed its domain in the provider's Domains, and the provider vouches
	// for it. It is what automatic linking needs. See Config.Accounts.ByEmail. An address with other
	// characters than ASCII never is.
	Authoritative bool
	Source        string // the provider's name
}

// Credential is that of a person that signed in by a provider. It is primary: other
// credentials may be issued for it. It has full access.
type Credential struct {
	Profile     *Profile
	info        auth.AuthInfo
	at          time.Time
	pendingLink string // see PendingLink
	finish      func(ctx context.Context) *failure
}

var (
	_ auth.Credential   = (*Credential)(nil)
	_ auth.Scoped       = (*Credential)(nil)
	_ auth.Ambient      = (*Credential)(nil)
	_ auth.Primary      = (*Credential)(nil)
	_ auth.AuthInformer = (*Credential)(nil)
	_ backend.Finisher  = (*Credential)(nil)
)

// Backend returns "login".
func (c *Credential) Backend() string { return backendName }

// Scopes implements [auth.Scoped]: a login is not limited to scopes.
func (c *Credential) Scopes() (scopes []string, limited bool) { return nil, false }

// Ambient returns false: an app sends its code on purpose.
func (c *Credential) Ambient() bool { return false }

// Primary returns true.
func (c *Credential) Primary() bool { return true }

// AuthInfo returns when and how the person logged in at the provider, if the provider says. That can be long
// ago. If the provider does not say when, AuthTime is zero, and so [auth.Fresh] refuses what is issued for the login:
// see Config.Accounts.AllowAssumedAuthTime.
func (c *Credential) AuthInfo() auth.AuthInfo { return c.info }

// The longest texts of a profile, in bytes.
const (
	maxText    = 255
	maxSubject = 255     // OpenID Connect Core §2
	maxIssuer  = 1 << 10 // beside a subject it fits an index of every engine
)

// Text returns a member of an answer that is a string, trimmed, cut after 255 bytes and
// without control characters and other characters that no screen should show. It is ""
// if there is no such string.
func Text(members map[string]any, name string) string {
	text, _ := members[name].(string)
	return clean(text)
}

// Exact returns a member that is a string if it is fit to be shown as it is, and "" if
// Text would have to change it. It is for what is compared, such as addresses and names of
// organizations: one that is cut could be that of somebody else.
func Exact(members map[string]any, name string) string {
	text, _ := members[name].(string)
	return exact(text)
}

func exact(text string) string {
	if text != clean(text) {
		return ""
	}
	return text
}

func clean(text string) string { return backend.CleanText(strings.TrimSpace(text), maxText) }

// Flag reports a member that is true, or "true", as some providers write it.
func Flag(members map[string]any, name string) bool {
	return members[name] == true || members[name] == "true"
}

// ID returns a member that identifies somebody or something, as it is: a string, or a
// whole number. It is "" for all others.
func ID(members map[string]any, name string) string {
	switch v := members[name].(type) {
	case string:
		return v
	case json.Number:
		if !strings.ContainsAny(v.String(), ".eE") {
			return v.String()
		}
	}
	return ""
}

// check refuses a profile without a person, or one that a store could take for that of another.
func (p *Profile) check() bool {
	return p.Subject != "" && len(p.Subject) <= maxSubject && backend.CleanText(p.Subject, maxSubject) == p.Subject &&
		strings.TrimSpace(p.Subject) == p.Subject && backend.ValidText(p.Issuer, maxIssuer)
}

// finish fills in what does not depend on the provider's kind.
func (p *Profile) finish(from *provider) {
	p.Provider = from.name
	if backend.CheckAuthInfo(p.AuthInfo) != nil { // as if the provider had not told: cut, it could be another one
		p.AuthInfo.ACR, p.AuthInfo.AMR = "", nil
	}
	p.Name, p.Username, p.Tenant, p.Picture = clean(p.Name), exact(p.Username), exact(p.Tenant), exact(p.Picture)
	p.Email.Address, p.Email.Source = exact(p.Email.Address), from.name
	domain := domainOf(p.Email.Address)
	if domain == "" {
		p.Email = Email{Source: from.name}
	}
	// A provider that is responsible for some domains has no say about others.
	listed := slices.Contains(from.domains, domain)
	if len(from.domains) > 0 && !listed && !from.anyDomain {
		p.Email.Verified = false
	}
	if !strings.HasPrefix(p.Picture, "https://") {
		p.Picture = ""
	}
	p.Email.Authoritative = p.Email.Authoritative && p.Email.Verified && listed && isASCII(p.Email.Address)
}

// isASCII reports text that no lookup can take for other text by folding letters: "\u212a", the sign of the unit
// kelvin, is a "k" in lower case. An addr-spec is ASCII (OpenID Connect Core §5.1, RFC 5322 §3.4.1).
func isASCII(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r > '~' })
}

// lower returns text with the letters A to Z in lower case, and no others.
func lower(text string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, text)
}

// domainOf returns the domain of an address in lower case, or "" for another text.
func domainOf(address string) string {
	at := strings.LastIndexByte(address, '@')
	if at < 1 || at == len(address)-1 || strings.ContainsAny(address, " \t<>,;\"()\\") ||
		strings.Count(address, "@") != 1 {
		return ""
	}
	return lower(address[at+1:])
}
