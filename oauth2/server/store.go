package server

import (
	"context"
	"time"

	"github.com/gatewarden/auth"
)

// Store keeps clients, what users agreed to, and what was issued.
// [NewMemoryStore] returns one, package sqlstore has one over database/sql, and
// storetest.OAuth checks yours. [HashFinder] is optional.
//
// Each method is atomic and safe for concurrent use, and reads no clock. What
// is not there is no error; an error says that the store cannot tell, and that
// nothing was changed or, if the connection broke at the wrong moment, all of
// it. What is passed or returned is shared: neither side changes it. Times are
// UTC, in microseconds. Lists are in the order that is said, and may be nil.
//
// Digests are opaque strings of 46 characters of the alphabet of base64url.
type Store interface {
	// AddClient adds a client. It is Refused if there is one with its ID. It is OverLimit
	// if there are limit clients with its Owner; a limit of 0 is none. However many are
	// added at once, there are never more. Nothing was changed unless it is [Added.OK].
	AddClient(ctx context.Context, client *Client, limit int) (Added, error)
	// Client returns the client with this identifier, or nil and nil.
	Client(ctx context.Context, id string) (*Client, error)
	// Clients returns at most limit clients in order of ID, from the first one
	// after the identifier after: those of owner or, if that is "", all.
	Clients(ctx context.Context, owner, after string, limit int) ([]*Client, error)
	// ChangeClient puts client in place of the one with its ID if that was
	// last changed at was, and reports whether it did: who changes what somebody
	// else has changed meanwhile would undo it. If client is Disabled, its
	// grants end at client.Updated in the same step, and it returns those that were live,
	// in order of ID.
	ChangeClient(ctx context.Context, client *Client, was time.Time) (bool, []Ended, error)
	// RemoveClient removes a client and all consents to it, ends its grants at
	// now, and reports whether there was one. It returns the grants that were live, in
	// order of ID.
	RemoveClient(ctx context.Context, id string, now time.Time) (bool, []Ended, error)

	// Pend adds an interaction. A digest that is there is an error.
	Pend(ctx context.Context, interaction *Interaction) error
	// Pending returns the interaction with this digest, or nil and nil if there
	// is none or it has expired at now.
	Pending(ctx context.Context, digest string, now time.Time) (*Interaction, error)
	// Take removes and returns the interaction with this digest. Of many calls
	// at once one gets it, the others nil and nil, as if there were none or it
	// has expired at now.
	Take(ctx context.Context, digest string, now time.Time) (*Interaction, error)

	// Consent returns what a user agreed to for a client, or nil and nil.
	Consent(ctx context.Context, userID, clientID string) (*Consent, error)
	// Consents returns at most limit consents of a user in order of client ID, from the
	// first one after the client ID after.
	Consents(ctx context.Context, userID, after string, limit int) ([]*Consent, error)
	// Withdraw removes the consent of a user to a client, ends all grants that
	// are live at now that the user gave the client, with consent or without,
	// and returns their identifiers, in order.
	Withdraw(ctx context.Context, userID, clientID string, now time.Time) ([]string, error)

	// Approve adds a grant and the code that stands for it. It is Refused if the client is
	// gone or Disabled by now, or the consent that it rests on does not cover it any more;
	// see [Approval]. After that it is as Start about the limit, but with evict, grants
	// end first that wait for their code to be redeemed: those of the client, then those
	// of others, each in order of ID. So requests that nobody completes end at most one
	// grant that is used. A grant ID or a digest that is there is an error. Nothing was
	// changed unless it is [Added.OK].
	Approve(ctx context.Context, approval Approval) (Added, error)
	// FindCode returns the code with this digest and its grant, whatever became
	// of them, or nil and nil.
	FindCode(ctx context.Context, digest string) (*Code, *Grant, error)
	// Redeem uses up the code with this digest, adds tokens of its grant, and
	// moves the grant's LastUsed to now and its Expires to the later one of
	// theirs. Of many calls at once with one digest at most one is Redeemed,
	// and as soon as there was a second nothing of the grant is good: see
	// [Verdict], of which it never returns Retried.
	Redeem(ctx context.Context, digest string, now time.Time, tokens Tokens) (Verdict, error)

	// Start adds a grant that needs no code, with its tokens. It is Refused if the client
	// is gone or Disabled by now. Nothing was changed unless it is [Added.OK].
	//
	// The limit is of the grants of its user that are live when it is created and have its
	// Stamp, because tokens of another one are refused. For a grant without a user, it is
	// of those that the client has without a user. If there are limit or more, it is
	// OverLimit or, with evict, those with the least IDs end until one more makes limit.
	// They end at Created of the grant. However many are added at once, there are never
	// more. A limit of 0 is none.
	Start(ctx context.Context, grant *Grant, tokens Tokens, limit int, evict bool) (Added, error)

	// FindRefresh returns the refresh token with this digest and its grant,
	// whatever became of them, or nil and nil.
	FindRefresh(ctx context.Context, digest string) (*Refresh, *Grant, error)
	// Rotate uses up the refresh token with the digest old: it adds tokens, of
	// the same grant and with a refresh token, moves the grant as Redeem does,
	// and forgets the Sealed of the token that is used. Of many calls at once
	// with one digest, one is Redeemed. What another one answers, and what
	// becomes of the grant, is said at [Verdict].
	Rotate(ctx context.Context, old string, now time.Time, grace time.Duration, tokens Tokens) (Rotation, error)

	// FindAccess returns the access token with this digest and its grant,
	// whatever became of them, or nil and nil. It is asked on every request.
	FindAccess(ctx context.Context, digest string) (*Access, *Grant, error)
	// AddAccess adds an access token to a grant that is live at now, and reports
	// whether it did. If the token expires later than the grant, the grant's
	// Expires moves there. LastUsed moves to now.
	AddAccess(ctx context.Context, access *Access, now time.Time) (bool, error)
	// RemoveAccess ends an access token alone, and reports whether there was one.
	RemoveAccess(ctx context.Context, digest string) (bool, error)

	// Grant returns the grant with this identifier, whatever became of it, or
	// nil and nil.
	Grant(ctx context.Context, id string) (*Grant, error)
	// Grants returns at most limit grants of a user that are live at now, in order of ID
	// from the greatest, which is the newest: those with an ID less than after or, if
	// that is "", all. Those whose code was not redeemed are among them.
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
	EndSession(ctx context.Context, sessionID string, now time.Time) ([]Ended, error)
	// EndAll ends all grants of a user that are live at now but the one with the
	// identifier kept, which may be "", and returns their identifiers, in order.
	// It gives stamp to the one that is kept, if it is live and the user's.
	EndAll(ctx context.Context, userID, kept, stamp string, now time.Time) ([]string, error)

	// PutOnce notes a key until expires, and reports whether it was not there,
	// or had expired at now. Of many calls at once with one key, one is told so.
	PutOnce(ctx context.Context, key string, expires, now time.Time) (bool, error)

	// Purge removes what can be of no use any more at now: grants that expired, or that
	// ended KeepEnded ago or earlier, with all that is theirs, and of others the access
	// and refresh tokens that expired, interactions and keys of PutOnce. The tokens of a
	// grant that ended are refused whether they are known or not, and their reuse has
	// nothing left to end. It removes at most limit and returns
	// how many. If there are fewer than limit, nothing is left to remove. What goes
	// with a grant is not counted.
	Purge(ctx context.Context, now time.Time, limit int) (int, error)
}

