package redisstore

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/internal/testserver"
	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/store/transfer"
)

// exported reads all records of a kind.
func exported(t *testing.T, from transfer.Source, k transfer.Kind) ([]transfer.Record, error) {
	t.Helper()
	var all []transfer.Record
	for after := ""; ; {
		page, err := from.Export(t.Context(), k, after, 100, time.Now())
		if err != nil {
			return nil, err
		}
		all = append(all, page.Records...)
		if after = page.Next; after == "" {
			return all, nil
		}
	}
}

// ownKinds are the kinds of keys that have the records, with one key of each as fillAll makes it, or its beginning.
var ownKinds = map[transfer.Kind]kind{
	transfer.Owners: jwtOwners, transfer.JWTKeys: jwtKeySet, transfer.KnoxTokens: knoxTokens,
	transfer.Sessions: sessionRecords, transfer.JWTLogins: jwtTokens, transfer.OAuthClients: oauthClients,
	transfer.OAuthConsents: oauthConsents, transfer.OAuthGrants: oauthRefresh, transfer.OAuthPages: oauthPages,
	transfer.OAuthOnce: oauthOnce, transfer.Identities: externalIdentities, transfer.Reservations: externalReserved,
	transfer.LoginCodes: externalCodes, transfer.LoginOnce: externalOnce, transfer.OneTimeTokens: onceRecords,
	transfer.ThrottleCounts: throttleCounters, transfer.KnoxEnded: knoxEndings,
}

// TestUnitTransferUnreadable spoils one key of each kind. The copy must say so, since a record that is left out is
// lost.
func TestUnitTransferUnreadable(t *testing.T) {
	from := openTest(t, Config{MaxCached: -1})
	fillAll(t, from)
	run := func(args ...string) {
		t.Helper()
		if err := from.client.Do(t.Context(), from.client.B().Arbitrary(args...).Build()).Error(); err != nil {
			t.Fatalf("Redis command %q: got error %v, want nil", args, err)
		}
	}
	for _, k := range transfer.Kinds() {
		key := ""
		for name := range keysIn(t, from) {
			if strings.HasPrefix(name, from.config.Prefix+string(ownKinds[k])+":") {
				key = name
			}
		}
		if key == "" {
			t.Fatalf("there is no key of %s", k)
		}
		run("COPY", key, key+" saved")
		defer run("DEL", key+" saved")
		for spoil, how := range map[string]struct {
			command []string
			says    string
		}{
			"is cut": {[]string{"SET", key, `{"v":1,`, "KEEPTTL"}, ""},
			"is of another program": {[]string{"EVAL", `redis.call('DEL', KEYS[1])
				return redis.call('SADD', KEYS[1], 'x')`, "1", key}, "some other program wrote it"},
		} {
			t.Run(string(k)+" whose value "+spoil, func(t *testing.T) {
				run(how.command...)
				defer run("COPY", key+" saved", key, "REPLACE")
				_, err := exported(t, Transfer(from), k)
				wantOutage(t, spoil, err, string(k), from.config.Prefix+string(ownKinds[k])+":{", how.says)
				if how.says == "" && k != transfer.KnoxEnded && !errors.Is(err, ErrUnreadable) {
					t.Errorf("got %v, want %v", err, ErrUnreadable)
				}
			})
		}
	}
}

// TestUnitTransferForeignTarget has a list in the place of a key that the import writes.
func TestUnitTransferForeignTarget(t *testing.T) {
	db := openTest(t, Config{MaxCached: -1})
	r, other := tokenOf("alice"), tokenOf("alice")
	key := db.key(knoxTokens, tagOfOwner("alice"), r.Digest)
	if err := db.client.Do(t.Context(), db.client.B().Sadd().Key(key).Member("x").Build()).Error(); err != nil {
		t.Fatal(err)
	}
	added, err := Transfer(db).Import(t.Context(), transfer.KnoxTokens,
		[]transfer.Record{transfer.KnoxToken{Record: other}, transfer.KnoxToken{Record: r}}, time.Now())
	wantOutage(t, "an import", err, "knox tokens", "some other program wrote it")
	if added != 0 {
		t.Errorf("got %d added, want none of the change that failed", added)
	}
	wantFound(t, Knox(db), other, false)
}

