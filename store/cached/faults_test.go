package cached_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/oauth2/server"
	"github.com/gatewarden/auth/store/cached"
)

var errLost = errors.New("the connection was lost after the commit")

// lossy are stores that do what they are asked, and return errLost for it if lost is set.
type (
	lossyJWT struct {
		countedJWT
		lost bool
	}
	lossyOAuth struct {
		server.Store
		lost bool
	}
)

func lose(lost bool, err error) error {
	if lost {
		return errors.Join(err, errLost)
	}
	return err
}

func (s *lossyJWT) Start(ctx context.Context, family *jwt.Session, first, adopted *jwt.Refresh, limit int,
	evict bool) (jwt.Started, error) {
	started, err := s.Store.Start(ctx, family, first, adopted, limit, evict)
	if err := lose(s.lost, err); err != nil {
		return jwt.Started{}, err
	}
	return started, nil
}

func (s *lossyJWT) Use(ctx context.Context, digest string, now, ends time.Time) (jwt.Rotation, error) {
	rotation, err := s.Store.Use(ctx, digest, now, ends)
	if err := lose(s.lost, err); err != nil {
		return jwt.Rotation{}, err
	}
	return rotation, nil
}

func (s *lossyOAuth) EndSession(ctx context.Context, sessionID string, now time.Time) ([]server.EndedGrant, error) {
	ended, err := s.Store.EndSession(ctx, sessionID, now)
	if err := lose(s.lost, err); err != nil {
		return nil, err
	}
	return ended, nil
}

func TestUnitALoginOfJWTsThatEndsWithoutItsUserBeingNamed(t *testing.T) {
	now := time.Now()
	family := func(id, userID string) *jwt.Session {
		return &jwt.Session{ID: id, UserID: userID, Created: now, ExpiresAt: now.Add(time.Hour)}
	}
	refresh := func(digest, familyID string) *jwt.Refresh {
		return &jwt.Refresh{Digest: digest, SessionID: familyID, Issued: now, ExpiresAt: now.Add(time.Hour)}
	}
	adopt := func(t *testing.T, store jwt.Store) error {
		_, err := store.Start(t.Context(), family("2", "bob"), refresh("bob", "2"), refresh("foreign", "2"), 0, false)
		return err
	}
	reuse := func(t *testing.T, store jwt.Store) error {
		if _, err := store.Rotate(t.Context(), "first", now, 0, refresh("second", "1")); err != nil {
			t.Fatal(err)
		}
		_, err := store.Use(t.Context(), "first", now, now.Add(time.Hour))
		return err
	}
	for name, row := range map[string]struct {
		lost bool
		end  func(t *testing.T, store jwt.Store) error
	}{
		"by a token of another system that is taken over again by another user":         {false, adopt},
		"by a token of another system that is taken over again, and the answer is lost": {true, adopt},
		"by a token that is used again, and the answer is lost":                         {true, reuse},
	} {
		t.Run(name, func(t *testing.T) {
			below := &lossyJWT{countedJWT: countedJWT{Store: jwt.NewMemoryStore()}}
			store := must[*cached.JWTStore](t)(cached.JWT(below, minute))
			others := []string{"carol", "dave", "erin"}
			for _, other := range others {
				_, err := store.Start(t.Context(), family(other, other), refresh(other, other), nil, 0, false)
				if err != nil {
					t.Fatal(err)
				}
			}
			askedForOthers := func() int {
				before := below.asked
				for _, other := range others {
					access := jwt.Claimed{UserID: other, SessionID: other, IssuedAt: now}
					if revoked, err := store.Revoked(t.Context(), access, now); revoked || err != nil {
						t.Errorf("got %v, %v, want the login of %s", revoked, err, other)
					}
				}
				return below.asked - before
			}
			askedForOthers()
			alice, foreign := family("1", "alice"), refresh("foreign", "1")
			if _, err := store.Start(t.Context(), alice, refresh("first", "1"), foreign, 0, false); err != nil {
				t.Fatal(err)
			}
			access := jwt.Claimed{SessionID: "1", UserID: "alice", IssuedAt: now}
			revoked := func(want bool) {
				t.Helper()
				if got, err := store.Revoked(t.Context(), access, now); got != want || err != nil {
					t.Errorf("got %v, %v, want that the access token is revoked: %v", got, err, want)
				}
			}
			revoked(false)
			below.lost = row.lost
			if err := row.end(t, store); row.lost != errors.Is(err, errLost) {
				t.Errorf("got %v, want that the answer is lost: %v", err, row.lost)
			}
			revoked(true)
			// One may share a slot with a user that is forgotten.
			if got := askedForOthers(); got == len(others) {
				t.Errorf("the store was asked for each of %v, want that they are kept", others)
			}
		})
	}
}

func TestUnitAnAccessTokenOfASessionThatEndsWithoutAnAnswer(t *testing.T) {
	now := time.Now().UTC().Truncate(time.Microsecond)
	below := &lossyOAuth{Store: server.NewMemoryStore()}
	store := must[*cached.OAuthStore](t)(cached.OAuth(below, minute))
	if _, err := store.AddClient(t.Context(), &server.Client{ID: "web", Created: now, Updated: now}, 0); err != nil {
		t.Fatal(err)
	}
	grant := &server.Grant{ID: "1", ClientID: "web", UserID: "alice", SessionID: "s", Created: now,
		ExpiresAt: now.Add(time.Hour), MaxExpiresAt: now.Add(time.Hour)}
	tokens := server.Tokens{
		Access:  &server.Access{Digest: "a", ID: "a", GrantID: "1", Issued: now, ExpiresAt: now.Add(time.Hour)},
		Refresh: &server.Refresh{Digest: "r", GrantID: "1", Issued: now, ExpiresAt: now.Add(time.Hour)}}
	if added, err := store.Start(t.Context(), grant, tokens, 0, false); !added.OK() || err != nil {
		t.Fatalf("Start: got %v, %v, want OK", added, err)
	}
	find := func(want bool) {
		t.Helper()
		access, grant, err := store.FindAccess(t.Context(), "a")
		if got := access != nil && grant.Live(time.Now()); got != want || err != nil {
			t.Errorf("got %+v of %+v, %v, want a good token: %v", access, grant, err, want)
		}
	}
	find(true)
	below.lost = true
	if _, err := store.EndSession(t.Context(), "s", now); !errors.Is(err, errLost) {
		t.Errorf("got %v, want %v", err, errLost)
	}
	find(false)
}
