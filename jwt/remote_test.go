package jwt_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/authtest"
	"github.com/gatewarden/auth/jwt"
)

// remote are the keys of an issuer, and a verifier of its tokens.
type remote struct {
	t      *testing.T
	issuer *authtest.Issuer
	keys   *jwt.RemoteKeys
}

func newRemote(t *testing.T, change func(*jwt.RemoteKeysConfig)) *remote {
	t.Helper()
	r := &remote{t: t, issuer: authtest.NewIssuer(t)}
	config := jwt.RemoteKeysConfig{Issuer: r.issuer.URL()}
	if change != nil {
		change(&config)
	}
	var err error
	if r.keys, err = jwt.NewRemoteKeys(config); err != nil {
		t.Fatal(err)
	}
	return r
}

// verifier checks the issuer's tokens, at the time it is.
func (r *remote) verifier() *jwt.Verifier {
	r.t.Helper()
	v, err := jwt.NewVerifier(
		jwt.VerifierConfig{
			Issuers: []jwt.Issuer{{Issuer: r.issuer.URL(), Audience: []string{"test"}, Keys: r.keys,
				User: jwt.SubjectUser}}})
	if err != nil {
		r.t.Fatal(err)
	}
	return v
}

// current is how many keys there are at an instant, -1 if that is not known.
func (r *remote) current(now time.Time) int {
	r.t.Helper()
	set, err := r.keys.Current(r.t.Context(), now)
	if err != nil {
		if auth.KindOf(err) != nil {
			r.t.Errorf("%v is a verdict", err)
		}
		return -1
	}
	return len(set.Keys())
}

// fetched waits until the keys were asked for so often.
func (r *remote) fetched(want int) {
	r.t.Helper()
	for range 1000 {
		if r.issuer.Fetches() >= want {
			return
		}
		pause()
	}
	r.t.Fatalf("%d fetches, want %d", r.issuer.Fetches(), want)
}

// pause lets other goroutines and the network go on for a moment; no test
// depends on how long it is.
func pause() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Millisecond)
	defer cancel()
	<-ctx.Done()
}

func TestRemoteKeysAreFoundByDiscoveryAndByURL(t *testing.T) {
	for sentence, change := range map[string]func(*remote) jwt.RemoteKeysConfig{
		"discovery": func(r *remote) jwt.RemoteKeysConfig { return jwt.RemoteKeysConfig{Issuer: r.issuer.URL()} },
		"URL":       func(r *remote) jwt.RemoteKeysConfig { return jwt.RemoteKeysConfig{URL: r.issuer.JWKSURL()} },
	} {
		r := newRemote(t, nil)
		keys, err := jwt.NewRemoteKeys(change(r))
		if err != nil {
			t.Fatal(err)
		}
		r.keys = keys
		for _, algorithm := range []jwt.Algorithm{jwt.ES256, jwt.RS256, jwt.EdDSA} {
			r.issuer.Rotate(algorithm)
		}
		user, credential, err := r.verifier().VerifyToken(t.Context(), r.issuer.Mint(nil))
		if err != nil || user.UserID() != "alice" || credential.(*jwt.Token).Issuer() != r.issuer.URL() {
			t.Errorf("%s: %v %v", sentence, user, err)
		}
		if _, _, err := r.verifier().VerifyToken(t.Context(), r.issuer.Forge(nil)); auth.KindOf(
			err) != auth.ErrInvalid {
			t.Errorf("%s: forged: %v", sentence, err)
		}
		if r.issuer.Fetches() != 1 {
			t.Errorf("%s: %d fetches", sentence, r.issuer.Fetches())
		}
	}
}

