package auth

import (
	"fmt"
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
	text     string // of a literal, unescaped
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
		return p, fmt.Errorf("auth: Protect: pattern %q has a path with //, . or .., to which no request is routed",
			text)
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

// splitPattern takes a pattern apart that a router reported. It returns false for
// one that is not in the form of ServeMux.
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
	last := len(parts) - 1
	switch {
	case parts[last] == "", strings.HasSuffix(parts[last], "...}"):
		p.end, parts = endsTree, parts[:last]
	case parts[last] == "{$}":
		p.end, parts = endsExact, parts[:last]
	}
	for _, part := range parts {
		p.segments = append(p.segments, segment{strings.HasPrefix(part, "{"), unescape(part)})
	}
	return p, true
}

func unescape(part string) string {
	if plain, err := url.PathUnescape(part); err == nil {
		return plain
	}
	return part
}

// samePath reports whether the paths of p and other are the same, except for the
// names of wildcards and for whether they end in "/" or "/{$}".
func (p pattern) samePath(other pattern) bool {
	if len(p.segments) != len(other.segments) || (p.end == endsPlain) != (other.end == endsPlain) {
		return false
	}
	for i, s := range p.segments {
		if s.wildcard != other.segments[i].wildcard || !s.wildcard && s.text != other.segments[i].text {
			return false
		}
	}
	return true
}

// same reports whether p and other match the same requests.
func (p pattern) same(other pattern) bool {
	return p.method == other.method && p.host == other.host && p.end == other.end && p.samePath(other)
}

// covers reports whether p matches every path of a route, on every host of it.
func (p pattern) covers(route pattern) bool {
	if p.host != "" && p.host != route.host || len(route.segments) < len(p.segments) {
		return false
	}
	for i, s := range p.segments {
		if other := route.segments[i]; !s.wildcard && (other.wildcard || s.text != other.text) {
			return false
		}
	}
	if p.end == endsTree {
		return len(route.segments) > len(p.segments) || route.end != endsPlain
	}
	return len(route.segments) == len(p.segments) && p.end == route.end
}

// takes reports whether p is for a method. GET is for HEAD, too.
func (p pattern) takes(method string) bool {
	return p.method == "" || p.method == method || p.method == http.MethodGet && method == http.MethodHead
}

// narrower reports whether p is more specific than other: its path or host is narrower,
// or these are the same and its methods are fewer. Where one has the narrower path and
// the other one a method, the path counts.
func (p pattern) narrower(other pattern) bool {
	if !other.covers(p) {
		return false
	}
	if !p.covers(other) {
		return true
	}
	return p.method != other.method && p.method != "" && other.takes(p.method)
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
	http.MethodHead, http.MethodOptions, http.MethodTrace, "PROPFIND", "PROPPATCH", "MKCOL", "MKCALENDAR", "COPY",
	"MOVE",
	"LOCK", "UNLOCK", "REPORT", "SEARCH", "QUERY", "PURGE", http.MethodConnect}

// examples returns requests that the pattern matches: of each of exampleMethods, if it
// has no method, and to some paths below it, if it is a tree.
func (p pattern) examples() []*http.Request {
	route := ""
	for _, s := range p.segments {
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
		paths = append(paths, below, below+"/"+anySegment, below+"/", below+"/"+anySegment+"/"+anySegment)
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
