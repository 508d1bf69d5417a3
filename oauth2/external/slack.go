package external

import (
	"cmp"
	"context"
	"fmt"
	"maps"

	"github.com/gatewarden/auth"
)

// Slack signs in with Slack accounts. People are known by the identifier of the user,
// which is unique among all workspaces: in another workspace, outside an Enterprise
// organization, the same person is another user.
//
// An address is verified if Slack says so. Everybody can make a workspace, and an
// administrator may write the addresses of its members: an address is authoritative only
// where Team is set.
type Slack struct {
	Name         string // empty is "slack"
	ClientID     string
	ClientSecret auth.Secret
	// Team admits the people of one workspace only: its identifier ("T…"), which the claim
	// "https://slack.com/team_id" must be. [Profile.Tenant] is that claim.
	Team    string
	Scopes  []string          // nil is "profile" and "email"
	Params  map[string]string // of the authorization request
	Domains []string          // as in [OIDC]
	BaseURL string            // of a double, in tests. Empty is https://slack.com
}

// Define implements [Provider].
func (s Slack) Define() (Definition, error) {
	o := OIDC{
		Name: cmp.Or(s.Name, "slack"), Label: "Slack", Issuer: trimmed(s.BaseURL, "https://slack.com"),
		ClientID: s.ClientID, ClientSecret: s.ClientSecret, Method: ClientSecretPost, Scopes: s.Scopes,
		Params: map[string]string{}, Domains: s.Domains, Tenant: "https://slack.com/team_id",
		Quirks: OIDCQuirks{NoMaxAge: true, Complete: s.completeProfile,
			// Errors come with status 200.
			Errors: ErrorCodes{InvalidGrant: []string{"invalid_code", "code_already_used", "invalid_refresh_token"}}},
	}
	maps.Copy(o.Params, s.Params)
	if s.Team != "" {
		o.Params["team"] = s.Team
	}
	return o, nil
}

// completeProfile holds the person to Team.
func (s Slack) completeProfile(_ context.Context, _ *API, p *Profile) error {
	if s.Team != "" && p.Tenant != s.Team {
		return hookError("Slack.Team", fmt.Errorf("%w: %w", ErrNotAllowed,
			failedValue("the team_id of the ID token is missing or another one", p.Tenant, s.Team)))
	}
	p.Email.Authoritative = s.Team != ""
	return nil
}
