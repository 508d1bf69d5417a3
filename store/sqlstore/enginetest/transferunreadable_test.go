package enginetest

import (
	"strings"
	"testing"
	"time"

	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/oauth2/server"
	"github.com/gatewarden/auth/session"
	"github.com/gatewarden/auth/store/storetest"
	"github.com/gatewarden/auth/store/transfer"
)

// TestUnitTransferOfRowsThatCannotBeRead breaks a row of each table that has a column in JSON.
func TestUnitTransferOfRowsThatCannotBeRead(t *testing.T) {
	for _, engine := range engines {
		t.Run(engine.name, func(t *testing.T) {
			t.Parallel()
			place := engine.place(t)
			db := place.open(t)
			prefix := place.last
			if prefix == "" {
				prefix = "gatewarden_"
			}
			e := transferEngine(t, db)
			grant := fillJSON(t, e)
			for _, row := range []struct {
				kind       transfer.Kind
				table, set string
				key        string
			}{
				{transfer.KnoxTokens, "knox_tokens", "amr", "knox digest"},
				{transfer.Sessions, "sessions", "amr", "session digest"},
				{transfer.JWTLogins, "jwt_families", "amr", "family"},
				{transfer.OAuthClients, "oauth_clients", "client", "web"},
				{transfer.OAuthConsents, "oauth_consents", "permissions", "alice web"},
				{transfer.OAuthGrants, "oauth_access", "scopes", grant},
				{transfer.OAuthGrants, "oauth_grants", "extra", grant},
			} {
				page, err := e.Transfer.Export(t.Context(), row.kind, "", 10, time.Now())
				if err != nil || len(page.Records) != 1 {
					t.Fatalf("%s: got %d records, want one: %v", row.kind, len(page.Records), err)
				}
				if _, err := db.Writer().ExecContext(t.Context(), "UPDATE "+prefix+row.table+" SET "+row.set+
					" = '[broken'"); err != nil {
					t.Fatal(err)
				}
				_, err = e.Transfer.Export(t.Context(), row.kind, "", 10, time.Now())
				if err == nil || !strings.Contains(err.Error(), string(row.kind)) ||
					!strings.Contains(err.Error(), `"`+row.key+`"`) {
					t.Errorf("%s.%s: got %v, want an error with the kind %s and the key %s", row.table, row.set,
						err, row.kind,
						row.key)
				}
				_, err = e.Transfer.Lookup(t.Context(), row.kind, page.Records, time.Now())
				if err == nil {
					t.Errorf("%s.%s: got no error from a look-up, want one", row.table, row.set)
				}
				if err := e.Transfer.Replace(t.Context(), row.kind, page.Records, time.Now()); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// fillJSON adds one record to each table that has a column in JSON, and returns the ID of the grant.
func fillJSON(t *testing.T, e storetest.TransferEngine) string {
	t.Helper()
	now := time.Now().UTC().Truncate(time.Microsecond)
	ends := now.Add(time.Hour)
	permissions := server.Permissions{{Resource: "https://api.example", Scopes: []string{"read"}}}
	grant := &server.Grant{ID: backend.NewIDOf("alice"), ClientID: "web", UserID: "alice", Type: "code",
		Permissions: permissions, Created: now, LastUsed: now, ExpiresAt: ends, MaxExpiresAt: ends}
	for _, record := range []transfer.Record{
		transfer.KnoxToken{Record: &knox.Record{UserID: "alice", Digest: "knox digest", ID: "1", Created: now,
			ExpiresAt: ends}},
		transfer.Session{Record: &session.Record{UserID: "alice", Digest: "session digest", ID: "1", Created: now,
			ExpiresAt: ends, MaxExpiresAt: ends, LastUsed: now}},
		&transfer.JWTLogin{Session: &jwt.Session{ID: "family", UserID: "alice", Created: now, LastUsed: now,
			ExpiresAt:    ends,
			MaxExpiresAt: ends}},
		transfer.OAuthClient{Client: &server.Client{ID: "web", Created: now, Updated: now}},
		transfer.OAuthConsent{Consent: &server.Consent{UserID: "alice", ClientID: "web", Permissions: permissions,
			Created: now, Updated: now}},
		&transfer.OAuthGrant{Grant: grant,
			Access: []*server.Access{{Digest: "access digest", ID: "1", GrantID: grant.ID,
				Scopes: []string{"read"}, Audience: []string{"https://api.example"}, Issued: now, ExpiresAt: ends}}},
	} {
		added, err := e.Transfer.Import(t.Context(), record.Kind(), []transfer.Record{record}, now)
		if added != 1 || err != nil {
			t.Fatalf("%s: %d were added, want 1: %v", record.Kind(), added, err)
		}
	}
	return grant.ID
}
