package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/oauth2/server"
	"github.com/gatewarden/auth/store/transfer"
)

// This file has the tables of logins and grants for package transfer. They come with what belongs to them, which is in
// tables of its own.

// transferPart is a table of what belongs to a record.
type transferPart struct {
	table   string
	columns string
	owner   string // the column with the key of the record
	values  func(transfer.Record) [][]any
	scan    func(scanner) (add func(transfer.Record), err error) // add adds it to its record
}

// readParts reads what belongs to records.
func (s *TransferStore) readParts(ctx context.Context, in rowsQueryer, t *transferTable, rows []transferRow) error {
	if len(t.parts) == 0 || len(rows) == 0 {
		return nil
	}
	owners := make(map[string]*transferRow, len(rows))
	var records []transfer.Record
	for i := range rows {
		if row := &rows[i]; row.unreadable == nil {
			records = append(records, row.record)
			owners[row.record.Key()] = row
		}
	}
	for _, part := range t.parts {
		query := `SELECT ` + part.owner + `, ` + part.columns + ` FROM {prefix}` + part.table + ` WHERE `
		by := *t
		by.key = []string{part.owner}
		if err := by.eachKeys(records, func(condition string, args []any) error {
			rows, err := in.QueryContext(ctx, s.db.sql(query+condition), args...)
			_, err = all(rows, err, func(row scanner) (none struct{}, err error) {
				ordered := &orderedRow{row, make([]string, 1)}
				add, err := part.scan(ordered)
				owner := owners[ordered.order[0]]
				switch {
				case err != nil && owner != nil:
					owner.unreadable = fmt.Errorf("sqlstore: a part in %s of the record of %s with the key %q cannot "+
						"be read: %w", part.table, t.kind, ordered.order[0], err)
				case err != nil:
					return none, err
				default:
					add(owner.record)
				}
				return none, nil
			})
			return withHint(err)
		}); err != nil {
			return err
		}
	}
	return nil
}

// jwtLoginsTable reads a token that was adopted before version 4 of the tables as one that was adopted: see purgeable.
func jwtLoginsTable() *transferTable {
	const token = `(SELECT 1 FROM {prefix}jwt_refresh r WHERE r.family_id = t.id`
	t := typed(transferTable{kind: transfer.JWTLogins, table: "jwt_families", columns: jwtFamilyColumns,
		order: []string{"id"},
		kept: `(expires_at > ? OR ` + token + ` AND r.expires_at > ? LIMIT 1) IS NOT NULL)
			AND (revoked_at IS NULL OR revoked_at > ? OR ` + token + ` AND (r.adopted = TRUE OR r.rotated = t.created)
				AND r.expires_at > ? LIMIT 1) IS NOT NULL)`,
		keptArgs: func(now time.Time) []any {
			kept := micros(now.Add(-jwt.KeepExpired))
			return []any{micros(now), kept, micros(now.Add(-jwt.KeepEnded)), kept}
		}},
		func(r *transfer.JWTLogin) []any { return []any{r.ID} },
		func(r *transfer.JWTLogin) []any { return familyValues(r.Session) },
		func(row scanner) (*transfer.JWTLogin, error) {
			f, err := scanFamily(row)
			return &transfer.JWTLogin{Session: f}, err
		})
	t.parts = []transferPart{{table: "jwt_refresh", columns: unqualified.Replace(jwtTokenColumns), owner: "family_id",
		values: func(record transfer.Record) (rows [][]any) {
			for _, token := range record.(*transfer.JWTLogin).Tokens {
				rows = append(rows, tokenValues(token))
			}
			return rows
		},
		scan: func(row scanner) (func(transfer.Record), error) {
			var r jwt.Refresh
			var issued, expires, rotated sql.NullInt64
			err := row.Scan(&r.Digest, &r.SessionID, &issued, &expires, &rotated, &r.Successor, &r.Sealed, &r.Adopted)
			r.Issued, r.ExpiresAt, r.Rotated = instant(issued), instant(expires), instant(rotated)
			return func(record transfer.Record) {
				login := record.(*transfer.JWTLogin)
				r.Adopted = r.Adopted || !r.Rotated.IsZero() && r.Rotated.Equal(login.Created)
				login.Tokens = append(login.Tokens, &r)
			}, err
		}}}
	return t
}

