package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/gatewarden/auth/jwt"
)

// JWTStore is a [jwt.Store] in a database.
type JWTStore struct {
	db                        *DB
	addFamily, addToken, find string
	revoke                    string
	findStmt, list, listAfter *sql.Stmt
	revoked, revokedSliding   *sql.Stmt
}

var _ jwt.Store = (*JWTStore)(nil)

const (
	jwtFamilyColumns = `f.id, f.user_id, f.client_id, f.scopes, f.created, f.last_used, f.expires_at, f.max_expires_at,
		f.revoked_at, f.ip, f.user_agent, f.stamp, f.auth_time, f.amr, f.acr, f.claims`
	jwtTokenColumns = `r.digest, r.family_id, r.issued, r.expires_at, r.rotated, r.successor, r.sealed`
	jwtLive         = `user_id = ? AND revoked_at IS NULL AND expires_at > ?`
)

// JWT opens the store of refresh tokens of a database, and creates or migrates
// its tables.
func JWT(ctx context.Context, db *DB) (*JWTStore, error) {
	if err := errors.Join(db.migrate(ctx, "owners"), db.migrate(ctx, "jwt")); err != nil {
		return nil, err
	}
	s := &JWTStore{db: db,
		addFamily: db.table(`INSERT INTO {prefix}jwt_families (` + strings.ReplaceAll(jwtFamilyColumns, "f.", "") + `)
			VALUES (?` + strings.Repeat(", ?", 15) + `)`),
		addToken: db.table(`INSERT INTO {prefix}jwt_refresh (` + strings.ReplaceAll(jwtTokenColumns, "r.", "") + `)
			VALUES (?` + strings.Repeat(", ?", 6) + `)`),
		find: db.table(`SELECT ` + jwtTokenColumns + `, ` + jwtFamilyColumns + `
			FROM {prefix}jwt_refresh r JOIN {prefix}jwt_families f ON f.id = r.family_id WHERE r.digest = ?`),
		revoke: db.table(`UPDATE {prefix}jwt_families SET revoked_at = ? WHERE id = ? AND ` + jwtLive),
	}
	var errs [5]error
	s.findStmt, errs[0] = db.read.PrepareContext(ctx, s.find)
	s.list, errs[1] = db.read.PrepareContext(ctx, db.table(`SELECT `+jwtFamilyColumns+`
		FROM {prefix}jwt_families f WHERE `+jwtLive+` ORDER BY id DESC LIMIT ?`))
	s.listAfter, errs[4] = db.read.PrepareContext(ctx, db.table(`SELECT `+jwtFamilyColumns+`
		FROM {prefix}jwt_families f WHERE id < ? AND `+jwtLive+` ORDER BY id DESC LIMIT ?`))
	s.revoked, errs[2] = db.read.PrepareContext(ctx, db.table(`SELECT
		(SELECT generation FROM {prefix}owners WHERE user_id = ?),
		(SELECT voided FROM {prefix}owners WHERE user_id = ?),
		(SELECT COUNT(*) FROM {prefix}jwt_families WHERE id = ? AND `+jwtLive+`)`))
	s.revokedSliding, errs[3] = db.read.PrepareContext(ctx, db.table(`SELECT
		(SELECT generation FROM {prefix}owners WHERE user_id = ?),
		(SELECT voided FROM {prefix}owners WHERE user_id = ?),
		(SELECT COUNT(*) FROM {prefix}jwt_families WHERE id = ? AND `+jwtLive+`),
		(SELECT COUNT(*) FROM {prefix}jwt_refresh WHERE digest = ? AND family_id = ? AND expires_at > ?),
		(SELECT COUNT(*) FROM {prefix}jwt_refresh WHERE digest = ? AND rotated <= ?)`))
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	return s, nil
}

