package redisstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/internal/testserver"
	"github.com/gatewarden/auth/jwt"
)

// jwtTest is a store with the test that uses it.
type jwtTest struct {
	t  *testing.T
	db *DB
	jwt.Store
	now time.Time
}

func newJWTTest(t *testing.T, db *DB) jwtTest {
	return jwtTest{t, db, JWT(db), time.Now().UTC().Truncate(time.Second)}
}

// start starts a family of an hour, which adopts a token unless its digest is "".
func (j jwtTest) start(user, id, adopted string) jwt.Started {
	j.t.Helper()
	f := &jwt.Session{ID: id, UserID: user, Created: j.now, LastUsed: j.now, ExpiresAt: j.now.Add(time.Hour),
		MaxExpiresAt: j.now.Add(24 * time.Hour)}
	var foreign *jwt.Refresh
	if adopted != "" {
		foreign = &jwt.Refresh{Digest: adopted, Issued: j.now, ExpiresAt: f.ExpiresAt}
	}
	started, err := j.Start(j.t.Context(), f, j.token(id, "first"), foreign, 0, false)
	if err != nil {
		j.t.Fatal(err)
	}
	return started
}

func (j jwtTest) token(id, name string) *jwt.Refresh {
	return &jwt.Refresh{Digest: id + " " + name, SessionID: id, Issued: j.now, ExpiresAt: j.now.Add(time.Hour)}
}

// verdict rotates the first token of a family.
func (j jwtTest) verdict(id string, want jwt.Verdict) {
	j.t.Helper()
	got, err := j.Rotate(j.t.Context(), id+" first", j.now, 0, j.token(id, "second"))
	if err != nil || got.Verdict != want {
		j.t.Errorf("got verdict %d, %v for %s, want %d", got.Verdict, err, id, want)
	}
}

// keys returns the time to live of all keys under the prefix.
func (j jwtTest) keys() map[string]time.Duration {
	j.t.Helper()
	all := map[string]time.Duration{}
	for _, node := range j.db.client.Nodes() {
		found, err := node.Do(j.t.Context(), node.B().Keys().Pattern(j.db.config.Prefix+"*").Build()).AsStrSlice()
		if err != nil {
			j.t.Fatal(err)
		}
		for _, key := range found {
			left, err := node.Do(j.t.Context(), node.B().Pttl().Key(key).Build()).AsInt64()
			if err != nil {
				j.t.Fatal(err)
			}
			all[strings.TrimPrefix(key, j.db.config.Prefix)] = time.Duration(left) * time.Millisecond
		}
	}
	return all
}

// key returns the name of the one key of a kind with this end.
func (j jwtTest) key(k kind, end string) string {
	j.t.Helper()
	for key := range j.keys() {
		if strings.HasPrefix(key, string(k)+":") && strings.HasSuffix(key, "}"+end) {
			return j.db.config.Prefix + key
		}
	}
	j.t.Fatalf("no key of kind %s ends with %q", k, end)
	return ""
}

func (j jwtTest) do(command ...string) {
	j.t.Helper()
	built := j.db.client.B().Arbitrary(command[0]).Keys(command[1]).Args(command[2:]...).Build()
	if err := j.db.client.Do(j.t.Context(), built).Error(); err != nil {
		j.t.Fatal(err)
	}
}

