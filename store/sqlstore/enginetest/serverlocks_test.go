package enginetest

import (
	"context"
	"database/sql/driver"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/oauth2/external"
	"github.com/gatewarden/auth/oauth2/server"
	"github.com/gatewarden/auth/password"
	"github.com/gatewarden/auth/session"
	"github.com/gatewarden/auth/store/sqlstore"
)

// recorded are statements with their arguments.
type recorded struct {
	mu   sync.Mutex
	told []string
}

func (r *recorded) note(query string, args []driver.NamedValue) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, arg := range args {
		query += fmt.Sprintf(" [%d: %v]", i+1, arg.Value)
	}
	r.told = append(r.told, query)
}

func (r *recorded) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	told := r.told
	r.told = nil
	return told
}

// ownerCall is a change that counts or ends what an owner has.
type ownerCall struct {
	name, owner string
	run         func(ctx context.Context) error
}

// ownerCalls are such changes of tokens, sessions and logins.
func ownerCalls(t *testing.T, db *sqlstore.DB, then time.Time) []ownerCall {
	knoxes, sessions, logins := opened(t, sqlstore.Knox, db), opened(t, sqlstore.Sessions, db), opened(
		t, sqlstore.JWT, db)
	externals, once, keys := opened(t, sqlstore.External, db), opened(t, sqlstore.OneTime, db), opened(
		t, sqlstore.JWTKeys, db)
	ending := knox.Ending{At: then, Keep: true}
	family := &jwt.Session{ID: "f", UserID: "alice", Created: then, LastUsed: then, ExpiresAt: then, MaxExpiresAt: then}
	identity := &external.Identity{ID: "i", UserID: "alice", Issuer: "https://accounts.example", Subject: "s"}
	oneTime := &password.OneTimeRecord{Digest: "d", UserID: "alice", Purpose: password.PurposeReset,
		Created: then, ExpiresAt: then.Add(time.Hour)}
	at := func(digest string) *session.Record {
		return &session.Record{Digest: digest, ID: digest, UserID: "alice", Created: then, LastUsed: then,
			ExpiresAt: then.Add(time.Hour), MaxExpiresAt: then.Add(time.Hour)}
	}
	return []ownerCall{
		{"knox.Add", "alice", func(ctx context.Context) error {
			return errorOf(knoxes.Add(ctx, &knox.Record{Digest: "d", ID: "i", UserID: "alice", Created: then}, 1,
				true, ending))
		}},
		{"knox.RevokeAll", "alice", func(ctx context.Context) error {
			return errorOf(knoxes.RevokeAll(ctx, "alice", "kept", "stamp", ending))
		}},
		{"session.Add", "alice", func(ctx context.Context) error {
			return errorOf(sessions.Add(ctx, at("d"), "old", 1, true, then))
		}},
		{"session.Replace", "alice", func(ctx context.Context) error {
			return errorOf(sessions.Replace(ctx, "d", at("next"), then))
		}},
		{"session.Revoke", "alice", func(ctx context.Context) error {
			return errorOf(sessions.Revoke(ctx, "alice", "next"))
		}},
		{"session.RevokeAll", "alice", func(ctx context.Context) error {
			return errorOf(sessions.RevokeAll(ctx, "alice", "kept"))
		}},
		{"jwt.Start", "alice", func(ctx context.Context) error {
			first := &jwt.Refresh{Digest: "d", SessionID: "f", Issued: then, ExpiresAt: then}
			return errorOf(logins.Start(ctx, family, first, nil, 1, true))
		}},
		{"jwt.EndAll", "alice", func(ctx context.Context) error {
			return errorOf(logins.RevokeAll(ctx, "alice", "", "", then))
		}},
		{"jwt.KeyStore.Add", "keys:ES256", func(ctx context.Context) error {
			return errorOf(keys.Add(ctx, &jwt.KeyRecord{ID: "k", Algorithm: "ES256", Sealed: []byte{1},
				Created: then, SignsFrom: then}, ""))
		}},
		{"external.LinkFirst", "alice", func(ctx context.Context) error {
			_, _, err := externals.LinkFirst(ctx, identity)
			return err
		}},
		{"external.Unlink", "alice", func(ctx context.Context) error {
			_, _, err := externals.Unlink(ctx, "alice", "i", true)
			return err
		}},
		{"external.RemoveUser", "alice", func(ctx context.Context) error {
			return errorOf(externals.RemoveUser(ctx, "alice"))
		}},
		{"onetime.Add", "alice", func(ctx context.Context) error { return once.Add(ctx, oneTime, 1, then) }},
		{"onetime.RemoveUnused", "alice", func(ctx context.Context) error {
			return errorOf(once.RemoveUnused(ctx, "alice"))
		}},
	}
}

