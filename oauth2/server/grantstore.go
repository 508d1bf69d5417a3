package server

import (
	"context"
	"time"

	"github.com/gatewarden/auth"
)

// GrantStore keeps grants. Each is one authorization and the unit of revocation. See [Store].
type GrantStore interface {
	// Approve adds a grant and the code that stands for it. It is Answered if the interaction
	// is not there any more, or the request was answered before, and uses up both otherwise.
	// It is Refused if the client is
	// gone or Disabled by now, or the consent that it rests on does not cover it any more.
	// See [Approval]. After that it is as Start about the limit, but with evict, grants
	// end first that wait for their code to be redeemed: those of the client, then those
	// of others, each in order of ID. So requests that are never completed end at most one
	// grant that is used. A grant ID or a digest that is there is an error. Nothing but the
	// interaction and the request was changed unless it is [Added.OK].
	Approve(ctx context.Context, approval Approval) (Added, error)

	// Start adds a grant that needs no code, with its tokens. It is Refused if the client
	// is gone or Disabled by now. Nothing was changed unless it is [Added.OK].
	//
	// The limit is of the grants of its user that are live when it is created and have its
	// Stamp, because tokens of another one are refused. For a grant without a user, it is
	// of those that the client has without a user. If there are limit or more, it is
	// OverLimit or, with evict, those with the least IDs end until one more makes limit.
	// They end at Created of the grant. However many are added at once, there are never
	// more. A limit of 0 is no limit.
	Start(ctx context.Context, grant *Grant, tokens Tokens, limit int, evict bool) (Added, error)

	// Grant returns the grant with this identifier, whatever became of it, or
	// nil and nil.
	Grant(ctx context.Context, id string) (*Grant, error)

	// Grants returns at most limit grants of a user that are live at now, in order of ID
	// from the greatest, which is the newest: those with an ID less than after or, if
	// that is "", all. Those with a code that was not redeemed are among them.
	Grants(ctx context.Context, userID, after string, limit int, now time.Time) ([]*Grant, error)

	// GrantsByClient returns what at most limit clients have of a user in order of client
	// ID, from the first one after the client ID after. It counts the grants that Grants
	// lists.
	GrantsByClient(ctx context.Context, userID, after string, limit int, now time.Time) ([]*ClientGrants, error)

	// End ends a grant with all its tokens, and reports whether it was live at
	// now.
	End(ctx context.Context, id string, now time.Time) (bool, error)

	// EndSession ends the grants of a session that are live at now and not
	// Offline, and returns which they were, in order of ID.
	EndSession(ctx context.Context, sessionID string, now time.Time) ([]EndedGrant, error)

	// EndAll ends all grants of a user that are live at now but the one with the
	// identifier kept, which may be "", and returns their identifiers, in order.
	// It gives stamp to the one that is kept, if it is live and the user's.
	EndAll(ctx context.Context, userID, kept, stamp string, now time.Time) ([]string, error)
}

// Approval is what a user, or the operator for a first-party client, agreed to.
type Approval struct {
	Grant *Grant
	Code  *Code // of Grant
	// Interaction is the digest of the page that the user answered, or "" if there was no page. It must be there and
	// not have expired when Grant is Created. So one page has one answer, and an outage loses no page.
	Interaction string
	// Request is the key of the authorization request that this answers, or "" if the browser did not keep it. It is a
	// key of PutOnce, which must be fresh when Grant is Created and is noted until RequestExpires. So one request leads
	// to one code, in however many tabs its user goes on with it.
	Request        string
	RequestExpires time.Time
	// Remember, if it is not nil, is added to the consent of Grant.UserID to
	// Grant.ClientID with [Consent.Add]. If there is no consent yet, Remember becomes it.
	Remember *Consent
	// RequireConsent says that the grant rests on an earlier consent. A consent that covers the
	// grant must then be in the store: see [Consent.Covers].
	RequireConsent bool
	// Limit and EvictOldest are limit and evict of Store.Start.
	Limit       int
	EvictOldest bool
}

// Added is the answer of a store to a new client or grant.
type Added struct {
	Answered  bool     // nothing was added, because the interaction or the request was answered before, or has expired
	Refused   bool     // nothing was added, the method says why
	OverLimit bool     // nothing was added, because there are as many as the limit
	Evicted   []string // identifiers of the grants that ended to make room, in the order of the method
}

// OK reports whether the client or grant was added.
func (a Added) OK() bool { return !a.Answered && !a.Refused && !a.OverLimit }

// Grant is one authorization: a code and all tokens that come of it, or those
// that a client got for itself. It is the unit of revocation.
type Grant struct {
	ID       string // names the shard of its user or, without one, of its client: see backend.NewIDOf
	ClientID string
	UserID   string // "" if the client acts for itself
	Type     string // the grant_type it began with

	// Permissions are what its tokens can be for. They have one API at least.
	Permissions Permissions

	SessionID string // the login session in which the user agreed, or ""
	Offline   bool   // it outlives that session
	AuthInfo  auth.AuthInfo
	Stamp     string // hash of the user's auth.Stamper stamp, or ""

	// Extra is what features keep with the grant, by the name of a parameter or a claim. It
	// may be nil, which is the same as empty.
	Extra map[string]string

	Created      time.Time
	LastUsed     time.Time // when tokens were last issued
	ExpiresAt    time.Time // of its code, or of the last of its tokens
	MaxExpiresAt time.Time // no refresh token lives longer
	RevokedAt    time.Time // zero unless ended before its time
}

// Live reports whether the grant has not ended and not expired at now.
func (g *Grant) Live(now time.Time) bool { return g.RevokedAt.IsZero() && now.Before(g.ExpiresAt) }

// ClientGrants is what a client has of a user: all grants that are live.
type ClientGrants struct {
	ClientID    string
	Count       int         // of the grants, never 0
	Permissions Permissions // of all of them together, Sorted
	Since       time.Time   // when the first of them was created
	LastUsed    time.Time   // when tokens of any of them were last issued
}
