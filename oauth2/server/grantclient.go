package server

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
)

// ClientCredentials is the client credentials grant (RFC 6749 §4.4): a program
// that acts for itself. There is no refresh token: it can ask again.
type ClientCredentials struct{}

// Name returns "client_credentials".
func (ClientCredentials) Name() string { return GrantClientCredentials }

// Exchange issues an access token to a confidential client.
func (ClientCredentials) Exchange(ctx context.Context, s *Server, r *TokenRequest) (*TokenResponse, error) {
	if r.Client.Public() {
		return nil, refuse(CodeUnauthorizedClient, "A public client cannot act for itself.",
			check("the client is public, and client_credentials needs a secret (RFC 6749 §4.4)"))
	}
	scopes, err := s.scopesOf(r.Form.Get("scope"), r.Client)
	if err != nil {
		return nil, err
	}
	if r.Form.Get("scope") == "" {
		scopes = slices.DeleteFunc(slices.Clone(scopes), ofUsers)
	} else if i := slices.IndexFunc(scopes, ofUsers); i >= 0 {
		return nil, refuse(CodeInvalidScope, "The scope has one that is about a user.",
			wrong("the scope is about a user, and client_credentials has no user", scopes[i]))
	}
	resources, err := s.resourcesOf(r.Form.All("resource"), r.Client)
	if err != nil {
		return nil, err
	}
	return s.start(ctx, Issuance{Client: r.Client, Type: GrantClientCredentials, Scopes: scopes, Resources: resources}, r.Now)
}

// ofUsers reports a scope of OpenID Connect: there is nobody to tell of.
func ofUsers(scope string) bool {
	return slices.ContainsFunc(openIDScopes, func(s Scope) bool { return s.Name == scope })
}

// Issuance is what a grant of the application's own issues; see [Server.Issue].
type Issuance struct {
	Client    *Client
	Type      string   // the grant's name
	UserID    string   // "" for the client itself
	Scopes    []string // must be among the client's
	Resources []string // nil is the first that the client may have
	AuthInfo  auth.AuthInfo
	Refresh   bool // a refresh token, too
}

// Issue starts a grant and returns its tokens. The user is loaded first; one who
// may not log in gets nothing, and the error is invalid_grant. So it is, with the cause
// [ErrLimit] or [ErrClientLimit], if there are as many grants as allowed.
func (s *Server) Issue(ctx context.Context, issuance Issuance) (*TokenResponse, error) {
	if issuance.Client == nil || issuance.Type == "" {
		return nil, errors.New("oauth2/server: Issue without a client or a type")
	}
	for _, scope := range issuance.Scopes {
		if cause := s.scopeFault(issuance.Client, scope); cause != nil {
			return nil, refuse(CodeInvalidScope, "The scope has one that the client may not have.", cause)
		}
	}
	var err error
	if issuance.Resources, err = s.resourcesOf(issuance.Resources, issuance.Client); err != nil {
		return nil, err
	}
	return s.start(ctx, issuance, now())
}

// The causes of refused grants.
var (
	errUserIsClient = errors.New("the UserID is the client_id, so that the tokens would be taken for " +
		"the client's own (RFC 9068 §5)")
	errClientGone = errors.New("the client was removed or disabled meanwhile")
)

// start adds a grant with its tokens.
func (s *Server) start(ctx context.Context, i Issuance, at time.Time) (*TokenResponse, error) {
	lifetimes, err := s.lifetimes(LifetimeRequest{i.Client, i.Type, i.Scopes, i.Resources})
	if err != nil {
		return nil, err
	}
	grant := &Grant{ID: backend.NewID(), ClientID: i.Client.ID, UserID: i.UserID, Type: i.Type, Scopes: i.Scopes, Resources: i.Resources,
		Offline: true, AuthInfo: i.AuthInfo, Created: at, LastUsed: at, MaxExpiresAt: at.Add(max(lifetimes.RefreshAbsolute, lifetimes.Access))}
	grant.AuthInfo.AuthTime = backend.StoreTime(grant.AuthInfo.AuthTime)
	var user auth.User
	if i.UserID != "" {
		if user, err = s.config.LoadUser.Find(ctx, i.UserID); err != nil {
			return nil, userRefused(err)
		}
		if user.UserID() == i.Client.ID { // its tokens would be taken for the client's own
			return nil, refuse(CodeInvalidGrant, "The user has the name of the client.", errUserIsClient)
		}
		grant.UserID, grant.Stamp = user.UserID(), stampOf(user)
	}
	m, err := s.mint(ctx, minting{client: i.Client, grant: grant, scopes: i.Scopes, resources: i.Resources, user: user, refresh: i.Refresh, now: at})
	if err != nil {
		return nil, err
	}
	grant.ExpiresAt = m.tokens.ExpiresAt()
	limit := s.roomFor(grant)
	added, err := s.config.Store.Start(ctx, grant, m.tokens, limit.most, limit.evict)
	switch {
	case err != nil:
		return nil, err
	case added.Refused:
		return nil, errClient(errClientGone)
	case added.OverLimit:
		return nil, refuse(CodeInvalidGrant, "There are as many grants as allowed. Some must end first.", limit.err)
	}
	s.tellEvicted(ctx, added, grant)
	s.observe(ctx, auth.EventIssued, grant.UserID, grant.ID)
	return m.response, nil
}