// TestUnitTransferOfRecords gives the engine what is not a record of the kind.
func TestUnitTransferOfRecords(t *testing.T) {
	engine, now := Transfer(openTest(t, Config{MaxCached: -1})), time.Now()
	token, once := transfer.KnoxToken{Record: tokenOf("alice")}, &transfer.Once{Of: transfer.LoginOnce, Text: "a"}
	imported := func(k transfer.Kind, record transfer.Record) error {
		return errorOf(engine.Import(t.Context(), k, []transfer.Record{record}, now))
	}
	for name, err := range map[string]error{
		"a token as a session":    imported(transfer.Sessions, token),
		"a pointer to a token":    imported(transfer.KnoxTokens, &token),
		"a key of the other kind": imported(transfer.OAuthOnce, once),
		"a kind that is unknown":  errorOf(engine.Export(t.Context(), "cookies", "", 10, now)),
		"to count it":             errorOf(engine.Count(t.Context(), "cookies", now)),
		"to replace a token as a session": engine.Replace(t.Context(), transfer.Sessions,
			[]transfer.Record{token}, now),
		"to remove a token as a session": engine.Remove(t.Context(), transfer.Sessions, []transfer.Record{token}, now),
		"a position of another engine":   errorOf(engine.Export(t.Context(), transfer.KnoxTokens, "?", 10, now)),
	} {
		if err == nil {
			t.Errorf("%s: got no error, want one", name)
		}
	}
}

func errorOf[T any](_ T, err error) error { return err }

// TestUnitTransferAndCaches changes and removes records that an instance has in its cache.
func TestUnitTransferAndCaches(t *testing.T) {
	instance, copying := pairOf(t, Config{})
	store, engine, now := Knox(instance), Transfer(copying), time.Now()
	r := tokenOf("alice")
	cached := func(stamp string) {
		t.Helper()
		eventually(t, "the instance has the token with the stamp "+stamp, func() bool {
			got, err := store.Find(t.Context(), r.Digest)
			return err == nil && got != nil && got.Stamp == stamp
		})
	}
	wantFound(t, store, r, false)
	records := []transfer.Record{transfer.KnoxToken{Record: r}}
	if n, err := engine.Import(t.Context(), transfer.KnoxTokens, records, now); n != 1 || err != nil {
		t.Fatalf("Import: got %v, %v, want 1", n, err)
	}
	cached("")
	changed := *r
	changed.Stamp = "new"
	if err := engine.Replace(t.Context(), transfer.KnoxTokens, []transfer.Record{transfer.KnoxToken{Record: &changed}},
		now); err != nil {
		t.Fatal(err)
	}
	cached("new")
	if err := engine.Remove(t.Context(), transfer.KnoxTokens, records, now); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the instance refuses the token", func() bool {
		got, err := store.Find(t.Context(), r.Digest)
		return err == nil && got == nil
	})
}

// TestUnitTransferRights has a user of Redis with the rights that the README lists for a copy.
func TestUnitTransferRights(t *testing.T) {
	node := testserver.NewRedis(t, aclFile(t))
	option := optionOf(t, node)
	option.Username, option.Password = "app", passwordOfApp
	db := testRedis{option, "gatewarden:"}.open(t, Config{})
	mustAdd(t, Knox(db), tokenOf("alice"))
	_, err := exported(t, Transfer(db), transfer.KnoxTokens)
	wantOutage(t, "an export without SCAN", err, "the user of Redis may not do this", "SCAN")

	node.Do(t, "ACL", "SETUSER", "app", "+scan")
	fillAll(t, db)
	to := openTest(t, Config{MaxCached: -1})
	for _, pair := range [][2]*DB{{db, to}, {to, testRedis{option, "gatewarden:copy:"}.open(t, Config{})}} {
		if _, err := transfer.Copy(t.Context(), Transfer(pair[0]), Transfer(pair[1]),
			transfer.Options{Final: true}); err != nil {
			t.Error(err)
		}
	}
}

