package auth

import "net/http"

// withoutStripped returns r without the headers that no handler may see.
func (g *Guard) withoutStripped(r *http.Request) *http.Request {
	if len(g.strip) == 0 {
		return r
	}
	header, found := stripped(r.Header, g.strip)
	if !found {
		return r
	}
	r = r.WithContext(r.Context())
	r.Header = header
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
