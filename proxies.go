package auth

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// Proxies names the proxies in front of a service, and is the one place that
// answers where a request came from. X-Forwarded-For, X-Forwarded-Proto and
// X-Forwarded-Host are believed if the connection comes from a trusted proxy,
// and from no other address. The zero value trusts no proxy. Proxies must overwrite or
// append to these headers, as all common ones do when told to.
type Proxies struct {
	Trusted []netip.Prefix
}

func (p Proxies) check() error {
	for _, prefix := range p.Trusted {
		if !prefix.IsValid() || prefix.Bits() == 0 || prefix.Addr().Is4In6() && prefix.Bits() <= 96 {
			return fmt.Errorf("auth: Config.Proxies.Trusted: trusting %v is trusting every client", prefix)
		}
	}
	return nil
}

// Peer returns the address at the other end of the connection, the zero Addr
// if r.RemoteAddr has no address (a Unix socket).
func Peer(r *http.Request) netip.Addr {
	if ap, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		return ap.Addr().Unmap().WithZone("")
	}
	return netip.Addr{}
}

// Trusts reports whether addr is that of a trusted proxy.
func (p Proxies) Trusts(addr netip.Addr) bool {
	if !addr.IsValid() {
		return false
	}
	addr = addr.Unmap().WithZone("")
	for _, prefix := range p.Trusted {
		if mapped := prefix.Addr(); mapped.Is4In6() && prefix.Bits() >= 96 {
			prefix = netip.PrefixFrom(mapped.Unmap(), prefix.Bits()-96)
		}
		if prefix.Contains(addr) {
			return true
		}
	}
	return false
}

// ClientIP returns the address of the client: the last one in X-Forwarded-For
// that is not a trusted proxy's. Entries further left are what the client says
// of itself. An entry that is no address ends the search at the proxy that
// passed it on.
func (p Proxies) ClientIP(r *http.Request) netip.Addr {
	client := Peer(r)
	if !p.Trusts(client) {
		return client
	}
	lines := r.Header["X-Forwarded-For"]
	for i := len(lines) - 1; i >= 0; i-- {
		for rest := lines[i]; rest != ""; {
			var entry string
			if cut := strings.LastIndexByte(rest, ','); cut >= 0 {
				rest, entry = rest[:cut], rest[cut+1:]
			} else {
				rest, entry = "", rest
			}
			addr, ok := parseForwarded(entry)
			if !ok {
				return client
			}
			client = addr
			if !p.Trusts(client) {
				return client
			}
		}
	}
	return client
}

// parseForwarded reads an address with or without a port or brackets.
func parseForwarded(entry string) (netip.Addr, bool) {
	entry = strings.TrimSpace(entry)
	if ap, err := netip.ParseAddrPort(entry); err == nil {
		return ap.Addr().Unmap().WithZone(""), true
	}
	if n := len(entry); n > 2 && entry[0] == '[' && entry[n-1] == ']' {
		entry = entry[1 : n-1]
	}
	addr, err := netip.ParseAddr(entry)
	return addr.Unmap().WithZone(""), err == nil
}

// Scheme returns "https" or "http": what the client spoke to the first proxy,
// as the trusted proxy says, or to us.
func (p Proxies) Scheme(r *http.Request) string {
	if said := p.said(r, "X-Forwarded-Proto"); strings.EqualFold(said, "https") {
		return "https"
	} else if strings.EqualFold(said, "http") {
		return "http"
	}
	if r.TLS != nil {
		return "https"
	}
	return "http"
}

// Host returns the host, and port if there is one, that the client asked for.
func (p Proxies) Host(r *http.Request) string {
	if said := p.said(r, "X-Forwarded-Host"); said != "" && !strings.ContainsAny(said, "/\\?#@ \t") {
		if u, err := url.Parse("//" + said); err == nil && u.Host == said {
			return said
		}
	}
	return r.Host
}

// said returns the last value of a header that a trusted proxy set.
func (p Proxies) said(r *http.Request, header string) string {
	lines := r.Header[header]
	if len(lines) == 0 || !p.Trusts(Peer(r)) {
		return ""
	}
	last := lines[len(lines)-1]
	return strings.TrimSpace(last[strings.LastIndexByte(last, ',')+1:])
}

// proxiesKey asks a context for the proxies of the guard that made it.
type proxiesKey struct{}

// proxied is a context that knows a guard's proxies.
type proxied struct {
	context.Context
	proxies *Proxies
}

func (c *proxied) Value(key any) any {
	if _, ok := key.(proxiesKey); ok {
		return c.proxies
	}
	return c.Context.Value(key)
}

// ProxiesFrom returns the [Config].Proxies of the Guard that handles the request
// with this context: in a handler behind it, in a handler that takes it, and
// in a backend that is a [ProxyReader]. Elsewhere it returns the zero value,
// which trusts no proxy. Its Trusted must not be changed.
func ProxiesFrom(ctx context.Context) Proxies {
	if found, ok := ctx.Value(proxiesKey{}).(*Proxies); ok {
		return *found
	}
	return Proxies{}
}

// ClientIP returns the address of the client that sent r, as [ProxiesFrom] sees
// it.
func ClientIP(r *http.Request) netip.Addr { return ProxiesFrom(r.Context()).ClientIP(r) }

// WithProxies returns r with a context in which [ProxiesFrom] finds the proxies
// of g, for handlers that are not behind its middleware.
func (g *Guard) WithProxies(r *http.Request) *http.Request {
	if g == nil || len(g.config.Proxies.Trusted) == 0 && r.Context().Value(proxiesKey{}) == nil {
		return r // the zero value is what ProxiesFrom returns
	}
	return r.WithContext(&proxied{r.Context(), &g.config.Proxies})
}
