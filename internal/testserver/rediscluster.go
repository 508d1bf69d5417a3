package testserver

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// clusterMasters is how many masters a Cluster has. Redis needs three to agree on a failover.
const clusterMasters = 3

// clusterSlots is how many slots the keys of a Cluster fall into.
const clusterSlots = 16384

// Cluster is a Redis Cluster of three masters. Its methods may be called by several tests at once, but
// [Cluster.MoveSlot] and the end of a node disturb the others: use them on a cluster of NewRedisCluster.
type Cluster struct {
	nodes  []*Node // those that are masters at the start come first
	own    bool    // this process started it
	shared bool    // it outlives the test
}

var sharedCluster = sync.OnceValues(openSharedCluster)

func openSharedCluster() (*Cluster, error) {
	seed, err := redisOfEnvironment(redisOptions{cluster: true}.engine())
	if err != nil {
		return nil, err
	}
	var c *Cluster
	if seed != nil {
		if c, err = clusterOf(seed); err != nil {
			err = fmt.Errorf("%s: %w", redisClusterVariable, err)
		}
	} else {
		c, err = startCluster(nil)
	}
	if err != nil {
		return nil, err
	}
	c.shared = true
	return c, nil
}

// RedisCluster returns the Cluster that all tests of this process share. Each test keeps to its own [Cluster.Prefix]
// there.
func RedisCluster(t testing.TB) *Cluster {
	t.Helper()
	return require(t, sharedCluster)
}

// NewRedisCluster starts a Cluster for this test only, which ends with it. It is no cluster of the environment.
func NewRedisCluster(t testing.TB, options ...RedisOption) *Cluster {
	t.Helper()
	c := requireOwn(t, redisClusterVariable, func() (*Cluster, error) { return startCluster(options) })
	t.Cleanup(c.close)
	return c
}

// clusterOf returns the cluster that has the node.
func clusterOf(seed *Node) (*Cluster, error) {
	c := &Cluster{}
	ranges, err := seed.slots()
	if err != nil {
		return nil, err
	}
	for _, r := range ranges {
		for _, address := range r.addresses {
			if slices.ContainsFunc(c.nodes, func(n *Node) bool { return n.Address() == address }) {
				continue
			}
			admin := *seed.admin
			admin.Host = address
			c.nodes = append(c.nodes, &Node{control: seed.control, admin: &admin, tls: seed.tls})
		}
	}
	if len(c.nodes) == 0 {
		return nil, fmt.Errorf("%s knows no slots", seed.Address())
	}
	return c, nil
}

// startCluster starts the nodes and joins them. It returns when every node says that the cluster is complete.
func startCluster(options []RedisOption) (*Cluster, error) {
	o, err := newRedisOptions(options)
	if err != nil {
		return nil, err
	}
	if o.replica {
		return nil, errors.New("RedisReplicaOf is an option of NewRedis")
	}
	o.cluster = true
	c := &Cluster{own: true}
	for range clusterMasters * (1 + o.replicas) {
		node, err := startNode(o)
		if err != nil {
			c.close()
			return nil, err
		}
		c.nodes = append(c.nodes, node)
	}
	err = c.join()
	if err == nil {
		err = c.startReplicas()
	}
	if err != nil {
		c.close()
		return nil, fmt.Errorf("the nodes of Redis form no cluster: %w", err)
	}
	return c, nil
}

// join gives the masters their slots, and lets all nodes meet.
func (c *Cluster) join() error {
	host, port, err := net.SplitHostPort(c.nodes[0].Address())
	if err != nil {
		return err
	}
	for i, n := range c.nodes {
		if _, err := n.do("CLUSTER", "SET-CONFIG-EPOCH", strconv.Itoa(i+1)); err != nil {
			return err
		}
		if i < clusterMasters {
			if _, err := n.do(addSlots(i)...); err != nil {
				return err
			}
		}
		if i > 0 {
			if _, err := n.do("CLUSTER", "MEET", host, port); err != nil {
				return err
			}
		}
	}
	return waitFor("complete cluster", c.checkState)
}

// addSlots is the command that gives a master its slots, as many as the others have.
func addSlots(master int) []string {
	command := []string{"CLUSTER", "ADDSLOTS"}
	for slot := master * clusterSlots / clusterMasters; slot < (master+1)*clusterSlots/clusterMasters; slot++ {
		command = append(command, strconv.Itoa(slot))
	}
	return command
}

