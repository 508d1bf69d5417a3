package cached

import (
	"context"
	"strings"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/oauth2/server"
)

// OAuthStore is a [server.Store] with a cache in front. It caches FindAccess and Client, which every request with
// an access token or of a client asks, and hands all else through. It is a [Cache], and safe for concurrent use.
//
// It is no [server.HashFinder], whatever its store is. Config.Max counts access tokens, and once more clients.
type OAuthStore struct {
	oauthStore
	access  *table[string, issued] // by digest
	clients *table[string, *server.Client]
}

// oauthStore is embedded, so that the methods that need no cache go to the store.
type oauthStore = server.Store

// issued is an access token and its grant.
type issued struct {
	access *server.Access
	grant  *server.Grant
}

var _ server.Store = (*OAuthStore)(nil)

// OAuth returns a cache in front of store. The error says what is wrong with config.
func OAuth(store server.Store, config Config) (*OAuthStore, error) {
	config, err := config.checked()
	if err != nil {
		return nil, err
	}
	return &OAuthStore{store, newTable[string, issued](config), newTable[string, *server.Client](config)}, nil
}

// FindAccess implements [server.Store].
func (s *OAuthStore) FindAccess(ctx context.Context, digest string) (*server.Access, *server.Grant, error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	kept, read, ok := s.access.get(digest)
	if ok {
		return kept.access, kept.grant, nil
	}
	a, g, err := s.oauthStore.FindAccess(ctx, digest)
	if err == nil && a != nil && g != nil && g.RevokedAt.IsZero() {
		expires := a.ExpiresAt
		if g.ExpiresAt.Before(expires) {
			expires = g.ExpiresAt
		}
		s.access.put(read, digest, issued{a, g}, expires,
			[3]owner{{user, g.UserID}, {client, g.ClientID}, {grant, g.ID}})
	}
	return a, g, err
}

// Client implements [server.Store].
func (s *OAuthStore) Client(ctx context.Context, id string) (*server.Client, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	found, read, ok := s.clients.get(id)
	if ok {
		return found, nil
	}
	found, err := s.oauthStore.Client(ctx, id)
	if err == nil && found != nil {
		s.clients.put(read, id, found, time.Time{}, [3]owner{{client, id}})
	}
	return found, err
}

// AddClient implements [server.Store].
func (s *OAuthStore) AddClient(ctx context.Context, added *server.Client, limit int) (server.Added, error) {
	defer s.forgetClient(added.ID)
	return s.oauthStore.AddClient(ctx, added, limit)
}

// ChangeClient implements [server.Store]. If it reports that the client was changed by others meanwhile, the next
// call of Client returns what is stored.
func (s *OAuthStore) ChangeClient(ctx context.Context, changed *server.Client,
	was time.Time) (bool, []server.EndedGrant, error) {
	defer s.forgetClient(changed.ID)
	return s.oauthStore.ChangeClient(ctx, changed, was)
}

// RemoveClient implements [server.Store].
func (s *OAuthStore) RemoveClient(ctx context.Context, id string, now time.Time) (bool, []server.EndedGrant, error) {
	defer s.forgetClient(id)
	return s.oauthStore.RemoveClient(ctx, id, now)
}

// Approve implements [server.Store].
func (s *OAuthStore) Approve(ctx context.Context, approval server.Approval) (server.Added, error) {
	added, err := s.oauthStore.Approve(ctx, approval)
	s.forgetEvicted(approval.Grant, added, err)
	return added, err
}

// Start implements [server.Store].
func (s *OAuthStore) Start(ctx context.Context, started *server.Grant, tokens server.Tokens, limit int,
	evict bool) (server.Added, error) {
	added, err := s.oauthStore.Start(ctx, started, tokens, limit, evict)
	s.forgetEvicted(started, added, err)
	s.access.drop(tokens.Access.Digest)
	return added, err
}

// forgetEvicted forgets what ended to make room for a grant.
func (s *OAuthStore) forgetEvicted(added *server.Grant, outcome server.Added, err error) {
	switch {
	case err != nil && added.UserID == "":
		s.access.forget(owner{client, added.ClientID})
	case err != nil:
		s.access.forget(owner{user, added.UserID})
	case len(outcome.Evicted) > 0:
		s.forgetGrants(outcome.Evicted...)
	}
}

