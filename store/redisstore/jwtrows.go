package redisstore

import (
	"context"
	"time"

	"github.com/gatewarden/auth/jwt"
)

// The kinds of keys of logins by JWT. All of them have the tag of the user, but jwtPlaces.
const (
	jwtFamilies kind = "jf" // a family, by identifier
	jwtTokens   kind = "jr" // a refresh token, by digest
	jwtMembers  kind = "ji" // index of the digests of a family by expiry
	jwtLists    kind = "jl" // index of a user's families that have not ended
	jwtVersion  kind = "jv" // version of that index
	jwtOwners   kind = "jo" // what is void for a user. It has no end
	jwtExpiry   kind = "jx" // index of the families of a tag by when Purge removes them: see jwtMember
	jwtPlaces   kind = "jd" // the tag of a digest that names another one: see tagOfRecord
)

// jwtMember returns the member of a family in the index that Purge reads. It contains the user. So Purge can remove the
// family from the user's list when the key of the family is gone.
func jwtMember(userID, familyID string) string { return userID + separator + familyID }

// familyRow is a family as Redis has it. Its identifier is in the key.
type familyRow struct {
	Version   int      `json:"v"`
	UserID    string   `json:"u"`
	ClientID  string   `json:"k,omitempty"`
	Scopes    []string `json:"s,omitempty"`
	Limited   bool     `json:"l,omitempty"`
	Created   micros   `json:"c"`
	LastUsed  micros   `json:"t"`
	Expires   micros   `json:"e"`
	MaxExpiry micros   `json:"m,omitempty"`
	Revoked   micros   `json:"r,omitempty"`
	IP        string   `json:"p,omitempty"`
	UserAgent string   `json:"g,omitempty"`
	Stamp     string   `json:"a,omitempty"`
	Login     loginRow `json:"o"`
	Claims    []byte   `json:"x,omitempty"`
	Known     micros   `json:"w,omitempty"`
	Adopted   micros   `json:"d,omitempty"`
}

// login is a family with what decides how long it is kept.
type login struct {
	*jwt.Session
	known   time.Time // until then, a refresh token of it must be known again
	adopted time.Time // the same for an adopted one, zero without one
}

func (l *login) row() familyRow {
	return familyRow{Version: 1, UserID: l.UserID, ClientID: l.ClientID, Scopes: l.Scopes, Limited: l.Limited,
		Created: microsOf(l.Created), LastUsed: microsOf(l.LastUsed), Expires: microsOf(l.ExpiresAt),
		MaxExpiry: microsOf(l.MaxExpiresAt), Revoked: microsOf(l.RevokedAt), IP: l.IP, UserAgent: l.UserAgent,
		Stamp: l.Stamp, Login: loginRowOf(l.AuthInfo), Claims: l.Claims, Known: microsOf(l.known),
		Adopted: microsOf(l.adopted)}
}

func (r *familyRow) login(id string) *login {
	family := &jwt.Session{ID: id, UserID: r.UserID, ClientID: r.ClientID, Scopes: r.Scopes, Limited: r.Limited,
		Created: r.Created.time(), LastUsed: r.LastUsed.time(), ExpiresAt: r.Expires.time(),
		MaxExpiresAt: r.MaxExpiry.time(), RevokedAt: r.Revoked.time(), IP: r.IP, UserAgent: r.UserAgent, Stamp: r.Stamp,
		AuthInfo: r.Login.info(), Claims: r.Claims}
	return &login{Session: family, known: r.Known.time(), adopted: r.Adopted.time()}
}

// until returns when Purge may remove the family.
func (l *login) until() time.Time {
	until := later(l.ExpiresAt, l.known)
	if l.RevokedAt.IsZero() {
		return until
	}
	if ended := later(l.RevokedAt.Add(jwt.KeepEnded), l.adopted); ended.Before(until) {
		return ended
	}
	return until
}

// remember has the family stay for as long as a token of it must be known.
func (l *login) remember(r *jwt.Refresh) {
	gone := r.ExpiresAt.Add(jwt.KeepExpired)
	l.known = later(l.known, gone)
	if r.Adopted {
		l.adopted = later(l.adopted, gone)
	}
}

