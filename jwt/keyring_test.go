package jwt_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/jwt"
)

const day = 24 * time.Hour

var appKey = auth.Secret(strings.Repeat("k", 32))

// ringAt opens a keyring; change may configure it otherwise.
func newRing(t testing.TB, store jwt.KeyStore, change func(*jwt.KeyringConfig)) *jwt.Keyring {
	t.Helper()
	config := jwt.KeyringConfig{Store: store, Keys: []auth.Secret{appKey}, Generate: true}
	if change != nil {
		change(&config)
	}
	ring, err := jwt.NewKeyring(context.Background(), config)
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

// at returns the keys of a keyring at an instant: the signing one, then all.
func at(t testing.TB, ring *jwt.Keyring, now time.Time) (signing string, all []string) {
	t.Helper()
	set, err := ring.Current(context.Background(), now)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range set.Keys() {
		all = append(all, k.ID())
	}
	if set.Signing() != nil {
		signing = set.Signing().ID()
	}
	return signing, all
}

func TestAKeyIsPublishedBeforeItSignsAndKeptUntilItsLastTokenExpired(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ring := newRing(t, jwt.NewMemoryKeyStore(), func(c *jwt.KeyringConfig) { c.Reload = time.Hour })
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- ring.Run(ctx) }()
		start := time.Now()
		first, all := at(t, ring, start)
		if first == "" || len(all) != 1 {
			t.Fatal(first, all)
		}
		until := func(d time.Duration) { time.Sleep(time.Until(start.Add(d))) }
		until(89*day - 2*time.Hour)
		if _, all := at(t, ring, time.Now()); len(all) != 1 {
			t.Error("published too early", all)
		}
		until(89*day + 2*time.Hour)
		signing, all := at(t, ring, time.Now())
		if signing != first || len(all) != 2 {
			t.Fatalf("a day before: %s of %v", signing, all)
		}
		second := all[1]
		until(90*day - time.Second)
		if signing, _ := at(t, ring, time.Now()); signing != first {
			t.Error("it signs too early")
		}
		until(90 * day)
		if signing, all := at(t, ring, time.Now()); signing != second || len(all) != 2 {
			t.Errorf("at its time: %s of %v", signing, all)
		}
		until(90*day + 31*day - time.Second)
		if _, all := at(t, ring, time.Now()); len(all) != 2 {
			t.Error("the first is trusted no more, too early", all)
		}
		until(90*day + 31*day)
		if signing, all := at(t, ring, time.Now()); signing != second || len(all) != 1 {
			t.Errorf("when its last token has expired: %v", all)
		}
		until(90*day + 62*day + 2*time.Hour)
		infos, err := ring.List(t.Context(), time.Now())
		if err != nil || len(infos) != 1 || infos[0].ID != second || infos[0].State != jwt.KeySigning {
			t.Errorf("it is still kept: %+v %v", infos, err)
		}
		cancel()
		if err := <-done; err != context.Canceled {
			t.Error(err)
		}
	})
}

