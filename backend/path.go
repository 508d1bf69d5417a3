package backend

import (
	"net"
	"net/netip"
	"net/url"
	"strings"
)

const (
	// maxPath is the longest path without its query that LocalPath accepts, in bytes.
	maxPath = 1024
	// maxAddress is the longest one with its query, in bytes. That of an authorization request that waits
	// for a login has up to 3500.
	maxAddress = 6 << 10
)

// LocalPath returns next as a path of this server, with its query. It returns
// false if a browser could take it for another server's (CWE-601). Use it for
// every place to which a login redirects.
func LocalPath(next string) (string, bool) {
	path, _, _ := strings.Cut(next, "?")
	if len(path) > maxPath || len(next) > maxAddress || !strings.HasPrefix(next, "/") {
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

const hostChars = "abcdefghijklmnopqrstuvwxyz0123456789-_."

// IsLoopback reports whether host, with or without a port, is this machine: an
// address of loopback, localhost or a name below it. Browsers take http to it for
// secure (Secure Contexts §3.1).
func IsLoopback(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.Trim(host, "[]")
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.Unmap().IsLoopback()
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	name, ok := strings.CutSuffix(host, "localhost")
	return ok && (name == "" || len(name) > 1 && name[len(name)-1] == '.' && strings.Trim(name, hostChars) == "")
}
