package server

import (
	"cmp"
	"container/heap"
	"slices"
	"time"
)

// limitKey says which grants count against one limit: those of a user with one stamp, or
// those that a client has for itself.
type limitKey struct{ userID, stamp, clientID string }

func limitKeyOf(g *Grant) limitKey {
	if g.UserID == "" {
		return limitKey{clientID: g.ClientID}
	}
	return limitKey{userID: g.UserID, stamp: g.Stamp}
}

// liveGrants are the grants of one limitKey that have not ended. Those that expired are left
// out as soon as they are in the way, so that counting and finding the oldest are cheap.
type liveGrants struct {
	byID []*grantRecord // in order of ID
	soon byExpiry
}

// byExpiry is a heap of grants, of which the first one expires first.
type byExpiry []*grantRecord

// notTracked is the heapIndex of a grant that is not in a heap.
const notTracked = -1

func (q byExpiry) Len() int           { return len(q) }
func (q byExpiry) Less(i, j int) bool { return q[i].grant.ExpiresAt.Before(q[j].grant.ExpiresAt) }
func (q byExpiry) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].heapIndex, q[j].heapIndex = i, j
}

func (q *byExpiry) Push(of any) {
	added := of.(*grantRecord)
	added.heapIndex = len(*q)
	*q = append(*q, added)
}

func (q *byExpiry) Pop() any {
	last := len(*q) - 1
	of := (*q)[last]
	(*q)[last] = nil
	*q, of.heapIndex = (*q)[:last], notTracked
	return of
}

// at returns where a grant with this ID is in byID, or belongs.
func (r *liveGrants) at(id string) int {
	i, _ := slices.BinarySearchFunc(r.byID, id, func(of *grantRecord, id string) int {
		return cmp.Compare(of.grant.ID, id)
	})
	return i
}

func (r *liveGrants) remove(of *grantRecord) {
	heap.Remove(&r.soon, of.heapIndex)
	i := r.at(of.grant.ID)
	if i > 0 {
		r.byID = slices.Delete(r.byID, i, i+1)
		return
	}
	r.byID[0] = nil // the oldest goes first, mostly, and the others need not move
	r.byID = r.byID[1:]
}

// track counts a grant against its limit. If it is counted already, it moves to where its expiry
// belongs.
func (s *MemoryStore) track(of *grantRecord) {
	if !of.grant.RevokedAt.IsZero() {
		return
	}
	key := limitKeyOf(of.grant)
	r := s.liveGrants[key]
	if r == nil {
		r = &liveGrants{}
		s.liveGrants[key] = r
	}
	if of.heapIndex != notTracked {
		heap.Fix(&r.soon, of.heapIndex)
		return
	}
	heap.Push(&r.soon, of)
	r.byID = slices.Insert(r.byID, r.at(of.grant.ID), of)
}

// untrack counts a grant against its limit no more.
func (s *MemoryStore) untrack(of *grantRecord) {
	if of.heapIndex == notTracked {
		return
	}
	key := limitKeyOf(of.grant)
	r := s.liveGrants[key]
	if r.remove(of); len(r.byID) == 0 {
		delete(s.liveGrants, key)
	}
}

// liveOf returns the grants that count against the limit of a new one and are live when it is
// created.
func (s *MemoryStore) liveOf(grant *Grant) []*grantRecord {
	r := s.liveGrants[limitKeyOf(grant)]
	if r == nil {
		return nil
	}
	for len(r.soon) > 0 && !grant.Created.Before(r.soon[0].grant.ExpiresAt) {
		s.untrack(r.soon[0])
	}
	return r.byID
}

// toEvict returns the grants that must end so that a new one makes at most limit, in
// order. If waiting is true, the new one waits for its code to be redeemed, and those
// that wait are the first to end. If evict is false, no grant may end: full reports then that
// there is no room.
func (s *MemoryStore) toEvict(grant *Grant, limit int, evict, waiting bool) (all []*grantRecord, full bool) {
	if limit <= 0 {
		return nil, false
	}
	live := s.liveOf(grant)
	if len(live) < limit || !evict {
		return nil, len(live) >= limit
	}
	most := len(live) - limit + 1
	if waiting {
		all = unredeemedFirst(live, grant.ClientID, most)
	}
	for _, of := range live {
		if len(all) == most {
			break
		}
		if !waiting || !of.unredeemed {
			all = append(all, of)
		}
	}
	return all, false
}

// unredeemedFirst returns at most so many grants with a code that was not redeemed, those of the
// client first, in order of ID.
func unredeemedFirst(live []*grantRecord, clientID string, most int) []*grantRecord {
	var own, others []*grantRecord
	for _, of := range live {
		switch {
		case !of.unredeemed:
		case of.grant.ClientID == clientID:
			own = append(own, of)
		default:
			others = append(others, of)
		}
	}
	all := append(own, others...)
	return all[:min(most, len(all))]
}

// evicted ends the grants that made room for a new one.
func (s *MemoryStore) evicted(all []*grantRecord, grant *Grant) Added {
	var added Added
	for _, of := range all {
		s.end(of, grant.Created)
		added.Evicted = append(added.Evicted, of.grant.ID)
	}
	return added
}

// KeepEnded is for how long a store keeps a grant that has ended. Nothing needs it any
// more, but until then the log can tell a grant that was revoked from one that never was.
const KeepEnded = time.Hour
