package auth

import (
	"fmt"
	"slices"
	"strings"
)

// owner is a backend that speaks a scheme.
type owner struct {
	name    string
	says    bool // it has OwnTokens
	classes []TokenClass
}

// checkOwners refuses backends that share a scheme and do not say, or do not
// agree, which tokens they own. See [TokenOwner].
func checkOwners(backends []Authenticator) error {
	var owners []owner
	var schemes [][]string
	for _, backend := range expand(backends) {
		o := owner{name: nameOf(backend)}
		var speaks []string
		if challenger, ok := As[Challenger](backend); ok {
			speaks = schemesOf(challenger.Challenges())
		}
		if tokens, ok := As[TokenOwner](backend); ok {
			o.says, o.classes = true, tokens.OwnTokens()
			for _, class := range o.classes {
				speaks = append(speaks, class.Scheme)
			}
		}
		for i, other := range owners {
			if err := compareOwners(other, o, schemes[i], speaks); err != nil {
				return err
			}
		}
		owners, schemes = append(owners, o), append(schemes, speaks)
	}
	return nil
}

// compareOwners returns an error if it cannot be said which tokens are those of a and
// which are those of b, where they share a scheme.
func compareOwners(a, b owner, schemesA, schemesB []string) error {
	if err := checkOverlap(a, b); err != nil || a.says && b.says {
		return err
	}
	silent := a.name
	if a.says {
		silent = b.name
	}
	for _, scheme := range schemesA {
		if slices.ContainsFunc(schemesB, func(other string) bool { return strings.EqualFold(scheme, other) }) {
			return fmt.Errorf("auth: backends %q and %q both take the scheme %s, and %q has no OwnTokens that says "+
				"which tokens are its own. An empty list says that it answers ErrUnrecognized to tokens of others",
				a.name, b.name, scheme, silent)
		}
	}
	return nil
}

// checkOverlap returns an error if both owners say that a token is their own.
func checkOverlap(a, b owner) error {
	for _, one := range a.classes {
		for _, other := range b.classes {
			if !one.overlaps(other) {
				continue
			}
			advice := "Keep one, or set the Prefix of one to a text that ends in _"
			if strings.EqualFold(other.Scheme, "Basic") { // the passwords of Basic have no prefix
				advice = "Keep one. The one that is for logins belongs into Config.Login"
			}
			return fmt.Errorf("auth: backends %q and %q both own tokens of scheme %s with prefix %q. %s",
				a.name, b.name, other.Scheme, other.Prefix, advice)
		}
	}
	return nil
}

// overlaps reports whether a token could be of both classes: their prefixes are
// the same, or what one has more could be the start of the other's random part.
func (c TokenClass) overlaps(other TokenClass) bool {
	longer, shorter := c.Prefix, other.Prefix
	if len(longer) < len(shorter) {
		longer, shorter = shorter, longer
	}
	rest, ok := strings.CutPrefix(longer, shorter)
	return ok && strings.EqualFold(c.Scheme, other.Scheme) && strings.Trim(rest, alphanumeric) == ""
}

const alphanumeric = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
