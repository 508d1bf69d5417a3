package redisstore

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/session"
)

// A key that says where a record is may have a value that names no tag. Then the record is not taken for one that is
// not there.
func TestUnitPlacesThatNameNoTag(t *testing.T) {
	db := openTest(t, Config{MaxCached: -1})
	const name, user = "a digest of another form", "alice"
	for _, place := range []kind{jwtPlaces, sessionPlaces, oauthGrantPlaces} {
		own := tagOfDigest(name)
		if place == oauthGrantPlaces {
			own = tagOfID(name)
		}
		key := db.key(place, own, name)
		if err := db.client.Do(t.Context(), db.client.B().Set().Key(key).Value("zzz").Build()).Error(); err != nil {
			t.Fatal(err)
		}
	}
	err := db.transact(t.Context(), "test", func(_ context.Context, c *change) error {
		c.addMember(db.key(oauthSessionTags, tagOfID(name), name), "zzz", time.Hour)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	now := endNow().At
	calls := map[string]func() error{
		"the look-up of a refresh token": func() error {
			_, _, err := JWT(db).Find(t.Context(), name)
			return err
		},
		"the check of a refresh token": func() error {
			_, err := JWT(db).Revoked(t.Context(), jwt.Claimed{UserID: user, Digest: name}, now)
			return err
		},
		"a login that replaces a session": func() error {
			_, err := Sessions(db).Add(t.Context(), newSession(user, now), name, 0, false, now)
			return err
		},
		"the look-up of a grant": func() error {
			_, err := OAuth(db).Grant(t.Context(), name)
			return err
		},
		"the end of a grant": func() error {
			_, err := OAuth(db).End(t.Context(), name, now)
			return err
		},
		"the end of a session's grants": func() error {
			_, err := OAuth(db).EndSession(t.Context(), name, now)
			return err
		},
	}
	for call, run := range calls {
		if err := run(); !errors.Is(err, ErrUnreadable) {
			t.Errorf("%s: got error %v, want ErrUnreadable", call, err)
		}
	}
}

// A record that is found by such a key is found for as long as it is good.
func TestUnitPlacesLiveAsLongAsTheirRecords(t *testing.T) {
	db := openTest(t, Config{MaxCached: -1})
	const digest = "a digest of another form"
	ttlOf := func(place kind) time.Duration {
		key := db.key(place, tagOfDigest(digest), digest)
		ttl, err := db.client.Do(t.Context(), db.client.B().Pttl().Key(key).Build()).AsInt64()
		if err != nil {
			t.Fatal(err)
		}
		return time.Duration(ttl) * time.Millisecond
	}
	r := tokenOf("alice")
	r.Digest, r.ExpiresAt = digest, time.Time{}
	mustAdd(t, Knox(db), r)
	if ttl := ttlOf(knoxPlaces); ttl != -time.Millisecond {
		t.Errorf("the place of a token that never expires lives for %v, want for ever", ttl)
	}
	if err := Knox(db).Touch(t.Context(), knox.Touch{Digest: digest, Used: r.Created.Add(time.Minute)}); err != nil {
		t.Fatal(err)
	}
	if ttl := ttlOf(knoxPlaces); ttl != -time.Millisecond {
		t.Errorf("after a use, the place of a token that never expires lives for %v, want for ever", ttl)
	}

	s := newSession("alice", time.Now())
	s.Digest = digest
	addSession(t, Sessions(db), s, nil)
	key := db.key(sessionPlaces, tagOfDigest(digest), digest)
	soon := db.client.B().Pexpire().Key(key).Milliseconds(time.Hour.Milliseconds()).Build()
	if err := db.client.Do(t.Context(), soon).Error(); err != nil { // as if the session had been used for a year
		t.Fatal(err)
	}
	if err := Sessions(db).Touch(t.Context(),
		session.Touch{Digest: digest, Used: s.Created.Add(time.Minute)}); err != nil {
		t.Fatal(err)
	}
	if ttl := ttlOf(sessionPlaces); ttl < tagTTL-time.Minute {
		t.Errorf("after a use, the place of a session lives for %v, want %v", ttl, tagTTL)
	}
}
