package redisstore

import (
	"context"
	"math"
	"strconv"
	"time"

	"github.com/gatewarden/auth/password"
)

// The kinds of keys of the throttle.
const (
	throttleCounters kind = "wc" // a counter, by key
	throttleExpiry   kind = "we" // index of the counters that expire within one hour, by the number of the hour
)

// throttleTag is the tag of all counters, because an update compares counters of several keys.
const throttleTag tag = "throttle"

// counterSlack is how much longer than a counter Redis keeps its key. It is shorter than slack, because strangers can
// make many counters. Clocks of instances must not differ by more, or one of them forgets failures early.
const counterSlack = 10 * time.Minute

// counterRow is a counter as Redis has it. The zero row is that of a key without a counter.
type counterRow struct {
	Version  int    `json:"v"`
	Failures int    `json:"f,omitempty"`
	Until    micros `json:"u,omitempty"`
	Expires  micros `json:"e"`
}

func counterRowOf(c password.Counter) counterRow {
	if c == (password.Counter{}) {
		return counterRow{}
	}
	return counterRow{1, c.Failures, microsOf(c.Until), microsOf(c.ExpiresAt)}
}

func (r counterRow) counter() password.Counter {
	return password.Counter{Failures: r.Failures, Until: r.Until.time(), ExpiresAt: r.Expires.time()}
}

// live returns the row, or the zero row if it has expired.
func (r counterRow) live(now time.Time) counterRow {
	if !now.Before(r.Expires.time()) {
		return counterRow{}
	}
	return r
}

// Throttle returns the store of failed logins of package password. If Redis does not answer, Update is an error, and
// then no login is let in.
//
// All counters are on one node of a Cluster, since a login compares several of them in one step.
//
// Redis removes a counter 10 minutes after it expires, whether Purge runs or not. Unlike [password.MemoryThrottle], the
// store has no upper limit. A failed login at an unknown name, from an address that was not seen before, makes
// three counters. Each takes about 450 bytes (Redis 7.0), and with the defaults of password.Limits it lives for 70
// minutes. So 1,000 such tries a second, each from another address, fill 5.7 GB in these 70 minutes, and no more after
// that. Each try also costs the program one hash of a password. Set maxmemory of the server for as many tries as the
// program has processors for. If the memory is full, logins fail with an error.
func Throttle(db *DB) password.ThrottleStore { return &throttleStore{db} }

type throttleStore struct{ db *DB }

var _ password.ThrottleStore = (*throttleStore)(nil)

func (s *throttleStore) key(key string) string { return s.db.key(throttleCounters, throttleTag, key) }

// expiryOf returns the index that has the counters which expire in the same hour. It ends with the last of them, so
// no flood of counters leaves anything behind.
func (s *throttleStore) expiryOf(expires micros) string { return s.expiryAt(hourOf(expires)) }

func (s *throttleStore) expiryAt(hour int64) string {
	return s.db.key(throttleExpiry, throttleTag, strconv.FormatInt(hour, 10))
}

// hourOf returns the number of the hour since 1970.
func hourOf(m micros) int64 { return int64(m) / time.Hour.Microseconds() }

// Update implements [password.ThrottleStore].
func (s *throttleStore) Update(ctx context.Context, keys []string, now time.Time,
	decide func(counters []password.Counter)) error {
	if len(keys) == 0 {
		decide(nil)
		return nil
	}
	return s.db.transact(ctx, s.key(keys[0]), func(ctx context.Context, c *change) error {
		rows, err := s.rows(ctx, c, keys)
		if err != nil {
			return err
		}
		counters := make([]password.Counter, len(keys))
		for i, row := range rows {
			counters[i] = row.live(now).counter()
		}
		decide(counters)
		for i, key := range keys {
			s.write(c, key, rows[i], counterRowOf(counters[i]), now)
		}
		return nil
	})
}

// rows reads the rows of keys in a change.
func (s *throttleStore) rows(ctx context.Context, c *change, keys []string) ([]counterRow, error) {
	names := make([]string, len(keys))
	for i, key := range keys {
		names[i] = s.key(key)
	}
	if err := c.read(ctx, names...); err != nil {
		return nil, err
	}
	rows := make([]counterRow, len(keys))
	for i, name := range names {
		if _, err := c.get(ctx, name, &rows[i]); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

// write adds the new row of a key to the change. was is the row that was read. Redis keeps the key counterSlack longer
// than the counter is valid.
func (s *throttleStore) write(c *change, key string, was, row counterRow, now time.Time) {
	s.writeFor(c, key, was, row, now, counterSlack)
}

// writeFor is write for a counter whose key Redis keeps for so much longer than the counter.
func (s *throttleStore) writeFor(c *change, key string, was, row counterRow, now time.Time, longer time.Duration) {
	none := counterRow{}
	if row == was || row == none && was == none {
		return
	}
	if was != none && (row == none || s.expiryOf(was.Expires) != s.expiryOf(row.Expires)) {
		c.removeMember(s.expiryOf(was.Expires), key)
	}
	if row == none {
		c.remove(s.key(key))
		return
	}
	expires := row.Expires.time()
	ttl := min(max(expires.Sub(now), 0), maxTTL) + longer
	c.set(s.key(key), row, ttl)
	c.addExpiring(s.expiryOf(row.Expires), key, expires, ttl)
}

// Purge implements [password.ThrottleStore]. What expired long ago is gone without it.
func (s *throttleStore) Purge(ctx context.Context, now time.Time, limit int) (int, error) {
	if limit <= 0 {
		limit = math.MaxInt
	}
	purged := 0
	for hour := hourOf(microsOf(now.Add(-counterSlack))); hour <= hourOf(microsOf(now)); hour++ {
		for purged < limit {
			n, more, err := s.purge(ctx, s.expiryAt(hour), now, min(limit-purged, purgeAtOnce))
			if purged += n; err != nil {
				return purged, err
			}
			if !more {
				break
			}
		}
	}
	return purged, nil
}

// purge removes at most limit counters of an index, and reports whether there may be more. Of programs that purge at
// once, one removes a counter, since the counters are compared.
func (s *throttleStore) purge(ctx context.Context, index string, now time.Time, limit int) (n int, more bool,
	err error) {
	err = s.db.transact(ctx, index, func(ctx context.Context, c *change) error {
		n, more = 0, false
		keys, err := s.db.until(ctx, index, now, limit)
		if err != nil || len(keys) == 0 {
			return err
		}
		rows, err := s.rows(ctx, c, keys)
		if err != nil {
			return err
		}
		for i, key := range keys {
			switch {
			case rows[i] == (counterRow{}): // Redis removed it
				c.removeMember(index, key)
				more = len(keys) == limit
			case rows[i].live(now) == (counterRow{}):
				s.write(c, key, rows[i], counterRow{}, now)
				n++
				more = len(keys) == limit
			}
		}
		return nil
	})
	if err != nil {
		return 0, false, err
	}
	return n, more, nil
}