func TestJWTKeysOfLoginsExpire(t *testing.T) {
	j := newJWTTest(t, openTest(t, Config{MaxCached: -1}))
	for _, id := range []string{"1", "2", "3", "4"} {
		j.start("alice", id, "foreign "+id)
	}
	j.verdict("1", jwt.Rotated)
	j.verdict("2", jwt.Rotated)
	j.verdict("2", jwt.Reused)
	if ended, err := j.Revoke(t.Context(), "alice", "3", j.now); !ended || err != nil {
		t.Fatalf("Revoke: got %v, %v, want true", ended, err)
	}
	if _, err := j.RevokeAll(t.Context(), "alice", "4", "stamp", j.now); err != nil {
		t.Fatal(err)
	}
	rotation, err := j.Use(t.Context(), "4 first", j.now, j.now.Add(2*time.Hour))
	if rotation.Verdict != jwt.Kept || err != nil {
		t.Fatalf("Use: got %v, %v, want verdict Kept", rotation, err)
	}
	// A token is kept KeepExpired longer than it is good. The family of an adopted one is kept for as long.
	known := jwt.KeepExpired + slack
	least := map[kind]time.Duration{jwtFamilies: time.Hour + known, jwtTokens: time.Hour + known,
		jwtMembers: time.Hour + known, jwtLists: time.Hour + known, jwtExpiry: 2*time.Hour + known, jwtPlaces: tagTTL,
		jwtVersion: versionTTL, userChanges: versionTTL}
	seen := map[kind]bool{}
	for key, left := range j.keys() {
		k := kind(key[:2])
		seen[k] = true
		if k == jwtOwners {
			if left >= 0 {
				t.Errorf("%s lives %v, want no end: what is void stays void", key, left)
			}
			continue
		}
		if want := least[k]; left < want-time.Minute || left > want+2*time.Hour {
			t.Errorf("%s lives %v, want about %v", key, left, want)
		}
	}
	for k := range least {
		if !seen[k] {
			t.Errorf("there is no key of kind %s", k)
		}
	}
	for _, id := range []string{"1", "4"} {
		j.do("DEL", j.key(jwtFamilies, id))
	}
	if ids, err := j.RevokeAll(t.Context(), "alice", "", "", j.now); len(ids) != 0 || err != nil {
		t.Errorf("got %v, %v, want no login", ids, err)
	}
	for key := range j.keys() {
		if kind(key[:2]) == jwtLists {
			t.Errorf("%s has a family that has gone", key)
		}
	}
	if n, err := j.Purge(t.Context(), j.now.Add(3*time.Hour), 100); n != 2 || err != nil {
		t.Errorf("got %d purged, %v, want 2, since two families have gone already", n, err)
	}
	for key := range j.keys() {
		switch kind(key[:2]) {
		case jwtFamilies, jwtTokens, jwtMembers, jwtLists, jwtExpiry:
			t.Errorf("a purge left %s", key)
		}
	}
}

// TestJWTPurgesManyTokens checks that a purge goes on when one change would remove too many tokens.
func TestJWTPurgesManyTokens(t *testing.T) {
	j := newJWTTest(t, openTest(t, Config{MaxCached: -1}))
	for i := range 5 {
		j.start("alice", fmt.Sprint(i), "")
		command := []string{"ZADD", j.key(jwtMembers, fmt.Sprint(i))}
		for n := range tokensAtOnce * 2 / 3 {
			command = append(command, "0", fmt.Sprint("old", n))
		}
		j.do(command...)
	}
	for _, want := range []int{3, 2, 0} {
		if n, err := j.Purge(t.Context(), j.now.Add(3*time.Hour), 3); n != want || err != nil {
			t.Errorf("got %d purged, %v, want %d", n, err, want)
		}
	}
	for key := range j.keys() {
		switch k, _, _ := strings.Cut(key, ":"); kind(k) {
		case jwtPlaces, jwtVersion, purgeVersion:
		default:
			t.Errorf("a purge left %s", key)
		}
	}
}

