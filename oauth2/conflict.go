package oauth2

import (
	"fmt"
	"reflect"
	"slices"

	"github.com/gatewarden/auth"
)

// Conflict returns an error for another Resource with a source of this one: the same Source, or a [JWT] of the same
// issuer. In one guard the first of the two would refuse each token of the other. If it passed them on, a token for
// one API would be good at the routes of the other one (RFC 9700 §2.3). It also returns an error if a machine of one
// could have the identifier of a machine of the other one.
func (a *Resource) Conflict(other auth.Authenticator) error {
	b, ok := auth.As[*Resource](other)
	if !ok {
		return nil
	}
	if !slices.ContainsFunc(a.config.Sources, func(source Source) bool {
		return slices.ContainsFunc(b.config.Sources, func(its Source) bool { return sameTokens(source, its) })
	}) {
		if err := checkMachineNames(a.config.Sources, b.config.Sources); err != nil {
			return fmt.Errorf("oauth2: backends %q and %q: %w", a.Backend(), b.Backend(), err)
		}
		return nil
	}
	return fmt.Errorf("oauth2: backends %q (%s) and %q (%s) take tokens of one source, so each needs a guard of its "+
		"own, such as guard.With(%[3]s, sessions). Further names of one API go into Config.Audience",
		a.Backend(), a.config.Resource, b.Backend(), b.config.Resource)
}

// sameTokens reports whether two sources know the same tokens.
func sameTokens(a, b Source) bool {
	one, ok := a.(*JWT)
	other, also := b.(*JWT)
	if ok && also {
		return one.issuer == other.issuer
	}
	return reflect.TypeOf(a) == reflect.TypeOf(b) && reflect.ValueOf(a).Comparable() && a == b
}