func grantsTable() *transferTable {
	t := typed(transferTable{kind: transfer.OAuthGrants, table: "oauth_grants", columns: oauthGrantColumns,
		order: []string{"id"}, kept: `expires_at > ? AND (revoked_at IS NULL OR revoked_at > ?)`,
		keptArgs: func(now time.Time) []any { return []any{micros(now), micros(now.Add(-server.KeepEnded))} }},
		func(r *transfer.OAuthGrant) []any { return []any{r.ID} },
		func(r *transfer.OAuthGrant) []any { return grantValues(r.Grant) },
		func(row scanner) (*transfer.OAuthGrant, error) {
			g, err := scanGrant(row)
			return &transfer.OAuthGrant{Grant: g}, err
		})
	t.parts = []transferPart{grantCodes(), grantAccess(), grantRefresh()}
	return t
}

func grantCodes() transferPart {
	return transferPart{table: "oauth_codes", columns: unqualified.Replace(oauthCodeColumns), owner: "grant_id",
		values: func(record transfer.Record) (rows [][]any) {
			for _, c := range record.(*transfer.OAuthGrant).Codes {
				rows = append(rows, []any{c.Digest, c.GrantID, c.RedirectURI, c.Challenge, c.Nonce, micros(c.ExpiresAt),
					micros(c.Redeemed)})
			}
			return rows
		},
		scan: func(row scanner) (func(transfer.Record), error) {
			var c server.Code
			var expires, redeemed sql.NullInt64
			err := row.Scan(&c.Digest, &c.GrantID, &c.RedirectURI, &c.Challenge, &c.Nonce, &expires, &redeemed)
			c.ExpiresAt, c.Redeemed = instant(expires), instant(redeemed)
			return func(record transfer.Record) {
				grant := record.(*transfer.OAuthGrant)
				grant.Codes = append(grant.Codes, &c)
			}, err
		}}
}

func grantAccess() transferPart {
	return transferPart{table: "oauth_access", columns: unqualified.Replace(oauthAccessColumns), owner: "grant_id",
		values: func(record transfer.Record) (rows [][]any) {
			for _, a := range record.(*transfer.OAuthGrant).Access {
				rows = append(rows, []any{a.Digest, a.ID, a.GrantID, list(a.Scopes), list(a.Audience), micros(a.Issued),
					micros(a.ExpiresAt)})
			}
			return rows
		},
		scan: func(row scanner) (func(transfer.Record), error) {
			var a server.Access
			var scopes, audience string
			var issued, expires sql.NullInt64
			if err := row.Scan(&a.Digest, &a.ID, &a.GrantID, &scopes, &audience, &issued, &expires); err != nil {
				return nil, err
			}
			a.Issued, a.ExpiresAt = instant(issued), instant(expires)
			return func(record transfer.Record) {
				grant := record.(*transfer.OAuthGrant)
				grant.Access = append(grant.Access, &a)
			}, errors.Join(unlist(scopes, &a.Scopes), unlist(audience, &a.Audience))
		}}
}

func grantRefresh() transferPart {
	return transferPart{table: "oauth_refresh", columns: unqualified.Replace(oauthRefreshColumns), owner: "grant_id",
		values: func(record transfer.Record) (rows [][]any) {
			for _, r := range record.(*transfer.OAuthGrant).Refresh {
				rows = append(rows, []any{r.Digest, r.GrantID, micros(r.Issued), micros(r.ExpiresAt), micros(r.Rotated),
					r.Successor, sealed(r.Sealed)})
			}
			return rows
		},
		scan: func(row scanner) (func(transfer.Record), error) {
			var r server.Refresh
			var issued, expires, rotated sql.NullInt64
			err := row.Scan(&r.Digest, &r.GrantID, &issued, &expires, &rotated, &r.Successor, &r.Sealed)
			r.Issued, r.ExpiresAt, r.Rotated = instant(issued), instant(expires), instant(rotated)
			return func(record transfer.Record) {
				grant := record.(*transfer.OAuthGrant)
				grant.Refresh = append(grant.Refresh, &r)
			}, err
		}}
}
