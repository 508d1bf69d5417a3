package external

import (
	"cmp"
	"context"
	"fmt"
	"maps"
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
	// organizations. Of any other it saw once that the person read the mail there.
	Domains []string
	// AppClientIDs are as in [OIDC]: those of Android, iOS and One Tap.
	AppClientIDs []string
	BaseURL      string // of a double, in tests. Empty is https://accounts.google.com
}

const googleIssuer = "https://accounts.google.com"

// Define implements [Provider].
func (g Google) Define() (Definition, error) {
	issuer := trimmed(g.BaseURL, googleIssuer)
	_, bare, _ := strings.Cut(issuer, "://") // Google also writes the issuer without its scheme
	o := OIDC{Name: cmp.Or(g.Name, "google"), Label: "Google", Issuer: issuer, ClientID: g.ClientID,
		ClientSecret: g.ClientSecret, Scopes: g.Scopes, Domains: g.Domains, AppClientIDs: g.AppClientIDs, Tenant: "hd",
		Params: map[string]string{},
		Quirks: OIDCQuirks{IssuerAliases: []string{bare}, AnyDomain: true, NoMaxAge: true, Complete: g.completeProfile}}
	maps.Copy(o.Params, g.Params)
	if g.HostedDomain != "" {
		o.Params["hd"] = g.HostedDomain
	}
	if g.Offline {
		o.Params["access_type"], o.Params["prompt"] = "offline", "consent"
	}
	return o, nil
}

// completeProfile holds the person to HostedDomain, and says what Google has a say about.
func (g Google) completeProfile(_ context.Context, _ *API, p *Profile) error {
	if g.HostedDomain != "" && lower(p.Tenant) != lower(g.HostedDomain) {
		return hookError("Google.HostedDomain", fmt.Errorf("%w: %w", ErrNotAllowed,
			failedValue("the hd of the ID token is missing or another domain", p.Tenant, g.HostedDomain)))
	}
	p.Email.Authoritative = p.Tenant != "" || domainOf(p.Email.Address) == "gmail.com"
	return nil
}
