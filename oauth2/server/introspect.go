package server

import (
	"context"
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
	Expires   int64    `json:"exp,omitempty"`
	Issued    int64    `json:"iat,omitempty"`
	Subject   string   `json:"sub,omitempty"`
	Audience  any      `json:"aud,omitempty"`
	Issuer    string   `json:"iss,omitempty"`
	ID        string   `json:"jti,omitempty"`
	AuthTime  int64    `json:"auth_time,omitempty"`
	ACR       string   `json:"acr,omitempty"`
	AMR       []string `json:"amr,omitempty"`
}

// serveIntrospect is the introspection endpoint (RFC 7662 §2). It tells clients
// that authenticate with a secret about tokens that were issued to them, or that
// are for a resource that they are; of all others it says that they are not
// active, as of those that do not exist (RFC 7662 §4).
func (s *Server) serveIntrospect(w http.ResponseWriter, r *http.Request) {
	if !allowPost(w, r) {
		return
	}
	answer, err := s.introspect(r)
	if err != nil {
		s.answerError(w, r, err)
		return
	}
	answerJSON(w, http.StatusOK, answer)
}

func (s *Server) introspect(r *http.Request) (answer introspection, err error) {
	form, err := bodyForm(r)
	if err != nil {
		return answer, err
	}
	client, err := s.authenticate(r, form)
	if err != nil {
		return answer, err
	}
	if client.Public() { // anybody can say that they are it
		return answer, errClient
	}
	token := form.Get("token")
	if token == "" {
		return answer, refuse(CodeInvalidRequest, "The token is missing.")
	}
	if backend.OwnsToken(token, s.refresh) {
		return s.introspectRefresh(r.Context(), client, token)
	}
	access, grant, err := s.find(r.Context(), token)
	switch kind := auth.KindOf(err); {
	case kind == auth.ErrInvalid, kind == auth.ErrUnrecognized:
		return answer, nil
	case err != nil:
		return answer, err
	case grant.ClientID != client.ID && !slices.ContainsFunc(access.Audience, func(id string) bool { return slices.Contains(client.ResourceServer, id) }):
		return answer, nil
	}
	answer, err = s.describe(r.Context(), grant, access.Scopes, access.Issued, access.ExpiresAt)
	if answer.Active {
		answer.TokenType, answer.ID, answer.Audience = "Bearer", access.ID, audience(access.Audience)
	}
	return answer, err
}

// introspectRefresh tells the client whose refresh token it is, and nobody else.
func (s *Server) introspectRefresh(ctx context.Context, client *Client, token string) (answer introspection, err error) {
	refresh, grant, err := s.config.Store.FindRefresh(ctx, backend.TokenDigest(token, s.refresh))
	if at := now(); err != nil || refresh == nil || grant.ClientID != client.ID || !refresh.Rotated.IsZero() || !at.Before(refresh.ExpiresAt) || !grant.Live(at) {
		return answer, err
	}
	return s.describe(ctx, grant, grant.Scopes, refresh.Issued, refresh.ExpiresAt)
}

// describe tells of a token of a grant, unless its user may not log in any more.
func (s *Server) describe(ctx context.Context, grant *Grant, scopes []string, issued, expires time.Time) (introspection, error) {
	user, err := s.userOf(ctx, grant)
	if isRefusal(err) {
		return introspection{}, nil
	}
	if err != nil {
		return introspection{}, err
	}
	answer := introspection{Active: true, Scope: strings.Join(scopes, " "), ClientID: grant.ClientID, Subject: subjectOf(grant), Issuer: s.config.Issuer,
		Expires: expires.Unix(), Issued: issued.Unix(), ACR: grant.AuthInfo.ACR, AMR: grant.AuthInfo.AMR}
	if at := grant.AuthInfo.AuthTime; !at.IsZero() {
		answer.AuthTime = at.Unix()
	}
	if user != nil && s.config.Username != nil {
		answer.Username = s.config.Username(user)
	}
	return answer, nil
}
