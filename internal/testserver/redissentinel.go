package testserver

import (
	"net"
	"strconv"
	"testing"
)

// SentinelName is the name by which a Sentinel of [NewRedisSentinel] knows the server that it watches.
const SentinelName = "main"

// NewRedisSentinel starts one Sentinel that watches a server and its replicas. It makes a replica the master when the
// server has not answered for a second. Its address is [Node.Address], and it asks clients for the password of the
// server. It ends with the test.
func NewRedisSentinel(t testing.TB, primary *Node) *Node {
	t.Helper()
	return NewRedis(t, func(o *redisOptions) error {
		host, port, err := net.SplitHostPort(primary.Address())
		if err != nil {
			return err
		}
		o.password = primary.Password()
		o.sentinel = true
		o.settings = [][]string{
			{"sentinel", "monitor", SentinelName, host, port, "1"},
			{"sentinel", "down-after-milliseconds", SentinelName, strconv.Itoa(1000)},
			{"sentinel", "failover-timeout", SentinelName, strconv.Itoa(10_000)},
		}
		if o.password != "" {
			o.settings = append(o.settings, []string{"sentinel", "auth-pass", SentinelName, o.password})
		}
		return nil
	})
}

// sentinelLines are the lines of a Sentinel's configuration before those about the servers that it watches.
func (o redisOptions) sentinelLines(d *daemon) [][]string {
	lines := [][]string{{"bind", "127.0.0.1"}, {"dir", d.folder}, {"port", strconv.Itoa(d.port)}}
	if o.password != "" {
		lines = append(lines, []string{"requirepass", o.password})
	}
	return lines
}
