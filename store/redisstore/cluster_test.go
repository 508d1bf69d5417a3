package redisstore

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/gatewarden/auth/internal/testserver"
	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/oauth2/external"
	"github.com/gatewarden/auth/oauth2/server"
	"github.com/gatewarden/auth/password"
	"github.com/gatewarden/auth/session"
	"github.com/gatewarden/auth/store/storetest"
)

// suites are those of storetest that have races, as two instances at a place.
var suites = []struct {
	name string
	run  func(t *testing.T, place func(t testing.TB) testRedis)
}{
	{"knox", func(t *testing.T, place func(t testing.TB) testRedis) {
		storetest.Knox(t, func(t *testing.T) knox.Store {
			first, second := place(t).pair(t, Config{MaxCached: -1, Timeout: 20 * time.Second})
			return storetest.KnoxPair(Knox(first), Knox(second))
		})
	}},
	{"sessions", func(t *testing.T, place func(t testing.TB) testRedis) {
		storetest.Sessions(t, func(t *testing.T) session.Store {
			first, second := place(t).pair(t, Config{MaxCached: -1, Timeout: 20 * time.Second})
			return storetest.SessionsPair(Sessions(first), Sessions(second))
		})
	}},
	{"JWT", func(t *testing.T, place func(t testing.TB) testRedis) {
		storetest.JWT(t, func(t *testing.T) jwt.Store {
			first, second := place(t).pair(t, Config{MaxCached: -1, Timeout: 20 * time.Second})
			return storetest.JWTPair(JWT(first), JWT(second))
		})
	}},
	{"OAuth", func(t *testing.T, place func(t testing.TB) testRedis) {
		storetest.OAuth(t, func(t *testing.T) server.Store {
			first, second := place(t).pair(t, Config{MaxCached: -1, Timeout: 20 * time.Second})
			return storetest.OAuthPair(OAuth(first), OAuth(second))
		})
	}},
	{"external logins", func(t *testing.T, place func(t testing.TB) testRedis) {
		storetest.External(t, func(t *testing.T) external.Store {
			first, second := place(t).pair(t, Config{MaxCached: -1, Timeout: 20 * time.Second})
			return storetest.ExternalPair(External(first), External(second))
		})
	}},
	{"one-time tokens", func(t *testing.T, place func(t testing.TB) testRedis) {
		storetest.OneTime(t, func(t *testing.T) password.OneTimeStore {
			first, second := place(t).pair(t, Config{MaxCached: -1, Timeout: 20 * time.Second})
			return storetest.OneTimePair(OneTime(first), OneTime(second))
		})
	}},
	{"throttle", func(t *testing.T, place func(t testing.TB) testRedis) {
		storetest.Throttle(t, func(t *testing.T) password.ThrottleStore {
			first, second := place(t).pair(t, Config{MaxCached: -1, Timeout: 20 * time.Second})
			return storetest.ThrottlePair(Throttle(first), Throttle(second))
		})
	}},
	{"keys", func(t *testing.T, place func(t testing.TB) testRedis) {
		storetest.JWTKeys(t, func(t *testing.T) jwt.KeyStore {
			first, second := place(t).pair(t, Config{MaxCached: -1, Timeout: 20 * time.Second})
			return storetest.JWTKeysPair(JWTKeys(first), JWTKeys(second))
		})
	}},
}

// TestSuitesWhileSlotsMove runs the suites on a Cluster whose slots are on their way all the time, by a user of Redis
// with the rights that the README lists.
func TestSuitesWhileSlotsMove(t *testing.T) {
	t.Parallel() // since it mostly waits, as its suites do
	cluster := testserver.NewRedisCluster(t, aclFile(t))
	moving := func(t testing.TB) testRedis {
		option, err := rueidis.ParseURL(cluster.URL())
		if err != nil {
			t.Fatal(err)
		}
		option.InitAddress = cluster.Addresses()
		option.Username, option.Password = "app", passwordOfApp
		return testRedis{option, "gatewarden:" + strings.TrimPrefix(cluster.Prefix(t), "test_")}
	}
	stop := moveSlots(t, cluster)
	defer stop()
	t.Run("suites", func(t *testing.T) { // which ends when all of them have
		for _, suite := range suites {
			t.Run(suite.name, func(t *testing.T) {
				t.Parallel()
				suite.run(t, moving)
			})
		}
	})
}

// moveSlots moves the slots that the suites use from node to node until stop is called. It fails the test if few have
// moved.
func moveSlots(t *testing.T, cluster *testserver.Cluster) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var slots []int
	for _, tag := range []tag{tagOfOwner("alice"), tagOfOwner("bob"), tagOfOwner("web"), "clients", "throttle",
		"external"} {
		slots = append(slots, cluster.Slot(t, "{"+string(tag)+"}"))
	}
	var done sync.WaitGroup
	moves := 0
	done.Go(func() {
		for ctx.Err() == nil {
			cluster.MoveSlot(t, slots[moves%len(slots)])
			moves++
			work(t, ctx, cluster)
		}
	})
	return func() {
		cancel()
		done.Wait()
		t.Logf("%d slots moved", moves)
		if moves < 2*len(slots) {
			t.Errorf("only %d slots moved", moves)
		}
	}
}

// work waits until the Cluster has run some commands while no slot moves, since a slot that always moves takes no
// changes.
func work(t *testing.T, ctx context.Context, cluster *testserver.Cluster) {
	t.Helper()
	for end := commands(t, cluster) + 1000; ctx.Err() == nil && commands(t, cluster) < end; {
	}
}

