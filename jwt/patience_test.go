package jwt_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/jwt"
)

// keyServer is a server of keys without a socket, so that a bubble can hold it.
type keyServer struct {
	mu      sync.Mutex
	keys    []*jwt.Key
	down    bool
	held    time.Duration // how long an answer takes
	fetches int
}

func (p *keyServer) publish(keys ...*jwt.Key) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keys = keys
}

func (p *keyServer) setDown(down bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = down
}

func (p *keyServer) hold(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held = d
}

func (p *keyServer) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fetches
}

func (p *keyServer) RoundTrip(r *http.Request) (*http.Response, error) {
	p.mu.Lock()
	p.fetches++
	held := p.held
	p.mu.Unlock()
	time.Sleep(held) // in a bubble
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.down {
		return nil, errors.New("down")
	}
	var all []string
	for _, key := range p.keys {
		text, err := key.MarshalJWK(false)
		if err != nil {
			return nil, err
		}
		all = append(all, string(text))
	}
	return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"application/json"}}, Request: r,
		Body: io.NopCloser(strings.NewReader(`{"keys":[` + strings.Join(all, ",") + `]}`))}, nil
}

// remoteOf returns the keys of p, fetched once.
func remoteOf(t *testing.T, p *keyServer, coolDown, patience time.Duration) *jwt.RemoteKeys {
	t.Helper()
	keys, err := jwt.NewRemoteKeys(jwt.RemoteKeysConfig{URL: "https://login.example/keys",
		Client: &http.Client{Transport: p}, CoolDown: coolDown, Patience: patience})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := keys.Current(t.Context(), time.Now()); err != nil {
		t.Fatal(err)
	}
	return keys
}

func knows(set *jwt.KeySet, id string) bool {
	for _, k := range set.Keys() {
		if k.ID() == id {
			return true
		}
	}
	return false
}

func TestUnitATokenWhoseKeyIsYoungerThanTheLastFetchWaitsForTheNext(t *testing.T) {
	const s, ms = time.Second, time.Millisecond
	old, young := signing(t, jwt.ES256), signing(t, jwt.ES256)
	for sentence, row := range map[string]struct {
		coolDown, patience, after time.Duration
		waits                     time.Duration
		found                     bool
		fetches                   int
	}{
		"it waits for the rest of the cool-down":    {s, 2 * s, 300 * ms, 700 * ms, true, 2},
		"without patience it is refused at once":    {s, 0, 300 * ms, 0, false, 1},
		"a rest that is too long is not waited for": {10 * s, 2 * s, 3 * s, 0, false, 1},
		"a rest of just the patience is waited for": {10 * s, 2 * s, 8 * s, 2 * s, true, 2},
		"after the cool-down it is fetched at once": {s, 2 * s, s, 0, true, 2},
	} {
		t.Run(sentence, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				server := &keyServer{keys: []*jwt.Key{old}}
				keys := remoteOf(t, server, row.coolDown, row.patience)
				server.publish(old, young)
				time.Sleep(row.after)
				from := time.Now()
				set, err := keys.Renew(t.Context(), young.ID(), from)
				if err != nil || knows(set, young.ID()) != row.found {
					t.Fatalf("want found to be %v, got %v %v", row.found, set, err)
				}
				if waited := time.Since(from); waited != row.waits || server.count() != row.fetches {
					t.Errorf("want %v and %d fetches, got %v and %d", row.waits, row.fetches, waited, server.count())
				}
			})
		})
	}
}

func TestUnitAKeyThatIsNowhereIsLookedForOnceMoreAndThenRefused(t *testing.T) {
	bubble(t, func(t *testing.T) {
		server := &keyServer{keys: []*jwt.Key{signing(t, jwt.ES256)}}
		keys := remoteOf(t, server, time.Second, 2*time.Second)
		for fetches := 2; fetches < 6; fetches++ {
			set, err := keys.Renew(t.Context(), "junk", time.Now())
			if err != nil || knows(set, "junk") || server.count() != fetches {
				t.Fatalf("want %d fetches and no key, got %d, %v %v", fetches, server.count(), set, err)
			}
		}
		if passed := time.Since(keys.Fetched()); passed != 0 {
			t.Errorf("want an answer as soon as the fetch ends, got one %v later", passed)
		}
	})
}

