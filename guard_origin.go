package auth

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
)

// ambientState is what a backend and its credential say about how the credential
// gets to a request.
type ambientState int

const (
	ambientUnknown ambientState = iota // no Ambient on either, which counts as Yes
	ambientNo
	ambientYes
)

// ambientOf returns what a backend says. That of a guard below a decorator does not
// count: it is about what the guard proved, and the decorator may prove something
// else.
func ambientOf(backend Authenticator) Ambient {
	found, _ := As[Ambient](backend)
	if inner, ok := found.(*Guard); ok && !same(inner, backend) {
		return nil
	}
	return found
}

// ambientStateOf returns what a credential says, or else what its backend said, which is not
// that browsers add it.
func ambientStateOf(said ambientState, credential Credential) ambientState {
	v := any(credential)
	for range maxWrapped { // As[Ambient], but faster: see setHeaders
		if own, ok := v.(Ambient); ok {
			if own.Ambient() {
				return ambientYes
			}
			return ambientNo
		}
		if v = unwrapped(v); v == nil {
			break
		}
	}
	return said
}

// CheckOrigin returns ErrCrossOrigin for an unsafe request that a page of
// another origin made a browser send, by Config.CrossOrigin. The Guard calls it
// for [Ambient] credentials. Handlers of login and logout call it always. A
// request that opens a WebSocket is unsafe, though its method is GET (RFC 6455
// §10.2): browsers let every page open one to any server.
//
// Old browsers send Origin without Sec-Fetch-Site. A page by http is then another origin
// than a service by https of the same host (RFC 6454 §4), where the guard knows that the
// client spoke https: by its own TLS, or as a proxy of Config.Proxies says.
func (g *Guard) CheckOrigin(r *http.Request) error {
	if g == nil {
		return fmt.Errorf("%w: %w", ErrInternal, errNilGuard)
	}
	webSocket := opensWebSocket(r)
	if !webSocket && isSafe(r.Method) {
		return nil // as http.CrossOriginProtection does, before the host is looked for
	}
	host, asked := g.config.Proxies.Host(r), r
	insecure := g.isFromInsecurePage(r)
	if host != r.Host || webSocket || insecure {
		clone := *r
		clone.Host = host
		if webSocket {
			clone.Method = http.MethodConnect
		}
		if insecure {
			// http.CrossOriginProtection compares hosts only. It still allows the
			// origins that it was told to trust.
			clone.Header = r.Header.Clone()
			clone.Header.Set("Sec-Fetch-Site", "cross-site")
		}
		asked = &clone
	}
	if err := g.config.CrossOrigin.Check(asked); err != nil {
		g.hintTrustedProxies(r)
		return &Error{Kind: ErrCrossOrigin, Cause: &originCause{err: err, origin: r.Header.Get("Origin"), host: host,
			insecure: insecure, forwarded: r.Header.Get("X-Forwarded-Host"), peer: Peer(r),
			trusted: g.config.Proxies.Trusts(Peer(r))}}
	}
	return nil
}

// isFromInsecurePage reports a request by https with an Origin by http, which says
// nothing of its own about where it comes from.
func (g *Guard) isFromInsecurePage(r *http.Request) bool {
	const insecure = "http://"
	origin := r.Header.Get("Origin")
	return len(origin) > len(insecure) && strings.EqualFold(origin[:len(insecure)], insecure) &&
		r.Header.Get("Sec-Fetch-Site") == "" && g.config.Proxies.Scheme(r) == "https"
}

// isSafe reports a method by which no page can change anything (RFC 9110 §9.2.1). TRACE, which
// no page can send, is not among those of http.CrossOriginProtection.
func isSafe(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}

// originCause says what differed, and which setting decides. Its text is built when
// it is read.
type originCause struct {
	err                     error
	origin, host, forwarded string
	peer                    netip.Addr
	trusted                 bool // peer is a proxy of ours
	insecure                bool // origin is http, and the request came by https
}

func (c *originCause) Error() string {
	text := c.err.Error()
	if c.insecure {
		text = fmt.Sprintf("cross-origin request from a page by http: Origin is %s, and the client spoke https to the "+
			"host %s", excerpt(c.origin), excerpt(c.host))
	} else if c.origin != "" {
		text += fmt.Sprintf(": Origin is %s, and the request is for the host %s", excerpt(c.origin), excerpt(c.host))
	}
	if c.forwarded != "" && !c.trusted {
		text += fmt.Sprintf(". Its X-Forwarded-Host %s does not count, since %v is no trusted proxy. If it is yours, "+
			"name it in Config.Proxies", excerpt(c.forwarded), c.peer)
	}
	return text + ". To allow the origin, see Config.CrossOrigin (AddTrustedOrigin)"
}

func (c *originCause) Unwrap() error { return c.err }

// excerpt quotes the start of what a client sent, for a log.
func excerpt(text string) string {
	const most = 200 // bytes
	if len(text) > most {
		return fmt.Sprintf("%q…", text[:most])
	}
	return fmt.Sprintf("%q", text)
}

// opensWebSocket reports whether r opens a WebSocket. A proxy that asks about a request
// leaves out Upgrade, as it is for one connection only, and passes on the headers that
// RFC 6455 §4.1 adds. No script of a page can set these.
func opensWebSocket(r *http.Request) bool {
	if r.Header["Sec-Websocket-Key"] != nil || r.Header["Sec-Websocket-Version"] != nil {
		return true
	}
	for _, line := range r.Header["Upgrade"] {
		for protocol := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(protocol), "websocket") {
				return true
			}
		}
	}
	return false
}