// later returns the later of two instants.
func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// refreshRow is a refresh token as Redis has it. It names the user and the family, so that everything else that decides
// about the token can be read in one round trip.
type refreshRow struct {
	Version   int    `json:"v"`
	FamilyID  string `json:"f"`
	UserID    string `json:"u"`
	Issued    micros `json:"i"`
	Expires   micros `json:"e"`
	Rotated   micros `json:"r,omitempty"`
	Successor string `json:"n,omitempty"`
	Adopted   bool   `json:"a,omitempty"`
	Sealed    []byte `json:"s,omitempty"`
}

func refreshRowOf(r *jwt.Refresh, userID string) refreshRow {
	return refreshRow{Version: 1, FamilyID: r.SessionID, UserID: userID, Issued: microsOf(r.Issued),
		Expires: microsOf(r.ExpiresAt), Rotated: microsOf(r.Rotated), Successor: r.Successor, Adopted: r.Adopted,
		Sealed: r.Sealed}
}

func (r *refreshRow) refresh(digest string) *jwt.Refresh {
	return &jwt.Refresh{Digest: digest, SessionID: r.FamilyID, Issued: r.Issued.time(), ExpiresAt: r.Expires.time(),
		Rotated: r.Rotated.time(), Successor: r.Successor, Adopted: r.Adopted, Sealed: r.Sealed}
}

// revokedBeforeRow says which tokens of a user are revoked: those of older generations, and those that other issuers
// issued until an instant.
type revokedBeforeRow struct {
	Version    int    `json:"v"`
	Generation int64  `json:"g"`
	Voided     micros `json:"d"`
}

// login reads a family in a change. It returns nil if the key is not there.
func (s *jwtStore) login(ctx context.Context, c *change, t tag, id string) (*login, error) {
	var row familyRow
	found, err := c.get(ctx, s.db.key(jwtFamilies, t, id), &row)
	if err != nil || !found {
		return nil, err
	}
	return row.login(id), nil
}

// loadRevokedBefore reads the revokedBeforeRow of a user in a change.
func (s *jwtStore) loadRevokedBefore(ctx context.Context, c *change, t tag, userID string) (revokedBeforeRow, error) {
	var row revokedBeforeRow
	_, err := c.get(ctx, s.db.key(jwtOwners, t, userID), &row)
	return row, err
}

// putLogin writes a family.
func (s *jwtStore) putLogin(c *change, t tag, l *login, now time.Time) {
	until := l.until()
	ttl := ttlUntil(until, now)
	c.set(s.db.key(jwtFamilies, t, l.ID), l.row(), ttl)
	c.addExpiring(s.db.key(jwtExpiry, t, ""), jwtMember(l.UserID, l.ID), until, ttl)
	if l.RevokedAt.IsZero() {
		c.addMember(s.db.key(jwtLists, t, l.UserID), l.ID, ttl)
	} else {
		c.removeMember(s.db.key(jwtLists, t, l.UserID), l.ID)
	}
}

// putToken writes a token of a family. Then the family must be written, too.
func (s *jwtStore) putToken(c *change, t tag, l *login, r *jwt.Refresh, now time.Time) {
	l.remember(r)
	ttl := ttlUntil(r.ExpiresAt.Add(jwt.KeepExpired), now)
	c.set(s.db.key(jwtTokens, t, r.Digest), refreshRowOf(r, l.UserID), ttl)
	c.addExpiring(s.db.key(jwtMembers, t, l.ID), r.Digest, r.ExpiresAt, ttl)
}

// end ends a family that has not ended. If the memory of the server is full, the key of the family is removed. Without
// it, no token of the family is good either, and an adopted one is still known.
func (s *jwtStore) end(c *change, t tag, l *login, now time.Time, full bool) {
	if !l.RevokedAt.IsZero() {
		return
	}
	l.RevokedAt = now
	if full {
		c.remove(s.db.key(jwtFamilies, t, l.ID))
		c.removeMember(s.db.key(jwtLists, t, l.UserID), l.ID)
		return
	}
	s.putLogin(c, t, l, now)
}
