package server

import (
	"cmp"
	"fmt"
	"strings"
	"time"
)

// Finding is a choice that is weaker than RFC 9700 or another standard recommends.
type Finding struct {
	Section string // such as "RFC 9700 §2.1"
	Setting string // what to change
	Text    string // what is lost
}

// String returns the finding as one line.
func (f Finding) String() string { return f.Section + ": " + f.Setting + ": " + f.Text }

// Audit lists every choice of a configuration, and of these clients of it, that is
// weaker than RFC 9700 recommends, section by section. What the server does not do
// at all, such as the implicit grant, it cannot be configured to do either.
func Audit(config Config, clients ...*Client) []Finding {
	var found []Finding
	add := func(section, setting, format string, args ...any) {
		found = append(found, Finding{section, setting, fmt.Sprintf(format, args...)})
	}
	l := config.Lifetimes.or(defaultLifetimes)
	for _, c := range clients {
		setting := "client " + c.ID
		for _, uri := range c.RedirectURIs {
			if c.FirstParty && c.Public() && isNative(uri) {
				add("RFC 8252 §8.6", setting+" FirstParty", "any program on the user's machine can get tokens in its name without the user being asked")
				break
			}
		}
		for _, uri := range c.RedirectURIs {
			if hasLocalName(uri) {
				add("RFC 8252 §8.3", setting+" RedirectURIs", "localhost may resolve to another interface; use http://127.0.0.1")
				break
			}
		}
		if c.AllowWithoutPKCE {
			add("RFC 9700 §2.1.1", setting+" AllowWithoutPKCE", "an injected code is noticed only if the client checks its nonce")
		}
		if !c.Public() && c.AuthMethod == AuthClientSecretPost {
			add("RFC 6749 §2.3.1", setting+" AuthMethod", "a secret in the body is more easily logged than one in a header")
		}
		if !c.Public() {
			add("RFC 9700 §2.5", setting+" AuthMethod", "a secret is shared; a key pair or a certificate would not be")
		}
		if c.Public() && c.Allows(GrantRefreshToken) {
			add("RFC 9700 §2.2.2", setting, "its refresh tokens rotate, but are not bound to a key (RFC 9449)")
		}
	}
	if strings.HasPrefix(config.Issuer, "http:") || config.InsecureHTTP {
		add("RFC 9700 §2.6", "Issuer", "without TLS everybody on the way reads codes and tokens")
	}
	add("RFC 9700 §2.2.1", "access tokens", "they are not bound to a key: who steals one can use it until it expires")
	if l.Access > time.Hour {
		add("RFC 9700 §4.9.3", "Lifetimes.Access", "a stolen access token is good for %v", l.Access)
	}
	for _, resource := range config.Resources {
		if resource.JWT {
			add("RFC 9700 §4.9.3", "Resource.JWT of "+resource.ID, "a JWT that was revoked is good for up to %v where nobody asks the server", l.Access)
		}
	}
	if l.Code > time.Minute {
		add("RFC 9700 §4.2.4", "Lifetimes.Code", "a leaked code is good for %v", l.Code)
	}
	if config.Grace > 0 {
		add("RFC 9700 §4.14.2", "Grace", "who steals a refresh token and uses it within %v of the client is not noticed", config.Grace)
	}
	if l.RefreshIdle > 30*24*time.Hour {
		add("RFC 9700 §4.14.2", "Lifetimes.RefreshIdle", "a refresh token that is not used is good for %v", l.RefreshIdle)
	}
	if len(config.Resources) > 1 {
		add("RFC 9700 §2.3", "Resources", "a client that names no resource gets a token for %s", cmp.Or(config.Resources[0].Name, config.Resources[0].ID))
	}
	return found
}