func TestA100UnknownKeysAreOneFetchInACoolDownAndARealOneIsFoundAfterIt(t *testing.T) {
	r := newRemote(t, nil)
	now := time.Now()
	if r.current(now) != 1 {
		t.Fatal("no keys")
	}
	renew := func(id string, at time.Time) bool {
		t.Helper()
		set, err := r.keys.Renew(t.Context(), id, at)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range set.Keys() {
			if k.ID() == id {
				return true
			}
		}
		return false
	}
	for i := range 100 {
		renew(fmt.Sprint("junk", i), now.Add(10*time.Second+time.Duration(i)*time.Millisecond))
	}
	if got := r.issuer.Fetches(); got != 2 {
		t.Errorf("%d fetches for 100 unknown keys, want one besides the first", got)
	}
	r.issuer.Rotate(jwt.ES256)
	id := r.issuer.Keys()[0].ID()
	if !renew(id, now.Add(20*time.Second)) {
		t.Error("a real key is not found after the cool-down")
	}
}

func TestAnUnknownKeyIsLookedForAfterACoolDownAndMoreAndMoreSeldom(t *testing.T) {
	r := newRemote(t, nil)
	now := time.Now()
	r.current(now)
	for _, row := range []struct {
		after   time.Duration
		fetches int
	}{
		{10 * time.Second, 2}, {19 * time.Second, 2},
		{20 * time.Second, 3}, {39 * time.Second, 3},
		{40 * time.Second, 4}, {79 * time.Second, 4},
		{80 * time.Second, 5}, {119 * time.Second, 5},
		{120 * time.Second, 6},
	} {
		if _, err := r.keys.Renew(t.Context(), "junk", now.Add(row.after)); err != nil ||
			r.issuer.Fetches() != row.fetches {
			t.Errorf("after %v: %d fetches, want %d: %v", row.after, r.issuer.Fetches(), row.fetches, err)
		}
	}
}

func TestAKeyThatNobodyLookedForIsNotCountedAsMissing(t *testing.T) {
	r := newRemote(t, nil)
	now := time.Now()
	r.current(now)
	renew := func(after time.Duration, fetches int) {
		t.Helper()
		if _, err := r.keys.Renew(t.Context(), "junk", now.Add(after)); err != nil || r.issuer.Fetches() != fetches {
			t.Errorf("after %v: %d fetches, want %d: %v", after, r.issuer.Fetches(), fetches, err)
		}
	}
	renew(time.Second, 1) // held back
	renew(10*time.Second, 2)
	renew(19*time.Second, 2)
	renew(20*time.Second, 3)
}

func TestManyThatWaitForOneFetchMissAKeyOnce(t *testing.T) {
	r := newRemote(t, nil)
	now := time.Now()
	r.current(now)
	release := r.issuer.Hold()
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() { _, _ = r.keys.Renew(t.Context(), "junk", now.Add(10*time.Second)) })
	}
	r.fetched(2)
	for range 5 {
		pause() // for the others to join it; if they come later this proves less
	}
	release()
	group.Wait()
	if _, err := r.keys.Renew(t.Context(), "junk", now.Add(20*time.Second)); err != nil || r.issuer.Fetches() != 3 {
		t.Errorf("%d fetches: %v", r.issuer.Fetches(), err)
	}
}

func TestAKeyThatWasMissingIsUnknownNoMoreInAnOutage(t *testing.T) {
	r := newRemote(t, nil)
	now := time.Now()
	r.current(now)
	for _, after := range []time.Duration{10 * time.Second, 20 * time.Second} { // missing until 40
		if _, err := r.keys.Renew(t.Context(), "junk", now.Add(after)); err != nil {
			t.Fatal(err)
		}
	}
	r.issuer.SetDown(true)
	if _, err := r.keys.Renew(t.Context(), "another", now.Add(30*time.Second)); err == nil {
		t.Error("no error in an outage")
	}
	if _, err := r.keys.Renew(t.Context(), "junk", now.Add(31*time.Second)); err == nil || auth.KindOf(err) != nil {
		t.Errorf("it may have been published since: %v", err)
	}
}

