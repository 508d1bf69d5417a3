package redisstore

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/internal/testserver"
	"github.com/gatewarden/auth/oauth2/external"
)

const testIssuer = "https://accounts.example"

// externalTest is a store with the test that uses it.
type externalTest struct {
	jwtTest
	external.Store
}

func newExternalTest(t *testing.T, db *DB) externalTest {
	return externalTest{jwtTest{t: t, db: db, now: backend.StoreTime(time.Now())}, External(db)}
}

func (e externalTest) identity(user, id string) *external.Identity {
	return &external.Identity{ID: id, UserID: user, Issuer: testIssuer, Subject: id, Provider: "accounts",
		Created: e.now, LastUsed: e.now}
}

func (e externalTest) must(err error) {
	e.t.Helper()
	if err != nil {
		e.t.Fatal(err)
	}
}

// fill links two identities of alice, the first of them confirmed, and adds a reservation, a code and a used key.
func (e externalTest) fill() {
	e.t.Helper()
	hour := e.now.Add(time.Hour)
	for _, subject := range []string{"1", "3"} {
		_, _, err := e.Reserve(e.t.Context(), &external.Reservation{ID: "of " + subject, Issuer: testIssuer,
			Subject: subject, ExpiresAt: hour}, e.now)
		e.must(err)
	}
	_, linked, err := e.Confirm(e.t.Context(), "of 1", e.identity("alice", "1"), e.now)
	if e.must(err); !linked {
		e.t.Fatal("not confirmed")
	}
	_, linked, err = e.Link(e.t.Context(), e.identity("alice", "2"))
	if e.must(err); !linked {
		e.t.Fatal("not linked")
	}
	e.must(e.AddCode(e.t.Context(), &external.Code{Digest: "code", UserID: "alice", ExpiresAt: hour}))
	fresh, err := e.PutOnce(e.t.Context(), "once", hour, e.now)
	if e.must(err); !fresh {
		e.t.Fatal("not fresh")
	}
}

func TestExternalKeysExpire(t *testing.T) {
	e := newExternalTest(t, openTest(t, Config{MaxCached: -1}))
	e.fill()
	endless := []kind{externalIdentities, externalIDs, externalLists}
	seen := map[kind]int{}
	for key, left := range e.keys() {
		k := kind(key[:2])
		seen[k]++
		want := time.Hour + slack
		switch {
		case slices.Contains(endless, k):
			if left >= 0 {
				t.Errorf("%s lives %v, want no end", key, left)
			}
			continue
		case k == externalVersion:
			want = versionTTL
		}
		if left < want-time.Minute || left > want {
			t.Errorf("%s lives %v, want %v", key, left, want)
		}
	}
	if seen[externalIdentities] != 2 || seen[externalIDs] != 2 || seen[externalReserved] != 1 ||
		seen[externalReservedIDs] != 1 || seen[externalCodes] != 1 || seen[externalOnce] != 1 {
		t.Errorf("got keys %v", seen)
	}
	if n, err := e.Purge(t.Context(), e.now.Add(time.Hour), 100); n != 3 || err != nil {
		t.Errorf("got %d, %v, want a reservation, a code and a used key", n, err)
	}
	if n, err := e.RemoveUser(t.Context(), "alice"); n != 2 || err != nil {
		t.Errorf("got %d, %v, want 2", n, err)
	}
	for key := range e.keys() {
		if k := kind(key[:2]); k != externalVersion && k[0] == 'x' {
			t.Errorf("a purge and RemoveUser left %s", key)
		}
	}
}

func TestExternalRemovesTheCodesOfAUser(t *testing.T) {
	e := newExternalTest(t, openTest(t, Config{MaxCached: -1}))
	for _, user := range []string{"alice", "bob"} {
		code := &external.Code{Digest: "of " + user, UserID: user, ExpiresAt: e.now.Add(time.Hour)}
		e.must(e.AddCode(t.Context(), code))
	}
	_, err := e.RemoveUser(t.Context(), "alice")
	e.must(err)
	for user, want := range map[string]bool{"alice": false, "bob": true} {
		if code, err := e.TakeCode(t.Context(), "of "+user, e.now); (code != nil) != want || err != nil {
			t.Errorf("got %+v, %v of %s, want a code: %v", code, err, user, want)
		}
	}
}

