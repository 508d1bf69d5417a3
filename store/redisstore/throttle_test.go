package redisstore

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/internal/testserver"
	"github.com/gatewarden/auth/password"
)

// count adds a failure to counters, which then expire at an instant.
func count(t *testing.T, s password.ThrottleStore, now, expires time.Time, keys ...string) error {
	t.Helper()
	return s.Update(t.Context(), keys, now, func(counters []password.Counter) {
		for i := range counters {
			counters[i].Failures++
			counters[i].ExpiresAt = expires
		}
	})
}

func mustCount(t *testing.T, s password.ThrottleStore, now, expires time.Time, keys ...string) {
	t.Helper()
	if err := count(t, s, now, expires, keys...); err != nil {
		t.Fatal(err)
	}
}

// failuresOf returns the failures of a key.
func failuresOf(t *testing.T, s password.ThrottleStore, now time.Time, key string) int {
	t.Helper()
	n := 0
	if err := s.Update(t.Context(), []string{key}, now, func(counters []password.Counter) {
		n = counters[0].Failures
	}); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestThrottleEndsByItself(t *testing.T) {
	db := openTest(t, Config{MaxCached: -1})
	s, j, now := Throttle(db), jwtTest{t: t, db: db}, backend.StoreTime(time.Now())
	for i := range 4 { // each moves the counters to the index of another hour
		mustCount(t, s, now, now.Add(time.Duration(4-i)*time.Hour), "a", "b")
	}
	keys := j.keys()
	for key, left := range keys {
		if want := time.Hour + counterSlack; left < want-time.Minute || left > want {
			t.Errorf("%s lives %v, want %v", key, left, want)
		}
	}
	if len(keys) != 3 {
		t.Errorf("got %v, want two counters and the index of one hour", keys)
	}
	if n, err := s.Purge(t.Context(), now.Add(3*time.Hour), 0); n != 0 || err != nil {
		t.Errorf("got %d, %v from a purge so late that Redis has removed the counters", n, err)
	}
	j.do("DEL", j.key(throttleCounters, "a"))
	if n, err := s.Purge(t.Context(), now.Add(time.Hour), 0); n != 1 || err != nil {
		t.Errorf("got %d, %v, want 1, since one counter has gone already", n, err)
	}
	if keys := j.keys(); len(keys) != 0 {
		t.Errorf("a purge left %v", keys)
	}
}

func TestThrottleUnreadable(t *testing.T) {
	for _, value := range []string{"type", "{", `{"v":1,"later":1}`, ""} {
		db := openTest(t, Config{MaxCached: -1})
		s, j, now := Throttle(db), jwtTest{t: t, db: db}, backend.StoreTime(time.Now())
		mustCount(t, s, now, now.Add(time.Minute), "a")
		key := j.key(throttleCounters, "a")
		if j.do("DEL", key); value == "type" {
			j.do("LPUSH", key, "x")
		} else {
			j.do("SET", key, value)
		}
		err := count(t, s, now, now.Add(time.Minute), "b", "a")
		if err == nil || value != "type" && !errors.Is(err, ErrUnreadable) {
			t.Errorf("%q: got %v, want an error that says so", value, err)
		}
		if n := failuresOf(t, s, now, "b"); n != 0 {
			t.Errorf("%q: got %d failures beside it, want 0, since nothing was written", value, n)
		}
		if _, err := s.Purge(t.Context(), now.Add(time.Minute), 0); err == nil {
			t.Errorf("%q: Purge: no error", value)
		}
	}
}

// TestThrottleFailsClosed checks that no failure is lost without an error.
func TestThrottleFailsClosed(t *testing.T) {
	node := testserver.NewRedis(t)
	db := testRedis{optionOf(t, node), "x:"}.open(t, Config{MaxCached: -1, Timeout: time.Second})
	s, now := Throttle(db), backend.StoreTime(time.Now())
	mustCount(t, s, now, now.Add(time.Hour), "a", "b")
	node.Do(t, "CONFIG", "SET", "maxmemory", "1")
	if err := count(t, s, now, now.Add(time.Hour), "a"); err == nil || !strings.Contains(err.Error(), "memory") {
		t.Errorf("got %v on a full server, want an error of the memory", err)
	}
	if n := failuresOf(t, s, now, "a"); n != 1 {
		t.Errorf("got %d failures, want 1", n)
	}
	forgive := func(counters []password.Counter) { counters[0] = password.Counter{} }
	if err := s.Update(t.Context(), []string{"b"}, now, forgive); err != nil {
		t.Errorf("a counter is not removed on a full server: %v", err)
	}
	node.Stop(t)
	called := false
	err := s.Update(t.Context(), []string{"a"}, now, func([]password.Counter) { called = true })
	if err == nil || called {
		t.Errorf("got %v without a server, and counters: %v; want an error and none", err, called)
	}
	if _, err := s.Purge(t.Context(), now, 0); err == nil {
		t.Error("got no error of Purge without a server")
	}
}

func TestThrottleOfManyCounters(t *testing.T) {
	db := openTest(t, Config{MaxCached: -1})
	s, now := Throttle(db), backend.StoreTime(time.Now())
	const counters = 2*purgeAtOnce + 7
	var keys []string
	for i := range counters {
		keys = append(keys, fmt.Sprint(i))
	}
	mustCount(t, s, now, now.Add(time.Minute), keys...)
	if n, err := s.Purge(t.Context(), now.Add(time.Minute), 0); n != counters || err != nil {
		t.Errorf("got %d, %v, want %d", n, err, counters)
	}
}
