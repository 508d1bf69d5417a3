package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"strings"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/oauth2/server"
)

// OAuthStore is a [server.Store] in a database.
type OAuthStore struct {
	db          *DB
	addGrant    string
	addAccess   string
	addRefresh  string
	addCode     string
	findCode    string
	findRefresh string
	client      query
	access      query
	code        query
	tokens      query
}

var _ server.Store = (*OAuthStore)(nil)

const (
	oauthGrantColumns = `g.id, g.client_id, g.user_id, g.type, g.permissions, g.scopes, g.resources, g.session_id,
		g.offline, g.auth_time, g.amr, g.acr, g.stamp, g.created, g.last_used, g.expires_at, g.max_expires_at,
		g.revoked_at, g.extra`
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
	adding := func(table, columns string) string {
		return db.sql(insert(table, strings.NewReplacer("g.", "", "t.", "").Replace(columns)))
	}
	finding := func(table, columns, lock string) string {
		return `SELECT ` + columns + `, ` + oauthGrantColumns + `
			FROM {prefix}oauth_grants g JOIN {prefix}` + table + ` t ON t.grant_id = g.id WHERE t.digest = ? ` + lock
	}
	s := &OAuthStore{db: db,
		addGrant:    adding("oauth_grants", oauthGrantColumns),
		addAccess:   adding("oauth_access", oauthAccessColumns),
		addRefresh:  adding("oauth_refresh", oauthRefreshColumns),
		addCode:     adding("oauth_codes", oauthCodeColumns),
		findCode:    db.sql(finding("oauth_codes", oauthCodeColumns, "{lock}")),
		findRefresh: db.sql(finding("oauth_refresh", oauthRefreshColumns, "{lock}")),
	}
	var errs [4]error
	s.client, errs[0] = db.prepare(ctx, `SELECT client FROM {prefix}oauth_clients WHERE id = ?`)
	s.access, errs[1] = db.prepare(ctx, finding("oauth_access", oauthAccessColumns, ""))
	s.code, errs[2] = db.prepare(ctx, finding("oauth_codes", oauthCodeColumns, ""))
	s.tokens, errs[3] = db.prepare(ctx, finding("oauth_refresh", oauthRefreshColumns, ""))
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
	return transactValue(ctx, s.db, func(ctx context.Context, conn *sql.Conn) (added server.Added, err error) {
		before, err := s.admit(ctx, conn, &added, a)
		if err != nil || !added.OK() {
			return added, err
		}
		if _, err := conn.ExecContext(ctx, s.addGrant, grantValues(a.Grant)...); err != nil {
			return added, err
		}
		if _, err := conn.ExecContext(ctx, s.addCode, a.Code.Digest, a.Code.GrantID, a.Code.RedirectURI,
			a.Code.Challenge, a.Code.Nonce, micros(a.Code.ExpiresAt), micros(a.Code.Redeemed)); err != nil {
			return added, err
		}
		if a.Remember == nil {
			return added, nil
		}
		return added, s.remember(ctx, conn, before, before.Add(a.Remember))
	})
}

// admit checks what an approval rests on and makes room for its grant. It writes into added what became of
// it, and returns the consent of before if the approval needs it, in a transaction.
func (s *OAuthStore) admit(ctx context.Context, conn *sql.Conn, added *server.Added,
	a server.Approval) (before *server.Consent, err error) {
	if err := s.db.lockOwner(ctx, conn, grantOwner(a.Grant)); err != nil {
		return nil, err
	}
	waiting, err := s.useInteraction(ctx, conn, a)
	if err == nil && waiting && a.Request != "" {
		waiting, err = s.db.insertOnce(ctx, conn, "oauth_once", a.Request, a.RequestExpires, a.Grant.Created)
	}
	if err != nil || !waiting {
		added.Answered = err == nil
		return nil, err
	}
	enabled, err := s.enabled(ctx, conn, a.Grant.ClientID)
	if err != nil || !enabled {
		added.Refused = err == nil
		return nil, err
	}
	if a.RequireConsent || a.Remember != nil {
		row := queryRow(ctx, conn, s.db.sql(oauthConsent+`{lock}`), a.Grant.UserID, a.Grant.ClientID)
		if before, err = scanConsent(row); err != nil {
			return nil, err
		}
	}
	if a.RequireConsent && !before.Covers(a.Grant.Permissions) {
		added.Refused = true
		return nil, nil
	}
	return before, s.makeRoom(ctx, conn, added, a.Grant, a.Limit, a.EvictOldest, true)
}

// grantOwner is the owner of a grant for [DB.lockOwner]: its user, or the client that has it for itself.
func grantOwner(g *server.Grant) string {
	if g.UserID == "" {
		return machine(g.ClientID)
	}
	return g.UserID
}

// machine is the UserID of a client.
func machine(clientID string) string { return auth.Machine{ID: clientID}.UserID() }

// useInteraction removes the page that an approval answers, and reports whether it was still there, in a transaction.
func (s *OAuthStore) useInteraction(ctx context.Context, conn *sql.Conn, a server.Approval) (bool, error) {
	if a.Interaction == "" {
		return true, nil
	}
	return changed(conn.ExecContext(ctx, s.db.sql(`DELETE FROM {prefix}oauth_interactions
		WHERE digest = ? AND expires_at > ?`), a.Interaction, micros(a.Grant.Created)))
}

// enabled reports whether there is such a client, and it may have something, in a
// transaction.
func (s *OAuthStore) enabled(ctx context.Context, conn *sql.Conn, id string) (bool, error) {
	var disabled bool
	statement := s.db.sql(`SELECT disabled FROM {prefix}oauth_clients WHERE id = ? {share}`)
	err := queryRow(ctx, conn, statement, id).Scan(&disabled)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return !disabled, err
}

// Start implements [server.Store] in one transaction.
func (s *OAuthStore) Start(ctx context.Context, grant *server.Grant, tokens server.Tokens, limit int,
	evict bool) (server.Added, error) {
	return transactValue(ctx, s.db, func(ctx context.Context, conn *sql.Conn) (added server.Added, err error) {
		if limit > 0 {
			if err := s.db.lockOwner(ctx, conn, grantOwner(grant)); err != nil {
				return added, err
			}
		}
		enabled, err := s.enabled(ctx, conn, grant.ClientID)
		if err != nil || !enabled {
			added.Refused = err == nil
			return added, err
		}
		if err := s.makeRoom(ctx, conn, &added, grant, limit, evict, false); err != nil || added.OverLimit {
			return added, err
		}
		if _, err := conn.ExecContext(ctx, s.addGrant, grantValues(grant)...); err != nil {
			return added, err
		}
		return added, s.addTokens(ctx, conn, grant.ID, tokens)
	})
}
