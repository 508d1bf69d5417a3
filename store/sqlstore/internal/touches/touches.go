// Package touches collects the last uses of records in memory, and writes many of them in
// one transaction a little later. A commit for each use costs more than the check of a
// token.
//
// A [Buffer] keeps one [Touch] for each record, in which later uses are merged. A [View]
// shows the touches that are still pending, so that a store finds its records as if all
// were written.
package touches

import (
	"slices"
	"strings"
)

// Touch is the use of a record, or several uses of one record. Times are microseconds
// since 1970.
type Touch struct {
	Digest    string // of the record
	Since     int64  // the first use: a record that has expired by then is not touched
	Used      int64  // the last use
	ExpiresAt int64  // when the record expires from now on, unless it does so later, or before LiveUntil
	LiveUntil int64  // when the record expires without this touch; 0 is never
}

// Slides reports whether the touch moves the expiry of its record.
func (t Touch) Slides() bool { return t.LiveUntil != 0 && t.ExpiresAt > t.LiveUntil }

// isExpired reports whether the record had expired when it was used, as the caller read it.
func (t Touch) isExpired() bool { return t.LiveUntil != 0 && t.Used >= t.LiveUntil }

// hurries reports whether the touch must be written at once.
func (t Touch) hurries() bool {
	return t.isExpired() || t.Slides() && t.LiveUntil-t.Used < Margin.Microseconds()
}

// Apply returns the last use and the expiry of a record after the touch, where 0 is never
// for both. It does what the statement of a store does.
func (t Touch) Apply(lastUsed, expiresAt int64) (int64, int64) {
	if expiresAt == 0 {
		return max(lastUsed, t.Used), 0
	}
	if expiresAt <= t.Since {
		return lastUsed, expiresAt
	}
	if t.Slides() && expiresAt >= t.LiveUntil {
		expiresAt = max(expiresAt, t.ExpiresAt)
	}
	return max(lastUsed, t.Used), expiresAt
}

// merge adds a use of the same record to the touch.
func (t Touch) merge(other Touch) Touch {
	t.Since, t.Used = min(t.Since, other.Since), max(t.Used, other.Used)
	t.ExpiresAt = max(t.ExpiresAt, other.ExpiresAt)
	if t.LiveUntil != 0 && other.LiveUntil != 0 {
		t.LiveUntil = min(t.LiveUntil, other.LiveUntil)
	}
	return t
}

// batch is the touches that are written together. The one that is collected changes.
// Buffer.mu guards it but for todo, which belongs to the flush.
type batch struct {
	touches  map[string]Touch // by digest
	earliest int64            // the first LiveUntil of a touch that slides; 0 if there is no such touch
	todo     []Touch          // still to be written, in order of digest
	left     int              // the length of todo, for others than the flush
}

func newGeneration() *batch { return &batch{touches: make(map[string]Touch)} }

func (g *batch) add(t Touch) {
	if before, ok := g.touches[t.Digest]; ok {
		t = before.merge(t)
	}
	g.touches[t.Digest] = t
	if t.Slides() && (g.earliest == 0 || t.LiveUntil < g.earliest) {
		g.earliest = t.LiveUntil
	}
}

// close ends the collecting.
func (g *batch) close() {
	g.left = len(g.touches)
	g.todo = make([]Touch, 0, len(g.touches))
	for _, t := range g.touches {
		g.todo = append(g.todo, t)
	}
}

// sort sorts todo by digest. Neighbors are often on one page of the table, which is then
// written once.
func (g *batch) sort() {
	slices.SortFunc(g.todo, func(a, b Touch) int { return strings.Compare(a.Digest, b.Digest) })
}

// View is the touches that were pending when [Buffer.View] was called, and of those that
// came later, some. The zero View has no touch. A store takes a View before it reads
// records: a touch that is written meanwhile is then in the View, in the records or in both.
type View struct {
	buffer       *Buffer
	older, newer *batch
}

// Len returns the number of pending touches. It counts one twice that is being written
// while its record is used again.
func (v View) Len() int {
	if v.buffer == nil {
		return 0
	}
	defer v.lock()()
	n := len(v.newer.touches)
	if v.older != nil {
		n += len(v.older.touches)
	}
	return n
}

// Of returns the touches of records with these digests, in the order in which they must
// be applied.
func (v View) Of(digests ...string) (touches []Touch) {
	if v.buffer == nil {
		return nil
	}
	defer v.lock()()
	for _, g := range []*batch{v.older, v.newer} {
		if g == nil {
			continue
		}
		for _, digest := range digests {
			if t, ok := g.touches[digest]; ok {
				touches = append(touches, t)
			}
		}
	}
	return touches
}

// Earliest returns the first instant at which a record expires that does so later by a
// pending touch. It returns 0 if no touch moves an expiry.
func (v View) Earliest() int64 {
	if v.buffer == nil {
		return 0
	}
	defer v.lock()()
	if v.older == nil || v.older.earliest == 0 {
		return v.newer.earliest
	}
	if v.newer.earliest == 0 {
		return v.older.earliest
	}
	return min(v.older.earliest, v.newer.earliest)
}

func (v View) lock() (unlock func()) {
	v.buffer.mu.Lock()
	return v.buffer.mu.Unlock
}
