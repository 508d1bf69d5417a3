package external

import (
	"cmp"
	"context"

	"github.com/gatewarden/auth"
)

// GitLab signs in with accounts of gitlab.com, or of a GitLab of one's own with an
// administrator decides what addresses people have: list the domains of its people in
// Domains. gitlab.com is authoritative for no domain, since everybody can have an account
// there.
type GitLab struct {
	Name         string // empty is "gitlab"
	ClientID     string
	ClientSecret auth.Secret
	Scopes       []string          // nil is "profile" and "email"
	Params       map[string]string // of the authorization request
	Domains      []string          // as in [OIDC]
	BaseURL      string            // the external_url of a GitLab of one's own, empty is https://gitlab.com
}

const gitlabIssuer = "https://gitlab.com"

// Define implements [Provider].
func (g GitLab) Define() (Definition, error) {
	o := OIDC{Name: cmp.Or(g.Name, "gitlab"), Label: "GitLab", Issuer: trimmed(g.BaseURL, gitlabIssuer),
		ClientID: g.ClientID, ClientSecret: g.ClientSecret, Scopes: g.Scopes, Params: g.Params, Domains: g.Domains}
	if o.Issuer == gitlabIssuer {
		o.Quirks.Complete = func(_ context.Context, _ *API, p *Profile) error {
			p.Email.Authoritative = false
			return nil
		}
	}
	return o, nil
}
