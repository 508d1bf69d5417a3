package auth

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"path"
	"strings"
)

// pattern is a pattern of [http.ServeMux], taken apart.
type pattern struct {
	text         string // as it was written
	method, host string // "" is any
	segments     []segment
	end          ending
}

// segment is a part of a path between slashes.
type segment struct {
	wildcard bool
	text     string // of a literal, or the name of the wildcard
}

// ending is how a path ends.
type ending int

const (
	endsPlain ending = iota // "/x": this path alone
	endsExact               // "/x/{$}": this path alone
	endsTree                // "/x/" or "/x/{rest...}": all paths that start so
)

// parsePattern takes a pattern apart. It returns an error for one that ServeMux
// would not take, or that no request could match.
func parsePattern(text string) (pattern, error) {
	if err := register(http.NewServeMux(), text, http.NotFoundHandler()); err != nil {
		return pattern{}, err
	}
	p, _ := splitPattern(text)
	if p.method != strings.ToUpper(p.method) {
		return p, fmt.Errorf("auth: Protect: pattern %q: methods are written in capital letters (RFC 9110 §9.1)", text)
	}
	if route := text[strings.IndexByte(text, '/'):]; cleanPath(route) != route {
		return p, fmt.Errorf("auth: Protect: pattern %q has a path with //, . or .., to which no request is routed", text)
	}
	return p, nil
}

// register adds a pattern to a mux, and returns as an error what the mux says
// against it.
func register(mux *http.ServeMux, pattern string, h http.Handler) (err error) {
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("auth: Protect: pattern %q: %v", pattern, fault)
		}
	}()
	mux.Handle(pattern, h)
	return nil
}

// splitPattern takes a pattern apart that a router reported. It returns false for one
// that is not in the form of ServeMux.
func splitPattern(text string) (pattern, bool) {
	p := pattern{text: text}
	rest := text
	if i := strings.IndexAny(text, " \t"); i >= 0 {
		p.method, rest = text[:i], strings.TrimLeft(text[i:], " \t")
	}
	slash := strings.IndexByte(rest, '/')
	if slash < 0 {
		return p, false
	}
	p.host = rest[:slash]
	parts := strings.Split(rest[slash+1:], "/")
	switch last := parts[len(parts)-1]; {
	case last == "":
		p.end, parts = endsTree, parts[:len(parts)-1]
	case last == "{$}":
		p.end, parts = endsExact, parts[:len(parts)-1]
	case strings.HasPrefix(last, "{") && strings.HasSuffix(last, "...}"):
		p.end = endsTree
	}
	for _, part := range parts {
		if name, ok := strings.CutPrefix(part, "{"); ok {
			name = strings.TrimSuffix(strings.TrimSuffix(name, "}"), "...")
			p.segments = append(p.segments, segment{wildcard: true, text: name})
			continue
		}
		p.segments = append(p.segments, segment{text: unescape(part)})
	}
	return p, true
}

// rest returns the name of the wildcard for all that follows, and the segments
// before it.
func (p pattern) rest() (name string, before []segment) {
	if n := len(p.segments); p.end == endsTree && n > 0 && strings.HasSuffix(p.text, "...}") {
		return p.segments[n-1].text, p.segments[:n-1]
	}
	return "", p.segments
}

func unescape(part string) string {
	if plain, err := url.PathUnescape(part); err == nil {
		return plain
	}
	return part
}

// samePath reports whether the paths of p and other are the same, except for the
// names of wildcards and for how they end.
func (p pattern) samePath(other pattern) bool {
	_, a := p.rest()
	_, b := other.rest()
	if len(a) != len(b) || (p.end == endsPlain) != (other.end == endsPlain) {
		return false
	}
	for i := range a {
		if a[i].wildcard != b[i].wildcard || !a[i].wildcard && a[i].text != b[i].text {
			return false
		}
	}
	return true
}

// same reports whether p and other match the same requests.
func (p pattern) same(other pattern) bool {
	return p.method == other.method && p.host == other.host && p.end == other.end && p.samePath(other)
}

// covers reports whether p matches every path of a route.
func (p pattern) covers(route pattern) bool {
	_, a := p.rest()
	_, b := route.rest()
	if p.end != endsTree || len(b) < len(a) || p.host != "" && p.host != route.host {
		return false
	}
	for i := range a {
		if !a[i].wildcard && (b[i].wildcard || a[i].text != b[i].text) {
			return false
		}
	}
	return true
}

