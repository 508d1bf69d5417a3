package redisstore

import (
	"context"
	"slices"
	"time"

	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/store/transfer"
)

// transferOwners moves the generations of users.
type transferOwners struct {
	typed[*transfer.Owner]
	byName
	*jwtStore
}

func (m transferOwners) own() kind { return jwtOwners }

func (m transferOwners) refOf(record transfer.Record) ref {
	userID := record.(*transfer.Owner).UserID
	return ref{tagOfOwner(userID), userID}
}

func (m transferOwners) page(ctx context.Context, after string, limit int,
	_ time.Time) ([]transfer.Record, string, error) {
	return m.pageBy(ctx, after, limit, m.load)
}

func (m transferOwners) find(_ context.Context, like []transfer.Record) ([]ref, error) {
	return homes(m, like), nil
}

func (m transferOwners) load(ctx context.Context, at []ref) ([]transfer.Record, error) {
	return loadRows(ctx, m.db, jwtOwners, at, func(userID string, row *revokedBeforeRow) transfer.Record {
		return &transfer.Owner{UserID: userID, Generation: row.Generation, Voided: row.Voided.time()}
	})
}

func (m transferOwners) add(_ context.Context, c *change, t tag, records []transfer.Record, _ time.Time) error {
	for _, record := range records {
		o := record.(*transfer.Owner)
		c.set(m.db.key(jwtOwners, t, o.UserID), revokedBeforeRow{1, o.Generation, microsOf(o.Voided)}, 0)
	}
	return nil
}

func (m transferOwners) remove(_ context.Context, c *change, t tag, names []string) error {
	for _, userID := range names {
		c.remove(m.db.key(jwtOwners, t, userID))
	}
	return nil
}

// transferKeys moves the keys of a Keyring. All of them are in one value.
type transferKeys struct {
	typed[transfer.JWTKey]
	*jwtKeyStore
}

func (m transferKeys) own() kind { return "" }

func (m transferKeys) refOf(record transfer.Record) ref {
	return ref{jwtKeyTag, record.(transfer.JWTKey).ID}
}

// page returns all keys, which are few.
func (m transferKeys) page(ctx context.Context, _ string, _ int, _ time.Time) ([]transfer.Record, string, error) {
	all, err := m.Keys(ctx)
	if err != nil {
		return nil, "", err
	}
	records := make([]transfer.Record, len(all))
	for i, key := range all {
		records[i] = transfer.JWTKey{KeyRecord: key}
	}
	return records, "", nil
}

func (m transferKeys) find(_ context.Context, like []transfer.Record) ([]ref, error) {
	return homes(m, like), nil
}

func (m transferKeys) load(ctx context.Context, at []ref) ([]transfer.Record, error) {
	all, err := m.Keys(ctx)
	if err != nil {
		return nil, err
	}
	records := make([]transfer.Record, len(at))
	for i, r := range at {
		for _, key := range all {
			if key.ID == r.name {
				records[i] = transfer.JWTKey{KeyRecord: key}
			}
		}
	}
	return records, nil
}

func (m transferKeys) add(ctx context.Context, c *change, _ tag, records []transfer.Record, _ time.Time) error {
	var set keySetRow
	if _, err := c.get(ctx, m.key(), &set); err != nil {
		return err
	}
	for _, record := range records {
		set.Keys = append(set.Keys, keyingRowOf(record.(transfer.JWTKey).KeyRecord))
	}
	m.write(c, set)
	return nil
}

func (m transferKeys) remove(ctx context.Context, c *change, _ tag, names []string) error {
	var set keySetRow
	if _, err := c.get(ctx, m.key(), &set); err != nil {
		return err
	}
	set.Keys = slices.DeleteFunc(set.Keys, func(row keyingRow) bool { return slices.Contains(names, row.ID) })
	m.write(c, set)
	return nil
}

// transferLogins moves logins with their refresh tokens.
type transferLogins struct {
	typed[*transfer.JWTLogin]
	*jwtStore
}

func (m transferLogins) own() kind { return jwtFamilies }

func (m transferLogins) refOf(record transfer.Record) ref {
	r := record.(*transfer.JWTLogin)
	return ref{tagOfOwner(r.UserID), r.ID}
}

func (m transferLogins) page(ctx context.Context, after string, limit int,
	now time.Time) ([]transfer.Record, string, error) {
	return m.db.pageOf(ctx, m.db.indexesOf(jwtExpiry), expiring(now), after, limit, listedRef, m.load)
}

func (m transferLogins) count(ctx context.Context, now time.Time) (int, error) {
	return m.db.countOf(ctx, jwtFamilies, m.db.indexesOf(jwtExpiry), expiring(now), listedRef)
}

// find goes by the user. A family has no other key that leads to it.
func (m transferLogins) find(_ context.Context, like []transfer.Record) ([]ref, error) {
	return homes(m, like), nil
}

func (m transferLogins) load(ctx context.Context, at []ref) ([]transfer.Record, error) {
	families, err := rowsOf[familyRow](ctx, m.db, jwtFamilies, at)
	if err != nil {
		return nil, err
	}
	members, err := m.db.allOf(ctx, jwtMembers, at)
	if err != nil {
		return nil, err
	}
	var tokens []ref
	for i, digests := range members {
		for _, digest := range digests {
			tokens = append(tokens, ref{at[i].t, digest})
		}
	}
	rows, err := rowsOf[refreshRow](ctx, m.db, jwtTokens, tokens)
	if err != nil {
		return nil, err
	}
	records := make([]transfer.Record, len(at))
	for i, family := range families {
		some := rows[:len(members[i])]
		rows = rows[len(some):]
		if family == nil {
			continue
		}
		login := &transfer.JWTLogin{Session: family.login(at[i].name).Session}
		for n, row := range some {
			if row != nil && row.FamilyID == login.ID {
				login.Tokens = append(login.Tokens, row.refresh(members[i][n]))
			}
		}
		records[i] = login
	}
	return records, nil
}

func (m transferLogins) add(ctx context.Context, c *change, t tag, records []transfer.Record, now time.Time) error {
	for _, record := range records {
		r := record.(*transfer.JWTLogin)
		family := *r.Session
		l := &login{Session: &family}
		for _, token := range r.Tokens {
			if token.SessionID != r.ID {
				return errOtherFamily
			}
			ttl := ttlUntil(token.ExpiresAt.Add(jwt.KeepExpired), now)
			if err := m.db.storeTag(ctx, jwtTokens, jwtPlaces, token.Digest, t, ttl); err != nil {
				return err
			}
			m.putToken(c, t, l, token, now)
		}
		m.putLogin(c, t, l, now)
	}
	return nil
}

func (m transferLogins) remove(ctx context.Context, c *change, t tag, names []string) error {
	if err := c.read(ctx, m.keysOf(t, names)...); err != nil {
		return err
	}
	digests, err := m.digestsOf(ctx, t, names)
	if err != nil {
		return err
	}
	for i, id := range names {
		l, err := m.login(ctx, c, t, id)
		if err != nil {
			return err
		}
		if l != nil {
			m.forget(c, t, l.UserID, id, digests[i])
			c.removeMember(m.db.key(jwtExpiry, t, ""), jwtMember(l.UserID, id))
		}
	}
	return nil
}
