package storetest

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/oauth2/external"
	"github.com/gatewarden/auth/oauth2/server"
	"github.com/gatewarden/auth/session"
	"github.com/gatewarden/auth/store/transfer"
)

// fullJWT is a store whose memory is full for some calls of EndAll. It ends the logins, and makes nothing else void.
type fullJWT struct {
	jwt.Store
	fails atomic.Int64
}

var errFull = errors.New("the memory is full")

func (f *fullJWT) RevokeAll(ctx context.Context, userID, kept, stamp string, now time.Time) ([]string, error) {
	if f.fails.Add(-1) < 0 {
		return f.Store.RevokeAll(ctx, userID, kept, stamp, now)
	}
	all, err := f.List(ctx, userID, "", 100, now)
	if err != nil {
		return nil, err
	}
	for _, family := range all {
		if _, err := f.Revoke(ctx, userID, family.ID, now); err != nil {
			return nil, err
		}
	}
	return nil, errFull
}

func transferEndsDespiteFaults(t *testing.T, from, _ TransferEngine) {
	s := serve(t, from, true)
	for name, fails := range map[string]int64{"for a moment": 1, "for good": 1 << 40} {
		t.Run(name, func(t *testing.T) {
			empty(t, from)
			s.login("alice")
			s.issue("alice", knox.Options{})
			full := &fullJWT{Store: from.JWT}
			full.fails.Store(fails)
			_, err := transfer.End(t.Context(), from.Transfer, transfer.EndStores{JWT: full, Knox: from.Knox},
				transfer.EndOptions{})
			if lasts := fails > 1; errors.Is(err, errFull) != lasts {
				t.Errorf("got the error %v, want one: %v", err, lasts)
			}
			there, found := from.Transfer.Lookup(t.Context(), transfer.Owners,
				[]transfer.Record{&transfer.Owner{UserID: "alice"}}, time.Now())
			if found != nil || (there[0] != nil) != (err == nil) {
				t.Errorf("got %v with the error %v, want what is void without a login exactly if there is no error: %v",
					there, err, found)
			}
		})
	}
}

// transferEndsExpired ends what has expired by the clock of End, and lives by the one of the service.
func transferEndsExpired(t *testing.T, from, _ TransferEngine) {
	now := time.Now().UTC().Truncate(time.Microsecond)
	began, expired := now.Add(-10*time.Minute), now.Add(-2*time.Minute)
	for name, since := range map[string]time.Time{"of all": {}, "since": began} {
		t.Run(name, func(t *testing.T) {
			empty(t, from)
			s := transferService{T: t, TransferEngine: from}
			s.fillOAuthClient(&moved{now: began})
			s.wantEnded(expiredRecords(began, expired), began, since)
		})
	}
}

// wantEnded adds records that expired moments ago, and checks that End ends each of them.
func (s transferService) wantEnded(records []transfer.Record, began, since time.Time) {
	s.Helper()
	for _, record := range records {
		_, err := s.Transfer.Import(s.Context(), record.Kind(), []transfer.Record{record}, began)
		s.must(err)
	}
	if ended := s.end(since); len(ended) < len(records) {
		s.Errorf("End: got %v, want at least one record of each of %d kinds", ended, len(records))
	}
	for _, record := range records {
		there, err := s.Transfer.Lookup(s.Context(), record.Kind(), []transfer.Record{record}, began)
		s.must(err)
		if there[0] != nil && !hasEnded(there[0]) {
			s.Errorf("Lookup of %s after End: got %+v, want it to have ended", record.Kind(), there[0])
		}
	}
}

// hasEnded reports whether a login or a grant was revoked.
func hasEnded(record transfer.Record) bool {
	switch r := record.(type) {
	case *transfer.JWTLogin:
		return !r.RevokedAt.IsZero()
	case *transfer.OAuthGrant:
		return !r.RevokedAt.IsZero()
	}
	return false
}

// expiredRecords returns one expired record of each kind that [transfer.End] ends. No record refers to another one.
func expiredRecords(began, expired time.Time) []transfer.Record {
	const user = "alice"
	last := expired.Add(time.Hour)
	return []transfer.Record{
		transfer.KnoxToken{Record: &knox.Record{UserID: user, ID: backend.NewIDOf(user), Digest: digestOf(user),
			Created: began, ExpiresAt: expired}},
		transfer.Session{Record: &session.Record{UserID: user, ID: backend.NewIDOf(user), Digest: digestOf(user),
			Created: began, LastUsed: began, ExpiresAt: expired, MaxExpiresAt: last}},
		&transfer.JWTLogin{Session: &jwt.Session{ID: backend.NewIDOf(user), UserID: user, Created: began,
			LastUsed: began, ExpiresAt: expired, MaxExpiresAt: last}},
		&transfer.OAuthGrant{Grant: expiredGrant(user, began, expired)},
		transfer.LoginCode{Code: &external.Code{Digest: digestOf(user), UserID: user, Challenge: "challenge",
			Data: []byte(`{"amr":["ext"]}`), ExpiresAt: expired}},
	}
}