func TestJWTUnreadable(t *testing.T) {
	calls := func(j jwtTest, ctx context.Context) map[string]error {
		errs := map[string]error{}
		_, errs["Revoked"] = j.Revoked(ctx, jwt.Claimed{SessionID: "1", UserID: "alice", Digest: "1 first"}, j.now)
		_, _, errs["Find"] = j.Find(ctx, "1 first")
		_, errs["Rotate"] = j.Rotate(ctx, "1 first", j.now, 0, j.token("1", "second"))
		_, errs["Use"] = j.Use(ctx, "1 first", j.now, time.Time{})
		_, errs["List"] = j.List(ctx, "alice", "", 10, j.now)
		_, errs["Revoke"] = j.Revoke(ctx, "alice", "1", j.now)
		_, errs["RevokeAll"] = j.RevokeAll(ctx, "alice", "", "", j.now)
		f := &jwt.Session{ID: "2", UserID: "alice", Created: j.now, ExpiresAt: j.now.Add(time.Hour)}
		_, errs["Start"] = j.Start(ctx, f, j.token("2", "first"), j.token("1", "first"), 0, false)
		_, errs["Purge"] = j.Purge(ctx, j.now.Add(48*time.Hour), 10)
		return errs
	}
	for _, row := range []struct {
		kind  kind
		name  string
		fails string
	}{
		{jwtFamilies, "1", "Find Rotate Use List End Revoked EndAll Start Purge"},
		{jwtTokens, "1 first", "Find Rotate Use Revoked Start"},
		{jwtOwners, "alice", "Rotate Use Revoked EndAll Start"},
		{jwtLists, "alice", "List EndAll"},
		{jwtMembers, "1", "Purge"},
		{jwtExpiry, "", "Purge"},
	} {
		index := row.kind == jwtLists || row.kind == jwtMembers || row.kind == jwtExpiry
		for _, value := range []string{"type", "{", `{"v":1,"later":1}`} {
			if index && value != "type" {
				continue
			}
			t.Run(fmt.Sprintf("%s as %s", row.kind, value), func(t *testing.T) {
				j := newJWTTest(t, openTest(t, Config{MaxCached: -1}))
				j.start("alice", "0", "") // so that the user has an index with more than one member
				if _, err := j.RevokeAll(t.Context(), "alice", "0", "", j.now); err != nil {
					t.Fatal(err)
				}
				j.start("alice", "1", "")
				key := j.key(row.kind, row.name)
				j.do("DEL", key)
				if value == "type" {
					j.do("LPUSH", key, "x")
				} else {
					j.do("SET", key, value)
				}
				for name, err := range calls(j, t.Context()) {
					if want := slices.Contains(strings.Fields(row.fails), name); want && err == nil {
						t.Errorf("%s: no error", name)
					} else if want && value != "type" && !errors.Is(err, ErrUnreadable) {
						t.Errorf("%s: got %v, want ErrUnreadable", name, err)
					}
				}
			})
		}
	}
}

func TestJWTKeysUnreadable(t *testing.T) {
	for _, value := range []string{"{", `{"v":1,"later":1}`, ""} {
		db := openTest(t, Config{MaxCached: -1})
		j, store := newJWTTest(t, db), JWTKeys(db)
		record := &jwt.KeyRecord{ID: "a", Algorithm: jwt.ES256, Created: j.now, SignsFrom: j.now}
		if added, err := store.Add(t.Context(), record, ""); !added || err != nil {
			t.Fatalf("Add: got %v, %v, want true", added, err)
		}
		key := j.key(jwtKeySet, "")
		if left := j.keys()[strings.TrimPrefix(key, db.config.Prefix)]; left >= 0 {
			t.Errorf("the keys live %v, want no end", left)
		}
		j.do("SET", key, value)
		var errs [5]error
		_, errs[0] = store.Keys(t.Context())
		_, errs[1] = store.Add(t.Context(), record, "")
		_, errs[2] = store.Change(t.Context(), record, j.now, j.now)
		_, errs[3] = store.SetEnd(t.Context(), "a", j.now)
		_, errs[4] = store.Remove(t.Context(), "a")
		for i, err := range errs {
			if !errors.Is(err, ErrUnreadable) {
				t.Errorf("%q: call %d: got %v, want ErrUnreadable", value, i, err)
			}
		}
	}
}

func TestJWTAdoptedOfAnotherUser(t *testing.T) {
	first, second := pairOf(t, Config{MaxCached: -1})
	j, other := newJWTTest(t, first), newJWTTest(t, second)
	j.start("alice", "1", "foreign")
	if started := other.start("bob", "2", "foreign"); !started.Seen {
		t.Errorf("got %+v, want Seen", started)
	}
	j.verdict("1", jwt.Revoked)
	if r, _, err := j.Find(t.Context(), "2 first"); r != nil || err != nil {
		t.Errorf("got %+v, %v, want no second family", r, err)
	}
}

