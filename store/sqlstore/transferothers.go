package sqlstore

import (
	"database/sql"

	"github.com/gatewarden/auth/oauth2/external"
	"github.com/gatewarden/auth/password"
	"github.com/gatewarden/auth/store/transfer"
)

// This file has the tables of external logins, one-time tokens and counters for package transfer.

// ownersTable leaves out the rows that are only the lock of a user.
func ownersTable() *transferTable {
	return typed(transferTable{kind: transfer.Owners, table: "owners", columns: "user_id, generation, voided",
		order: []string{"user_id"}, kept: "(generation <> 0 OR voided IS NOT NULL)"},
		func(r *transfer.Owner) []any { return []any{r.UserID} },
		func(r *transfer.Owner) []any { return []any{r.UserID, r.Generation, micros(r.Voided)} },
		func(row scanner) (*transfer.Owner, error) {
			var r transfer.Owner
			var voided sql.NullInt64
			err := row.Scan(&r.UserID, &r.Generation, &voided)
			r.Voided = instant(voided)
			return &r, err
		})
}

func onceTable(kind transfer.Kind, table string) *transferTable {
	return typed(transferTable{kind: kind, table: table, columns: "{key}, expires_at", order: []string{"{key}"},
		kept: "expires_at > ?", keptArgs: until},
		func(r *transfer.Once) []any { return []any{r.Text} },
		func(r *transfer.Once) []any { return []any{r.Text, micros(r.ExpiresAt)} },
		func(row scanner) (*transfer.Once, error) {
			r := transfer.Once{Of: kind}
			var expires sql.NullInt64
			err := row.Scan(&r.Text, &expires)
			r.ExpiresAt = instant(expires)
			return &r, err
		})
}

func identitiesTable() *transferTable {
	return typed(transferTable{kind: transfer.Identities, table: "login_identities", columns: loginColumns,
		order: []string{"issuer", "subject"}, kept: everyRow},
		func(r transfer.Identity) []any { return []any{r.Issuer, r.Subject} },
		func(r transfer.Identity) []any {
			return []any{r.ID, r.UserID, r.Issuer, r.Subject, r.Provider, r.Email, r.EmailVerified, r.Identity.Name,
				micros(r.Created), micros(r.LastUsed)}
		},
		func(row scanner) (transfer.Identity, error) {
			i, err := scanIdentity(row)
			return transfer.Identity{Identity: i}, err
		})
}

func reservationsTable() *transferTable {
	return typed(transferTable{kind: transfer.Reservations, table: "login_reservations",
		columns: "issuer, subject, id, expires_at", order: []string{"issuer", "subject"}, kept: "expires_at > ?",
		keptArgs: until},
		func(r transfer.Reservation) []any { return []any{r.Issuer, r.Subject} },
		func(r transfer.Reservation) []any { return []any{r.Issuer, r.Subject, r.ID, micros(r.ExpiresAt)} },
		func(row scanner) (transfer.Reservation, error) {
			var r external.Reservation
			var expires sql.NullInt64
			err := row.Scan(&r.Issuer, &r.Subject, &r.ID, &expires)
			r.ExpiresAt = instant(expires)
			return transfer.Reservation{Reservation: &r}, err
		})
}

func loginCodesTable() *transferTable {
	return typed(transferTable{kind: transfer.LoginCodes, table: "login_codes",
		columns: "digest, user_id, stamp, challenge, data, expires_at", order: []string{"digest"},
		kept: "expires_at > ?", keptArgs: until},
		func(r transfer.LoginCode) []any { return []any{r.Digest} },
		func(r transfer.LoginCode) []any {
			return []any{r.Digest, r.UserID, r.Stamp, r.Challenge, notNull(r.Data), micros(r.ExpiresAt)}
		},
		func(row scanner) (transfer.LoginCode, error) {
			var c external.Code
			var expires sql.NullInt64
			err := row.Scan(&c.Digest, &c.UserID, &c.Stamp, &c.Challenge, &c.Data, &expires)
			c.ExpiresAt = instant(expires)
			return transfer.LoginCode{Code: &c}, err
		})
}

func oneTimeTable() *transferTable {
	return typed(transferTable{kind: transfer.OneTimeTokens, table: "onetime",
		columns: "digest, user_id, purpose, about, stamp, created, expires_at, used", order: []string{"digest"},
		kept: "expires_at > ?", keptArgs: until},
		func(r transfer.OneTimeToken) []any { return []any{r.Digest} },
		func(r transfer.OneTimeToken) []any {
			return []any{r.Digest, r.UserID, string(r.Purpose), r.About, r.Stamp, micros(r.Created),
				micros(r.ExpiresAt), micros(r.Used)}
		},
		func(row scanner) (transfer.OneTimeToken, error) {
			var r password.OneTimeRecord
			var created, expires, used sql.NullInt64
			err := row.Scan(&r.Digest, &r.UserID, (*string)(&r.Purpose), &r.About, &r.Stamp, &created, &expires, &used)
			r.Created, r.ExpiresAt, r.Used = instant(created), instant(expires), instant(used)
			return transfer.OneTimeToken{OneTimeRecord: &r}, err
		})
}

func throttleTable() *transferTable {
	return typed(transferTable{kind: transfer.ThrottleCounts, table: "throttle",
		columns: "digest, failures, until, expires_at", order: []string{"digest"}, kept: "expires_at > ?",
		keptArgs: until},
		func(r *transfer.ThrottleCount) []any { return []any{r.Digest} },
		func(r *transfer.ThrottleCount) []any {
			return []any{r.Digest, r.Failures, micros(r.Until), micros(r.ExpiresAt)}
		},
		func(row scanner) (*transfer.ThrottleCount, error) {
			var r transfer.ThrottleCount
			var until, expires sql.NullInt64
			err := row.Scan(&r.Digest, &r.Failures, &until, &expires)
			r.Until, r.ExpiresAt = instant(until), instant(expires)
			return &r, err
		})
}