func TestAnUnknownKeyIsKnownOnceAFetchForAnotherFindsIt(t *testing.T) {
	r := newRemote(t, nil)
	now := time.Now()
	r.current(now)
	next, err := jwt.GenerateKey(jwt.ES256)
	if err != nil {
		t.Fatal(err)
	}
	text, err := next.MarshalJWK(false)
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []time.Duration{10 * time.Second, 20 * time.Second} { // not looked for until 40
		if set, err := r.keys.Renew(t.Context(), next.ID(), now.Add(at)); err != nil ||
			set.Keys()[0].ID() == next.ID() {
			t.Fatalf("%v %v", set, err)
		}
	}
	r.issuer.SetAnswer(
		"", "", `{"keys":[`+string(text)+`],"issuer":"`+r.issuer.URL()+`","jwks_uri":"`+r.issuer.JWKSURL()+`"}`)
	for _, id := range []string{"junk", next.ID()} {
		if set, err := r.keys.Renew(t.Context(), id, now.Add(30*time.Second)); err != nil ||
			set.Keys()[0].ID() != next.ID() {
			t.Errorf("%s: %v %v", id, set, err)
		}
	}
}

func TestOneFetchFindsAKeyForAllThatWaitForIt(t *testing.T) {
	r := newRemote(t, nil)
	now := time.Now()
	r.current(now)
	r.issuer.Rotate(jwt.ES256)
	id := r.issuer.Keys()[0].ID()
	release := r.issuer.Hold()
	gone, cancel := context.WithCancel(t.Context())
	first := make(chan error)
	go func() { _, err := r.keys.Renew(gone, id, now.Add(time.Minute)); first <- err }()
	r.fetched(2)
	var group sync.WaitGroup
	var good atomic.Int32
	for range 20 {
		group.Go(func() {
			if set, err := r.keys.Renew(t.Context(), id, now.Add(time.Minute)); err == nil && len(set.Keys()) == 2 {
				good.Add(1)
			}
		})
	}
	cancel()
	if err := <-first; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	release()
	group.Wait()
	if good.Load() != 20 || r.issuer.Fetches() != 2 {
		t.Errorf("%d of 20 by %d fetches", good.Load(), r.issuer.Fetches())
	}
}

func TestAnUnknownKeySoonAfterAFetchIsUnknownAndSoonAfterAFailureIs503(t *testing.T) {
	r := newRemote(t, nil)
	now := time.Now()
	r.current(now)
	if set, err := r.keys.Renew(t.Context(), "junk", now.Add(9*time.Second)); err != nil || len(set.Keys()) != 1 ||
		r.issuer.Fetches() != 1 {
		t.Errorf("after a fetch: %v %v", set, err)
	}
	known := r.issuer.Keys()[0].ID()
	r.issuer.SetDown(true)
	for _, after := range []time.Duration{10 * time.Second, 19 * time.Second} { // fails, and is held back
		if _, err := r.keys.Renew(t.Context(), "junk", now.Add(after)); err == nil || auth.KindOf(err) != nil {
			t.Errorf("%v in an outage: %v", after, err)
		}
		if _, err := r.keys.Renew(t.Context(), known, now.Add(after)); err != nil {
			t.Errorf("a key that is known: %v", err)
		}
	}
	r.issuer.SetDown(false)
	if _, err := r.keys.Renew(t.Context(), "junk", now.Add(20*time.Second)); err != nil {
		t.Errorf("after the outage: %v", err)
	}
}

