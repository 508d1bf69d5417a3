package transfer

import (
	"iter"
	"slices"
	"sync"
	"time"
)

// Journal keeps what a copy writes to its target, so that a later run sees what a service changed or ended there. It
// belongs to one source and one target, as the [State] does. It is a list that only grows: about 150 bytes for each
// record that is written, and more for a login or a grant with many tokens. A run keeps what it says of each record in
// memory. An estimate is 300 bytes for a token.
type Journal interface {
	// Append adds an entry at the end. When it returns, the entry must be there even after a crash of the machine.
	Append(entry Entry) error
	// Entries returns all entries in the order in which they were added.
	Entries() iter.Seq2[Entry, error]
}

// Entry is a step of a copy. It is kept before the step is made, and once more with Done after it.
type Entry struct {
	Kind    Kind      `json:"kind"`
	Done    bool      `json:"done,omitempty"`
	Written []Written `json:"written,omitempty"`
	Removed []string  `json:"removed,omitempty"` // keys
}

// Written is a record that a copy writes. It has no secret.
type Written struct {
	Key   string    `json:"key"`
	Sum   string    `json:"sum"`            // a hash of the record without its parts
	Until time.Time `json:"until,omitzero"` // when the record is of no use any more; zero is never
	Parts []Part    `json:"parts,omitempty"`
}

// Part is a token or a code of a login or of a grant.
type Part struct {
	Sum   string    `json:"sum"`
	Until time.Time `json:"until,omitzero"`
}

// MemoryJournal is a [Journal] for a copy that is not resumed by another program. The zero value is ready for use.
type MemoryJournal struct {
	mu      sync.Mutex
	entries []Entry
}

// Append implements [Journal].
func (j *MemoryJournal) Append(entry Entry) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.entries = append(j.entries, entry)
	return nil
}

// Entries implements [Journal].
func (j *MemoryJournal) Entries() iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		j.mu.Lock()
		entries := slices.Clone(j.entries)
		j.mu.Unlock()
		for _, entry := range entries {
			if !yield(entry, nil) {
				return
			}
		}
	}
}
