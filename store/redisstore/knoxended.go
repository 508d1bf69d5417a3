package redisstore

import (
	"context"
	"crypto/rand"
	"strings"
	"time"

	"github.com/gatewarden/auth/knox"
)

// endedRow is what is kept of an ended token as Redis has it. Its user is in the key.
type endedRow struct {
	Version   int      `json:"v"`
	Name      string   `json:"n,omitempty"`
	Scopes    []string `json:"s,omitempty"`
	Limited   bool     `json:"l,omitempty"`
	Created   micros   `json:"c"`
	LastUsed  micros   `json:"t,omitempty"`
	Ended     micros   `json:"e"`
	Reason    string   `json:"r"`
	IP        string   `json:"p,omitempty"`
	UserAgent string   `json:"g,omitempty"`
	Once      string   `json:"k"` // random, since an index has each member once, and a token may end twice
}

// defaultKept is how long an ended token is kept at most if the store is not told how long.
const defaultKept = 366 * 24 * time.Hour

// separator is between the parts of a member of an index. No text has it, see backend.ValidText.
const separator = "\x00"

// keep notes what is left of a token. A token may end twice, so a random text makes two members of two ends.
func (s *knoxStore) keep(c *change, t tag, e *knox.EndedToken, ending knox.Ending) {
	ttl := defaultKept
	if ending.KeepFor > 0 {
		ttl = min(ending.KeepFor, maxTTL) + slack
	}
	s.note(c, t, e, rand.Text()[:12], ttl)
}

// note writes what is left of a token. The members of both indexes have all of it, so that a list is one command.
func (s *knoxStore) note(c *change, t tag, e *knox.EndedToken, once string, ttl time.Duration) {
	member := endedMember(e, once)
	c.addExpiring(s.db.key(knoxEnded, t, e.UserID), member, e.EndedAt, ttl)
	c.addExpiring(s.db.key(knoxEndings, t, ""), e.UserID+separator+member, e.EndedAt, ttl)
}

func endedRowOf(e *knox.EndedToken, once string) endedRow {
	return endedRow{Version: 1, Name: e.Name, Scopes: e.Scopes, Limited: e.Limited, Created: microsOf(e.Created),
		LastUsed: microsOf(e.LastUsed), Ended: microsOf(e.EndedAt), Reason: string(e.Reason), IP: e.IP,
		UserAgent: e.UserAgent, Once: once}
}

// endedMember begins with the identifier, by which Redis orders the members of one instant.
func endedMember(e *knox.EndedToken, once string) string {
	return e.ID + separator + encode(endedRowOf(e, once))
}

// decodeEnded reads a member of a user's index. The key is for an error.
func decodeEnded(key, userID, member string) (*knox.EndedToken, error) {
	id, text, _ := strings.Cut(member, separator)
	var r endedRow
	if err := decode(key, text, &r); err != nil {
		return nil, err
	}
	return &knox.EndedToken{ID: id, UserID: userID, Name: r.Name, Scopes: r.Scopes, Limited: r.Limited,
		Created: r.Created.time(), LastUsed: r.LastUsed.time(), EndedAt: r.Ended.time(), Reason: knox.EndReason(
			r.Reason),
		IP: r.IP, UserAgent: r.UserAgent}, nil
}

// Ended implements [knox.Store].
func (s *knoxStore) Ended(ctx context.Context, userID string, since time.Time, limit int) ([]*knox.EndedToken, error) {
	ctx, cancel := s.db.limit(ctx)
	defer cancel()
	key := s.db.key(knoxEnded, tagOfOwner(userID), userID)
	members, err := s.db.since(ctx, key, since, limit)
	if err != nil {
		return nil, err
	}
	var all []*knox.EndedToken
	for _, member := range members {
		e, err := decodeEnded(key, userID, member)
		if err != nil {
			return nil, err
		}
		all = append(all, e)
	}
	return all, nil
}

// PurgeEnded implements [knox.Store].
func (s *knoxStore) PurgeEnded(ctx context.Context, before time.Time, limit int) (int, error) {
	purged := 0
	remove := func(_ context.Context, c *change, t tag, members []string) (func(), error) {
		for _, member := range members {
			userID, rest, _ := strings.Cut(member, separator)
			c.removeMember(s.db.key(knoxEndings, t, ""), member)
			c.removeMember(s.db.key(knoxEnded, t, userID), rest)
		}
		return func() { purged += len(members) }, nil
	}
	err := s.db.purge(ctx, knoxEndings, before, limit, remove, func() int { return purged })
	return purged, err
}
