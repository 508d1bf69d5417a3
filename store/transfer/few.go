package transfer

import (
	"errors"
	"fmt"
)

// mostTold is how many errors of a kind are told.
const mostTold = 10

// few are the first errors of a kind, and how many there are.
type few struct {
	first []error
	n     int
}

// add counts an error, and makes it if it is told.
func (f *few) add(make func() (error, error)) error {
	if f.n++; len(f.first) == mostTold {
		return nil
	}
	told, err := make()
	if err == nil {
		f.first = append(f.first, told)
	}
	return err
}

// err returns the errors as one, and nil if there are none.
func (f *few) err() error {
	if more := f.n - len(f.first); more > 0 {
		return errors.Join(append(f.first, fmt.Errorf("and %d more", more))...)
	}
	return errors.Join(f.first...)
}
