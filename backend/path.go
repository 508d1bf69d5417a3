package backend

import (
	"net/url"
	"strings"
)

// maxPath is the longest path a login leads back to, in bytes.
const maxPath = 1024

// LocalPath returns next as a path of this server, with its query, or false if
// a browser could take it for anything else (CWE-601).
func LocalPath(next string) (string, bool) {
	if len(next) > maxPath || !strings.HasPrefix(next, "/") {
		return "", false
	}
	for i := range len(next) {
		// Browsers take a backslash for a slash and leave out tabs and line
		// breaks (URL Standard §4.4). What is not ASCII belongs escaped.
		if c := next[i]; c <= ' ' || c >= 0x7f || c == '\\' {
			return "", false
		}
	}
	if strings.HasPrefix(next, "//") {
		return "", false
	}
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || u.Opaque != "" {
		return "", false
	}
	return next, true
}