func TestUnitAllThatWaitForAYoungKeyShareOneFetchAndTheirNumberIsBounded(t *testing.T) {
	bubble(t, func(t *testing.T) {
		old, young := signing(t, jwt.ES256), signing(t, jwt.ES256)
		server := &keyServer{keys: []*jwt.Key{old}}
		keys := remoteOf(t, server, time.Second, 2*time.Second)
		var group sync.WaitGroup
		var found, refused, other atomic.Int32
		for range 3000 {
			group.Go(func() {
				set, err := keys.Renew(t.Context(), young.ID(), time.Now())
				switch {
				case err == nil && knows(set, young.ID()):
					found.Add(1)
				case err != nil && auth.KindOf(err) == nil: // 503
					refused.Add(1)
				default:
					other.Add(1)
				}
			})
		}
		synctest.Wait()
		if got := refused.Load(); got != 2000 {
			t.Errorf("want all but 1,000 refused at once, got %d of 3,000", got)
		}
		server.publish(old, young)
		group.Wait()
		if found.Load() != 1000 || other.Load() != 0 || server.count() != 2 {
			t.Errorf("want 1,000 by 2 fetches, got %d, %d others, by %d", found.Load(), other.Load(), server.count())
		}
		if _, err := keys.Renew(t.Context(), "junk", time.Now()); err != nil {
			t.Errorf("want room for others once these are answered, got %v", err)
		}
	})
}

func TestUnitAClientThatGoesAwayDoesNotEndTheWaitOfOthers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		old, young := signing(t, jwt.ES256), signing(t, jwt.ES256)
		server := &keyServer{keys: []*jwt.Key{old}}
		keys := remoteOf(t, server, time.Second, time.Second)
		server.publish(old, young)
		gone, leave := context.WithCancel(t.Context())
		first := make(chan error, 1)
		go func() { _, err := keys.Renew(gone, young.ID(), time.Now()); first <- err }()
		synctest.Wait()
		second := make(chan bool, 1)
		go func() {
			set, err := keys.Renew(t.Context(), young.ID(), time.Now())
			second <- err == nil && knows(set, young.ID())
		}()
		synctest.Wait()
		leave()
		if err := <-first; !errors.Is(err, context.Canceled) {
			t.Errorf("want the first to end, got %v", err)
		}
		if !<-second {
			t.Error("want the key for the one that stayed")
		}
	})
}

func TestUnitAServerThatIsDownAfterTheWaitIsAnOutage(t *testing.T) {
	bubble(t, func(t *testing.T) {
		server := &keyServer{keys: []*jwt.Key{signing(t, jwt.ES256)}}
		keys := remoteOf(t, server, time.Second, time.Second)
		server.setDown(true)
		from := time.Now()
		if _, err := keys.Renew(t.Context(), "young", from); err == nil || auth.KindOf(err) != nil {
			t.Errorf("want an outage, got %v", err)
		}
		if _, err := keys.Renew(t.Context(), "young", time.Now()); err == nil || time.Since(from) != time.Second {
			t.Errorf("want the failure at once, without another wait, got %v after %v", err, time.Since(from))
		}
	})
}

func TestUnitPatienceIsBounded(t *testing.T) {
	for patience, good := range map[time.Duration]bool{-1: false, 0: true,
		5 * time.Second: true, 5*time.Second + 1: false} {
		_, err := jwt.NewRemoteKeys(jwt.RemoteKeysConfig{URL: "https://login.example/keys", Patience: patience})
		if (err == nil) != good {
			t.Errorf("%v: want accepted to be %v, got %v", patience, good, err)
		}
	}
}
