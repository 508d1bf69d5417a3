package auth

import "net/http"

// warnOfProxies says once that forwarded headers do not count, since their sender is
// not in Config.Proxies. Without it, all clients would silently share one address, and
// https would look like http. It is called where something is about to be decided by
// them, and not for every request.
func (g *Guard) warnOfProxies(r *http.Request) {
	if g.family == nil || g.family.warned.Load() {
		return
	}
	name := ""
	for _, each := range [...]string{"X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host"} {
		if r.Header[each] != nil {
			name = each
			break
		}
	}
	peer := Peer(r)
	if name == "" || g.config.Proxies.Trusts(peer) || !g.family.warned.CompareAndSwap(false, true) {
		return
	}
	sender := "a Unix socket, which has no address to be named by"
	if peer.IsValid() {
		sender = peer.String()
	}
	g.Logger().WarnContext(r.Context(), "auth: forwarded headers are ignored, since their sender is not a trusted proxy. "+
		"If it is a proxy of yours, name it in Config.Proxies. Otherwise a client wrote them, and all is well. "+
		"This is said once", "header", name, "sender", sender)
}
