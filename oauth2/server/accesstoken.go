package server

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/oauth2"
)

// The refusals of access tokens.
var (
	errUnrecognized = unrecognized(errors.New("the token is none of this server by its form, and without Config.Keys " +
		"there are no JWTs"))
	errAccessUnknown = errInvalidToken(errors.New("no such access token is kept: it was revoked, purged or never " +
		"issued"))
	errAccessExpired = errInvalidToken(errors.New("the access token has expired, see Lifetimes.Access"))
	errTokenRevoked  = errInvalidToken(errGrantRevoked)
	errTokenEnded    = errInvalidToken(errGrantExpired)
	errIsRefresh     = errInvalidToken(errors.New("a refresh token came as an access token"))
	errIsCode        = errInvalidToken(errors.New("an authorization code came as an access token"))
	errNoJWTID       = errInvalidToken(errors.New("the jti of the JWT is none of this server"))
)

func unrecognized(cause error) error {
	return &auth.Error{Kind: auth.ErrUnrecognized, Code: auth.CodeInvalidToken, Detail: "Invalid token.", Cause: cause}
}

// unrecognized puts a refusal of package jwt into the words of this package. It is made once,
// because package jwt returns one of a few for what anybody can send.
func (s *Server) unrecognized(err error) error {
	if stated, ok := err.(*auth.Error); ok {
		return s.foreign.Get(stated, func(stated *auth.Error) error { return unrecognized(stated) })
	}
	return unrecognized(err)
}

func errInvalidToken(cause error) error {
	return &auth.Error{Kind: auth.ErrInvalid, Code: auth.CodeInvalidToken, Detail: "Invalid token.", Cause: cause}
}

// Inspect implements [oauth2.Source] for the access tokens of the server: opaque
// ones and JWTs, each of which is looked up, so that one that was revoked is
// refused at once. Refresh tokens, codes and ID tokens are ErrInvalid. The user is
// not loaded: the [oauth2.Resource] does that.
func (s *Server) Inspect(ctx context.Context, token string) (*oauth2.Token, error) {
	return s.inspectAt(ctx, token, time.Now())
}

// Lookup implements [oauth2.TokenLookup].
func (s *Server) Lookup(source oauth2.Source) oauth2.LookupFunc {
	if source != oauth2.Source(s) {
		return nil
	}
	return s.inspectAt
}

// inspectAt is an [oauth2.LookupFunc]. It reads no clock for a token that the store has by hash. All
// tokens that the server knows are b64tokens, and it refuses others before it asks the store or a
// key, except for a store that is a [HashFinder].
func (s *Server) inspectAt(ctx context.Context, token string, at time.Time) (*oauth2.Token, error) {
	access, grant, at, err := s.lookUp(ctx, token, at)
	if err != nil {
		return nil, err
	}
	if token := s.cachedTokenOf(access, grant, at); token != nil {
		return s.ofOwner(ctx, grant, token)
	}
	if err := refusalOf(access, grant, at); err != nil {
		return nil, err
	}
	return s.ofOwner(ctx, grant, s.newToken(access, grant))
}

// find returns an access token that is good, and its grant.
func (s *Server) find(ctx context.Context, token string) (*Access, *Grant, error) {
	access, grant, at, err := s.lookUp(ctx, token, time.Now())
	if err == nil {
		err = refusalOf(access, grant, at)
	}
	if err != nil {
		return nil, nil, err
	}
	return access, grant, nil
}

// refusalOf returns why an access token is no good at this time, or nil. A token that is not
// there is nil.
func refusalOf(access *Access, grant *Grant, at time.Time) error {
	switch {
	case access == nil:
		return errAccessUnknown
	case !grant.RevokedAt.IsZero():
		return errTokenRevoked
	case !at.Before(access.ExpiresAt):
		return errAccessExpired
	case !grant.Live(at):
		return errTokenEnded
	}
	return nil
}

// lookUp returns an access token and its grant, whatever became of them, or nil and nil. before is
// an instant before the look-up, and at is one for which the answer counts: the same one after a
// look-up by hash, which is in memory. Any other may have taken a while.
func (s *Server) lookUp(
	ctx context.Context, token string, before time.Time,
) (access *Access, grant *Grant, at time.Time, err error) {
	access, grant, done, err := s.lookUpHash(ctx, token)
	if done {
		return access, grant, before, err
	}
	if access, grant, err = s.lookUpDigest(ctx, token); err != nil {
		return nil, nil, before, err
	}
	return access, grant, time.Now(), nil
}

// lookUpHash is lookUpDigest for an opaque token and a store that is a [HashFinder]. done is false if that
// does not decide about the token.
func (s *Server) lookUpHash(ctx context.Context, token string) (access *Access, grant *Grant, done bool, err error) {
	if s.findHash == nil || !strings.HasPrefix(token, s.accessPrefix) {
		return nil, nil, false, nil
	}
	hash, ok := backend.TokenHash(token)
	if !ok {
		return nil, nil, false, nil
	}
	access, grant, err = s.findHash(ctx, hash)
	switch {
	case err != nil:
		return nil, nil, true, &auth.Error{Cause: err}
	case access != nil && s.isOpaque(access): // so the token with this hash is the one that we made
		return access, grant, true, nil
	case !backend.OwnsToken(token, s.accessPrefix):
		return nil, nil, false, nil
	case access == nil:
		return nil, nil, true, nil
	}
	return access, grant, access.Digest == backend.TokenDigest(token, s.accessPrefix), nil
}

// lookUpDigest returns an access token and its grant, whatever became of them, or nil and nil.
func (s *Server) lookUpDigest(ctx context.Context, token string) (*Access, *Grant, error) {
	digest, err := s.accessDigest(ctx, token)
	if err != nil {
		return nil, nil, err
	}
	access, grant, err := s.config.Store.FindAccess(ctx, digest)
	if err != nil {
		return nil, nil, &auth.Error{Cause: err}
	}
	return access, grant, nil
}

// jwtIDLength is the length of a UUID.
const jwtIDLength = 36

// jwtDigest is the store's key of a JWT. It starts with the shard of the owner, which
// is the subject of the token, as the keys of opaque tokens do.
func jwtDigest(owner, id string) string { return digestOf(backend.Shard(owner) + id) }

// accessDigest returns the store's key of an access token.
func (s *Server) accessDigest(ctx context.Context, token string) (string, error) {
	switch {
	case backend.OwnsToken(token, s.accessPrefix):
		return backend.TokenDigest(token, s.accessPrefix), nil
	case backend.OwnsToken(token, s.refreshPrefix):
		return "", errIsRefresh
	case backend.OwnsToken(token, s.codePrefix):
		return "", errIsCode
	case s.verifier == nil:
		return "", errUnrecognized
	}
	_, credential, err := s.verifier.VerifyToken(ctx, token)
	switch auth.KindOf(err) {
	case auth.ErrUnrecognized:
		return "", s.unrecognized(err)
	case auth.ErrInvalid, auth.ErrMalformed:
		return "", errInvalidToken(err)
	}
	if err != nil {
		return "", err
	}
	// A JWT is looked up by its "jti", which is not secret: the signature proves it.
	verified, ok := auth.As[*jwt.Token](credential)
	if !ok || len(verified.ID()) != jwtIDLength {
		return "", errNoJWTID
	}
	return jwtDigest(verified.Subject(), verified.ID()), nil
}