func TestExternalUnreadable(t *testing.T) {
	calls := map[string]func(e externalTest) error{
		"Identity": func(e externalTest) error {
			_, err := e.Identity(e.t.Context(), testIssuer, "1")
			return err
		},
		"Identities": func(e externalTest) error {
			_, err := e.Identities(e.t.Context(), "alice")
			return err
		},
		"Link": func(e externalTest) error {
			_, _, err := e.Link(e.t.Context(), e.identity("bob", "1"))
			return err
		},
		"Touch": func(e externalTest) error { return e.Touch(e.t.Context(), e.identity("alice", "1")) },
		"Unlink": func(e externalTest) error {
			_, _, err := e.Unlink(e.t.Context(), "alice", "1", true)
			return err
		},
		"RemoveUser": func(e externalTest) error {
			_, err := e.RemoveUser(e.t.Context(), "alice")
			return err
		},
		"TakeCode": func(e externalTest) error {
			_, err := e.TakeCode(e.t.Context(), "code", e.now)
			return err
		},
		"PutOnce": func(e externalTest) error {
			_, err := e.PutOnce(e.t.Context(), "once", e.now, e.now)
			return err
		},
		"Reserve": func(e externalTest) error {
			_, _, err := e.Reserve(e.t.Context(), &external.Reservation{ID: "of 3", Issuer: testIssuer,
				Subject: "3", ExpiresAt: e.now.Add(2 * time.Hour)}, e.now)
			return err
		},
		"Confirm": func(e externalTest) error {
			_, _, err := e.Confirm(e.t.Context(), "of 3", e.identity("alice", "3"), e.now)
			return err
		},
		"Purge": func(e externalTest) error {
			_, err := e.Purge(e.t.Context(), e.now.Add(time.Hour), 10)
			return err
		},
	}
	for _, row := range []struct {
		kind  kind
		name  string
		fails string
	}{
		{externalIdentities, "1", "Identity Identities Link Touch Unlink RemoveUser"},
		{externalLists, "alice", "Identities Unlink RemoveUser"},
		{externalReserved, "3", "Reserve Confirm Purge"},
		{externalCodes, "code", "TakeCode RemoveUser Purge"},
		{externalCodeLists, "alice", "RemoveUser"},
		{externalOnce, "once", "PutOnce Purge"},
		{externalOnceEnd, "", "Purge"},
	} {
		index := slices.Contains([]kind{externalLists, externalCodeLists, externalOnceEnd}, row.kind)
		for _, value := range []string{"type", "{", `{"v":1,"later":1}`} {
			if index && value != "type" {
				continue
			}
			for _, name := range strings.Fields(row.fails) {
				t.Run(fmt.Sprintf("%s of %s as %s", name, row.kind, value), func(t *testing.T) {
					e := newExternalTest(t, openTest(t, Config{MaxCached: -1}))
					e.fill()
					key := e.keyEnding(row.kind, row.name)
					if e.do("DEL", key); value == "type" {
						e.do("LPUSH", key, "x")
					} else {
						e.do("SET", key, value)
					}
					if err := calls[name](e); err == nil || value != "type" && !errors.Is(err, ErrUnreadable) {
						t.Errorf("got %v, want an error that says so", err)
					}
				})
			}
		}
	}
}

// keyEnding returns the name of the key of a kind that ends so.
func (e externalTest) keyEnding(k kind, end string) string {
	e.t.Helper()
	for key := range e.keys() {
		if strings.HasPrefix(key, string(k)+":") && strings.HasSuffix(key, end) {
			return e.db.config.Prefix + key
		}
	}
	e.t.Fatalf("no key of kind %s ends with %q", k, end)
	return ""
}

func TestExternalFullMemory(t *testing.T) {
	node := testserver.NewRedis(t)
	e := newExternalTest(t, testRedis{optionOf(t, node), "x:"}.open(t, Config{MaxCached: -1}))
	e.fill()
	node.Do(t, "CONFIG", "SET", "maxmemory", "1")
	if fresh, err := e.PutOnce(t.Context(), "new", e.now.Add(time.Hour), e.now); fresh || err == nil {
		t.Errorf("got %v, %v, want an error, since a use cannot be noted", fresh, err)
	}
	if fresh, err := e.PutOnce(t.Context(), "once", e.now.Add(time.Hour), e.now); fresh {
		t.Errorf("got %v, %v for a used key", fresh, err)
	}
	if code, err := e.TakeCode(t.Context(), "code", e.now); code == nil || err != nil {
		t.Errorf("got %v, %v, want the code", code, err)
	}
	if _, verdict, err := e.Unlink(t.Context(), "alice", "1", true); verdict != external.UnlinkRemoved || err != nil {
		t.Errorf("got %v, %v, want it removed", verdict, err)
	}
	if n, err := e.RemoveUser(t.Context(), "alice"); n != 1 || err != nil {
		t.Errorf("got %d, %v, want 1", n, err)
	}
}

// TestExternalAccounts checks that no two accounts have one key.
func TestExternalAccounts(t *testing.T) {
	seen := map[string]bool{}
	for _, account := range [][2]string{{"a", "bc"}, {"ab", "c"}, {"", "abc"}, {"1:a", ""}, {"", "1:a"}, {"a", ":"},
		{"a:", ""}} {
		key := accountOf(account[0], account[1])
		if seen[key] {
			t.Errorf("%q has the key of another account", account)
		}
		seen[key] = true
	}
}

// TestExternalAddedMeanwhile checks that a removal of a user which read all that the user has misses nothing.
func TestExternalAddedMeanwhile(t *testing.T) {
	e := newExternalTest(t, openTest(t, Config{MaxCached: -1}))
	s := &externalStore{e.db}
	for name, add := range map[string]func() error{
		"identity": func() error { _, _, err := e.Link(t.Context(), e.identity("alice", "1")); return err },
		"code": func() error {
			return e.AddCode(t.Context(), &external.Code{Digest: "c", UserID: "alice", ExpiresAt: e.now.Add(time.Hour)})
		},
	} {
		c := newChange(e.db)
		if _, err := s.ofUser(t.Context(), c, "alice"); err != nil {
			t.Fatal(err)
		}
		e.must(s.removeCodes(t.Context(), c, "alice"))
		e.must(add())
		if written, err := c.commit(t.Context()); written || err != nil {
			t.Errorf("got %v, %v, want false, since this was added: %s", written, err, name)
		}
	}
}
