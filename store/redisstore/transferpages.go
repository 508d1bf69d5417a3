package redisstore

import (
	"context"
	"time"

	"github.com/gatewarden/auth/store/transfer"
)

// transferPages moves interactions of OAuth.
type transferPages struct {
	typed[transfer.OAuthPage]
	*oauthStore
}

func (m transferPages) own() kind { return oauthPages }

func (m transferPages) refOf(record transfer.Record) ref {
	r := record.(transfer.OAuthPage)
	return ref{pageTagOf(r.UserID, r.Digest), r.Digest}
}

func (m transferPages) page(ctx context.Context, after string, limit int,
	now time.Time) ([]transfer.Record, string, error) {
	return m.db.pageOf(ctx, m.db.indexesOf(oauthPageExpiry), expiring(now), after, limit, memberRef, m.load)
}

func (m transferPages) find(ctx context.Context, like []transfer.Record) ([]ref, error) {
	return m.db.findPlaced(ctx, m, oauthPagePlaces, like, tagOfDigest)
}

func (m transferPages) load(ctx context.Context, at []ref) ([]transfer.Record, error) {
	return loadRows(ctx, m.db, oauthPages, at, func(digest string, row *pageRow) transfer.Record {
		return transfer.OAuthPage{Interaction: row.interaction(digest)}
	})
}

func (m transferPages) add(ctx context.Context, c *change, t tag, records []transfer.Record, now time.Time) error {
	for _, record := range records {
		page := record.(transfer.OAuthPage).Interaction
		ttl := ttlUntil(page.ExpiresAt, now)
		if err := m.db.storeTag(ctx, oauthPages, oauthPagePlaces, page.Digest, t, ttl); err != nil {
			return err
		}
		m.putPage(c, t, page, now)
	}
	return nil
}

func (m transferPages) remove(ctx context.Context, c *change, t tag, names []string) error {
	for _, digest := range names {
		row, err := m.loadPage(ctx, c, t, digest)
		if err != nil {
			return err
		}
		if row != nil {
			m.removePage(c, t, digest, row)
		}
	}
	return nil
}

// transferOAuthOnce moves keys of the authorization server that were used once.
type transferOAuthOnce struct {
	typed[*transfer.Once]
	*oauthStore
}

func (m transferOAuthOnce) own() kind { return oauthOnce }

func (m transferOAuthOnce) refOf(record transfer.Record) ref { return onceHome(record) }

// onceHome is where both kinds of keys that are used once belong.
func onceHome(record transfer.Record) ref {
	key := record.(*transfer.Once).Text
	return ref{tagOfText(key), key}
}

func (m transferOAuthOnce) page(ctx context.Context, after string, limit int,
	now time.Time) ([]transfer.Record, string, error) {
	return m.db.pageOf(ctx, m.db.indexesOf(oauthOnceExpiry), expiring(now), after, limit, memberRef, m.load)
}

func (m transferOAuthOnce) find(_ context.Context, like []transfer.Record) ([]ref, error) {
	return homes(m, like), nil
}

func (m transferOAuthOnce) load(ctx context.Context, at []ref) ([]transfer.Record, error) {
	return loadRows(ctx, m.db, oauthOnce, at, func(key string, row *onceRow) transfer.Record {
		return &transfer.Once{Of: transfer.OAuthOnce, Text: key, ExpiresAt: row.Expires.time()}
	})
}

// add has Redis keep a key for longer than the store does, since a later run of the copy counts what an earlier one
// wrote.
func (m transferOAuthOnce) add(_ context.Context, c *change, _ tag, records []transfer.Record, now time.Time) error {
	for _, record := range records {
		r := record.(*transfer.Once)
		m.putOnce(c, r.Text, onceRow{Version: 1, Expires: microsOf(r.ExpiresAt)}, now, slack)
	}
	return nil
}

func (m transferOAuthOnce) remove(_ context.Context, c *change, _ tag, names []string) error {
	for _, key := range names {
		m.forgetOnce(c, key)
	}
	return nil
}