func TestGarbageFetchesNothing(t *testing.T) {
	r := newRemote(t, nil)
	v := r.verifier()
	if _, _, err := v.VerifyToken(t.Context(), r.issuer.Mint(nil)); err != nil {
		t.Fatal(err)
	}
	other := authtest.NewIssuer(t)
	for sentence, token := range map[string]string{
		"no token":               "garbage",
		"another issuer's":       other.Mint(nil),
		"an expired one":         r.issuer.MintWith(map[string]any{"kid": "x"}, map[string]any{"exp": 5}),
		"another audience's":     r.issuer.MintWith(map[string]any{"kid": "x"}, map[string]any{"aud": "other"}),
		"an algorithm of no key": r.issuer.MintWith(map[string]any{"kid": "x", "alg": "none"}, nil),
		"a symmetric algorithm":  r.issuer.MintWith(map[string]any{"kid": "x", "alg": "HS256"}, nil),
		"an unknown extension":   r.issuer.MintWith(map[string]any{"kid": "x", "crit": []string{"x"}}, nil),
		"a key of its own":       r.issuer.MintWith(map[string]any{"kid": "x", "jku": other.JWKSURL()}, nil),
		"an ID token":            r.issuer.MintWith(map[string]any{"kid": "x", "typ": "JWT"}, nil),
	} {
		if _, _, err := v.VerifyToken(t.Context(), token); auth.KindOf(err) != auth.ErrInvalid &&
			auth.KindOf(err) != auth.ErrUnrecognized {
			t.Errorf("%s: %v", sentence, err)
		}
	}
	if r.issuer.Fetches() != 1 || other.Fetches() != 0 {
		t.Errorf("%d and %d fetches", r.issuer.Fetches(), other.Fetches())
	}
}

func TestAKeyThatIsPublishedNoMoreIsTrustedNoMore(t *testing.T) {
	r := newRemote(t, nil)
	now := time.Now()
	old := r.issuer.Keys()[0].ID()
	r.current(now)
	r.issuer.Rotate(jwt.EdDSA)
	r.issuer.Retire()
	if r.current(now.Add(4*time.Minute)) != 1 || r.issuer.Fetches() != 1 {
		t.Error("fetched before it was due")
	}
	set, err := r.keys.Current(t.Context(), now.Add(6*time.Minute))
	if err != nil || len(set.Keys()) != 1 || set.Keys()[0].ID() == old {
		t.Errorf("%v %v", set, err)
	}
}

