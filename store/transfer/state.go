package transfer

import (
	"errors"
	"fmt"
	"time"
)

// State is how far a copy is. It is kept in a file, in JSON, and belongs to one source and one target. The zero State
// is a copy that has not begun.
//
// It is kept beside the copy and not in the target, so that no engine needs another table or right for it. If the file
// is lost, the target counts as one with data of its own, and the copy begins again with an empty one. It goes with the
// [Journal], which says what was written.
type State struct {
	Runs     int       `json:"runs"`               // how many runs have ended
	Finished bool      `json:"finished,omitempty"` // by a final run: the service may use the target from then on
	Last     time.Time `json:"last,omitzero"`      // the instant of the last run that ended

	// What follows is of a run that has not ended.
	Began time.Time `json:"began,omitzero"` // when the call began that was the last to work on it
	Kind  Kind      `json:"kind,omitempty"` // what it copies. Those before it are done
	After string    `json:"after,omitempty"`
}

// begun reports whether a run has not ended.
func (s *State) begun() bool { return !s.Began.IsZero() }

// isNew reports whether the copy has written nothing yet.
func (s *State) isNew() bool { return s.Runs == 0 && !s.begun() }

var (
	// ErrNotEmpty says that the target has records, and this copy did not write them.
	ErrNotEmpty = errors.New("the target has data already, which this copy did not write")
	// ErrFinished says that the copy had its final run. Another one could undo what the service did since.
	ErrFinished = errors.New("this copy had its final run, and a service may use the target since")
	// ErrConflict says that something happened to a record of the target after the copy wrote it: see ConflictError.
	ErrConflict = errors.New("a service has changed the target")
	// ErrSourceUsed says that the records of the source changed during the final run.
	ErrSourceUsed = errors.New("the source changed during the final run, so a service still uses it")
	// ErrDiffers says that the target is not the same as the source after the final run.
	ErrDiffers = errors.New("the target differs from the source")
)

// ConflictError is an [ErrConflict]. The copy never overwrites such records, and adds what has ended in the target to
// it never again.
type ConflictError struct {
	Kind  Kind
	Key   string
	Field string // in which the record differs from the one of the source, or "" if one of both is not there
	About string
}

func (e *ConflictError) Error() string {
	text := fmt.Sprintf("%v: %s, key %q: %s", ErrConflict, e.Kind, e.Key, e.About)
	if e.Field == "" {
		return text
	}
	return text + ", and " + e.Field + " differs from the source"
}

func (e *ConflictError) Unwrap() error { return ErrConflict }
