package testserver

import (
	"fmt"
	"net"
	"testing"
)

// slotRange is a part of the answer to CLUSTER SLOTS.
type slotRange struct {
	from, to  int64
	addresses []string // the master first
}

// slots returns the slots and their nodes, as this node knows them.
func (n *Node) slots() ([]slotRange, error) {
	answer, err := n.do("CLUSTER", "SLOTS")
	if err != nil {
		return nil, err
	}
	rows, _ := answer.([]any)
	ranges := make([]slotRange, 0, len(rows))
	for _, row := range rows {
		r, ok := n.readSlots(row)
		if !ok {
			return nil, fmt.Errorf("CLUSTER SLOTS answers %v", answer)
		}
		ranges = append(ranges, r)
	}
	return ranges, nil
}

// readSlots reads one range.
func (n *Node) readSlots(row any) (slotRange, bool) {
	fields, _ := row.([]any)
	if len(fields) < 3 {
		return slotRange{}, false
	}
	from, ok := fields[0].(int64)
	to, both := fields[1].(int64)
	r := slotRange{from: from, to: to}
	for _, field := range fields[2:] {
		node, _ := field.([]any)
		if len(node) < 2 {
			return r, false
		}
		host, _ := node[0].(string)
		if host == "" {
			host = n.admin.Hostname() // it means the host that was asked
		}
		r.addresses = append(r.addresses, net.JoinHostPort(host, fmt.Sprint(node[1])))
	}
	return r, ok && both
}

// id returns the name of the node in the cluster.
func (n *Node) id() (string, error) {
	answer, err := n.do("CLUSTER", "MYID")
	id, _ := answer.(string)
	return id, err
}

// Slot returns the slot of a key.
func (c *Cluster) Slot(t testing.TB, key string) int {
	t.Helper()
	running := c.running()
	if len(running) == 0 {
		t.Fatal("no node of the cluster runs")
	}
	slot, _ := running[0].Do(t, "CLUSTER", "KEYSLOT", key).(int64)
	return int(slot)
}

// Owner returns the master that serves the slot.
func (c *Cluster) Owner(t testing.TB, slot int) *Node {
	t.Helper()
	owner, err := c.ownerOf(slot)
	if err != nil {
		t.Fatal(err)
	}
	return owner
}

// ownerOf asks each node whether it is the master of the slot itself, because the others may learn that later.
func (c *Cluster) ownerOf(slot int) (*Node, error) {
	for _, n := range c.running() {
		ranges, err := n.slots()
		if err != nil {
			return nil, err
		}
		for _, r := range ranges {
			if r.from <= int64(slot) && int64(slot) <= r.to && r.addresses[0] == n.Address() {
				return n, nil
			}
		}
	}
	return nil, fmt.Errorf("no node that runs serves slot %d", slot)
}
