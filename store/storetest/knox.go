package storetest

import (
	"testing"
	"time"

	"github.com/gatewarden/auth/knox"
)

// noon is an instant with microseconds.
var noon = time.Date(2026, 11, 23, 12, 0, 0, 123456000, time.UTC)

// revokedAtNoon is an end at noon of which nothing is kept.
var revokedAtNoon = knox.Ending{Reason: knox.EndRevoked, At: noon}

// Knox checks a [knox.Store].
func Knox(t *testing.T, open func(t *testing.T) knox.Store) {
	checkAspects(t, func(t *testing.T) knoxStore { return knoxStore{t, open(t)} }, []aspect[knoxStore]{
		{"finding", knoxFinding},
		{"listing", knoxListing},
		{"the limit", knoxLimit},
		{"touching", knoxTouching},
		{"revoking", knoxRevoking},
		{"what is kept of ended tokens", knoxEnding},
		{"purging", knoxPurging},
		{"texts", knoxTexts},
	})
}

// knoxStore is a store with the test that uses it.
type knoxStore struct {
	t *testing.T
	knox.Store
}

func (s knoxStore) add(r *knox.Record) {
	s.t.Helper()
	if added, err := s.Add(s.t.Context(), r, 0, false, revokedAtNoon); err != nil || added.OverLimit {
		s.t.Fatalf("Add: %+v, %v, want OverLimit to be false", added, err)
	}
}

func (s knoxStore) find(digest string) *knox.Record {
	s.t.Helper()
	r, err := s.Find(s.t.Context(), digest)
	if err != nil {
		s.t.Fatalf("Find: %v", err)
	}
	return r
}

func (s knoxStore) touch(r *knox.Record, used, expires time.Time) {
	s.t.Helper()
	touch := knox.Touch{Digest: r.Digest, Used: used, ExpiresAt: expires, LiveUntil: r.ExpiresAt}
	if err := s.Touch(s.t.Context(), touch); err != nil {
		s.t.Errorf("Touch: %v", err)
	}
}

func (s knoxStore) list(userID string, now time.Time) []string {
	s.t.Helper()
	return s.page(userID, "", 1000, now)
}

func (s knoxStore) page(userID, after string, limit int, now time.Time) []string {
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

// ended returns all that is kept of a user's ended tokens.
func (s knoxStore) ended(userID string) []*knox.EndedToken {
	s.t.Helper()
	ended, err := s.Ended(s.t.Context(), userID, time.Time{}, 1000)
	if err != nil {
		s.t.Fatalf("Ended: %v", err)
	}
	return ended
}

// end adds a record of a user and ends it at an instant.
func (s knoxStore) end(userID, id string, at time.Time) {
	s.t.Helper()
	s.add(record(userID, id, 0))
	if found, err := s.Revoke(s.t.Context(), userID, id,
		knox.Ending{Reason: knox.EndRevoked, At: at, Keep: true}); !found || err != nil {
		s.t.Fatalf("Revoke: %v, %v, want true", found, err)
	}
}

// record returns a record that was created some time after noon and lives for
// ten hours.
func record(user, id string, after time.Duration) *knox.Record {
	created := noon.Add(after)
	return &knox.Record{Digest: "digest of " + user + id, ID: id, UserID: user, Created: created,
		ExpiresAt: created.Add(10 * time.Hour)}
}

// normal makes records comparable: no slice is an empty one, times are UTC.
func normal(r *knox.Record) knox.Record {
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

// normalEnded is normal for what is kept of an ended record.
func normalEnded(e *knox.EndedToken) knox.EndedToken {
	n := *e
	if len(n.Scopes) == 0 {
		n.Scopes = nil
	}
	for _, at := range []*time.Time{&n.Created, &n.LastUsed, &n.EndedAt} {
		*at = at.UTC()
	}
	return n
}

// revoke ends a record, and reports whether it was there.
func (s knoxStore) revoke(userID, id string, end knox.Ending) bool {
	s.t.Helper()
	found, err := s.Revoke(s.t.Context(), userID, id, end)
	if err != nil {
		s.t.Errorf("Revoke: %v", err)
	}
	return found
}

// revokeAll ends the records of a user, and returns the identifiers of those that it ended.
func (s knoxStore) revokeAll(userID, kept, stamp string, end knox.Ending) []string {
	s.t.Helper()
	ids, err := s.RevokeAll(s.t.Context(), userID, kept, stamp, end)
	if err != nil {
		s.t.Errorf("RevokeAll: %v", err)
	}
	return ids
}
