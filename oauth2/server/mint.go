package server

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/internal/hidden"
	"github.com/gatewarden/auth/internal/seal"
	"github.com/gatewarden/auth/jwt"
)

// minting is what tokens are made of.
type minting struct {
	client            *Client
	grant             *Grant
	user              auth.User // nil for the client itself
	scopes, resources []string
	nonce             string
	refresh           bool
	now               time.Time
}

// minted are tokens that no store knows yet: they are made, and signed, before
// anything is used up.
type minted struct {
	tokens   Tokens
	response *TokenResponse
}

// mint makes an access token, and a refresh token and an ID token where they
// belong.
func (s *Server) mint(ctx context.Context, m minting) (*minted, error) {
	lifetimes, err := s.lifetimes(LifetimeRequest{m.client, m.grant.Type, m.scopes, m.resources})
	if err != nil {
		return nil, err
	}
	owner := cmp.Or(m.grant.UserID, m.client.ID)
	access := &Access{
		ID: backend.NewID(), GrantID: m.grant.ID, Scopes: m.scopes, Audience: m.resources,
		Issued: m.now, ExpiresAt: m.now.Add(lifetimes.Access),
	}
	made := &minted{tokens: Tokens{Access: access}, response: &TokenResponse{TokenType: "Bearer", ExpiresIn: int64(lifetimes.Access / time.Second), Scope: strings.Join(m.scopes, " ")}}
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

// asJWT reports whether a token for these resources is a JWT.
func (s *Server) asJWT(resources []string) bool {
	for _, id := range resources {
		if resource := s.resource(id); resource == nil || !resource.JWT {
			return false
		}
	}
	return true
}

// signing returns the key that signs now.
func (s *Server) signing(ctx context.Context, at time.Time) (*jwt.Key, error) {
	set, err := s.config.Keys.Current(ctx, at)
	if err != nil {
		return nil, err
	}
	if !signs(set) {
		return nil, errors.New("oauth2/server: Config.Keys has no asymmetric key that signs")
	}
	return set.Signing(), nil
}

// signs reports a set with a key that signs what others can check.
func signs(set *jwt.KeySet) bool {
	return set != nil && set.Signing() != nil && set.Signing().Public() != nil
}

// accessClaims are those of RFC 9068 §2.2. "grant_id" is ours: it names what a
// resource server can ask to have ended.
type accessClaims struct {
	Issuer   string   `json:"iss"`
	Subject  string   `json:"sub"`
	Audience any      `json:"aud"`
	ClientID string   `json:"client_id"`
	Expires  int64    `json:"exp"`
	Issued   int64    `json:"iat"`
	ID       string   `json:"jti"`
	Scope    string   `json:"scope,omitempty"`
	AuthTime int64    `json:"auth_time,omitempty"`
	ACR      string   `json:"acr,omitempty"`
	AMR      []string `json:"amr,omitempty"`
	GrantID  string   `json:"grant_id"`
}

func (s *Server) signAccess(key *jwt.Key, m minting, access *Access) (string, error) {
	c := accessClaims{Issuer: s.config.Issuer, Subject: subjectOf(m.grant), Audience: audience(access.Audience), ClientID: m.client.ID,
		Expires: access.ExpiresAt.Unix(), Issued: access.Issued.Unix(), ID: access.ID, Scope: strings.Join(access.Scopes, " "),
		ACR: m.grant.AuthInfo.ACR, AMR: m.grant.AuthInfo.AMR, GrantID: m.grant.ID}
	if at := m.grant.AuthInfo.AuthTime; !at.IsZero() {
		c.AuthTime = at.Unix()
	}
	return jwt.Sign(key, "at+jwt", c)
}

// subjectOf is "sub": the user or, if there is none, the client (RFC 9068 §2.2).
func subjectOf(grant *Grant) string {
	return cmp.Or(grant.UserID, grant.ClientID)
}

// audience is "aud": one is a string, several an array (RFC 7519 §4.1.3).
func audience(resources []string) any {
	if len(resources) == 1 {
		return resources[0]
	}
	return resources
}

func stampOf(user auth.User) string { return backend.Stamp("oauth2", user) }

func sealWith(aead seal.Key, text string) []byte {
	nonce := make([]byte, aead.NonceSize(), aead.NonceSize()+len(text)+aead.Overhead())
	_, _ = rand.Read(nonce) // never fails
	return aead.Seal(nonce, nonce, []byte(text), nil)
}

// unseal returns the successor of a refresh token.
func unseal(predecessor string, sealed []byte) (string, error) {
	aead, err := sealer(predecessor)
	if err != nil {
		return "", err
	}
	if len(sealed) < aead.NonceSize() {
		return "", errors.New("oauth2/server: a sealed token is too short")
	}
	text, err := aead.Open(nil, sealed[:aead.NonceSize()], sealed[aead.NonceSize():], nil)
	return string(text), err
}
