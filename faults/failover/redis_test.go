package failover

import (
	"testing"

	"github.com/gatewarden/auth/internal/testserver"
	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/store/redisstore"
	"github.com/redis/rueidis"
)

// redisService starts an instance on Redis.
func redisService(t testing.TB, option rueidis.ClientOption, key *jwt.Key, log *logText) *service {
	t.Helper()
	db := must[*redisstore.DB](t)(redisstore.Open(t.Context(), option, redisstore.Config{Logger: log.logger()}))
	t.Cleanup(db.Close)
	return newService(t, serviceStores{knox: redisstore.Knox(db), jwt: redisstore.JWT(db), oauth: redisstore.OAuth(db),
		ping: db.Ping}, key, log)
}

// sentinelOf is a master with a replica, and a Sentinel that knows both.
func sentinelOf(t testing.TB) (primary, replica *testserver.Node, option rueidis.ClientOption) {
	t.Helper()
	primary = testserver.NewRedis(t)
	replica = testserver.NewRedis(t, testserver.RedisReplicaOf(primary))
	sentinel := testserver.NewRedisSentinel(t, primary)
	until(t, "the Sentinel knows the replica", func() bool {
		all, ok := sentinel.Do(t, "SENTINEL", "REPLICAS", testserver.SentinelName).([]any)
		return ok && len(all) == 1
	})
	return primary, replica, rueidis.ClientOption{
		InitAddress: []string{sentinel.Address()}, Password: primary.Password(),
		Sentinel: rueidis.SentinelOption{MasterSet: testserver.SentinelName, Password: primary.Password()}}
}

// failOverUnderLoad runs loads before, during and after a failover. What the replicas had must stay, and what is
// acknowledged after the failover. What was acknowledged in the last moment before it may be lost, so the verdict about
// that is a count.
func failOverUnderLoad(t *testing.T, fault string, copied, fail func(), services ...*service) {
	t.Helper()
	before := startLoad(t, 8, services...)
	before.goesOn(t, rounds())
	before.stop()
	copied()
	during := startLoad(t, 8, services...)
	during.losesSome = true
	during.goesOn(t, rounds())
	fail()
	during.goesOn(t, rounds())
	found := during.audit(t)
	row(t, fault, during.report(t)+". Lost "+found.String())
	before.wantNothingLost(t)
	for _, s := range services {
		until(t, "each instance is well", func() bool { return s.stores.ping(t.Context()) == nil })
	}
	after := startLoad(t, 8, services...)
	after.goesOn(t, rounds())
	after.wantNothingLost(t)
	for _, l := range []*load{before, after} {
		if line := l.report(t); l.refused > 0 {
			t.Errorf("got %s before and after the failover, want no 503", line)
		}
	}
}

// copied returns when a replica has all that its master has.
func copied(t testing.TB, primary, replica *testserver.Node) {
	t.Helper()
	until(t, "the replica has all", func() bool { return offset(t, primary, 1) == offset(t, replica, 4) })
}

// offset returns the place in the stream of changes, which is at an index of the answer to ROLE.
func offset(t testing.TB, n *testserver.Node, index int) any {
	t.Helper()
	role, ok := n.Do(t, "ROLE").([]any)
	if !ok || len(role) <= index {
		t.Fatalf("got the role %v of %s", role, n.Address())
	}
	return role[index]
}

func TestUnitRedisSentinel(t *testing.T) {
	t.Parallel()
	t.Run("instances go on when the Sentinel has promoted a replica", func(t *testing.T) {
		t.Parallel()
		primary, replica, option := sentinelOf(t)
		key, log := newSigningKey(t), &logText{}
		services := []*service{redisService(t, option, key, log), redisService(t, option, key, log)}
		failOverUnderLoad(t, "Redis, Sentinel", func() { copied(t, primary, replica) },
			func() { primary.Kill(t) }, services...)
		for _, words := range []string{"cannot be heard", "are heard again"} {
			if !log.has(words) {
				t.Errorf("the log does not say that changes %s", words)
			}
		}
	})
}

func TestUnitRedisClusterFailover(t *testing.T) {
	t.Parallel()
	onlyFull(t)
	t.Run("instances go on when the replica of a node has taken over", func(t *testing.T) {
		t.Parallel()
		cluster := testserver.NewRedisCluster(t, testserver.RedisReplicas(1))
		option := must[rueidis.ClientOption](t)(rueidis.ParseURL(cluster.URL()))
		option.InitAddress = cluster.Addresses()
		key, log := newSigningKey(t), &logText{}
		services := []*service{redisService(t, option, key, log), redisService(t, option, key, log)}
		failOverUnderLoad(t, "Redis Cluster, one of three masters", func() {
			for i, node := range cluster.Nodes()[:3] {
				copied(t, node, cluster.Nodes()[3+i])
			}
		}, func() {
			cluster.Nodes()[1].Kill(t)
			cluster.WaitOK(t)
		}, services...)
	})
}
