package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"

	"github.com/gatewarden/auth/jwt"
)

// JWTStore is a [jwt.Store] in a database.
type JWTStore struct {
	db             *DB
	addFamily      string
	addToken       string
	find           string
	findStmt       query
	list           query
	listAfter      query
	revoked        query
	revokedSliding query
}

var _ jwt.Store = (*JWTStore)(nil)

const jwtLive = `user_id = ? AND revoked_at IS NULL AND expires_at > ?`

// JWT opens the store of refresh tokens of a database, and creates or migrates
// its tables.
func JWT(ctx context.Context, db *DB) (*JWTStore, error) {
	if err := errors.Join(db.migrate(ctx, "owners"), db.migrate(ctx, "jwt")); err != nil {
		return nil, err
	}
	find := `SELECT ` + jwtTokenColumns + `, ` + jwtFamilyColumns + `
		FROM {prefix}jwt_families f JOIN {prefix}jwt_refresh r ON r.family_id = f.id WHERE r.digest = ?`
	s := &JWTStore{db: db,
		addFamily: db.sql(insert("jwt_families", strings.ReplaceAll(jwtFamilyColumns, "f.", ""))),
		addToken:  db.sql(insert("jwt_refresh", strings.ReplaceAll(jwtTokenColumns, "r.", ""))),
		find:      db.sql(find + ` {lock}`),
	}
	var errs [5]error
	s.findStmt, errs[0] = db.prepare(ctx, find)
	s.list, errs[1] = db.prepare(ctx, `SELECT `+jwtFamilyColumns+`
		FROM {prefix}jwt_families f WHERE `+jwtLive+` ORDER BY id DESC LIMIT ?`)
	s.listAfter, errs[2] = db.prepare(ctx, `SELECT `+jwtFamilyColumns+`
		FROM {prefix}jwt_families f WHERE id < ? AND `+jwtLive+` ORDER BY id DESC LIMIT ?`)
	s.revoked, errs[3] = db.prepare(ctx, jwtRevoked)
	s.revokedSliding, errs[4] = db.prepare(ctx, jwtRevokedSliding)
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	return s, nil
}

// Start implements [jwt.Store] in one transaction.
func (s *JWTStore) Start(ctx context.Context, family *jwt.Session, first, adopted *jwt.Refresh, limit int,
	evict bool) (jwt.Started, error) {
	if first.SessionID != family.ID {
		return jwt.Started{}, errFamily
	}
	return transactValue(ctx, s.db, func(ctx context.Context, conn *sql.Conn) (started jwt.Started, err error) {
		if err = s.db.lockOwner(ctx, conn, family.UserID); err != nil {
			return started, err
		}
		if started.Generation, err = s.db.generation(ctx, conn, family.UserID); err != nil {
			return started, err
		}
		if started.Seen, err = s.seen(ctx, conn, first, adopted, family.Created); err != nil || started.Seen {
			return started, err
		}
		if limit > 0 {
			if err := s.makeRoom(ctx, conn, &started, family, limit, evict); err != nil || started.OverLimit {
				return started, err
			}
		}
		return started, s.addAll(ctx, conn, family, first, adopted)
	})
}

// seen reports whether a token of another issuer was adopted before, and then ends its family unless the token
// stays good, in a transaction.
func (s *JWTStore) seen(ctx context.Context, conn *sql.Conn, first, adopted *jwt.Refresh,
	now time.Time) (bool, error) {
	if adopted == nil {
		return false, nil
	}
	seen, owner, err := s.load(ctx, conn, adopted.Digest)
	if err != nil || seen == nil || adopted.Digest == first.Digest {
		return seen != nil, err
	}
	return true, s.end(ctx, conn, owner, now)
}

// addAll adds a family, its first token and the token that it adopts, if any, in a transaction.
func (s *JWTStore) addAll(ctx context.Context, conn *sql.Conn, family *jwt.Session, first, adopted *jwt.Refresh) error {
	if _, err := conn.ExecContext(ctx, s.addFamily, familyValues(family)...); err != nil {
		return err
	}
	one := *first
	one.Adopted = adopted != nil && adopted.Digest == first.Digest
	if _, err := conn.ExecContext(ctx, s.addToken, tokenValues(&one)...); err != nil || adopted == nil || one.Adopted {
		return err
	}
	used := *adopted
	used.SessionID, used.Rotated, used.Successor, used.Adopted = family.ID, family.Created, first.Digest, true
	_, err := conn.ExecContext(ctx, s.addToken, tokenValues(&used)...)
	return err
}

// makeRoom ends the oldest families of a user until one more makes at most limit, and
// writes into started what became of it.
func (s *JWTStore) makeRoom(ctx context.Context, conn *sql.Conn, started *jwt.Started, family *jwt.Session, limit int,
	evict bool) error {
	now := micros(family.Created)
	var have int
	counting := s.db.sql(`SELECT COUNT(*) FROM {prefix}jwt_families WHERE ` + jwtLive)
	if err := queryRow(ctx, conn, counting, family.UserID, now).Scan(&have); err != nil || have < limit {
		return err
	}
	// Some of them may be ending just now, which only those find out who lock them.
	oldest, err := queryStrings(ctx, conn, s.db.sql(`SELECT id FROM {prefix}jwt_families
		WHERE `+jwtLive+` ORDER BY created, id {lock}`), family.UserID, now)
	if err != nil || len(oldest) < limit {
		return err
	}
	if !evict {
		started.OverLimit = true
		return nil
	}
	started.Evicted = oldest[:len(oldest)-limit+1]
	if err := s.db.notifyEnded(ctx, conn, family.UserID, started.Evicted); err != nil {
		return err
	}
	return s.endThese(ctx, conn, started.Evicted, family.Created)
}

var errFamily = errors.New("sqlstore: the token is not of this session")

// load returns a token and its family, or nil, in a transaction.
func (s *JWTStore) load(ctx context.Context, conn *sql.Conn, digest string) (*jwt.Refresh, *jwt.Session, error) {
	return scanToken(queryRow(ctx, conn, s.find, digest))
}

// Find implements [jwt.Store].
func (s *JWTStore) Find(ctx context.Context, digest string) (*jwt.Refresh, *jwt.Session, error) {
	return scanToken(s.findStmt.row(ctx, digest))
}

// List implements [jwt.Store].
func (s *JWTStore) List(ctx context.Context, userID, after string, limit int,
	now time.Time) ([]*jwt.Session, error) {
	statement, args := s.list, []any{userID, micros(now), limit}
	if after != "" {
		statement, args = s.listAfter, []any{after, userID, micros(now), limit}
	}
	return readAll(ctx, statement, scanFamily, args...)
}
