package transfer

import (
	"fmt"
	"slices"
	"time"
)

// journalState says which records the target has by the entries of the journal.
type journalState struct {
	journal Journal
	whole   bool // see Target.Whole
	kinds   map[Kind]map[string]*copiedRecord
}

// copiedRecord is a record that the copy wrote.
type copiedRecord struct {
	written *Written // nil if a run ended while it wrote the record for the first time
	pending *Written // what a step that has not ended writes, or nil
	removes bool     // a step that has not ended removes it
	seen    int      // the last walk that saw it: see run.walk
}

// settled reports whether all steps with the record have ended.
func (k *copiedRecord) settled() bool { return k.pending == nil && !k.removes }

// until returns the instant from which the record is of no use, and zero if there is no such instant.
func (k *copiedRecord) until() time.Time {
	if k.written == nil {
		return time.Time{}
	}
	return k.written.Until
}

// isUseful reports whether a record that is of no use from an instant on is of use at another one.
func isUseful(until, at time.Time) bool { return until.IsZero() || until.After(at) }

// openJournalState reads a journal.
func openJournalState(journal Journal, whole bool) (*journalState, error) {
	l := &journalState{journal: journal, whole: whole, kinds: make(map[Kind]map[string]*copiedRecord)}
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
func (l *journalState) of(kind Kind) map[string]*copiedRecord {
	if l.kinds[kind] == nil {
		l.kinds[kind] = make(map[string]*copiedRecord)
	}
	return l.kinds[kind]
}

// step keeps an entry, makes the step, and keeps that it has ended.
func (l *journalState) step(entry Entry, do func() error) error {
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

func (l *journalState) begin(entry Entry) {
	all := l.of(entry.Kind)
	for i := range entry.Written {
		w := entry.Written[i] // a copy, since a pointer would hold all others of the step in memory
		if all[w.Key] == nil {
			all[w.Key] = &copiedRecord{}
		}
		all[w.Key].pending, all[w.Key].removes = &w, false
	}
	for _, key := range entry.Removed {
		if k := all[key]; k != nil {
			k.pending, k.removes = nil, true
		}
	}
}

func (l *journalState) end(entry Entry) {
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
func (l *journalState) settled(kind Kind, found map[string]Written) Entry {
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
func (l *journalState) madeWhole(kind Kind, found map[string]Written) bool {
	for key, there := range found {
		if k := l.of(kind)[key]; l.whole && k.pending != nil && k.pending.atTarget(there) {
			return true
		}
	}
	return false
}

// wasThere reports whether the target must have had a record before the step, and after it unless the record ended.
func (l *journalState) wasThere(kind Kind, k *copiedRecord) bool {
	return l.whole && k.written != nil && !mayBeGone(kind, k.until())
}

// settle keeps how steps ended.
func (l *journalState) settle(entry Entry) error {
	if len(entry.Written)+len(entry.Removed) == 0 {
		return nil
	}
	return l.step(entry, func() error { return nil })
}

// matches reports whether a stored record is the record that was written. A part that had expired at expiredAt may be
// missing.
func (w *Written) matches(there Written, expiredAt time.Time) bool {
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
		if until.IsZero() || until.After(expiredAt) {
			return false
		}
	}
	return true
}

// atTarget reports whether a record of the target is the one that was written. Only what an engine may have forgotten
// can be missing.
func (w *Written) atTarget(there Written) bool {
	return w.matches(there, time.Now().Add(-minRetention))
}

// atSource reports whether a record of the source is the one that was written. A purge may have removed what expired.
func (w *Written) atSource(there Written) bool { return w.matches(there, time.Now().Add(clockSkew)) }

// clockSkew is how far the clocks of two machines may differ.
const clockSkew = 5 * time.Minute

// minRetention is how long each engine keeps a record at least after it has expired.
const minRetention = 23 * time.Hour

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
		return !until.After(time.Now().Add(clockSkew))
	}
	return !until.After(time.Now().Add(-minRetention))
}
