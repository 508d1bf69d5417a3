package auth

import (
	"fmt"
	"net/http"
	"strings"
)

// ambience is what a backend and its credential say about how the credential
// gets to a request.
type ambience int

const (
	ambientUnknown ambience = iota // no Ambient on either, which counts as Yes
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

// isAmbient returns Yes if either says so, and No if one says no.
func isAmbient(backend Ambient, credential Credential) ambience {
	found := ambientUnknown
	if backend != nil {
		if backend.Ambient() {
			return ambientYes
		}
		found = ambientNo
	}
	if own, ok := As[Ambient](credential); ok {
		if own.Ambient() {
			return ambientYes
		}
		found = ambientNo
	}
	return found
}

// CheckOrigin returns ErrCrossOrigin for an unsafe request that a page of
// another origin made a browser send, by Config.CrossOrigin. The Guard calls it
// for [Ambient] credentials. Handlers of login and logout call it always. A
// request that opens a WebSocket is unsafe, though its method is GET (RFC 6455
// §10.2): browsers let every page open one to any server.
func (g *Guard) CheckOrigin(r *http.Request) error {
	if g == nil {
		return fmt.Errorf("%w: %w", ErrInternal, errNilGuard)
	}
	host, webSocket := g.config.Proxies.Host(r), opensWebSocket(r)
	if host != r.Host || webSocket {
		clone := *r
		clone.Host = host
		if webSocket {
			clone.Method = http.MethodConnect
		}
		r = &clone
	}
	if err := g.config.CrossOrigin.Check(r); err != nil {
		return &Error{Kind: ErrCrossOrigin, Cause: err}
	}
	return nil
}

func opensWebSocket(r *http.Request) bool {
	for _, line := range r.Header["Upgrade"] {
		for protocol := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(protocol), "websocket") {
				return true
			}
		}
	}
	return false
}