// serverCalls are such changes of the authorization server.
func serverCalls(t *testing.T, db *sqlstore.DB, then time.Time) []ownerCall {
	s := opened(t, sqlstore.OAuth, db)
	if _, err := s.AddClient(t.Context(), &server.Client{ID: "web", Updated: then}, 0); err != nil {
		t.Fatal(err)
	}
	grant := func(id, user string) *server.Grant {
		return &server.Grant{ID: id, ClientID: "web", UserID: user, Created: then, LastUsed: then,
			ExpiresAt: then.Add(time.Hour), MaxExpiresAt: then.Add(time.Hour)}
	}
	tokens := func(id string) server.Tokens {
		return server.Tokens{Access: &server.Access{Digest: id, ID: id, GrantID: id, Issued: then, ExpiresAt: then}}
	}
	return []ownerCall{
		{"Approve", "alice", func(ctx context.Context) error {
			code := &server.Code{Digest: "c", GrantID: "a", ExpiresAt: then}
			return errorOf(
				s.Approve(ctx, server.Approval{Grant: grant("a", "alice"), Code: code, Limit: 1, EvictOldest: true}))
		}},
		{"Start", "alice", func(ctx context.Context) error {
			return errorOf(s.Start(ctx, grant("b", "alice"), tokens("b"), 1, true))
		}},
		{"Start of a client for itself", "client:web", func(ctx context.Context) error {
			return errorOf(s.Start(ctx, grant("own", ""), tokens("own"), 1, true))
		}},
		{"AddClient", "alice", func(ctx context.Context) error {
			return errorOf(s.AddClient(ctx, &server.Client{ID: "other", Owner: "alice", Updated: then}, 1))
		}},
		{"AddInteraction", "alice", func(ctx context.Context) error {
			return s.AddInteraction(ctx, &server.Interaction{Digest: "i", ID: "i", UserID: "alice", Created: then,
				ExpiresAt: then}, 1)
		}},
		{"Withdraw", "alice", func(ctx context.Context) error {
			return errorOf(s.Withdraw(ctx, "alice", "web", then))
		}},
		{"EndAll", "alice", func(ctx context.Context) error { return errorOf(s.EndAll(ctx, "alice", "", "", then)) }},
	}
}

// TestUnitOwnersAreLockedFirst reads the statements of changes on PostgreSQL.
func TestUnitOwnersAreLockedFirst(t *testing.T) {
	p := engines[1].place(t)
	db := p.open(t)
	then := time.Unix(2e9, 0).UTC()
	all := append(ownerCalls(t, db, then), serverCalls(t, db, then)...)
	told := &recorded{}
	p.tap.listen(told.note)
	defer p.tap.listen(nil)
	for _, call := range all {
		t.Run("by "+call.name, func(t *testing.T) {
			told.take()
			if err := call.run(t.Context()); err != nil {
				t.Fatal(err)
			}
			wantLock(t, told.take(), call.owner)
		})
	}
	t.Run("and before the record by one that redeems it", func(t *testing.T) {
		once := opened(t, sqlstore.OneTime, db)
		r := &password.OneTimeRecord{Digest: "redeemed", UserID: "bob", Purpose: password.PurposeReset,
			Created: then, ExpiresAt: then.Add(time.Hour)}
		if err := once.Add(t.Context(), r, 1, then); err != nil {
			t.Fatal(err)
		}
		told.take()
		if _, err := once.Redeem(t.Context(), "redeemed", then); err != nil {
			t.Fatal(err)
		}
		statements := told.take()
		if len(statements) < 2 || strings.Contains(statements[1], "FOR UPDATE") {
			t.Fatalf("got %q, want a look without a lock first", statements)
		}
		wantLock(t, append(statements[:1], statements[2:]...), "bob")
	})
}

// wantLock fails unless a transaction locks an owner first.
func wantLock(t *testing.T, statements []string, owner string) {
	t.Helper()
	if len(statements) < 3 || !strings.HasPrefix(statements[0], "BEGIN") {
		t.Fatalf("got %q, want a transaction", statements)
	}
	first := statements[1]
	if !strings.Contains(first, "owners WHERE user_id = $1 FOR UPDATE") ||
		!strings.HasSuffix(first, " [1: "+owner+"]") {
		t.Errorf("got %q first, want the lock of %s", first, owner)
	}
}