func TestInstancesShareOneSchedule(t *testing.T) {
	store := jwt.NewMemoryKeyStore()
	rings := make([]*jwt.Keyring, 8)
	var group sync.WaitGroup
	for i := range rings {
		group.Go(func() { rings[i] = newRing(t, store, nil) })
	}
	group.Wait()
	now := time.Now()
	first, _ := at(t, rings[0], now)
	for _, ring := range rings {
		if signing, all := at(t, ring, now.Add(time.Minute)); signing != first || len(all) != 1 {
			t.Fatalf("each made a key: %s of %v", signing, all)
		}
	}
	due := now.Add(89*day + time.Minute)
	for _, ring := range rings {
		group.Go(func() {
			if err := ring.Tend(context.Background(), due); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if records, err := store.Keys(t.Context()); err != nil || len(records) != 2 {
		t.Errorf("%d keys, %v", len(records), err)
	}
	for _, ring := range rings {
		if _, all := at(t, ring, due.Add(time.Minute)); len(all) != 2 {
			t.Error(all)
		}
	}
}

func TestAnInstanceFindsAKeyThatAnotherMade(t *testing.T) {
	store := jwt.NewMemoryKeyStore()
	one, two := newRing(t, store, nil), newRing(t, store, nil)
	now := time.Now()
	if err := one.Rotate(t.Context(), now); err != nil {
		t.Fatal(err)
	}
	_, all := at(t, one, now)
	if _, before := at(t, two, now.Add(time.Second)); len(all) != 2 || len(before) != 1 {
		t.Fatal(all, before)
	}
	set, err := two.Renew(t.Context(), all[1], now.Add(6*time.Second)) // a token names it
	if err != nil || len(set.Keys()) != 2 {
		t.Error(set.Keys(), err)
	}
	if _, after := at(t, two, now.Add(2*time.Minute)); len(after) != 2 { // and without one
		t.Error(after)
	}
}

// countingKeys counts, and can be down.
type countingKeys struct {
	jwt.KeyStore
	mu    sync.Mutex
	calls int
	err   error
}

func (c *countingKeys) Keys(ctx context.Context) ([]*jwt.KeyRecord, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls++
	if c.err != nil {
		return nil, c.err
	}
	return c.KeyStore.Keys(ctx)
}

func TestUnknownIdentifiersDoNotAskTheStoreEachTime(t *testing.T) {
	store := &countingKeys{KeyStore: jwt.NewMemoryKeyStore()}
	ring := newRing(t, store, nil)
	before, now := store.calls, time.Now()
	for i := range 100 {
		if _, err := ring.Renew(t.Context(), fmt.Sprint("junk", i), now.Add(time.Duration(i)*50*time.Millisecond)); err != nil {
			t.Fatal(err)
		}
	}
	if asked := store.calls - before; asked > 1 {
		t.Errorf("asked %d times in 5 seconds", asked)
	}
}

func TestKeysGoOnWhileTheirStoreIsDown(t *testing.T) {
	store := &countingKeys{KeyStore: jwt.NewMemoryKeyStore()}
	ring := newRing(t, store, nil)
	now := time.Now()
	first, _ := at(t, ring, now)
	if err := ring.Rotate(t.Context(), now); err != nil {
		t.Fatal(err)
	}
	store.err = errDown
	before := store.calls
	for i := range 10 {
		if signing, all := at(t, ring, now.Add(time.Hour+time.Duration(i)*time.Second)); signing != first || len(all) != 2 {
			t.Error(signing, all)
		}
	}
	if asked := store.calls - before; asked != 1 {
		t.Errorf("asked %d times in 10 seconds", asked)
	}
	if signing, all := at(t, ring, now.Add(25*time.Hour)); signing == first || len(all) != 2 {
		t.Error("the schedule stood still")
	}
	if _, err := jwt.NewKeyring(t.Context(), jwt.KeyringConfig{Store: store, Keys: []auth.Secret{appKey}, Generate: true}); err == nil {
		t.Error("a new instance makes keys of its own while the store is down")
	}
	store.err = nil
	if _, all := at(t, ring, now.Add(26*time.Hour)); len(all) != 2 {
		t.Error(all)
	}
}

func TestTheSetIsTheSamePointerWhileNothingChanges(t *testing.T) {
	ring := newRing(t, jwt.NewMemoryKeyStore(), nil)
	now := time.Now()
	one, _ := ring.Current(t.Context(), now)
	two, _ := ring.Current(t.Context(), now.Add(time.Hour))
	if one != two {
		t.Error("what was verified is forgotten with every reload")
	}
	if err := ring.Rotate(t.Context(), now.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if three, _ := ring.Current(t.Context(), now.Add(time.Hour)); three == two {
		t.Error("a new key, and the same pointer")
	}
}

func TestAStolenKeyIsTrustedNoMore(t *testing.T) {
	for _, generate := range []bool{true, false} {
		ring := newRing(t, jwt.NewMemoryKeyStore(), func(c *jwt.KeyringConfig) { c.Generate = generate })
		now := time.Now()
		if !generate {
			if err := ring.Add(t.Context(), signing(t, jwt.EdDSA), now, now); err != nil {
				t.Fatal(err)
			}
		}
		first, _ := at(t, ring, now)
		if err := ring.Rotate(t.Context(), now); err != nil {
			t.Fatal(err)
		}
		_, all := at(t, ring, now)
		if err := ring.Promote(t.Context(), all[1], now.Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		if signing, _ := at(t, ring, now.Add(time.Second)); signing != all[1] {
			t.Error("not promoted")
		}
		if err := ring.Retire(t.Context(), first, now.Add(2*time.Second)); err != nil {
			t.Fatal(err)
		}
		if signing, left := at(t, ring, now.Add(2*time.Second)); signing != all[1] || len(left) != 1 {
			t.Errorf("%s of %v", signing, left)
		}
		if err := ring.Promote(t.Context(), first, now.Add(3*time.Second)); err == nil {
			t.Error("a stolen key signs again")
		}
		if err := ring.Retire(t.Context(), all[1], now.Add(3*time.Second)); err != nil {
			t.Fatal(err)
		}
		signing, left := at(t, ring, now.Add(3*time.Second))
		if generate && (len(left) != 1 || signing == "" || signing == all[1]) || !generate && len(left) != 0 {
			t.Errorf("generate %v: %s of %v", generate, signing, left)
		}
	}
}

func TestAKeyThatSignedAgainAfterItsSuccessorWasRetiredIsKeptAsLong(t *testing.T) {
	ring := newRing(t, jwt.NewMemoryKeyStore(), nil)
	now := time.Now()
	first, _ := at(t, ring, now)
	hours := func(h int) time.Time { return now.Add(time.Duration(h) * time.Hour) }
	if err := ring.Rotate(t.Context(), now); err != nil { // signs from 24 h
		t.Fatal(err)
	}
	_, all := at(t, ring, hours(25))
	if err := ring.Retire(t.Context(), all[0], hours(48)); err != nil {
		t.Fatal(err)
	}
	if signing, _ := at(t, ring, hours(48)); signing != first {
		t.Fatal("the first does not sign again")
	}
	if err := ring.Rotate(t.Context(), hours(48)); err != nil { // signs from 72 h
		t.Fatal(err)
	}
	if _, left := at(t, ring, hours(72).Add(31*day-time.Second)); len(left) != 2 {
		t.Errorf("tokens that it signed at the last are refused: %v", left)
	}
	if _, left := at(t, ring, hours(72).Add(31*day)); len(left) != 1 {
		t.Error(left)
	}
}

func TestKeysAreSealedAndTheApplicationKeyCanBeChanged(t *testing.T) {
	store := jwt.NewMemoryKeyStore()
	first, _ := at(t, newRing(t, store, nil), time.Now())
	records, err := store.Keys(t.Context())
	if err != nil || len(records) != 1 || strings.Contains(string(records[0].Sealed), "kty") {
		t.Fatal(records, err)
	}
	other := auth.Secret(strings.Repeat("o", 32))
	if _, err := jwt.NewKeyring(t.Context(), jwt.KeyringConfig{Store: store, Keys: []auth.Secret{other}, Generate: true}); err == nil || !strings.Contains(err.Error(), first) {
		t.Errorf("a key that nobody can open: %v", err)
	}
	if records, _ := store.Keys(t.Context()); len(records) != 1 {
		t.Error("another was made in its place")
	}
	changed := newRing(t, store, func(c *jwt.KeyringConfig) { c.Keys = []auth.Secret{other, appKey} })
	if signing, _ := at(t, changed, time.Now()); signing != first {
		t.Error(signing)
	}
	swapped := *records[0]
	swapped.Algorithm = jwt.EdDSA
	tampered := jwt.NewMemoryKeyStore()
	if _, err := tampered.Add(t.Context(), &swapped, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := jwt.NewKeyring(t.Context(), jwt.KeyringConfig{Store: tampered, Keys: []auth.Secret{appKey}}); err == nil {
		t.Error("a record whose algorithm was changed opens")
	}
}

func TestWrongWiringOfAKeyringFailsAtNew(t *testing.T) {
	for sentence, change := range map[string]func(*jwt.KeyringConfig){
		"no Store":              func(c *jwt.KeyringConfig) { c.Store = nil },
		"no Keys":               func(c *jwt.KeyringConfig) { c.Keys = nil },
		"a short key":           func(c *jwt.KeyringConfig) { c.Keys = []auth.Secret{"short"} },
		"no algorithm":          func(c *jwt.KeyringConfig) { c.Algorithm = "none" },
		"Reload of Publish":     func(c *jwt.KeyringConfig) { c.Publish, c.Reload = time.Hour, time.Hour },
		"Rotate within Publish": func(c *jwt.KeyringConfig) { c.Rotate = time.Hour },
		"a negative Keep":       func(c *jwt.KeyringConfig) { c.Keep = -1 },
	} {
		config := jwt.KeyringConfig{Store: jwt.NewMemoryKeyStore(), Keys: []auth.Secret{appKey}}
		change(&config)
		if _, err := jwt.NewKeyring(t.Context(), config); err == nil {
			t.Error(sentence)
		}
	}
	short := newRing(t, jwt.NewMemoryKeyStore(), func(c *jwt.KeyringConfig) { c.Keep = time.Hour })
	if _, err := jwt.New(jwt.Config{Issuer: serviceIssuer, Keys: short, Store: jwt.NewMemoryStore(), LoadUser: newPeople().load}); err == nil {
		t.Error("refresh tokens outlive their key")
	}
}

func TestOnlyPublicKeysArePublished(t *testing.T) {
	keys := keySet(t, signing(t, jwt.HS256), signing(t, jwt.RS256), signing(t, jwt.ES384).Public(), signing(t, jwt.EdDSA))
	handler := jwt.NewJWKSHandler(keys, time.Minute)
	w := serveRequest(handler, "GET", "/")
	if w.Code != 200 || w.Header().Get("Content-Type") != "application/json" || w.Header().Get("Cache-Control") != "public, max-age=60" ||
		w.Header().Get("Access-Control-Allow-Origin") != "*" {
		t.Error(w.Code, w.Header())
	}
	var set struct{ Keys []map[string]any }
	if err := json.Unmarshal(w.Body.Bytes(), &set); err != nil || len(set.Keys) != 3 {
		t.Fatal(w.Body, err)
	}
	for _, key := range set.Keys {
		for _, private := range []string{"d", "p", "q", "dp", "dq", "qi", "k"} {
			if _, there := key[private]; there {
				t.Errorf("%v", key)
			}
		}
		if key["use"] != "sig" || key["alg"] == "" || key["kid"] == "" {
			t.Errorf("%v", key)
		}
	}
	parsed, err := jwt.ParseJWKS(w.Body.Bytes())
	if err != nil || len(parsed.Keys()) != 3 || parsed.Signing() != nil {
		t.Error(parsed, err)
	}
	if w := serveRequest(jwt.NewJWKSHandler(keySet(t, signing(t, jwt.HS256)), 0), "GET", "/"); strings.TrimSpace(w.Body.String()) != `{"keys":[]}` {
		t.Error(w.Body)
	}
	if w := serveRequest(handler, "POST", "/"); w.Code != 405 || w.Header().Get("Allow") != "GET, HEAD" {
		t.Error(w.Code, w.Header())
	}
	server := httptest.NewServer(handler)
	defer server.Close()
	if resp, err := http.Head(server.URL); err != nil || resp.StatusCode != 200 || resp.ContentLength <= 0 {
		t.Error(resp, err)
	}
	if w := serveRequest(jwt.NewJWKSHandler(&switching{err: errDown}, 0), "GET", "/"); w.Code != 503 || w.Header().Get("Retry-After") == "" || strings.Contains(w.Body.String(), "down") {
		t.Error(w.Code, w.Body)
	}
}
