package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/gatewarden/auth/oauth2/server"
)

// OAuthStore is a [server.Store] in a database.
type OAuthStore struct {
	db                           *DB
	addGrant, addAccess          string
	addRefresh, addCode          string
	findCode, findRefresh        string
	client, access, code, tokens *sql.Stmt
}

var _ server.Store = (*OAuthStore)(nil)

const (
	oauthGrantColumns = `g.id, g.client_id, g.user_id, g.type, g.permissions, g.scopes, g.resources, g.session_id,
		g.offline, g.auth_time, g.amr, g.acr, g.stamp, g.created, g.last_used, g.expires_at, g.max_expires_at,
		g.revoked_at`
	oauthAccessColumns  = `t.digest, t.id, t.grant_id, t.scopes, t.audience, t.issued, t.expires_at`
	oauthRefreshColumns = `t.digest, t.grant_id, t.issued, t.expires_at, t.rotated, t.successor, t.sealed`
	oauthCodeColumns    = `t.digest, t.grant_id, t.redirect_uri, t.challenge, t.nonce, t.expires_at, t.redeemed`
	oauthLive           = `revoked_at IS NULL AND expires_at > ?`
)

// OAuth opens the store of the authorization server of a database, and creates or
// migrates its tables.
func OAuth(ctx context.Context, db *DB) (*OAuthStore, error) {
	if err := db.migrate(ctx, "oauth"); err != nil {
		return nil, err
	}
	insert := func(table, columns string) string {
		columns = strings.NewReplacer("g.", "", "t.", "").Replace(columns)
		return db.table(`INSERT INTO {prefix}` + table + ` (` + columns + `)
			VALUES (?` + strings.Repeat(", ?", strings.Count(columns, ",")) + `)`)
	}
	find := func(table, columns string) string {
		return db.table(`SELECT ` + columns + `, ` + oauthGrantColumns + `
			FROM {prefix}` + table + ` t JOIN {prefix}oauth_grants g ON g.id = t.grant_id WHERE t.digest = ?`)
	}
	s := &OAuthStore{db: db,
		addGrant: insert("oauth_grants", oauthGrantColumns), addAccess: insert("oauth_access", oauthAccessColumns),
		addRefresh: insert("oauth_refresh", oauthRefreshColumns), addCode: insert("oauth_codes", oauthCodeColumns),
		findCode: find("oauth_codes", oauthCodeColumns), findRefresh: find("oauth_refresh", oauthRefreshColumns),
	}
	var errs [4]error
	s.client, errs[0] = db.read.PrepareContext(ctx, db.table(`SELECT client FROM {prefix}oauth_clients WHERE id = ?`))
	s.access, errs[1] = db.read.PrepareContext(ctx, find("oauth_access", oauthAccessColumns))
	s.code, errs[2] = db.read.PrepareContext(ctx, s.findCode)
	s.tokens, errs[3] = db.read.PrepareContext(ctx, s.findRefresh)
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	return s, nil
}

// Approve implements [server.Store] in one transaction.
func (s *OAuthStore) Approve(ctx context.Context, a server.Approval) (server.Added, error) {
	if a.Code.GrantID != a.Grant.ID {
		return server.Added{}, errGrant
	}
	var added server.Added
	err := s.db.update(ctx, func(conn *sql.Conn) error {
		waiting, err := s.useInteraction(ctx, conn, a)
		if err != nil || !waiting {
			added.Answered = err == nil
			return err
		}
		enabled, err := s.enabled(ctx, conn, a.Grant.ClientID)
		if err != nil || !enabled {
			added.Refused = err == nil
			return err
		}
		var before *server.Consent
		if a.Recall || a.Remember != nil {
			if before, err = s.consent(ctx, conn, a.Grant.UserID, a.Grant.ClientID); err != nil {
				return err
			}
		}
		if a.Recall && !before.Covers(a.Grant.Permissions) {
			added.Refused = true
			return nil
		}
		if err := s.makeRoom(ctx, conn, &added, a.Grant, a.Limit, a.EvictOldest, true); err != nil || added.OverLimit {
			return err
		}
		if _, err := conn.ExecContext(ctx, s.addGrant, grantValues(a.Grant)...); err != nil {
			return err
		}
		if _, err := conn.ExecContext(ctx, s.addCode, a.Code.Digest, a.Code.GrantID, a.Code.RedirectURI, a.Code.Challenge, a.Code.Nonce,
			micros(a.Code.ExpiresAt), micros(a.Code.Redeemed)); err != nil {
			return err
		}
		if a.Remember == nil {
			return nil
		}
		return s.remember(ctx, conn, before, before.Add(a.Remember))
	})
	if err != nil {
		return server.Added{}, err
	}
	return added, nil
}

