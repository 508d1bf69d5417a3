package server

import (
	"cmp"
	"context"
	"strings"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/internal/redact"
)

// tokenSpec is what tokens are made of.
type tokenSpec struct {
	client      *Client
	grant       *Grant
	user        auth.User   // nil for the client itself
	permissions Permissions // with the same scopes at each resource
	nonce       string
	refresh     bool
	now         time.Time

	scopes, resources []string // those of permissions, which createTokens fills in
}

// createdTokens are tokens that no store knows yet: they are made, and signed, before
// anything is used up.
type createdTokens struct {
	tokens    Tokens
	response  *TokenResponse
	lifetimes Lifetimes
}

// createTokens makes an access token, a refresh token if spec says so, and what the features
// add, such as an ID token.
func (s *Server) createTokens(ctx context.Context, spec tokenSpec) (*createdTokens, error) {
	lifetimes, err := s.lifetimes(LifetimeRequest{spec.client, spec.grant.Type, spec.permissions})
	if err != nil {
		return nil, err
	}
	spec.scopes, spec.resources = spec.permissions.Scopes(), spec.permissions.Resources()
	made := &createdTokens{lifetimes: lifetimes, response: &TokenResponse{TokenType: "Bearer",
		ExpiresIn: int64(lifetimes.Access / time.Second), Scope: strings.Join(spec.scopes, " ")}}
	if err := s.addAccess(ctx, &spec, made); err != nil {
		return nil, err
	}
	if spec.refresh {
		s.addRefresh(&spec, made)
	}
	for _, step := range s.features.tokenSteps {
		if err := step(ctx, &spec, made); err != nil {
			return nil, err
		}
	}
	return made, nil
}

// owner returns the identifier that gives the tokens their shard.
func (t *tokenSpec) owner() string { return cmp.Or(t.grant.UserID, t.client.ID) }

// addAccess adds an access token.
func (s *Server) addAccess(ctx context.Context, spec *tokenSpec, made *createdTokens) error {
	access := &Access{ID: backend.NewID(), GrantID: spec.grant.ID, Scopes: spec.scopes, Audience: spec.resources,
		Issued: spec.now, ExpiresAt: spec.now.Add(made.lifetimes.Access)}
	asJWT := s.asJWT(spec.resources)
	var token string
	var err error
	if asJWT {
		access.Digest = jwtDigest(spec.owner(), access.ID)
		if token, err = s.signAccess(ctx, spec, access); err != nil {
			return err
		}
	} else {
		token = backend.NewToken(s.accessPrefix, spec.owner(), backend.DefaultTokenLength)
		access.Digest = backend.TokenDigest(token, s.accessPrefix)
	}
	made.tokens.Access, made.response.access = s.withCache(*access, !asJWT), redact.New(token)
	return nil
}

// addRefresh adds a refresh token.
func (s *Server) addRefresh(spec *tokenSpec, made *createdTokens) {
	token := backend.NewToken(s.refreshPrefix, spec.owner(), backend.DefaultTokenLength)
	made.response.refresh = redact.New(token)
	made.tokens.Refresh = &Refresh{Digest: backend.TokenDigest(token, s.refreshPrefix),
		GrantID: spec.grant.ID, Issued: spec.now,
		ExpiresAt: backend.Earlier(spec.now.Add(made.lifetimes.RefreshIdle), spec.grant.MaxExpiresAt)}
}

func stampOf(user auth.User) string { return backend.Stamp("oauth2", user) }
