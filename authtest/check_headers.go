package authtest

import (
	"net/http"
	"slices"
	"strings"

	"github.com/gatewarden/auth"
)

// headerChecks find out which headers a proof depends on, by leaving them out.
func headerChecks() []check {
	return []check{
		{"Vary names every header that the answer depends on", ifAccepted(each(isGood, (*suite).checkVary))},
		{"StripHeaders has every header that alone says who the user is",
			ifAccepted(each(isGood, (*suite).checkStripped))},
		{"a credential that browsers add by themselves is ambient", ifAccepted(each(isGood, (*suite).checkAmbient))},
	}
}

// needed returns the headers without which p is answered in another way.
func (s *suite) needed(p *probe) []string {
	var needed []string
	for _, name := range headersOf(p.request()) {
		if got := s.ask(without(p.request(), name)); !got.is(p.first) {
			needed = append(needed, name)
		}
	}
	return needed
}

// has reports whether names has a name, in whatever case.
func has(names []string, name string) bool {
	return slices.ContainsFunc(names, func(other string) bool { return strings.EqualFold(other, name) })
}

// checkVary leaves out headers about the body, which no cache looks at. It also
// lets a secret be left out that a proxy adds: one that is stripped, beside a
// header that Vary names.
func (s *suite) checkVary(p *probe) {
	var missing, named []string
	for _, name := range s.needed(p) {
		switch {
		case strings.HasPrefix(name, "Content-"):
		case has(s.varies(), name):
			named = append(named, name)
		default:
			missing = append(missing, name)
		}
	}
	missing = slices.DeleteFunc(missing, func(name string) bool { return len(named) > 0 && has(s.stripped(), name) })
	if len(missing) == 0 {
		return
	}
	if _, says := auth.As[auth.Varier](s.backend); says {
		s.fault(p, "without %s the answer is another one, and Vary returns %q", missing[0], s.varies())
		return
	}
	s.fault(p, "without %s the answer is another one: the backend has no method Vary, so Authorization and Cookie "+
		"are assumed. Add a method Vary that returns %s", missing[0], strings.Join(append(missing, named...), ", "))
}

// checkStripped finds a header with the UserID as its value. If the proof also
// needs another header that is not stripped, such as a signature, that one is
// what proves the request, and the first one may stay.
func (s *suite) checkStripped(p *probe) {
	var plain []string
	for _, name := range s.needed(p) {
		switch {
		case has(s.stripped(), name) || strings.HasPrefix(name, "Content-"):
		case strings.EqualFold(strings.TrimSpace(p.request().Header.Get(name)), p.good.User):
			plain = append(plain, name)
		default:
			return
		}
	}
	if len(plain) > 0 {
		s.fault(p, "header %s is the user's identifier, and StripHeaders returns %q", plain[0], s.stripped())
	}
}

// checkAmbient asks about a request that has only what browsers and proxies add,
// and about one without that.
func (s *suite) checkAmbient(p *probe) {
	r := p.request()
	var added, chosen []string
	for _, name := range headersOf(r) {
		switch {
		case name == "Cookie", name == "Authorization" && opensDialog(r), has(s.stripped(), name):
			added = append(added, name)
		case !strings.HasPrefix(name, "Content-"):
			chosen = append(chosen, name)
		}
	}
	if s.saysAmbient(p) || len(added) == 0 && r.TLS == nil {
		return
	}
	bare := without(p.request(), added...)
	bare.TLS = nil
	if s.ask(without(p.request(), chosen...)).is(p.first) && !s.ask(bare).is(p.first) {
		s.fault(p, "browsers or proxies add all it takes (%q, or a client certificate). Want true from Ambient", added)
	}
}

// saysAmbient reports whether the backend or the credential says so. A Guard has
// checked the origin of what it proves.
func (s *suite) saysAmbient(p *probe) bool {
	if _, ok := auth.As[*auth.Guard](s.backend); ok {
		return true
	}
	backend, ok := auth.As[auth.Ambient](s.backend)
	if ok && backend.Ambient() {
		return true
	}
	credential, ok := auth.As[auth.Ambient](p.first.credential)
	return ok && credential.Ambient()
}

// opensDialog reports a scheme by which browsers ask for a password once, and
// then send it with each request.
func opensDialog(r *http.Request) bool {
	scheme, _, _ := auth.Authorization(r)
	return has([]string{"Basic", "Digest", "NTLM", "Negotiate"}, scheme)
}
