package testserver

import (
	"crypto/tls"
	"net/url"
	"testing"
)

// Folder returns the folder of a server that this process started.
func (c *control) Folder() string { return c.daemon.folder }

// NeedMissing is what a test does when there is no program of a server.
func NeedMissing(t testing.TB) {
	need(t, func() (*Server, error) { return nil, errMissing })
}

// NeedOwnMissing is what a test does that must have its own server, when there is no program of it.
func NeedOwnMissing(t testing.TB) {
	needOwn(t, redisVariable, func() (*Node, error) { return nil, errMissing })
}

// FailRedis is NewRedis for options that must fail.
func FailRedis(t testing.TB, options ...RedisOption) {
	need(t, func() (*Node, error) { return startRedis(options) })
}

// OpenRedis is Redis for the environment as it is now.
func OpenRedis(t testing.TB) *Node { return need(t, openSharedRedis) }

// OpenRedisCluster is RedisCluster for the environment as it is now.
func OpenRedisCluster(t testing.TB) *Cluster { return need(t, openSharedCluster) }

// Try runs a command that may fail.
func Try(n *Node, command ...string) error {
	_, err := n.do(command...)
	return err
}

// Ping connects and runs PING.
func Ping(address string, config *tls.Config) error {
	u, err := url.Parse(address)
	if err != nil {
		return err
	}
	conn, err := dialRedis(u, config)
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = conn.do("PING")
	return err
}