func TestAKeyThatWasWithdrawnDuringAPauseIsNotTrustedAfterIt(t *testing.T) {
	r := newRemote(t, nil)
	now := time.Now()
	r.current(now)
	old := r.issuer.Mint(nil)
	r.issuer.Rotate(jwt.ES256)
	r.issuer.Retire()
	set, err := r.keys.Current(t.Context(), now.Add(59*time.Minute)) // no request came since
	if err != nil {
		t.Fatal(err)
	}
	v, err := jwt.NewVerifier(
		jwt.VerifierConfig{
			Issuers: []jwt.Issuer{{Issuer: r.issuer.URL(), Audience: []string{"test"}, Keys: set,
				User: jwt.SubjectUser}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := v.VerifyToken(t.Context(), old); auth.KindOf(err) != auth.ErrInvalid {
		t.Error(err)
	}
}

func TestAClockThatWasWrongHoldsKeysNoLongerThanOneThatIsRight(t *testing.T) {
	r := newRemote(t, nil)
	now := time.Now()
	r.current(now.AddDate(4, 0, 0))
	r.issuer.Rotate(jwt.ES256)
	r.issuer.Retire()
	set, err := r.keys.Current(t.Context(), now)
	if err != nil || set.Keys()[0].ID() != r.issuer.Keys()[0].ID() {
		t.Errorf("keys of a clock that was years ahead: %v %v", set, err)
	}
	r.issuer.SetDown(true)
	if r.current(now.AddDate(-4, 0, 0)) != -1 {
		t.Error("keys of another time serve")
	}
}

func TestTheSameKeysAreTheSamePointer(t *testing.T) {
	r := newRemote(t, nil)
	now := time.Now()
	one, err := r.keys.Current(t.Context(), now)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.keys.Renew(t.Context(), "junk", now.Add(time.Minute)); err != nil || r.issuer.Fetches() != 2 {
		t.Fatal(r.issuer.Fetches(), err)
	}
	if two, _ := r.keys.Current(t.Context(), now.Add(time.Minute)); two != one {
		t.Error("what was verified is forgotten with every fetch")
	}
}

func TestStaleKeysServeForTheirTimeAndThenItIs503(t *testing.T) {
	for sentence, fail := range map[string]func(*authtest.Issuer, bool){
		"503":       (*authtest.Issuer).SetDown,
		"no answer": (*authtest.Issuer).SetBroken,
		"HTML": func(i *authtest.Issuer, on bool) {
			i.SetAnswer(map[bool]string{true: "text/html"}[on], "", map[bool]string{true: "<html>"}[on])
		},
		"no JSON": func(i *authtest.Issuer, on bool) {
			i.SetAnswer("", "", map[bool]string{true: "<html>"}[on])
		},
		"no keys at all": func(i *authtest.Issuer, on bool) {
			i.SetAnswer("", "", map[bool]string{true: `{"keys":[]}`}[on])
		},
		"2 MiB": func(i *authtest.Issuer, on bool) {
			i.SetAnswer("", "", map[bool]string{true: strings.Repeat(" ", 2<<20)}[on])
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			r := newRemote(t, func(c *jwt.RemoteKeysConfig) { c.URL, c.Issuer = c.Issuer+"/jwks.json", "" })
			now := time.Now()
			if r.current(now) != 1 {
				t.Fatal("no keys")
			}
			fail(r.issuer, true)
			if _, err := r.keys.Renew(t.Context(), "new", now.Add(time.Minute)); err == nil || auth.KindOf(err) != nil {
				t.Errorf("an unknown key in an outage: %v", err)
			}
			fetches := r.issuer.Fetches()
			if _, err := r.keys.Renew(t.Context(), "newer", now.Add(time.Minute+time.Second)); err == nil {
				t.Error("an unknown key within the cool-down of an outage")
			}
			if r.issuer.Fetches() != fetches {
				t.Error("a server that is down is asked at once again")
			}
			if r.current(now.Add(time.Hour-time.Second)) != 1 {
				t.Error("stale keys do not serve")
			}
			for range 100 { // until the fetch that this began has failed
				if r.current(now.Add(time.Hour)) == -1 {
					break
				}
				pause()
			}
			if r.current(now.Add(time.Hour)) != -1 || r.current(now.Add(2*time.Hour)) != -1 {
				t.Error("stale keys serve for ever")
			}
			fail(r.issuer, false)
			if r.current(now.Add(3*time.Hour)) != 1 {
				t.Error("they do not come back")
			}
		})
	}
}

func TestAServerThatIsDownAtFirstIs503UntilItIsUp(t *testing.T) {
	r := newRemote(t, nil)
	r.issuer.SetDown(true)
	now := time.Now()
	if r.current(now) != -1 || r.current(now.Add(time.Second)) != -1 {
		t.Error("keys from nowhere")
	}
	guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{r.verifier()}})
	if err != nil {
		t.Fatal(err)
	}
	w := serveRequest(guard.Require()(http.NotFoundHandler()), "GET", "/", "Authorization",
		"Bearer "+r.issuer.Mint(nil))
	if w.Code != 503 || w.Header().Get("Retry-After") == "" || strings.Contains(w.Body.String(), "127.0.0.1") {
		t.Error(w.Code, w.Body)
	}
	r.issuer.SetDown(false)
	if r.current(now.Add(11*time.Second)) != 1 {
		t.Error("not up")
	}
}

