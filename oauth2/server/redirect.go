package server

import (
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/gatewarden/auth/backend"
)

// maxURI is the longest URI that is taken, in bytes.
const maxURI = 2 << 10

// notInURI tells characters that a URI cannot have (RFC 3986 §2). Browsers do
// strange things to some of them.
func notInURI(c rune) bool { return c <= ' ' || c > '~' || strings.ContainsRune("\"<>\\^`{|}", c) }

// CheckRedirectURI reports whether a client may be registered with a redirect
// URI: an absolute one without fragment or user (RFC 6749 §3.1.2) that is https,
// http of a loopback host, or of a private-use scheme with a dot in it, such as
// com.example.app:/callback (RFC 8252 §7.1).
func CheckRedirectURI(uri string) error {
	refused := refuse("invalid_redirect_uri",
		"A redirect URI must be https, http on the loopback interface, or of a scheme "+
			"such as com.example.app, and have neither fragment nor user.",
		failedValue("the redirect URI is not of an allowed form", uri))
	u, err := url.Parse(uri)
	if err != nil || len(uri) > maxURI || strings.ContainsFunc(uri, notInURI) ||
		strings.Contains(uri, "#") || u.User != nil {
		return refused
	}
	switch {
	case u.Scheme == "https" && u.Hostname() != "" && validPort(u):
		return nil
	case u.Scheme == "http" && backend.IsLoopback(u.Hostname()) && validPort(u):
		return nil
	case strings.Contains(u.Scheme, ".") && u.Host == "" && (u.Path != "" || u.Opaque != ""):
		return nil
	}
	return refused
}

func validPort(u *url.URL) bool {
	if u.Port() == "" {
		return !strings.HasSuffix(u.Host, ":")
	}
	_, err := netip.ParseAddrPort(net.JoinHostPort("127.0.0.1", u.Port()))
	return err == nil
}

// matchRedirect reports whether a client that registered these URIs may ask for
// uri: they are compared byte by byte (RFC 9700 §2.1), but for the port of http
// URIs of a loopback address that were registered without one (RFC 8252 §7.3).
func matchRedirect(registered []string, uri string) bool {
	if slices.Contains(registered, uri) {
		return true
	}
	port, without := loopbackPort(uri)
	return port && slices.Contains(registered, without)
}

// loopbackPort reports an http URI of a loopback address that names a port, and
// returns it without. "localhost" is no address: others can answer to it (RFC
// 8252 §8.3).
func loopbackPort(uri string) (bool, string) {
	for _, host := range []string{"http://127.0.0.1", "http://[::1]"} {
		rest, ok := strings.CutPrefix(uri, host+":")
		if !ok {
			continue
		}
		digits := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
		if digits == 0 || digits > 5 || digits < len(rest) && rest[digits] != '/' && rest[digits] != '?' {
			return false, ""
		}
		if _, err := netip.ParseAddrPort("127.0.0.1:" + rest[:digits]); err != nil {
			return false, ""
		}
		return CheckRedirectURI(uri) == nil, host + rest[digits:]
	}
	return false, ""
}

// isNative reports a redirect URI of a program on the user's machine: nothing
// proves which one answers there (RFC 8252 §8.6).
func isNative(uri string) bool { return !strings.HasPrefix(uri, "https:") }

// hasLocalName reports an http URI of this machine that has a name, such as
// localhost, where an address would do.
func hasLocalName(uri string) bool {
	u, err := url.Parse(uri)
	if err != nil || u.Scheme != "http" || !backend.IsLoopback(u.Hostname()) {
		return false
	}
	_, err = netip.ParseAddr(u.Hostname())
	return err != nil
}

// withParams puts parameters behind those that a URI has.
func withParams(uri string, params [][2]string) string {
	var b strings.Builder
	b.WriteString(uri)
	separator := byte('?')
	if strings.Contains(uri, "?") {
		separator = '&'
	}
	for _, p := range params {
		if p[1] == "" {
			continue
		}
		b.WriteByte(separator)
		b.WriteString(url.QueryEscape(p[0]) + "=" + url.QueryEscape(p[1]))
		separator = '&'
	}
	return b.String()
}

// hostOf is where an address leads, for people: its host, or the scheme of one
// that is a program's.
func hostOf(uri string) string {
	u, err := url.Parse(uri)
	if err != nil || u.Host == "" {
		scheme, _, _ := strings.Cut(uri, ":")
		return scheme
	}
	return u.Host
}
