package testserver

import (
	"crypto/tls"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Folder returns the folder of a server that this process started.
func (c *control) Folder() string { return c.daemon.folder }

// NeedMissing is what a test does when there is no program of a server.
func NeedMissing(t testing.TB) {
	require(t, func() (*Server, error) { return nil, errMissing })
}

// NeedOwnMissing is what a test does that must have its own server, when there is no program of it.
func NeedOwnMissing(t testing.TB) {
	requireOwn(t, redisVariable, func() (*Node, error) { return nil, errMissing })
}

// FailRedis is NewRedis for options that must fail.
func FailRedis(t testing.TB, options ...RedisOption) {
	require(t, func() (*Node, error) { return startRedis(options) })
}

// OpenRedis is Redis for the environment as it is now.
func OpenRedis(t testing.TB) *Node { return require(t, openSharedRedis) }

// OpenRedisCluster is RedisCluster for the environment as it is now.
func OpenRedisCluster(t testing.TB) *Cluster { return require(t, openSharedCluster) }

// Try runs a command that may fail.
func Try(n *Node, command ...string) error {
	_, err := n.do(command...)
	return err
}

// Copied writes a key, and returns how many replicas have it and with it everything that was written before. It is one
// connection, because WAIT waits for the writes of its own.
func Copied(n *Node, key string) (any, error) {
	conn, err := dialRedis(n.admin, n.tls)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if _, err := conn.do("SET", key, "v"); err != nil {
		return nil, err
	}
	return conn.do("WAIT", "1", "20000")
}

// Follow runs a command at the node, and then where the answers MOVED and ASK send it.
func (c *Cluster) Follow(n *Node, command ...string) (any, error) {
	var answer any
	var err error
	asking := false
	for range 5 {
		answer, err = n.ask(asking, command...)
		fields := strings.Fields(fmt.Sprint(err))
		if len(fields) != 4 || (fields[1] != "MOVED" && fields[1] != "ASK") {
			return answer, err
		}
		next := slices.IndexFunc(c.nodes, func(n *Node) bool { return n.Address() == fields[3] })
		if next < 0 {
			return nil, err
		}
		n, asking = c.nodes[next], fields[1] == "ASK"
	}
	return answer, err
}

// ask runs a command, after ASKING if the node does not have its slot yet.
func (n *Node) ask(asking bool, command ...string) (any, error) {
	conn, err := dialRedis(n.admin, n.tls)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if asking {
		if _, err := conn.do("ASKING"); err != nil {
			return nil, err
		}
	}
	return conn.do(command...)
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

// TellLate has the process id come as a machine without a free processor has it: when the server is ready already.
func (n *Node) TellLate() { n.daemon.answers <- strconv.Itoa(n.PID()) }
