package sqlstore

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/gatewarden/auth/store/transfer"
)

// transferTable is where the records of a kind are.
type transferTable struct {
	kind    transfer.Kind
	table   string
	columns string

	order    []string // the columns of the primary key
	numbered bool     // the primary key is a number
	key      []string // the columns of the record's key, with an index

	kept     string // fits the rows of table t whose record transfer.Record.Keep keeps
	keptArgs func(now time.Time) []any

	is     func(transfer.Record) bool // reports whether a record has the type of the kind
	keys   func(transfer.Record) []any
	values func(transfer.Record) []any
	scan   func(scanner) (transfer.Record, error)

	parts []transferPart
}

// typed returns a table with its functions for records of type R. The key is the primary key unless it is set.
func typed[R transfer.Record](t transferTable, keys, values func(R) []any, scan func(scanner) (R, error),
) *transferTable {
	if t.key == nil {
		t.key = t.order
	}
	t.columns = unqualified.Replace(t.columns)
	t.is = func(r transfer.Record) bool { _, ok := r.(R); return ok }
	t.keys = func(r transfer.Record) []any { return keys(r.(R)) }
	t.values = func(r transfer.Record) []any { return values(r.(R)) }
	t.scan = func(row scanner) (transfer.Record, error) { return scan(row) }
	return &t
}

// unqualified takes the names of tables from lists of columns.
var unqualified = strings.NewReplacer("f.", "", "g.", "", "r.", "", "t.", "")

// tableOf returns the table of a kind, and an error if there is no such kind or one of the records is of another one.
func tableOf(kind transfer.Kind, records ...transfer.Record) (*transferTable, error) {
	t := transferTables[kind]
	if t == nil {
		return nil, fmt.Errorf("sqlstore: there is no kind of records %q", kind)
	}
	for _, r := range records {
		if r.Kind() != kind || !t.is(r) {
			return nil, fmt.Errorf("sqlstore: a record of %s is a %T of %s", kind, r, r.Kind())
		}
	}
	return t, nil
}

// orTerms is how many keys of several columns a statement may name.
const orTerms = 64

// eachKeys calls do with conditions that fit the rows with the keys of records.
func (t *transferTable) eachKeys(like []transfer.Record, do func(condition string, args []any) error) error {
	most := keyParts[len(keyParts)-1]
	if len(t.key) > 1 {
		most = orTerms
	}
	for len(like) > 0 {
		part := like[:min(len(like), most)]
		like = like[len(part):]
		var args []any
		for _, r := range part {
			args = append(args, t.keys(r)...)
		}
		condition := t.key[0] + " IN (?" + strings.Repeat(", ?", len(part)-1) + ")"
		if len(t.key) > 1 {
			one := "(" + strings.Join(t.key, " = ? AND ") + " = ?)"
			condition = "(" + one + strings.Repeat(" OR "+one, len(part)-1) + ")"
		}
		if err := do(condition, args); err != nil {
			return err
		}
	}
	return nil
}

// until returns arguments for conditions that compare with now.
func until(now time.Time) []any { return []any{micros(now)} }

const everyRow = "1 = 1"

// transferTables are the tables of all kinds.
var transferTables = func() map[transfer.Kind]*transferTable {
	tables := make(map[transfer.Kind]*transferTable)
	for _, t := range []*transferTable{
		ownersTable(), jwtKeysTable(), knoxTable(), knoxEndedTable(), sessionsTable(), jwtLoginsTable(),
		clientsTable(), consentsTable(), grantsTable(), pagesTable(), onceTable(transfer.OAuthOnce, "oauth_once"),
		identitiesTable(), reservationsTable(), loginCodesTable(), onceTable(transfer.LoginOnce, "login_once"),
		oneTimeTable(), throttleTable(),
	} {
		tables[t.kind] = t
	}
	return tables
}()

func knoxTable() *transferTable {
	return typed(transferTable{kind: transfer.KnoxTokens, table: "knox_tokens", columns: knoxColumns,
		order: []string{"digest"}, kept: knoxLive, keptArgs: until},
		func(r transfer.KnoxToken) []any { return []any{r.Digest} },
		func(r transfer.KnoxToken) []any { return knoxValues(r.Record) },
		func(row scanner) (transfer.KnoxToken, error) {
			r, err := scanKnox(row)
			return transfer.KnoxToken{Record: r}, err
		})
}

