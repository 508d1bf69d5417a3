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

// TestUnitEndPassesOverRowsThatCannotBeRead breaks all rows of a user, and one of two of another user.
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
				column := "amr"
				if table == "oauth_access" {
					column = "scopes"
				}
				if _, err := db.Writer().ExecContext(t.Context(), "UPDATE "+prefix+table+" SET "+column+
					" = '[broken' WHERE id < '12' OR id = '16'"); err != nil {
					t.Fatal(err)
				}
			}
			ended, err := transfer.End(t.Context(), e.Transfer, transfer.EndStores{Knox: e.Knox, Sessions: e.Sessions,
				JWT: e.JWT, OAuth: e.OAuth, OneTime: e.OneTime, External: e.External}, transfer.EndOptions{})
			for kind := range broken {
				// The broken record of "mixed" ends too where a store ends all of a user without reading them.
				if ended[kind] != 5 && ended[kind] != 6 {
					t.Errorf("got %d %s that ended, want 5 or 6", ended[kind], kind)
				}
				left := wantEndedButBroken(t, e, kind)
				if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%d %s are left", left, kind)) ||
					!strings.Contains(err.Error(), fmt.Sprintf("and %d more", left-10)) {
					t.Errorf("got %v, want it to count the %d %s that are left", err, left, kind)
				}
			}
		})
	}
}

// fillToEnd adds 18 records of each kind. The user "broken" has the first 12, and "mixed" the last two.
func fillToEnd(t *testing.T, e storetest.TransferEngine) {
	t.Helper()
	now := time.Now().UTC().Truncate(time.Microsecond)
	ends := now.Add(time.Hour)
	for i := range 18 {
		user, id := "broken", fmt.Sprintf("%02d", i)
		if i >= 16 {
			user = "mixed"
		} else if i >= 12 {
			user = "alice"
		}
		grant := &server.Grant{ID: backend.NewIDOf(user), ClientID: "web", UserID: user, Type: "code", Created: now,
			LastUsed: now, ExpiresAt: ends, MaxExpiresAt: ends,
			Permissions: server.Permissions{{Resource: "https://api.example", Scopes: []string{"read"}}}}
		for _, record := range []transfer.Record{
			transfer.KnoxToken{Record: &knox.Record{UserID: user, Digest: id, ID: id, Created: now, ExpiresAt: ends}},
			transfer.Session{Record: &session.Record{UserID: user, Digest: id, ID: id, Created: now, ExpiresAt: ends,
				MaxExpiresAt: ends, LastUsed: now}},
			&transfer.JWTLogin{Session: &jwt.Session{ID: id, UserID: user, Created: now, LastUsed: now, ExpiresAt: ends,
				MaxExpiresAt: ends}},
			&transfer.OAuthGrant{Grant: grant, Access: []*server.Access{{Digest: id, ID: id, GrantID: grant.ID,
				Scopes: []string{"read"}, Audience: []string{"https://api.example"}, Issued: now, ExpiresAt: ends}}},
		} {
			if _, err := e.Transfer.Import(t.Context(), record.Kind(), []transfer.Record{record}, now); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// wantEndedButBroken checks that what can be read has ended. It returns how many cannot be read: 12 of "broken", and
// the one of "mixed" unless its end removed it.
func wantEndedButBroken(t *testing.T, e storetest.TransferEngine, kind transfer.Kind) int {
	t.Helper()
	page, err := e.Transfer.Export(t.Context(), kind, "", 100, time.Now())
	var unreadable *transfer.UnreadableError
	if !errors.As(err, &unreadable) || len(unreadable.Errs) != 12 && len(unreadable.Errs) != 13 {
		t.Fatalf("%s: got %v, want 12 or 13 that cannot be read", kind, err)
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
	return len(unreadable.Errs)
}
