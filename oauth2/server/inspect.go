package server

import (
	"context"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/oauth2"
)

var (
	errUnrecognized error = &auth.Error{Kind: auth.ErrUnrecognized, Code: auth.CodeInvalidToken, Detail: "Invalid token."}
	errToken        error = &auth.Error{Kind: auth.ErrInvalid, Code: auth.CodeInvalidToken, Detail: "Invalid token."}
)

// Inspect implements [oauth2.Source] for the access tokens of the server: opaque
// ones and JWTs, each of which is looked up, so that one that was revoked is
// refused at once. Refresh tokens, codes and ID tokens are ErrInvalid. The user is
// not loaded: the [oauth2.Resource] does that.
func (s *Server) Inspect(ctx context.Context, token string) (*oauth2.Token, error) {
	access, grant, err := s.find(ctx, token)
	if err != nil {
		return nil, err
	}
	return &oauth2.Token{
		Issuer: s.config.Issuer, Subject: grant.UserID, ClientID: grant.ClientID, Audience: access.Audience, Scope: access.Scopes, ID: access.ID,
		GrantID: grant.ID, Type: "Bearer", IssuedAt: access.Issued, Expiry: access.ExpiresAt, Auth: grant.AuthInfo, Stamp: grant.Stamp,
	}, nil
}

// find returns an access token that is good, and its grant.
func (s *Server) find(ctx context.Context, token string) (*Access, *Grant, error) {
	digest, err := s.accessDigest(ctx, token)
	if err != nil {
		return nil, nil, err
	}
	access, grant, err := s.config.Store.FindAccess(ctx, digest)
	if err != nil {
		return nil, nil, &auth.Error{Cause: err}
	}
	if at := now(); access == nil || !at.Before(access.ExpiresAt) || !grant.Live(at) {
		return nil, nil, errToken
	}
	return access, grant, nil
}

// jwtIDLength is the length of a UUID.
const jwtIDLength = 36

// jwtDigest is the store's key of a JWT. It starts with the shard of the owner, who
// is the subject of the token, as the keys of opaque tokens do.
func jwtDigest(owner, id string) string { return digestOf(backend.Shard(owner) + id) }

// accessDigest returns the store's key of an access token.
func (s *Server) accessDigest(ctx context.Context, token string) (string, error) {
	switch {
	case backend.OwnsToken(token, s.access):
		return backend.TokenDigest(token, s.access), nil
	case backend.OwnsToken(token, s.refresh), backend.OwnsToken(token, s.code):
		return "", errToken
	case s.verifier == nil:
		return "", errUnrecognized
	}
	_, credential, err := s.verifier.VerifyToken(ctx, token)
	switch auth.KindOf(err) {
	case auth.ErrUnrecognized:
		return "", errUnrecognized
	case auth.ErrInvalid, auth.ErrMalformed:
		return "", errToken
	}
	if err != nil {
		return "", err
	}
	// A JWT is looked up by its "jti", which is not secret: the signature proves it.
	verified, ok := auth.As[*jwt.Token](credential)
	if !ok || len(verified.ID()) != jwtIDLength {
		return "", errToken
	}
	return jwtDigest(verified.Subject(), verified.ID()), nil
}
