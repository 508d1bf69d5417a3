package server

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/internal/hidden"
	"github.com/gatewarden/auth/jwt"
)

// tokenSpec is what tokens are made of.
type tokenSpec struct {
	client            *Client
	grant             *Grant
	user              auth.User // nil for the client itself
	scopes, resources []string
	nonce             string
	refresh           bool
	now               time.Time
}

// createdTokens are tokens that no store knows yet: they are made, and signed, before
// anything is used up.
type createdTokens struct {
	tokens   Tokens
	response *TokenResponse
}

// createTokens makes an access token, and a refresh token and an ID token where they
// belong.
func (s *Server) createTokens(ctx context.Context, m tokenSpec) (*createdTokens, error) {
	lifetimes, err := s.lifetimes(LifetimeRequest{m.client, m.grant.Type, m.scopes, m.resources})
	if err != nil {
		return nil, err
	}
	owner := cmp.Or(m.grant.UserID, m.client.ID)
	access := &Access{
		ID: backend.NewID(), GrantID: m.grant.ID, Scopes: m.scopes, Audience: m.resources,
		Issued: m.now, ExpiresAt: m.now.Add(lifetimes.Access),
	}
	made := &createdTokens{tokens: Tokens{Access: access}, response: &TokenResponse{TokenType: "Bearer", ExpiresIn: int64(lifetimes.Access / time.Second), Scope: strings.Join(m.scopes, " ")}}
	openid := m.user != nil && s.OpenID() && slices.Contains(m.scopes, "openid")
	var key *jwt.Key
	var token string
	if asJWT := s.asJWT(m.resources); asJWT || openid {
		if key, err = s.signing(ctx, m.now); err != nil {
			return nil, err
		}
		if asJWT {
			access.Digest = jwtDigest(owner, access.ID)
			if token, err = s.signAccess(key, m, access); err != nil {
				return nil, err
			}
		}
	}
	opaque := token == ""
	if opaque {
		token = backend.NewToken(s.access, owner, backend.DefaultTokenLength)
		access.Digest = backend.TokenDigest(token, s.access)
	}
	s.keep(access, opaque)
	made.response.access = hidden.Of(token)
	if m.refresh {
		refresh := backend.NewToken(s.refresh, owner, backend.DefaultTokenLength)
		made.response.refresh = hidden.Of(refresh)
		made.tokens.Refresh = &Refresh{Digest: backend.TokenDigest(refresh, s.refresh),
			GrantID: m.grant.ID, Issued: m.now,
			ExpiresAt: backend.Earlier(m.now.Add(lifetimes.RefreshIdle), m.grant.MaxExpiresAt)}
	}
	if openid {
		id, err := s.signIDToken(key, m, token, lifetimes.IDToken)
		if err != nil {
			return nil, err
		}
		made.response.id = hidden.Of(id)
	}
	return made, nil
}

func stampOf(user auth.User) string { return backend.Stamp("oauth2", user) }
