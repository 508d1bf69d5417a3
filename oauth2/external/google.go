package external

import (
	"cmp"
	"fmt"
	"net/url"
	"strings"

	"github.com/gatewarden/auth"
)

// Google signs in with Google accounts, of people and of organizations (Google
// Workspace). ClientID and ClientSecret are those of a "web application" in the Google
// Cloud console.
type Google struct {
	Name         string // empty is "google"
	ClientID     string
	ClientSecret auth.Secret
	// HostedDomain admits the people of one organization only: the "hd" claim must be
	// it.
	HostedDomain string
	// Offline asks for a refresh token each time, which Google gives with a page of
	// consent.
	Offline bool
	Scopes  []string          // nil is "profile" and "email"
	Params  map[string]string // of the authorization request, such as "login_hint"
	// Domains are as in [OIDC]. Google vouches for addresses at gmail.com and of
	// organizations; of any other it saw once that the person read the mail there.
	Domains []string
	// AppClientIDs are as in [OIDC]: those of Android, iOS and One Tap.
	AppClientIDs []string
	BaseURL      string // of a double, in tests; empty is https://accounts.google.com
}

const googleIssuer = "https://accounts.google.com"

func (g Google) provider(env environment) (*provider, error) {
	issuer := trimmed(g.BaseURL, googleIssuer)
	o := relyingParty{kind: "Google", noMaxAge: true, OIDC: OIDC{Name: cmp.Or(g.Name, "google"), Label: "Google", Issuer: issuer, ClientID: g.ClientID, ClientSecret: g.ClientSecret,
		Scopes: g.Scopes, Domains: g.Domains, AppClientIDs: g.AppClientIDs, Tenant: "hd", Params: map[string]string{}}}
	for name, value := range g.Params {
		o.Params[name] = value
	}
	if g.HostedDomain != "" {
		o.Params["hd"] = g.HostedDomain
	}
	if g.Offline {
		o.Params["access_type"], o.Params["prompt"] = "offline", "consent"
	}
	// Google also writes the issuer without its scheme.
	_, bare, _ := strings.Cut(issuer, "://")
	o.issuers = []string{issuer, bare}
	o.isIssuer = func(iss string) bool { return iss == issuer || iss == bare }
	o.accept = func(p *Profile, _ url.Values) error {
		if g.HostedDomain != "" && !strings.EqualFold(p.Tenant, g.HostedDomain) {
			return by("Google.HostedDomain", fmt.Errorf("%w: %w", ErrNotAllowed,
				because("the hd of the ID token is missing or another domain", p.Tenant, g.HostedDomain)))
		}
		p.Email.Authoritative = p.Tenant != "" || domainOf(p.Email.Address) == "gmail.com"
		return nil
	}
	return o.provider(env)
}
