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
// and from no other address. The zero value trusts no proxy.
//
// Behind several proxies, trust each of them. The addresses of X-Forwarded-For are walked
// from the right for as long as they are trusted, and of the other two headers the value
// counts that the outermost trusted proxy set, with one value for each proxy on the way.
// A list that is shorter comes from proxies that overwrite or pass on, and its first
// value counts.
//
// The outermost proxy must overwrite these headers, or every proxy must append to them.
// What a client wrote is taken for a proxy's only where the outermost one appends to
// it and another one passes the list on unchanged. The header Forwarded (RFC 7239) is not
// read: no common proxy sends it by default.
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
	client, _ := p.findClient(r)
	return client
}

// findClient goes from the peer towards the client. It returns the client's address, and how
// many trusted proxies have passed the request on.
func (p Proxies) findClient(r *http.Request) (client netip.Addr, hops int) {
	client = Peer(r)
	if !p.Trusts(client) {
		return client, 0
	}
	hops = 1
	eachFromLast(r.Header["X-Forwarded-For"], func(entry string) bool {
		addr, ok := parseForwarded(entry)
		if !ok {
			return false
		}
		client = addr
		if !p.Trusts(client) {
			return false
		}
		hops++
		return true
	})
	return client, hops
}

// eachFromLast calls each with the elements of a list header, the last one first, until it
// returns false.
func eachFromLast(lines []string, each func(entry string) bool) {
	for i := len(lines) - 1; i >= 0; i-- {
		for rest := lines[i]; rest != ""; {
			var entry string
			if cut := strings.LastIndexByte(rest, ','); cut >= 0 {
				rest, entry = rest[:cut], rest[cut+1:]
			} else {
				rest, entry = "", rest
			}
			if !each(strings.TrimSpace(entry)) {
				return
			}
		}
	}
}

// parseForwarded reads an address with or without a port or brackets.
func parseForwarded(entry string) (netip.Addr, bool) {
	if ap, err := netip.ParseAddrPort(entry); err == nil {
		return ap.Addr().Unmap().WithZone(""), true
	}
	if n := len(entry); n > 2 && entry[0] == '[' && entry[n-1] == ']' {
		entry = entry[1 : n-1]
	}
	addr, err := netip.ParseAddr(entry)
	return addr.Unmap().WithZone(""), err == nil
}

// Scheme returns "https" or "http": what the client spoke to the outermost trusted
// proxy, as that one says in X-Forwarded-Proto, or else to us. "wss" and "ws", which Traefik
// sends for WebSockets, are https and http.
func (p Proxies) Scheme(r *http.Request) string {
	switch scheme := p.forwardedValue(r, "X-Forwarded-Proto"); {
	case strings.EqualFold(scheme, "https"), strings.EqualFold(scheme, "wss"):
		return "https"
	case strings.EqualFold(scheme, "http"), strings.EqualFold(scheme, "ws"):
		return "http"
	case r.TLS != nil:
		return "https"
	}
	return "http"
}

// Host returns the host, and port if there is one, that the client asked for: as the
// outermost trusted proxy says in X-Forwarded-Host, or else as in the request itself.
func (p Proxies) Host(r *http.Request) string {
	if host := p.forwardedValue(r, "X-Forwarded-Host"); host != "" && !strings.ContainsAny(host, "/\\?#@ \t") {
		if u, err := url.Parse("//" + host); err == nil && u.Host == host {
			return host
		}
	}
	return r.Host
}

// forwardedValue returns the value of a header that the outermost trusted proxy set.
func (p Proxies) forwardedValue(r *http.Request, header string) (value string) {
	lines := r.Header[header]
	if len(lines) == 0 {
		return ""
	}
	_, hops := p.findClient(r)
	if hops == 0 {
		return ""
	}
	eachFromLast(lines, func(entry string) bool {
		if entry != "" { // an empty element does not count (RFC 9110 §5.6.1)
			value = entry
			hops--
		}
		return hops > 0
	})
	return value
}

// proxiesKey asks a context for the proxies of the guard that made it.
type proxiesKey struct{}

// loginKey asks a context whether a guard of [Guard.Login] made it.
type loginKey struct{}

// proxiesContext is a context that knows a guard's proxies.
type proxiesContext struct {
	context.Context
	proxies *Proxies
	atLogin bool
}

func (c *proxiesContext) Value(key any) any {
	switch key.(type) {
	case proxiesKey:
		return c.proxies
	case loginKey:
		if c.atLogin {
			return true
		}
	}
	return c.Context.Value(key)
}

// AtLogin reports whether a Guard of [Guard.Login] asks about the request with this
// context. A backend that reads bodies tells by it that a body of a type that it does not
// read was meant as a login: see the Status of [Error]. Elsewhere a body is for the
// handler.
func AtLogin(ctx context.Context) bool { return ctx.Value(loginKey{}) == true }

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
// of g, for handlers that are not behind its middleware. The first request with forwarded
// headers of a sender that is not trusted is a warning in the log.
func (g *Guard) WithProxies(r *http.Request) *http.Request {
	if g == nil {
		return r
	}
	g.hintTrustedProxies(r)
	if !g.atLogin && len(g.config.Proxies.Trusted) == 0 && r.Context().Value(proxiesKey{}) == nil {
		return r // the zero value is what ProxiesFrom returns
	}
	return r.WithContext(&proxiesContext{r.Context(), &g.config.Proxies, g.atLogin})
}
