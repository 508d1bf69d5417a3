//go:build unix

package testserver_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/gatewarden/auth/internal/testserver"
)

func TestUnitRedis(t *testing.T) {
	t.Run("all tests share a Redis, and each has a prefix that is empty and goes with it", func(t *testing.T) {
		var prefixes []string
		for range 2 {
			t.Run("a test", func(t *testing.T) {
				r := testserver.Redis(t)
				prefix := r.Prefix(t)
				prefixes = append(prefixes, prefix)
				for i := range 2000 {
					r.Do(t, "SET", prefix+strconv.Itoa(i), "x")
				}
			})
		}
		r := testserver.Redis(t)
		if prefixes[0] == prefixes[1] {
			t.Errorf("two tests have the prefix %q", prefixes[0])
		}
		for _, prefix := range prefixes {
			if keys, _ := r.Do(t, "KEYS", prefix+"*").([]any); len(keys) != 0 {
				t.Errorf("%d keys of %s stay", len(keys), prefix)
			}
		}
	})
	t.Run("without a file, a Redis forgets its keys when it ends, and is back at its address", func(t *testing.T) {
		r := testserver.NewRedis(t)
		for _, end := range []func(testing.TB){r.Stop, r.Kill} {
			r.Do(t, "SET", "k", "v")
			pid := r.PID()
			end(t)
			if r.PID() != 0 {
				t.Errorf("process %d still runs", r.PID())
			}
			r.Start(t)
			if r.PID() == pid || r.PID() == 0 {
				t.Errorf("the new process is %d, the old one was %d", r.PID(), pid)
			}
			if got := r.Do(t, "GET", "k"); got != nil {
				t.Errorf("got %v, want nothing", got)
			}
		}
	})
	t.Run("it is back although the process id was told later than the server was ready", func(t *testing.T) {
		r := testserver.NewRedis(t)
		r.TellLate()
		r.Kill(t)
		r.Start(t)
		if r.PID() == 0 {
			t.Error("no process runs, want the server")
		}
		r.Do(t, "PING")
	})
	t.Run("with RedisAOF, it keeps what it has acknowledged", func(t *testing.T) {
		r := testserver.NewRedis(t, testserver.RedisAOF())
		for _, end := range []func(testing.TB){r.Stop, r.Kill} {
			r.Do(t, "INCR", "k")
			end(t)
			r.Start(t)
		}
		if got := r.Do(t, "GET", "k"); got != "2" {
			t.Errorf("got %v, want 2", got)
		}
	})
}

func TestUnitRedisOptions(t *testing.T) {
	t.Run("settings reach the server as they are written", func(t *testing.T) {
		password := "a \"b\" \\ c\n#é"
		r := testserver.NewRedis(t, testserver.RedisSetting("maxmemory", "3mb"),
			testserver.RedisSetting("maxmemory-policy", "noeviction"),
			testserver.RedisSetting("user", "reader", "on", ">secret", "~*", "+@read"),
			testserver.RedisSetting("requirepass", password))
		if got := r.Do(t, "CONFIG", "GET", "maxmemory").([]any)[1]; got != "3145728" {
			t.Errorf("maxmemory is %v", got)
		}
		if got := r.Do(t, "CONFIG", "GET", "requirepass").([]any)[1]; got != password {
			t.Errorf("requirepass is %q", got)
		}
		if got := r.Do(t, "AUTH", "reader", "secret"); got != "OK" {
			t.Errorf("got %v", got)
		}
	})
	t.Run("an aclfile has the rules, and the default user keeps every right", func(t *testing.T) {
		for _, password := range []string{"with a space", ""} {
			r := testserver.NewRedis(t, testserver.RedisSetting("requirepass", password),
				testserver.RedisACLFile("user reader on >secret ~* +@read"))
			r.Do(t, "SET", "k", "v")
			r.Do(t, "ACL", "LOAD")
			r.Do(t, "ACL", "SAVE")
			if got := r.Do(t, "AUTH", "reader", "secret"); got != "OK" {
				t.Errorf("got %v", got)
			}
			if err := testserver.Try(r, "AUTH", "reader", "wrong"); err == nil {
				t.Error("a wrong password is right")
			}
		}
	})
	t.Run("the address has a password, and it can be switched off", func(t *testing.T) {
		r := testserver.NewRedis(t)
		if r.Password() == "" || r.URL() != "redis://:"+r.Password()+"@"+r.Address()+"/0" {
			t.Errorf("the address is %s", r.URL())
		}
		r = testserver.NewRedis(t, testserver.RedisSetting("requirepass", ""))
		if r.Password() != "" || r.URL() != "redis://"+r.Address()+"/0" {
			t.Errorf("the address is %s", r.URL())
		}
		r.Do(t, "PING")
	})
	t.Run("with RedisTLS, only TLS is spoken, and clients prove themselves if the setting says so", func(t *testing.T) {
		r := testserver.NewRedis(t, testserver.RedisTLS(), testserver.RedisSetting("tls-auth-clients", "yes"))
		r.Do(t, "PING")
		if !strings.HasPrefix(r.URL(), "rediss://") {
			t.Errorf("the address is %s", r.URL())
		}
		config := r.TLS()
		config.Certificates = nil
		if err := testserver.Ping(r.URL(), config); err == nil {
			t.Error("a client without a certificate is let in")
		}
		if err := testserver.Ping(strings.Replace(r.URL(), "rediss:", "redis:", 1), nil); err == nil {
			t.Error("a client without TLS is let in")
		}
	})
	t.Run("with RedisReplicaOf, it copies the primary", func(t *testing.T) {
		for name, options := range map[string][]testserver.RedisOption{"": nil, "TLS": {testserver.RedisTLS()}} {
			primary := testserver.NewRedis(t, options...)
			primary.Do(t, "SET", "k", "v")
			replica := testserver.NewRedis(t, testserver.RedisReplicaOf(primary))
			if got := replica.Do(t, "GET", "k"); got != "v" {
				t.Errorf("%s: got %v, want v", name, got)
			}
		}
	})
	t.Run("a setting that Redis does not have fails the test, with what Redis says", func(t *testing.T) {
		testserver.NewRedis(t) // skips where there is no Redis
		o := &outcome{TB: t}
		testserver.FailRedis(o, testserver.RedisSetting("no-such-setting", "1"))
		if !strings.Contains(o.failed, "no-such-setting") {
			t.Errorf("got %q", o.failed)
		}
	})
}

