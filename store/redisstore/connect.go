package redisstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/redis/rueidis"
)

// connect makes the clients and checks the servers.
func (db *DB) connect(ctx context.Context, option rueidis.ClientOption) error {
	if option.SendToReplicas != nil {
		return errors.New("redisstore: SendToReplicas is set, but a replica may have a token that was revoked already")
	}
	if option.ReplicaOnly {
		return errors.New("redisstore: ReplicaOnly is set, but a replica may have a token that was revoked already")
	}
	if option.ConnLifetime != 0 {
		return errors.New("redisstore: ConnLifetime is set, but a change that is under way when a connection ends by " +
			"it may be made twice, so that the first use of a token is taken for the second one")
	}
	if option.ClusterOption.MaxMovedRedirections == 0 {
		option.ClusterOption.MaxMovedRedirections = redirections
	}
	if option.Dialer.Timeout == 0 {
		option.Dialer.Timeout = db.config.Timeout
	}
	if option.ConnWriteTimeout == 0 {
		option.ConnWriteTimeout = db.config.Timeout
	}
	if option.RetryDelay == nil {
		option.RetryDelay = retryDelay
	}
	option.DisableAutoPipelining = false // since nothing listens to a connection that waits in a pool
	plain := option
	plain.DisableCache = true
	plain.AlwaysPipelining = true // so that a lost connection is noticed at once, and not by the next change
	client, err := rueidis.NewClient(plain)
	if err != nil {
		return unreachable(option, err)
	}
	db.client = newLimitedClient(client)
	if err := db.check(ctx); err != nil {
		return err
	}
	if err := db.probe(ctx); err != nil {
		return err
	}
	if db.config.MaxCached < 0 {
		db.reader = db.client
		return nil
	}
	tracked := option
	tracked.DisableCache, tracked.ClientTrackingOptions = false, db.trackingOptions()
	tracked.PipelineMultiplex = -1 // one connection to each node, see watch
	tracked.OnInvalidations = db.watch.invalidated
	reader, err := rueidis.NewClient(tracked)
	if err != nil {
		return unreachable(option, err)
	}
	db.reader = newLimitedClient(reader)
	return nil
}

// redirections is how often a call follows nodes that say that another one has the slot. Two nodes may each name the
// other one until they agree. The client would follow them for ever, also after the caller has gone. A change is tried
// again until Config.Timeout: see isRetryable.
const redirections = 64

// retryDelay is how long the client waits before it tries a read again after a lost connection. Changes are not tried
// again, since they may have been made. After five tries the read fails: a server that is down is then told within
// a third of a second, and not after Config.Timeout.
func retryDelay(attempts int, _ rueidis.Completed, _ error) time.Duration {
	if attempts > 5 {
		return -1
	}
	return 5 * time.Millisecond << attempts
}

// unreachable is the error of a first connection.
func unreachable(option rueidis.ClientOption, err error) error {
	where := strings.Join(option.InitAddress, ", ")
	if errors.Is(err, rueidis.ErrNoCache) {
		return fmt.Errorf("redisstore: %s: the server does not speak RESP3 with client tracking; Redis 6.2 or later "+
			"does: %w", where, err)
	}
	var network *net.OpError
	switch {
	case option.TLSConfig != nil && (errors.Is(err, context.DeadlineExceeded) ||
		errors.Is(err, os.ErrDeadlineExceeded)):
		return fmt.Errorf("redisstore: %s did not finish the TLS handshake in time; it may not speak TLS: %w", where,
			err)
	case option.TLSConfig == nil && (errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET)):
		return fmt.Errorf("redisstore: %s closed the connection at once; it may speak TLS only: %w", where, err)
	case errors.As(err, &network):
		return fmt.Errorf("redisstore: %s cannot be reached: %w", where, err)
	}
	return wrapError(where, err)
}

// check looks at each server, and asks each master. A replica of a Cluster may be down.
func (db *DB) check(ctx context.Context) error {
	ctx, cancel := db.limit(ctx)
	defer cancel()
	for address, node := range db.client.Nodes() {
		info, err := infoOf(ctx, node)
		if _, answered := rueidis.IsRedisErr(err); err != nil && !answered &&
			db.client.Mode() == rueidis.ClientModeCluster {
			continue // Ping tells whether it is a master
		}
		if err != nil {
			return wrapError(address+": INFO", err)
		}
		if err := db.checkNode(ctx, address, info); err != nil {
			return err
		}
	}
	return db.Ping(ctx)
}

func (db *DB) checkNode(ctx context.Context, address string, info map[string]string) error {
	if err := checkVersion(address, info["redis_version"]); err != nil {
		return err
	}
	if policy := info["maxmemory_policy"]; policy != "noeviction" {
		if !db.config.AllowEviction {
			return fmt.Errorf("%w: maxmemory-policy of %s is %q and must be noeviction; "+
				"see Config.AllowEviction", ErrEviction, address, policy)
		}
		db.config.Logger.WarnContext(ctx, "redisstore: the server may evict tokens, and what must be used once only",
			"address", address, "maxmemory-policy", policy)
	}
	if info["role"] == "slave" && info["cluster_enabled"] != "1" {
		return fmt.Errorf("redisstore: %s: %s", address, hints["READONLY"])
	}
	if info["aof_enabled"] == "0" {
		db.config.Logger.WarnContext(ctx, "redisstore: without an append-only file, a crash of the server loses what "+
			"was written since its last snapshot; set appendonly yes", "address", address)
	}
	return nil
}

// infoOf returns what INFO says of a server.
func infoOf(ctx context.Context, node rueidis.Client) (map[string]string, error) {
	info := make(map[string]string)
	for _, section := range []string{"server", "memory", "persistence", "replication", "cluster"} {
		text, err := node.Do(ctx, node.B().Info().Section(section).Build()).ToString()
		if err != nil {
			return nil, err
		}
		for line := range strings.SplitSeq(text, "\r\n") {
			if name, value, ok := strings.Cut(line, ":"); ok {
				info[name] = value
			}
		}
	}
	return info, nil
}

// checkVersion refuses a server older than 6.2. A Valkey says which Redis it is like.
func checkVersion(address, version string) error {
	parts := strings.SplitN(version, ".", 3)
	if len(parts) < 2 {
		return fmt.Errorf("redisstore: %s has the version %q, which cannot be read", address, version)
	}
	major, _ := strconv.Atoi(parts[0])
	minor, _ := strconv.Atoi(parts[1])
	if major < 6 || major == 6 && minor < 2 {
		return fmt.Errorf("redisstore: %s is Redis %s; 6.2 is the oldest that will do", address, version)
	}
	return nil
}
