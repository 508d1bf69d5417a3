package session

import (
	"net/http"
	"sync"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
)

// setSessionCookie gives a browser the cookie of a session.
func (s *Sessions) setSessionCookie(w http.ResponseWriter, record *Record, secret string, now time.Time) {
	var life time.Duration // of a cookie that ends with the browser
	if record.Remembered {
		life = max(record.MaxExpiresAt.Sub(now), time.Second)
	}
	s.cookie.Set(w.Header(), secret, life)
}

// warnOfHTTP says, once, why a user that logged in by plain http is not logged in. The
// login itself goes on: it may be that only a proxy was not named.
func (s *Sessions) warnOfHTTP(r *http.Request) {
	proxies := auth.ProxiesFrom(r.Context())
	if s.config.InsecureCookie || proxies.Scheme(r) == "https" {
		return
	}
	if backend.IsLoopback(proxies.Host(r)) {
		s.warned.loopback.Do(func() {
			s.logger().InfoContext(r.Context(), "session: the cookie is Secure, and the login came by plain http to "+
				"this machine. Browsers and curl send it back all the same. Python, Java, wget and httpie do not: "+
				"see InsecureCookie of session.Config, for tests only. This is said once")
		})
		return
	}
	s.warned.http.Do(func() {
		s.logger().WarnContext(r.Context(), "session: browsers do not keep this cookie, since the login came by "+
			"plain http. Serve HTTPS, name the proxy that does in Proxies of auth.Config, or see InsecureCookie of "+
			"session.Config. This is said once")
	})
}

// warned is what warnOfHTTP has logged already.
type warned struct{ http, loopback sync.Once }
