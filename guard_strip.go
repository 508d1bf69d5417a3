package auth

import (
	"context"
	"net/http"
	"slices"
	"sync/atomic"

	"github.com/gatewarden/auth/internal/loglimit"
)

// withoutStripped returns r without the headers that no handler may see.
func (g *Guard) withoutStripped(r *http.Request) *http.Request {
	if g == nil || len(g.strip) == 0 {
		return r
	}
	header, found := stripped(r.Header, g.strip)
	if !found {
		return r
	}
	r = r.WithContext(&whole{r.Context(), g.family, r.Header})
	r.Header = header
	return r
}

// family is what a guard shares with the guards that With, Login and others made
// from it.
type family struct {
	backends []Authenticator // of the guard that New made
	warned   atomic.Bool     // of forwarded headers that do not count
	lines    *loglimit.Limit // of refusals, or nil for no bound
	noPages  atomic.Bool     // it was said that a browser got JSON
}

// whole is a context that keeps the header from before a guard stripped it, for the
// backends of guards of the same family further in: handlers that take the guard
// stand behind [Guard.Protect], and their login may read what is stripped.
type whole struct {
	context.Context
	family *family
	header http.Header
}

type wholeKey struct{ family *family }

func (c *whole) Value(key any) any {
	if k, ok := key.(wholeKey); ok && k.family == c.family {
		return c
	}
	return c.Context.Value(key)
}

// unstripped returns r as its backends may see it: with the headers that a guard of
// the same family stripped further out. One that a layer in between has set since then
// stays as it is.
func (g *Guard) unstripped(r *http.Request) *http.Request {
	if len(g.strip) == 0 {
		return r
	}
	before, ok := r.Context().Value(wholeKey{g.family}).(*whole)
	if !ok {
		return r
	}
	now := r.Header
	r = r.WithContext(r.Context())
	r.Header = now.Clone()
	for name, lines := range before.header {
		if slices.ContainsFunc(g.strip, func(stripped string) bool { return sameVariable(name, stripped) }) &&
			!hasVariable(now, name) {
			r.Header[name] = lines
		}
	}
	return r
}

// stripped returns h without the named headers, and whether it had any. A name
// matches in any case and with "_" for "-": servers behind us that map
// headers to variables, as CGI does, cannot tell the twins apart.
func stripped(h http.Header, names []string) (without http.Header, found bool) {
	var clone http.Header
	for key := range h {
		for _, name := range names {
			if sameVariable(key, name) {
				if clone == nil {
					clone = h.Clone()
				}
				delete(clone, key)
			}
		}
	}
	return clone, clone != nil
}

func hasVariable(h http.Header, name string) bool {
	for key := range h {
		if sameVariable(key, name) {
			return true
		}
	}
	return false
}

func sameVariable(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	fold := func(c byte) byte {
		switch {
		case c == '_':
			return '-'
		case 'A' <= c && c <= 'Z':
			return c + 'a' - 'A'
		}
		return c
	}
	for i := range len(a) {
		if fold(a[i]) != fold(b[i]) {
			return false
		}
	}
	return true
}
