package server

import (
	"context"
	"net/http"
	"slices"
	"time"
)

// openIDConnect makes the server an OpenID provider. It adds ID tokens, the userinfo endpoint
// and their metadata (OpenID Connect Core, OpenID Connect Discovery).
type openIDConnect struct{}

// openIDScopes are those of OpenID Connect Core §5.4 and §11.
var openIDScopes = []Scope{
	{"openid", "know who you are"},
	{"profile", "see your profile"},
	{"email", "see your e-mail address"},
	{"address", "see your postal address"},
	{"phone", "see your phone number"},
	{"offline_access", "keep access when you have signed out"},
}

// isOpenIDScope reports a scope of OpenID Connect, which is about a user.
func isOpenIDScope(scope string) bool {
	return slices.ContainsFunc(openIDScopes, func(s Scope) bool { return s.Name == scope })
}

func (openIDConnect) register(r *registry) {
	s := r.server
	s.openID = true
	for _, scope := range openIDScopes {
		r.addScope(scope)
	}
	r.addParameters(s.hintParameter())
	r.config.checkIDTokenAlgorithm(r.settings)
	r.addAudit(auditIDTokens)
	r.addAudit(auditUserInfo)
	r.addTokenStep(s.addIDToken)
	r.addRoutes(func(h *handler, to router) {
		to.handle("/userinfo", allowEverywhere("GET, POST", http.HandlerFunc(h.serveUserInfo)))
		// OpenID Connect Discovery §4 puts the path of the issuer before the well-known path, and
		// RFC 8414 §5 behind it.
		metadata := allowEverywhere("GET", http.HandlerFunc(h.serveMetadata))
		to.handleRoot(s.path+"/.well-known/openid-configuration", metadata)
		if s.path != "" {
			to.handleRoot("/.well-known/openid-configuration"+s.path, metadata)
		}
	})
	r.addMetadata(s.addOpenIDMetadata)
}

// addOpenIDMetadata adds the members of OpenID Connect Discovery §3.
func (s *Server) addOpenIDMetadata(ctx context.Context, now time.Time, m metadata) error {
	set, err := s.keySet(ctx, now)
	if err != nil {
		return err
	}
	algorithms := idTokenAlgorithms(set)
	if len(algorithms) == 0 {
		return errNoSigningKey
	}
	m["userinfo_endpoint"] = s.url("/userinfo/")
	m["subject_types_supported"] = []string{"public"}
	m["id_token_signing_alg_values_supported"] = algorithms
	m["prompt_values_supported"] = prompts
	m["claims_supported"] = s.config.OpenID.Discovery.supportedClaims()
	return nil
}
