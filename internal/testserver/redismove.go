package testserver

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"testing"
)

// Move is a slot on its way from one master to another. Meanwhile a key of the slot is on either of them: From answers
// ASK for a key that it does not have, and TRYAGAIN for several keys of which it has only some.
type Move struct {
	From *Node
	To   *Node

	cluster *Cluster
	slot    string
}

// MoveSlot moves a slot with all its keys to another master while the cluster serves it, as resharding does. It returns
// the masters that had the slot and have it now.
func (c *Cluster) MoveSlot(t testing.TB, slot int) (from, to *Node) {
	t.Helper()
	m := c.BeginMove(t, slot)
	for m.Keys(t, 10) > 0 {
	}
	m.Finish(t)
	return m.From, m.To
}

// BeginMove begins to move a slot to the next master that runs. No key has moved yet.
func (c *Cluster) BeginMove(t testing.TB, slot int) *Move {
	t.Helper()
	if !c.own {
		t.Skip("the cluster is that of " + redisClusterVariable + ", whose slots tests do not move")
	}
	m, err := c.beginMove(slot)
	if err != nil {
		t.Fatalf("slot %d does not begin to move: %v", slot, err)
	}
	return m
}

func (c *Cluster) beginMove(slot int) (*Move, error) {
	from, err := c.ownerOf(slot)
	if err != nil {
		return nil, err
	}
	masters, err := c.masters()
	if err != nil {
		return nil, err
	}
	if len(masters) < 2 {
		return nil, fmt.Errorf("%d masters run", len(masters))
	}
	next := (slices.Index(masters, from) + 1) % len(masters)
	m := &Move{From: from, To: masters[next], cluster: c, slot: strconv.Itoa(slot)}
	fromID, err := from.id()
	if err != nil {
		return nil, err
	}
	toID, err := m.To.id()
	if err != nil {
		return nil, err
	}
	if _, err := m.To.do("CLUSTER", "SETSLOT", m.slot, "IMPORTING", fromID); err != nil {
		return nil, err
	}
	_, err = from.do("CLUSTER", "SETSLOT", m.slot, "MIGRATING", toID)
	return m, err
}

// Keys moves at most so many keys, one by one, and returns how many it moved. When it returns 0, From has no key of the
// slot, and new keys of the slot are made on To.
func (m *Move) Keys(t testing.TB, atMost int) int {
	t.Helper()
	moved, err := m.keys(atMost)
	if err != nil {
		t.Fatalf("the keys of slot %s do not move: %v", m.slot, err)
	}
	return moved
}

func (m *Move) keys(atMost int) (int, error) {
	host, port, err := net.SplitHostPort(m.To.Address())
	if err != nil {
		return 0, err
	}
	conn, err := dialRedis(m.From.admin, m.From.tls)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	answer, err := conn.do("CLUSTER", "GETKEYSINSLOT", m.slot, strconv.Itoa(atMost))
	if err != nil {
		return 0, err
	}
	keys := toStrings(answer)
	for _, key := range keys {
		migrate := []string{"MIGRATE", host, port, key, "0", "5000"}
		if password := m.To.Password(); password != "" {
			migrate = append(migrate, "AUTH", password)
		}
		if _, err := conn.do(migrate...); err != nil { // for a key that has expired meanwhile, the answer is NOKEY
			return 0, err
		}
	}
	return len(keys), nil
}

// Finish gives the slot to its new master and tells all masters that run. It fails while From has keys of the slot,
// because From would delete them when it learns of the new master.
func (m *Move) Finish(t testing.TB) {
	t.Helper()
	if err := m.finish(); err != nil {
		t.Fatalf("slot %s does not move: %v", m.slot, err)
	}
}

func (m *Move) finish() error {
	left, err := m.From.do("CLUSTER", "COUNTKEYSINSLOT", m.slot)
	if err != nil {
		return err
	}
	if left != int64(0) {
		return fmt.Errorf("%s has %v keys left", m.From.Address(), left)
	}
	id, err := m.To.id()
	if err != nil {
		return err
	}
	masters, err := m.cluster.masters()
	if err != nil {
		return err
	}
	order := []*Node{m.To, m.From} // a client that From sends to To must find the slot there
	for _, n := range masters {
		if n != m.To && n != m.From {
			order = append(order, n)
		}
	}
	for _, n := range order {
		if _, err := n.do("CLUSTER", "SETSLOT", m.slot, "NODE", id); err != nil {
			return err
		}
	}
	return nil
}
