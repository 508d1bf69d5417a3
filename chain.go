package auth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
)

// chainResult is the result of the backends that a chain has called so far, if the chain goes on
// after them.
type chainResult struct {
	nested       bool // of a chain or guard that another one may ask
	unrecognized error
	others       [3]unrecognizedBy // further ones that are ErrUnrecognized, for the log
	count        int               // of them
	more         []unrecognizedBy  // the fourth and those that follow
	absent       error             // ErrNoCredentials of those that have more to say, joined
	ambientState ambientState      // of the proof
}

// unrecognizedBy is a backend that does not recognize a token either.
type unrecognizedBy struct {
	backend Authenticator
	err     error
}

// unrecognizedTokenKey marks a request that a chain in a chain is asked about, after a
// backend further out found a token that it does not recognize.
type unrecognizedTokenKey struct{}

// hasUnrecognizedToken reports whether r has a token that a backend asked before did not
// recognize, in this chain or in one around it.
func (v *chainResult) hasUnrecognizedToken(r *http.Request) bool {
	return v.unrecognized != nil || v.nested && r.Context().Value(unrecognizedTokenKey{}) != nil
}

// ask calls a backend. A bad token is not rescued by what a browser adds, and
// not by a credential that does not say: a backend that is ambient is not asked, and a
// proof by a credential that is not known to be explicit counts as unrecognized. A
// chain or guard is told, and does the same for its own backends. A decorator around
// one may answer by itself, so what it returns is looked at again.
func (v *chainResult) ask(
	backend Authenticator, ambient Ambient, nests bool, r *http.Request,
) (User, Credential, error) {
	said := ambientUnknown
	if ambient != nil {
		if said = ambientNo; ambient.Ambient() {
			said = ambientYes
		}
	}
	if said == ambientYes && v.hasUnrecognizedToken(r) {
		return nil, nil, ErrNoCredentials
	}
	asked := r
	if nests && v.unrecognized != nil {
		asked = r.WithContext(context.WithValue(r.Context(), unrecognizedTokenKey{}, true))
	}
	user, credential, err := backend.Authenticate(asked)
	if asked != r {
		r.Body = asked.Body // a backend that read it has put it back
	}
	if err != nil {
		return nil, nil, err
	}
	if v.ambientState = said; said != ambientYes {
		v.ambientState = ambientStateOf(said, credential)
	}
	if v.ambientState != ambientNo && !isChainOrGuard(backend) && v.hasUnrecognizedToken(r) {
		return nil, nil, fmt.Errorf("%w, and %s, which proved the request, does not say that no browser adds its "+
			"credential (auth.Ambient)", ErrUnrecognized, nameOf(backend))
	}
	return user, credential, nil
}

// isChainOrGuard reports whether backend is a chain or guard without a decorator around it. These
// check for unrecognized tokens themselves.
func isChainOrGuard(backend Authenticator) bool {
	switch backend.(type) {
	case chain, *Guard:
		return true
	}
	return false
}

// add adds the error of a backend, and reports whether it ends the chain.
func (v *chainResult) add(backend Authenticator, err error) bool {
	switch KindOf(err) {
	case ErrNoCredentials:
		if err != ErrNoCredentials {
			if v.absent == nil {
				v.absent = err
			} else {
				v.absent = errors.Join(v.absent, err)
			}
		}
		return false
	case ErrUnrecognized:
		if v.unrecognized == nil {
			v.unrecognized = err
		} else if other := (unrecognizedBy{backend, err}); v.count < len(v.others) {
			v.others[v.count] = other // without an allocation
			v.count++
		} else {
			v.more = append(v.more, other)
		}
		return false
	}
	return true
}

// unrecognizedError is ErrUnrecognized of one more backend, which the log tells of.
type unrecognizedError struct {
	first   error // which counts
	backend Authenticator
	err     error
}

func (e *unrecognizedError) Error() string {
	return e.first.Error() + ". By " + nameOf(e.backend) + ": " + e.err.Error()
}

func (e *unrecognizedError) Unwrap() []error { return []error{e.first, e.err} }

func (v *chainResult) result() error {
	switch {
	case v.unrecognized != nil:
		all := v.unrecognized
		for _, other := range append(slices.Clone(v.others[:v.count]), v.more...) {
			all = &unrecognizedError{all, other.backend, other.err}
		}
		return all
	case v.absent != nil:
		return v.absent
	}
	return ErrNoCredentials
}