// TestUnitTransferAgain adds a token that has expired in the target, and was used at the source since.
func TestUnitTransferAgain(t *testing.T) {
	db := openTest(t, Config{MaxCached: -1})
	engine, now := Transfer(db), backend.StoreTime(time.Now())
	r := tokenOf("alice")
	r.Slide = time.Hour
	for i := range 3 {
		at := now.Add(time.Duration(i) * 2 * time.Hour)
		later := *r
		later.ExpiresAt = at.Add(time.Hour)
		records := []transfer.Record{transfer.KnoxToken{Record: &later}}
		n, err := engine.Import(t.Context(), transfer.KnoxTokens, records, at)
		if n != 1 || err != nil {
			t.Errorf("import %d: %d were added, want 1: %v", i, n, err)
		}
		if all, err := Knox(db).List(t.Context(), "alice", "", 10, at); len(all) != 1 || err != nil {
			t.Errorf("import %d: %d are listed, want 1: %v", i, len(all), err)
		}
	}
	ids, err := Knox(db).RevokeAll(t.Context(), "alice", "", "", knox.Ending{At: now})
	if len(ids) != 1 || err != nil {
		t.Errorf("got %q revoked, want one: %v", ids, err)
	}
}

// TestUnitTransferOfAClient replaces a client, as a second run of a copy does after a change.
func TestUnitTransferOfAClient(t *testing.T) {
	db := openTest(t, Config{MaxCached: -1})
	s, engine, now := &oauthStore{db}, Transfer(db), time.Now()
	client := *s.mustAddClient(t, "web")
	g, tokens := s.answer(t)
	client.Owner, client.Name, client.Disabled, client.Updated = "carol", "Other", true, oauthNow.Add(time.Hour)
	records := []transfer.Record{transfer.OAuthClient{Client: &client}}
	if err := engine.Replace(t.Context(), transfer.OAuthClients, records, now); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Client(t.Context(), "web"); err != nil || got.Name != "Other" {
		t.Errorf("got the client %+v, want the other name: %v", got, err)
	}
	if _, grant, err := s.FindAccess(t.Context(), tokens.Access.Digest); err != nil || !grant.Live(oauthNow) {
		t.Errorf("got the grant %+v, want %s to live on: %v", grant, g.ID, err)
	}
	if consent, err := s.Consent(t.Context(), "alice", "web"); consent == nil || err != nil {
		t.Errorf("got no consent, want that of before: %v", err)
	}
	for owner, want := range map[string]int{"carol": 1, "": 1} {
		if all, err := s.Clients(t.Context(), owner, "", 10); len(all) != want || err != nil {
			t.Errorf("got %d clients of the owner %q, want %d: %v", len(all), owner, want, err)
		}
	}
}

// TestUnitEndPassesOverUnreadable spoils one key of each kind that ends, among others.
func TestUnitEndPassesOverUnreadable(t *testing.T) {
	db := openTest(t, Config{MaxCached: -1})
	fillAll(t, db)
	for _, user := range []string{"dave", "erin"} {
		mustAdd(t, Knox(db), tokenOf(user))
	}
	ends := []transfer.Kind{transfer.KnoxTokens, transfer.Sessions, transfer.JWTLogins, transfer.OneTimeTokens}
	for _, k := range ends {
		for name := range keysIn(t, db) {
			if strings.HasPrefix(name, db.config.Prefix+string(ownKinds[k])+":") {
				command := db.client.B().Arbitrary("SET", name, `{"v":1,`, "KEEPTTL").Build()
				if err := db.client.Do(t.Context(), command).Error(); err != nil {
					t.Fatal(err)
				}
				break
			}
		}
	}
	now := time.Now()
	_, err := transfer.End(t.Context(), Transfer(db), transfer.EndStores{Knox: Knox(db), Sessions: Sessions(db),
		JWT: JWT(db), OAuth: OAuth(db), OneTime: OneTime(db), External: External(db)}, transfer.EndOptions{})
	for _, k := range ends {
		if err == nil || !strings.Contains(err.Error(), "1 "+string(k)+" are left: ") {
			t.Errorf("got %v, want it to count one of the %s", err, k)
		}
		page, err := Transfer(db).Export(t.Context(), k, "", 100, now)
		var unreadable *transfer.UnreadableError
		if !errors.As(err, &unreadable) {
			t.Errorf("%s: got %v, want the one that cannot be read", k, err)
		}
		for _, record := range page.Records {
			if r, ok := record.(*transfer.JWTLogin); ok && !r.RevokedAt.IsZero() {
				continue
			}
			if r, ok := record.(transfer.OneTimeToken); ok && !r.Used.IsZero() {
				continue
			}
			if r, ok := record.(transfer.Session); ok && r.IsTombstone() {
				continue
			}
			t.Errorf("%s: got %q, want it to have ended", k, record.Key())
		}
	}
}
