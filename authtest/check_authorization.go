package authtest

import (
	"net/http"
	"strings"
	"time"

	"github.com/gatewarden/auth"
)

// authorizationChecks are about backends that read the Authorization header.
func authorizationChecks() []check {
	return []check{
		{"the scheme of Authorization is read in any case", each(inAuthorization, (*suite).checkSchemeCase)},
		{"two Authorization lines are never proved", each(inAuthorization, (*suite).checkTwoLines)},
		{"an Authorization longer than MaxAuthorization is never proved", each(inAuthorization, (*suite).checkLong)},
		{"an Authorization of a megabyte is answered within a second",
			each(inAuthorization, (*suite).checkReturnsInTime)},
		{"garbage in Authorization is never proved and never a panic", each(inAuthorization, (*suite).checkGarbage)},
	}
}

// inAuthorization matches good requests that have an Authorization header.
func inAuthorization(p *probe) bool { return isGood(p) && len(p.request().Header["Authorization"]) > 0 }

// withLines returns a new request of p with other Authorization lines.
func (p *probe) withLines(lines ...string) *http.Request {
	r := p.request()
	r.Header["Authorization"] = lines
	return r
}

// refuses asks about a request that must not be proved and must not panic.
func (s *suite) refuses(p *probe, r *http.Request, what string) bool {
	got := s.ask(r)
	if got.panicked != nil || got.err == nil {
		s.fault(p, "%s: want an error, got %v", what, got)
		return false
	}
	return true
}

// checkSchemeCase writes the scheme in other cases (RFC 9110 §11.1). A line without
// anything after the first word may have no scheme, so it is left out.
func (s *suite) checkSchemeCase(p *probe) {
	for _, spell := range []func(string) string{strings.ToUpper, strings.ToLower, alternating} {
		r := p.request()
		scheme, value, _ := auth.Authorization(r)
		if value == "" {
			return
		}
		r.Header["Authorization"] = []string{spell(scheme) + " " + value}
		if got := s.ask(r); !got.is(p.first) {
			s.fault(p, "want %v with the scheme %s too, got %v. Compare schemes by strings.EqualFold",
				p.first, spell(scheme), got)
			return
		}
	}
}

// alternating returns text with every other character in upper case: "bEaReR".
func alternating(text string) string {
	mixed := []byte(strings.ToLower(text))
	for i, c := range mixed {
		if i%2 == 1 && 'a' <= c && c <= 'z' {
			mixed[i] = c - 'a' + 'A'
		}
	}
	return string(mixed)
}

func (s *suite) checkTwoLines(p *probe) {
	line, other := p.request().Header.Get("Authorization"), unknownScheme+" abc"
	_ = s.refuses(p, p.withLines(line, line), "the same line twice") &&
		s.refuses(p, p.withLines(line, other), "another line after it") &&
		s.refuses(p, p.withLines(other, line), "another line before it")
}

func (s *suite) checkLong(p *probe) {
	scheme, value, _ := auth.Authorization(p.request())
	pad := strings.Repeat(" ", auth.MaxAuthorization)
	_ = s.refuses(p, p.withLines(scheme+" "+value+pad), "spaces at the end") &&
		s.refuses(p, p.withLines(scheme+pad+" "+value), "spaces after the scheme") &&
		s.refuses(p, p.withLines(pad+scheme+" "+value), "spaces at the start")
}

func (s *suite) checkReturnsInTime(p *probe) {
	scheme, value, _ := auth.Authorization(p.request())
	start := s.now()
	s.ask(p.withLines(scheme + " " + value + strings.Repeat("A", 1<<20)))
	if took := s.now().Sub(start); took > time.Second {
		s.fault(p, "want an answer within a second, got one after %v", took)
	}
}

func (s *suite) checkGarbage(p *probe) {
	scheme, _, _ := auth.Authorization(p.request())
	for _, rest := range []string{"", " ", " \t ", " :", " =", " ,", ` "`, " ..", " \x00", " \xff\xfe", " %00",
		" a b", " a=b,c=\"d"} {
		if !s.refuses(p, p.withLines(scheme+rest), "scheme "+scheme+" and garbage") {
			return
		}
	}
}
