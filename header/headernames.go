package header

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/gatewarden/auth/backend"
)

// checkNames says what keeps headers from carrying an identity: a name that has
// another meaning, one that has other characters than letters, digits and "-",
// or one twice. The names are canonical.
func checkNames(s *backend.Settings, names ...string) {
	for i, name := range names {
		s.Refuse(!isName(name), "%q is not a name of letters, digits and -", name)
		s.Refuse(isReservedHeader(name), "%s has a meaning of its own", name)
		s.Refuse(slices.Contains(names[:i], name), "%s is set for two things", name)
	}
}

func isName(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !(r == '-' || '0' <= r && r <= '9' || 'A' <= r && r <= 'Z' || 'a' <= r && r <= 'z')
	})
}

// isReservedHeader reports a header that other code reads, so that it must not be
// stripped, or that is for one connection (RFC 9110 §7.6.1), so that it never
// comes through a proxy.
func isReservedHeader(name string) bool {
	for _, prefix := range []string{"Access-Control-", "Content-", "Proxy-", "Sec-"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	switch name {
	case "Authorization", "Cookie", "Host", "Origin", "Referer",
		"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto",
		"Connection", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "Upgrade":
		return true
	}
	return false
}

// isText reports whether s is UTF-8 without control characters, which databases
// and logs do not take well.
func isText(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

// hasControl reports an ASCII control character.
func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })
}
