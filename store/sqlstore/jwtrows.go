package sqlstore

import (
	"database/sql"
	"encoding/json"
	"errors"
	"strings"

	"github.com/gatewarden/auth/jwt"
)

const (
	jwtFamilyColumns = `f.id, f.user_id, f.client_id, f.scopes, f.created, f.last_used, f.expires_at, f.max_expires_at,
		f.revoked_at, f.ip, f.user_agent, f.stamp, f.auth_time, f.amr, f.acr, f.claims`
	jwtTokenColumns = `r.digest, r.family_id, r.issued, r.expires_at, r.rotated, r.successor, r.sealed, r.adopted`
)

// familyValues are the columns of a family, in the order of jwtFamilyColumns.
func familyValues(f *jwt.Session) []any {
	var amr, claims any
	if f.AuthInfo.AMR != nil {
		text, _ := json.Marshal(f.AuthInfo.AMR) // of strings
		amr = string(text)
	}
	if f.Claims != nil {
		claims = string(f.Claims)
	}
	return []any{f.ID, f.UserID, f.ClientID, limitedScopes(f.Scopes, f.Limited), micros(f.Created), micros(f.LastUsed),
		micros(f.ExpiresAt), micros(f.MaxExpiresAt), micros(f.RevokedAt),
		f.IP, f.UserAgent, f.Stamp, micros(f.AuthInfo.AuthTime), amr, f.AuthInfo.ACR, claims}
}

// tokenValues are the columns of a token, in the order of jwtTokenColumns.
func tokenValues(r *jwt.Refresh) []any {
	return []any{r.Digest, r.SessionID, micros(r.Issued), micros(r.ExpiresAt), micros(r.Rotated), r.Successor,
		sealed(r.Sealed), r.Adopted}
}

// familyRow is a family as it is scanned.
type familyRow struct {
	f            jwt.Session
	scopes       sql.NullString
	amr          sql.NullString
	claims       sql.NullString
	created      sql.NullInt64
	lastUsed     sql.NullInt64
	authTime     sql.NullInt64
	expiresAt    sql.NullInt64
	maxExpiresAt sql.NullInt64
	revokedAt    sql.NullInt64
}

func (r *familyRow) fields() []any {
	f := &r.f
	return []any{&f.ID, &f.UserID, &f.ClientID, &r.scopes, &r.created, &r.lastUsed,
		&r.expiresAt, &r.maxExpiresAt, &r.revokedAt,
		&f.IP, &f.UserAgent, &f.Stamp, &r.authTime, &r.amr, &f.AuthInfo.ACR, &r.claims}
}

func (r *familyRow) family() (*jwt.Session, error) {
	f := &r.f
	f.Limited, f.Scopes = r.scopes.Valid, strings.Fields(r.scopes.String)
	f.Created, f.LastUsed, f.ExpiresAt = instant(r.created), instant(r.lastUsed), instant(r.expiresAt)
	f.MaxExpiresAt, f.RevokedAt, f.AuthInfo.AuthTime = instant(r.maxExpiresAt), instant(r.revokedAt),
		instant(r.authTime)
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

// scanFamily reads a family.
func scanFamily(row scanner) (*jwt.Session, error) {
	var f familyRow
	if err := row.Scan(f.fields()...); err != nil {
		return nil, err
	}
	return f.family()
}

// scanToken reads a token and its family, or nil if there is none.
func scanToken(row scanner) (*jwt.Refresh, *jwt.Session, error) {
	var r jwt.Refresh
	var f familyRow
	var issued, expires, rotated sql.NullInt64
	err := row.Scan(append([]any{&r.Digest, &r.SessionID, &issued, &expires, &rotated, &r.Successor, &r.Sealed,
		&r.Adopted},
		f.fields()...)...)
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
