package jwt

import (
	"net/http"
	"time"
)

// setCookie gives a browser the refresh token. "__Host-" binds the cookie to
// this host and to HTTPS (RFC 6265bis §4.1.3.2); SameSite=Strict, as only
// scripts of the site's own pages send it.
func (h handler) setCookie(w http.ResponseWriter, pair *Pair) {
	c := h.newCookie(pair.Refresh.Reveal())
	c.MaxAge = int(max(time.Until(pair.RefreshExpires)/time.Second, 1))
	http.SetCookie(w, c)
}

func (h handler) clearCookie(w http.ResponseWriter) {
	c := h.newCookie("")
	c.MaxAge = -1
	http.SetCookie(w, c)
}

func (h handler) newCookie(value string) *http.Cookie {
	return &http.Cookie{Name: h.cookie, Value: value, Path: "/", HttpOnly: true, Secure: !h.config.InsecureCookie, SameSite: http.SameSiteStrictMode}
}

// cookieValue returns the refresh token that a browser sent, or "": two of one
// name are none, since one of them was planted.
func (h handler) cookieValue(r *http.Request) string {
	cookies := r.CookiesNamed(h.cookie)
	if len(cookies) != 1 {
		return ""
	}
	return cookies[0].Value
}
