package redisstore

import (
	"cmp"
	"strings"
	"time"

	"github.com/gatewarden/auth/oauth2/server"
)

// The kinds of keys of OAuth. Keys of a grant, and of all that is its own, have the tag of its owner: its user or,
// without one, its client. Clients have one tag, see clientsTag.
const (
	oauthClients     kind = "oc" // a client, by ID
	oauthClientList  kind = "ol" // index of all clients
	oauthOwned       kind = "ow" // index of the clients of an owner
	oauthOwnedVer    kind = "o1" // version of that index
	oauthClientHas   kind = "om" // index of a client's grants by expiry at the tag of the client: see clientMember
	oauthPages       kind = "oi" // an interaction, by digest
	oauthPageExpiry  kind = "oj" // index of the interactions of a tag by expiry
	oauthPagePlaces  kind = "ok" // the tag of a digest that names another one: see tagOfRecord
	oauthUserPages   kind = "o2" // index of a user's interactions: see listed
	oauthUserPageVer kind = "o3" // version of that index
	oauthConsents    kind = "os" // a consent, by user and client: see consentName
	oauthAgreed      kind = "ot" // index of the clients that a user agreed to something for
	oauthOnce        kind = "oo" // a key of PutOnce
	oauthOnceExpiry  kind = "op" // index of the keys of PutOnce of a tag by expiry

	oauthGrants       kind = "og" // a grant, by ID
	oauthGrantPlaces  kind = "oh" // the tag of an ID that names another one
	oauthGrantList    kind = "ou" // index of the IDs of an owner's grants
	oauthGrantVer     kind = "ov" // version of that index
	oauthGrantExpiry  kind = "ox" // index of the grants of a tag by when they are of no use: see grantRow.until
	oauthGrantTokens  kind = "o4" // index of what is a grant's own: see ownCode
	oauthSessions     kind = "on" // index of the grants of a session
	oauthSessionVer   kind = "o5" // version of that index
	oauthSessionTags  kind = "oz" // index of the tags that have grants of a session, if its ID names no tag
	oauthCodes        kind = "od" // a code, by digest
	oauthCodePlaces   kind = "oe"
	oauthAccess       kind = "oa" // an access token, by digest
	oauthAccessExpiry kind = "ob" // index of the access tokens of a tag by expiry
	oauthAccessPlaces kind = "oq"
	oauthRefresh      kind = "or" // a refresh token, by digest
	oauthRefreshEnds  kind = "of" // index of the refresh tokens of a tag by expiry
	oauthRefreshPlace kind = "oy"
)

// The first letter of a member of oauthGrantTokens. The digest follows.
const (
	ownCode    = "c"
	ownAccess  = "a"
	ownRefresh = "r"
)

// clientsTag is the tag of all clients. They are few, and a limit of an owner counts them in one step.
const clientsTag tag = "clients"

// oauthStore is the store without its cache.
type oauthStore struct{ db *DB }

// grantTag returns the tag of a grant and of all that is its own.
func grantTag(userID, clientID string) tag { return tagOfOwner(cmp.Or(userID, clientID)) }

// clientRow is a client as Redis has it. Its generation is another one after each change that ends its grants. A grant
// has the generation that its client had then. So one write ends all grants of a client, wherever they are.
type clientRow struct {
	Version    int            `json:"v"`
	Generation string         `json:"g"`           // random
	Ended      micros         `json:"e,omitempty"` // when it last became another one
	Added      string         `json:"a"`           // random, of this client alone: consents are to it
	Client     *server.Client `json:"c"`           // the JSON of server.Client is made for stores
}

// grantRow is a grant as Redis has it.
type grantRow struct {
	Version     int                `json:"v"`
	ClientID    string             `json:"c"`
	UserID      string             `json:"u,omitempty"`
	Type        string             `json:"y"`
	Permissions server.Permissions `json:"p,omitempty"`
	SessionID   string             `json:"s,omitempty"`
	Offline     bool               `json:"o,omitempty"`
	Login       loginRow           `json:"i"`
	Stamp       string             `json:"a,omitempty"`
	Extra       map[string]string  `json:"x,omitempty"`
	Created     micros             `json:"t"`
	LastUsed    micros             `json:"l,omitempty"`
	Expires     micros             `json:"e"`
	MaxExpiry   micros             `json:"m,omitempty"`
	Revoked     micros             `json:"r,omitempty"`
	Generation  string             `json:"g"`           // of the client when the grant was made: see clientState.revoke
	Code        string             `json:"d,omitempty"` // digest
	Waiting     bool               `json:"w,omitempty"` // for the code to be redeemed
}

// grantRowOf returns the row of a grant. Code and Waiting are not set.
func grantRowOf(g *server.Grant, generation string) grantRow {
	return grantRow{Version: 1, ClientID: g.ClientID, UserID: g.UserID, Type: g.Type, Permissions: g.Permissions,
		SessionID: g.SessionID, Offline: g.Offline, Login: loginRowOf(g.AuthInfo), Stamp: g.Stamp, Extra: g.Extra,
		Created: microsOf(g.Created), LastUsed: microsOf(g.LastUsed), Expires: microsOf(g.ExpiresAt),
		MaxExpiry: microsOf(g.MaxExpiresAt), Revoked: microsOf(g.RevokedAt), Generation: generation}
}

// grant returns the grant as its row says. Only clientState.revoke knows whether its client has ended it.
func (r grantRow) grant(id string) *server.Grant {
	return &server.Grant{ID: id, ClientID: r.ClientID, UserID: r.UserID, Type: r.Type, Permissions: r.Permissions,
		SessionID: r.SessionID, Offline: r.Offline, AuthInfo: r.Login.info(), Stamp: r.Stamp, Extra: r.Extra,
		Created: r.Created.time(), LastUsed: r.LastUsed.time(), ExpiresAt: r.Expires.time(),
		MaxExpiresAt: r.MaxExpiry.time(), RevokedAt: r.Revoked.time()}
}

