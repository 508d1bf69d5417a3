package server

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/internal/redact"
)

// GrantType is a way to get tokens: a value of "grant_type" (RFC 6749 §4). Those
// that are built in are [AuthorizationCode], [RefreshToken] and
// [ClientCredentials]. One of your own (RFC 6749 §4.5) issues with
// [Server.Issue].
//
// Exchange is called for a client that authenticated and has the grant. It must
// be safe for concurrent use. An *[Error] is answered to the client. Any other
// error is an outage: 503.
type GrantType interface {
	Name() string
	Exchange(ctx context.Context, s *Server, r *TokenRequest) (*TokenResponse, error)
}

// TokenRequest is a request of the token endpoint.
type TokenRequest struct {
	Client *Client
	Form   Form
	Now    time.Time
}

// TokenResponse is the answer to one (RFC 6749 §5.1), which [Server.Issue] makes.
// It does not show its tokens when it is printed.
type TokenResponse struct {
	TokenType string
	ExpiresIn int64 // seconds
	Scope     string

	// Extra are further members of the answer. They replace no member that the server makes.
	Extra map[string]any

	access, refresh, id redact.Secret
}

// AccessToken returns the access token.
func (t *TokenResponse) AccessToken() auth.Secret { return auth.Secret(t.access.Reveal()) }

// RefreshToken returns the refresh token, or "".
func (t *TokenResponse) RefreshToken() auth.Secret { return auth.Secret(t.refresh.Reveal()) }

// IDToken returns the ID token, or "".
func (t *TokenResponse) IDToken() auth.Secret { return auth.Secret(t.id.Reveal()) }

// tokenAnswer is a TokenResponse as it is sent.
type tokenAnswer struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int64  `json:"expires_in"`
	RefreshToken string `json:"refresh_token,omitempty"`
	Scope        string `json:"scope,omitempty"`
	IDToken      string `json:"id_token,omitempty"`
}

// serveToken is the token endpoint (RFC 6749 §3.2). It looks at the method, the
// type of the body, its size, at what is there twice, then at the client, then
// whether the client has the grant, and only then at the grant. What can be used
// once is used at the very end: a request that fails before has used up nothing.
func (s *Server) serveToken(w http.ResponseWriter, r *http.Request) {
	if !s.allowPost(w, r) {
		return
	}
	response, err := s.exchange(r)
	if err != nil {
		s.answerError(w, r, err)
		return
	}
	answer := tokenAnswer{response.access.Reveal(), response.TokenType, response.ExpiresIn,
		response.refresh.Reveal(), response.Scope, response.id.Reveal()}
	if len(response.Extra) == 0 {
		answerJSON(w, http.StatusOK, answer)
		return
	}
	all, err := withMembers(answer, response.Extra)
	if err != nil {
		s.answerError(w, r, err)
		return
	}
	answerJSON(w, http.StatusOK, all)
}

func (s *Server) exchange(r *http.Request) (*TokenResponse, error) {
	form, err := bodyForm(r, s.features.repeatable...)
	if err != nil {
		return nil, err
	}
	client, err := s.authenticate(r, form)
	if err != nil {
		return nil, err
	}
	response, err := s.grant(r.Context(), client, form)
	return response, ofClient(client.ID, err)
}

// grantNames returns the names of all grants, sorted.
func (s *Server) grantNames() []string { return slices.Sorted(maps.Keys(s.features.grants)) }

// grant answers a client that has authenticated.
func (s *Server) grant(ctx context.Context, client *Client, form Form) (*TokenResponse, error) {
	name := form.Get("grant_type")
	if name == "" {
		return nil, refuse(CodeInvalidRequest, "The grant_type is missing.", failedCheck("the grant_type is missing"))
	}
	grant := s.features.grants[name]
	if grant == nil {
		return nil, refuse(CodeUnsupportedGrantType, "The grant_type is not supported.",
			failedSetting("Config.Tokens.Grants",
				"the server has no such grant_type", name, s.grantNames()...))
	}
	if !client.Allows(name) {
		return nil, refuse(CodeUnauthorizedClient, "The client may not use this grant.",
			causeGrantNotAllowed(client, name))
	}
	if err := s.checkOwner(ctx, client, name); err != nil {
		return nil, err
	}
	response, err := grant(ctx, s, &TokenRequest{Client: client, Form: form, Now: now()})
	if err == nil && response == nil {
		return nil, fmt.Errorf("oauth2/server: the grant %s returned neither tokens nor an error", name)
	}
	return response, err
}
