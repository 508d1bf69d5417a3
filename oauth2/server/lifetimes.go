package server

import (
	"cmp"
	"errors"
	"fmt"
	"time"
)

// Lifetimes of what is issued. Zero is the default.
type Lifetimes struct {
	Code    time.Duration // of an authorization code, at most 10 minutes, 0 is a minute
	Access  time.Duration // of an access token, 0 is 10 minutes
	IDToken time.Duration // 0 is 10 minutes
	// RefreshIdle is how long a refresh token lives that is not used, and
	// RefreshAbsolute how long all that come of one authorization do. 0 are 14
	// and 180 days.
	RefreshIdle, RefreshAbsolute time.Duration
}

// LifetimeRequest is what lifetimes can depend on.
type LifetimeRequest struct {
	Client    *Client
	GrantType string // with which the grant began
	// Permissions are those of the grant or, of an access token, those of the token.
	Permissions Permissions
}

var defaultLifetimes = Lifetimes{Code: time.Minute, Access: 10 * time.Minute, IDToken: 10 * time.Minute,
	RefreshIdle: 14 * 24 * time.Hour, RefreshAbsolute: 180 * 24 * time.Hour}

// or fills in what is zero.
func (l Lifetimes) or(otherwise Lifetimes) Lifetimes {
	return Lifetimes{cmp.Or(l.Code, otherwise.Code), cmp.Or(l.Access, otherwise.Access),
		cmp.Or(l.IDToken, otherwise.IDToken),
		cmp.Or(l.RefreshIdle, otherwise.RefreshIdle), cmp.Or(l.RefreshAbsolute, otherwise.RefreshAbsolute)}
}

func (l Lifetimes) check() error {
	if min(l.Code, l.Access, l.IDToken, l.RefreshIdle, l.RefreshAbsolute) < time.Second || l.Code > 10*time.Minute {
		return errors.New("a lifetime is shorter than a second, or a code's longer than 10 minutes (RFC 6749 §4.1.2)")
	}
	return nil
}

// lifetimes are those for one request. What a function of the application says
// out of range is an outage of the server, not the client's fault.
func (s *Server) lifetimes(r LifetimeRequest) (Lifetimes, error) {
	if s.config.Tokens.LifetimesOf == nil {
		return s.config.Tokens.Lifetimes, nil
	}
	l := s.config.Tokens.LifetimesOf(r).or(s.config.Tokens.Lifetimes)
	if err := l.check(); err != nil {
		return l, fmt.Errorf("oauth2/server: Config.Tokens.LifetimesOf: %w", err)
	}
	return l, nil
}