// Redeem implements [server.Store].
func (s *OAuthStore) Redeem(ctx context.Context, digest string, now time.Time,
	tokens server.Tokens) (server.Verdict, error) {
	defer s.forgetGrants(tokens.Access.GrantID)
	return s.oauthStore.Redeem(ctx, digest, now, tokens)
}

// Rotate implements [server.Store].
func (s *OAuthStore) Rotate(ctx context.Context, old string, now time.Time, grace time.Duration,
	tokens server.Tokens) (server.Rotation, error) {
	defer s.forgetGrants(tokens.Access.GrantID)
	return s.oauthStore.Rotate(ctx, old, now, grace, tokens)
}

// AddAccess implements [server.Store].
func (s *OAuthStore) AddAccess(ctx context.Context, access *server.Access, now time.Time) (bool, error) {
	defer s.access.drop(access.Digest)
	defer s.forgetGrants(access.GrantID)
	return s.oauthStore.AddAccess(ctx, access, now)
}

// RemoveAccess implements [server.Store].
func (s *OAuthStore) RemoveAccess(ctx context.Context, digest string) (bool, error) {
	defer s.access.drop(digest)
	return s.oauthStore.RemoveAccess(ctx, digest)
}

// End implements [server.Store].
func (s *OAuthStore) End(ctx context.Context, id string, now time.Time) (bool, error) {
	defer s.forgetGrants(id)
	return s.oauthStore.End(ctx, id, now)
}

// EndSession implements [server.Store].
func (s *OAuthStore) EndSession(ctx context.Context, sessionID string, now time.Time) ([]server.EndedGrant, error) {
	if err := ctx.Err(); err != nil { // nothing has ended
		return nil, err
	}
	ended, err := s.oauthStore.EndSession(ctx, sessionID, now)
	if err != nil { // it is not known which grants these are
		s.access.forgetAll()
	}
	for _, e := range ended {
		s.forgetGrants(e.ID)
	}
	return ended, err
}

// EndAll implements [server.Store].
func (s *OAuthStore) EndAll(ctx context.Context, userID, kept, stamp string, now time.Time) ([]string, error) {
	defer s.access.forget(owner{user, userID})
	return s.oauthStore.EndAll(ctx, userID, kept, stamp, now)
}

// Withdraw implements [server.Store].
func (s *OAuthStore) Withdraw(ctx context.Context, userID, clientID string, now time.Time) ([]string, error) {
	defer s.access.forget(owner{user, userID})
	return s.oauthStore.Withdraw(ctx, userID, clientID, now)
}

// Purge implements [server.Store].
func (s *OAuthStore) Purge(ctx context.Context, now time.Time, limit int) (int, error) {
	defer s.access.markPurged(now)
	return s.oauthStore.Purge(ctx, now, limit)
}

func (s *OAuthStore) forgetGrants(ids ...string) {
	owners := make([]owner, len(ids))
	for i, id := range ids {
		owners[i] = owner{grant, id}
	}
	s.access.forget(owners...)
}

// forgetClient forgets a client with its tokens.
func (s *OAuthStore) forgetClient(id string) {
	s.clients.forget(owner{client, id})
	s.access.forget(owner{client, id})
}

// ForgetToken drops what is kept of one access token, as Forget does of a user. It is for a store that tells of changes
// of single records.
func (s *OAuthStore) ForgetToken(digest string) { s.access.drop(digest) }

// ForgetGrant removes the tokens of one grant from the cache. See ForgetToken.
func (s *OAuthStore) ForgetGrant(id string) { s.forgetGrants(id) }

// machinePrefix starts the UserID of an auth.Machine.
var machinePrefix = auth.Machine{}.UserID()

// Forget implements [Cache].
func (s *OAuthStore) Forget(userID string) {
	s.access.forget(owner{user, userID})
	if id, ok := strings.CutPrefix(userID, machinePrefix); ok {
		s.forgetClient(id)
	}
}

// ForgetAll implements [Cache].
func (s *OAuthStore) ForgetAll() {
	s.access.forgetAll()
	s.clients.forgetAll()
}

// Suspend implements [Cache].
func (s *OAuthStore) Suspend() (resume func()) {
	resumeAccess, resumeClients := s.access.suspend(), s.clients.suspend()
	return func() {
		resumeAccess()
		resumeClients()
	}
}