// commands returns how many commands all nodes have run.
func commands(t *testing.T, cluster *testserver.Cluster) int {
	t.Helper()
	total := 0
	for _, node := range cluster.Nodes() {
		for line := range strings.SplitSeq(fmt.Sprint(node.Do(t, "INFO", "stats")), "\r\n") {
			if count, ok := strings.CutPrefix(line, "total_commands_processed:"); ok {
				n, err := strconv.Atoi(count)
				if err != nil {
					t.Error(err)
				}
				total += n
			}
		}
	}
	return total
}

// TestHalfMovedSlot looks at each key while some keys of its slot are on one node and some on another.
func TestHalfMovedSlot(t *testing.T) {
	cluster := testserver.NewRedisCluster(t)
	option, err := rueidis.ParseURL(cluster.URL())
	if err != nil {
		t.Fatal(err)
	}
	db := testRedis{option, "x:"}.open(
		t, Config{MaxCached: -1, Timeout: time.Second, Logger: slog.New(slog.DiscardHandler)})
	store := Knox(db)
	var records []*knox.Record
	for range 6 {
		r := tokenOf("alice")
		mustAdd(t, store, r)
		records = append(records, r)
	}
	move := cluster.BeginMove(t, cluster.Slot(t, "{"+string(tagOfOwner("alice"))+"}"))
	for range 20 {
		for _, r := range records {
			wantFound(t, store, r, true)
		}
		if all, err := store.List(t.Context(), "alice", "", 10, records[0].Created); len(all) != len(records) ||
			err != nil {
			t.Errorf("alice has %d, %v", len(all), err)
		}
		ids, err := store.RevokeAll(t.Context(), "alice", "", "", endNow())
		if err == nil && len(ids) != len(records) {
			t.Fatalf("%d of %d were revoked", len(ids), len(records))
		}
		if err == nil {
			break // all keys are on one node
		}
		if move.Keys(t, 1) == 0 {
			break
		}
	}
	move.Finish(t)
	if _, err := store.RevokeAll(t.Context(), "alice", "", "", endNow()); err != nil {
		t.Error(err)
	}
	for _, r := range records {
		wantFound(t, store, r, false)
	}
}

// Two nodes may each say for a while that the other one has a slot. A call ends then, also when its caller has gone,
// and a change is made as soon as they agree.
func TestNodesThatDoNotAgree(t *testing.T) {
	cluster := testserver.NewRedisCluster(t)
	option, err := rueidis.ParseURL(cluster.URL())
	if err != nil {
		t.Fatal(err)
	}
	db := testRedis{option, "x:"}.open(t, Config{MaxCached: -1, Logger: slog.New(slog.DiscardHandler)})
	store, r := Knox(db), tokenOf("alice")
	slot := cluster.Slot(t, "{"+string(tagOfOwner("alice"))+"}")
	move := cluster.BeginMove(t, slot)
	to := move.To.Do(t, "CLUSTER", "MYID")
	move.From.Do(t, "CLUSTER", "SETSLOT", strconv.Itoa(slot), "NODE", fmt.Sprint(to))

	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err = store.Find(ctx, r.Digest)
	wantOutage(t, "a look-up in a slot that no node has", err)
	redirects := func() (total int) {
		for _, node := range cluster.Nodes() {
			for line := range strings.SplitSeq(fmt.Sprint(node.Do(t, "INFO", "errorstats")), "\r\n") {
				if count, ok := strings.CutPrefix(line, "errorstat_MOVED:count="); ok {
					n, err := strconv.Atoi(count)
					if err != nil {
						t.Error(err)
					}
					total += n
				}
			}
		}
		return total
	}
	eventually(t, "the call ends", func() bool {
		before := redirects()
		for range 50 {
			move.To.Do(t, "PING")
		}
		return redirects() == before
	})

	tries, client := 0, db.client
	db.client = &hookedClient{client, func() {
		if tries++; tries == 5 {
			move.To.Do(t, "CLUSTER", "SETSLOT", strconv.Itoa(slot), "NODE", fmt.Sprint(to))
		}
	}}
	mustAdd(t, store, r)
	db.client = client
	wantFound(t, store, r, true)
}

// A user of Redis may lack a right on one node only.
func TestEachMasterIsProbed(t *testing.T) {
	cluster := testserver.NewRedisCluster(t, aclFile(t))
	option, err := rueidis.ParseURL(cluster.URL())
	if err != nil {
		t.Fatal(err)
	}
	option.Username, option.Password = "app", passwordOfApp
	for _, node := range cluster.Nodes() {
		node.Do(t, "ACL", "SETUSER", "app", "-zadd")
		err := failedOpen(t, option, Config{Prefix: "gatewarden:"})
		wantOutage(t, "a user without zadd on "+node.Address(), err, "the user of Redis may not do this")
		node.Do(t, "ACL", "SETUSER", "app", "+zadd")
	}
}

// A slot that stays on its way keeps no instance from starting.
func TestStartWhileASlotMoves(t *testing.T) {
	cluster := testserver.NewRedisCluster(t)
	option, err := rueidis.ParseURL(cluster.URL())
	if err != nil {
		t.Fatal(err)
	}
	cluster.BeginMove(t, cluster.Slot(t, "{"+string(tagAt(0))+"}"))
	cluster.BeginMove(t, cluster.Slot(t, "{"+string(tagOfText("probe"))+"}"))
	testRedis{option, "x:"}.open(t, Config{MaxCached: -1, Timeout: 2 * time.Second})
}