// Start implements [jwt.Store] in one transaction.
func (s *JWTStore) Start(ctx context.Context, family *jwt.Family, first, adopted *jwt.Refresh, limit int,
	evict bool) (jwt.Started, error) {
	if first.FamilyID != family.ID {
		return jwt.Started{}, errFamily
	}
	var started jwt.Started
	err := s.db.update(ctx, func(conn *sql.Conn) (err error) {
		if started.Generation, err = s.db.generation(ctx, conn, family.UserID); err != nil {
			return err
		}
		if adopted != nil {
			seen, owner, err := s.load(ctx, conn, adopted.Digest)
			if err != nil {
				return err
			}
			if seen != nil {
				started.Seen = true
				return s.end(ctx, conn, owner.ID, family.Created)
			}
		}
		if limit > 0 {
			if err := s.makeRoom(ctx, conn, &started, family, limit, evict); err != nil || started.OverLimit {
				return err
			}
		}
		if _, err := conn.ExecContext(ctx, s.addFamily, familyValues(family)...); err != nil {
			return err
		}
		if _, err := conn.ExecContext(ctx, s.addToken, tokenValues(first)...); err != nil {
			return err
		}
		if adopted == nil {
			return nil
		}
		used := *adopted
		used.FamilyID, used.Rotated, used.Successor = family.ID, family.Created, first.Digest
		_, err = conn.ExecContext(ctx, s.addToken, tokenValues(&used)...)
		return err
	})
	if err != nil {
		return jwt.Started{}, err
	}
	return started, nil
}

// makeRoom ends the oldest families of a user until one more makes at most limit, and
// writes into started what became of it.
func (s *JWTStore) makeRoom(ctx context.Context, conn *sql.Conn, started *jwt.Started, family *jwt.Family, limit int,
	evict bool) error {
	now := micros(family.Created)
	var have int
	count := s.db.table(`SELECT COUNT(*) FROM {prefix}jwt_families WHERE ` + jwtLive)
	if err := conn.QueryRowContext(ctx, count, family.UserID, now).Scan(&have); err != nil || have < limit {
		return err
	}
	if !evict {
		started.OverLimit = true
		return nil
	}
	const oldest = `SELECT id FROM {prefix}jwt_families WHERE ` + jwtLive + ` ORDER BY created, id LIMIT ?`
	var err error
	surplus := have - limit + 1
	if started.Evicted, err = texts(ctx, conn, s.db.table(oldest), family.UserID, now, surplus); err != nil {
		return err
	}
	_, err = conn.ExecContext(ctx, s.db.table(`UPDATE {prefix}jwt_families SET revoked_at = ?
		WHERE id IN (`+oldest+`)`), now, family.UserID, now, surplus)
	return err
}

var errFamily = errors.New("sqlstore: the token is not of this family")

// end ends a family that has not ended, in a transaction.
func (s *JWTStore) end(ctx context.Context, conn *sql.Conn, id string, now time.Time) error {
	_, err := conn.ExecContext(ctx, s.db.table(`UPDATE {prefix}jwt_families SET revoked_at = ?
		WHERE id = ? AND revoked_at IS NULL`), micros(now), id)
	return err
}

// load returns a token and its family, or nil, in a transaction.
func (s *JWTStore) load(ctx context.Context, conn *sql.Conn, digest string) (*jwt.Refresh, *jwt.Family, error) {
	return scanToken(conn.QueryRowContext(ctx, s.find, digest))
}

// Find implements [jwt.Store].
func (s *JWTStore) Find(ctx context.Context, digest string) (*jwt.Refresh, *jwt.Family, error) {
	return scanToken(s.findStmt.QueryRowContext(ctx, digest))
}

// Rotate implements [jwt.Store] in one transaction.
func (s *JWTStore) Rotate(ctx context.Context, old string, now time.Time, grace time.Duration, next *jwt.Refresh) (jwt.Rotation, error) {
	var rotation jwt.Rotation
	err := s.db.update(ctx, func(conn *sql.Conn) (err error) {
		rotation, err = s.rotate(ctx, conn, old, now, grace, next)
		return err
	})
	if err != nil {
		return jwt.Rotation{}, err
	}
	return rotation, nil
}

