package faults

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatewarden/auth/faults/internal/proxy"
	"github.com/gatewarden/auth/jwt"
)

// silence is a way in which a server does not answer.
type silence struct {
	name  string
	begin func(n network, limit time.Duration)
	end   func(n network)
	long  bool // left out of the short form, since another one begins or ends like it
}

var silences = []silence{
	{name: "is silent in the middle", begin: func(n network, _ time.Duration) { n.hold() }, end: network.resume,
		long: true},
	{name: "accepts connections and is silent", begin: func(n network, _ time.Duration) { n.hold(); n.cut() },
		end: network.resume},
	{name: "answers too late", begin: func(n network, limit time.Duration) {
		n.each(func(p *proxy.Proxy) { p.Delay(limit + limit/2) })
	}, end: network.resume},
	{name: "is silent, and replaced by another one", begin: func(n network, _ time.Duration) { n.hold() },
		end: func(n network) { n.each((*proxy.Proxy).Abandon); n.resume() }},
}

// TestUnitSilence has servers that do not answer in time. Every request has its answer, what waits is bounded, and all
// is well again soon after.
func TestUnitSilence(t *testing.T) {
	if full {
		for _, e := range engines { // 2,000 requests keep the processors busy
			silenceOf(t, e)
		}
		return
	}
	t.Parallel()
	var all sync.WaitGroup
	for _, e := range engines { // at once, since they mostly wait
		all.Go(func() { silenceOf(t, e) })
	}
	all.Wait()
}

func silenceOf(t *testing.T, e engine) {
	if e.own == nil { // SQLite has no server
		return
	}
	for _, how := range silences {
		if how.long && !full {
			continue
		}
		t.Run(e.name+": every request is answered while a server "+how.name, func(t *testing.T) { how.test(t, e) })
	}
}

func (how silence) test(t *testing.T, e engine) {
	limit, touched := time.Duration(size(2, 5))*time.Second, ""
	s := e.shared(t)
	address, n := s.through(t)
	a := newApp(t, address, limit)
	other := newApp(t, s.address, limit)
	tokens := a.warm()
	await(t, "a login", func() bool { token, _ := a.login("touched"); touched = token; return token != "" })
	before, dialed := a.footprint(), a.dials.made.Load()

	used := time.Now().Truncate(time.Microsecond)
	await(t, "a check", func() bool { return a.check(touched).status == http.StatusOK })
	how.begin(n, limit)
	c := a.crowd(size(200, 2000), func(i int) string { return tokens[i%len(tokens)] })
	if c.unavailable == 0 {
		t.Errorf("no request of %d is refused, want 503 while the server is silent", c.requests)
	}
	if a.pool != nil {
		if open := a.pool.Stats().OpenConnections; open > poolSize {
			t.Errorf("the pool has %d connections, want at most %d", open, poolSize)
		}
	}
	if a.pool != nil && !strings.Contains(a.log.text(), "Config.ReadTimeout") {
		t.Errorf("the log names no Config.ReadTimeout\n%s", a.log.tail())
	}
	open := a.dials.open.Load()
	a.allFails(tokens[0])
	how.end(n)

	well := a.wellAgain(tokens)
	if a.pool != nil { // Redis has no last uses that wait
		await(t, "the last use before the fault is written", func() bool {
			return !other.lastUsed("touched").Before(used)
		})
		a.usesWritten()
	}
	made := a.dials.made.Load() - dialed
	if most := int64(20*poolSize + 10*len(s.nodes)); made > most {
		t.Errorf("the instance has made %d connections during the fault, want at most %d", made, most)
	}
	after := a.settled(before)
	report.add("a server "+how.name, e.name, c.requests, c.unavailable, 0, round(well), round(c.slowest), 0, 0,
		fmt.Sprintf("before %v, after %v. In the fault %d connections were open, and %d made", before, after,
			open, made))
}

// warm returns tokens that the instance has used, of both kinds, when its pool is full.
func (a *app) warm() []string {
	a.t.Helper()
	var tokens []string
	await(a.t, "logins", func() bool { // a machine that is busy may need more than the limit
		token, _ := a.login(fmt.Sprint("warm", len(tokens)))
		pair, err := a.pairs.Issue(a.t.Context(), fmt.Sprint("warm", len(tokens)), jwt.Options{})
		if token != "" && err == nil {
			tokens = append(tokens, token, pair.Access.Reveal())
		}
		return len(tokens) >= 2*poolSize
	})
	await(a.t, "checks", func() bool {
		return a.crowd(4*poolSize, func(i int) string { return tokens[i%len(tokens)] }).unavailable == 0
	})
	return tokens
}

// allFails makes calls after the longest time for which an instance believes what it remembers. All end with an error,
// those that no request waits for, too.
func (a *app) allFails(token string) {
	a.t.Helper()
	if got := a.check(token); got.status != http.StatusServiceUnavailable {
		a.t.Errorf("a check is answered with %d, want 503 since the server was silent for %v", got.status, a.limit)
	}
	var all sync.WaitGroup
	for name, call := range map[string]func() error{
		"a ping":         func() error { return a.stores.ping(a.t.Context()) },
		"a purge":        func() error { _, err := a.tokens.Purge(a.t.Context(), 1000); return err },
		"a purge of JWT": func() error { _, err := a.pairs.Purge(a.t.Context(), 1000); return err },
		"a logout":       func() error { _, err := a.tokens.RevokeAll(a.t.Context(), "nobody"); return err },
	} {
		all.Go(func() {
			began := time.Now()
			err := call()
			if took := time.Since(began); err == nil || took > a.limit+answerSlack {
				a.t.Errorf("%s ends after %v with the error %v, want an error within %v and some seconds",
					name, took, err,
					a.limit)
			}
		})
	}
	all.Wait()
}

// wellAgain waits until an instance serves as before, and returns how long that took.
func (a *app) wellAgain(tokens []string) time.Duration {
	a.t.Helper()
	began := time.Now()
	await(a.t, "a login after the fault", func() bool { token, _ := a.login("after"); return token != "" })
	for _, token := range tokens {
		await(a.t, "a check after the fault", func() bool { return a.check(token).status == http.StatusOK })
	}
	took := time.Since(began)
	if took > healLimit {
		a.t.Errorf("the instance serves as before %v after the fault, want at most %v", took, healLimit)
	}
	await(a.t, "a ping after the fault", func() bool { return a.stores.ping(a.t.Context()) == nil })
	await(a.t, "a purge after the fault", func() bool {
		_, err := a.tokens.Purge(a.t.Context(), 1000)
		return err == nil
	})
	await(a.t, "a logout after the fault", func() bool {
		return a.logout(tokens[0]).status != http.StatusServiceUnavailable
	})
	await(a.t, "a token that was logged out is refused", func() bool {
		return a.check(tokens[0]).status == http.StatusUnauthorized
	})
	return took
}