func expiredGrant(user string, began, expired time.Time) *server.Grant {
	return &server.Grant{ID: backend.NewIDOf(user), ClientID: movedClient, UserID: user, Type: "authorization_code",
		Created: began, LastUsed: began, ExpiresAt: expired, MaxExpiresAt: expired}
}

func digestOf(user string) string {
	return backend.TokenDigest(backend.NewToken("", user, backend.DefaultTokenLength), "")
}

// transferRevokedAccess revokes an access token, and not its grant, shortly before it expires.
func transferRevokedAccess(t *testing.T, from, to TransferEngine) {
	s := serve(t, from, true)
	m := &moved{now: time.Now().UTC().Truncate(time.Microsecond)}
	s.fillOAuthClient(m)
	grant := s.newGrant(m, "")
	tokens := s.tokensOf(m, grant, "")
	tokens.Access.ExpiresAt = m.now.Add(3 * time.Minute)
	added, err := s.OAuth.Start(t.Context(), grant, tokens, 0, false)
	if !added.OK() || err != nil {
		t.Fatalf("a grant of a client: %+v, %v, want OK", added, err)
	}
	var journal transfer.MemoryJournal
	state := copied(t, from, to, transfer.Options{Journal: &journal}).State
	_, err = s.OAuth.RemoveAccess(t.Context(), tokens.Access.Digest)
	s.must(err)
	copied(t, from, to, transfer.Options{Journal: &journal, State: state, Final: true})
	if access, _, err := to.OAuth.FindAccess(t.Context(), tokens.Access.Digest); access != nil || err != nil {
		t.Errorf("got the token %+v, want it to be gone as at the source: %v", access, err)
	}
}

// earlier is a source that has grants that expired hours ago, as it had them then.
type earlier struct{ transfer.Target }

func (e earlier) Export(ctx context.Context, kind transfer.Kind, after string, limit int,
	now time.Time) (transfer.Page, error) {
	if kind == transfer.OAuthGrants {
		now = now.Add(-3 * time.Hour)
	}
	return e.Target.Export(ctx, kind, after, limit, now)
}

// transferRemovedClient removes a client. A grant of it expired after a run had copied it.
func transferRemovedClient(t *testing.T, from, to TransferEngine) {
	s := serve(t, from, true)
	m := &moved{now: time.Now().UTC().Truncate(time.Microsecond)}
	s.fillOAuthClient(m)
	began := m.now.Add(-4 * time.Hour)
	grant := &transfer.OAuthGrant{Grant: expiredGrant("alice", began, m.now.Add(-2*time.Hour))}
	_, err := from.Transfer.Import(t.Context(), transfer.OAuthGrants, []transfer.Record{grant}, began)
	s.must(err)
	source := from
	source.Transfer = earlier{from.Transfer}
	var journal transfer.MemoryJournal
	state := copied(t, source, to, transfer.Options{Journal: &journal}).State
	clients := []transfer.Record{transfer.OAuthClient{Client: &server.Client{ID: movedClient}}}
	s.must(from.Transfer.Remove(t.Context(), transfer.OAuthGrants, []transfer.Record{grant}, m.now))
	s.must(from.Transfer.Remove(t.Context(), transfer.OAuthClients, clients, m.now))
	copied(t, from, to, transfer.Options{Journal: &journal, State: state, Final: true})
}

// transferConsentWithoutClient removes a client between two runs, and its consent stays.
func transferConsentWithoutClient(t *testing.T, from, to TransferEngine) {
	s := serve(t, from, true)
	m := &moved{now: time.Now().UTC().Truncate(time.Microsecond)}
	s.fillOAuthClient(m)
	s.approve(m, "alice")
	var journal transfer.MemoryJournal
	state := copied(t, from, to, transfer.Options{Journal: &journal}).State
	for _, kind := range []transfer.Kind{transfer.OAuthGrants, transfer.OAuthClients} {
		page, err := from.Transfer.Export(t.Context(), kind, "", 100, m.now)
		s.must(err)
		s.must(from.Transfer.Remove(t.Context(), kind, page.Records, m.now))
	}
	copied(t, from, to, transfer.Options{Journal: &journal, State: state, Final: true})
	if n, err := to.Transfer.Count(t.Context(), transfer.OAuthConsents, m.now); n != 0 || err != nil {
		t.Errorf("got %d consents without a client, want them to be left out: %v", n, err)
	}
}
