package server

import (
	"net/url"
	"slices"
	"strings"

	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/jwt"
)

// Resource is an API that tokens are for.
type Resource struct {
	ID   string // its URL, without a fragment (RFC 8707 §2)
	Name string // for people, empty is ID
	// JWT makes access tokens for it JWTs (RFC 9068), which it can check without
	// asking: it does not learn that one was revoked. Tokens for several resources
	// are JWTs if all are to be.
	JWT bool
	// Scopes are those of Config.Scopes that mean something there. Nil is every one. A scope is granted at this
	// resource only if it is among them. The scopes of OpenID Connect go with no resource and are not listed.
	Scopes []string
}

// checkResources fills in the default resource.
func (c *Config) checkResources(settings *backend.Settings) {
	c.Resources = slices.Clone(c.Resources)
	if len(c.Resources) == 0 && c.Issuer != "" {
		c.Resources = []Resource{{ID: c.Issuer}}
	}
	for i, resource := range c.Resources {
		c.Resources[i].Scopes = slices.Clone(resource.Scopes)
		settings.Refuse(!validResource(resource.ID),
			"resource %q is no absolute URL without a fragment (RFC 8707 §2)", resource.ID)
		settings.Refuse(resource.JWT && c.Keys == nil,
			"resource %q wants JWTs, and Config.Keys is missing", resource.ID)
		twice := slices.ContainsFunc(c.Resources[:i], func(other Resource) bool { return other.ID == resource.ID })
		settings.Refuse(twice, "two resources %q", resource.ID)
	}
}

// validResource reports a resource indicator (RFC 8707 §2).
func validResource(resource string) bool {
	u, err := url.Parse(resource)
	return err == nil && u.IsAbs() && !strings.Contains(resource, "#") && (u.Host != "" || u.Opaque != "") &&
		len(resource) <= maxURI && !strings.ContainsFunc(resource, notInURI)
}

func newVerifier(c Config) (*jwt.Verifier, error) {
	var audience []string
	for _, resource := range c.Resources {
		audience = append(audience, resource.ID)
	}
	return jwt.NewVerifier(jwt.VerifierConfig{Name: "oauth2", Issuers: []jwt.Issuer{{
		Issuer: c.Issuer, Audience: audience, Keys: c.Keys, User: jwt.SubjectUser,
		Checks: jwt.TokenChecks{
			Algorithms: []jwt.Algorithm{jwt.RS256, jwt.RS384, jwt.RS512, jwt.PS256, jwt.PS384, jwt.PS512,
				jwt.ES256, jwt.ES384, jwt.ES512, jwt.EdDSA},
			Require: []string{"client_id", "iat", "jti"},
		},
		AllowBoundTokens: true, // introspection tells of cnf, and oauth2.Resource refuses what it cannot prove
	}}})
}

// resource returns the resource with this identifier, or nil.
func (s *Server) resource(id string) *Resource {
	for i := range s.config.Resources {
		if s.config.Resources[i].ID == id {
			return &s.config.Resources[i]
		}
	}
	return nil
}

// resourcesOf reads resource indicators (RFC 8707 §2).
func (s *Server) resourcesOf(asked []string, client *Client) ([]string, error) {
	var resources []string
	for _, id := range s.registeredAs(asked) {
		if cause := s.resourceFault(client, id); cause != nil {
			return nil, s.errUnknownResource(id, cause)
		}
		if !slices.Contains(resources, id) {
			resources = append(resources, id)
		}
	}
	if len(resources) > 0 {
		return resources, nil
	}
	for _, resource := range s.config.Resources {
		if client.mayAskFor(resource.ID) {
			return []string{resource.ID}, nil
		}
	}
	return nil, refuse(CodeInvalidTarget, "There is no resource for this client.",
		failedSetting("Config.Resources", "the server has none of the client's resources", "", client.Resources...))
}
