package storetest

import (
	"testing"
	"time"

	"github.com/gatewarden/auth/jwt"
)

// JWT checks a [jwt.Store].
func JWT(t *testing.T, open func(t *testing.T) jwt.Store) {
	checkAspects(t, func(t *testing.T) jwtStore { return jwtStore{t, open(t)} }, []aspect[jwtStore]{
		{"sessions", jwtFamilies},
		{"the limit", jwtLimit},
		{"rotation", jwtRotation},
		{"the grace", jwtGrace},
		{"adoption", jwtAdoption},
		{"tokens that stay good", jwtKept},
		{"ending", jwtEnding},
		{"revocation", jwtRevocation},
		{"purging", jwtPurging},
		{"purging what ended", jwtPurgingEnded},
		{"texts", jwtTexts},
	})
}

// jwtStore is a store with the test that uses it.
type jwtStore struct {
	t *testing.T
	jwt.Store
}

// start starts a session. The digest of its first token is the ID and " first".
func (s jwtStore) start(user, id string, after time.Duration) *jwt.Session {
	s.t.Helper()
	f := jwtSession(user, id, after)
	if _, err := s.Start(s.t.Context(), f, jwtToken(f, "first"), nil, 0, false); err != nil {
		s.t.Fatal(err)
	}
	return f
}

func (s jwtStore) find(digest string) (*jwt.Refresh, *jwt.Session) {
	s.t.Helper()
	r, f, err := s.Find(s.t.Context(), digest)
	if err != nil {
		s.t.Fatal(err)
	}
	return r, f
}

// rotate uses a token, for a successor of the name next, which lives an hour.
func (s jwtStore) rotate(old, next string, now time.Time, grace time.Duration, want jwt.Verdict) jwt.Rotation {
	s.t.Helper()
	r, f := s.find(old)
	if r == nil {
		s.t.Fatalf("there is no token %q", old)
	}
	successor := &jwt.Refresh{Digest: f.ID + " " + next, SessionID: f.ID, Issued: now, ExpiresAt: now.Add(time.Hour),
		Sealed: []byte("sealed " + next)}
	rotation, err := s.Rotate(s.t.Context(), old, now, grace, successor)
	if err != nil || rotation.Verdict != want {
		s.t.Errorf("%s at %v: verdict %d, want %d; %v", old, now.Sub(noon), rotation.Verdict, want, err)
	}
	return rotation
}

func (s jwtStore) revoked(sentence string, c jwt.Claimed, now time.Time, want bool) {
	s.t.Helper()
	if got, err := s.Revoked(s.t.Context(), c, now); got != want || err != nil {
		s.t.Errorf("%s: revoked %v, want %v; %v", sentence, got, want, err)
	}
}

func (s jwtStore) list(userID string, now time.Time) []string {
	s.t.Helper()
	return s.page(userID, "", 1000, now)
}

func (s jwtStore) page(userID, after string, limit int, now time.Time) []string {
	s.t.Helper()
	all, err := s.List(s.t.Context(), userID, after, limit, now)
	if err != nil {
		s.t.Fatal(err)
	}
	var ids []string
	for _, f := range all {
		if f.UserID != userID {
			s.t.Errorf("listed one of %q for %q", f.UserID, userID)
		}
		ids = append(ids, f.ID)
	}
	return ids
}

// jwtSession is a session that began after noon, and lives an hour.
func jwtSession(user, id string, after time.Duration) *jwt.Session {
	created := noon.Add(after)
	return &jwt.Session{ID: id, UserID: user, Created: created, LastUsed: created, ExpiresAt: created.Add(time.Hour),
		MaxExpiresAt: created.Add(24 * time.Hour)}
}

func jwtToken(f *jwt.Session, name string) *jwt.Refresh {
	return &jwt.Refresh{Digest: f.ID + " " + name, SessionID: f.ID, Issued: f.Created, ExpiresAt: f.ExpiresAt}
}

// normalJWTSession is a session with empty slices for nil ones, which mean the same.
func normalJWTSession(f *jwt.Session) jwt.Session {
	normal := *f
	normal.Scopes = append([]string{}, f.Scopes...)
	normal.AuthInfo.AMR = append([]string{}, f.AuthInfo.AMR...)
	return normal
}
