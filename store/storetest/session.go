package storetest

import (
	"testing"
	"time"

	"github.com/gatewarden/auth/session"
)

// Sessions checks a [session.Store].
func Sessions(t *testing.T, open func(t *testing.T) session.Store) {
	checkAspects(t, func(t *testing.T) sessionStore { return sessionStore{t, open(t)} }, []aspect[sessionStore]{
		{"finding", sessionFinding},
		{"listing", sessionListing},
		{"the limit", sessionLimit},
		{"touching", sessionTouching},
		{"replacing", sessionReplacing},
		{"revoking", sessionRevoking},
		{"logout against requests in flight", sessionLogoutRaces},
		{"purging", sessionPurging},
		{"texts", sessionTexts},
	})
}

// sessionStore is a store with the test that uses it.
type sessionStore struct {
	t *testing.T
	session.Store
}

func (s sessionStore) add(r *session.Record) {
	s.t.Helper()
	if added, err := s.Add(s.t.Context(), r, "", 0, false, noon); err != nil || added.OverLimit {
		s.t.Fatalf("Add: %+v, %v, want OverLimit to be false", added, err)
	}
}

func (s sessionStore) find(digest string) *session.Record {
	s.t.Helper()
	r, err := s.Find(s.t.Context(), digest)
	if err != nil {
		s.t.Fatalf("Find: %v", err)
	}
	return r
}

func (s sessionStore) touch(r *session.Record, used, expires time.Time) {
	s.t.Helper()
	touch := session.Touch{Digest: r.Digest, Used: used, ExpiresAt: expires, LiveUntil: r.ExpiresAt}
	if err := s.Touch(s.t.Context(), touch); err != nil {
		s.t.Errorf("Touch: %v", err)
	}
}

func (s sessionStore) list(userID string, now time.Time) []string {
	s.t.Helper()
	return s.page(userID, "", 1000, now)
}

func (s sessionStore) page(userID, after string, limit int, now time.Time) []string {
	s.t.Helper()
	records, err := s.List(s.t.Context(), userID, after, limit, now)
	if err != nil {
		s.t.Fatalf("List: %v", err)
	}
	ids := []string{}
	for _, r := range records {
		ids = append(ids, r.ID)
	}
	return ids
}

// sessionRecord returns a session that was started some time after noon, and
// ends an hour later unless it is used.
func sessionRecord(user, id string, after time.Duration) *session.Record {
	created := noon.Add(after)
	return &session.Record{Digest: "digest of " + user + id, ID: id, UserID: user, Created: created, LastUsed: created,
		ExpiresAt: created.Add(time.Hour), Idle: time.Hour, MaxExpiresAt: created.Add(24 * time.Hour)}
}

// normalSession makes records comparable: no slice is an empty one, times are
// UTC.
func normalSession(r *session.Record) session.Record {
	if r == nil {
		return session.Record{}
	}
	n := *r
	if len(n.Scopes) == 0 {
		n.Scopes = nil
	}
	if len(n.AuthInfo.AMR) == 0 {
		n.AuthInfo.AMR = nil
	}
	for _, at := range []*time.Time{&n.Created, &n.ExpiresAt, &n.MaxExpiresAt, &n.LastUsed, &n.AuthInfo.AuthTime} {
		*at = at.UTC()
	}
	return n
}

// replace moves a session to a successor, and reports whether it did.
func (s sessionStore) replace(digest string, successor *session.Record) bool {
	s.t.Helper()
	replaced, err := s.Replace(s.t.Context(), digest, successor, noon)
	if err != nil {
		s.t.Errorf("Replace: %v", err)
	}
	return replaced
}

// wantRevoked revokes a session, and fails if it is not there.
func (s sessionStore) wantRevoked(userID, id string) {
	s.t.Helper()
	if found, err := s.Revoke(s.t.Context(), userID, id); !found || err != nil {
		s.t.Errorf("Revoke: %v, %v, want true", found, err)
	}
}
