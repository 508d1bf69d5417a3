package header

import (
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// checkNames says what keeps headers from carrying an identity: a name that is
// another's, one that is no name of letters, digits and "-", or one twice. The
// names are canonical.
func checkNames(names ...string) error {
	for i, name := range names {
		if !isName(name) {
			return fmt.Errorf("header: %q is not a name of letters, digits and -", name)
		}
		if isTaken(name) {
			return fmt.Errorf("header: %s has a meaning of its own", name)
		}
		if slices.Contains(names[:i], name) {
			return fmt.Errorf("header: %s is set for two things", name)
		}
	}
	return nil
}

// checkTrusted checks the names that are read if trust holds, and trust itself.
func checkTrusted(trust Trust, names ...string) error {
	if trust.SecretHeader != "" {
		names = append(slices.Clone(names), http.CanonicalHeaderKey(trust.SecretHeader))
	}
	if err := checkNames(names...); err != nil {
		return err
	}
	return trust.check()
}

func isName(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !(r == '-' || '0' <= r && r <= '9' || 'A' <= r && r <= 'Z' || 'a' <= r && r <= 'z')
	})
}

// isTaken reports a header that other code reads, so that it must not be
// stripped, or that is of one connection (RFC 9110 §7.6.1) and so never comes
// through a proxy.
func isTaken(name string) bool {
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

// isText reports whether s is UTF-8 without control characters, so that no
// database or log stumbles over it.
func isText(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

// isNil reports a nil interface, or a nil pointer or func inside one.
func isNil(v any) bool {
	if v == nil {
		return true
	}
	rv := reflect.ValueOf(v)
	return (rv.Kind() == reflect.Pointer || rv.Kind() == reflect.Func) && rv.IsNil()
}
