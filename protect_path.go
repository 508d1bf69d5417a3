package auth

import (
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"
)

// errEscapedDots refuses a path that a handler could read as that of another route.
var errEscapedDots error = &Error{Kind: ErrMalformed, Detail: `The path has an escaped "." or "..".`,
	Cause: errors.New("a handler such as http.FileServer would take the dots out, and serve another route. See " +
		"Protect")}

// errAmbiguousPath refuses a path without a reading that a policy could judge.
var errAmbiguousPath error = &Error{Kind: ErrMalformed, Detail: "The path can be read in two ways.",
	Cause: errors.New("the path has escapes, and its policies cannot be asked about it without these. See Route")}

// hasEscapedDots reports a path with a segment "." or ".." that ServeMux does not take
// out, because it has escapes, or the method is CONNECT.
func hasEscapedDots(r *http.Request) bool {
	route := r.URL.EscapedPath()
	if r.Method != http.MethodConnect {
		route = cleanPath(route)
	}
	for part := range strings.SplitSeq(unescape(route), "/") {
		if part == "." || part == ".." {
			return true
		}
	}
	return false
}

// pathReading is a way to read the path of a request: as it is, or without its escapes,
// as a handler may read it.
type pathReading struct {
	request *http.Request
	route   pattern // to which the router sends the request, "" if there is no route
}

// pathReadings returns the request as it is and, if its path has escapes, without these.
func (p *Protected) pathReadings(r *http.Request) []pathReading {
	all := []pathReading{{r, p.route(r)}}
	u := *r.URL
	u.Path, u.RawPath = cleanPath(r.URL.Path), ""
	if u.EscapedPath() != r.URL.EscapedPath() {
		read := r.WithContext(r.Context())
		read.URL = &u
		all = append(all, pathReading{read, p.route(read)})
	}
	return all
}

func (p *Protected) route(r *http.Request) pattern {
	_, matched := p.router.Handler(r)
	if route, ok := splitPattern(matched); ok {
		return route
	}
	return pattern{}
}

// path returns a pattern that only the path of the request matches.
func (rd pathReading) path() pattern {
	p, _ := splitPattern(cleanPath(rd.request.URL.EscapedPath()))
	for i := range p.segments {
		p.segments[i].wildcard = false
	}
	if p.end == endsTree {
		p.end = endsExact
	}
	p.host = hostOf(rd.request)
	return p
}

// hostOf returns the host of a request without its port, as ServeMux compares it.
func hostOf(r *http.Request) string {
	if host, _, err := net.SplitHostPort(r.Host); err == nil && r.Method != http.MethodConnect {
		return host
	}
	return r.Host
}

// wrapPolicy returns a policy that sees the request as this reading of its path, with the
// path values of a route.
func (rd pathReading) wrapPolicy(policy Policy, route pattern) Policy {
	return func(r *http.Request, user User, credential Credential) error {
		read := r.WithContext(r.Context())
		read.URL = rd.request.URL
		read, ok := withRoute(read, route)
		if !ok {
			return errAmbiguousPath
		}
		err := policy(read, user, credential)
		// The policy may have read the body.
		r.Body, r.Form, r.PostForm, r.MultipartForm = read.Body, read.Form, read.PostForm, read.MultipartForm
		return err
	}
}

// withRoute returns a copy of r with the Pattern and the path values that the router
// will set, because policies run before it does. A ServeMux of this one route sets
// them, so they are what the handler will see. Where the router redirects, they are
// those of the path that it redirects to. If there are no such values, withRoute returns r itself
// and false.
func withRoute(r *http.Request, route pattern) (*http.Request, bool) {
	var seen requestRecorder
	single := http.NewServeMux()
	err := register(single, route.text, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.(*requestRecorder).r = r
	}))
	if err != nil {
		return r, false
	}
	clean := cleanPath(r.URL.EscapedPath())
	for _, escaped := range []string{r.URL.EscapedPath(), clean, clean + "/"} {
		read := r.Clone(r.Context())
		read.URL.Path, read.URL.RawPath = unescape(escaped), escaped
		if single.ServeHTTP(&seen, read); seen.r != nil {
			found := seen.r.WithContext(r.Context())
			found.URL = r.URL
			return found, true
		}
	}
	return r, false
}

// requestRecorder is a [http.ResponseWriter] that keeps the request of the handler. It discards the
// answer.
type requestRecorder struct{ r *http.Request }

func (*requestRecorder) Header() http.Header         { return make(http.Header) }
func (*requestRecorder) Write(b []byte) (int, error) { return len(b), nil }
func (*requestRecorder) WriteHeader(int)             {}

// matchedRule is a rule and the route with the path values that its policies see.
type matchedRule struct {
	*rule
	route pattern
}

// find returns the rules for a reading, and whether they open it.
//
// These are the most specific of those that cover the route. The router has said
// which route serves the request, so a rule need not match the request again. A rule
// with policies that does not cover this route, and matches the request all the same,
// is asked too: its own route does not serve the method, or not the host, or it is about
// a reading for which there is no route.
func (rs *rules) find(rd pathReading) (found []matchedRule, open bool) {
	method := rd.request.Method
	for _, each := range mostSpecific(rs.all, func(ru *rule) bool {
		return ru.pattern.covers(rd.route) && ru.pattern.takes(method)
	}) {
		found = append(found, matchedRule{each, rd.route})
	}
	open = len(found) > 0 &&
		!slices.ContainsFunc(found, func(each matchedRule) bool { return !each.opens(rd.route, method) })
	// An opened route "OPTIONS /" answers preflights for all routes.
	preflights := open && rd.route.method == http.MethodOptions
	var path pattern
	for _, each := range mostSpecific(rs.all, func(ru *rule) bool {
		if ru.policies == nil || ru.pattern.covers(rd.route) || !ru.pattern.takes(method) || preflights {
			return false
		}
		if path.text == "" {
			path = rd.path()
		}
		return ru.pattern.covers(path)
	}) {
		found, open = append(found, matchedRule{each, each.pattern}), false
	}
	return found, open
}

// mostSpecific returns the rules that are wanted, without those that have a narrower one
// beside them.
func mostSpecific(all []*rule, wanted func(*rule) bool) (found []*rule) {
	for _, each := range all {
		if wanted(each) {
			found = append(found, each)
		}
	}
	if len(found) < 2 {
		return found
	}
	return slices.DeleteFunc(slices.Clone(found), func(each *rule) bool {
		return slices.ContainsFunc(found, func(other *rule) bool { return other.pattern.narrower(each.pattern) })
	})
}
