package server

import (
	"fmt"
	"net/url"
	"path"
	"strings"

	"github.com/gatewarden/auth/backend"
)

// checkIssuer parses an issuer identifier (RFC 8414 §2). The URL is not nil, also
// with an error.
func checkIssuer(issuer string, insecure bool) (*url.URL, error) {
	u, err := url.Parse(issuer)
	switch {
	case err != nil:
		return &url.URL{}, errNoIssuer(issuer)
	case u.Host == "" || u.User != nil || u.Opaque != "" || strings.ContainsAny(issuer, "?#\\ \"<>"),
		u.EscapedPath() != u.Path,
		u.Path != "" && u.Path != "/" && path.Clean(u.Path) != strings.TrimSuffix(u.Path, "/"):
		return u, errNoIssuer(issuer)
	case u.Scheme == "https", u.Scheme == "http" && (insecure || backend.IsLoopback(u.Hostname())):
		return u, nil
	}
	return u, fmt.Errorf("issuer %q is neither https nor http of a loopback host (RFC 8414 §2)", issuer)
}

func errNoIssuer(issuer string) error {
	return fmt.Errorf("issuer %q is no URL with a host, without user, query and fragment (RFC 8414 §2)", issuer)
}

// validPath reports a path that needs no escaping and no cleaning.
func validPath(p string) bool {
	return strings.HasPrefix(p, "/") && p != "/" && (&url.URL{Path: p}).EscapedPath() == p && path.Clean(p) == p
}
