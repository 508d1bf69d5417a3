package server

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
)

// introspection is an answer of RFC 7662 §2.2.
type introspection struct {
	Active    bool     `json:"active"`
	Scope     string   `json:"scope,omitempty"`
	ClientID  string   `json:"client_id,omitempty"`
	Username  string   `json:"username,omitempty"`
	TokenType string   `json:"token_type,omitempty"`
	TokenUse  string   `json:"token_use,omitempty"` // what a refresh token is, so that no API takes it
	Expires   int64    `json:"exp,omitempty"`
	Issued    int64    `json:"iat,omitempty"`
	Subject   string   `json:"sub,omitempty"`
	Audience  any      `json:"aud,omitempty"`
	Issuer    string   `json:"iss,omitempty"`
	ID        string   `json:"jti,omitempty"`
	AuthTime  int64    `json:"auth_time,omitempty"`
	ACR       string   `json:"acr,omitempty"`
	AMR       []string `json:"amr,omitempty"`

	user auth.User // nil if the client acts for itself
}

// introspectionEndpoint is the endpoint of RFC 7662.
type introspectionEndpoint struct{}

func (introspectionEndpoint) register(r *registry) {
	s := r.server
	r.addRoutes(func(h *handler, to router) { to.handle("/introspect", http.HandlerFunc(h.serveIntrospect)) })
	r.addMetadata(func(_ context.Context, _ time.Time, m metadata) error {
		m["introspection_endpoint"] = s.url("/introspect/")
		m["introspection_endpoint_auth_methods_supported"] = s.confidentialMethods()
		return nil
	})
}

// serveIntrospect is the introspection endpoint (RFC 7662 §2). It tells clients
// that authenticate with a secret about tokens that were issued to them, or that
// are for a resource that they are. Of all others it says that they are not
// active, as of those that do not exist (RFC 7662 §4).
func (s *Server) serveIntrospect(w http.ResponseWriter, r *http.Request) {
	if !s.allowPost(w, r) {
		return
	}
	answer, err := s.introspect(r)
	if err != nil {
		s.answerError(w, r, err)
		return
	}
	answerJSON(w, http.StatusOK, answer)
}

func (s *Server) introspect(r *http.Request) (answer any, err error) {
	form, err := bodyForm(r)
	if err != nil {
		return answer, err
	}
	client, err := s.authenticate(r, form)
	if err != nil {
		return answer, err
	}
	answer, err = s.introspectFor(r.Context(), client, form.Get("token"))
	if kind := auth.KindOf(err); kind == auth.ErrInvalid || kind == auth.ErrUnrecognized {
		s.report(r, http.StatusOK, ofClient(client.ID, err))
		return introspection{}, nil
	}
	return answer, ofClient(client.ID, err)
}

// introspectFor tells a client about a token. A token that is not active is auth.ErrInvalid or auth.ErrUnrecognized.
func (s *Server) introspectFor(ctx context.Context, client *Client, token string) (any, error) {
	if client.Public() { // anybody can say that they are it
		return nil, errClient(errPublicCaller)
	}
	if token == "" {
		return nil, refuse(CodeInvalidRequest, "The token is missing.", failedCheck("the token is missing"))
	}
	if backend.OwnsToken(token, s.refreshPrefix) {
		return s.introspectRefresh(ctx, client, token)
	}
	access, grant, err := s.find(ctx, token)
	if err != nil {
		return nil, err
	}
	if grant.ClientID != client.ID && !slices.ContainsFunc(access.Audience, client.isResource) {
		return nil, errInvalidToken(failedSetting("Client.ResourceServer",
			"the token was issued to another client, for a resource that the caller is not",
			strings.Join(access.Audience, " "), client.ResourceServer...))
	}
	answer, err := s.describe(ctx, grant, access.Scopes, access.Issued, access.ExpiresAt)
	if err != nil {
		return nil, err
	}
	answer.TokenType, answer.ID, answer.Audience = "Bearer", access.ID, audience(access.Audience)
	return s.withClaims(ctx, answer, &claimsRequest{target: toIntrospection, caller: client, user: answer.user,
		grant: grant, scopes: access.Scopes, resources: access.Audience})
}

var errRefreshUsed = errors.New("the refresh token was used, and has a successor")

// introspectRefresh tells the client that the refresh token belongs to, and no other client.
func (s *Server) introspectRefresh(ctx context.Context, client *Client,
	token string) (answer introspection, err error) {
	refresh, grant, err := s.config.Store.FindRefresh(ctx, backend.TokenDigest(token, s.refreshPrefix))
	switch {
	case err != nil:
		return answer, err
	case refresh == nil:
		return answer, errInvalidToken(errRefreshUnknown)
	case grant.ClientID != client.ID:
		return answer, errInvalidToken(
			failedValue("the refresh token was issued to another client", "", grant.ClientID))
	case !refresh.Rotated.IsZero():
		return answer, errInvalidToken(errRefreshUsed)
	}
	if cause := refresh.fault(grant, now()); cause != nil {
		return answer, errInvalidToken(cause)
	}
	answer, err = s.describe(ctx, grant, s.allowedNow(client, grant).Scopes(), refresh.Issued,
		refresh.ExpiresAt)
	if err == nil {
		answer.TokenUse = "refresh_token"
	}
	return answer, err
}

// describe tells of a token of a grant, unless its user may not log in any more.
func (s *Server) describe(ctx context.Context, grant *Grant, scopes []string,
	issued, expires time.Time) (introspection, error) {
	user, err := s.userOf(ctx, grant)
	if isRefusal(err) {
		return introspection{}, errInvalidToken(err)
	}
	if err != nil {
		return introspection{}, err
	}
	answer := introspection{Active: true, Scope: strings.Join(scopes, " "), ClientID: grant.ClientID,
		Subject: subjectOf(grant), Issuer: s.config.Issuer,
		Expires: expires.Unix(), Issued: issued.Unix(), AuthTime: unixOrZero(grant.AuthInfo.AuthTime),
		ACR: grant.AuthInfo.ACR, AMR: grant.AuthInfo.AMR, user: user}
	if user != nil && s.config.Tokens.Username != nil {
		answer.Username = s.config.Tokens.Username(user)
	}
	return answer, nil
}
