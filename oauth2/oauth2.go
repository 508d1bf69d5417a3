// Package oauth2 protects APIs with OAuth 2.0 access tokens: it is a resource
// server (RFC 6749 §1.1, RFC 6750).
package oauth2

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/internal/issue"
)

// Config is the configuration of a [Resource]. Resource and Sources are required,
// and either LoadUser or User.
type Config struct {
	Resource             string
	Sources              []Source
	AuthorizationServers []string
	LoadUser             auth.UserLoader
	User                 func(ctx context.Context, token *Token) (auth.User, error)
	Name, Realm          string
	ScopesSupported      []string
}

// Resource is the backend that takes access tokens.
type Resource struct{ config Config }

// New returns a Resource.
func New(config Config) (*Resource, error) {
	if config.Resource == "" || len(config.Sources) == 0 || (config.LoadUser == nil) == (config.User == nil) {
		return nil, errors.New("oauth2: Resource, Sources and LoadUser or User are required")
	}
	config.Name, config.Realm = cmp.Or(config.Name, "oauth2"), cmp.Or(config.Realm, "api")
	return &Resource{config}, nil
}

var errInvalid error = &auth.Error{Kind: auth.ErrInvalid, Code: auth.CodeInvalidToken, Detail: "Invalid token."}
var errUnrecognized error = &auth.Error{Kind: auth.ErrUnrecognized, Code: auth.CodeInvalidToken, Detail: "Invalid token."}

// Backend returns Config.Name.
func (a *Resource) Backend() string { return a.config.Name }

// Challenges returns the challenge.
func (a *Resource) Challenges() []auth.Challenge {
	return []auth.Challenge{{Scheme: "Bearer", Params: []auth.Param{{Name: "realm", Value: a.config.Realm}}}}
}

// Vary returns Authorization.
func (a *Resource) Vary() []string { return []string{"Authorization"} }

// Authenticate proves a request.
func (a *Resource) Authenticate(r *http.Request) (auth.User, auth.Credential, error) {
	_, token, err := auth.TokenFrom(r, "Bearer")
	if err != nil {
		return nil, nil, err
	}
	return a.VerifyToken(r.Context(), token)
}

// VerifyToken proves a bare token.
func (a *Resource) VerifyToken(ctx context.Context, token string) (auth.User, auth.Credential, error) {
	for _, source := range a.config.Sources {
		found, err := source.Inspect(ctx, token)
		if auth.Kind(err) == auth.ErrUnrecognized {
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		return a.accept(ctx, found)
	}
	return nil, nil, errUnrecognized
}

func (a *Resource) accept(ctx context.Context, found *Token) (auth.User, auth.Credential, error) {
	ours := false
	for _, each := range found.Audience {
		ours = ours || each == a.config.Resource
	}
	if !ours || len(found.Confirmation) > 0 || !found.Expires.IsZero() && !time.Now().Before(found.Expires) || strings.HasPrefix(found.Subject, "client:") {
		return nil, nil, errInvalid
	}
	token := *found
	token.backend = a.config.Name
	if token.Machine() {
		return auth.Machine{ID: token.ClientID}, &token, nil
	}
	user, err := a.config.LoadUser.Load(ctx, token.Subject)
	if err != nil {
		return nil, nil, err
	}
	if token.GrantID != "" && !issue.SameStamp(token.Stamp, issue.Stamp("oauth2", user)) {
		return nil, nil, errInvalid
	}
	return user, &token, nil
}

// Register does nothing yet.
func (a *Resource) Register(*http.ServeMux) {}