func knoxEndedTable() *transferTable {
	return typed(transferTable{kind: transfer.KnoxEnded, table: "knox_ended", columns: knoxEndedColumns,
		order: []string{"n"}, numbered: true, key: []string{"user_id", "ended_at", "id"}, kept: everyRow},
		func(r transfer.KnoxEndedToken) []any { return []any{r.UserID, micros(r.EndedAt), r.ID} },
		func(r transfer.KnoxEndedToken) []any {
			return []any{r.ID, r.UserID, r.Name, limitedScopes(r.Scopes, r.Limited), micros(r.Created),
				micros(r.LastUsed), micros(r.EndedAt), string(r.Reason), r.IP, r.UserAgent}
		},
		func(row scanner) (transfer.KnoxEndedToken, error) {
			e, err := scanKnoxEnded(row)
			return transfer.KnoxEndedToken{EndedToken: e}, err
		})
}

func sessionsTable() *transferTable {
	return typed(transferTable{kind: transfer.Sessions, table: "sessions", columns: sessionColumns,
		order: []string{"digest"}, kept: "expires_at > ?", keptArgs: until},
		func(r transfer.Session) []any { return []any{r.Digest} },
		func(r transfer.Session) []any { return sessionValues(r.Record) },
		func(row scanner) (transfer.Session, error) {
			r, err := scanSession(row)
			return transfer.Session{Record: r}, err
		})
}

func jwtKeysTable() *transferTable {
	return typed(transferTable{kind: transfer.JWTKeys, table: "jwt_keys", columns: jwtKeyColumns,
		order: []string{"id"}, kept: everyRow},
		func(r transfer.JWTKey) []any { return []any{r.ID} },
		func(r transfer.JWTKey) []any {
			return []any{r.ID, string(r.Algorithm), r.Sealed, micros(r.Created), micros(r.SignsFrom),
				micros(r.ExpiresAt)}
		},
		func(row scanner) (transfer.JWTKey, error) {
			r, err := scanJWTKey(row)
			return transfer.JWTKey{KeyRecord: r}, err
		})
}

func clientsTable() *transferTable {
	return typed(transferTable{kind: transfer.OAuthClients, table: "oauth_clients",
		columns: "client, id, owner, disabled, updated", order: []string{"id"}, kept: everyRow},
		func(r transfer.OAuthClient) []any { return []any{r.ID} },
		func(r transfer.OAuthClient) []any {
			text, _ := json.Marshal(r.Client) // of texts, numbers and times
			return []any{string(text), r.ID, r.Owner, r.Disabled, micros(r.Updated)}
		},
		func(row scanner) (transfer.OAuthClient, error) {
			var id, owner string
			var disabled bool
			var updated int64
			c, err := scanClient(followed{row, []any{&id, &owner, &disabled, &updated}})
			return transfer.OAuthClient{Client: c}, err
		})
}

// followed is a row with more columns than its reader knows.
type followed struct {
	scanner
	more []any
}

func (f followed) Scan(fields ...any) error { return f.scanner.Scan(append(fields, f.more...)...) }

func consentsTable() *transferTable {
	return typed(transferTable{kind: transfer.OAuthConsents, table: "oauth_consents", columns: oauthConsentColumns,
		order: []string{"user_id", "client_id"}, kept: everyRow},
		func(r transfer.OAuthConsent) []any { return []any{r.UserID, r.ClientID} },
		func(r transfer.OAuthConsent) []any {
			return []any{r.UserID, r.ClientID, permissionsText(r.Permissions), noList, noList, micros(r.Created),
				micros(r.Updated)}
		},
		func(row scanner) (transfer.OAuthConsent, error) {
			c, err := scanConsent(row)
			return transfer.OAuthConsent{Consent: c}, err
		})
}

func pagesTable() *transferTable {
	return typed(transferTable{kind: transfer.OAuthPages, table: "oauth_interactions", columns: oauthInteractionColumns,
		order: []string{"digest"}, kept: "expires_at > ?", keptArgs: until},
		func(r transfer.OAuthPage) []any { return []any{r.Digest} },
		func(r transfer.OAuthPage) []any {
			return []any{r.Digest, r.ID, r.UserID, r.SessionID, micros(r.Created), micros(r.ExpiresAt), notNull(r.Data)}
		},
		func(row scanner) (transfer.OAuthPage, error) {
			i, err := scanInteraction(row)
			return transfer.OAuthPage{Interaction: i}, err
		})
}

// notNull is what is stored of bytes in a column that cannot be NULL.
func notNull(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}
