package redisstore

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/gatewarden/auth/internal/testserver"
)

// overtaking is a change of one instance that another instance overtakes each time, as long as it can.
func overtaking(t *testing.T, first, second *DB, key string) (tries, overtaken int, err error) {
	t.Helper()
	err = first.transact(t.Context(), "first", func(ctx context.Context, c *change) error {
		tries++
		if err := c.read(ctx, key); err != nil {
			return err
		}
		c.set(key, useRow{Version: 1}, time.Hour)
		short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		err := second.transact(short, "second", func(ctx context.Context, c *change) error {
			c.changeVersion(key)
			return c.read(ctx, key)
		})
		switch {
		case err == nil:
			overtaken++
		case !errors.Is(err, ErrBusy) && !errors.Is(err, context.DeadlineExceeded):
			t.Error(err)
		}
		return nil
	})
	return tries, overtaken, err
}

func TestAChangeThatIsOvertakenClosesTheGate(t *testing.T) {
	place := onNode(t)
	first, second := place.pair(t, Config{MaxCached: -1})
	key := first.key(userChanges, tagOfOwner("alice"), "alice")
	tries, overtaken, err := overtaking(t, first, second, key)
	if err != nil || overtaken != triesBeforeGate+1 || tries != triesBeforeGate+2 {
		t.Errorf("%d tries of which %d were overtaken, %v", tries, overtaken, err)
	}
	if err := second.UserChanged(t.Context(), "alice"); err != nil {
		t.Errorf("the gate is not open again: %v", err)
	}
}

// A change that is given up opens its gate.
func TestAGateOpensAfterAnError(t *testing.T) {
	place := onNode(t)
	first, second := place.pair(t, Config{MaxCached: -1})
	key := first.key(userChanges, tagOfOwner("alice"), "alice")
	failed := errors.New("given up")
	tries := 0
	err := first.transact(t.Context(), "first", func(ctx context.Context, c *change) error {
		if tries++; tries > triesBeforeGate+1 {
			return failed
		}
		if err := c.read(ctx, key); err != nil {
			return err
		}
		c.set(key, useRow{Version: 1}, time.Hour)
		return second.UserChanged(t.Context(), "alice")
	})
	if !errors.Is(err, failed) {
		t.Fatal(err)
	}
	if n := testserver.Redis(t).Do(t, "EXISTS", first.key(gates, tagOfOwner("alice"), "")); n != int64(0) {
		t.Error("the gate is closed still")
	}
}

// A change that takes longer than its gate is closed closes it again.
func TestAGateThatEndsIsClosedAgain(t *testing.T) {
	place := onNode(t)
	first, second := place.pair(t, Config{MaxCached: -1})
	key, gate := first.key(userChanges, tagOfOwner("alice"), "alice"), first.key(gates, tagOfOwner("alice"), "")
	tries := 0
	err := first.transact(t.Context(), "first", func(ctx context.Context, c *change) error {
		tries++
		if err := c.read(ctx, key); err != nil {
			return err
		}
		c.set(key, useRow{Version: 1}, time.Hour)
		if tries > triesBeforeGate+3 {
			return nil
		}
		testserver.Redis(t).Do(t, "DEL", gate) // as its time to live does
		return second.UserChanged(t.Context(), "alice")
	})
	if err != nil || tries != triesBeforeGate+4 {
		t.Errorf("%d tries, %v", tries, err)
	}
	if err := second.UserChanged(t.Context(), "alice"); err != nil {
		t.Errorf("the gate is not open again: %v", err)
	}
}

// If the memory of the server is full, no gate can be closed. A change that only removes keys is made nevertheless.
func TestAFullMemoryClosesNoGate(t *testing.T) {
	node := testserver.NewRedis(t)
	place := testRedis{optionOf(t, node), "x:"}
	first, second := place.pair(t, Config{MaxCached: -1, Timeout: 2 * time.Second})
	var keys []string
	for n := range triesBeforeGate + 3 {
		key := first.key(userChanges, tagOfOwner("alice"), strconv.Itoa(n))
		node.Do(t, "SET", key, "a value")
		keys = append(keys, key)
	}
	remove := func(db *DB, keys []string, before func()) error {
		return db.transact(t.Context(), "test", func(ctx context.Context, c *change) error {
			if err := c.read(ctx, keys...); err != nil {
				return err
			}
			before()
			for _, key := range keys {
				c.remove(key)
			}
			return nil
		})
	}
	node.Do(t, "CONFIG", "SET", "maxmemory", "1")
	tries := 0
	err := remove(first, keys, func() {
		if tries++; tries > triesBeforeGate+2 {
			return
		}
		if err := remove(second, keys[tries:tries+1], func() {}); err != nil {
			t.Error(err)
		}
	})
	if err != nil || tries != triesBeforeGate+3 {
		t.Errorf("%d tries, %v, want %d", tries, err, triesBeforeGate+3)
	}
	if left := node.Do(t, "EXISTS", keys[0]); left != int64(0) {
		t.Error("the key was not removed")
	}
}
