package server

import (
	"errors"
	"time"
)

// The causes of codes and refresh tokens that are no good.
var (
	errNotACode       = errors.New("the code is none of this server by its form, see Config.Tokens.Prefix")
	errCodeUnknown    = errors.New("no such code is kept: it was never issued, or has been purged")
	errNotARefresh    = errors.New("the refresh_token is none of this server by its form, see Config.Tokens.Prefix")
	errRefreshUnknown = errors.New("no such refresh token is kept: it was never issued, or has been purged")
	errRefreshExpired = errors.New("the refresh token has expired, see Lifetimes.RefreshIdle and RefreshAbsolute")
	errGrantRevoked   = errors.New("the grant was ended: revoked, withdrawn, signed out, or a code or token came twice")
	errGrantExpired   = errors.New("the grant has expired, see Lifetimes")
	errUserChanged    = errors.New("the AuthStamp of the user has changed, as with a new password")
)

// verdictFaults are the causes that go with what a store says.
var verdictFaults = map[Verdict]error{
	Unknown: errors.New("the code or refresh token is not kept any more"),
	Revoked: errGrantRevoked,
	Expired: errors.New("the code, the refresh token or its grant has expired meanwhile"),
}

// fault says why a grant is not live. It is nil if the grant is live.
func (g *Grant) fault(now time.Time) error {
	switch {
	case !g.RevokedAt.IsZero():
		return errGrantRevoked
	case !g.Live(now):
		return errGrantExpired
	}
	return nil
}