func TestOneFetchServesAllThatWaitAndAClientThatGoesAwayFailsNobody(t *testing.T) {
	r := newRemote(t, nil)
	release := r.issuer.Hold()
	defer release()
	gone, cancel := context.WithCancel(t.Context())
	now := time.Now()
	first := make(chan error)
	go func() { _, err := r.keys.Current(gone, now); first <- err }()
	for r.issuer.Fetches() == 0 {
		pause()
	}
	var group sync.WaitGroup
	var good atomic.Int32
	for range 20 {
		group.Go(func() {
			if set, err := r.keys.Current(t.Context(), now); err == nil && len(set.Keys()) == 1 {
				good.Add(1)
			}
		})
	}
	cancel()
	if err := <-first; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	release()
	group.Wait()
	if good.Load() != 20 || r.issuer.Fetches() != 1 {
		t.Errorf("%d of 20 by %d fetches", good.Load(), r.issuer.Fetches())
	}
}

func TestOldKeysServeWhileASlowServerIsAsked(t *testing.T) {
	r := newRemote(t, nil)
	now := time.Now()
	r.current(now)
	release := r.issuer.Hold()
	defer release()
	first := make(chan int)
	go func() { first <- r.current(now.Add(6 * time.Minute)) }()
	r.fetched(2)
	for range 10 {
		if r.current(now.Add(6*time.Minute)) != 1 {
			t.Error("a request fails with a slow server")
		}
	}
	select {
	case <-first: // and no call above waited, or this test would
		t.Error("the first did not wait")
	default:
	}
	release()
	if <-first != 1 || r.issuer.Fetches() != 2 {
		t.Errorf("%d fetches", r.issuer.Fetches())
	}
}

func TestOnceAFetchFailedNobodyWaitsForTheNext(t *testing.T) {
	r := newRemote(t, nil)
	now := time.Now()
	r.current(now)
	r.issuer.SetDown(true)
	if r.current(now.Add(6*time.Minute)) != 1 {
		t.Error("the old keys do not serve who waited in vain")
	}
	r.issuer.SetDown(false)
	release := r.issuer.Hold()
	defer release()
	later := now.Add(7 * time.Minute)
	if r.current(later) != 1 {
		t.Error("no keys")
	}
	release()
	for range 1000 { // a call that had waited would have seen the fetch time out
		if r.keys.Fetched().Equal(later) {
			return
		}
		pause()
	}
	t.Error("the fetch did not go on behind it")
}

func TestAShortMaxAgeIsFollowed(t *testing.T) {
	for caching, due := range map[string]time.Duration{
		"max-age=60": time.Minute, "public, max-age=\"60\"": time.Minute, "max-age=1": 10 * time.Second,
		"no-store":      10 * time.Second,
		"max-age=86400": 5 * time.Minute, "max-age=x": 5 * time.Minute, "private, no-cache": 10 * time.Second,
		"max-age=120, no-store": 10 * time.Second,
		"Max-Age=60":            time.Minute, "s-maxage=60": 5 * time.Minute, "max-age=-1": 5 * time.Minute,
		"":                             5 * time.Minute,
		"max-age=99999999999999999999": 5 * time.Minute,
	} {
		r := newRemote(t, nil)
		r.issuer.SetAnswer("", caching, "")
		now := time.Now()
		r.current(now)
		r.current(now.Add(due - time.Millisecond))
		if got := r.issuer.Fetches(); got != 1 {
			t.Errorf("%q: %d fetches before it is due", caching, got)
		}
		r.current(now.Add(due))
		r.fetched(2)
	}
}

func TestRunFetchesBeforeKeysAreOldAndEndsWithItsContext(t *testing.T) {
	r := newRemote(t, func(c *jwt.RemoteKeysConfig) { c.Refresh, c.CoolDown = 20*time.Millisecond, 5*time.Millisecond })
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- r.keys.Run(ctx) }()
	for r.issuer.Fetches() < 3 {
		pause()
	}
	if r.keys.Fetched().IsZero() || r.keys.Check(t.Context()) != nil {
		t.Error("not healthy")
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestKeysAreReplacedWhileManyRequestsAreChecked(t *testing.T) {
	r := newRemote(t, func(c *jwt.RemoteKeysConfig) {
		c.Refresh, c.CoolDown = 2*time.Millisecond, time.Millisecond
	})
	v := r.verifier()
	var group sync.WaitGroup
	stop := make(chan struct{})
	for range 4 {
		group.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, _, err := v.VerifyToken(t.Context(), r.issuer.Mint(nil)); err != nil &&
					auth.KindOf(err) != auth.ErrInvalid {
					t.Error(err)
				}
			}
		})
	}
	for range 20 {
		r.issuer.Rotate(jwt.EdDSA)
		pause()
	}
	close(stop)
	group.Wait()
}

