package jwt

import (
	"errors"
	"slices"
	"strings"
)

// Mark is a sign in the claims of a token. It holds if all of its conditions do. Values are compared byte by byte, and
// a number as its digits. A claim that is null counts as missing.
type Mark struct {
	// Claim is the claim that must be there. It may be empty beside With or Without.
	Claim string
	// Prefix and Suffix are what its value starts and ends with. What is between them must be one of Values, or the
	// value of one of the claims Of. If both are empty, it may be anything.
	Prefix string
	Suffix string
	Values []string
	Of     []string
	// Not turns the condition around: Claim must be there, and be anything else. It does not go with Of.
	Not bool
	// AnyCase compares without regard to upper and lower case.
	AnyCase bool
	// With are claims of which one must be there, if any are named. Without are claims that must not be there.
	With    []string
	Without []string
}

func (m Mark) check() error {
	if m.Claim == "" && (len(m.With) == 0 && len(m.Without) == 0 || len(m.Values) > 0 || len(m.Of) > 0) {
		return errors.New("a Mark of the profile has no condition, or one without its Claim")
	}
	if m.Claim != "" && m.Prefix == "" && m.Suffix == "" && len(m.Values) == 0 && len(m.Of) == 0 {
		return errors.New("a Mark of the profile does not say what the value of its Claim must be")
	}
	if m.Not && (m.Claim == "" || len(m.Of) > 0) {
		return errors.New("a Mark of the profile has Not without Claim, or with Of")
	}
	return nil
}

// holds reports whether the sign is in the claims. If it is there by a claim of Of, its value is returned with the
// name of that claim.
func (m *Mark) holds(all []member) (ok bool, name, value string) {
	there := func(name string) bool { return isThere(lookup(all, name)) }
	if slices.ContainsFunc(m.Without, there) || len(m.With) > 0 && !slices.ContainsFunc(m.With, there) {
		return false, "", ""
	}
	if m.Claim == "" {
		return true, "", ""
	}
	claim := lookup(all, m.Claim)
	if len(m.Of) == 0 {
		return isThere(claim) && says(claim, m.fits) != m.Not, "", ""
	}
	inner, ok := m.inner(subjectOf(claim))
	if !ok || inner == "" {
		return false, "", ""
	}
	for _, name := range m.Of {
		if value := subjectOf(lookup(all, name)); value != "" && m.same(value, inner) {
			return true, name, value
		}
	}
	return false, "", ""
}

// fits reports whether a value has Prefix and Suffix, and one of Values between them.
func (m *Mark) fits(text string) bool {
	inner, ok := m.inner(text)
	return ok && (len(m.Values) == 0 ||
		slices.ContainsFunc(m.Values, func(value string) bool { return m.same(value, inner) }))
}

// inner returns what is between Prefix and Suffix.
func (m *Mark) inner(text string) (string, bool) {
	if len(text) < len(m.Prefix)+len(m.Suffix) {
		return "", false
	}
	end := len(text) - len(m.Suffix)
	return text[len(m.Prefix):end], m.same(text[:len(m.Prefix)], m.Prefix) && m.same(text[end:], m.Suffix)
}

func (m *Mark) same(a, b string) bool { return a == b || m.AnyCase && strings.EqualFold(a, b) }

// isThere reports a claim that is there and is not null.
func isThere(value string) bool { return value != "" && value != "null" }

// says reports whether accept takes the value of a claim: a text, a whole number or boolean as it is written, or an
// array of texts with one that it takes.
func says(value string, accept func(string) bool) bool {
	if text, ok := unquote(value); ok {
		return accept(text)
	}
	if value == "true" || value == "false" || subjectOf(value) != "" {
		return accept(value)
	}
	texts, ok := stringsOf(value)
	return ok && slices.ContainsFunc(texts, accept)
}

func cloneMarks(from []Mark) []Mark {
	marks := slices.Clone(from)
	for i, m := range marks {
		marks[i].Values, marks[i].Of = slices.Clone(m.Values), slices.Clone(m.Of)
		marks[i].With, marks[i].Without = slices.Clone(m.With), slices.Clone(m.Without)
	}
	return marks
}
