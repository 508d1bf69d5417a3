package server

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/gatewarden/auth/jwt"
)

// metadata are the members of RFC 8414 §2. They say what the configuration has, and nothing
// else.
type metadata map[string]any

// metadata returns the members of the core and of all features.
func (s *Server) metadata(ctx context.Context, now time.Time) (metadata, error) {
	m := metadata{
		"issuer":                                s.config.Issuer,
		"token_endpoint":                        s.url("/token/"),
		"token_endpoint_auth_methods_supported": s.authMethods(),
		"grant_types_supported":                 s.grantNames(),
		"response_types_supported":              []string{}, // required (RFC 8414 §2)
		"claims_parameter_supported":            false,
		"request_parameter_supported":           false,
		"request_uri_parameter_supported":       false, // which is true if left out
	}
	s.config.OpenID.Discovery.addTo(m)
	for _, scope := range s.config.Scopes {
		m.append("scopes_supported", scope.Name)
	}
	for _, resource := range s.config.Resources {
		m.append("protected_resources", resource.ID)
	}
	for _, add := range s.features.metadata {
		if err := add(ctx, now, m); err != nil {
			return nil, err
		}
	}
	s.config.OpenID.Discovery.addMembers(m)
	return m, nil
}

// append adds a value to a member that is a list of texts.
func (m metadata) append(name, value string) {
	list, _ := m[name].([]string)
	m[name] = append(list, value)
}

// serveMetadata serves the metadata, which is of the configuration alone.
func (s *Server) serveMetadata(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		s.report(r, http.StatusMethodNotAllowed, wrongMethod("The method must be GET.", r))
		w.Header().Set("Allow", "GET, HEAD")
		answerJSON(w, http.StatusMethodNotAllowed, map[string]string{"error": CodeInvalidRequest})
		return
	}
	m, err := s.metadata(r.Context(), time.Now())
	if err != nil {
		s.answerError(w, r, err)
		return
	}
	text, err := json.Marshal(m)
	if err != nil {
		s.answerError(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "public, max-age=300")
	_, _ = w.Write(append(text, '\n'))
}

// publishedKeys publish the keys that sign tokens (RFC 7517).
type publishedKeys struct{}

func (publishedKeys) register(r *registry) {
	config := r.config
	if set, ok := config.Keys.(*jwt.KeySet); ok {
		r.settings.Refuse(len(publicKeys(set)) == 0, "Config.Keys has no asymmetric key that signs")
	}
	url := cmp.Or(config.OpenID.JWKSURL, r.server.url("/.well-known/jwks.json"))
	r.addMetadata(func(_ context.Context, _ time.Time, m metadata) error {
		m["jwks_uri"] = url
		return nil
	})
	if config.OpenID.JWKSURL != "" {
		return
	}
	r.addRoutes(func(_ *handler, to router) {
		to.handleRoot(config.Endpoints.Path+"/.well-known/jwks.json",
			allowEverywhere("GET", jwt.NewJWKSHandler(config.Keys, 0)))
	})
}
