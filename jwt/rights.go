package jwt

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	"github.com/gatewarden/auth/internal/cause"
)

// Read returns what the claims of a token say about its rights. An error says that it is no access token of the
// profile, or that it may be a user's as well as a machine's. Claims are a JSON object, such as the payload of a token
// or the answer of an introspection endpoint.
func (r *ProfileReader) Read(claims []byte) (Rights, error) {
	var room [24]member
	all, err := members(string(claims), room[:0])
	if err != nil {
		return Rights{}, errors.New("jwt: the claims are no JSON object, or have a name twice")
	}
	if c := r.checkKinds(all); c != nil {
		return Rights{}, c
	}
	rights, c := r.read(all)
	if c != nil {
		return Rights{}, c
	}
	return rights, nil
}

// checkKinds refuses what is no access token.
func (r *ProfileReader) checkKinds(all []member) *cause.Check {
	for _, name := range r.kinds {
		accepted := r.profile.Kinds[name]
		value := lookup(all, name)
		is := func(kind string) bool {
			return slices.Contains(accepted, kind) || slices.Contains(r.profile.BoundKinds[name], kind)
		}
		if says(value, is) {
			continue
		}
		c := r.fault(name, "")
		c.Came, c.Want = []string{}, accepted
		says(value, func(kind string) bool { c.Came = append(c.Came, kind); return false })
		return c
	}
	if one := r.profile.RequireOneOf; len(one) > 0 && !r.anyThere(all, one) {
		return r.fault(strings.Join(one, " or "), "is missing, which an access token of the issuer has")
	}
	return nil
}

// read returns the rights of an access token.
func (r *ProfileReader) read(all []member) (Rights, *cause.Check) {
	var rights Rights
	for _, m := range all {
		if slices.Contains(r.signs, m.name) { // whatever it is
			rights.Limited = true
			break
		}
	}
	if c := r.unreadable(all); c != nil {
		return rights, c
	}
	for _, name := range r.profile.ClientClaims {
		if rights.ClientID = subjectOf(lookup(all, name)); rights.ClientID != "" {
			break
		}
	}
	isMachine, id := r.machine(all, rights.ClientID)
	if isMachine && id == "" {
		return rights, r.fault(cmp.Or(r.profile.MachineClaim, "sub or a client"),
			"is missing, and the token is a machine's")
	}
	if !isMachine {
		if c := r.ambiguous(all); c != nil {
			return rights, c
		}
	}
	rights.Scopes = scopesOf(rights.Scopes, all, r.profile.ScopeClaims)
	if isMachine {
		rights.Machine, rights.Limited = id, true // no machine acts as a user does
		rights.Scopes = scopesOf(rights.Scopes, all, r.profile.MachineScopeClaims)
	}
	rights.Email = verifiedEmail(all)
	rights.Bound = r.bound(all)
	return rights, nil
}

// unreadable refuses a token if a claim that is compared to find machines is no identifier. A machine's could otherwise
// pass for a user's.
func (r *ProfileReader) unreadable(all []member) *cause.Check {
	for _, m := range all {
		if !slices.Contains(r.compared, m.name) || !isThere(m.value) {
			continue
		}
		if _, text := unquote(m.value); !text && subjectOf(m.value) == "" {
			return r.fault(m.name, "is not a string or a whole number")
		}
	}
	return nil
}

// machine reports whether the token stands for a program, and which one.
func (r *ProfileReader) machine(all []member, client string) (is bool, id string) {
	identify := func(otherwise string) string {
		if name := r.profile.MachineClaim; name != "" {
			return subjectOf(lookup(all, name))
		}
		return otherwise
	}
	subject := subjectOf(lookup(all, "sub"))
	if r.profile.AllMachines {
		return true, identify(subject)
	}
	for i := range r.profile.Machines {
		if holds, name, value := r.profile.Machines[i].holds(all); holds {
			if slices.Contains(r.clients, name) {
				return true, identify(value)
			}
			return true, identify(cmp.Or(client, subject))
		}
	}
	return false, ""
}

// ambiguous refuses a token that may be a machine's.
func (r *ProfileReader) ambiguous(all []member) *cause.Check {
	for i := range r.profile.Doubts {
		mark := &r.profile.Doubts[i]
		if holds, _, _ := mark.holds(all); !holds {
			continue
		}
		if mark.Claim == "" {
			return r.fault(strings.Join(slices.Concat(mark.With, mark.Without), ", "),
				"do not say whether the token is a user's or a machine's")
		}
		c := r.fault(mark.Claim, "may be a machine's, and the other claims do not agree")
		c.Came = []string{subjectOf(lookup(all, mark.Claim))}
		return c
	}
	return nil
}

// scopesOf appends the scopes in these claims. A claim of another type has no scopes.
func scopesOf(scopes []string, all []member, names []string) []string {
	for _, name := range names {
		value := lookup(all, name)
		if !isThere(value) {
			continue
		}
		texts, ok := stringsOf(value) // a text (RFC 9068 §2.2.3), and some write an array
		for _, text := range texts {
			if ok {
				scopes = append(scopes, strings.Fields(text)...)
			}
		}
	}
	return scopes
}

// bound reports a token that is bound to a key.
func (r *ProfileReader) bound(all []member) bool {
	if isThere(lookup(all, "cnf")) {
		return true
	}
	for name, kinds := range r.profile.BoundKinds {
		if says(lookup(all, name), func(kind string) bool { return slices.Contains(kinds, kind) }) {
			return true
		}
	}
	return false
}

// verifiedEmail returns "email" if the issuer has verified it (OpenID Connect Core §5.1).
func verifiedEmail(all []member) string {
	if verified := lookup(all, "email_verified"); verified != "true" && verified != `"true"` {
		return ""
	}
	email, _ := unquote(lookup(all, "email"))
	return email
}

func (r *ProfileReader) anyThere(all []member, names []string) bool {
	return slices.ContainsFunc(names, func(name string) bool { return isThere(lookup(all, name)) })
}

func (r *ProfileReader) fault(name, problem string) *cause.Check {
	return &cause.Check{Name: name, Problem: problem, Owner: "Issuer", Setting: "Profile"}
}
