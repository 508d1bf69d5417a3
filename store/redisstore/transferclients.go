package redisstore

import (
	"context"
	"time"

	"github.com/gatewarden/auth/oauth2/server"
	"github.com/gatewarden/auth/store/transfer"
)

// transferClients moves clients of OAuth.
type transferClients struct {
	typed[transfer.OAuthClient]
	*oauthStore
}

func (m transferClients) own() kind { return oauthClients }

func (m transferClients) refOf(record transfer.Record) ref {
	return ref{clientsTag, record.(transfer.OAuthClient).ID}
}

func (m transferClients) page(ctx context.Context, after string, limit int,
	_ time.Time) ([]transfer.Record, string, error) {
	list := []string{m.db.key(oauthClientList, clientsTag, "")}
	return m.db.pageOf(ctx, list, anyScore, after, limit, memberRef, m.load)
}

func (m transferClients) find(_ context.Context, like []transfer.Record) ([]ref, error) {
	return homes(m, like), nil
}

func (m transferClients) load(ctx context.Context, at []ref) ([]transfer.Record, error) {
	ids := make([]string, len(at))
	for i, r := range at {
		ids[i] = r.name
	}
	states, err := m.clientStates(ctx, ids)
	if err != nil {
		return nil, err
	}
	records := make([]transfer.Record, len(at))
	for i, id := range ids {
		if client := states[id].client(); client != nil {
			records[i] = transfer.OAuthClient{Client: client}
		}
	}
	return records, nil
}

func (m transferClients) add(_ context.Context, c *change, _ tag, records []transfer.Record, _ time.Time) error {
	for _, record := range records {
		m.putClient(c, record.(transfer.OAuthClient).Client)
	}
	return nil
}

// replace writes a client in the place of another one. The grants that were copied stay good: those which the client
// has ended are records of their own.
func (m transferClients) replace(ctx context.Context, records []transfer.Record) error {
	for _, record := range records {
		client := record.(transfer.OAuthClient).Client
		err := m.db.transact(ctx, clientTurn(client.ID), func(ctx context.Context, c *change) error {
			row, found, err := m.loadClient(ctx, c, client.ID)
			if err != nil || !found {
				return err
			}
			if index, _ := m.ownedKeys(row.Client.Owner); row.Client.Owner != client.Owner {
				c.removeMember(index, client.ID)
				m.listOwned(c, client)
			}
			row.Client = client
			c.set(m.clientKey(client.ID), row, 0)
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (m transferClients) remove(ctx context.Context, c *change, _ tag, names []string) error {
	for _, id := range names {
		row, found, err := m.loadClient(ctx, c, id)
		if err != nil {
			return err
		}
		if found {
			m.forgetClient(c, row.Client)
		}
	}
	return nil
}

// transferConsents moves what users agreed to. A name is consentName.
type transferConsents struct {
	typed[transfer.OAuthConsent]
	byName
	*oauthStore
}

func (m transferConsents) own() kind { return oauthConsents }

func (m transferConsents) refOf(record transfer.Record) ref {
	r := record.(transfer.OAuthConsent)
	return ref{grantTag(r.UserID, r.ClientID), consentName(r.UserID, r.ClientID)}
}

func (m transferConsents) page(ctx context.Context, after string, limit int,
	_ time.Time) ([]transfer.Record, string, error) {
	return m.pageBy(ctx, after, limit, m.load)
}

func (m transferConsents) find(_ context.Context, like []transfer.Record) ([]ref, error) {
	return homes(m, like), nil
}

// load leaves out consents to clients that are not there any more.
func (m transferConsents) load(ctx context.Context, at []ref) ([]transfer.Record, error) {
	rows, err := rowsOf[consentRow](ctx, m.db, oauthConsents, at)
	if err != nil {
		return nil, err
	}
	users, clients := make([]string, len(at)), make([]string, len(at))
	for i, r := range at {
		users[i], clients[i] = consentOf(r.name)
	}
	states, err := m.clientStates(ctx, clients)
	if err != nil {
		return nil, err
	}
	records := make([]transfer.Record, len(at))
	for i, row := range rows {
		if row != nil && states[clients[i]].has(*row) {
			records[i] = transfer.OAuthConsent{Consent: row.consent(users[i], clients[i])}
		}
	}
	return records, nil
}

func (m transferConsents) add(ctx context.Context, c *change, _ tag, records []transfer.Record, _ time.Time) error {
	consents := make([]*server.Consent, len(records))
	clients := make([]string, len(records))
	for i, record := range records {
		consents[i] = record.(transfer.OAuthConsent).Consent
		clients[i] = consents[i].ClientID
	}
	states, err := m.clientStates(ctx, clients)
	if err != nil {
		return err
	}
	for _, consent := range consents {
		if client := states[consent.ClientID]; client.client() != nil { // without a client it could not be used
			m.saveConsent(c, client, consent)
		}
	}
	return nil
}

func (m transferConsents) remove(_ context.Context, c *change, _ tag, names []string) error {
	for _, name := range names {
		userID, clientID := consentOf(name)
		m.forgetConsent(c, userID, clientID)
	}
	return nil
}
