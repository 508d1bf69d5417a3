package redisstore

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/oauth2/server"
	"github.com/gatewarden/auth/password"
	"github.com/gatewarden/auth/store/transfer"
)

// fillAll has every store of a database write, also with names that do not tell the tag of their owner.
func fillAll(t *testing.T, db *DB) {
	t.Helper()
	now := backend.StoreTime(time.Now())
	fillKnox(t, Knox(db), now)
	sessions := Sessions(db)
	first, odd := newSession("alice", now), newSession("bob", now)
	odd.Digest = "odd session"
	addSession(t, sessions, first, nil)
	addSession(t, sessions, newSession("alice", now), first) // leaves a tombstone
	addSession(t, sessions, odd, nil)

	j := newJWTTest(t, db)
	j.start("alice", backend.NewIDOf("alice"), "adopted")
	j.start("alice", backend.NewIDOf("alice"), "")
	j.start("bob", "odd family", "")
	j.verdict("odd family", jwt.Rotated)
	j.start("carol", "ended family", "")
	if _, err := j.RevokeAll(t.Context(), "carol", "", "", j.now); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"b", "a"} {
		last := ""
		if id == "a" {
			last = "b"
		}
		key := &jwt.KeyRecord{ID: id, Algorithm: jwt.ES256, Sealed: []byte("sealed"), Created: now, SignsFrom: now}
		if ok, err := JWTKeys(db).Add(t.Context(), key, last); !ok || err != nil {
			t.Fatalf("Add: got %v, %v, want true", ok, err)
		}
	}
	fillOAuth(t, &oauthStore{db})
	newExternalTest(t, db).fill()
	once := newOnceTest(t, db)
	once.add("alice")
	once.redeem(once.add("bob"), password.OneTimeFirst)
	mustCount(t, Throttle(db), now, now.Add(time.Hour), "counter")
	mustCount(t, Throttle(db), now, now.Add(3*time.Hour), "later counter")
}

func fillKnox(t *testing.T, store knox.Store, now time.Time) {
	t.Helper()
	records := make(map[string]*knox.Record)
	for _, name := range []string{"plain", "forever", "sliding", "ended", "odd token"} {
		records[name] = tokenOf("alice")
	}
	records["other"] = tokenOf("bob")
	records["forever"].ExpiresAt = time.Time{}
	records["sliding"].Slide, records["sliding"].MaxExpiresAt = time.Hour, now.Add(24*time.Hour)
	records["odd token"].Digest = "odd token"
	for _, r := range records {
		mustAdd(t, store, r)
	}
	ending := endNow()
	ending.Keep = true
	if ok, err := store.Revoke(t.Context(), "alice", records["ended"].ID, ending); !ok || err != nil {
		t.Fatalf("Revoke: got %v, %v, want true", ok, err)
	}
	for _, name := range []string{"plain", "sliding"} {
		used := now.Add(time.Minute)
		if err := store.Touch(t.Context(), knox.Touch{Digest: records[name].Digest, Used: used,
			ExpiresAt: used.Add(time.Hour)}); err != nil {
			t.Fatal(err)
		}
	}
}

func fillOAuth(t *testing.T, s *oauthStore) {
	t.Helper()
	s.mustAddClient(t, "web")
	s.mustAddClient(t, "other")
	s.answerLong(t)
	if fresh, err := s.PutOnce(t.Context(), "assertion", oauthNow.Add(time.Hour), oauthNow); !fresh || err != nil {
		t.Fatalf("PutOnce: got %v, %v, want true", fresh, err)
	}
	page, open := pageOf("alice"), pageOf("")
	for _, p := range []*server.Interaction{page, open} {
		p.ExpiresAt = oauthNow.Add(time.Hour)
		if err := s.AddInteraction(t.Context(), p, 0); err != nil {
			t.Fatal(err)
		}
	}
	for _, user := range []string{"bob", ""} { // their identifiers and digests name other tags
		g := grantOf(user, "other")
		g.ID, g.SessionID = "odd grant of "+user, "odd session of "+user
		tokens := oauthTokensOf(g)
		tokens.Access.Digest, tokens.Refresh.Digest = "odd access of "+user, "odd refresh of "+user
		if added, err := s.Start(t.Context(), g, tokens, 0, false); !added.OK() || err != nil {
			t.Fatalf("Start: got %v, %v, want OK", added, err)
		}
	}
	g := s.answerLong(t)
	if ok, err := s.End(t.Context(), g.ID, oauthNow); !ok || err != nil {
		t.Fatalf("End: got %v, %v, want true", ok, err)
	}
	waiting := grantOf("bob", "web")
	if added, err := s.Approve(t.Context(), server.Approval{Grant: waiting, Code: &server.Code{Digest: "odd code",
		GrantID: waiting.ID, ExpiresAt: oauthNow.Add(time.Minute)}}); !added.OK() || err != nil {
		t.Fatalf("Approve: got %v, %v, want OK", added, err)
	}
}

