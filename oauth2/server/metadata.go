package server

import (
	"cmp"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"time"
)

// metadata is that of RFC 8414 §2 and OpenID Connect Discovery §3: what is wired,
// and nothing else.
type metadata struct {
	Issuer               string   `json:"issuer"`
	Authorization        string   `json:"authorization_endpoint,omitempty"`
	Token                string   `json:"token_endpoint"`
	JWKS                 string   `json:"jwks_uri,omitempty"`
	UserInfo             string   `json:"userinfo_endpoint,omitempty"`
	Scopes               []string `json:"scopes_supported,omitempty"`
	ResponseTypes        []string `json:"response_types_supported"`
	ResponseModes        []string `json:"response_modes_supported,omitempty"`
	GrantTypes           []string `json:"grant_types_supported"`
	TokenAuthMethods     []string `json:"token_endpoint_auth_methods_supported"`
	Revocation           string   `json:"revocation_endpoint"`
	RevocationMethods    []string `json:"revocation_endpoint_auth_methods_supported"`
	Introspection        string   `json:"introspection_endpoint"`
	IntrospectionMethods []string `json:"introspection_endpoint_auth_methods_supported"`
	ChallengeMethods     []string `json:"code_challenge_methods_supported,omitempty"`
	ResponseIssuer       bool     `json:"authorization_response_iss_parameter_supported,omitempty"`
	EndSession           string   `json:"end_session_endpoint,omitempty"`
	SubjectTypes         []string `json:"subject_types_supported,omitempty"`
	IDTokenAlgorithms    []string `json:"id_token_signing_alg_values_supported,omitempty"`
	Claims               []string `json:"claims_supported,omitempty"`
	Prompts              []string `json:"prompt_values_supported,omitempty"`
	ClaimsParameter      bool     `json:"claims_parameter_supported"`
	RequestParameter     bool     `json:"request_parameter_supported"`
	RequestURIParameter  bool     `json:"request_uri_parameter_supported"` // which is true if left out
	ProtectedResources   []string `json:"protected_resources,omitempty"`
}

func (s *Server) metadata() metadata {
	secret := []string{AuthClientSecretBasic, AuthClientSecretPost}
	m := metadata{Issuer: s.config.Issuer, Token: s.url("/token/"), Revocation: s.url("/revoke_token/"), Introspection: s.url("/introspect/"),
		GrantTypes: slices.Sorted(maps.Keys(s.grants)), TokenAuthMethods: append(slices.Clone(secret), AuthNone),
		RevocationMethods: append(slices.Clone(secret), AuthNone), IntrospectionMethods: secret, ResponseTypes: []string{}}
	for _, scope := range s.config.Scopes {
		m.Scopes = append(m.Scopes, scope.Name)
	}
	for _, resource := range s.config.Resources {
		m.ProtectedResources = append(m.ProtectedResources, resource.ID)
	}
	if s.config.Keys != nil {
		m.JWKS = s.jwksURL()
	}
	if s.grants[GrantAuthorizationCode] != nil {
		m.Authorization, m.ResponseTypes, m.ResponseModes = s.url("/authorize/"), []string{"code"}, []string{"query", "form_post"}
		m.ChallengeMethods, m.ResponseIssuer = []string{"S256"}, true
	}
	if s.config.Logout != nil && s.OpenID() {
		m.EndSession = s.url("/logout/")
	}
	return m
}

func (s *Server) jwksURL() string {
	return cmp.Or(s.config.JWKSURL, s.url("/.well-known/jwks.json"))
}

// serveMetadata serves the metadata, which is of the configuration alone.
func (s *Server) serveMetadata(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		s.report(r, http.StatusMethodNotAllowed, wrongMethod("The method must be GET.", r))
		w.Header().Set("Allow", "GET, HEAD")
		answerJSON(w, http.StatusMethodNotAllowed, map[string]string{"error": CodeInvalidRequest})
		return
	}
	m := s.metadata()
	if s.OpenID() {
		key, err := s.signing(r.Context(), time.Now())
		if err != nil {
			s.answerError(w, r, err)
			return
		}
		m.UserInfo, m.SubjectTypes, m.IDTokenAlgorithms = s.url("/userinfo/"), []string{"public"}, []string{string(key.Algorithm())}
		m.Prompts = []string{"none", "login", "consent", "select_account"}
		m.Claims = []string{"iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "at_hash", "sid"}
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

// metadataPaths returns where the metadata is: between host and path (RFC 8414 §5),
// and where OpenID Connect has it.
func (s *Server) metadataPaths() []string {
	paths := []string{"/.well-known/oauth-authorization-server" + s.path}
	if s.OpenID() {
		paths = append(paths, s.path+"/.well-known/openid-configuration")
		if s.path != "" {
			paths = append(paths, "/.well-known/openid-configuration"+s.path)
		}
	}
	return paths
}