// useInteraction removes the page that an approval answers, and reports whether it was still there, in a transaction.
func (s *OAuthStore) useInteraction(ctx context.Context, conn *sql.Conn, a server.Approval) (bool, error) {
	if a.Interaction == "" {
		return true, nil
	}
	return changed(conn.ExecContext(ctx, s.db.table(`DELETE FROM {prefix}oauth_interactions
		WHERE digest = ? AND expires_at > ?`), a.Interaction, micros(a.Grant.Created)))
}

// enabled reports whether there is such a client, and it may have something, in a
// transaction.
func (s *OAuthStore) enabled(ctx context.Context, conn *sql.Conn, id string) (bool, error) {
	var disabled bool
	statement := s.db.table(`SELECT disabled FROM {prefix}oauth_clients WHERE id = ?`)
	err := conn.QueryRowContext(ctx, statement, id).Scan(&disabled)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return !disabled, err
}

// FindCode implements [server.Store].
func (s *OAuthStore) FindCode(ctx context.Context, digest string) (*server.Code, *server.Grant, error) {
	return scanCode(s.code.QueryRowContext(ctx, digest))
}

// Redeem implements [server.Store] in one transaction.
func (s *OAuthStore) Redeem(ctx context.Context, digest string, now time.Time, tokens server.Tokens) (verdict server.Verdict, err error) {
	err = s.db.update(ctx, func(conn *sql.Conn) error {
		code, grant, err := scanCode(conn.QueryRowContext(ctx, s.findCode, digest))
		if err != nil || code == nil {
			return err // Unknown
		}
		switch {
		case !grant.RevokedAt.IsZero():
			verdict = server.Revoked
			return nil
		case !code.Redeemed.IsZero():
			verdict = server.Reused
			return s.end(ctx, conn, grant.ID, now)
		case !grant.Live(now) || !now.Before(code.ExpiresAt):
			verdict = server.Expired
			return nil
		}
		verdict = server.Redeemed
		if _, err := conn.ExecContext(ctx, s.db.table(`UPDATE {prefix}oauth_codes SET redeemed = ? WHERE digest = ?`),
			micros(now), digest); err != nil {
			return err
		}
		return s.add(ctx, conn, grant.ID, now, tokens.ExpiresAt(), tokens)
	})
	if err != nil {
		return server.Unknown, err
	}
	return verdict, nil
}

// Start implements [server.Store] in one transaction.
func (s *OAuthStore) Start(ctx context.Context, grant *server.Grant, tokens server.Tokens, limit int,
	evict bool) (server.Added, error) {
	var added server.Added
	err := s.db.update(ctx, func(conn *sql.Conn) error {
		enabled, err := s.enabled(ctx, conn, grant.ClientID)
		if err != nil || !enabled {
			added.Refused = err == nil
			return err
		}
		if err := s.makeRoom(ctx, conn, &added, grant, limit, evict, false); err != nil || added.OverLimit {
			return err
		}
		if _, err := conn.ExecContext(ctx, s.addGrant, grantValues(grant)...); err != nil {
			return err
		}
		return s.addTokens(ctx, conn, grant.ID, tokens)
	})
	if err != nil {
		return server.Added{}, err
	}
	return added, nil
}

// FindRefresh implements [server.Store].
func (s *OAuthStore) FindRefresh(ctx context.Context, digest string) (*server.Refresh, *server.Grant, error) {
	return scanRefresh(s.tokens.QueryRowContext(ctx, digest))
}

// Rotate implements [server.Store] in one transaction.
func (s *OAuthStore) Rotate(ctx context.Context, old string, now time.Time, grace time.Duration, tokens server.Tokens) (rotation server.Rotation, err error) {
	err = s.db.update(ctx, func(conn *sql.Conn) (err error) {
		rotation, err = s.rotate(ctx, conn, old, now, grace, tokens)
		return err
	})
	if err != nil {
		return server.Rotation{}, err
	}
	return rotation, nil
}

func (s *OAuthStore) rotate(ctx context.Context, conn *sql.Conn, old string, now time.Time, grace time.Duration, tokens server.Tokens) (server.Rotation, error) {
	refresh, grant, err := scanRefresh(conn.QueryRowContext(ctx, s.findRefresh, old))
	if err != nil || refresh == nil {
		return server.Rotation{Verdict: server.Unknown}, err
	}
	switch {
	case !grant.RevokedAt.IsZero():
		return server.Rotation{Verdict: server.Revoked}, nil
	case !grant.Live(now) || !now.Before(refresh.ExpiresAt):
		return server.Rotation{Verdict: server.Expired}, nil
	}
	if !refresh.Rotated.IsZero() {
		if since := now.Sub(refresh.Rotated); since > -grace && since < grace {
			next, _, err := scanRefresh(conn.QueryRowContext(ctx, s.findRefresh, refresh.Successor))
			if err != nil {
				return server.Rotation{}, err
			}
			if next != nil && next.Rotated.IsZero() && now.Before(next.ExpiresAt) && next.Sealed != nil {
				expires := grant.ExpiresAt
				if tokens.Access.ExpiresAt.After(expires) {
					expires = tokens.Access.ExpiresAt
				}
				return server.Rotation{Verdict: server.Retried, Sealed: next.Sealed}, s.add(ctx, conn, grant.ID, now, expires, server.Tokens{Access: tokens.Access})
			}
		}
		return server.Rotation{Verdict: server.Reused}, s.end(ctx, conn, grant.ID, now)
	}
	if _, err := conn.ExecContext(ctx, s.db.table(`UPDATE {prefix}oauth_refresh
		SET rotated = ?, successor = ?, sealed = NULL WHERE digest = ?`),
		micros(now), tokens.Refresh.Digest, old); err != nil {
		return server.Rotation{}, err
	}
	return server.Rotation{Verdict: server.Redeemed}, s.add(ctx, conn, grant.ID, now, tokens.ExpiresAt(), tokens)
}

