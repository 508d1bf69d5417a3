package auth

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// pattern is a pattern of [http.ServeMux], taken apart.
type pattern struct {
	text         string
	method, host string // "" is any
	path         string // without {$} at its end
	exact        bool   // it ended in {$}
	segments     []segment
	tree         bool // it matches all paths below it
}

// segment is a part of a path between slashes. literal is "" for a wildcard.
type segment struct{ literal string }

// parsePattern takes a pattern apart. It returns an error for one that ServeMux
// would not take, or that could never match a request.
func parsePattern(text string) (pattern, error) {
	if err := register(http.NewServeMux(), text, http.NotFoundHandler()); err != nil {
		return pattern{}, err
	}
	p := pattern{text: text}
	rest := text
	if method, after, ok := strings.Cut(text, " "); ok {
		p.method, rest = method, strings.TrimLeft(after, " \t")
	}
	if p.method != strings.ToUpper(p.method) {
		return pattern{}, fmt.Errorf("auth: Protect: pattern %q: methods are written in capital letters (RFC 9110 §9.1)", text)
	}
	slash := strings.IndexByte(rest, '/')
	p.host, p.path = rest[:slash], rest[slash:]
	p.path, p.exact = strings.CutSuffix(p.path, "{$}")
	parts := strings.Split(p.path[1:], "/")
	if last := len(parts) - 1; parts[last] == "" {
		p.tree, parts = !p.exact, parts[:last]
	} else if strings.HasSuffix(parts[last], "...}") {
		p.tree, parts = true, parts[:last]
	}
	for _, part := range parts {
		if strings.HasPrefix(part, "{") {
			part = ""
		} else if plain, err := url.PathUnescape(part); err == nil {
			part = plain
		}
		p.segments = append(p.segments, segment{part})
	}
	return p, nil
}

// same reports whether p and other match the same requests.
func (p pattern) same(other pattern) bool {
	return p.method == other.method && p.host == other.host && p.exact == other.exact && p.samePath(other)
}

// samePath reports whether the paths of p and other are the same, names of
// wildcards aside. "/x/{$}" and "/x/" have the same path: nobody can tell from
// the address of a page which of the two serves it.
func (p pattern) samePath(other pattern) bool {
	if other.text == "" || len(p.segments) != len(other.segments) || p.slashed() != other.slashed() {
		return false
	}
	for i, s := range p.segments {
		if s != other.segments[i] {
			return false
		}
	}
	return true
}

// slashed reports whether the path ends with a slash, or a wildcard for the rest.
func (p pattern) slashed() bool { return p.tree || p.exact }

// names reports whether p is about the route that was registered as text.
func (p pattern) names(text string) bool {
	route, err := parsePattern(text)
	return err == nil && p.samePath(route)
}

// covers reports whether p matches every path of the route that was registered as
// text.
func (p pattern) covers(text string) bool {
	route, err := parsePattern(text)
	if err != nil || !p.tree || len(route.segments) < len(p.segments) {
		return false
	}
	for i, s := range p.segments {
		if s.literal != "" && s != route.segments[i] {
			return false
		}
	}
	return true
}

// anySegment stands for a wildcard in an example. No route is called so.
const anySegment = "gatewarden-example"

// examples returns requests that the pattern matches: of every method, if it
// names none, and to a path below it, if it is a tree.
func (p pattern) examples() []*http.Request {
	path := ""
	for _, s := range p.segments {
		if s.literal == "" {
			s.literal = anySegment
		}
		path += "/" + s.literal
	}
	paths := []string{path}
	if p.slashed() {
		paths[0] += "/"
	}
	if p.tree {
		paths = append(paths, path+"/"+anySegment, path+"/"+anySegment+"/"+anySegment, path+"/"+anySegment+"/")
	}
	methods := []string{p.method}
	if p.method == "" {
		methods = []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodHead, http.MethodOptions}
	}
	var all []*http.Request
	for _, path := range paths {
		for _, method := range methods {
			all = append(all, &http.Request{Method: method, Host: p.host, URL: &url.URL{Path: path},
				Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: make(http.Header)})
		}
	}
	return all
}
