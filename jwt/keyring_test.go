package jwt_test

import (
	"bytes"
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/jwt"
)

const day = 24 * time.Hour

var appKey = auth.Secret(strings.Repeat("k", 32))

// newRing opens a keyring of ES256 alone, since RSA keys take a while to make. change may
// configure it otherwise.
func newRing(t testing.TB, store jwt.KeyStore, change func(*jwt.KeyringConfig)) *jwt.Keyring {
	t.Helper()
	config := jwt.KeyringConfig{Store: store, Keys: []auth.Secret{appKey}, Generate: true,
		Logger:     slog.New(slog.DiscardHandler),
		Algorithms: []jwt.Algorithm{jwt.ES256}}
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
			if err := ring.Maintain(context.Background(), due); err != nil {
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
		if _, err := ring.Renew(t.Context(), fmt.Sprint("junk", i),
			now.Add(time.Duration(i)*50*time.Millisecond)); err != nil {
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
		if signing, all := at(t, ring, now.Add(time.Hour+time.Duration(i)*time.Second)); signing != first ||
			len(all) != 2 {
			t.Error(signing, all)
		}
	}
	if asked := store.calls - before; asked != 1 {
		t.Errorf("asked %d times in 10 seconds", asked)
	}
	if signing, all := at(t, ring, now.Add(25*time.Hour)); signing == first || len(all) != 2 {
		t.Error("the schedule stood still")
	}
	if _, err := jwt.NewKeyring(t.Context(), jwt.KeyringConfig{Store: store, Keys: []auth.Secret{appKey},
		Generate: true}); err == nil {
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
	if _, err := jwt.NewKeyring(t.Context(), jwt.KeyringConfig{Store: store, Keys: []auth.Secret{other},
		Generate: true}); err == nil || !strings.Contains(err.Error(), first) {
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
	if _, err := jwt.NewKeyring(t.Context(),
		jwt.KeyringConfig{Store: tampered, Keys: []auth.Secret{appKey}}); err == nil {
		t.Error("a record whose algorithm was changed opens")
	}
}

func TestWrongWiringOfAKeyringFailsAtNew(t *testing.T) {
	for sentence, change := range map[string]func(*jwt.KeyringConfig){
		"no Store":              func(c *jwt.KeyringConfig) { c.Store = nil },
		"no Keys":               func(c *jwt.KeyringConfig) { c.Keys = nil },
		"a short key":           func(c *jwt.KeyringConfig) { c.Keys = []auth.Secret{"short"} },
		"no algorithm":          func(c *jwt.KeyringConfig) { c.Algorithms = []jwt.Algorithm{"none"} },
		"empty algorithms":      func(c *jwt.KeyringConfig) { c.Algorithms = []jwt.Algorithm{} },
		"a short RSA key":       func(c *jwt.KeyringConfig) { c.RSABits = 1024 },
		"an algorithm twice":    func(c *jwt.KeyringConfig) { c.Algorithms = []jwt.Algorithm{jwt.ES256, jwt.ES256} },
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
	if _, err := jwt.New(jwt.Config{Issuer: serviceIssuer, Keys: short, Store: jwt.NewMemoryStore(),
		LoadUser: newPeople().load}); err == nil {
		t.Error("refresh tokens outlive their key")
	}
}

// Whatever is done to keys, and whenever: one that was trusted no more never is
// again, one that signed is trusted until its last token has expired, and while
// there is a key that may sign, one does.
func TestTheScheduleHoldsWhateverIsDone(t *testing.T) {
	const keep, publish = 10 * day, day
	for seed := range uint64(50) {
		random := rand.New(rand.NewPCG(seed, 7))
		store := jwt.NewMemoryKeyStore()
		generate := seed%3 > 0
		algorithms := []jwt.Algorithm{jwt.EdDSA, jwt.ES256}[:1+seed%2]
		change := func(c *jwt.KeyringConfig) {
			c.Algorithms, c.Generate, c.Keep, c.Publish, c.Rotate = algorithms, generate, keep, publish, 7*day
		}
		rings := []*jwt.Keyring{newRing(t, store, change), newRing(t, store, change)}
		now := time.Now()
		if !generate {
			for _, algorithm := range algorithms {
				if err := rings[0].Add(t.Context(), signing(t, algorithm), now, now); err != nil {
					t.Fatal(err)
				}
			}
		}
		signed := map[string]time.Time{} // when a key signed last
		known := map[string]bool{}       // all that were ever trusted
		gone := map[string]string{}      // trusted no more, and by what
		ended := map[jwt.Algorithm]bool{}
		var done []string
		for range 60 {
			now = now.Add(time.Duration(random.Int64N(int64(3 * day))))
			ring := rings[random.IntN(2)]
			infos, err := ring.List(t.Context(), now)
			if err != nil {
				t.Fatal(err)
			}
			some := infos[random.IntN(len(infos))]
			retired := ""
			action := []string{"", "tend", "tend", "tend", "rotate", "promote", "retire", "add"}[random.IntN(8)]
			switch action {
			case "tend":
				err = ring.Maintain(t.Context(), now)
			case "rotate":
				err = ring.Rotate(t.Context(), now)
			case "promote":
				if err = ring.Promote(t.Context(), some.ID, now); (err != nil) != (some.State == jwt.KeyDead) {
					t.Fatalf("promoting a key that is %s: %v", some.State, err)
				}
				err = nil
			case "retire":
				retired = some.ID
				err = ring.Retire(t.Context(), some.ID, now)
			case "add":
				err = ring.Add(t.Context(), signing(t, algorithms[random.IntN(len(algorithms))]),
					now.Add(time.Duration(random.Int64N(int64(40*day)))-20*day), now)
			}
			done = append(done, fmt.Sprintf("%s %s %.5s", now.Format("01-02 15:04"), action, some.ID))
			if err != nil {
				t.Fatalf("seed %d: %v\n%s", seed, err, strings.Join(done, "\n"))
			}
			now = now.Add(2 * time.Minute) // until both have seen it
			var sets [2]string
			for i, ring := range rings {
				signs, all := at(t, ring, now)
				sets[i] = signs + fmt.Sprint(all)
			}
			fault := func(format string, args ...any) {
				t.Helper()
				t.Fatalf("seed %d: %s\n%s", seed, fmt.Sprintf(format, args...), strings.Join(done, "\n"))
			}
			if sets[0] != sets[1] {
				fault("instances differ: %s, %s", sets[0], sets[1])
			}
			set, err := rings[0].Current(t.Context(), now)
			if err != nil {
				t.Fatal(err)
			}
			all := set.Keys()
			for _, algorithm := range algorithms {
				one := slices.ContainsFunc(all, func(k *jwt.Key) bool { return k.Algorithm() == algorithm })
				ended[algorithm] = ended[algorithm] || !one // where no key is made, one that comes later may sign later
				if set.SigningBy(algorithm) == nil && (!ended[algorithm] || generate) {
					fault("none of %v signs by %s", all, algorithm)
				}
			}
			if retired != "" {
				gone[retired] = "retired"
			}
			trusted := map[string]bool{}
			for _, key := range all {
				id := key.ID()
				if gone[id] != "" {
					fault("%.5s is trusted again: %s", id, gone[id])
				}
				trusted[id], known[id] = true, true
			}
			for id := range known {
				if trusted[id] || gone[id] != "" {
					continue
				}
				if last, ok := signed[id]; ok && now.Before(last.Add(keep)) {
					fault("%.5s signed at %s and is trusted no more", id, last)
				}
				gone[id] = "it had expired"
			}
			for _, key := range set.SigningKeys() {
				signed[key.ID()] = now
			}
			if len(all) == 0 {
				break // all are retired, and no new one is made
			}
		}
	}
}

func TestATokenOfAPredecessorStaysGoodWhileItLives(t *testing.T) {
	ring := newRing(t, jwt.NewMemoryKeyStore(), nil)
	now := time.Now()
	first, _ := at(t, ring, now)
	old := signing(t, jwt.RS256).WithID("the old service's")
	later := now.Add(100 * day)
	if err := ring.Maintain(t.Context(), later.Add(-day-time.Minute)); err != nil {
		t.Fatal(err)
	}
	second, _ := at(t, ring, later)
	if err := ring.Add(t.Context(), old, time.Time{}, later); err != nil {
		t.Fatal(err)
	}
	signing, all := at(t, ring, later.Add(31*day-time.Second))
	if signing != second || second == first || !slices.Contains(all, old.ID()) {
		t.Errorf("%s of %v", signing, all)
	}
	if _, all := at(t, ring, later.Add(31*day)); slices.Contains(all, old.ID()) {
		t.Error("it is trusted for longer than tokens live", all)
	}
	alone := newRing(t, jwt.NewMemoryKeyStore(), func(c *jwt.KeyringConfig) { c.Generate = false })
	if signing, all := at(t, alone, now); signing != "" || len(all) != 0 {
		t.Error(signing, all)
	}
	if err := alone.Add(t.Context(), old, time.Time{}, now); err != nil {
		t.Fatal(err)
	}
	if signing, _ := at(t, alone, now); signing != old.ID() {
		t.Error("the only key does not sign")
	}
}

func TestAKeyIsReplacedThoughItsOwnerSlept(t *testing.T) {
	ring := newRing(t, jwt.NewMemoryKeyStore(), nil)
	now := time.Now()
	first, _ := at(t, ring, now)
	late := now.Add(200 * day) // 110 days after it was to stop
	if err := ring.Maintain(t.Context(), late); err != nil {
		t.Fatal(err)
	}
	if signing, all := at(t, ring, late.Add(day-time.Second)); signing != first || len(all) != 2 {
		t.Errorf("the next signs before it is published: %s of %v", signing, all)
	}
	if signing, all := at(t, ring, late.Add(day)); signing == first || len(all) != 2 {
		t.Errorf("%s of %v", signing, all)
	}
	by := newRing(t, jwt.NewMemoryKeyStore(), func(c *jwt.KeyringConfig) { c.Rotate = -1 })
	if err := by.Maintain(t.Context(), late); err != nil {
		t.Fatal(err)
	}
	if _, all := at(t, by, late); len(all) != 1 {
		t.Error("a key that is replaced by hand only was replaced", all)
	}
}

func TestAKeyForLaterTakesThePlaceOfTheScheduledOne(t *testing.T) {
	ring := newRing(t, jwt.NewMemoryKeyStore(), nil)
	now := time.Now()
	own := signing(t, jwt.ES256)
	if err := ring.Add(t.Context(), own, now.Add(95*day), now); err != nil {
		t.Fatal(err)
	}
	if err := ring.Maintain(t.Context(), now.Add(90*day)); err != nil {
		t.Fatal(err)
	}
	if signing, all := at(t, ring, now.Add(95*day)); signing != own.ID() || len(all) != 2 {
		t.Errorf("%s of %v", signing, all)
	}
}

func TestTheNextKeySignsWhereTheOnlyOneWasStolen(t *testing.T) {
	for _, generate := range []bool{true, false} {
		ring := newRing(t, jwt.NewMemoryKeyStore(), func(c *jwt.KeyringConfig) { c.Generate = generate })
		now := time.Now()
		if !generate {
			if err := ring.Add(t.Context(), signing(t, jwt.ES256), now, now); err != nil {
				t.Fatal(err)
			}
		}
		first, _ := at(t, ring, now)
		if err := ring.Rotate(t.Context(), now); err != nil {
			t.Fatal(err)
		}
		_, all := at(t, ring, now)
		now = now.Add(time.Hour)
		for range 2 { // once more does nothing more
			if err := ring.Retire(t.Context(), first, now); err != nil {
				t.Fatal(err)
			}
		}
		if signing, left := at(t, ring, now); signing != all[1] || len(left) != 1 {
			t.Errorf("generate %v: %s of %v", generate, signing, left)
		}
		if ring.Retire(t.Context(), "unknown", now) == nil || ring.Promote(t.Context(), "unknown", now) == nil {
			t.Error("a key that is not there")
		}
	}
}

// meanwhile is a store in which something happens just before the first Add.
type meanwhile struct {
	jwt.KeyStore
	do func()
}

func (m *meanwhile) Add(ctx context.Context, r *jwt.KeyRecord, last string) (bool, error) {
	if do := m.do; do != nil {
		m.do = nil
		do()
	}
	return m.KeyStore.Add(ctx, r, last)
}

func TestOfInstancesThatActAtOnceOneMakesTheNextKey(t *testing.T) {
	for _, retireALaterOne := range []bool{false, true} {
		store := &meanwhile{KeyStore: jwt.NewMemoryKeyStore()}
		change := func(c *jwt.KeyringConfig) { c.Rotate = 10 * day }
		one, two := newRing(t, store, change), newRing(t, store.KeyStore, change)
		now := time.Now()
		if retireALaterOne {
			later := signing(t, jwt.EdDSA)
			if err := errors.Join(one.Add(t.Context(), later, now.Add(365*day), now),
				one.Retire(t.Context(), later.ID(), now)); err != nil {
				t.Fatal(err)
			}
		}
		due := now.Add(9*day + time.Minute)
		raced := false
		store.do = func() {
			raced = true
			if err := two.Maintain(t.Context(), due); err != nil {
				t.Error(err)
			}
		}
		if err := one.Maintain(t.Context(), due); err != nil || !raced {
			t.Error(err, raced)
		}
		infos, err := one.List(t.Context(), due)
		infos = slices.DeleteFunc(infos, func(i jwt.KeyInfo) bool { return i.State == jwt.KeyDead })
		if err != nil || len(infos) != 2 {
			t.Errorf("%+v %v", infos, err)
		}
		store.do = func() {
			if err := two.Rotate(t.Context(), due.Add(time.Hour)); err != nil {
				t.Error(err)
			}
		}
		if err := one.Rotate(t.Context(), due.Add(time.Hour)); err == nil {
			t.Error("nobody is told that another was made at the same time")
		}
	}
}

// fragileKeys is a store that fails, or hangs until it is given up.
type fragileKeys struct {
	jwt.KeyStore
	hangs atomic.Bool
	fails atomic.Int64 // from which change on; 0 is never
	calls atomic.Int64
}

func (f *fragileKeys) Keys(ctx context.Context) ([]*jwt.KeyRecord, error) {
	f.calls.Add(1)
	if f.hangs.Load() {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return f.KeyStore.Keys(ctx)
}

func (f *fragileKeys) Add(ctx context.Context, r *jwt.KeyRecord, last string) (bool, error) {
	if n := f.fails.Load(); n > 0 {
		return false, errDown
	}
	return f.KeyStore.Add(ctx, r, last)
}

func TestARetirementThatWasCutOffIsFinishedLater(t *testing.T) {
	store := &fragileKeys{KeyStore: jwt.NewMemoryKeyStore()}
	for _, rotate := range []time.Duration{0, -1} {
		ring := newRing(t, store, func(c *jwt.KeyringConfig) { c.Rotate = rotate })
		now := time.Now()
		first, _ := at(t, ring, now)
		store.fails.Store(1)
		if err := ring.Retire(t.Context(), first, now); !errors.Is(err, errDown) {
			t.Fatal(err)
		}
		if signing, all := at(t, ring, now); signing != "" || len(all) != 0 {
			t.Errorf("a stolen key is trusted: %s of %v", signing, all)
		}
		store.fails.Store(0)
		if err := ring.Maintain(t.Context(), now.Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		if signing, all := at(t, ring, now.Add(time.Minute)); signing == "" || signing == first || len(all) != 1 {
			t.Errorf("%s of %v", signing, all)
		}
	}
}

func TestNoRequestWaitsForAStoreThatHangs(t *testing.T) {
	bubble(t, func(t *testing.T) {
		store := &fragileKeys{KeyStore: jwt.NewMemoryKeyStore()}
		ring := newRing(t, store, nil)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- ring.Run(ctx) }()
		synctest.Wait()
		store.hangs.Store(true)
		for range 3600 {
			time.Sleep(time.Second)
			before := time.Now()
			if signing, _ := at(t, ring, before); signing == "" || time.Since(before) > 0 {
				t.Fatalf("%q after %v", signing, time.Since(before))
			}
		}
		before, asked := time.Now(), store.calls.Load()
		var group sync.WaitGroup
		for i := range 50 { // not for long, and not each
			group.Go(func() {
				if set, err := ring.Renew(t.Context(), fmt.Sprint("junk", i), before); err != nil ||
					set.Signing() == nil {
					t.Error(set, err)
				}
			})
		}
		group.Wait()
		if waited := time.Since(before); waited > 21*time.Second || store.calls.Load()-asked > 2 {
			t.Errorf("%v, asked %d times", waited, store.calls.Load()-asked)
		}
		gone, leave := context.WithTimeout(t.Context(), time.Second)
		defer leave()
		group.Go(func() { _, _ = ring.Renew(t.Context(), "junk", time.Now()) })
		synctest.Wait()
		before = time.Now()
		if _, err := ring.Renew(gone, "junk", before); err != context.DeadlineExceeded ||
			time.Since(before) > time.Second {
			t.Errorf("who went away: %v after %v", err, time.Since(before))
		}
		group.Wait()
		before = time.Now()
		cancel()
		if err := <-done; err != context.Canceled || time.Since(before) > 0 {
			t.Errorf("Run ended with %v after %v", err, time.Since(before))
		}
	})
}

func TestOneCallerAsksTheStoreAndTheOthersGoOn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		store := &fragileKeys{KeyStore: jwt.NewMemoryKeyStore()}
		ring := newRing(t, store, nil)
		first, _ := at(t, ring, time.Now())
		if err := ring.Rotate(t.Context(), time.Now()); err != nil { // the schedule moves while the store hangs
			t.Fatal(err)
		}
		time.Sleep(day)
		store.hangs.Store(true)
		now, asked := time.Now(), store.calls.Load()
		var waited atomic.Int64
		var sets sync.Map
		var group sync.WaitGroup
		for range 50 {
			group.Go(func() {
				set, err := ring.Current(t.Context(), now)
				if err != nil || set.Signing().ID() == first {
					t.Error(err)
				}
				sets.Store(set, true)
				if time.Since(now) > 0 {
					waited.Add(1)
				}
			})
		}
		group.Wait()
		if waited.Load() > 1 || store.calls.Load()-asked != 1 {
			t.Errorf("%d waited, asked %d times", waited.Load(), store.calls.Load()-asked)
		}
		n := 0
		sets.Range(func(any, any) bool { n++; return true })
		if n != 1 {
			t.Errorf("%d sets of one instant", n)
		}
	})
}

// An instance that does not have the new application key yet cannot open what
// the others seal with it. It must hear of a theft all the same.
func TestAKeyThatDoesNotOpenHidesNothingElse(t *testing.T) {
	store := jwt.NewMemoryKeyStore()
	var log bytes.Buffer
	behind := newRing(t, store, func(c *jwt.KeyringConfig) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	ahead := newRing(t, store, func(c *jwt.KeyringConfig) {
		c.Keys = []auth.Secret{auth.Secret(strings.Repeat("o", 32)), appKey}
	})
	now := time.Now()
	first, _ := at(t, behind, now)
	if err := ahead.Rotate(t.Context(), now); err != nil { // signs after a day
		t.Fatal(err)
	}
	_, all := at(t, ahead, now)
	for _, later := range []time.Duration{time.Hour, 2 * day} {
		if signing, left := at(t, behind, now.Add(later)); signing != first || len(left) != 1 {
			t.Errorf("after %v: %s of %v", later, signing, left)
		}
	}
	if !strings.Contains(log.String(), all[1]) {
		t.Errorf("nobody is told: %s", &log)
	}
	if err := behind.Maintain(t.Context(), now.Add(2*day)); err != nil {
		t.Fatal(err)
	}
	if records, _ := store.Keys(t.Context()); len(records) != 2 {
		t.Error("it made another key beside the one that does not open")
	}
	if err := ahead.Retire(t.Context(), first, now.Add(2*day)); err != nil {
		t.Fatal(err)
	}
	if signing, left := at(t, behind, now.Add(2*day+time.Minute)); signing != "" || len(left) != 0 {
		t.Errorf("a stolen key is trusted: %s of %v", signing, left)
	}
	if signing, _ := at(t, ahead, now.Add(2*day+time.Minute)); signing != all[1] {
		t.Error(signing)
	}
	for _, secret := range []string{string(appKey), strings.Repeat("o", 32)} {
		if strings.Contains(log.String(), secret) {
			t.Error("an application key is in the log")
		}
	}
}

func TestTheOldApplicationKeyCanGoWhenItsKeysAreDead(t *testing.T) {
	store := jwt.NewMemoryKeyStore()
	now := time.Now()
	first, _ := at(t, newRing(t, store, nil), now)
	other := auth.Secret(strings.Repeat("o", 32))
	both := newRing(t, store, func(c *jwt.KeyringConfig) { c.Keys = []auth.Secret{other, appKey} })
	if err := both.Rotate(t.Context(), now); err != nil {
		t.Fatal(err)
	}
	_, all := at(t, both, now)
	if err := both.Promote(t.Context(), all[1], now); err != nil {
		t.Fatal(err)
	}
	if err := both.Retire(t.Context(), first, now); err != nil {
		t.Fatal(err)
	}
	if signing, _ := at(t, newRing(t, store, func(c *jwt.KeyringConfig) { c.Keys = []auth.Secret{other} }),
		now.Add(time.Second)); signing != all[1] {
		t.Error(signing)
	}
}

func TestAKeyThatCouldNotBeReadAgainIsNotAdded(t *testing.T) {
	store := jwt.NewMemoryKeyStore()
	ring := newRing(t, store, nil)
	now := time.Now()
	key := signing(t, jwt.ES256)
	for sentence, key := range map[string]*jwt.Key{
		"nil":                     nil,
		"a public key":            key.Public(),
		"no identifier":           key.WithID(""),
		"an identifier, no UTF-8": key.WithID("\xff"),
	} {
		if err := ring.Add(t.Context(), key, now, now); err == nil {
			t.Error(sentence)
		}
	}
	if err := ring.Add(t.Context(), key.WithID("<a&b> \u2028 é"), now, now); err != nil {
		t.Error(err)
	}
	if err := ring.Add(t.Context(), signing(t, jwt.ES256).WithID("<a&b> \u2028 é"), now, now); err == nil {
		t.Error("two keys with one identifier")
	}
	if records, _ := store.Keys(t.Context()); len(records) != 2 {
		t.Errorf("%d records", len(records))
	}
	newRing(t, store, nil)
}

func TestKeysOfAllAlgorithmsAreKept(t *testing.T) {
	for _, algorithm := range []jwt.Algorithm{jwt.HS256, jwt.HS384, jwt.HS512, jwt.RS256, jwt.PS512, jwt.ES256,
		jwt.ES384, jwt.ES512, jwt.EdDSA} {
		t.Run(string(algorithm), func(t *testing.T) {
			t.Parallel()
			store := jwt.NewMemoryKeyStore()
			change := func(c *jwt.KeyringConfig) { c.Algorithms = []jwt.Algorithm{algorithm} }
			one, two := newRing(t, store, change), newRing(t, store, change)
			ours, _ := one.Current(t.Context(), time.Now())
			theirs, _ := two.Current(t.Context(), time.Now())
			if ours.Signing().Algorithm() != algorithm || ours.Signing().Thumbprint() != theirs.Signing().Thumbprint() {
				t.Error(ours.Signing(), theirs.Signing())
			}
		})
	}
}

func TestANameThatIsGivenAgainIsAnotherKey(t *testing.T) {
	store := jwt.NewMemoryKeyStore()
	one, two := newRing(t, store, nil), newRing(t, store, nil)
	now := time.Now()
	for i, key := range []*jwt.Key{signing(t, jwt.ES256).WithID("key"), signing(t, jwt.ES256).WithID("key")} {
		if _, err := store.Remove(t.Context(), "key"); err != nil {
			t.Fatal(err)
		}
		if err := one.Add(t.Context(), key, now, now); err != nil {
			t.Fatal(err)
		}
		set, err := two.Current(t.Context(), now.Add(time.Duration(i+1)*time.Minute))
		if err != nil || set.Signing().Thumbprint() != key.Thumbprint() {
			t.Error("the old key goes by the name", err)
		}
	}
}

func TestAClockThatIsSetBackDoesNotStopReloading(t *testing.T) {
	store := jwt.NewMemoryKeyStore()
	one, two := newRing(t, store, nil), newRing(t, store, nil)
	now := time.Now()
	at(t, two, now.Add(12*time.Hour))
	if err := one.Rotate(t.Context(), now); err != nil {
		t.Fatal(err)
	}
	if _, all := at(t, two, now); len(all) != 2 {
		t.Error(all)
	}
}

func TestAnInstanceWhoseClockIsBehindMakesNoKeyOfItsOwn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		store := jwt.NewMemoryKeyStore()
		first := signing(t, jwt.ES256)
		ahead := newRing(t, store, func(c *jwt.KeyringConfig) { c.Generate = false })
		if err := ahead.Add(t.Context(), first, time.Now().Add(3*time.Second),
			time.Now().Add(3*time.Second)); err != nil {
			t.Fatal(err)
		}
		behind := newRing(t, store, nil)
		if signing, all := at(t, behind, time.Now()); signing != first.ID() || len(all) != 1 {
			t.Errorf("%s of %v", signing, all)
		}
	})
}

func TestAPrintedKeyringShowsNoApplicationKey(t *testing.T) {
	key := "application key of a test, which nobody may see"
	config := jwt.KeyringConfig{Store: jwt.NewMemoryKeyStore(), Keys: []auth.Secret{auth.Secret(key)}, Generate: true,
		Logger:     slog.New(slog.DiscardHandler),
		Algorithms: []jwt.Algorithm{jwt.ES256}}
	ring, err := jwt.NewKeyring(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	derived, err := hkdf.Key(sha256.New, []byte(key), nil, "gatewarden jwt keyring", 32)
	if err != nil {
		t.Fatal(err)
	}
	for _, value := range []any{ring, config, struct{ ring *jwt.Keyring }{ring}, []any{ring}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%t"} {
			text := fmt.Sprintf(verb, value)
			for _, secret := range []string{key, string(derived)} {
				for _, shown := range []string{secret[:8], fmt.Sprintf("%x", secret[:4]),
					strings.Trim(fmt.Sprint([]byte(secret)[:4]), "[]")} {
					if strings.Contains(text, shown) {
						t.Errorf("%s of a %T: %s", verb, value, text)
					}
				}
			}
		}
	}
}
