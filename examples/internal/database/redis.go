package database

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/gatewarden/auth/store/redisstore"
)

// RedisDB is a Redis with the stores of every backend, and with what an application needs for keys of its own. It is
// safe for concurrent use.
type RedisDB struct {
	*redisstore.DB
	// Client is for keys of the application.
	Client rueidis.Client
	prefix string
}

// redisForm is what errors show.
const redisForm = "redis://USER:PASSWORD@HOST:PORT/N"

// OpenRedis opens the Redis at an address. A server has to answer within a few seconds. The prefix of the address takes
// the place of the prefix of config. The error is [ErrAddress] if the address begins with another word than redis or
// rediss.
func OpenRedis(ctx context.Context, address string, config redisstore.Config) (*RedisDB, error) {
	if engine, err := EngineOf(address); err != nil || engine != Redis {
		return nil, ErrAddress
	}
	where, err := redisOf(address)
	if err != nil {
		return nil, err
	}
	config.Prefix, where.option.RetryDelay = where.prefix, retryDelay
	db, err := redisstore.Open(ctx, where.option, config)
	if err != nil {
		return nil, fmt.Errorf("-db: %w", err)
	}
	where.option.DisableCache = true
	where.option.Dialer.Timeout, where.option.ConnWriteTimeout = connectTimeout, connectTimeout
	client, err := rueidis.NewClient(where.option)
	if err != nil {
		db.Close()
		return nil, fmt.Errorf("-db: %w", err)
	}
	opened := &RedisDB{DB: db, Client: client, prefix: where.prefix}
	if where.cluster {
		if err := opened.wantCluster(ctx); err != nil {
			return nil, errors.Join(err, opened.Close())
		}
	}
	return opened, nil
}

// retryDelay is how long a command that only reads waits for its next try after the loss of a connection. There are a
// few tries, for a server that starts again. By default the client tries until the request has no time left, and a
// server that is away would then keep every request for seconds.
func retryDelay(attempts int, _ rueidis.Completed, _ error) time.Duration {
	const most = 5
	if attempts > most {
		return -1
	}
	return 5 * time.Millisecond << attempts
}

// Close ends all connections. It returns nil, like the Close of another database that all went well for.
func (r *RedisDB) Close() error {
	r.DB.Close()
	r.Client.Close()
	return nil
}

// Key returns the name of a key of the application. All of them are in one slot of a Cluster, so one script may change
// several.
func (r *RedisDB) Key(name string) string { return r.prefix + "app:{app}" + name }

// wantCluster returns an error if the server is no Cluster.
func (r *RedisDB) wantCluster(ctx context.Context) error {
	for address, node := range r.Client.Nodes() {
		text, err := node.Do(ctx, node.B().Info().Section("cluster").Build()).ToString()
		if err != nil {
			return fmt.Errorf("-db: %s: %w", address, err)
		}
		if !strings.Contains(text, "cluster_enabled:1") {
			return fmt.Errorf("-db: cluster=true, and %s is no node of a Redis Cluster", address)
		}
	}
	return nil
}

// redisAddress is what an address says.
type redisAddress struct {
	option  rueidis.ClientOption
	prefix  string
	cluster bool
}

// defaultRedisPrefix is that of redisstore.
const defaultRedisPrefix = "gatewarden:"

// redisOf reads an address. rueidis.ParseURL would pass over parameters that it does not know.
func redisOf(address string) (*redisAddress, error) {
	u, ok := parse(address)
	if !ok || u.Hostname() == "" || u.Opaque != "" {
		return nil, malformed(redisForm)
	}
	where := &redisAddress{prefix: defaultRedisPrefix}
	parameters, err := redisParameters(u.RawQuery)
	if err != nil {
		return nil, err
	}
	if err := where.read(parameters); err != nil {
		return nil, err
	}
	number := strings.TrimPrefix(u.Path, "/")
	if number != "" {
		if where.option.SelectDB, err = strconv.Atoi(number); err != nil || where.option.SelectDB < 0 {
			return nil, errors.New("-db: after the host of redis:// comes the number of a database, as in " + redisForm)
		}
	}
	if where.cluster && where.option.SelectDB > 0 {
		return nil, errors.New("-db: a Redis Cluster has no database but number 0: leave the number out with " +
			"cluster=true")
	}
	// The scheme is redis or rediss, host and port are there, and all that could be wrong is not passed on.
	option, err := rueidis.ParseURL((&url.URL{Scheme: u.Scheme, Host: u.Host}).String())
	if err != nil {
		return nil, malformed(redisForm)
	}
	where.option.TLSConfig = option.TLSConfig
	where.option.InitAddress = append(option.InitAddress, where.option.InitAddress...)
	where.option.Username = u.User.Username()
	where.option.Password, _ = u.User.Password()
	if where.option.Sentinel.MasterSet != "" {
		where.option.Sentinel.TLSConfig = option.TLSConfig
	}
	return where, nil
}

// redisNames are the parameters that an address may have.
var redisNames = []string{"cluster", "prefix", "master_set", "addr"}

// redisParameters reads the part after "?".
func redisParameters(query string) (url.Values, error) {
	parameters, err := url.ParseQuery(query)
	if err != nil {
		return nil, malformed(redisForm)
	}
	for name, values := range parameters {
		switch {
		case !slices.Contains(redisNames, name):
			return nil, fmt.Errorf("-db: redis:// has no parameter %q; it takes %s", name,
				strings.Join(redisNames, ", "))
		case len(values) > 1 && name != "addr":
			return nil, fmt.Errorf("-db: redis:// has the parameter %s twice", name)
		case slices.Contains(values, ""):
			return nil, fmt.Errorf("-db: the parameter %s of redis:// is empty", name)
		}
	}
	return parameters, nil
}

// read takes the parameters.
func (a *redisAddress) read(parameters url.Values) error {
	switch parameters.Get("cluster") {
	case "", "false":
	case "true":
		a.cluster = true
	default:
		return errors.New("-db: the parameter cluster of redis:// is true or false")
	}
	if prefix := parameters.Get("prefix"); prefix != "" {
		a.prefix = prefix
	}
	a.option.Sentinel.MasterSet = parameters.Get("master_set")
	if a.cluster && a.option.Sentinel.MasterSet != "" {
		return errors.New("-db: cluster=true and master_set contradict each other: a Redis Cluster has no Sentinels")
	}
	for _, address := range parameters["addr"] {
		if _, _, err := net.SplitHostPort(address); err != nil {
			return errors.New("-db: the parameter addr of redis:// is HOST:PORT, of a further node or Sentinel")
		}
		if !a.cluster && a.option.Sentinel.MasterSet == "" {
			return errors.New("-db: the parameter addr of redis:// needs cluster=true or master_set")
		}
		a.option.InitAddress = append(a.option.InitAddress, address)
	}
	return nil
}