// answerLong is answer without the key of the request, which is good for a minute from the start of all tests.
func (s *oauthStore) answerLong(t *testing.T) *server.Grant {
	t.Helper()
	g, _ := s.answer(t)
	if err := s.db.transact(t.Context(), g.ID, func(_ context.Context, c *change) error {
		s.forgetOnce(c, "request "+g.ID)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return g
}

// stored is what a key has, in one text, and how long it lives.
type stored struct {
	text string
	ttl  time.Duration
}

// storedIn returns all keys of a place on the shared server, but those that no record needs: versions of indexes.
func storedIn(t *testing.T, db *DB) map[string]stored {
	t.Helper()
	all := make(map[string]stored)
	for key, ttl := range keysIn(t, db) {
		name := strings.TrimPrefix(key, db.config.Prefix)
		k, _, _ := strings.Cut(name, ":")
		if slices.Contains([]kind{knoxVersion, sessionVersion, jwtVersion, oauthOwnedVer, oauthUserPageVer,
			oauthGrantVer, oauthSessionVer, onceVersion, externalVersion, purgeVersion, userChanges}, kind(k)) {
			continue
		}
		text, err := db.client.Do(t.Context(), db.client.B().Get().Key(key).Build()).ToString()
		if err != nil { // a list
			command := db.client.B().Zrange().Key(key).Min("0").Max("-1").Withscores().Build()
			members, err := db.client.Do(t.Context(), command).AsZScores()
			if err != nil {
				t.Fatalf("ZRANGE %s: got error %v, want nil", key, err)
			}
			if kind(k) == oauthClientHas {
				for i := range members {
					members[i].Score = 0
				}
				slices.SortFunc(members, func(a, b rueidis.ZScore) int { return strings.Compare(a.Member, b.Member) })
			}
			text = fmt.Sprint(members)
		}
		all[name] = stored{randomIn.ReplaceAllString(text, ""), ttl}
	}
	return all
}

// randomIn are the parts of values that are random or forgotten: generations of clients, a text that makes a member
// of an index unique, and which approval used a key.
var randomIn = regexp.MustCompile(`"(g|a)\\?":\\?"[A-Z2-7]{16}\\?",?|,?\\?"k\\?":\\?"[A-Z2-7]{12}\\?"|,"b":"[^"]*"`)

// withoutUses writes the last use of each record into the record, as a copy does.
func withoutUses(t *testing.T, db *DB, all map[string]stored) {
	t.Helper()
	for name := range all {
		digest, ok := strings.CutPrefix(name, string(knoxUses))
		if !ok {
			continue
		}
		tag, digest := nameIn(digest)
		r, err := (&knoxStore{db}).load(t.Context(), newChange(db), tag, digest)
		if err != nil {
			t.Fatal(err)
		}
		record := string(knoxTokens) + strings.TrimPrefix(name, string(knoxUses))
		all[record] = stored{encode(knoxRowOf(r)), slidingTTL(r.ExpiresAt, r.MaxExpiresAt, r.Slide, time.Now())}
		delete(all, name)
	}
}

// TestUnitTransferKeys compares what an import writes with what the stores wrote.
func TestUnitTransferKeys(t *testing.T) {
	from, to := openTest(t, Config{MaxCached: -1}), openTest(t, Config{MaxCached: -1})
	fillAll(t, from)
	report, err := transfer.Copy(t.Context(), Transfer(from), Transfer(to), transfer.Options{Final: true, PageSize: 3})
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range report.Kinds {
		if kind.Added == 0 {
			t.Errorf("the test has no %s", kind.Kind)
		}
	}
	want, got := storedIn(t, from), storedIn(t, to)
	withoutUses(t, from, want)
	// These live longer after a copy.
	kept := map[kind]time.Duration{knoxEnded: movedKept, knoxEndings: movedKept}
	for _, k := range []kind{oauthOnce, oauthOnceExpiry} {
		kept[k] = time.Hour + slack
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		w, g := want[name], got[name]
		k, _, _ := strings.Cut(name, ":")
		longer, ok := kept[kind(k)]
		switch {
		case ok:
			w.ttl = longer
		case kind(k) == throttleCounters || kind(k) == throttleExpiry:
			w.ttl += slack - counterSlack
		case kind(k) == oauthClientHas: // a grant that is used moves nothing there
			w.ttl = max(g.ttl, time.Hour)
		}
		switch {
		case g.text == "":
			t.Errorf("%q is missing, want %s", name, w.text)
		case g.text != w.text:
			t.Errorf("%q has %s, want %s", name, g.text, w.text)
		case (g.ttl == 0) != (w.ttl == 0) || (g.ttl-w.ttl).Abs() > 2*jwt.KeepExpired:
			t.Errorf("%q lives for %v, want %v", name, g.ttl, w.ttl)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(got)) {
		if _, ok := want[name]; !ok {
			t.Errorf("%q is there and has %s, want no such key", name, got[name].text)
		}
	}
}