// live is server.Grant.Live.
func (r grantRow) live(now time.Time) bool { return r.Revoked == 0 && microsOf(now) < r.Expires }

// until returns when a purge removes the grant.
func (r grantRow) until() time.Time {
	if kept := r.Revoked.time().Add(server.KeepEnded); r.Revoked != 0 && kept.Before(r.Expires.time()) {
		return kept
	}
	return r.Expires.time()
}

// codeRow is a code as Redis has it.
type codeRow struct {
	Version     int    `json:"v"`
	GrantID     string `json:"g"`
	RedirectURI string `json:"r,omitempty"`
	Challenge   string `json:"c,omitempty"`
	Nonce       string `json:"n,omitempty"`
	Expires     micros `json:"e"`
	Redeemed    micros `json:"u,omitempty"`
}

func codeRowOf(c *server.Code) codeRow {
	return codeRow{1, c.GrantID, c.RedirectURI, c.Challenge, c.Nonce, microsOf(c.ExpiresAt), microsOf(c.Redeemed)}
}

func (r codeRow) code(digest string) *server.Code {
	return &server.Code{Digest: digest, GrantID: r.GrantID, RedirectURI: r.RedirectURI, Challenge: r.Challenge,
		Nonce: r.Nonce, ExpiresAt: r.Expires.time(), Redeemed: r.Redeemed.time()}
}

// accessRow is an access token as Redis has it.
type accessRow struct {
	Version  int      `json:"v"`
	ID       string   `json:"i"`
	GrantID  string   `json:"g"`
	ClientID string   `json:"c"` // of the grant, and so never another one: a look-up reads both at once
	Scopes   []string `json:"s,omitempty"`
	Audience []string `json:"a,omitempty"`
	Issued   micros   `json:"t"`
	Expires  micros   `json:"e"`
}

func accessRowOf(a *server.Access, clientID string) accessRow {
	return accessRow{1, a.ID, a.GrantID, clientID, a.Scopes, a.Audience, microsOf(a.Issued), microsOf(a.ExpiresAt)}
}

func (r accessRow) access(digest string) *server.Access {
	return &server.Access{Digest: digest, ID: r.ID, GrantID: r.GrantID, Scopes: r.Scopes, Audience: r.Audience,
		Issued: r.Issued.time(), ExpiresAt: r.Expires.time()}
}

// oauthRefreshRow is a refresh token as Redis has it.
type oauthRefreshRow struct {
	Version   int    `json:"v"`
	GrantID   string `json:"g"`
	Issued    micros `json:"t"`
	Expires   micros `json:"e"`
	Rotated   micros `json:"u,omitempty"`
	Successor string `json:"s,omitempty"`
	Sealed    []byte `json:"x,omitempty"`
}

func oauthRefreshRowOf(r *server.Refresh) oauthRefreshRow {
	return oauthRefreshRow{1, r.GrantID, microsOf(r.Issued), microsOf(r.ExpiresAt), microsOf(r.Rotated), r.Successor,
		r.Sealed}
}

func (r oauthRefreshRow) refresh(digest string) *server.Refresh {
	return &server.Refresh{Digest: digest, GrantID: r.GrantID, Issued: r.Issued.time(), ExpiresAt: r.Expires.time(),
		Rotated: r.Rotated.time(), Successor: r.Successor, Sealed: r.Sealed}
}

// pageRow is an interaction as Redis has it.
type pageRow struct {
	Version   int    `json:"v"`
	ID        string `json:"i,omitempty"`
	UserID    string `json:"u,omitempty"`
	SessionID string `json:"s,omitempty"`
	Created   micros `json:"t"`
	Expires   micros `json:"e"`
	Data      []byte `json:"d,omitempty"`
}

func pageRowOf(i *server.Interaction) pageRow {
	return pageRow{1, i.ID, i.UserID, i.SessionID, microsOf(i.Created), microsOf(i.ExpiresAt), i.Data}
}

func (r pageRow) interaction(digest string) *server.Interaction {
	return &server.Interaction{ID: r.ID, Digest: digest, UserID: r.UserID, SessionID: r.SessionID,
		Created: r.Created.time(), ExpiresAt: r.Expires.time(), Data: r.Data}
}

// consentRow is a consent as Redis has it.
type consentRow struct {
	Version     int                `json:"v"`
	Permissions server.Permissions `json:"p,omitempty"`
	Created     micros             `json:"t"`
	Updated     micros             `json:"e"`
	Added       string             `json:"a"` // of the client. If the client has another one, it is not the same client
}

func consentRowOf(c *server.Consent, added string) consentRow {
	return consentRow{1, c.Permissions, microsOf(c.Created), microsOf(c.Updated), added}
}

func (r consentRow) consent(userID, clientID string) *server.Consent {
	return &server.Consent{UserID: userID, ClientID: clientID, Permissions: r.Permissions, Created: r.Created.time(),
		Updated: r.Updated.time()}
}

// consentName is the name of a consent's key. No text has the separator.
func consentName(userID, clientID string) string { return userID + separator + clientID }

// consentOf returns what consentName joined.
func consentOf(name string) (userID, clientID string) {
	userID, clientID, _ = strings.Cut(name, separator)
	return userID, clientID
}

// onceRow is a key of PutOnce as Redis has it.
type onceRow struct {
	Version int    `json:"v"`
	Expires micros `json:"e"`
	By      string `json:"b,omitempty"` // the ID of the grant, if an approval used it
}
