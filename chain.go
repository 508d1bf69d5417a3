package auth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
)

// verdict collects the outcomes after which a chain goes on.
type verdict struct {
	nested       bool // of a chain or guard that another one may ask
	unrecognized error
	others       [3]otherVerdict // further ones that are ErrUnrecognized, for the log
	count        int             // of them
	more         []otherVerdict  // the fourth and those that follow
	absent       error           // ErrNoCredentials of those that have more to say, joined
	ambience     ambience        // of the proof
}

// otherVerdict is a backend that does not recognize a token either.
type otherVerdict struct {
	backend Authenticator
	err     error
}

// badTokenKey marks a request that a chain in a chain is asked about, after a
// backend further out found a token that it does not recognize.
type badTokenKey struct{}

// badToken reports whether r has a token that a backend asked before did not
// recognize, in this chain or in one around it.
func (v *verdict) badToken(r *http.Request) bool {
	return v.unrecognized != nil || v.nested && r.Context().Value(badTokenKey{}) != nil
}

// ask calls a backend. A bad token is not rescued by what a browser adds, and
// not by a credential that does not say: a backend that is ambient is not asked, and a
// proof by a credential that is not known to be explicit counts as unrecognized. A
// chain or guard is told, and does the same for its own backends. A decorator around
// one may answer by itself, so what it returns is looked at again.
func (v *verdict) ask(backend Authenticator, ambient Ambient, nests bool, r *http.Request) (User, Credential, error) {
	said := ambientUnknown
	if ambient != nil {
		if said = ambientNo; ambient.Ambient() {
			said = ambientYes
		}
	}
	if said == ambientYes && v.badToken(r) {
		return nil, nil, ErrNoCredentials
	}
	asked := r
	if nests && v.unrecognized != nil {
		asked = r.WithContext(context.WithValue(r.Context(), badTokenKey{}, true))
	}
	user, credential, err := backend.Authenticate(asked)
	if asked != r {
		r.Body = asked.Body // a backend that read it has put it back
	}
	if err != nil {
		return nil, nil, err
	}
	if v.ambience = said; said != ambientYes {
		v.ambience = ambienceOf(said, credential)
	}
	if v.ambience != ambientNo && !checksItself(backend) && v.badToken(r) {
		return nil, nil, fmt.Errorf("%w, and %s, which proved the request, does not say that no browser adds its "+
			"credential (auth.Ambient)", ErrUnrecognized, nameOf(backend))
	}
	return user, credential, nil
}

// checksItself reports a chain or guard without a decorator around it.
func checksItself(backend Authenticator) bool {
	switch backend.(type) {
	case chain, *Guard:
		return true
	}
	return false
}

// settled reports whether the error of a backend ends the chain.
func (v *verdict) settled(backend Authenticator, err error) bool {
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
		} else if other := (otherVerdict{backend, err}); v.count < len(v.others) {
			v.others[v.count] = other // without an allocation
			v.count++
		} else {
			v.more = append(v.more, other)
		}
		return false
	}
	return true
}

// unrecognizedToo is ErrUnrecognized of one more backend, which the log tells of.
type unrecognizedToo struct {
	first   error // which counts
	backend Authenticator
	err     error
}

func (e *unrecognizedToo) Error() string {
	return e.first.Error() + ". By " + nameOf(e.backend) + ": " + e.err.Error()
}

func (e *unrecognizedToo) Unwrap() []error { return []error{e.first, e.err} }

func (v *verdict) result() error {
	switch {
	case v.unrecognized != nil:
		all := v.unrecognized
		for _, other := range append(slices.Clone(v.others[:v.count]), v.more...) {
			all = &unrecognizedToo{all, other.backend, other.err}
		}
		return all
	case v.absent != nil:
		return v.absent
	}
	return ErrNoCredentials
}