func (s *JWTStore) rotate(ctx context.Context, conn *sql.Conn, old string, now time.Time, grace time.Duration, next *jwt.Refresh) (rotation jwt.Rotation, err error) {
	r, family, err := s.load(ctx, conn, old)
	if err != nil || r == nil {
		return rotation, err // Unknown
	}
	rotation.Family = family
	switch {
	case !family.RevokedAt.IsZero():
		rotation.Verdict = jwt.Revoked
		return rotation, nil
	case !family.Live(now) || !now.Before(r.ExpiresAt):
		rotation.Verdict = jwt.Expired
		return rotation, nil
	}
	if rotation.Generation, err = s.db.generation(ctx, conn, family.UserID); err != nil {
		return rotation, err
	}
	if !r.Rotated.IsZero() {
		if since := now.Sub(r.Rotated); since > -grace && since < grace {
			successor, _, err := s.load(ctx, conn, r.Successor)
			if err != nil {
				return rotation, err
			}
			if successor != nil && successor.Rotated.IsZero() && now.Before(successor.ExpiresAt) && successor.Sealed != nil {
				rotation.Verdict, rotation.Sealed = jwt.Retried, successor.Sealed
				return rotation, nil
			}
		}
		rotation.Verdict, rotation.Generation, family.RevokedAt = jwt.Reused, 0, now
		return rotation, s.end(ctx, conn, family.ID, now)
	}
	if next.FamilyID != family.ID {
		return rotation, errFamily
	}
	if _, err := conn.ExecContext(ctx, s.db.table(`DELETE FROM {prefix}jwt_refresh
		WHERE family_id = ? AND expires_at <= ?`), family.ID, micros(now.Add(-jwt.KeepExpired))); err != nil {
		return rotation, err
	}
	if _, err := conn.ExecContext(ctx, s.db.table(`UPDATE {prefix}jwt_refresh
		SET rotated = ?, successor = ?, sealed = NULL WHERE digest = ?`), micros(now), next.Digest, old); err != nil {
		return rotation, err
	}
	if _, err := conn.ExecContext(ctx, s.addToken, tokenValues(next)...); err != nil {
		return rotation, err
	}
	rotation.Verdict, family.LastUsed, family.ExpiresAt = jwt.Rotated, now, next.ExpiresAt
	_, err = conn.ExecContext(ctx, s.db.table(`UPDATE {prefix}jwt_families SET last_used = ?, expires_at = ?
		WHERE id = ?`), micros(now), micros(next.ExpiresAt), family.ID)
	return rotation, err
}

// Revoked implements [jwt.Store] by one query.
func (s *JWTStore) Revoked(ctx context.Context, c jwt.Claimed, now time.Time) (bool, error) {
	var generation, voided sql.NullInt64
	families, tokens, used := 1, 1, 0
	var err error
	if c.Digest == "" {
		err = s.revoked.QueryRowContext(ctx, c.UserID, c.UserID, c.SessionID, c.UserID, micros(now)).
			Scan(&generation, &voided, &families)
	} else {
		err = s.revokedSliding.QueryRowContext(ctx, c.UserID, c.UserID, c.SessionID, c.UserID, micros(now),
			c.Digest, c.SessionID, micros(now), c.Digest, micros(now.Add(-c.Grace))).Scan(&generation, &voided, &families, &tokens, &used)
	}
	switch {
	case err != nil:
		return false, err
	case c.SessionID != "" && (families == 0 || tokens == 0), used > 0:
		return true, nil
	case c.Generation < 0:
		return voided.Valid && !c.IssuedAt.After(instant(voided)), nil
	}
	return c.Generation < generation.Int64, nil
}

