package enginetest

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/store/sqlstore"
)

func openJWT(t *testing.T, path string) *sqlstore.JWTStore {
	t.Helper()
	store, err := sqlstore.JWT(t.Context(), openSQLite(t, path))
	if err != nil {
		t.Fatal(err)
	}
	return store
}

func TestRefreshesInTwoProcessesAtOnceAreOneAfterTheOther(t *testing.T) {
	path := filepath.Join(t.TempDir(), "jwt.db")
	handles := []*sqlstore.JWTStore{openJWT(t, path), openJWT(t, path)}
	now := time.Now().UTC().Truncate(time.Microsecond)
	for round := range 5 {
		id := fmt.Sprint(round)
		f := &jwt.Session{ID: id, UserID: "alice", Created: now, LastUsed: now, ExpiresAt: now.Add(time.Hour),
			MaxExpiresAt: now.Add(time.Hour)}
		if _, err := handles[0].Start(t.Context(), f, &jwt.Refresh{Digest: id, SessionID: id, Issued: now,
			ExpiresAt: f.ExpiresAt}, nil, 0, false); err != nil {
			t.Fatal(err)
		}
		verdicts := make(chan jwt.Verdict, 32)
		for i := range 32 {
			go func() {
				rotation, err := handles[i%2].Rotate(t.Context(), id, now, 0,
					&jwt.Refresh{Digest: fmt.Sprint(id, "next", i), SessionID: id, Issued: now, ExpiresAt: f.ExpiresAt})
				if err != nil {
					t.Error(err)
				}
				verdicts <- rotation.Verdict
			}()
		}
		count := map[jwt.Verdict]int{}
		for range 32 {
			count[<-verdicts]++
		}
		if count[jwt.Rotated] != 1 || count[jwt.Reused] != 1 || count[jwt.Revoked] != 30 {
			t.Errorf("%v", count)
		}
		if revoked, err := handles[1].Revoked(t.Context(), jwt.Claimed{SessionID: id, UserID: "alice"},
			now); !revoked || err != nil {
			t.Error(revoked, err)
		}
	}
}

