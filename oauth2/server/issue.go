package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/internal/cause"
)

// Issuance is what a grant of the application's own issues. See [Server.Issue].
type Issuance struct {
	Client *Client
	Type   string // the grant's name
	UserID string // "" for the client itself
	// Scopes go with each of Resources that knows them. They must be among the client's. Nil Resources are the first
	// one that the client may have. With several ones, the same Scopes must be known to each.
	Scopes    []string
	Resources []string
	AuthInfo  auth.AuthInfo
	Refresh   bool              // a refresh token, too
	Extra     map[string]string // kept as Grant.Extra. Names and values have at most 4 KiB of UTF-8
}

// Issue starts a grant and returns its tokens. The user is loaded first. A user that
// may not log in gets nothing, and the error is invalid_grant. Without a user, it is the Owner of the
// client that is loaded, and the error is unauthorized_client. So it is, with the cause
// [ErrLimit] or [ErrClientLimit], if there are as many grants as allowed.
func (s *Server) Issue(ctx context.Context, issuance Issuance) (*TokenResponse, error) {
	if err := issuance.check(); err != nil {
		return nil, err
	}
	for _, scope := range issuance.Scopes {
		if fault := s.scopeFault(issuance.Client, scope); fault != nil {
			return nil, refuse(CodeInvalidScope, "The scope has one that the client may not have.", fault)
		}
	}
	if issuance.UserID == "" {
		if err := s.checkMachine(ctx, issuance); err != nil {
			return nil, err
		}
	}
	resources, err := s.resourcesOf(issuance.Resources, issuance.Client)
	if err != nil {
		return nil, err
	}
	permissions, err := s.permissionsOf(issuance.Scopes, resources, true)
	if err != nil {
		return nil, err
	}
	return s.startGrant(ctx, issuance, permissions, now())
}

// maxExtra is the longest name or value of Grant.Extra, in bytes.
const maxExtra = 4 << 10

// check returns what is wrong with an issuance, which is a mistake of the application's grant.
func (i *Issuance) check() error {
	if i.Client == nil || !backend.ValidID(i.Type) {
		return errors.New("oauth2/server: Issue without a client or a type")
	}
	if err := backend.CheckAuthInfo(i.AuthInfo); err != nil {
		return fmt.Errorf("oauth2/server: %w", err)
	}
	for name, value := range i.Extra {
		if !backend.ValidText(name, maxExtra) || !backend.ValidText(value, maxExtra) {
			return fmt.Errorf("%w: oauth2/server: the Extra %s has more than %d bytes, or is not UTF-8 without NUL",
				auth.ErrInternal, cause.Quote(name), maxExtra)
		}
	}
	return nil
}

// issuedTo returns the user that gets a grant without a code.
func (s *Server) issuedTo(ctx context.Context, i Issuance) (auth.User, error) {
	user, err := s.config.LoadUser.Find(ctx, i.UserID)
	if err != nil {
		return nil, errLoadUser(err)
	}
	if err := backend.CheckUserID(user.UserID()); err != nil {
		return nil, fmt.Errorf("oauth2/server: %w", err)
	}
	if user.UserID() == i.Client.ID { // its tokens would be taken for the client's own
		return nil, refuse(CodeInvalidGrant, "The user has the name of the client.", errUserIsClient)
	}
	return user, nil
}

// The causes of refused grants.
var (
	errUserIsClient = errors.New("the UserID is the client_id, so that the tokens would be taken for " +
		"the client's own (RFC 9068 §5)")
	errClientGone = errors.New("the client was removed or disabled meanwhile")
)

// startGrant adds a grant with its tokens.
func (s *Server) startGrant(ctx context.Context, i Issuance, may Permissions, at time.Time) (*TokenResponse, error) {
	lifetimes, err := s.lifetimes(LifetimeRequest{i.Client, i.Type, may})
	if err != nil {
		return nil, err
	}
	grant := &Grant{ClientID: i.Client.ID, UserID: i.UserID, Type: i.Type, Permissions: may,
		Extra: withOwner(&i), Offline: true, AuthInfo: i.AuthInfo, Created: at, LastUsed: at,
		MaxExpiresAt: at.Add(max(lifetimes.RefreshAbsolute, lifetimes.Access))}
	token, err := s.tokenPermissions(i.Client, grant, tokenTarget{resources: may.Resources()})
	if err != nil {
		return nil, err
	}
	grant.AuthInfo.AuthTime = backend.StoreTime(grant.AuthInfo.AuthTime)
	var user auth.User
	if i.UserID != "" {
		if user, err = s.issuedTo(ctx, i); err != nil {
			return nil, err
		}
		grant.UserID, grant.Stamp = user.UserID(), stampOf(user)
	}
	grant.ID = backend.NewIDOf(cmp.Or(grant.UserID, grant.ClientID))
	m, err := s.createTokens(ctx, tokenSpec{client: i.Client, grant: grant, permissions: token,
		user: user, refresh: i.Refresh, now: at})
	if err != nil {
		return nil, err
	}
	grant.ExpiresAt = m.tokens.ExpiresAt()
	limit := s.limitFor(grant)
	added, err := s.config.Store.Start(ctx, grant, m.tokens, limit.most, limit.evict)
	switch {
	case err != nil:
		return nil, err
	case added.Refused:
		return nil, errClient(errClientGone)
	case added.OverLimit:
		return nil, refuse(CodeInvalidGrant, "There are as many grants as allowed. Some must end first.", limit.err)
	}
	s.reportEvicted(ctx, added, grant)
	s.sendEvent(ctx, auth.EventIssued, grant.UserID, grant.ID)
	return m.response, nil
}