// List implements [jwt.Store].
func (s *JWTStore) List(ctx context.Context, userID, after string, limit int, now time.Time) ([]*jwt.Family, error) {
	statement, args := s.list, []any{userID, micros(now), limit}
	if after != "" {
		statement, args = s.listAfter, []any{after, userID, micros(now), limit}
	}
	rows, err := statement.QueryContext(ctx, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []*jwt.Family
	for rows.Next() {
		var f familyRow
		if err := rows.Scan(f.fields()...); err != nil {
			return nil, err
		}
		family, err := f.family()
		if err != nil {
			return nil, err
		}
		all = append(all, family)
	}
	return all, rows.Err()
}

// End implements [jwt.Store].
func (s *JWTStore) End(ctx context.Context, userID, id string, now time.Time) (bool, error) {
	result, err := s.db.exec(ctx, s.revoke, micros(now), id, userID, micros(now))
	if err != nil {
		return false, err
	}
	n, err := result.RowsAffected()
	return n > 0, err
}

// EndAll implements [jwt.Store] in one transaction.
func (s *JWTStore) EndAll(ctx context.Context, userID, kept, stamp string, now time.Time) ([]string, error) {
	var ids []string
	err := s.db.update(ctx, func(conn *sql.Conn) error {
		generations := 0
		if kept == "" {
			generations = 1
		}
		if err := s.db.void(ctx, conn, userID, generations, now); err != nil {
			return err
		}
		if _, err := conn.ExecContext(ctx, s.db.table(`UPDATE {prefix}jwt_families SET stamp = ?
			WHERE id = ? AND `+jwtLive), stamp, kept, userID, micros(now)); err != nil {
			return err
		}
		var err error
		if ids, err = texts(ctx, conn, s.db.table(`SELECT id FROM {prefix}jwt_families
			WHERE id <> ? AND `+jwtLive+` ORDER BY created DESC, id DESC`), kept, userID, micros(now)); err != nil {
			return err
		}
		_, err = conn.ExecContext(ctx, s.db.table(`UPDATE {prefix}jwt_families SET revoked_at = ?
			WHERE id <> ? AND `+jwtLive), micros(now), kept, userID, micros(now))
		return err
	})
	if err != nil {
		return nil, err
	}
	return ids, nil
}

// Purge implements [jwt.Store] in one transaction.
func (s *JWTStore) Purge(ctx context.Context, now time.Time, limit int) (int, error) {
	purged := 0
	err := s.db.update(ctx, func(conn *sql.Conn) error {
		ids, err := s.spent(ctx, conn, now, limit)
		if err != nil {
			return err
		}
		for _, id := range ids {
			for _, statement := range []string{
				`DELETE FROM {prefix}jwt_refresh WHERE family_id = ?`,
				`DELETE FROM {prefix}jwt_families WHERE id = ?`,
			} {
				if _, err := conn.ExecContext(ctx, s.db.table(statement), id); err != nil {
					return err
				}
			}
		}
		purged = len(ids)
		return nil
	})
	if err != nil {
		return 0, err
	}
	return purged, nil
}

// spent returns at most limit families that Purge removes: first those that expired, then
// those that ended. In the latter, an adopted token was rotated when the family began.
func (s *JWTStore) spent(ctx context.Context, conn *sql.Conn, now time.Time, limit int) ([]string, error) {
	kept := micros(now.Add(-jwt.KeepExpired))
	ids, err := texts(ctx, conn, s.db.table(`SELECT id FROM {prefix}jwt_families f
		WHERE expires_at <= ?
		AND NOT EXISTS (SELECT 1 FROM {prefix}jwt_refresh r WHERE r.family_id = f.id AND r.expires_at > ?)
		ORDER BY expires_at LIMIT ?`), micros(now), kept, limit)
	if err != nil || len(ids) == limit {
		return ids, err
	}
	ended, err := texts(ctx, conn, s.db.table(`SELECT id FROM {prefix}jwt_families f
		WHERE revoked_at <= ? AND NOT (expires_at <= ?
			AND NOT EXISTS (SELECT 1 FROM {prefix}jwt_refresh r WHERE r.family_id = f.id AND r.expires_at > ?))
		AND NOT EXISTS (SELECT 1 FROM {prefix}jwt_refresh r
			WHERE r.family_id = f.id AND r.rotated = f.created AND r.expires_at > ?)
		ORDER BY revoked_at LIMIT ?`), micros(now.Add(-jwt.KeepEnded)), micros(now), kept, kept, limit-len(ids))
	return append(ids, ended...), err
}

// texts returns the one column of a query.
func texts(ctx context.Context, conn *sql.Conn, query string, args ...any) ([]string, error) {
	rows, err := conn.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return nil, err
		}
		all = append(all, text)
	}
	return all, rows.Err()
}

