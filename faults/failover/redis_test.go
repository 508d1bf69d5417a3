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
func sentinelOf(t testing.TB, options ...testserver.RedisOption) (primary *testserver.Node, option rueidis.ClientOption) {
	t.Helper()
	primary = testserver.NewRedis(t, options...)
	testserver.NewRedis(t, append(options, testserver.RedisReplicaOf(primary))...)
	sentinel := testserver.NewRedisSentinel(t, primary)
	until(t, "the Sentinel knows the replica", func() bool {
		all, ok := sentinel.Do(t, "SENTINEL", "REPLICAS", testserver.SentinelName).([]any)
		return ok && len(all) == 1
	})
	return primary, rueidis.ClientOption{InitAddress: []string{sentinel.Address()}, Password: primary.Password(),
		Sentinel: rueidis.SentinelOption{MasterSet: testserver.SentinelName, Password: primary.Password()}}
}

// failOverUnderLoad runs a load through a failover. What was acknowledged in the last moment before it may be lost, so
// the verdict about that is a count. What is acknowledged after it must stay.
func failOverUnderLoad(t *testing.T, fault string, fail func(), services ...*service) {
	t.Helper()
	before := startLoad(t, 8, services...)
	before.losesSome = true
	before.goesOn(t, rounds())
	fail()
	before.goesOn(t, rounds())
	found := before.audit(t)
	row(t, fault, before.report(t)+", lost "+found.String())
	after := startLoad(t, 8, services...)
	after.goesOn(t, rounds())
	after.wantNothingLost(t)
	if line := after.report(t); after.refused > 0 {
		t.Errorf("got %s after the failover, want no 503", line)
	}
}

func TestUnitRedisSentinel(t *testing.T) {
	t.Parallel()
	t.Run("instances go on when the Sentinel has promoted a replica", func(t *testing.T) {
		t.Parallel()
		primary, option := sentinelOf(t)
		key, log := newSigningKey(t), &logText{}
		services := []*service{redisService(t, option, key, log), redisService(t, option, key, log)}
		failOverUnderLoad(t, "Redis, Sentinel", func() { primary.Kill(t) }, services...)
		for _, words := range []string{"cannot be heard", "are heard again"} {
			if !log.has(words) {
				t.Errorf("the log does not say that changes %s", words)
			}
		}
	})
}

func TestUnitRedisClusterFailover(t *testing.T) {
	t.Parallel()
	if !full() {
		t.Skip("only in the long form")
	}
	t.Run("instances go on when the replica of a node has taken over", func(t *testing.T) {
		t.Parallel()
		cluster := testserver.NewRedisCluster(t, testserver.RedisReplicas(1))
		option := must[rueidis.ClientOption](t)(rueidis.ParseURL(cluster.URL()))
		option.InitAddress = cluster.Addresses()
		key, log := newSigningKey(t), &logText{}
		services := []*service{redisService(t, option, key, log), redisService(t, option, key, log)}
		failOverUnderLoad(t, "Redis Cluster, one of three masters", func() {
			cluster.Nodes()[1].Kill(t)
			cluster.WaitOK(t)
		}, services...)
	})
}
