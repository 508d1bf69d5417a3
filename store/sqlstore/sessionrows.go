package sqlstore

import (
	"database/sql"
	"strings"
	"time"

	"github.com/gatewarden/auth/session"
)

const sessionColumns = `digest, id, user_id, owner, scopes, remembered, created, expires_at, idle, max_expires_at,
	last_used, ip, user_agent, stamp, auth_time, amr, acr`

// sessionValues are the columns of a record, in the order of sessionColumns.
func sessionValues(r *session.Record) []any {
	return []any{r.Digest, r.ID, r.UserID, r.Owner, limitedScopes(r.Scopes, r.Limited), r.Remembered,
		micros(r.Created), micros(r.ExpiresAt),
		r.Idle.Microseconds(), micros(r.MaxExpiresAt), micros(r.LastUsed), r.IP, r.UserAgent, r.Stamp,
		micros(r.AuthInfo.AuthTime), list(r.AuthInfo.AMR), r.AuthInfo.ACR}
}

func scanSession(row scanner) (*session.Record, error) {
	var (
		r                                                         session.Record
		scopes                                                    sql.NullString
		amr                                                       string
		idle                                                      int64
		created, expiresAt, maxExpiresAt, lastUsed, authenticated sql.NullInt64
	)
	if err := row.Scan(&r.Digest, &r.ID, &r.UserID, &r.Owner, &scopes, &r.Remembered, &created, &expiresAt, &idle,
		&maxExpiresAt, &lastUsed, &r.IP, &r.UserAgent, &r.Stamp, &authenticated, &amr, &r.AuthInfo.ACR); err != nil {
		return nil, err
	}
	r.Limited, r.Idle = scopes.Valid, time.Duration(idle)*time.Microsecond
	r.Scopes = strings.Fields(scopes.String)
	r.Created, r.ExpiresAt, r.MaxExpiresAt = instant(created), instant(expiresAt), instant(maxExpiresAt)
	r.LastUsed, r.AuthInfo.AuthTime = instant(lastUsed), instant(authenticated)
	if err := unlistAMR(amr, &r.AuthInfo.AMR); err != nil {
		return nil, err
	}
	return &r, nil
}
