package auth

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// Challenge is one way to authenticate, sent in WWW-Authenticate (RFC 9110
// §11.6.1).
type Challenge struct {
	Scheme string
	Params []Param
}

// Param is a parameter of a challenge. The value is plain text: quoting is
// done when it is sent.
type Param struct {
	Name, Value string
}

// String returns the challenge as it is sent, every value a quoted-string
// (RFC 9110 §5.6.4). Control characters are left out: a header cannot carry
// them.
func (c Challenge) String() string {
	var b strings.Builder
	b.WriteString(c.Scheme)
	for i, p := range c.Params {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte(' ')
		b.WriteString(p.Name)
		b.WriteString(`="`)
		for i := range len(p.Value) {
			switch ch := p.Value[i]; {
			case ch == '"' || ch == '\\':
				b.WriteByte('\\')
				b.WriteByte(ch)
			case ch < 0x20 || ch == 0x7f: // CTL
			default:
				b.WriteByte(ch)
			}
		}
		b.WriteByte('"')
	}
	return b.String()
}

// check reports what keeps the challenge from being sent.
func (c Challenge) check() error {
	if !isToken(c.Scheme) {
		return fmt.Errorf("auth: challenge scheme %q is not an RFC 9110 token", c.Scheme)
	}
	for _, p := range c.Params {
		if !isToken(p.Name) {
			return fmt.Errorf("auth: challenge parameter %q is not an RFC 9110 token", p.Name)
		}
	}
	return nil
}

// with returns a copy with params added. A name that is there already keeps
// its value.
func (c Challenge) with(params ...Param) Challenge {
	merged := append([]Param(nil), c.Params...)
next:
	for _, p := range params {
		for _, have := range merged {
			if strings.EqualFold(have.Name, p.Name) {
				continue next
			}
		}
		merged = append(merged, p)
	}
	return Challenge{c.Scheme, merged}
}

// override returns a copy with params added. They replace others of their name,
// so that the scope that is needed is told, not one that a challenge always has.
func (c Challenge) override(params ...Param) Challenge {
	return Challenge{c.Scheme, append(slices.DeleteFunc(slices.Clone(c.Params), func(have Param) bool {
		return slices.ContainsFunc(params, func(p Param) bool { return strings.EqualFold(p.Name, have.Name) })
	}), params...)}
}

// mergeChallenges keeps one challenge per scheme, in order of first
// appearance, with the parameters of all of that scheme.
func mergeChallenges(all []Challenge) []Challenge {
	var merged []Challenge
next:
	for _, c := range all {
		for i, have := range merged {
			if strings.EqualFold(have.Scheme, c.Scheme) {
				merged[i] = have.with(c.Params...)
				continue next
			}
		}
		merged = append(merged, c.with())
	}
	return merged
}

// errorParams are the error attributes of RFC 6750 §3, with the characters it
// allows them. Basic does not have any (RFC 7617).
func errorParams(scheme, code, detail string, extra []Param) []Param {
	if strings.EqualFold(scheme, "Basic") {
		return nil
	}
	params := []Param{{"error", attribute(code)}}
	if detail != "" {
		params = append(params, Param{"error_description", attribute(detail)})
	}
	for _, p := range extra {
		params = append(params, Param{p.Name, attribute(p.Value)})
	}
	return params
}

// attribute keeps the characters that RFC 6750 §3 allows in error,
// error_description and scope: %x20-21 / %x23-5B / %x5D-7E.
func attribute(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r > 0x7e || r == '"' || r == '\\' {
			return -1
		}
		return r
	}, s)
}

// isToken reports whether s is a token (RFC 9110 §5.6.2).
func isToken(s string) bool {
	if s == "" {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0:
		default:
			return false
		}
	}
	return true
}

// setChallenges adds one WWW-Authenticate line per challenge: separate lines
// are read right by clients that split a joined one at the wrong comma.
func setChallenges(h http.Header, challenges []Challenge) {
	for _, c := range challenges {
		h.Add("WWW-Authenticate", c.String())
	}
}
