package redisstore

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/redis/rueidis"

	"github.com/gatewarden/auth/oauth2/server"
)

// clientState is a client, and what its generation says about grants and consents.
//
// Grants have other tags than their client. So a change of a grant cannot compare the row of the client. It reads the
// state and decides by that. If the client ends its grants meanwhile, the grant that the change writes has the
// generation of before, and so it has ended. That is the same as if the change had come just before the end. Only
// ChangeClient or RemoveClient may not have returned the grant among those that it ended.
type clientState struct {
	row clientRow // the zero value if there is no such client
}

// client returns the client, or nil if it is not there.
func (s clientState) client() *server.Client { return s.row.Client }

// enabled reports whether there is the client, and it may have something.
func (s clientState) enabled() bool { return s.row.Client != nil && !s.row.Client.Disabled }

// has reports whether a consent is to this client. If a client was removed, consents to it are gone, also after
// another client was added with its ID.
func (s clientState) has(consent consentRow) bool {
	return s.row.Client != nil && consent.Added == s.row.Added
}

// revoke returns a grant's row with the end that its client gave it, if it did. Then the grant has another generation
// than the client, or there is no such client. Every method that reads a grant's row must call it.
//
// When a client was removed is not kept. Its grants end at the removal, which is written into their rows. A grant that
// was given at the same moment ends when it was created.
func (s clientState) revoke(r grantRow) grantRow {
	if r.Revoked != 0 || s.row.Client != nil && r.Generation == s.row.Generation {
		return r
	}
	if s.row.Ended != 0 && r.Expires <= s.row.Ended {
		return r // it had expired before
	}
	r.Revoked = max(s.row.Ended, r.Created)
	return r
}

// clientState reads the state of a client. A cache may keep what it says: changes of the client are told.
func (s *oauthStore) clientState(ctx context.Context, id string) (clientState, error) {
	all, err := s.clientStates(ctx, []string{id})
	return all[id], err
}

// clientStates reads the states of several clients in one round trip.
func (s *oauthStore) clientStates(ctx context.Context, ids []string) (map[string]clientState, error) {
	ctx, cancel := s.db.limit(ctx)
	defer cancel()
	all := make(map[string]clientState, len(ids))
	var asked []string
	var commands rueidis.Commands
	for _, id := range ids {
		if _, ok := all[id]; ok {
			continue
		}
		all[id] = clientState{}
		asked = append(asked, id)
		commands = append(commands, s.db.reader.B().Get().Key(s.clientKey(id)).Build())
	}
	if len(commands) == 0 {
		return all, nil
	}
	for i, result := range s.db.reader.DoMulti(ctx, commands...) {
		id := asked[i]
		text, err := textOf(result)
		if err != nil {
			return nil, wrapError("reading key "+s.clientKey(id), err)
		}
		if text == nil {
			continue
		}
		row, err := decodeClient(s.clientKey(id), *text)
		if err != nil {
			return nil, err
		}
		all[id] = clientState{row}
	}
	return all, nil
}

func (s *oauthStore) clientKey(id string) string { return s.db.key(oauthClients, clientsTag, id) }

// newGeneration returns a random text that no client had before.
func newGeneration() string { return rand.Text()[:16] }

// clientMember is the member of an index of a client's grants. It leads to the grant.
func clientMember(grantID, userID string) string { return listed(grantID, userID) }

// listOfClient notes a grant in the index of its client's grants. Call it before the change that adds the grant. So the
// client finds each grant that there is. A member without a grant is harmless.
//
// Purge removes members with their grants. The index also drops by itself those with grants that have expired long ago.
func (s *oauthStore) listOfClient(ctx context.Context, g *server.Grant) error {
	// This change reads nothing, so grants of one client need not wait for each other.
	return s.db.transact(ctx, g.ID, func(_ context.Context, c *change) error {
		s.noteOfClient(c, g, g.Created)
		return nil
	})
}

// noteOfClient is listOfClient in a change.
func (s *oauthStore) noteOfClient(c *change, g *server.Grant, now time.Time) {
	expires := g.ExpiresAt
	if g.MaxExpiresAt.After(expires) {
		expires = g.MaxExpiresAt
	}
	index := s.db.key(oauthClientHas, tagOfOwner(g.ClientID), g.ClientID)
	c.addExpiring(index, clientMember(g.ID, g.UserID), expires, ttlUntil(expires, now))
}

// unlistOfClient removes members from the index of a client's grants. Their grants must not be there.
func (s *oauthStore) unlistOfClient(ctx context.Context, clientID string, members ...string) error {
	t := tagOfOwner(clientID)
	return s.db.transact(ctx, clientID, func(_ context.Context, c *change) error {
		for _, member := range members {
			c.removeMember(s.db.key(oauthClientHas, t, clientID), member)
		}
		return nil
	})
}
