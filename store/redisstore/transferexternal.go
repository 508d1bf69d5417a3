package redisstore

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/gatewarden/auth/oauth2/external"
	"github.com/gatewarden/auth/store/transfer"
)

// transferIdentities moves identities of external logins. A name is accountOf.
type transferIdentities struct {
	typed[transfer.Identity]
	byName
	*externalStore
}

// own is "", so that what is there is read first: an ID that is there is an error of add.
func (m transferIdentities) own() kind { return "" }

func (m transferIdentities) refOf(record transfer.Record) ref {
	r := record.(transfer.Identity)
	return ref{externalTag, accountOf(r.Issuer, r.Subject)}
}

func (m transferIdentities) page(ctx context.Context, after string, limit int,
	_ time.Time) ([]transfer.Record, string, error) {
	return m.pageBy(ctx, after, limit, m.load)
}

func (m transferIdentities) find(_ context.Context, like []transfer.Record) ([]ref, error) {
	return homes(m, like), nil
}

func (m transferIdentities) load(ctx context.Context, at []ref) ([]transfer.Record, error) {
	return loadRows(ctx, m.db, externalIdentities, at, func(_ string, row *identityRow) transfer.Record {
		return transfer.Identity{Identity: row.identity()}
	})
}

func (m transferIdentities) add(ctx context.Context, c *change, _ tag, records []transfer.Record, _ time.Time) error {
	ids := make([]string, len(records))
	accounts := make([]string, len(records))
	for i, record := range records {
		ids[i], accounts[i] = record.(transfer.Identity).ID, m.refOf(record).name
	}
	if err := c.read(ctx, append(m.keys(externalIDs, ids), m.keys(externalReserved, accounts)...)...); err != nil {
		return err
	}
	for i, record := range records {
		if err := m.externalStore.add(ctx, c, accounts[i], record.(transfer.Identity).Identity); err != nil {
			return err
		}
	}
	return nil
}

func (m transferIdentities) remove(ctx context.Context, c *change, _ tag, names []string) error {
	if err := c.read(ctx, m.keys(externalIdentities, names)...); err != nil {
		return err
	}
	for _, account := range names {
		i, err := m.externalStore.load(ctx, c, account)
		if err != nil {
			return err
		}
		if i == nil {
			continue
		}
		if err := m.externalStore.remove(ctx, c, i); err != nil {
			return err
		}
	}
	return nil
}

// transferReservations moves accounts that are being made for identities. A name is accountOf.
type transferReservations struct {
	typed[transfer.Reservation]
	*externalStore
}

func (m transferReservations) own() kind { return externalReserved }

func (m transferReservations) refOf(record transfer.Record) ref {
	r := record.(transfer.Reservation)
	return ref{externalTag, accountOf(r.Issuer, r.Subject)}
}

func (m transferReservations) page(ctx context.Context, after string, limit int,
	now time.Time) ([]transfer.Record, string, error) {
	return m.db.pageOf(ctx, []string{m.key(externalReservedEnd, "")}, expiring(now), after, limit, memberRef, m.load)
}

func (m transferReservations) find(_ context.Context, like []transfer.Record) ([]ref, error) {
	return homes(m, like), nil
}

func (m transferReservations) load(ctx context.Context, at []ref) ([]transfer.Record, error) {
	return loadRows(ctx, m.db, externalReserved, at, func(account string, row *reservedRow) transfer.Record {
		issuer, subject := issuerOf(account)
		return transfer.Reservation{Reservation: &external.Reservation{ID: row.ID, Issuer: issuer, Subject: subject,
			ExpiresAt: row.Expires.time()}}
	})
}

// issuerOf returns what accountOf joined.
func issuerOf(account string) (issuer, subject string) {
	number, both, _ := strings.Cut(account, ":")
	n, err := strconv.Atoi(number)
	if err != nil || n < 0 || n > len(both) {
		return "", account
	}
	return both[:n], both[n:]
}

func (m transferReservations) add(_ context.Context, c *change, _ tag, records []transfer.Record, now time.Time) error {
	for _, record := range records {
		r := record.(transfer.Reservation)
		m.putReservation(c, m.refOf(r).name, reservedRow{1, r.ID, microsOf(r.ExpiresAt)}, now)
	}
	return nil
}

func (m transferReservations) remove(ctx context.Context, c *change, _ tag, names []string) error {
	for _, account := range names {
		if err := m.dropReservation(ctx, c, account); err != nil {
			return err
		}
	}
	return nil
}

// transferCodes moves codes that apps exchange for tokens.
type transferCodes struct {
	typed[transfer.LoginCode]
	*externalStore
}

func (m transferCodes) own() kind { return externalCodes }

func (m transferCodes) refOf(record transfer.Record) ref {
	return ref{externalTag, record.(transfer.LoginCode).Digest}
}

func (m transferCodes) page(ctx context.Context, after string, limit int,
	now time.Time) ([]transfer.Record, string, error) {
	return m.db.pageOf(ctx, []string{m.key(externalCodesEnd, "")}, expiring(now), after, limit, memberRef, m.load)
}

func (m transferCodes) find(_ context.Context, like []transfer.Record) ([]ref, error) {
	return homes(m, like), nil
}

func (m transferCodes) load(ctx context.Context, at []ref) ([]transfer.Record, error) {
	return loadRows(ctx, m.db, externalCodes, at, func(digest string, row *loginCodeRow) transfer.Record {
		return transfer.LoginCode{Code: row.code(digest)}
	})
}

func (m transferCodes) add(_ context.Context, c *change, _ tag, records []transfer.Record, now time.Time) error {
	for _, record := range records {
		m.putCode(c, record.(transfer.LoginCode).Code, now)
	}
	return nil
}

func (m transferCodes) remove(ctx context.Context, c *change, _ tag, names []string) error {
	for _, digest := range names {
		var row loginCodeRow
		found, err := c.get(ctx, m.key(externalCodes, digest), &row)
		if err != nil {
			return err
		}
		if found {
			m.removeCode(c, digest, row)
		}
	}
	return nil
}

// transferLoginOnce moves keys of external logins that were used once.
type transferLoginOnce struct {
	typed[*transfer.Once]
	*externalStore
}

func (m transferLoginOnce) own() kind { return externalOnce }

func (m transferLoginOnce) refOf(record transfer.Record) ref { return onceHome(record) }

func (m transferLoginOnce) page(ctx context.Context, after string, limit int,
	now time.Time) ([]transfer.Record, string, error) {
	return m.db.pageOf(ctx, m.db.indexesOf(externalOnceEnd), expiring(now), after, limit, memberRef, m.load)
}

func (m transferLoginOnce) find(_ context.Context, like []transfer.Record) ([]ref, error) {
	return homes(m, like), nil
}

func (m transferLoginOnce) load(ctx context.Context, at []ref) ([]transfer.Record, error) {
	return loadRows(ctx, m.db, externalOnce, at, func(key string, row *usedRow) transfer.Record {
		return &transfer.Once{Of: transfer.LoginOnce, Text: key, ExpiresAt: row.Expires.time()}
	})
}

func (m transferLoginOnce) add(_ context.Context, c *change, t tag, records []transfer.Record, now time.Time) error {
	for _, record := range records {
		r := record.(*transfer.Once)
		m.putOnce(c, t, r.Text, r.ExpiresAt, now)
	}
	return nil
}

func (m transferLoginOnce) remove(_ context.Context, c *change, t tag, names []string) error {
	for _, key := range names {
		c.remove(m.db.key(externalOnce, t, key))
		c.removeMember(m.db.key(externalOnceEnd, t, ""), key)
	}
	return nil
}
