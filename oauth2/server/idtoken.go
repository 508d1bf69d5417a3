package server

import (
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"slices"
	"strings"
	"time"

	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/internal/redact"
	"github.com/gatewarden/auth/jwt"
)

// idClaims are those of an ID token (OpenID Connect Core §2).
type idClaims struct {
	Issuer    string   `json:"iss"`
	Subject   string   `json:"sub"`
	Audience  string   `json:"aud"` // the client, which no access token is for
	Expires   int64    `json:"exp"`
	Issued    int64    `json:"iat"`
	AuthTime  int64    `json:"auth_time,omitempty"`
	Nonce     string   `json:"nonce,omitempty"`
	ACR       string   `json:"acr,omitempty"`
	AMR       []string `json:"amr,omitempty"`
	AtHash    string   `json:"at_hash"`
	ID        string   `json:"jti"`
	SessionID string   `json:"sid,omitempty"`
}

// addIDToken adds an ID token where "openid" is among the scopes.
func (s *Server) addIDToken(ctx context.Context, spec *tokenSpec, made *createdTokens) error {
	if spec.user == nil || !slices.Contains(spec.scopes, "openid") {
		return nil
	}
	key, err := s.idTokenKey(ctx, spec.now, spec.client)
	if err != nil {
		return err
	}
	login := spec.grant.AuthInfo
	claims := idClaims{Issuer: s.config.Issuer, Subject: spec.grant.UserID, Audience: spec.client.ID,
		Issued: spec.now.Unix(), Expires: spec.now.Add(made.lifetimes.IDToken).Unix(),
		AuthTime: unixOrZero(login.AuthTime),
		Nonce:    spec.nonce, ID: backend.NewID(), ACR: login.ACR, AMR: login.AMR,
		AtHash: halfHash(key.Algorithm(), made.response.access.Reveal()), SessionID: spec.grant.SessionID}
	all, err := s.withClaims(ctx, claims, &claimsRequest{target: toIDToken, client: spec.client, user: spec.user,
		grant: spec.grant, scopes: spec.scopes})
	if err != nil {
		return err
	}
	token, err := jwt.Sign(key, "JWT", all)
	made.response.id = redact.New(token)
	return err
}

// unixOrZero returns seconds since 1970, or 0 for the zero time.
func unixOrZero(at time.Time) int64 {
	if at.IsZero() {
		return 0
	}
	return at.Unix()
}

// halfHash is the left half of the hash that goes with an algorithm (OpenID
// Connect Core §3.1.3.6). EdDSA with Ed25519 hashes with SHA-512.
func halfHash(algorithm jwt.Algorithm, text string) string {
	var sum []byte
	switch {
	case strings.HasSuffix(string(algorithm), "256"):
		full := sha256.Sum256([]byte(text))
		sum = full[:]
	case strings.HasSuffix(string(algorithm), "384"):
		full := sha512.Sum384([]byte(text))
		sum = full[:]
	default:
		full := sha512.Sum512([]byte(text))
		sum = full[:]
	}
	return base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2])
}
