package enginetest

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/gatewarden/auth/oauth2/external"
	"github.com/gatewarden/auth/store/sqlstore"
)

func openLogin(t testing.TB, path string) *sqlstore.ExternalStore {
	t.Helper()
	store, err := sqlstore.External(t.Context(), openSQLite(t, path))
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// loginIdentity is one of a user's; its subject is its ID.
func loginIdentity(user, id string, now time.Time) *external.Identity {
	return &external.Identity{ID: user + id, UserID: user, Issuer: "https://accounts.example", Subject: user + id,
		Name: id, Created: now, LastUsed: now}
}

func loginCode(user, id string, now time.Time) *external.Code {
	return &external.Code{Digest: user + id, UserID: user, Data: []byte("{}"), ExpiresAt: now.Add(time.Minute)}
}

func loginReservation(user, id string, now time.Time) *external.Reservation {
	return &external.Reservation{ID: user + id, Issuer: "https://accounts.example", Subject: user + id,
		ExpiresAt: now.Add(time.Hour)}
}

func TestLoginsInTwoProcessesAtOnceHaveOneOwner(t *testing.T) {
	path := filepath.Join(t.TempDir(), "login.db")
	handles := []*sqlstore.ExternalStore{openLogin(t, path), openLogin(t, path)}
	now := time.Now().UTC().Truncate(time.Microsecond)
	type told struct {
		owner string
		taken bool
	}
	for round := range 5 {
		subject := fmt.Sprint("contended", round)
		if err := handles[0].AddCode(t.Context(), loginCode("alice", subject, now)); err != nil {
			t.Fatal(err)
		}
		answers := make(chan told, 32)
		for i := range 32 {
			go func() {
				identity := loginIdentity(fmt.Sprint("user", i), subject, now)
				identity.Subject = subject
				owner, _, err := handles[i%2].Link(t.Context(), identity)
				if err != nil {
					t.Error(err)
				}
				code, err := handles[i%2].TakeCode(t.Context(), "alice"+subject, now)
				if err != nil {
					t.Error(err)
				}
				answers <- told{owner, code != nil}
			}()
		}
		owners, taken := map[string]int{}, 0
		for range 32 {
			answer := <-answers
			if owners[answer.owner]++; answer.taken {
				taken++
			}
		}
		found, err := handles[1].Identity(t.Context(), "https://accounts.example", subject)
		if err != nil || found == nil || owners[found.UserID] != 32 || taken != 1 {
			t.Errorf("owners %v, taken %d times: %+v, %v", owners, taken, found, err)
		}
	}
}

func TestALoginStatementThatFailsLeavesTheOldStateOrTheNew(t *testing.T) {
	db, f := openFaulty(t)
	store, err := sqlstore.External(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	ctx, now := t.Context(), time.Now().UTC().Truncate(time.Microsecond)
	// state is what is there of a user: identities as what was told of them, codes
	// and keys, which a store gives but once.
	state := func(user string) (all []string) {
		identities, err := store.Identities(ctx, user)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range identities {
			all = append(all, i.Name)
		}
		rows, err := db.Reader().QueryContext(ctx, `
			SELECT 'code ' || substr(digest, $1 + 1) FROM gatewarden_login_codes WHERE user_id = $2
			UNION ALL SELECT 'key ' || substr(key, $1 + 1) FROM gatewarden_login_once WHERE substr(key, 1, $1) = $2
			UNION ALL SELECT 'reserved ' || substr(id, $1 + 1) FROM gatewarden_login_reservations
				WHERE substr(id, 1, $1) = $2 ORDER BY 1`, len(user), user)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		for rows.Next() {
			var text string
			if err := rows.Scan(&text); err != nil {
				t.Fatal(err)
			}
			all = append(all, text)
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		return all
	}
	prepare := func(user string) {
		// Purging takes those of all users.
		if _, err := store.Purge(ctx, now.Add(time.Hour), 1000); err != nil {
			t.Fatal(err)
		}
		for _, id := range []string{"1", "2"} {
			if _, _, err := store.Link(ctx, loginIdentity(user, id, now)); err != nil {
				t.Fatal(err)
			}
		}
		if err := store.AddCode(ctx, loginCode(user, "c", now)); err != nil {
			t.Fatal(err)
		}
		if _, err := store.PutOnce(ctx, user+"k", now.Add(time.Minute), now); err != nil {
			t.Fatal(err)
		}
		if _, _, err := store.Reserve(ctx, loginReservation(user, "r", now), now); err != nil {
			t.Fatal(err)
		}
	}
	check := func(ok bool, err error) error {
		if ok == (err != nil) {
			t.Errorf("done %v with error %v", ok, err)
		}
		return err
	}
	f.failEach(t, prepare, state, []faultRow{
		{"linking", func(user string) error {
			owner, linked, err := store.Link(ctx, loginIdentity(user, "3", now))
			return check(owner == user && linked, err)
		}, []string{"1", "2", "3", "code c", "key k", "reserved r"}, 4},
		{"linking what is there", func(user string) error {
			identity := loginIdentity(user, "1", now)
			identity.UserID = "another"
			owner, _, err := store.Link(ctx, identity)
			return check(owner == user, err)
		}, []string{"1", "2", "code c", "key k", "reserved r"}, 3},
		{"touching", func(user string) error {
			identity := loginIdentity(user, "1", now)
			identity.Name = "touched"
			return store.Touch(ctx, identity)
		}, []string{"touched", "2", "code c", "key k", "reserved r"}, 1},
		{"unlinking", func(user string) error {
			removed, verdict, err := store.Unlink(ctx, user, user+"1", true)
			if (removed != nil) != (err == nil) {
				t.Errorf("removed %+v with error %v", removed, err)
			}
			return check(verdict == external.UnlinkRemoved, err)
		}, []string{"2", "code c", "key k", "reserved r"}, 5},
		{"removing a user", func(user string) error {
			n, err := store.RemoveUser(ctx, user)
			return check(n == 2, err)
		}, []string{"key k", "reserved r"}, 4},
		{"putting a key", func(user string) error {
			return check(store.PutOnce(ctx, user+"new", now.Add(time.Minute), now))
		}, []string{"1", "2", "code c", "key k", "key new", "reserved r"}, 4},
		{"putting a key that expired", func(user string) error {
			return check(store.PutOnce(ctx, user+"k", now.Add(time.Hour), now.Add(time.Minute)))
		}, []string{"1", "2", "code c", "key k", "reserved r"}, 4},
		{"adding a code", func(user string) error { return store.AddCode(ctx, loginCode(user, "new", now)) },
			[]string{"1", "2", "code c", "code new", "key k", "reserved r"}, 1},
		{"taking a code", func(user string) error {
			taken, err := store.TakeCode(ctx, user+"c", now)
			return check(taken != nil, err)
		}, []string{"1", "2", "key k", "reserved r"}, 4},
		{"purging", func(user string) error {
			n, err := store.Purge(ctx, now.Add(time.Minute), 10)
			return check(n == 2, err)
		}, []string{"1", "2", "reserved r"}, 5},
		{"reserving", func(user string) error {
			id, _, err := store.Reserve(ctx, loginReservation(user, "new", now), now)
			return check(id == user+"new", err)
		}, []string{"1", "2", "code c", "key k", "reserved new", "reserved r"}, 5},
		{"reserving what is reserved", func(user string) error {
			again := loginReservation(user, "r", now)
			again.ID = user + "again"
			id, _, err := store.Reserve(ctx, again, now)
			return check(id == user+"r", err)
		}, []string{"1", "2", "code c", "key k", "reserved r"}, 5},
		{"reserving what has expired", func(user string) error {
			again := loginReservation(user, "r", now)
			again.ID = user + "again"
			id, _, err := store.Reserve(ctx, again, now.Add(time.Hour))
			return check(id == again.ID, err)
		}, []string{"1", "2", "code c", "key k", "reserved again"}, 5},
		{"confirming", func(user string) error {
			identity := loginIdentity(user, "r", now)
			owner, linked, err := store.Confirm(ctx, user+"r", identity, now)
			return check(owner == user && linked, err)
		}, []string{"1", "2", "r", "code c", "key k"}, 5},
	})
}
