package transfer

import (
	"fmt"
	"slices"
	"time"
)

// ledger is what the journal says that the target has.
type ledger struct {
	journal Journal
	whole   bool // see Target.Whole
	kinds   map[Kind]map[string]*known
}

// known is a record that the copy wrote.
type known struct {
	written *Written // nil if a run ended while it wrote the record for the first time
	pending *Written // what a step that has not ended writes, or nil
	removes bool     // a step that has not ended removes it
	seen    int      // the last walk that saw it: see run.walk
}

// settled reports whether all steps with the record have ended.
func (k *known) settled() bool { return k.pending == nil && !k.removes }

// until returns the instant from which the record is of no use, and zero if there is no such instant.
func (k *known) until() time.Time {
	if k.written == nil {
		return time.Time{}
	}
	return k.written.Until
}

// isUseful reports whether a record that is of no use from an instant on is of use at another one.
func isUseful(until, at time.Time) bool { return until.IsZero() || until.After(at) }

// openLedger reads a journal.
func openLedger(journal Journal, whole bool) (*ledger, error) {
	l := &ledger{journal: journal, whole: whole, kinds: make(map[Kind]map[string]*known)}
	var last Entry
	for entry, err := range journal.Entries() {
		if err != nil {
			return nil, fmt.Errorf("reading the journal of the copy: %w", err)
		}
		if entry.Done {
			l.end(last)
		} else {
			l.begin(entry)
			last = entry
		}
	}
	return l, nil
}

// of returns the records of a kind.
func (l *ledger) of(kind Kind) map[string]*known {
	if l.kinds[kind] == nil {
		l.kinds[kind] = make(map[string]*known)
	}
	return l.kinds[kind]
}

// step keeps an entry, makes the step, and keeps that it has ended.
func (l *ledger) step(entry Entry, do func() error) error {
	if err := l.journal.Append(entry); err != nil {
		return fmt.Errorf("writing the journal of the copy: %w", err)
	}
	l.begin(entry)
	if err := do(); err != nil {
		return err
	}
	if err := l.journal.Append(Entry{Kind: entry.Kind, Done: true}); err != nil {
		return fmt.Errorf("writing the journal of the copy: %w", err)
	}
	l.end(entry)
	return nil
}

func (l *ledger) begin(entry Entry) {
	all := l.of(entry.Kind)
	for i := range entry.Written {
		w := entry.Written[i] // a copy, since a pointer would hold all others of the step in memory
		if all[w.Key] == nil {
			all[w.Key] = &known{}
		}
		all[w.Key].pending, all[w.Key].removes = &w, false
	}
	for _, key := range entry.Removed {
		if k := all[key]; k != nil {
			k.pending, k.removes = nil, true
		}
	}
}

func (l *ledger) end(entry Entry) {
	all := l.of(entry.Kind)
	for i := range entry.Written {
		if k := all[entry.Written[i].Key]; k != nil && k.pending != nil {
			k.written, k.pending = k.pending, nil
		}
	}
	for _, key := range entry.Removed {
		delete(all, key)
	}
}

// settled returns how the step of a kind ended that a run began and did not end. Found are the records of that step
// that the target has. What is not there was not written, or has been removed.
func (l *ledger) settled(kind Kind, found map[string]Written) Entry {
	settled := Entry{Kind: kind}
	made := l.madeWhole(kind, found)
	for key, k := range l.of(kind) {
		if k.settled() {
			continue
		}
		there, ok := found[key]
		switch {
		case !ok && k.pending != nil && (made || l.wasThere(kind, k)): // it was there, and ended since
			settled.Written = append(settled.Written, *k.pending)
		case !ok:
			settled.Removed = append(settled.Removed, key)
		case k.pending != nil && k.pending.atTarget(there):
			settled.Written = append(settled.Written, *k.pending)
		case k.written != nil && k.written.atTarget(there):
			settled.Written = append(settled.Written, *k.written)
		}
	}
	return settled
}

// madeWhole reports that steps are made as a whole and a part of this one is there. Then all of it was written.
func (l *ledger) madeWhole(kind Kind, found map[string]Written) bool {
	for key, there := range found {
		if k := l.of(kind)[key]; l.whole && k.pending != nil && k.pending.atTarget(there) {
			return true
		}
	}
	return false
}

// wasThere reports whether the target must have had a record before the step, and after it unless the record ended.
func (l *ledger) wasThere(kind Kind, k *known) bool {
	return l.whole && k.written != nil && !mayBeGone(kind, k.until())
}

// settle keeps how steps ended.
func (l *ledger) settle(entry Entry) error {
	if len(entry.Written)+len(entry.Removed) == 0 {
		return nil
	}
	return l.step(entry, func() error { return nil })
}

// has reports whether a record is the one that was written. Parts that are of no use from an instant on may be missing.
func (w *Written) has(there Written, useless time.Time) bool {
	if w.Sum != there.Sum {
		return false
	}
	missing := make(map[string]time.Time, len(w.Parts))
	for _, part := range w.Parts {
		missing[part.Sum] = part.Until
	}
	for _, part := range there.Parts {
		if _, ok := missing[part.Sum]; !ok {
			return false
		}
		delete(missing, part.Sum)
	}
	for _, until := range missing {
		if until.IsZero() || until.After(useless) {
			return false
		}
	}
	return true
}

// atTarget reports whether a record of the target is the one that was written. Only what an engine may have forgotten
// can be missing.
func (w *Written) atTarget(there Written) bool { return w.has(there, time.Now().Add(-forgets)) }

// atSource reports whether a record of the source is the one that was written. A purge may have removed what expired.
func (w *Written) atSource(there Written) bool { return w.has(there, time.Now().Add(clocks)) }

// clocks is by how much the clocks of two machines may differ.
const clocks = 5 * time.Minute

// forgets is how long each engine keeps a record at least after it is of no use.
const forgets = 23 * time.Hour

// brief are kinds that Redis may forget sooner. Such a record only refuses something until it expires, or is good for
// minutes, so that nothing is undone if it is written again.
var brief = []Kind{OAuthPages, OAuthOnce, Reservations, LoginCodes, LoginOnce, ThrottleCounts}

// mayBeGone reports whether a record may be gone by itself.
func mayBeGone(kind Kind, until time.Time) bool {
	switch {
	case kind == KnoxEnded: // only Config.KeepEnded of the service says for how long it is kept
		return true
	case until.IsZero():
		return false
	case slices.Contains(brief, kind):
		return !until.After(time.Now().Add(clocks))
	}
	return !until.After(time.Now().Add(-forgets))
}
