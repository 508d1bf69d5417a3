package redisstore

import (
	"crypto/tls"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/gatewarden/auth/internal/testserver"
)

func TestTLS(t *testing.T) {
	node := testserver.NewRedis(t, testserver.RedisTLS())
	option := optionOf(t, node)
	store := Knox(testRedis{option, "x:"}.open(t, Config{}))
	r := tokenOf("alice")
	mustAdd(t, store, r)
	wantFound(t, store, r, true)

	option.TLSConfig = option.TLSConfig.Clone()
	option.TLSConfig.RootCAs = nil
	wantOutage(t, "a certificate of an unknown authority", failedOpen(t, option, Config{}), "certificate")

	option.TLSConfig = nil
	wantOutage(t, "no TLS to a server that wants it", failedOpen(t, option, Config{}), "it may speak TLS only")

	plain := optionOf(t, testserver.Redis(t))
	plain.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, ServerName: "127.0.0.1"}
	wantOutage(t, "TLS to a server without", failedOpen(t, plain, Config{Timeout: time.Second}), "it may not speak TLS")
}

// aclOfREADME is the rule of a user that the README gives.
func aclOfREADME(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	rule := regexp.MustCompile("(?s)```\nuser app (.*?)\n```").FindStringSubmatch(string(text))
	if rule == nil {
		t.Fatal("the README has no rule of a user")
	}
	return strings.Join(strings.Fields(rule[1]), " ")
}

// passwordOfApp is that of the user "app" of the tests.
const passwordOfApp = "secret-of-the-test"

// aclFile gives a server the user "app" with the rights that the README lists, and no more.
func aclFile(t *testing.T) testserver.RedisOption {
	t.Helper()
	return testserver.RedisACLFile("user app " + strings.ReplaceAll(aclOfREADME(t), "PASSWORD", passwordOfApp))
}

// TestACL uses the rights that the README lists. TestSuitesWhileSlotsMove runs all suites with them.
func TestACL(t *testing.T) {
	node := testserver.NewRedis(t, aclFile(t))
	option := optionOf(t, node)
	option.Username, option.Password = "app", passwordOfApp
	db := testRedis{option, "gatewarden:"}.open(t, Config{}) // with a cache
	r := tokenOf("alice")
	mustAdd(t, Knox(db), r)
	wantFound(t, Knox(db), r, true)
	if err := db.Ping(t.Context()); err != nil {
		t.Error(err)
	}

	err := failedOpen(t, option, Config{Prefix: "other:"})
	wantOutage(t, "keys that the user may not read", err, "the user of Redis may not do this")
	for _, command := range []string{"evalsha", "get", "set", "del", "pttl", "pexpire", "persist", "zadd",
		"zrem", "zcard",
		"zremrangebyscore"} {
		node.Do(t, "ACL", "SETUSER", "app", "-"+command)
		err := failedOpen(t, option, Config{Prefix: "gatewarden:"})
		wantOutage(t, "a user without "+command, err, "the user of Redis may not do this")
		node.Do(t, "ACL", "SETUSER", "app", "+"+command)
	}
}

// TestSentinel kills the master. Its replica takes over, and has what was acknowledged, since the test waits for it.
func TestSentinel(t *testing.T) {
	t.Parallel()
	primary := testserver.NewRedis(t)
	replica := testserver.NewRedis(t, testserver.RedisReplicaOf(primary))
	sentinel := testserver.NewRedisSentinel(t, primary)
	eventually(t, "the Sentinel knows the replica", func() bool {
		all, ok := sentinel.Do(t, "SENTINEL", "REPLICAS", testserver.SentinelName).([]any)
		return ok && len(all) == 1
	})
	option := rueidis.ClientOption{InitAddress: []string{sentinel.Address()}, Password: primary.Password(),
		Sentinel: rueidis.SentinelOption{MasterSet: testserver.SentinelName, Password: primary.Password()}}
	store := Knox(testRedis{option, "x:"}.open(t, Config{Timeout: 2 * time.Second}))
	kept, revoked := tokenOf("alice"), tokenOf("bob")
	mustAdd(t, store, kept)
	mustAdd(t, store, revoked)
	wantFound(t, store, kept, true)
	if ok, err := store.Revoke(t.Context(), "bob", revoked.ID, endNow()); !ok || err != nil {
		t.Fatalf("Revoke: got %v, %v, want true", ok, err)
	}
	if n := primary.Do(t, "WAIT", "1", "10000"); n != int64(1) {
		t.Fatalf("%v replicas have all writes", n)
	}
	primary.Kill(t)
	_ = replica
	eventually(t, "the replica is the master", func() bool {
		_, err := store.Add(t.Context(), tokenOf("carol"), 0, false, endNow())
		return err == nil
	})
	wantFound(t, store, kept, true)
	wantFound(t, store, revoked, false)
}
