package testserver

import (
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
)

const (
	redisVariable        = "GATEWARDEN_REDIS_URL"
	redisClusterVariable = "GATEWARDEN_REDIS_CLUSTER_URL"
)

// Node is one Redis: alone, a replica, or a node of a [Cluster]. Its methods may be called by several tests at once,
// but Stop, Kill and Start disturb the others: use them on a server of NewRedis or NewRedisCluster.
type Node struct {
	control
	admin        *url.URL
	tls          *tls.Config // nil unless the address begins with rediss
	certificates *certificates
	shared       bool // it outlives the test
}

var sharedRedis = sync.OnceValues(openSharedRedis)

func openSharedRedis() (*Node, error) {
	node, err := redisOfEnvironment(redisOptions{}.engine())
	if node == nil && err == nil {
		node, err = startRedis(nil)
	}
	if err != nil {
		return nil, err
	}
	node.shared = true
	return node, nil
}

// Redis returns the Redis that all tests of this process share. Each test keeps to its own [Node.Prefix] there.
func Redis(t testing.TB) *Node {
	t.Helper()
	return require(t, sharedRedis)
}

// NewRedis starts a Redis for this test only, which ends with it. It is no server of the environment.
func NewRedis(t testing.TB, options ...RedisOption) *Node {
	t.Helper()
	node := requireOwn(t, redisVariable, func() (*Node, error) { return startRedis(options) })
	t.Cleanup(node.daemon.close)
	return node
}

// requireOwn is require for a server that is always started. If the environment names a server, then this machine need
// not have the program, and the test is skipped without it.
func requireOwn[S any](t testing.TB, variable string, open func() (S, error)) S {
	t.Helper()
	s, err := open()
	if errors.Is(err, errMissing) && os.Getenv(variable) != "" {
		t.Skip("this test must not use the server of "+variable+", and there is", err)
		return s
	}
	return require(t, func() (S, error) { return s, err })
}

// redisOfEnvironment returns the server that the environment names, or nil.
func redisOfEnvironment(e engine) (*Node, error) {
	text := os.Getenv(e.variable)
	if text == "" {
		return nil, nil
	}
	admin, err := url.Parse(text)
	if err != nil || admin.Host == "" || (admin.Scheme != "redis" && admin.Scheme != "rediss") {
		return nil, fmt.Errorf("%s is no address such as redis://user:password@host:port/0", e.variable)
	}
	node := &Node{control: control{engine: e}, admin: admin}
	if admin.Scheme == "rediss" {
		node.tls = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	return node, nil
}

// startRedis starts a Redis that is no node of a Cluster.
func startRedis(options []RedisOption) (*Node, error) {
	o, err := newRedisOptions(options)
	if err != nil {
		return nil, err
	}
	if o.replicas > 0 {
		return nil, errors.New("RedisReplicas is an option of NewRedisCluster")
	}
	node, err := startNode(o)
	if err != nil || !o.replica {
		return node, err
	}
	err = waitFor("the copy of the primary", func() error {
		return node.wantInfo("replication", "master_link_status:up")
	})
	if err != nil {
		node.daemon.close()
		return nil, err
	}
	return node, nil
}

// startNode starts a server with the options.
func startNode(o redisOptions) (*Node, error) {
	node := &Node{control: control{engine: o.engine()}, certificates: o.tls}
	var err error
	if o.tls != nil {
		if node.tls, err = o.tls.client(); err != nil {
			return nil, err
		}
	}
	if node.daemon, node.admin, err = startDaemon(node.engine); err != nil {
		return nil, err
	}
	if o.password == "" {
		node.admin.User = nil
	}
	return node, nil
}

// URL is the address with the password: redis://:password@host:port/0, or rediss:// if the server speaks TLS.
func (n *Node) URL() string { return n.admin.String() }

// Address is host:port.
func (n *Node) Address() string { return n.admin.Host }

// Password is the password of the user in the address, or "" if the server asks for no password.
func (n *Node) Password() string {
	password, _ := n.admin.User.Password()
	return password
}

// TLS is the configuration of a client, or nil if the server does not speak TLS. It has a certificate of the client if
// this package started the server.
func (n *Node) TLS() *tls.Config { return n.tls.Clone() }

// Prefix returns a prefix for the keys of one test, such as "test_abc:". On a shared server, the keys that begin with
// it are deleted after the test.
func (n *Node) Prefix(t testing.TB) string {
	t.Helper()
	name := newPrefix()
	if n.shared {
		cleanUp(t, name, func() ([]*Node, error) { return []*Node{n}, nil })
	}
	return name
}

func newPrefix() string { return "test_" + strings.ToLower(rand.Text()[:16]) + ":" }

// cleanUp deletes the keys that begin with the prefix, after the test.
func cleanUp(t testing.TB, prefix string, nodes func() ([]*Node, error)) {
	t.Helper()
	t.Cleanup(func() {
		found, err := nodes()
		for _, n := range found {
			err = errors.Join(err, n.clean(prefix))
		}
		if err != nil {
			t.Errorf("the keys of %s stay: %v", prefix, err)
		}
	})
}

// clean deletes the keys that begin with the prefix.
func (n *Node) clean(prefix string) error {
	conn, err := dialRedis(n.admin, n.tls)
	if err != nil {
		return err
	}
	defer conn.Close()
	for cursor := "0"; ; {
		answer, err := conn.do("SCAN", cursor, "MATCH", prefix+"*", "COUNT", "1000")
		if err != nil {
			return err
		}
		page, ok := answer.([]any)
		if !ok || len(page) != 2 {
			return fmt.Errorf("SCAN answers %v", answer)
		}
		for _, key := range toStrings(page[1]) {
			if _, err := conn.do("UNLINK", key); err != nil {
				return fmt.Errorf("%s: %w", n.Address(), err)
			}
		}
		if cursor, _ = page[0].(string); cursor == "0" {
			return nil
		}
	}
}

// Do runs one command and returns the answer: a string, an int64, a []any of them, or nil. An error fails the test.
func (n *Node) Do(t testing.TB, command ...string) any {
	t.Helper()
	answer, err := n.do(command...)
	if err != nil {
		t.Fatalf("%s at %s: %v", command[0], n.Address(), err)
	}
	return answer
}

// do runs one command on a connection of its own.
func (n *Node) do(command ...string) (any, error) {
	conn, err := dialRedis(n.admin, n.tls)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	return conn.do(command...)
}

// Version returns what the server says of its version, such as "7.0.15".
func (n *Node) Version(t testing.TB) string {
	t.Helper()
	info, _ := n.Do(t, "INFO", "server").(string)
	for line := range strings.Lines(info) {
		if version, found := strings.CutPrefix(line, "redis_version:"); found {
			return strings.TrimSpace(version)
		}
	}
	t.Fatal("INFO has no redis_version")
	return ""
}

// wantInfo is an error unless a section of INFO has the line.
func (n *Node) wantInfo(section, line string) error {
	answer, err := n.do("INFO", section)
	if err != nil {
		return err
	}
	if info, _ := answer.(string); !strings.Contains(info, line+"\r\n") {
		return fmt.Errorf("%s: no %s in\n%s", n.Address(), line, info)
	}
	return nil
}

// toStrings returns the strings of an array.
func toStrings(answer any) []string {
	answers, _ := answer.([]any)
	found := make([]string, 0, len(answers))
	for _, a := range answers {
		if text, ok := a.(string); ok {
			found = append(found, text)
		}
	}
	return found
}