func TestUnitRedisEnvironment(t *testing.T) {
	t.Run("a Redis of the environment is used, and tests do not end it", func(t *testing.T) {
		r := testserver.NewRedis(t, testserver.RedisAOF())
		t.Setenv("GATEWARDEN_REDIS_URL", r.URL())
		var prefix string
		t.Run("a test", func(t *testing.T) {
			shared := testserver.OpenRedis(t)
			prefix = shared.Prefix(t)
			shared.Do(t, "SET", prefix+"k", "v")
			if got := r.Do(t, "GET", prefix+"k"); got != "v" {
				t.Errorf("got %v, want v", got)
			}
		})
		if got := r.Do(t, "GET", prefix+"k"); got != nil {
			t.Errorf("the key stays: %v", got)
		}
		t.Run("a test that must skip", func(t *testing.T) {
			testserver.OpenRedis(t).Kill(t)
			t.Error("the server is ended")
		})
		if r.PID() == 0 {
			t.Error("the server has ended")
		}
	})
	t.Run("a Cluster of the environment is found by one of its nodes", func(t *testing.T) {
		c := testserver.NewRedisCluster(t, testserver.RedisReplicas(1))
		t.Setenv("GATEWARDEN_REDIS_CLUSTER_URL", c.Nodes()[4].URL())
		shared := testserver.OpenRedisCluster(t)
		shared.WaitOK(t)
		want, got := slices.Sorted(slices.Values(c.Addresses())), slices.Sorted(slices.Values(shared.Addresses()))
		if !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
		t.Run("a test that must skip", func(t *testing.T) {
			shared.MoveSlot(t, 1)
			t.Error("the slot is moved")
		})
	})
	t.Run("a bad address fails the test and shows no password", func(t *testing.T) {
		for _, address := range []string{"user:secret@host:1", "http://:secret@host:1", "redis://:secret%zz@host:1"} {
			t.Setenv("GATEWARDEN_REDIS_URL", address)
			o := &outcome{TB: t}
			testserver.OpenRedis(o)
			if !strings.Contains(o.failed, "GATEWARDEN_REDIS_URL") || strings.Contains(o.failed, "secret") {
				t.Errorf("got %q", o.failed)
			}
		}
	})
	t.Run("a server of the environment that does not answer fails the test", func(t *testing.T) {
		c := testserver.NewRedis(t)
		t.Setenv("GATEWARDEN_REDIS_CLUSTER_URL", c.URL()) // it is no cluster
		o := &outcome{TB: t}
		testserver.OpenRedisCluster(o)
		if !strings.Contains(o.failed, "GATEWARDEN_REDIS_CLUSTER_URL") || strings.Contains(o.failed, c.Password()) {
			t.Errorf("got %q", o.failed)
		}
	})
	t.Run("without the program, a test of its own server is skipped if the environment has one", func(t *testing.T) {
		for _, c := range []struct{ address, required string }{{"redis://host:6379", "1"}, {"", ""}, {"", "1"}} {
			t.Setenv("GATEWARDEN_REDIS_URL", c.address)
			t.Setenv("GATEWARDEN_REQUIRE_SERVICES", c.required)
			o := &outcome{TB: t}
			testserver.NeedOwnMissing(o)
			if skips := c.address != "" || c.required == ""; (o.skipped != "") != skips || (o.failed != "") == skips {
				t.Errorf("%+v: got %+v", c, o)
			}
		}
	})
}