func TestWhereKeysMayComeFrom(t *testing.T) {
	for text, good := range map[string]bool{
		"https://login.example/keys": true, "https://login.example": true, "http://127.0.0.1:9/keys": true,
		"http://[::1]/keys": true, "http://localhost:1/": true,
		"http://login.example/keys": false, "http://127.0.0.1.example/": false, "ftp://login.example/": false,
		"//login.example": false, "": false,
		"https://user:secret@login.example/": false, "https://login.example/#x": false, "https://": false,
		"file:///etc/keys": false, "https://:443/": false, "https://a b/": false,
	} {
		if _, err := jwt.NewRemoteKeys(jwt.RemoteKeysConfig{URL: text}); (err == nil) != good {
			t.Errorf("%q: %v", text, err)
		}
		if _, err := jwt.NewRemoteKeys(jwt.RemoteKeysConfig{Issuer: text}); (err == nil) != good {
			t.Errorf("issuer %q: %v", text, err)
		}
	}
	for sentence, config := range map[string]jwt.RemoteKeysConfig{
		"both":                   {URL: "https://a.example", Issuer: "https://a.example"},
		"an issuer with a query": {Issuer: "https://a.example?x"},
		"a negative time":        {URL: "https://a.example", Timeout: -1},
		"a long cool-down":       {URL: "https://a.example", CoolDown: time.Hour},
	} {
		if _, err := jwt.NewRemoteKeys(config); err == nil {
			t.Error(sentence)
		}
	}
}

func TestAShortRefreshShortensTheCoolDown(t *testing.T) {
	r := newRemote(t, func(c *jwt.RemoteKeysConfig) { c.Refresh = 2 * time.Second })
	now := time.Now()
	for i := range 4 {
		if r.current(now.Add(time.Duration(i)*time.Second)) != 1 || r.issuer.Fetches() != 1+i/2 {
			t.Errorf("after %d s: %d fetches", i, r.issuer.Fetches())
		}
	}
}

// metadataServer answers paths with texts.
func metadataServer(t *testing.T, answer func(base string) map[string]string) *httptest.Server {
	t.Helper()
	var server *httptest.Server
	server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, ok := answer(server.URL)[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		if to, redirect := strings.CutPrefix(text, "redirect "); redirect {
			http.Redirect(w, r, to, http.StatusFound)
			return
		}
		w.Header().Set("Content-Type", "application/jwk-set+json; charset=utf-8")
		_, _ = w.Write([]byte(text))
	}))
	t.Cleanup(server.Close)
	return server
}

