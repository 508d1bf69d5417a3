//go:build unix

package testserver_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/gatewarden/auth/internal/testserver"
)

func TestUnitRedisCluster(t *testing.T) {
	t.Run("all tests share a Cluster that has all slots, and a prefix goes with its test", func(t *testing.T) {
		c := testserver.RedisCluster(t)
		c.WaitOK(t)
		if len(c.Nodes()) != 3 || len(c.Addresses()) != 3 {
			t.Fatalf("the nodes are %v", c.Addresses())
		}
		var prefix string
		owners := map[*testserver.Node]bool{}
		t.Run("a test", func(t *testing.T) {
			prefix = c.Prefix(t)
			for i := range 100 {
				key := fmt.Sprint(prefix, i)
				owner := c.Owner(t, c.Slot(t, key))
				owner.Do(t, "SET", key, "v")
				owners[owner] = true
			}
		})
		if len(owners) != 3 {
			t.Errorf("%d masters have keys", len(owners))
		}
		for _, n := range c.Nodes() {
			if keys, _ := n.Do(t, "KEYS", prefix+"*").([]any); len(keys) != 0 {
				t.Errorf("%d keys stay", len(keys))
			}
		}
	})
	t.Run("a slot moves with all its keys and what they hold", func(t *testing.T) {
		c := testserver.NewRedisCluster(t)
		slot := c.Slot(t, "{tag}")
		old := c.Owner(t, slot)
		for i := range 25 {
			old.Do(t, "SET", fmt.Sprintf("{tag}%d", i), "v", "PX", "3600000")
		}
		from, to := c.MoveSlot(t, slot)
		if from != old || to == old || c.Owner(t, slot) != to {
			t.Errorf("from %v to %v, and now at %v", from.Address(), to.Address(), c.Owner(t, slot).Address())
		}
		for i := range 25 {
			key := fmt.Sprintf("{tag}%d", i)
			if got := to.Do(t, "GET", key); got != "v" {
				t.Errorf("%s: got %v, want v", key, got)
			}
			if ttl, _ := to.Do(t, "PTTL", key).(int64); ttl <= 0 {
				t.Errorf("%s lives for %d ms", key, ttl)
			}
		}
		for _, n := range c.Nodes() {
			if n == to {
				continue
			}
			if err := testserver.Try(n, "GET", "{tag}0"); err == nil || !strings.Contains(err.Error(), "MOVED") ||
				!strings.Contains(err.Error(), to.Address()) {
				t.Errorf("%s answers %v", n.Address(), err)
			}
		}
		c.WaitOK(t)
	})
	t.Run("amid a move, the masters answer ASK and TRYAGAIN", func(t *testing.T) {
		c := testserver.NewRedisCluster(t)
		slot := c.Slot(t, "{tag}")
		c.Owner(t, slot).Do(t, "MSET", "{tag}1", "v", "{tag}2", "v")
		move := c.BeginMove(t, slot)
		if n := move.Keys(t, 1); n != 1 {
			t.Fatalf("%d keys move", n)
		}
		answers := map[string][]string{"TRYAGAIN": {"MGET", "{tag}1", "{tag}2"}, "ASK": {"GET", "{tag}3"}}
		for want, command := range answers {
			if err := testserver.Try(move.From, command...); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v: got %v, want %s", command, err, want)
			}
		}
		if one, none := move.Keys(t, 10), move.Keys(t, 10); one != 1 || none != 0 {
			t.Errorf("%d and %d keys move, want 1 and 0", one, none)
		}
		move.Finish(t)
		if got := move.To.Do(t, "EXISTS", "{tag}1", "{tag}2"); got != int64(2) {
			t.Errorf("%v keys have moved, want 2", got)
		}
	})
	t.Run("a client that follows MOVED and ASK loses no write while a slot moves", func(t *testing.T) {
		c := testserver.NewRedisCluster(t)
		slot, start := c.Slot(t, "{tag}"), c.Nodes()[0]
		const keys = 40
		key := func(i int) string { return fmt.Sprintf("{tag}%d", i%keys) }
		writes := 0
		began, stop, stopped := make(chan struct{}), make(chan struct{}), make(chan error, 1)
		go func() {
			for ; ; writes++ {
				select {
				case <-stop:
					stopped <- nil
					return
				default:
				}
				if _, err := c.Follow(start, "INCR", key(writes)); err != nil {
					stopped <- err
					return
				}
				if writes == keys {
					close(began)
				}
			}
		}()
		select {
		case <-began:
		case err := <-stopped:
			t.Fatal(err)
		}
		owners := map[*testserver.Node]bool{}
		for range 3 {
			_, to := c.MoveSlot(t, slot)
			owners[to] = true
		}
		close(stop)
		if err := <-stopped; err != nil {
			t.Fatalf("write %d: %v", writes, err)
		}
		sum := 0
		for i := range keys {
			text, _ := c.Owner(t, slot).Do(t, "GET", key(i)).(string)
			n, err := strconv.Atoi(text)
			if err != nil {
				t.Fatal(err)
			}
			sum += n
		}
		if sum != writes || len(owners) != 3 {
			t.Errorf("of %d writes, %d are there. %d masters had the slot", writes, sum, len(owners))
		}
	})
	t.Run("a replica replaces a killed master, which comes back as its replica", func(t *testing.T) {
		c := testserver.NewRedisCluster(t, testserver.RedisReplicas(1), testserver.RedisTLS(),
			testserver.RedisSetting("cluster-node-timeout", "2000"))
		slot := c.Slot(t, "k")
		old := c.Owner(t, slot)
		old.Do(t, "SET", "k", "v")
		_, old = c.MoveSlot(t, slot)
		c.WaitOK(t)
		if n, err := testserver.Copied(old, "{k}2"); n != int64(1) || err != nil {
			t.Fatalf("%v replicas have the key: %v", n, err)
		}
		old.Kill(t)
		c.WaitOK(t)
		owner := c.Owner(t, slot)
		if got := owner.Do(t, "GET", "k"); owner == old || got != "v" {
			t.Errorf("%s serves %v", owner.Address(), got)
		}
		old.Start(t)
		c.WaitOK(t)
		if owner := c.Owner(t, slot); owner == old {
			t.Error("the master that was killed serves the slot again")
		}
	})
	t.Run("a node keeps its slots when it starts again", func(t *testing.T) {
		c := testserver.NewRedisCluster(t, testserver.RedisAOF())
		slot := c.Slot(t, "k")
		old := c.Owner(t, slot)
		old.Do(t, "SET", "k", "v")
		old.Kill(t)
		old.Start(t)
		c.WaitOK(t)
		if got := c.Owner(t, slot).Do(t, "GET", "k"); got != "v" || c.Owner(t, slot) != old {
			t.Errorf("got %v at %s, want v at %s", got, c.Owner(t, slot).Address(), old.Address())
		}
	})
}
