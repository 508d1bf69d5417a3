package enginetest

import (
	"errors"
	"fmt"
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

// TestUnitEndPassesOverRowsThatCannotBeRead breaks some rows among many, also of a user that has others.
func TestUnitEndPassesOverRowsThatCannotBeRead(t *testing.T) {
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
			broken := map[transfer.Kind]string{transfer.KnoxTokens: "knox_tokens", transfer.Sessions: "sessions",
				transfer.JWTLogins: "jwt_families", transfer.OAuthGrants: "oauth_access"}
			fillToEnd(t, e)
			for _, table := range broken {
				column, key := "amr", "user_id"
				if table == "oauth_access" {
					column, key = "scopes", "id"
				}
				if _, err := db.Writer().ExecContext(t.Context(), "UPDATE "+prefix+table+" SET "+column+
					" = '[broken' WHERE "+key+" = 'broken'"); err != nil {
					t.Fatal(err)
				}
			}
			ended, err := transfer.End(t.Context(), e.Transfer, transfer.EndStores{Knox: e.Knox, Sessions: e.Sessions,
				JWT: e.JWT, OAuth: e.OAuth, OneTime: e.OneTime, External: e.External}, transfer.EndOptions{})
			for kind := range broken {
				if ended[kind] != 4 {
					t.Errorf("got %d %s that ended, want 4", ended[kind], kind)
				}
				if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("12 %s are left", kind)) ||
					!strings.Contains(err.Error(), "and 2 more") {
					t.Errorf("got %v, want it to count the 12 %s that are left", err, kind)
				}
				wantEndedButBroken(t, e, kind)
			}
		})
	}
}

// fillToEnd adds 16 records of each kind, of which 12 have the user or the ID "broken". They are the first ones.
func fillToEnd(t *testing.T, e storetest.TransferEngine) {
	t.Helper()
	now := time.Now().UTC().Truncate(time.Microsecond)
	ends := now.Add(time.Hour)
	for i := range 16 {
		user, id := "broken", fmt.Sprintf("%02d", i)
		if i >= 12 {
			user = "alice"
		}
		grant := &server.Grant{ID: backend.NewIDOf(user), ClientID: "web", UserID: user, Type: "code", Created: now,
			LastUsed: now, ExpiresAt: ends, MaxExpiresAt: ends,
			Permissions: server.Permissions{{Resource: "https://api.example", Scopes: []string{"read"}}}}
		for _, record := range []transfer.Record{
			transfer.KnoxToken{Record: &knox.Record{UserID: user, Digest: id, ID: id, Created: now, ExpiresAt: ends}},
			transfer.Session{Record: &session.Record{UserID: user, Digest: id, ID: id, Created: now, ExpiresAt: ends,
				MaxExpiresAt: ends, LastUsed: now}},
			&transfer.JWTLogin{Family: &jwt.Family{ID: id, UserID: user, Created: now, LastUsed: now, ExpiresAt: ends,
				MaxExpiresAt: ends}},
			&transfer.OAuthGrant{Grant: grant, Access: []*server.Access{{Digest: id, ID: user, GrantID: grant.ID,
				Scopes: []string{"read"}, Audience: []string{"https://api.example"}, Issued: now, ExpiresAt: ends}}},
		} {
			if _, err := e.Transfer.Import(t.Context(), record.Kind(), []transfer.Record{record}, now); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// wantEndedButBroken checks that what can be read has ended.
func wantEndedButBroken(t *testing.T, e storetest.TransferEngine, kind transfer.Kind) {
	t.Helper()
	page, err := e.Transfer.Export(t.Context(), kind, "", 100, time.Now())
	var unreadable *transfer.UnreadableError
	if !errors.As(err, &unreadable) || len(unreadable.Errs) != 12 {
		t.Errorf("%s: got %v, want 12 that cannot be read", kind, err)
	}
	for _, record := range page.Records {
		switch r := record.(type) {
		case *transfer.JWTLogin:
			if r.RevokedAt.IsZero() {
				t.Errorf("%s: got %q, want it to have ended", kind, r.Key())
			}
		case *transfer.OAuthGrant:
			if r.RevokedAt.IsZero() {
				t.Errorf("%s: got %q, want it to have ended", kind, r.Key())
			}
		default:
			t.Errorf("%s: got %q, want it to have ended", kind, record.Key())
		}
	}
}