// TestJWTFullMemory checks that logins end on a server without memory.
func TestJWTFullMemory(t *testing.T) {
	node := testserver.NewRedis(t)
	option, err := rueidis.ParseURL(node.URL())
	if err != nil {
		t.Fatal(err)
	}
	db, err := Open(t.Context(), option, Config{MaxCached: -1, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	j := newJWTTest(t, db)
	for _, id := range []string{"1", "2", "3", "4", "5"} {
		j.start("alice", id, "foreign "+id)
	}
	j.start("bob", "6", "")
	j.verdict("2", jwt.Rotated)
	node.Do(t, "CONFIG", "SET", "maxmemory", "1")
	if _, err := j.Rotate(t.Context(), "1 first", j.now, 0, j.token("1", "second")); !isOutOfMemory(err) {
		t.Fatalf("got %v for a refresh, want an error of the memory", err)
	}
	for _, want := range []bool{true, false} {
		if ended, err := j.Revoke(t.Context(), "alice", "1", j.now); ended != want || err != nil {
			t.Errorf("got %v, %v at the end of a login, want %v", ended, err, want)
		}
	}
	j.verdict("2", jwt.Reused)
	if _, err := j.RevokeAll(t.Context(), "alice", "5", "stamp", j.now); !isOutOfMemory(err) {
		t.Errorf("got %v, want an error that says what is not void", err)
	}
	listed, err := j.List(t.Context(), "alice", "", 10, j.now)
	if err != nil || len(listed) != 1 || listed[0].ID != "5" {
		t.Errorf("got %v, %v, want the login that was kept", listed, err)
	}
	for _, id := range []string{"1", "2", "3", "4"} {
		for _, c := range []jwt.Claimed{{SessionID: id, UserID: "alice"}, {UserID: "alice", Digest: "foreign " + id},
			{SessionID: id, UserID: "alice", Digest: id + " first"}} {
			if revoked, err := j.Revoked(t.Context(), c, j.now); !revoked || err != nil {
				t.Errorf("%+v: got revoked %v, %v, want true", c, revoked, err)
			}
		}
		j.verdict(id, jwt.Unknown)
	}
	bobs := jwt.Claimed{SessionID: "6", UserID: "bob"}
	if revoked, err := j.Revoked(t.Context(), bobs, j.now); revoked || err != nil {
		t.Errorf("bob's: got revoked %v, %v, want false", revoked, err)
	}
	node.Do(t, "CONFIG", "SET", "maxmemory", "0")
	if started := j.start("alice", "7", "foreign 3"); !started.Seen {
		t.Errorf("got %+v for an adopted token, want Seen: its login was ended", started)
	}
	if ids, err := j.RevokeAll(t.Context(), "alice", "", "", j.now); len(ids) != 1 || err != nil {
		t.Errorf("got %v, %v for the second try, want the login that was kept before", ids, err)
	}
}

// TestJWTTokensNeedNoPlaces checks that digests of package jwt name the tag of their user.
func TestJWTTokensNeedNoPlaces(t *testing.T) {
	db := openTest(t, Config{MaxCached: -1})
	j := newJWTTest(t, db)
	ring, err := jwt.NewKeyring(t.Context(), jwt.KeyringConfig{Store: JWTKeys(db), Generate: true,
		Algorithms: []jwt.Algorithm{jwt.ES256}, Keys: []auth.Secret{"0123456789abcdef0123456789abcdef"}})
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := jwt.New(jwt.Config{Issuer: "https://service.example", Audience: []string{"api"}, Keys: ring,
		Store: j.Store, LoadUser: func(_ context.Context, id string) (auth.User, error) { return jwtUser(id), nil }})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		pair, err := tokens.Issue(t.Context(), fmt.Sprint("user", i), jwt.Options{})
		if err != nil {
			t.Fatal(err)
		}
		next, err := tokens.Refresh(t.Context(), pair.Refresh.Reveal())
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := tokens.VerifyToken(t.Context(), next.Access.Reveal()); err != nil {
			t.Error(err)
		}
		if _, err := tokens.Refresh(t.Context(), pair.Refresh.Reveal()); auth.KindOf(err) != auth.ErrInvalid {
			t.Errorf("got %v for the second use, want ErrInvalid", err)
		}
		if _, _, err := tokens.VerifyToken(t.Context(), next.Access.Reveal()); auth.KindOf(err) != auth.ErrInvalid {
			t.Errorf("got %v for a token of a login that ended, want ErrInvalid", err)
		}
	}
	count := map[kind]int{}
	for key := range j.keys() {
		count[kind(key[:2])]++
	}
	if count[jwtPlaces] != 0 || count[jwtFamilies] != 20 || count[jwtTokens] != 40 {
		t.Errorf("got keys %v, want 20 families, 40 tokens and no places", count)
	}
}

type jwtUser string

func (u jwtUser) UserID() string { return string(u) }
