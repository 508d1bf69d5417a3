package sqlstore

import (
	"database/sql"
	"strings"
	"time"

	"github.com/gatewarden/auth/knox"
)

const (
	knoxColumns = `digest, id, user_id, name, scopes, created, expires_at, slide, max_expires_at, last_used,
		ip, user_agent, stamp, auth_time, amr, acr`
	knoxEndedColumns = `id, user_id, name, scopes, created, last_used, ended_at, reason, ip, user_agent`
)

// knoxValues are the columns of a record, in the order of knoxColumns.
func knoxValues(r *knox.Record) []any {
	return []any{r.Digest, r.ID, r.UserID, r.Name, limitedScopes(r.Scopes, r.Limited),
		micros(r.Created), micros(r.ExpiresAt), r.Slide.Microseconds(), micros(r.MaxExpiresAt), micros(r.LastUsed),
		r.IP, r.UserAgent, r.Stamp, micros(r.AuthInfo.AuthTime), list(r.AuthInfo.AMR), r.AuthInfo.ACR}
}

func scanKnox(row scanner) (*knox.Record, error) {
	var (
		r                                                         knox.Record
		scopes                                                    sql.NullString
		amr                                                       string
		slide                                                     int64
		created, expiresAt, maxExpiresAt, lastUsed, authenticated sql.NullInt64
	)
	if err := row.Scan(&r.Digest, &r.ID, &r.UserID, &r.Name, &scopes, &created, &expiresAt, &slide,
		&maxExpiresAt, &lastUsed, &r.IP, &r.UserAgent, &r.Stamp, &authenticated, &amr, &r.AuthInfo.ACR); err != nil {
		return nil, err
	}
	r.Limited, r.Slide = scopes.Valid, time.Duration(slide)*time.Microsecond
	r.Scopes = strings.Fields(scopes.String)
	r.Created, r.ExpiresAt, r.MaxExpiresAt = instant(created), instant(expiresAt), instant(maxExpiresAt)
	r.LastUsed, r.AuthInfo.AuthTime = instant(lastUsed), instant(authenticated)
	if err := unlistAMR(amr, &r.AuthInfo.AMR); err != nil {
		return nil, err
	}
	return &r, nil
}

func scanKnoxEnded(row scanner) (*knox.EndedToken, error) {
	var (
		e                          knox.EndedToken
		scopes                     sql.NullString
		created, lastUsed, endedAt sql.NullInt64
	)
	if err := row.Scan(&e.ID, &e.UserID, &e.Name, &scopes, &created, &lastUsed, &endedAt,
		(*string)(&e.Reason), &e.IP, &e.UserAgent); err != nil {
		return nil, err
	}
	e.Limited, e.Scopes = scopes.Valid, strings.Fields(scopes.String)
	e.Created, e.LastUsed, e.EndedAt = instant(created), instant(lastUsed), instant(endedAt)
	return &e, nil
}