// Approval is what a user, or the operator for a first-party client, agreed to.
type Approval struct {
	Grant *Grant
	Code  *Code // of Grant
	// Remember, if it is not nil, is added to the consent of Grant.UserID to
	// Grant.ClientID: the scopes and resources that are new are put behind those
	// there were, and Updated moves. Where there is none, it is the consent.
	Remember *Consent
	// Recall says that the grant rests on a consent of before: one must be there
	// that [Consent.Covers] it.
	Recall bool
	// Limit and EvictOldest are limit and evict of Store.Start.
	Limit       int
	EvictOldest bool
}

// Added is the answer of a store to a new client or grant.
type Added struct {
	Refused   bool     // nothing was added; the method says why
	OverLimit bool     // nothing was added, because there are as many as the limit
	Evicted   []string // identifiers of the grants that ended to make room, in the order of the method
}

// OK reports whether the client or grant was added.
func (a Added) OK() bool { return !a.Refused && !a.OverLimit }

// Consent is what a user agreed to for a client, to be remembered. It is not
// what was issued: that is a [Grant].
type Consent struct {
	UserID, ClientID  string
	Scopes, Resources []string
	Created, Updated  time.Time
}

// Covers reports whether the consent is to all these scopes and resources. A nil
// consent is to nothing.
func (c *Consent) Covers(scopes, resources []string) bool {
	return c != nil && containsAll(c.Scopes, scopes) && containsAll(c.Resources, resources)
}

