package auth

import (
	"net/http"
	"strings"
)

// hintTrustedProxies says once that forwarded headers do not count, since their sender is
// not in Config.Proxies. Without it, all clients would silently share one address, and
// https would look like http. It is called where something is about to be decided by
// them, and not for every request.
func (g *Guard) hintTrustedProxies(r *http.Request) {
	if g.sharedState == nil || g.sharedState.warned.Load() {
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
	if name == "" || g.config.Proxies.Trusts(peer) || !g.sharedState.warned.CompareAndSwap(false, true) {
		return
	}
	sender := "a Unix socket, which has no address to be named by"
	if peer.IsValid() {
		sender = peer.String()
	}
	g.Logger().WarnContext(r.Context(), "auth: forwarded headers are ignored, since their sender is not a trusted "+
		"proxy. If it is a proxy of yours, name it in Config.Proxies. Otherwise a client wrote them, and all is well. "+
		"This is said once", "header", name, "sender", sender)
}

// hintLoginPage says once that a browser which opened a page of a service with sessions was
// answered with JSON, because nothing else says which setting leads it to a login page.
func (g *Guard) hintLoginPage(r *http.Request, status int) {
	mode := r.Header["Sec-Fetch-Mode"]
	if g.sharedState == nil || status != http.StatusUnauthorized || len(mode) != 1 || mode[0] != "navigate" ||
		r.Header["Authorization"] != nil || g.sharedState.hintedLoginPage.Load() {
		return
	}
	sessions := false
	for _, c := range g.challenges {
		sessions = sessions || strings.EqualFold(c.Scheme, "Cookie")
	}
	if sessions && g.sharedState.hintedLoginPage.CompareAndSwap(false, true) {
		g.Logger().InfoContext(r.Context(), "auth: a browser that waits for a page was answered with JSON, since "+
			"Config.Render is nil. To lead it to a login page, use RedirectToLogin of session.Sessions. This is said "+
			"once",
			"method", r.Method, "route", r.Pattern)
	}
}