// startReplicas lets each replica copy its master, and returns when the copies are complete.
func (c *Cluster) startReplicas() error {
	replicas := c.nodes[clusterMasters:]
	for i, n := range replicas {
		id, err := c.nodes[i%clusterMasters].id()
		if err != nil {
			return err
		}
		if _, err := n.do("CLUSTER", "REPLICATE", id); err != nil {
			return err
		}
	}
	return waitFor("complete copies", func() error {
		for _, n := range replicas {
			if err := n.wantInfo("replication", "master_link_status:up"); err != nil {
				return err
			}
		}
		return errors.Join(c.checkState(), c.checkMembers())
	})
}

// checkMembers returns an error unless every node can name all nodes and their masters.
func (c *Cluster) checkMembers() error {
	for _, n := range c.nodes {
		seen, err := clusterOf(n)
		if err != nil {
			return err
		}
		if len(seen.nodes) < len(c.nodes) {
			return fmt.Errorf("%s knows only %v", n.Address(), seen.Addresses())
		}
	}
	return nil
}

// checkState returns an error unless every node that runs knows all nodes and says that all slots are served, by the
// same masters.
func (c *Cluster) checkState() error {
	running := c.running()
	if len(running) == 0 {
		return errors.New("no node of the cluster runs")
	}
	want := []string{"cluster_state:ok", "cluster_slots_ok:" + strconv.Itoa(clusterSlots)}
	if c.own {
		want = append(want, "cluster_known_nodes:"+strconv.Itoa(len(c.nodes)))
	}
	for _, n := range running {
		answer, err := n.do("CLUSTER", "INFO")
		if err != nil {
			return err
		}
		info, _ := answer.(string)
		for _, line := range want {
			if !strings.Contains(info, line+"\r\n") {
				return fmt.Errorf("%s: no %s in\n%s", n.Address(), line, info)
			}
		}
	}
	return c.checkSlotOwners(running)
}

// checkSlotOwners returns an error unless all nodes name the same masters, which run. Nodes learn that a master has
// ended, or is back, some time after it.
func (c *Cluster) checkSlotOwners(running []*Node) error {
	var masters map[string]string // from the first and last slot of a range
	for _, n := range running {
		ranges, err := n.slots()
		if err != nil {
			return err
		}
		known := map[string]string{}
		for _, r := range ranges {
			known[fmt.Sprint(r.from, "-", r.to)] = r.addresses[0]
			if !slices.ContainsFunc(running, func(n *Node) bool { return n.Address() == r.addresses[0] }) {
				return fmt.Errorf("%s does not know that %s has ended", n.Address(), r.addresses[0])
			}
		}
		if masters == nil {
			masters = known
		}
		if !maps.Equal(masters, known) {
			return fmt.Errorf("for %s the masters are %v, for another node %v", n.Address(), known, masters)
		}
	}
	return nil
}

// WaitOK returns when all nodes that run agree which masters serve the slots, and those masters run. After Kill of a
// master, that takes until its replica has replaced it. A master serves its slots about two seconds after Start.
func (c *Cluster) WaitOK(t testing.TB) {
	t.Helper()
	if err := waitFor("complete cluster", c.checkState); err != nil {
		t.Fatal(err)
	}
}

// close ends all nodes.
func (c *Cluster) close() {
	for _, n := range c.nodes {
		n.daemon.close()
	}
}

// Nodes are all nodes: those that were masters at the start, then their replicas in the same order.
func (c *Cluster) Nodes() []*Node { return slices.Clone(c.nodes) }

// running returns the nodes that run.
func (c *Cluster) running() []*Node {
	return slices.DeleteFunc(c.Nodes(), func(n *Node) bool { return !n.reachable() })
}

// Addresses are host:port of all nodes. The nodes have one [Node.Password] and one [Node.TLS].
func (c *Cluster) Addresses() []string {
	addresses := make([]string, len(c.nodes))
	for i, n := range c.nodes {
		addresses[i] = n.Address()
	}
	return addresses
}

// URL is the address of the first node.
func (c *Cluster) URL() string { return c.nodes[0].URL() }

// Prefix returns a prefix for the keys of one test. On a shared cluster, the keys that begin with it are deleted after
// the test.
func (c *Cluster) Prefix(t testing.TB) string {
	t.Helper()
	name := newPrefix()
	if c.shared {
		cleanUp(t, name, c.masters)
	}
	return name
}

// masters returns the nodes that run and are masters now.
func (c *Cluster) masters() ([]*Node, error) {
	var masters []*Node
	for _, n := range c.running() {
		answer, err := n.do("ROLE")
		if err != nil {
			return nil, err
		}
		if role := toStrings(answer); len(role) > 0 && role[0] == "master" {
			masters = append(masters, n)
		}
	}
	return masters, nil
}
