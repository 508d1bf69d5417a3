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
	r = r.WithContext(&unstrippedContext{r.Context(), g.sharedState, r.Header})
	r.Header = header
	return r
}

// sharedState is what a guard shares with the guards that With, Login and others made
// from it.
type sharedState struct {
	backends        []Authenticator // of the guard that New made
	warned          atomic.Bool     // of forwarded headers that do not count
	lines           *loglimit.Limit // of refusals, or nil for no bound
	hintedLoginPage atomic.Bool     // it was said that a browser got JSON
}

// unstrippedContext is a context that keeps the header from before a guard stripped it, for the
// backends of guards with the same sharedState further in: handlers that take the guard
// stand behind [Guard.Protect], and their login may read what is stripped.
type unstrippedContext struct {
	context.Context
	sharedState *sharedState
	header      http.Header
}

type unstrippedKey struct{ sharedState *sharedState }

func (c *unstrippedContext) Value(key any) any {
	if k, ok := key.(unstrippedKey); ok && k.sharedState == c.sharedState {
		return c
	}
	return c.Context.Value(key)
}

// unstripped returns r as its backends may see it: with the headers that a guard with
// the same sharedState stripped further out. One that a layer in between has set since then
// stays as it is.
func (g *Guard) unstripped(r *http.Request) *http.Request {
	if len(g.strip) == 0 {
		return r
	}
	before, ok := r.Context().Value(unstrippedKey{g.sharedState}).(*unstrippedContext)
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
