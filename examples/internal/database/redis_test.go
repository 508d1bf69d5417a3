package database_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/gatewarden/auth/examples/internal/database"
	"github.com/gatewarden/auth/internal/testserver"
	"github.com/gatewarden/auth/store/redisstore"
)

// quiet logs nothing about the settings of the servers.
var quiet = redisstore.Config{Logger: slog.New(slog.DiscardHandler)}

func openRedis(t *testing.T, address string) *database.RedisDB {
	t.Helper()
	db, err := database.OpenRedis(t.Context(), address, quiet)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// set sets a key of the application, and get reads it.
func set(t *testing.T, db *database.RedisDB, value string) {
	t.Helper()
	if err := db.Client.Do(t.Context(), db.Client.B().Set().Key(db.Key("thing")).Value(
		value).Build()).Error(); err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, db *database.RedisDB) string {
	t.Helper()
	text, err := db.Client.Do(t.Context(), db.Client.B().Get().Key(db.Key("thing")).Build()).ToString()
	if err != nil && !rueidis.IsRedisNil(err) {
		t.Fatal(err)
	}
	return text
}

func TestUnitOpenRedis(t *testing.T) {
	t.Run("a prefix keeps services apart", func(t *testing.T) {
		node := testserver.Redis(t)
		prefix := node.Prefix(t)
		one, two := openRedis(t, node.URL()+"?prefix="+prefix+"one:"), openRedis(t, node.URL()+"?prefix="+prefix+"two:")
		set(t, one, "1")
		if got, same := get(t, two), openRedis(t, node.URL()+"?prefix="+prefix+"one:"); got != "" ||
			get(t, same) != "1" {
			t.Errorf("the other prefix has %q and the same one %q, want nothing and 1", got, get(t, same))
		}
		if !strings.HasPrefix(one.Key("thing"), prefix+"one:") {
			t.Errorf("got the key %q, want one with the prefix", one.Key("thing"))
		}
	})
	t.Run("the number of a database is taken", func(t *testing.T) {
		node := testserver.NewRedis(t)
		zero, one := openRedis(t, node.URL()), openRedis(t, strings.TrimSuffix(node.URL(), "0")+"1")
		set(t, zero, "0")
		if got := get(t, one); got != "" {
			t.Errorf("database 1 has %q of database 0", got)
		}
	})
	t.Run("a password with every sign", func(t *testing.T) {
		node := testserver.NewRedis(t)
		client := openRedis(t, node.URL()).Client
		const password = `p:/?#@%&=+ ü'`
		command := client.B().Arbitrary("ACL", "SETUSER", "odd", "on", ">"+password, "allkeys", "allchannels",
			"allcommands").Build()
		if err := client.Do(t.Context(), command).Error(); err != nil {
			t.Fatal(err)
		}
		odd := openRedis(t, "redis://odd:p%3A%2F%3F%23%40%25%26%3D%2B%20%C3%BC'@"+node.Address())
		who, err := odd.Client.Do(t.Context(), odd.Client.B().AclWhoami().Build()).ToString()
		if err != nil || who != "odd" {
			t.Errorf("got %q, %v, want odd", who, err)
		}
	})
	t.Run("a Cluster, whose keys of the application are in one slot", func(t *testing.T) {
		cluster := testserver.RedisCluster(t)
		db := openRedis(t, cluster.URL()+"?cluster=true&addr="+cluster.Addresses()[1]+"&prefix="+cluster.Prefix(t))
		set(t, db, "1")
		var slots []int64
		for _, key := range []string{db.Key("thing"), db.Key("another")} {
			slot, err := db.Client.Do(t.Context(), db.Client.B().ClusterKeyslot().Key(key).Build()).AsInt64()
			if err != nil {
				t.Fatal(err)
			}
			slots = append(slots, slot)
		}
		if len(slices.Compact(slots)) != 1 {
			t.Errorf("got the slots %d, want one", slots)
		}
	})
}

func TestUnitRedisAddressesThatAreRefused(t *testing.T) {
	for _, row := range []struct{ name, address, says string }{
		{"no slashes", "redis:app:Secret@db", "want sqlite:PATH"},
		{"the form of a driver", "db:6379", "want sqlite:PATH"},
		{"another engine", "postgres://app:Secret@db/app", "want sqlite:PATH"},
		{"no host", "redis:///0", "cannot be read"},
		{"a port that is none", "redis://app:Secret@db:port", "cannot be read"},
		{"a slash in the password", "redis://app:Se/cret@db", "%2F"},
		{"a slash after digits", "redis://app:12/Secret@db", "%2F"},
		{"a question mark after digits", "rediss://app:12?Secret@db", "%3F"},
		{"a number sign after digits", "redis://app:12#Secret@db", "%23"},
		{"a percent sign", "redis://app:Se%cret@db", "%25"},
		{"a percent sign after the host", "redis://app:Secret@db?prefix=%zz", "cannot be read"},
		{"the name of a database", "redis://app:Secret@db/app", "the number of a database"},
		{"a negative number", "redis://app:Secret@db/-1", "the number of a database"},
		{"two numbers", "redis://app:Secret@db/1/2", "the number of a database"},
		{"a parameter that is unknown", "redis://app:Secret@db?perfix=a:", `no parameter "perfix"`},
		{"a parameter of rueidis that does not apply", "redis://app:Secret@db?protocol=2", `no parameter "protocol"`},
		{"a parameter twice", "redis://app:Secret@db?prefix=a:&prefix=b:", "prefix twice"},
		{"an empty prefix", "redis://app:Secret@db?prefix=", "prefix of redis:// is empty"},
		{"a prefix with other signs", "redis://app:Secret@db?prefix=a{b}", "other characters"},
		{"a cluster that is neither true nor false", "redis://app:Secret@db?cluster=yes", "true or false"},
		{"a database of a Cluster", "redis://app:Secret@db/3?cluster=true", "no database but number 0"},
		{"Sentinels of a Cluster", "redis://app:Secret@db?cluster=true&master_set=mymaster", "contradict each other"},
		{"further addresses of one server", "redis://app:Secret@db?addr=db:6380", "needs cluster=true or master_set"},
		{"an address without a port", "redis://app:Secret@db?cluster=true&addr=db", "HOST:PORT"},
	} {
		t.Run(row.name, func(t *testing.T) {
			db, err := database.OpenRedis(t.Context(), row.address, quiet)
			if err == nil {
				_ = db.Close()
				t.Fatal("it was opened")
			}
			if text := database.Line(err); !strings.Contains(text, row.says) || strings.Contains(text, "ecret") ||
				strings.Contains(text, "12") || strings.Contains(text, "\n") {
				t.Errorf("got %q, want a line with %q and nothing of the password", text, row.says)
			}
			if got, want := errors.Is(err, database.ErrAddress), strings.HasPrefix(row.says, "want"); got != want {
				t.Errorf("that it is ErrAddress is %t, want %t", got, want)
			}
		})
	}
}

func TestUnitRedisServersThatRefuse(t *testing.T) {
	refused := func(t *testing.T, address, password, says string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		db, err := database.OpenRedis(ctx, address, quiet)
		if err == nil {
			_ = db.Close()
			t.Fatal("it was opened")
		}
		text := database.Line(err)
		if ctx.Err() != nil || !strings.Contains(text, says) || strings.Contains(text, "\n") ||
			password != "" && strings.Contains(text, password) {
			t.Errorf("got %q, want a line with %q and no password, within a minute", text, says)
		}
	}
	t.Run("a wrong password is named", func(t *testing.T) {
		refused(t, "redis://:a-Secret-word@"+testserver.Redis(t).Address(), "Secret", "the password is wrong")
	})
	t.Run("no password is named", func(t *testing.T) {
		refused(t, "redis://"+testserver.Redis(t).Address(), "", "asks for a password")
	})
	t.Run("cluster=true with a server that is no Cluster", func(t *testing.T) {
		node := testserver.Redis(t)
		refused(t, node.URL()+"?cluster=true", node.Password(), "is no node of a Redis Cluster")
	})
	t.Run("a database of a Cluster that is not called one", func(t *testing.T) {
		cluster := testserver.RedisCluster(t)
		refused(t, strings.TrimSuffix(cluster.URL(), "0")+"3", passwordOf(cluster.URL()),
			"SELECT is not allowed in cluster mode")
	})
	t.Run("a number that the server does not have", func(t *testing.T) {
		node := testserver.Redis(t)
		refused(t, strings.TrimSuffix(node.URL(), "0")+"999", node.Password(), "out of range")
	})
	t.Run("rediss:// wants a certificate that this machine trusts", func(t *testing.T) {
		node := testserver.NewRedis(t, testserver.RedisTLS())
		u, err := url.Parse(node.URL())
		if err != nil || u.Scheme != "rediss" {
			t.Fatalf("got %v, %v", u, err)
		}
		refused(t, node.URL(), node.Password(), "certificate")
	})
	t.Run("one that is not there, or says nothing, is given up within seconds", func(t *testing.T) {
		silent, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer silent.Close()
		closed, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		_ = closed.Close()
		for _, host := range []string{closed.Addr().String(), silent.Addr().String()} {
			refused(t, "redis://app:a-Secret-word@"+host, "Secret", host)
		}
	})
}
