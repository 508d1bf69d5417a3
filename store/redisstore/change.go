package redisstore

import (
	"context"
	cryptorand "crypto/rand"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/redis/rueidis"
)

// change is a change of keys with one tag. It notes each key that is read, with its value, and each write. Nothing is
// written before commit.
//
// A change must read every key with a value that it decides by, and for a decision about all members of an index the
// version of the index. Keys that are written need not be read.
type change struct {
	db          *DB
	gate        string   // the value of the tag's gate if this change has closed it, or ""
	names       []string // of keys, in order
	entries     map[string]*entry
	outOfMemory bool // the memory of the server is full, so a removal must use no memory: see transactEnd
}

// entry is a key of a change.
type entry struct {
	known    bool   // whether the key was read
	exists   bool   // whether it was there
	value    string // as it was read
	commands []command
}

// command is a write: see commitScript.
type command struct{ name, first, second string }

func newChange(db *DB) *change { return &change{db: db, entries: make(map[string]*entry)} }

func (c *change) entry(key string) *entry {
	e := c.entries[key]
	if e == nil {
		e = &entry{}
		c.entries[key] = e
		c.names = append(c.names, key)
	}
	return e
}

// read reads keys that were not read yet, in one round trip.
func (c *change) read(ctx context.Context, keys ...string) error {
	var missing []string
	for _, key := range keys {
		if !c.entry(key).known {
			missing = append(missing, key)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	texts, err := c.db.getAll(ctx, missing)
	if err != nil {
		return err
	}
	for i, key := range missing {
		e := c.entries[key]
		e.known, e.exists, e.value = true, texts[i] != nil, ""
		if e.exists {
			e.value = *texts[i]
		}
	}
	return nil
}

// assumeAbsent treats keys as absent without reading them. If one of them is there, commit writes nothing.
func (c *change) assumeAbsent(keys ...string) {
	for _, key := range keys {
		c.entry(key).known = true
	}
}

// get decodes the value of a key into value, and reports whether there is the key. It reads the key if read did not.
func (c *change) get(ctx context.Context, key string, value any) (bool, error) {
	if err := c.read(ctx, key); err != nil {
		return false, err
	}
	e := c.entries[key]
	if !e.exists {
		return false, nil
	}
	return true, decode(key, e.value, value)
}

// exists reports whether there is a key that was read.
func (c *change) exists(key string) bool { return c.entries[key] != nil && c.entries[key].exists }

// set writes a value. The key lives for ttl, and for ever if that is 0.
func (c *change) set(key string, value any, ttl time.Duration) {
	c.do(key, "set", encode(value), millis(ttl))
}

// remove removes a key.
func (c *change) remove(key string) { c.do(key, "del", "", "") }

// addMember adds a member to an index that is ordered by the bytes of its members. The index lives for ttl at least.
// The script runs removals last. So addMember deletes an earlier removal of the same member.
func (c *change) addMember(index, member string, ttl time.Duration) {
	e := c.entry(index)
	e.commands = slices.DeleteFunc(e.commands, func(w command) bool { return w.name == "unlist" && w.first == member })
	c.do(index, "list", member, millis(ttl))
}

// addExpiring adds a member to an index that is ordered by instants, or moves it to another instant.
func (c *change) addExpiring(index, member string, at time.Time, ttl time.Duration) {
	c.do(index, "expire "+strconv.FormatInt(int64(microsOf(at)), 10), member, millis(ttl))
}

// removeMember removes a member from either kind of index.
func (c *change) removeMember(index, member string) { c.do(index, "unlist", member, "") }

// versionTTL is how long the version of an index is kept after its last change. It only must be longer than a change.
const versionTTL = 24 * time.Hour

// changeVersion changes the version of an index, which is random, since a counter that has gone would begin again.
// Each change that adds a member does.
func (c *change) changeVersion(version string) {
	c.do(version, "set", cryptorand.Text(), millis(versionTTL))
}

// tryChangeVersion is changeVersion for a change that may not fail because the memory of the server is full. It is for
// caches only.
func (c *change) tryChangeVersion(version string) {
	c.do(version, "try set", cryptorand.Text(), millis(versionTTL))
}

// trySet is set for a change that may not fail because the memory of the server is full. Then the value stays as it
// was.
func (c *change) trySet(key string, value any, ttl time.Duration) {
	c.do(key, "try set", encode(value), millis(ttl))
}

func (c *change) do(key, name, first, second string) {
	e := c.entry(key)
	e.commands = append(e.commands, command{name, first, second})
}

func millis(ttl time.Duration) string {
	if ttl <= 0 {
		return "0"
	}
	return strconv.FormatInt(max(ttl.Milliseconds(), 1), 10)
}

// commit runs the script, and reports whether it wrote. If not, a key was changed meanwhile.
func (c *change) commit(ctx context.Context) (bool, error) {
	var arguments []string
	for _, name := range c.names {
		e := c.entries[name]
		switch {
		case !e.known:
			arguments = append(arguments, "")
		case !e.exists:
			arguments = append(arguments, "-")
		default:
			arguments = append(arguments, "="+e.value)
		}
		arguments = append(arguments, strconv.Itoa(len(e.commands)))
		for _, w := range e.commands {
			arguments = append(arguments, w.name, w.first, w.second)
		}
	}
	names, arguments := c.withGate(arguments)
	written, err := commitScript.Exec(ctx, c.db.client, names, arguments).AsBool()
	if written || err != nil { // after an error it may have been written
		c.db.watch.wrote(c.names)
	}
	if err != nil {
		return false, wrapError("a change", err)
	}
	return written, nil
}

// idle reports whether the change read at most one key and writes nothing. Then there is nothing to compare.
func (c *change) idle() bool {
	for _, e := range c.entries {
		if len(e.commands) > 0 {
			return false
		}
	}
	return len(c.entries) < 2
}

// transact runs decide, which reads and notes writes, and commits. If a key was changed meanwhile, all of it begins
// again, for at most Config.Timeout. Changes of this process with the same turn wait for each other, so that they need
// not try again. The error of decide ends it, and nothing is written.
func (db *DB) transact(ctx context.Context, turn string, decide func(ctx context.Context, c *change) error) error {
	ctx, cancel := db.limit(ctx)
	defer cancel()
	leave, err := db.turns.lock(ctx, turn)
	if err != nil {
		return wrapError("waiting for other changes", err)
	}
	defer leave()
	gate := gate{db: db}
	defer gate.open()
	for try := 0; ; try++ {
		c := newChange(db)
		c.gate = gate.id
		err := decide(ctx, c)
		done := err == nil && c.idle()
		if err == nil && !done {
			done, err = c.commit(ctx)
		}
		if done || err != nil && !isRetryable(err) {
			return err
		}
		if err == nil && try >= triesBeforeGate {
			gate.open() // one that this change has closed and that ended by itself, if any
			gate.close(ctx, c)
		}
		if waited := pause(ctx, try); waited != nil {
			return errors.Join(ErrBusy, err, waited)
		}
	}
}

// isRetryable reports an error of a slot that is on its way to another node, or that two nodes do not agree about.
// Nothing was changed then.
func isRetryable(err error) bool {
	var reply *rueidis.RedisError
	if !errors.As(err, &reply) {
		return false
	}
	_, moved := reply.IsMoved()
	_, ask := reply.IsAsk()
	return moved || ask || reply.IsTryAgain()
}

// pause waits a little before another try, longer from try to try.
func pause(ctx context.Context, try int) error {
	most := time.Millisecond << min(try, 5)
	timer := time.NewTimer(rand.N(most) + most/8)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// wrapError says what failed. An error of Redis that an operator can mend gets a sentence.
func wrapError(what string, err error) error {
	if hint := hintOf(err); hint != "" {
		return fmt.Errorf("redisstore: %s: %s: %w", what, hint, err)
	}
	return fmt.Errorf("redisstore: %s: %w", what, err)
}
