package server

import (
	"cmp"
	"context"
	"strings"

	"github.com/gatewarden/auth/jwt"
)

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

func (s *Server) signAccess(ctx context.Context, spec *tokenSpec, access *Access) (string, error) {
	key, err := s.accessKey(ctx, spec.now)
	if err != nil {
		return "", err
	}
	login := spec.grant.AuthInfo
	claims := accessClaims{Issuer: s.config.Issuer, Subject: subjectOf(spec.grant), Audience: audience(access.Audience),
		ClientID: spec.client.ID, Expires: access.ExpiresAt.Unix(), Issued: access.Issued.Unix(), ID: access.ID,
		Scope: strings.Join(access.Scopes, " "), AuthTime: unixOrZero(login.AuthTime), ACR: login.ACR, AMR: login.AMR,
		GrantID: spec.grant.ID}
	all, err := s.withClaims(ctx, claims, &claimsRequest{target: toAccessToken, client: spec.client, user: spec.user,
		grant: spec.grant, scopes: access.Scopes, resources: access.Audience})
	if err != nil {
		return "", err
	}
	return jwt.Sign(key, "at+jwt", all)
}

// subjectOf is "sub": the user or, without a user, the client (RFC 9068 §2.2).
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

// asJWT reports whether a token for these resources is a JWT.
func (s *Server) asJWT(resources []string) bool {
	for _, id := range resources {
		if resource := s.resource(id); resource == nil || !resource.JWT {
			return false
		}
	}
	return true
}