// ClientGrants is what a client has of a user: all grants that are live.
type ClientGrants struct {
	ClientID string
	Count    int       // of the grants; never 0
	Scopes   []string  // each scope of any of them once, sorted
	Since    time.Time // when the first of them was created
	LastUsed time.Time // when tokens of any of them were last issued
}

// Grant is one authorization: a code and all tokens that come of it, or those
// that a client got for itself. It is the unit of revocation.
type Grant struct {
	ID       string
	ClientID string
	UserID   string // "" if the client acts for itself
	Type     string // the grant_type it began with

	Scopes    []string
	Resources []string // what its tokens are for (RFC 8707), never empty

	SessionID string // the login session in which the user agreed, or ""
	Offline   bool   // it outlives that session
	AuthInfo  auth.AuthInfo
	Stamp     string // hash of the user's auth.Stamper stamp, or ""

	Created      time.Time
	LastUsed     time.Time // when tokens were last issued
	ExpiresAt    time.Time // of its code, or of the last of its tokens
	MaxExpiresAt time.Time // no refresh token lives longer
	RevokedAt    time.Time // zero unless ended before its time
}

// Ended says which grant has ended. A store returns this instead of the grants, because
// there may be very many.
type Ended struct{ ID, UserID string }

// Live reports whether the grant is neither ended nor expired at now.
func (g *Grant) Live(now time.Time) bool { return g.RevokedAt.IsZero() && now.Before(g.ExpiresAt) }

// Code is an authorization code (RFC 6749 §1.3.1) as a store keeps it. What is
// needed to check it is in the same record: nothing of it can be lost apart.
type Code struct {
	Digest      string
	GrantID     string
	RedirectURI string // as it was asked for; "" if it was left out
	Challenge   string // S256 (RFC 7636 §4.2), or "" without PKCE
	Nonce       string // for the ID token (OpenID Connect Core §2), or ""
	ExpiresAt   time.Time
	Redeemed    time.Time // zero until it is used
}

// Access is an access token as a store keeps it.
type Access struct {
	Digest    string // of an opaque token, or of the "jti" of a JWT
	ID        string // "jti"
	GrantID   string
	Scopes    []string
	Audience  []string // resources; never empty
	Issued    time.Time
	ExpiresAt time.Time

	known *known // of a record that this program made
}

// Refresh is a refresh token as a store keeps it. Its scopes and resources are
// those of its grant.
type Refresh struct {
	Digest    string
	GrantID   string
	Issued    time.Time
	ExpiresAt time.Time
	Rotated   time.Time // zero until it is used
	Successor string    // digest of the token that replaced it, or ""
	// Sealed is this token, encrypted so that only who has its predecessor can
	// read it; nil without a grace. It is forgotten when this token is used.
	Sealed []byte
}

// Tokens are what is issued in one step.
type Tokens struct {
	Access  *Access
	Refresh *Refresh // nil if there is none
}

// Expires returns the later expiry.
func (t Tokens) ExpiresAt() time.Time {
	if t.Refresh != nil && t.Refresh.ExpiresAt.After(t.Access.ExpiresAt) {
		return t.Refresh.ExpiresAt
	}
	return t.Access.ExpiresAt
}

// Verdict is the answer of a store to the use of a code or a refresh token.
type Verdict int

// The verdicts, in the order in which they are looked for.
const (
	// Unknown: there is no such code or token. Nothing was changed.
	Unknown Verdict = iota
	// Revoked: its grant was ended. Nothing was changed.
	Revoked
	// Expired: it or its grant has expired. Nothing was changed.
	Expired
	// Redeemed: it was used now, and what comes of it was added.
	Redeemed
	// Retried: the refresh token was used less than grace ago, and its
	// successor, whose Sealed is there, was not used yet and has not expired.
	// The access token was added, as by AddAccess; no refresh token was. Of two
	// requests the later one may be served first, so less than grace ahead is
	// the same.
	Retried
	// Reused: it was used before, by whomever. Its grant is ended now.
	Reused
)

// Rotation is the outcome of Store.Rotate.
type Rotation struct {
	Verdict Verdict
	Sealed  []byte // of the successor, if Retried
}

// Interaction is a page that waits for a user: what was asked, and so what an
// answer is an answer to. The page carries a random secret, of which the store
// knows the digest.
type Interaction struct {
	ID        string // for tables and logs. It is not secret, and opens nothing
	Digest    string // of the secret; the store's key
	UserID    string // who may answer; "" until somebody logged in
	SessionID string // in which session, or ""
	Created   time.Time
	ExpiresAt time.Time
	Data      []byte // what was asked, as JSON
}
