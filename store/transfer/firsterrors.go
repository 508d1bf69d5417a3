package transfer

import (
	"errors"
	"fmt"
)

// maxReported is how many errors of a kind are reported.
const maxReported = 10

// firstErrors holds the first errors of a kind, and counts all of them.
type firstErrors struct {
	first []error
	n     int
}

// add counts an error. It calls make only for the errors that are reported.
func (f *firstErrors) add(make func() (error, error)) error {
	if f.n++; len(f.first) == maxReported {
		return nil
	}
	first, err := make()
	if err == nil {
		f.first = append(f.first, first)
	}
	return err
}

// err returns the errors as one, and nil if there are none.
func (f *firstErrors) err() error {
	if more := f.n - len(f.first); more > 0 {
		return errors.Join(append(f.first, fmt.Errorf("and %d more", more))...)
	}
	return errors.Join(f.first...)
}
