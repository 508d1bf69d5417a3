package server

import (
	"context"
	"errors"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
)

// NoLimit as Config.Limits.User, Config.Limits.Client or Config.Clients.DeveloperLimit lets there be any number.
const NoLimit = backend.NoLimit

const (
	// defaultClientLimit is larger than that of a user: many machines may share a client,
	// and its grants end with their access token.
	defaultClientLimit    = 10_000
	defaultDeveloperLimit = 100
)

// The causes of refusals for there being too many, for errors.Is.
var (
	// ErrLimit is the cause when a user has as many grants as Config.Limits.User allows.
	ErrLimit error = &auth.Error{Kind: auth.ErrInsufficient, Code: "grant_limit",
		Detail: "Maximum amount of grants allowed per user exceeded.",
		Cause: errors.New("oauth2/server: the user has as many grants as Config.Limits.User allows (see " +
			"Config.Limits.EvictOldest)")}
	// ErrClientLimit is the cause when a client has as many grants for itself as
	// Config.Limits.Client allows.
	ErrClientLimit error = &auth.Error{Kind: auth.ErrInsufficient, Code: "grant_limit",
		Detail: "Maximum amount of grants allowed per client exceeded.",
		Cause: errors.New("oauth2/server: the client has as many grants for itself as Config.Limits.Client allows " +
			"(see Config.Limits.EvictOldest)")}
	// ErrDeveloperLimit is the cause when an owner has as many clients as
	// Config.Clients.DeveloperLimit allows.
	ErrDeveloperLimit error = &auth.Error{Kind: auth.ErrInsufficient, Code: "application_limit",
		Detail: "Maximum amount of applications allowed exceeded.",
		Cause:  errors.New("oauth2/server: the owner has as many clients as Config.Clients.DeveloperLimit allows")}
)

// grantLimit is a limit as a store takes it: a most of 0 is no limit. Over it, err is the cause.
type grantLimit struct {
	most  int
	evict bool
	err   error
}

// grantLimits are the limits of grants.
type grantLimits struct{ user, client grantLimit }

// limitFor returns the limit for a grant.
func (s *Server) limitFor(grant *Grant) grantLimit {
	if grant.UserID == "" {
		return s.limits.client
	}
	return s.limits.user
}

// checkLimits fills in the default limits.
func (c *Config) checkLimits(settings *backend.Settings) (r grantLimits) {
	r.user.err, r.client.err = ErrLimit, ErrClientLimit
	settings.Refuse(c.Limits.EvictOldest && c.Limits.User == NoLimit && c.Limits.Client == NoLimit,
		"Config.Limits.EvictOldest: there is nothing to evict for without a limit")
	evict := c.Limits.EvictOldest && c.Limits.User != NoLimit
	r.user.most, r.user.evict = settings.Limit("Config.Limits.User", c.Limits.User, evict)
	evict = c.Limits.EvictOldest && c.Limits.Client != NoLimit
	r.client.most, r.client.evict = settings.Limit("Config.Limits.Client", c.Limits.Client, evict)
	if c.Limits.Client == 0 {
		r.client.most = defaultClientLimit
	}
	if c.Clients.DeveloperLimit == 0 {
		c.Clients.DeveloperLimit = defaultDeveloperLimit
	}
	c.Clients.DeveloperLimit, _ = settings.Limit("Config.Clients.DeveloperLimit", c.Clients.DeveloperLimit, false)
	return r
}

// reportEvicted sends an event for each grant that made room for another one.
func (s *Server) reportEvicted(ctx context.Context, added Added, grant *Grant) {
	for _, id := range added.Evicted {
		s.sendEvent(ctx, auth.EventRevoked, grant.UserID, id)
	}
}