func TestAJWTStatementThatFailsLeavesTheOldStateOrTheNew(t *testing.T) {
	db, f := openFaulty(t)
	store, err := sqlstore.JWT(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().UTC().Truncate(time.Microsecond)
	family := func(user string, i int) *jwt.Session {
		return &jwt.Session{ID: fmt.Sprint(user, i), UserID: user, Created: now.Add(time.Duration(i) * time.Second),
			LastUsed:  now,
			ExpiresAt: now.Add(time.Hour), MaxExpiresAt: now.Add(time.Hour)}
	}
	token := func(user string, i int, name string) *jwt.Refresh {
		return &jwt.Refresh{Digest: fmt.Sprint(user, i, name), SessionID: fmt.Sprint(user, i), Issued: now,
			ExpiresAt: now.Add(time.Hour)}
	}
	// state is which of a user's families are live, with their stamps, which
	// tokens are there and used, and the generation.
	state := func(user string) (all []string) {
		for i := 1; i <= 4; i++ {
			for _, name := range []string{"first", "next"} {
				r, f, err := store.Find(t.Context(), token(user, i, name).Digest)
				if err != nil {
					t.Fatal(err)
				}
				if r != nil {
					all = append(all, fmt.Sprint(i, name, " used ", !r.Rotated.IsZero(), " live ",
						f.Live(now), f.Stamp))
				}
			}
		}
		if r, _, err := store.Find(t.Context(), user+"foreign"); err != nil {
			t.Fatal(err)
		} else if r != nil {
			all = append(all, "foreign")
		}
		void, err := store.Revoked(t.Context(), jwt.Claimed{UserID: user}, now)
		if err != nil {
			t.Fatal(err)
		}
		return append(all, fmt.Sprint("void ", void))
	}
	prepare := func(user string) {
		if _, err := store.Purge(t.Context(), now.Add(2*time.Hour), 100); err != nil {
			t.Fatal(err)
		}
		for i := 1; i <= 3; i++ {
			if _, err := store.Start(t.Context(), family(user, i), token(user, i, "first"), nil, 0, false); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := store.Rotate(t.Context(), token(user, 3, "first").Digest, now, 0,
			token(user, 3, "next")); err != nil {
			t.Fatal(err)
		}
	}
	const one, two = "1first used false live true", "2first used false live true"
	const three, next = "3first used true live true", "3next used false live true"
	adopt := func(user string) error {
		_, err := store.Start(t.Context(), family(user, 4), token(user, 4, "first"),
			&jwt.Refresh{Digest: user + "foreign", Issued: now, ExpiresAt: now.Add(time.Hour)}, 0, false)
		return err
	}
	rotate := func(user string, i int, want jwt.Verdict) error {
		rotation, err := store.Rotate(t.Context(), token(user, i, "first").Digest, now, 0,
			token(user, i, fmt.Sprint("next", map[bool]string{true: "", false: "x"}[i != 3])))
		if (rotation.Verdict == want) != (err == nil) {
			t.Errorf("verdict %d with error %v", rotation.Verdict, err)
		}
		return err
	}
	f.failEach(t, prepare, state, []faultRow{
		{"starting", func(user string) error {
			_, err := store.Start(t.Context(), family(user, 4), token(user, 4, "first"), nil, 0, false)
			return err
		}, []string{one, two, three, next, "4first used false live true", "void false"}, 5},
		{"adopting", adopt, []string{one, two, three, next, "4first used false live true", "foreign", "void false"}, 7},
		{"rotating", func(user string) error { return rotate(user, 1, jwt.Rotated) },
			[]string{"1first used true live true", "1next used false live true", two, three, next, "void false"}, 7},
		{"replaying", func(user string) error { return rotate(user, 3, jwt.Reused) },
			[]string{one, two, "3first used true live false", "3next used false live false", "void false"}, 4},
		{"ending", func(user string) error { _, err := store.Revoke(t.Context(), user, user+"2", now); return err },
			[]string{one, "2first used false live false", three, next, "void false"}, 0},
		{"ending all", func(user string) error {
			_, err := store.RevokeAll(t.Context(), user, "", "", now)
			return err
		},
			[]string{"1first used false live false", "2first used false live false", "3first used true live false",
				"3next used false live false", "void true"}, 6},
		{"ending all others", func(user string) error {
			_, err := store.RevokeAll(t.Context(), user, user+"1", "new", now)
			return err
		},
			[]string{one + "new", "2first used false live false", "3first used true live false",
				"3next used false live false", "void false"}, 5},
		{"purging", func(user string) error {
			purged, err := store.Purge(t.Context(), now.Add(time.Hour+jwt.KeepExpired), 10)
			if (purged == 3) != (err == nil) {
				t.Errorf("%d with error %v", purged, err)
			}
			return err
		}, []string{"void false"}, 6},
	})
}

func TestAKeyStatementThatFailsLeavesTheOldStateOrTheNew(t *testing.T) {
	db, f := openFaulty(t)
	store, err := sqlstore.JWTKeys(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().UTC().Truncate(time.Microsecond)
	last := ""
	state := func(string) (ids []string) {
		all, err := store.Keys(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range all {
			ids = append(ids, fmt.Sprint(r.ID == last, r.SignsFrom.Sub(now)))
		}
		return ids
	}
	prepare := func(user string) {
		all, err := store.Keys(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range all {
			if _, err := store.Remove(t.Context(), r.ID); err != nil {
				t.Fatal(err)
			}
		}
		last = user
		if added, err := store.Add(t.Context(), &jwt.KeyRecord{ID: user, Algorithm: jwt.ES256, Sealed: []byte("x"),
			Created: now, SignsFrom: now}, ""); !added || err != nil {
			t.Fatal(added, err)
		}
	}
	f.failEach(t, prepare, state, []faultRow{
		{"adding", func(user string) error {
			added, err := store.Add(t.Context(), &jwt.KeyRecord{ID: user + "2", Algorithm: jwt.ES256,
				Sealed: []byte("x"), Created: now, SignsFrom: now.Add(time.Hour)}, user)
			if added != (err == nil) {
				t.Errorf("%v with error %v", added, err)
			}
			return err
		}, []string{"true 0s", "false 1h0m0s"}, 4},
		{"changing", func(user string) error {
			_, err := store.Change(t.Context(), &jwt.KeyRecord{ID: user, SignsFrom: now}, now.Add(time.Hour), now)
			return err
		}, []string{"true 1h0m0s"}, 1},
		{"removing", func(user string) error { _, err := store.Remove(t.Context(), user); return err }, nil, 1},
	})
}
