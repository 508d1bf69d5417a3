package redisstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gatewarden/auth/oauth2/server"
)

// decodeClient reads the row of a client. A row without a client is an error, because a client that is not there has
// no key.
func decodeClient(key, text string) (clientRow, error) {
	var row clientRow
	if err := decode(key, text, &row); err != nil {
		return row, err
	}
	if row.Client == nil || row.Generation == "" || row.Added == "" {
		return row, fmt.Errorf("%w: key %q: it has no client, generation or addition", ErrUnreadable, key)
	}
	return row, nil
}

// loadClient reads the row of a client in a change of clientsTag.
func (s *oauthStore) loadClient(ctx context.Context, c *change, id string) (row clientRow, found bool, err error) {
	key := s.clientKey(id)
	if err := c.read(ctx, key); err != nil || !c.exists(key) {
		return clientRow{}, false, err
	}
	row, err = decodeClient(key, c.entries[key].value)
	return row, err == nil, err
}

// AddClient implements [server.Store].
func (s *oauthStore) AddClient(ctx context.Context, client *server.Client, limit int) (server.Added, error) {
	var added server.Added
	err := s.db.transact(ctx, clientTurn(client.ID), func(ctx context.Context, c *change) error {
		added = server.Added{}
		owned, version := s.ownedKeys(client.Owner)
		if err := c.read(ctx, s.clientKey(client.ID), version); err != nil {
			return err
		}
		if c.exists(s.clientKey(client.ID)) {
			added.Refused = true
			return nil
		}
		if limit > 0 {
			have, err := s.db.client.Do(ctx, s.db.client.B().Zcard().Key(owned).Build()).AsInt64()
			if err != nil {
				return wrapError("reading index "+owned, err)
			}
			if added.OverLimit = have >= int64(limit); added.OverLimit {
				return nil
			}
		}
		s.putClient(c, client)
		return nil
	})
	if err != nil {
		return server.Added{}, err
	}
	return added, nil
}

// putClient writes a new client.
func (s *oauthStore) putClient(c *change, client *server.Client) {
	c.set(s.clientKey(client.ID), clientRow{Version: 1, Generation: newGeneration(), Added: newGeneration(),
		Client: client}, 0)
	c.addMember(s.db.key(oauthClientList, clientsTag, ""), client.ID, 0)
	s.listOwned(c, client)
}

// forgetClient removes a client.
func (s *oauthStore) forgetClient(c *change, client *server.Client) {
	c.remove(s.clientKey(client.ID))
	c.removeMember(s.db.key(oauthClientList, clientsTag, ""), client.ID)
	index, _ := s.ownedKeys(client.Owner)
	c.removeMember(index, client.ID)
}

// clientTurn is the turn of changes of a client.
func clientTurn(id string) string { return "client:" + id }

// ownedKeys returns the index of an owner's clients, and its version.
func (s *oauthStore) ownedKeys(owner string) (index, version string) {
	return s.db.key(oauthOwned, clientsTag, owner), s.db.key(oauthOwnedVer, clientsTag, owner)
}

func (s *oauthStore) listOwned(c *change, client *server.Client) {
	index, version := s.ownedKeys(client.Owner)
	c.addMember(index, client.ID, 0)
	c.changeVersion(version)
}

// Client implements [server.Store].
func (s *oauthStore) Client(ctx context.Context, id string) (*server.Client, error) {
	state, err := s.clientState(ctx, id)
	return state.client(), err
}

// Clients implements [server.Store].
func (s *oauthStore) Clients(ctx context.Context, owner, after string, limit int) ([]*server.Client, error) {
	ctx, cancel := s.db.limit(ctx)
	defer cancel()
	index := s.db.key(oauthClientList, clientsTag, "")
	if owner != "" {
		index, _ = s.ownedKeys(owner)
	}
	var page []*server.Client
	for size := min(limit, pageSize); len(page) < limit; {
		ids, err := s.db.membersAfter(ctx, index, after, size)
		if err != nil || len(ids) == 0 {
			return page, err
		}
		states, err := s.clientStates(ctx, ids)
		if err != nil {
			return nil, err
		}
		page = append(page, clientsOf(states, ids, owner)...)
		if len(ids) < size {
			break
		}
		after = ids[len(ids)-1]
	}
	return page[:min(max(limit, 0), len(page))], nil
}

// clientsOf returns the clients of an owner in the order of their IDs, or of all owners if owner is "". A client may
// have been removed or given to another owner since the index was read.
func clientsOf(states map[string]clientState, ids []string, owner string) []*server.Client {
	var clients []*server.Client
	for _, id := range ids {
		client := states[id].client()
		if client != nil && (owner == "" || client.Owner == owner) {
			clients = append(clients, client)
		}
	}
	return clients
}

// ChangeClient implements [server.Store]. It calls endGenerations after the client has changed. If that fails, the
// error says so, and the grants have ended all the same.
func (s *oauthStore) ChangeClient(ctx context.Context, client *server.Client, was time.Time) (bool,
	[]server.EndedGrant, error) {
	var before clientRow
	changed, ends := false, false
	err := s.db.transact(ctx, clientTurn(client.ID), func(ctx context.Context, c *change) (err error) {
		changed, ends = false, false
		var found bool
		before, found, err = s.loadClient(ctx, c, client.ID)
		if err != nil || !found || !before.Client.Updated.Equal(was) {
			return err
		}
		changed, ends = true, client.EndsGrants(before.Client)
		after := before
		after.Client = client
		if ends {
			after.Generation, after.Ended = newGeneration(), microsOf(client.Updated)
		}
		c.set(s.clientKey(client.ID), after, 0)
		if client.Owner != before.Client.Owner {
			index, _ := s.ownedKeys(before.Client.Owner)
			c.removeMember(index, client.ID)
			s.listOwned(c, client)
		}
		return nil
	})
	if err != nil || !ends {
		return changed && err == nil, nil, err
	}
	ended, err := s.endGeneration(ctx, client.ID, before, client.Updated)
	return err == nil, ended, err
}

// RemoveClient implements [server.Store]. The removal needs no memory of the server, so it is made on a full one, too.
// It calls endGeneration after the client is gone. If that fails, the error says so, and the grants have ended all the
// same.
//
// Consents stay in Redis until their users withdraw them. They are to a client that is not there, and no method
// returns them: see clientState.has.
func (s *oauthStore) RemoveClient(ctx context.Context, id string, now time.Time) (bool, []server.EndedGrant, error) {
	var before clientRow
	found := false
	err := s.db.transact(ctx, clientTurn(id), func(ctx context.Context, c *change) (err error) {
		before, found, err = s.loadClient(ctx, c, id)
		if err != nil || !found {
			return err
		}
		s.forgetClient(c, before.Client)
		return nil
	})
	if err != nil || !found {
		return false, nil, err
	}
	ended, err := s.endGeneration(ctx, id, before, now)
	return err == nil, ended, err
}

var errNotListed = errors.New("the grants of the client have ended, but not all of them could be listed")
