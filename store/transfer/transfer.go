package transfer

import (
	"context"
	"fmt"
	"time"
)

// Source is an engine that records are read from. Its methods are safe for concurrent use and read no clock.
//
// They leave out what is of no use at now: see [Record.Keep]. A record that cannot be read is an error that names its
// kind and its key. It is never left out without an error.
type Source interface {
	// Export returns records of a kind in an order of the engine that does not change. They come after the position
	// after, which is the Next of an earlier page, or "" for the first page. A page has at most limit records. It may
	// have fewer, or none at all, before the end: the last page is the one whose Next is "".
	//
	// Records that are added, changed or removed meanwhile may be missed. All others are returned once.
	//
	// If records of the page cannot be read, Export returns the page with all others, and an [UnreadableError].
	Export(ctx context.Context, kind Kind, after string, limit int, now time.Time) (Page, error)

	// Lookup returns, for each of these records, the one with the same key that the engine has, or nil. Only the fields
	// of the key are read: see [Record.Key].
	Lookup(ctx context.Context, kind Kind, like []Record, now time.Time) ([]Record, error)

	// Count returns how many records of a kind Export would return in all.
	Count(ctx context.Context, kind Kind, now time.Time) (int, error)
}

// Target is an engine that records are written to. No service may use it meanwhile.
type Target interface {
	Source

	// Whole reports whether each call of Import and of Replace writes all of its records or nothing, also if the
	// program or the engine is killed meanwhile.
	Whole() bool

	// Import adds those of the records whose key is not there, and returns how many it added. It leaves the others as
	// they are. A record and all that belongs to it, such as a login and its refresh tokens, is added as a whole or not
	// at all. After Import each record is found, listed, counted by limits, ended and purged as if the store itself had
	// added it.
	Import(ctx context.Context, kind Kind, records []Record, now time.Time) (added int, err error)

	// Replace is Import for records whose key may be there: they take the place of what is there. It ends nothing that
	// rests on them: the grants of a client stay.
	Replace(ctx context.Context, kind Kind, records []Record, now time.Time) error

	// Remove removes the records with these keys, with all that belongs to them. It is no error if one is not there.
	Remove(ctx context.Context, kind Kind, like []Record, now time.Time) error
}

// Page is a part of the records of a kind.
type Page struct {
	Records []Record
	Next    string // the position of the next page, or "" after the last one
}

// UnreadableError says that records of a page cannot be read. It has one error for each of them.
type UnreadableError struct{ Errs []error }

func (e *UnreadableError) Error() string {
	var told firstErrors
	for _, err := range e.Errs {
		_ = told.add(func() (error, error) { return err, nil })
	}
	return fmt.Sprint(told.err())
}

func (e *UnreadableError) Unwrap() []error { return e.Errs }
