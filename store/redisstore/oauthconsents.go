package redisstore

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/gatewarden/auth/oauth2/server"
)

func (s *oauthStore) consentKey(userID, clientID string) string {
	return s.db.key(oauthConsents, grantTag(userID, clientID), consentName(userID, clientID))
}

// loadConsent reads a consent in a change of grantTag(userID, clientID). It is nil if the user agreed to nothing.
func (s *oauthStore) loadConsent(ctx context.Context, c *change, client clientState,
	userID, clientID string) (*server.Consent, error) {
	var row consentRow
	found, err := c.get(ctx, s.consentKey(userID, clientID), &row)
	if err != nil || !found || !client.has(row) {
		return nil, err
	}
	return row.consent(userID, clientID), nil
}

// saveConsent writes a consent in such a change. It stays until it is withdrawn.
func (s *oauthStore) saveConsent(c *change, client clientState, consent *server.Consent) {
	c.set(s.consentKey(consent.UserID, consent.ClientID), consentRowOf(consent, client.row.Added), 0)
	c.addMember(s.agreedKey(grantTag(consent.UserID, consent.ClientID), consent.UserID), consent.ClientID, 0)
}

func (s *oauthStore) agreedKey(t tag, userID string) string { return s.db.key(oauthAgreed, t, userID) }

// forgetConsent removes a consent, if it is there.
func (s *oauthStore) forgetConsent(c *change, userID, clientID string) {
	c.remove(s.consentKey(userID, clientID))
	c.removeMember(s.agreedKey(grantTag(userID, clientID), userID), clientID)
}

// Consent implements [server.Store].
func (s *oauthStore) Consent(ctx context.Context, userID, clientID string) (*server.Consent, error) {
	var row consentRow
	found, err := s.db.get(ctx, s.consentKey(userID, clientID), &row)
	if err != nil || !found {
		return nil, err
	}
	client, err := s.clientState(ctx, clientID)
	if err != nil || !client.has(row) {
		return nil, err
	}
	return row.consent(userID, clientID), nil
}

// Consents implements [server.Store].
func (s *oauthStore) Consents(ctx context.Context, userID, after string, limit int) ([]*server.Consent, error) {
	ctx, cancel := s.db.limit(ctx)
	defer cancel()
	var page []*server.Consent
	for size := min(limit, pageSize); len(page) < limit; {
		ids, err := s.agreedAfter(ctx, userID, after, size)
		if err != nil || len(ids) == 0 {
			return page, err
		}
		some, err := s.consents(ctx, userID, ids)
		if err != nil {
			return nil, err
		}
		page = append(page, some[:min(len(some), limit-len(page))]...)
		if len(ids) < size {
			break
		}
		after = ids[len(ids)-1]
	}
	return page, nil
}

// agreedAfter returns the first clients after one that a user agreed to something for, in order.
//
// A consent without a user has the tag of its client. The server makes no such consent, so it may be slow:
// all tags are asked.
func (s *oauthStore) agreedAfter(ctx context.Context, userID, after string, limit int) ([]string, error) {
	if userID != "" {
		return s.db.membersAfter(ctx, s.agreedKey(tagOfOwner(userID), userID), after, limit)
	}
	var all []string
	for i := range tags {
		some, err := s.db.membersAfter(ctx, s.agreedKey(tagAt(i), ""), after, limit)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	slices.Sort(all)
	return all[:min(limit, len(all))], nil
}

// consents reads consents of a user to clients. Those that are not there are left out. Consents to clients that were
// removed are removed, too.
func (s *oauthStore) consents(ctx context.Context, userID string, clientIDs []string) ([]*server.Consent, error) {
	keys := make([]string, len(clientIDs))
	for i, id := range clientIDs {
		keys[i] = s.consentKey(userID, id)
	}
	texts, err := s.db.getAll(ctx, keys)
	if err != nil {
		return nil, err
	}
	states, err := s.clientStates(ctx, clientIDs)
	if err != nil {
		return nil, err
	}
	var all []*server.Consent
	for i, id := range clientIDs {
		if texts[i] == nil {
			continue
		}
		var row consentRow
		if err := decode(keys[i], *texts[i], &row); err != nil {
			return nil, err
		}
		if states[id].has(row) {
			all = append(all, row.consent(userID, id))
		} else if err := s.forgetStale(ctx, userID, id); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// forgetStale removes a consent to a client that is not there.
func (s *oauthStore) forgetStale(ctx context.Context, userID, clientID string) error {
	return s.db.transact(ctx, cmp.Or(userID, clientID), func(ctx context.Context, c *change) error {
		var row consentRow
		found, err := c.get(ctx, s.consentKey(userID, clientID), &row)
		if err != nil || !found {
			return err
		}
		client, err := s.clientState(ctx, clientID)
		if err == nil && !client.has(row) {
			s.forgetConsent(c, userID, clientID)
		}
		return err
	})
}

// Withdraw implements [server.Store].
func (s *oauthStore) Withdraw(ctx context.Context, userID, clientID string, now time.Time) ([]string, error) {
	var ended []string
	t := grantTag(userID, clientID)
	err := s.transactEnd(ctx, cmp.Or(userID, clientID), func(ctx context.Context, c *change) error {
		ended = nil
		s.forgetConsent(c, userID, clientID)
		all, err := s.grantsOf(ctx, c, t, userID, clientID)
		if err != nil {
			return err
		}
		for _, h := range all {
			if h.row.ClientID == clientID && h.row.live(now) {
				s.endGrant(c, t, h.id, h.row, now)
				ended = append(ended, h.id)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return ended, nil
}