// add adds tokens to a grant and says when it was used and when it expires, in a
// transaction.
func (s *OAuthStore) add(ctx context.Context, conn *sql.Conn, grantID string, now, expires time.Time, tokens server.Tokens) error {
	if err := s.addTokens(ctx, conn, grantID, tokens); err != nil {
		return err
	}
	_, err := conn.ExecContext(ctx, s.db.table(`UPDATE {prefix}oauth_grants SET last_used = ?, expires_at = ?
		WHERE id = ?`), micros(now), micros(expires), grantID)
	return err
}

var errGrant = errors.New("sqlstore: a code or token that is not of this grant")

func (s *OAuthStore) addTokens(ctx context.Context, conn *sql.Conn, grantID string, tokens server.Tokens) error {
	a, r := tokens.Access, tokens.Refresh
	if a.GrantID != grantID || r != nil && r.GrantID != grantID {
		return errGrant
	}
	if _, err := conn.ExecContext(ctx, s.addAccess, a.Digest, a.ID, a.GrantID, list(a.Scopes), list(a.Audience),
		micros(a.Issued), micros(a.ExpiresAt)); err != nil || r == nil {
		return err
	}
	_, err := conn.ExecContext(ctx, s.addRefresh, r.Digest, r.GrantID, micros(r.Issued), micros(r.ExpiresAt), micros(r.Rotated),
		r.Successor, r.Sealed)
	return err
}

// FindAccess implements [server.Store] by one query.
func (s *OAuthStore) FindAccess(ctx context.Context, digest string) (*server.Access, *server.Grant, error) {
	var a server.Access
	var scopes, audience string
	var issued, expires sql.NullInt64
	grant, err := scanGrant(s.access.QueryRowContext(ctx, digest), &a.Digest, &a.ID, &a.GrantID, &scopes, &audience, &issued, &expires)
	if err != nil || grant == nil {
		return nil, nil, err
	}
	a.Issued, a.ExpiresAt = instant(issued), instant(expires)
	return &a, grant, errors.Join(unlist(scopes, &a.Scopes), unlist(audience, &a.Audience))
}

// AddAccess implements [server.Store] in one transaction.
func (s *OAuthStore) AddAccess(ctx context.Context, access *server.Access, now time.Time) (ok bool, err error) {
	err = s.db.update(ctx, func(conn *sql.Conn) error {
		result, err := conn.ExecContext(ctx, s.db.table(`UPDATE {prefix}oauth_grants
			SET last_used = ?, expires_at = MAX(expires_at, ?) WHERE id = ? AND `+oauthLive),
			micros(now), micros(access.ExpiresAt), access.GrantID, micros(now))
		if err != nil {
			return err
		}
		n, err := result.RowsAffected()
		if err != nil || n == 0 {
			return err
		}
		ok = true
		return s.addTokens(ctx, conn, access.GrantID, server.Tokens{Access: access})
	})
	return ok && err == nil, err
}

// RemoveAccess implements [server.Store].
func (s *OAuthStore) RemoveAccess(ctx context.Context, digest string) (bool, error) {
	return changed(s.db.exec(ctx, s.db.table(`DELETE FROM {prefix}oauth_access WHERE digest = ?`), digest))
}

// changed reports whether a statement changed a row.
func changed(result sql.Result, err error) (bool, error) {
	if err != nil {
		return false, err
	}
	n, err := result.RowsAffected()
	return n > 0, err
}

// list is a list as it is stored; nil and empty are one.
func list(all []string) string {
	if len(all) == 0 {
		return "[]"
	}
	text, _ := json.Marshal(all) // of strings
	return string(text)
}

// unlist reads what list wrote. None is nil.
func unlist(text string, all *[]string) error {
	if text == "[]" {
		return nil
	}
	return json.Unmarshal([]byte(text), all)
}

// unlistAMR is unlist for the methods of a token or session. A program of the version
// before, which runs on after the tables changed, writes them separated by spaces.
func unlistAMR(text string, all *[]string) error {
	if !strings.HasPrefix(text, "[") {
		*all = strings.Fields(text)
		return nil
	}
	if err := unlist(text, all); err != nil {
		return fmt.Errorf("sqlstore: amr %q: %w", text, err)
	}
	return nil
}