// familyValues are the columns of a family, in the order of jwtFamilyColumns.
func familyValues(f *jwt.Family) []any {
	var scopes, amr, claims any
	if f.Limited {
		scopes = strings.Join(f.Scopes, " ")
	}
	if f.AuthInfo.AMR != nil {
		text, _ := json.Marshal(f.AuthInfo.AMR) // of strings
		amr = string(text)
	}
	if f.Claims != nil {
		claims = string(f.Claims)
	}
	return []any{f.ID, f.UserID, f.ClientID, scopes, micros(f.Created), micros(f.LastUsed),
		micros(f.ExpiresAt), micros(f.MaxExpiresAt), micros(f.RevokedAt),
		f.IP, f.UserAgent, f.Stamp, micros(f.AuthInfo.AuthTime), amr, f.AuthInfo.ACR, claims}
}

// tokenValues are the columns of a token, in the order of jwtTokenColumns.
func tokenValues(r *jwt.Refresh) []any {
	return []any{r.Digest, r.FamilyID, micros(r.Issued), micros(r.ExpiresAt), micros(r.Rotated), r.Successor, r.Sealed}
}

// familyRow is a family as it is scanned.
type familyRow struct {
	f                                  jwt.Family
	scopes, amr, claims                sql.NullString
	created, lastUsed, authTime        sql.NullInt64
	expiresAt, maxExpiresAt, revokedAt sql.NullInt64
}

func (r *familyRow) fields() []any {
	f := &r.f
	return []any{&f.ID, &f.UserID, &f.ClientID, &r.scopes, &r.created, &r.lastUsed,
		&r.expiresAt, &r.maxExpiresAt, &r.revokedAt,
		&f.IP, &f.UserAgent, &f.Stamp, &r.authTime, &r.amr, &f.AuthInfo.ACR, &r.claims}
}

func (r *familyRow) family() (*jwt.Family, error) {
	f := &r.f
	f.Limited, f.Scopes = r.scopes.Valid, strings.Fields(r.scopes.String)
	f.Created, f.LastUsed, f.ExpiresAt = instant(r.created), instant(r.lastUsed), instant(r.expiresAt)
	f.MaxExpiresAt, f.RevokedAt, f.AuthInfo.AuthTime = instant(r.maxExpiresAt), instant(r.revokedAt), instant(r.authTime)
	if r.claims.Valid {
		f.Claims = []byte(r.claims.String)
	}
	if r.amr.Valid {
		if err := json.Unmarshal([]byte(r.amr.String), &f.AuthInfo.AMR); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// scanToken reads a token and its family, or nil if there is none.
func scanToken(row *sql.Row) (*jwt.Refresh, *jwt.Family, error) {
	var r jwt.Refresh
	var f familyRow
	var issued, expires, rotated sql.NullInt64
	err := row.Scan(append([]any{&r.Digest, &r.FamilyID, &issued, &expires, &rotated, &r.Successor, &r.Sealed}, f.fields()...)...)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	r.Issued, r.ExpiresAt, r.Rotated = instant(issued), instant(expires), instant(rotated)
	family, err := f.family()
	if err != nil {
		return nil, nil, err
	}
	return &r, family, nil
}
