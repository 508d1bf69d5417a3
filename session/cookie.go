package session

import (
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/gatewarden/auth"
)

// cookieValue finds a cookie in the lines of a Cookie header (RFC 6265 §4.2.1)
// without an allocation. It returns the first value of that name and how many
// there are.
func cookieValue(lines []string, name string) (value string, count int) {
	for _, line := range lines {
		for line != "" {
			var pair string
			pair, line, _ = strings.Cut(line, ";")
			key, v, _ := strings.Cut(pair, "=")
			if strings.Trim(key, " \t") != name {
				continue
			}
			if count == 0 {
				value = strings.Trim(v, " \t")
				if n := len(value); n >= 2 && value[0] == '"' && value[n-1] == '"' {
					value = value[1 : n-1]
				}
			}
			count++
		}
	}
	return value, count
}

// newCookie returns a cookie as all of ours are. One that ends at the zero time
// ends with the browser.
func (s *Sessions) newCookie(name, value string, ends, now time.Time) *http.Cookie {
	c := &http.Cookie{Name: name, Value: value, Path: "/", HttpOnly: true, Secure: !s.config.InsecureCookie, SameSite: http.SameSiteLaxMode}
	if !ends.IsZero() {
		c.MaxAge = int(max(ends.Sub(now)/time.Second, 1))
	}
	return c
}

// setCookie adds a cookie to the answer in place of an earlier one of its name,
// such as the clearing of a stale one.
func setCookie(h http.Header, c *http.Cookie) {
	lines := h["Set-Cookie"]
	kept := make([]string, 0, len(lines)+1)
	for _, line := range lines {
		if !strings.HasPrefix(line, c.Name+"=") {
			kept = append(kept, line)
		}
	}
	h["Set-Cookie"] = append(kept, c.String())
}

// clearCookie makes the browser forget a cookie.
func (s *Sessions) clearCookie(h http.Header, name string) {
	c := s.newCookie(name, "", time.Time{}, time.Time{})
	c.MaxAge = -1
	setCookie(h, c)
}

// staleCookie is the error for a cookie that is no good: there are no
// credentials, and the answer says so to the browser.
type staleCookie struct{ sessions *Sessions }

var _ auth.HeaderSetter = (*staleCookie)(nil)

func (e *staleCookie) Error() string { return "session: stale cookie" }

func (e *staleCookie) Unwrap() error { return auth.ErrNoCredentials }

func (e *staleCookie) SetHeaders(h http.Header) { e.sessions.clearCookie(h, e.sessions.cookie) }

// warnOfHTTP says why a user who logged in by plain http is not logged in. The
// login itself goes on: it may be that only a proxy was not named.
func (s *Sessions) warnOfHTTP(r *http.Request) {
	if s.config.InsecureCookie || s.config.Proxies.Scheme(r) == "https" || isLoopback(s.config.Proxies.Host(r)) {
		return
	}
	s.logger().WarnContext(r.Context(), "session: browsers do not keep this cookie, since the login came by plain http; "+
		"serve HTTPS, name the proxy that does in Config.Proxies, or see Config.InsecureCookie")
}

// isLoopback reports whether browsers take http to this host for secure (Secure
// Contexts §3.1).
func isLoopback(host string) bool {
	name := host
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		name = host[:i]
	}
	name = strings.TrimSuffix(strings.ToLower(strings.Trim(name, "[]")), ".")
	if addr, err := netip.ParseAddr(name); err == nil {
		return addr.Unmap().IsLoopback()
	}
	return name == "localhost" || strings.HasSuffix(name, ".localhost")
}