func TestDiscoveryTakesTheMetadataOfThatIssuerOnly(t *testing.T) {
	jwk, err := signing(t, jwt.ES256).MarshalJWK(false)
	if err != nil {
		t.Fatal(err)
	}
	set := `{"keys":[` + string(jwk) + `]}`
	elsewhere := metadataServer(t, func(string) map[string]string { return map[string]string{"/keys": set} })
	const openid, oauth = "/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"
	says := func(issuer, uri string) string { return fmt.Sprintf(`{"issuer":%q,"jwks_uri":%q}`, issuer, uri) }
	for sentence, row := range map[string]struct {
		path   string
		answer func(base string) map[string]string
		good   bool
	}{
		"OpenID": {"", func(b string) map[string]string {
			return map[string]string{openid: says(b, b+"/keys"), "/keys": set}
		}, true},
		"OpenID with a path": {"/a", func(b string) map[string]string {
			return map[string]string{"/a" + openid: says(b+"/a", b+"/keys"), "/keys": set}
		}, true},
		"RFC 8414": {"", func(b string) map[string]string {
			return map[string]string{oauth: says(b, b+"/keys"), "/keys": set}
		}, true},
		"RFC 8414 with a path": {"/a/b", func(b string) map[string]string {
			return map[string]string{oauth + "/a/b": says(b+"/a/b", b+"/keys"), "/keys": set}
		}, true},
		"keys on another host": {"", func(b string) map[string]string {
			return map[string]string{openid: says(b, elsewhere.URL+"/keys")}
		}, true},
		"a redirect within the host": {"", func(b string) map[string]string {
			return map[string]string{openid: says(b, b+"/old"), "/old": "redirect /keys", "/keys": set}
		}, true},
		"a redirect to another host": {"", func(b string) map[string]string {
			return map[string]string{openid: says(b, b+"/old"), "/old": "redirect " + elsewhere.URL + "/keys"}
		}, false},
		"a redirect without end": {"", func(b string) map[string]string {
			return map[string]string{openid: "redirect " + openid}
		}, false},
		"another issuer": {"", func(b string) map[string]string {
			return map[string]string{openid: says("https://other.example", b+"/keys"), "/keys": set}
		}, false},
		"the issuer with a slash": {"", func(b string) map[string]string {
			return map[string]string{openid: says(b+"/", b+"/keys"), "/keys": set}
		}, false},
		"no issuer": {"", func(b string) map[string]string {
			return map[string]string{openid: `{"jwks_uri":"` + b + `/keys"}`, "/keys": set}
		}, false},
		"no jwks_uri": {"", func(b string) map[string]string {
			return map[string]string{openid: `{"issuer":"` + b + `"}`}
		}, false},
		"keys over http elsewhere": {"", func(b string) map[string]string {
			return map[string]string{openid: says(b, "http://login.example/keys")}
		}, false},
		"no metadata": {"", func(string) map[string]string { return nil }, false},
		"metadata that is no object": {"", func(string) map[string]string {
			return map[string]string{openid: `[]`}
		}, false},
		"a jwks_uri that is a number": {"", func(b string) map[string]string {
			return map[string]string{openid: `{"issuer":"` + b + `","jwks_uri":5}`}
		}, false},
		"metadata whose keys are gone": {"", func(b string) map[string]string {
			return map[string]string{openid: says(b, b+"/keys")}
		}, false},
		"an issuer in upper-case paths": {"/A", func(b string) map[string]string {
			return map[string]string{"/A" + openid: says(b+"/a", b+"/keys"), "/keys": set}
		}, false},
	} {
		server := metadataServer(t, row.answer)
		keys, err := jwt.NewRemoteKeys(jwt.RemoteKeysConfig{Issuer: server.URL + row.path})
		if err != nil {
			t.Fatal(err)
		}
		if err := keys.Check(t.Context()); (err == nil) != row.good {
			t.Errorf("%s: %v", sentence, err)
		}
	}
}

func FuzzRemoteKeySet(f *testing.F) {
	f.Add(
		[]byte(
			`{"keys":[{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","kid":"1"},{"kty":"oct","k":"AAAA"}]}`))
	f.Add([]byte(`{"keys":null}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		set, err := jwt.ParseJWKS(text)
		if err != nil {
			return
		}
		for _, k := range set.Keys() {
			if k.CanSign() || k.Public() == nil {
				t.Errorf("%v is no public key", k)
			}
			again, err := k.MarshalJWK(false)
			if err != nil {
				t.Fatal(err)
			}
			if parsed, err := jwt.ParseJWK(again); err != nil || parsed.Thumbprint() != k.Thumbprint() {
				t.Errorf("%s: %v", again, err)
			}
		}
	})
}
