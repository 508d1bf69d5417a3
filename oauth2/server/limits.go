package server

import (
	"context"
	"errors"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
)

// NoLimit as a Config.Limit, ClientLimit or DeveloperLimit lets there be any number.
const NoLimit = backend.NoLimit

const (
	// defaultClientLimit is larger than that of a user: many machines may share a client,
	// and its grants end with their access token.
	defaultClientLimit    = 10_000
	defaultDeveloperLimit = 100
)

// The causes of refusals for there being too many, for errors.Is.
var (
	// ErrLimit is the cause when a user has as many grants as Config.Limit allows.
	ErrLimit error = &auth.Error{Kind: auth.ErrInsufficient, Code: "grant_limit",
		Detail: "Maximum amount of grants allowed per user exceeded.",
		Cause: errors.New("oauth2/server: the user has as many grants as Config.Limit allows (see " +
			"Config.EvictOldest)")}
	// ErrClientLimit is the cause when a client has as many grants for itself as
	// Config.ClientLimit allows.
	ErrClientLimit error = &auth.Error{Kind: auth.ErrInsufficient, Code: "grant_limit",
		Detail: "Maximum amount of grants allowed per client exceeded.",
		Cause: errors.New("oauth2/server: the client has as many grants for itself as Config.ClientLimit allows " +
			"(see Config.EvictOldest)")}
	// ErrDeveloperLimit is the cause when an owner has as many clients as
	// Config.DeveloperLimit allows.
	ErrDeveloperLimit error = &auth.Error{Kind: auth.ErrInsufficient, Code: "application_limit",
		Detail: "Maximum amount of applications allowed exceeded.",
		Cause:  errors.New("oauth2/server: the owner has as many clients as Config.DeveloperLimit allows")}
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
	settings.Refuse(c.EvictOldest && c.Limit == NoLimit && c.ClientLimit == NoLimit,
		"Config.EvictOldest: there is nothing to evict for without a limit")
	r.user.most, r.user.evict = settings.Limit("Config.Limit", c.Limit, c.EvictOldest && c.Limit != NoLimit)
	evict := c.EvictOldest && c.ClientLimit != NoLimit
	r.client.most, r.client.evict = settings.Limit("Config.ClientLimit", c.ClientLimit, evict)
	if c.ClientLimit == 0 {
		r.client.most = defaultClientLimit
	}
	if c.DeveloperLimit == 0 {
		c.DeveloperLimit = defaultDeveloperLimit
	}
	c.DeveloperLimit, _ = settings.Limit("Config.DeveloperLimit", c.DeveloperLimit, false)
	return r
}

// reportEvicted sends an event for each grant that made room for another one.
func (s *Server) reportEvicted(ctx context.Context, added Added, grant *Grant) {
	for _, id := range added.Evicted {
		s.sendEvent(ctx, auth.EventRevoked, grant.UserID, id)
	}
}