// target is the part of a request that patterns are matched against.
type target struct {
	method, host string
	parts        []string // of the path between slashes, unescaped
	slashed      bool     // the path ends with a slash
}

// targetOf returns the target of a request to a path. ServeMux splits the path at
// its slashes and unescapes the parts after that.
func targetOf(r *http.Request, escapedPath string) target {
	host := r.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	t := target{method: r.Method, host: host}
	trimmed := strings.TrimPrefix(escapedPath, "/")
	if trimmed == "" {
		t.slashed = true
		return t
	}
	if trimmed, t.slashed = strings.CutSuffix(trimmed, "/"); trimmed == "" {
		return t
	}
	for part := range strings.SplitSeq(trimmed, "/") {
		t.parts = append(t.parts, unescape(part))
	}
	return t
}

// matches reports whether the pattern matches a target, and returns the values of
// its wildcards. Hosts are compared without regard to case or a dot at the end.
func (p pattern) matches(t target) (values [][2]string, ok bool) {
	if p.method != "" && p.method != t.method && !(p.method == http.MethodGet && t.method == http.MethodHead) {
		return nil, false
	}
	if p.host != "" && !strings.EqualFold(p.host, strings.TrimSuffix(t.host, ".")) {
		return nil, false
	}
	name, segments := p.rest()
	if len(t.parts) < len(segments) {
		return nil, false
	}
	for i, s := range segments {
		if s.wildcard {
			values = append(values, [2]string{s.text, t.parts[i]})
		} else if s.text != t.parts[i] {
			return nil, false
		}
	}
	left := t.parts[len(segments):]
	switch p.end {
	case endsPlain:
		return values, len(left) == 0 && (!t.slashed || len(segments) == 0)
	case endsExact:
		return values, len(left) == 0 && t.slashed
	}
	if name != "" {
		text := strings.Join(left, "/")
		if t.slashed && len(left) > 0 {
			text += "/"
		}
		values = append(values, [2]string{name, text})
	}
	return values, len(left) > 0 || t.slashed
}

// beats reports whether p is more specific than other, where both match one
// request. Rules are refused where this could not be said.
func (p pattern) beats(other pattern) bool {
	if (p.host == "") != (other.host == "") {
		return p.host != ""
	}
	_, a := p.rest()
	_, b := other.rest()
	for i := range min(len(a), len(b)) {
		if a[i].wildcard != b[i].wildcard {
			return b[i].wildcard
		}
	}
	if len(a) != len(b) {
		return len(a) > len(b)
	}
	if p.end != other.end {
		return p.end != endsTree
	}
	// "GET" matches HEAD, too.
	return p.method != "" && other.method == "" || p.method == http.MethodHead && other.method == http.MethodGet
}

// cleanPath returns a path without empty and dot segments, as ServeMux redirects
// to it.
func cleanPath(p string) string {
	if p == "" || p[0] != '/' {
		p = "/" + p
	}
	clean := path.Clean(p)
	if strings.HasSuffix(p, "/") && clean != "/" {
		clean += "/"
	}
	return clean
}

// anySegment stands for a wildcard in an example. No route is called so.
const anySegment = "gatewarden-example"

// exampleMethods are tried for a pattern of all methods.
var exampleMethods = [...]string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
	http.MethodHead, http.MethodOptions, http.MethodTrace, "PROPFIND", "PROPPATCH", "MKCOL", "COPY", "MOVE", "LOCK",
	"UNLOCK", "REPORT", "SEARCH", "QUERY", http.MethodConnect}

// examples returns requests that the pattern matches: of every method, if it
// has no method, and to a path below it, if it is a tree.
func (p pattern) examples() []*http.Request {
	_, segments := p.rest()
	route := ""
	for _, s := range segments {
		if s.wildcard {
			s.text = anySegment
		}
		route += "/" + url.PathEscape(s.text)
	}
	paths := []string{route}
	if p.end != endsPlain {
		paths[0] += "/"
	}
	if p.end == endsTree {
		below := route + "/" + anySegment
		paths = append(paths, below, below+"/"+anySegment, below+"/")
	}
	methods := exampleMethods[:]
	if p.method != "" {
		methods = []string{p.method}
	}
	var all []*http.Request
	for _, route := range paths {
		for _, method := range methods {
			all = append(all, &http.Request{
				Method: method, Host: p.host, URL: &url.URL{Path: unescape(route), RawPath: route},
				Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: make(http.Header),
			})
		}
	}
	return all
}
