package external

import (
	"cmp"

	"github.com/gatewarden/auth"
)

// GitLab signs in with accounts of gitlab.com, or of a GitLab of one's own, whose
// administrator decides what addresses people have.
type GitLab struct {
	Name         string // empty is "gitlab"
	ClientID     string
	ClientSecret auth.Secret
	Scopes       []string          // nil is "profile" and "email"
	Params       map[string]string // of the authorization request
	Domains      []string          // as in [OIDC]
	BaseURL      string            // the external_url of a GitLab of one's own; empty is https://gitlab.com
}

// Define implements [Provider].
func (g GitLab) Define() (Definition, error) {
	return OIDC{Name: cmp.Or(g.Name, "gitlab"), Label: "GitLab", Issuer: trimmed(g.BaseURL, "https://gitlab.com"),
		ClientID: g.ClientID, ClientSecret: g.ClientSecret, Scopes: g.Scopes, Params: g.Params, Domains: g.Domains}, nil
}
