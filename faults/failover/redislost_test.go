package failover

import (
	"net"
	"testing"

	"github.com/gatewarden/auth/faults/internal/proxy"
	"github.com/gatewarden/auth/internal/testserver"
	"github.com/redis/rueidis"
)

// redisPair is a master with a replica, and an address that follows the master. The test itself promotes the replica,
// because a Sentinel would connect it to the master past the proxy.
type redisPair struct {
	primary, replica *testserver.Node
	address          *proxy.Proxy // of the master, for services
	wire             *proxy.Proxy // between the replica and the master
}

func newRedisPair(t testing.TB, options ...testserver.RedisOption) *redisPair {
	t.Helper()
	p := &redisPair{primary: testserver.NewRedis(t, options...)}
	p.address, p.wire = proxy.New(t, p.primary.Address()), proxy.New(t, p.primary.Address())
	host, port, err := net.SplitHostPort(p.wire.Address())
	if err != nil {
		t.Fatal(err)
	}
	p.replica = testserver.NewRedis(t, append(options, testserver.RedisReplicaOf(p.primary),
		testserver.RedisSetting("replicaof", host, port))...)
	return p
}

// option is how a service connects to an address.
func (p *redisPair) option(address string) rueidis.ClientOption {
	return rueidis.ClientOption{InitAddress: []string{address}, Password: p.primary.Password()}
}

// service starts an instance on the master of now.
func (p *redisPair) service(t testing.TB) *service {
	t.Helper()
	return redisService(t, p.option(p.address.Address()), newSigningKey(t), &logText{})
}

// promote makes the replica a master, and moves the address there.
func (p *redisPair) promote(t testing.TB) {
	t.Helper()
	p.replica.Do(t, "REPLICAOF", "NO", "ONE")
	p.address.Point(p.replica.Address())
}

func TestUnitWhatRedisLoses(t *testing.T) {
	t.Parallel()
	onlyFull(t)
	t.Run("a replica that lags loses what it had not received", redisLags)
	t.Run("a replica that has caught up loses nothing", redisCaughtUp)
	t.Run("min-replicas-to-write ends changes when no replica answers, and checks go on", redisMinReplicas)
	t.Run("two masters know nothing of each other until the connections are cut", redisTwoMasters)
}

// redisLags kills the master while its replica lags.
func redisLags(t *testing.T) {
	t.Parallel()
	p := newRedisPair(t)
	s := p.service(t)
	w := prepare(t, s)
	copied(t, p.primary, p.replica)
	p.wire.Hold()
	w.change(t, s)
	p.primary.Kill(t)
	p.promote(t)
	until(t, "the service answers", func() bool { return s.stores.ping(t.Context()) == nil })
	w.wantLost(t, s)
	lostRow(t, "Redis, replica that lags")
}

// redisCaughtUp kills the master when its replica has all.
func redisCaughtUp(t *testing.T) {
	t.Parallel()
	p := newRedisPair(t)
	s := p.service(t)
	w := prepare(t, s)
	w.change(t, s)
	copied(t, p.primary, p.replica)
	p.primary.Kill(t)
	p.promote(t)
	until(t, "the service answers", func() bool { return s.stores.ping(t.Context()) == nil })
	w.wantKept(t, s)
	row(t, "Redis, replica that has caught up", "nothing is lost")
}

// redisMinReplicas has a master with a replica that does not answer.
func redisMinReplicas(t *testing.T) {
	t.Parallel()
	p := newRedisPair(t, testserver.RedisSetting("min-replicas-to-write", "1"),
		testserver.RedisSetting("min-replicas-max-lag", "2"))
	s := p.service(t)
	w := prepare(t, s)
	p.wire.Hold()
	acknowledged := 0
	until(t, "a login is refused", func() bool {
		got := s.login("carol").status
		if got == 200 {
			acknowledged++
		}
		return got == 503
	})
	if got := s.logout(w.revoked).status; got != 503 {
		t.Errorf("got %d for a logout, want 503", got)
	}
	if got := s.check(w.revoked).status; got != 200 {
		t.Errorf("got %d for a check, want 200", got)
	}
	if !s.log.has("min-replicas-to-write") {
		t.Errorf("the log does not name the setting:\n%s", s.log)
	}
	if acknowledged == 0 {
		t.Error("got no login before the lag was noticed, want that the setting bounds what is lost, and no more")
	}
	row(t, "Redis, min-replicas-to-write 1 with a lag of 2 s", "changes 503 after the lag, checks 200")
}

// redisTwoMasters promotes the replica while the master lives.
func redisTwoMasters(t *testing.T) {
	t.Parallel()
	p := newRedisPair(t)
	stays := p.service(t)
	w := prepare(t, stays)
	copied(t, p.primary, p.replica)
	p.promote(t) // while the master lives
	moved := p.service(t)
	if got := moved.logout(w.revoked).status; got != 204 {
		t.Fatalf("got %d for a logout, want 204", got)
	}
	if got := stays.check(w.revoked).status; got != 200 {
		t.Errorf("got %d at the old master, want 200: it knows nothing of the new one", got)
	}
	p.address.Cut()
	until(t, "the service answers", func() bool { return stays.stores.ping(t.Context()) == nil })
	if got := stays.check(w.revoked).status; got != 401 {
		t.Errorf("got %d after the connections were cut, want 401", got)
	}
	row(t, "Redis, two masters",
		"an ended token is good where connections to the old master are open, until they are cut")
}
