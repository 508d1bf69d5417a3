package auth_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/gatewarden/auth"
)

var behindProxy = auth.Proxies{Trusted: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"),
	netip.MustParsePrefix("fd00::/8")}}

func TestClientIP(t *testing.T) {
	for name, row := range map[string]struct {
		peer  string
		lines []string
		want  string
	}{
		"no proxy":                        {"203.0.113.1:5", nil, "203.0.113.1"},
		"a stranger cannot say who it is": {"203.0.113.1:5", []string{"1.2.3.4"}, "203.0.113.1"},
		"a proxy says who it was":         {"10.0.0.1:5", []string{"203.0.113.1"}, "203.0.113.1"},
		"what the client says of itself":  {"10.0.0.1:5", []string{"1.2.3.4, 203.0.113.1"}, "203.0.113.1"},
		"a client that pretends to be a proxy": {"10.0.0.1:5", []string{"1.2.3.4, 10.9.9.9, 203.0.113.1"},
			"203.0.113.1"},
		"two proxies": {"10.0.0.1:5", []string{"1.2.3.4, 203.0.113.1, 10.0.0.2"},
			"203.0.113.1"},
		"several lines are one list": {"10.0.0.1:5", []string{"1.2.3.4", "203.0.113.1", "10.0.0.2"},
			"203.0.113.1"},
		"only proxies":          {"10.0.0.1:5", []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		"no header":             {"10.0.0.1:5", nil, "10.0.0.1"},
		"an entry that is junk": {"10.0.0.1:5", []string{"203.0.113.1, unknown"}, "10.0.0.1"},
		"junk further left of a proxy": {"10.0.0.1:5", []string{"203.0.113.1, _hidden, 10.0.0.2"},
			"10.0.0.2"},
		"an empty entry is junk":       {"10.0.0.1:5", []string{"203.0.113.1,"}, "10.0.0.1"},
		"with a port":                  {"10.0.0.1:5", []string{"203.0.113.1:4711"}, "203.0.113.1"},
		"IPv6":                         {"10.0.0.1:5", []string{"2001:db8::1"}, "2001:db8::1"},
		"IPv6 in brackets":             {"10.0.0.1:5", []string{"[2001:db8::1]"}, "2001:db8::1"},
		"IPv6 in brackets with a port": {"10.0.0.1:5", []string{"[2001:db8::1]:443"}, "2001:db8::1"},
		"IPv4 mapped into IPv6":        {"10.0.0.1:5", []string{"::ffff:203.0.113.1"}, "203.0.113.1"},
		"a mapped entry of a proxy is a proxy's": {"10.0.0.1:5", []string{"203.0.113.1, ::ffff:10.0.0.2"},
			"203.0.113.1"},
		"a mapped peer":             {"[::ffff:10.0.0.1]:5", []string{"203.0.113.1"}, "203.0.113.1"},
		"an IPv6 peer with a zone":  {"[fd00::1%eth0]:5", []string{"203.0.113.1"}, "203.0.113.1"},
		"a peer without an address": {"@", []string{"203.0.113.1"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := request("GET", "/")
			r.RemoteAddr = row.peer
			r.Header["X-Forwarded-For"] = row.lines
			want, _ := netip.ParseAddr(row.want)
			if got := behindProxy.ClientIP(r); got != want {
				t.Errorf("%v, want %v", got, want)
			}
			if got := (auth.Proxies{}).ClientIP(r); got != auth.Peer(r) {
				t.Errorf("%v without trusted proxies, want the peer", got)
			}
		})
	}
}

func TestSchemeAndHost(t *testing.T) {
	for name, row := range map[string]struct {
		peer, proto, forwardedHost string
		tls                        bool
		scheme, host               string
	}{
		"a direct request":          {"203.0.113.1:5", "", "", false, "http", "example.com"},
		"a direct request over TLS": {"203.0.113.1:5", "", "", true, "https", "example.com"},
		"a stranger's words":        {"203.0.113.1:5", "https", "evil.example", false, "http", "example.com"},
		"a proxy's words": {"10.0.0.1:5", "https", "app.example:8443", false, "https",
			"app.example:8443"},
		"in any case":                   {"10.0.0.1:5", "HTTPS", "", false, "https", "example.com"},
		"plain to the proxy, TLS to us": {"10.0.0.1:5", "http", "", true, "http", "example.com"},
		"the last proxy's words": {"10.0.0.1:5", "http, https", "evil.example, app.example", false, "https",
			"app.example"},
		"a scheme that is none":           {"10.0.0.1:5", "javascript", "", false, "http", "example.com"},
		"a host that is a URL":            {"10.0.0.1:5", "", "https://evil.example/", false, "http", "example.com"},
		"a host with a user":              {"10.0.0.1:5", "", "app@evil.example", false, "http", "example.com"},
		"a host with a port that is none": {"10.0.0.1:5", "", "app.example:x", false, "http", "example.com"},
	} {
		t.Run(name, func(t *testing.T) {
			target := "http://example.com/"
			if row.tls {
				target = "https://example.com/"
			}
			r := httptest.NewRequest("GET", target, nil)
			r.RemoteAddr = row.peer
			r.Header.Set("X-Forwarded-Proto", row.proto)
			r.Header.Set("X-Forwarded-Host", row.forwardedHost)
			if got := behindProxy.Scheme(r); got != row.scheme {
				t.Errorf("scheme %s, want %s", got, row.scheme)
			}
			if got := behindProxy.Host(r); got != row.host {
				t.Errorf("host %s, want %s", got, row.host)
			}
		})
	}
}

// What proxies send, as their documentation or source says: each row is one request
// that reached us, with its header lines.
func TestSchemeAndHostBySeveralProxies(t *testing.T) {
	const edge, inner = "10.0.0.1:443", "10.0.0.2:80"
	for name, row := range map[string]struct {
		peer            string
		For, proto, hst []string
		scheme, host    string
	}{
		"both proxies append": {
			inner, []string{"203.0.113.1, 10.0.0.1"}, []string{"https, http"},
			[]string{"app.example, edge.internal"}, "https", "app.example"},
		"both append lines of their own": {
			inner, []string{"203.0.113.1", "10.0.0.1"}, []string{"https", "http"}, []string{"app.example",
				"edge.internal"}, "https", "app.example"},
		"both append to what a client wrote": {
			inner, []string{"1.2.3.4, 203.0.113.1, 10.0.0.1"}, []string{"http, https, http"},
			[]string{"evil.example, app.example, edge.internal"},
			"https", "app.example"},
		"the inner proxy passes on": {
			inner, []string{"203.0.113.1, 10.0.0.1"}, []string{"https"}, []string{"app.example"}, "https",
			"app.example"},
		"the inner proxy replaces": {
			inner, []string{"203.0.113.1, 10.0.0.1"}, []string{"http"}, []string{"edge.internal"}, "http",
			"edge.internal"},
		"the outer proxy replaces and the inner appends": {
			inner, []string{"203.0.113.1, 10.0.0.1"}, []string{"https, http"},
			[]string{"app.example, edge.internal"}, "https", "app.example"},
		"one proxy appends to what a client wrote": {
			edge, []string{"203.0.113.1"}, []string{"http, https"}, []string{"evil.example, app.example"}, "https",
			"app.example"},
		"an address that a client wrote is no hop": {
			edge, []string{"10.0.0.9, 203.0.113.1"}, []string{"http, https"}, []string{"evil.example, app.example"},
			"https", "app.example"},
		"junk among the addresses ends the hops": {
			edge, []string{"10.0.0.9, unknown"}, []string{"http, https"}, []string{"evil.example, app.example"},
			"https", "app.example"},
		"an outer proxy that is not trusted is a stranger": {
			inner, []string{"203.0.113.1, 198.51.100.1"}, []string{"http, https"},
			[]string{"evil.example, app.example"}, "https", "app.example"},
		"all addresses are trusted": {
			inner, []string{"10.0.0.7, 10.0.0.1"}, []string{"https, http"}, []string{"app.example, edge.internal"},
			"https", "app.example"},
		"empty elements are none": {
			inner, []string{"203.0.113.1, 10.0.0.1"}, []string{"https, , http,"},
			[]string{"app.example,, edge.internal"}, "https", "app.example"},
		"only empty elements": {edge, nil, []string{" , "}, []string{","}, "http", "service.internal"},

		"nginx with proxy_set_header": {edge, []string{"203.0.113.1"}, []string{"https"},
			[]string{"app.example"}, "https", "app.example"},
		"Caddy, with a port": {edge, []string{"203.0.113.1"}, []string{"https"},
			[]string{"app.example:8443"}, "https", "app.example:8443"},
		"Traefik with a WebSocket": {edge, []string{"203.0.113.1"}, []string{"wss"}, []string{"app.example"},
			"https", "app.example"},
		"Traefik with a WebSocket, plain": {edge, []string{"203.0.113.1"}, []string{"ws"}, []string{"app.example"},
			"http", "app.example"},
		"HAProxy, whose forwardfor is another line": {
			edge, []string{"10.0.0.9", "203.0.113.1"}, []string{"https"}, nil, "https", "service.internal"},
		"Envoy, which has no X-Forwarded-Host": {edge, []string{"203.0.113.1"}, []string{"https"}, nil, "https",
			"service.internal"},
		"ALB, which appends to the addresses": {
			edge, []string{"10.0.0.9,203.0.113.1"}, []string{"https"}, nil, "https", "service.internal"},
		"ALB with the client's port": {edge, []string{"203.0.113.1:40000"}, []string{"https"}, nil, "https",
			"service.internal"},
		"ALB before nginx that passes on": {inner, []string{"203.0.113.1, 10.0.0.1"}, []string{"https"},
			[]string{"app.example"}, "https", "app.example"},
	} {
		t.Run(name, func(t *testing.T) {
			r := request("GET", "/")
			r.Host, r.RemoteAddr = "service.internal", row.peer
			r.Header["X-Forwarded-For"], r.Header["X-Forwarded-Proto"], r.Header["X-Forwarded-Host"] = row.For,
				row.proto, row.hst
			if got := behindProxy.Scheme(r); got != row.scheme {
				t.Errorf("scheme %s, want %s", got, row.scheme)
			}
			if got := behindProxy.Host(r); got != row.host {
				t.Errorf("host %s, want %s", got, row.host)
			}
			r.RemoteAddr = "203.0.113.9:5"
			if scheme, host := behindProxy.Scheme(r), behindProxy.Host(r); scheme != "http" ||
				host != "service.internal" {
				t.Errorf("a stranger made it %s and %s", scheme, host)
			}
		})
	}
}

func TestTheOriginIsComparedWithTheHostTheBrowserAskedFor(t *testing.T) {
	cookie := speaking("Session", nil)
	cookie.ambient = true
	g := newGuard(t, auth.Config{Backends: []auth.Authenticator{cookie}, Proxies: behindProxy})
	for name, row := range map[string]struct {
		peer, origin string
		status       int
	}{
		"the proxy's host is the origin's":      {"10.0.0.1:5", "https://app.example", 200},
		"another origin":                        {"10.0.0.1:5", "https://evil.example", 403},
		"the name inside is no origin outside":  {"10.0.0.1:5", "https://backend.internal", 403},
		"a stranger's X-Forwarded-Host":         {"203.0.113.1:5", "https://app.example", 403},
		"a stranger who asks for the real host": {"203.0.113.1:5", "https://backend.internal", 200},
	} {
		t.Run(name, func(t *testing.T) {
			r := request("POST", "/", "Origin", row.origin, "X-Forwarded-Host", "app.example")
			r.Host, r.RemoteAddr = "backend.internal", row.peer
			wantStatus(t, do(g.Require()(whoami), r), row.status)
			if r.Host != "backend.internal" {
				t.Error("the server's request was changed")
			}
		})
	}
	trusting := http.NewCrossOriginProtection()
	if err := trusting.AddTrustedOrigin("https://partner.example"); err != nil {
		t.Fatal(err)
	}
	g = newGuard(t, auth.Config{Backends: []auth.Authenticator{cookie}, CrossOrigin: trusting})
	wantStatus(t, do(g.Require()(whoami), request("POST", "/", "Origin", "https://partner.example", "Sec-Fetch-Site",
		"cross-site")), 200)
}

func TestAPageOfAnotherOriginOpensNoWebSocket(t *testing.T) {
	cookie := speaking("Session", nil)
	cookie.ambient = true
	g := newGuard(t, auth.Config{Backends: []auth.Authenticator{cookie}})
	for name, row := range map[string]struct {
		upgrade, origin string
		status          int
	}{
		"a WebSocket of the same origin":       {"websocket", "http://example.com", 200},
		"a WebSocket of no browser":            {"websocket", "", 200},
		"a WebSocket of another origin":        {"websocket", "https://evil.example", 403},
		"in other letters, among others":       {"h2c, WebSocket", "https://evil.example", 403},
		"a plain GET of another origin's link": {"", "https://evil.example", 200},
		"an upgrade to something else":         {"h2c", "https://evil.example", 200},
	} {
		t.Run(name, func(t *testing.T) {
			r := request("GET", "/")
			if row.origin != "" {
				r.Header.Set("Origin", row.origin)
			}
			if row.upgrade != "" {
				r.Header.Set("Upgrade", row.upgrade)
			}
			wantStatus(t, do(g.Require()(whoami), r), row.status)
		})
	}
	for _, name := range []string{"Sec-WebSocket-Key", "Sec-WebSocket-Version"} {
		t.Run("a WebSocket whose Upgrade a proxy left out, by "+name, func(t *testing.T) {
			r := request("GET", "/", name, "13", "Origin", "https://evil.example")
			wantStatus(t, do(g.Require()(whoami), r), 403)
		})
	}
}

func TestARefusedOriginNamesTheSetting(t *testing.T) {
	g := newGuard(t, auth.Config{Backends: []auth.Authenticator{speaking("Token", nil)}, Proxies: behindProxy})
	cause := func(peer string, header ...string) string {
		r := request("POST", "/", header...)
		r.Host, r.RemoteAddr = "service.internal", peer
		err := g.CheckOrigin(r)
		var stated *auth.Error
		if !errors.As(err, &stated) || stated.Kind != auth.ErrCrossOrigin || stated.Cause == nil {
			t.Fatalf("%v", err)
		}
		return stated.Cause.Error()
	}
	long := "https://" + strings.Repeat("x", 300)
	for name, row := range map[string]struct {
		peer      string
		header    []string
		want, not []string
	}{
		"another origin": {"203.0.113.1:5", []string{"Origin", "https://evil.example"},
			[]string{`"https://evil.example"`, `"service.internal"`, "Config.CrossOrigin"},
			[]string{"Config.Proxies"}},
		"a proxy that is not named": {"192.0.2.7:5", []string{"Origin", "https://app.example", "X-Forwarded-Host",
			"app.example"},
			[]string{`"service.internal"`, `"app.example"`, "192.0.2.7", "Config.Proxies", "Config.CrossOrigin"},
			nil},
		"a proxy that is named": {"10.0.0.1:5", []string{"Origin", "https://evil.example", "X-Forwarded-Host",
			"app.example"},
			[]string{`"https://evil.example"`, `"app.example"`, "Config.CrossOrigin"}, []string{"Config.Proxies",
				"service.internal"}},
		"by Sec-Fetch-Site alone": {"203.0.113.1:5", []string{"Sec-Fetch-Site", "cross-site"},
			[]string{"Sec-Fetch-Site", "Config.CrossOrigin"}, []string{"Origin is"}},
		"what a client wrote is cut and quoted": {"203.0.113.1:5", []string{"Origin", long + "\n",
			"X-Forwarded-Host", "a\nb"},
			[]string{long[:200] + `"…`, `"a\nb"`}, []string{long, "\n"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := cause(row.peer, row.header...)
			for _, want := range row.want {
				if !strings.Contains(got, want) {
					t.Errorf("%s\nlacks %s", got, want)
				}
			}
			for _, not := range row.not {
				if strings.Contains(got, not) {
					t.Errorf("%s\nhas %s", got, not)
				}
			}
		})
	}
}

func FuzzClientIP(f *testing.F) {
	for _, s := range []string{"1.2.3.4, 10.0.0.2", "[::1]:80\n::ffff:10.0.0.1", "x,,", "fe80::1%eth0", "[", "[]",
		" , "} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, lines string) {
		r := request("GET", "/")
		r.Header["X-Forwarded-For"] = strings.Split(lines, "\n")
		r.RemoteAddr = "203.0.113.1:5"
		if got := behindProxy.ClientIP(r); got != auth.Peer(r) {
			t.Errorf("a stranger became %v", got)
		}
		r.RemoteAddr = "10.0.0.1:5"
		got := behindProxy.ClientIP(r)
		if !got.IsValid() || got.Is4In6() || got.Zone() != "" {
			t.Errorf("client %v", got)
		}
		// What a client writes to the left of the proxy's entry changes nothing.
		r.Header["X-Forwarded-For"] = append(r.Header["X-Forwarded-For"], "198.51.100.7")
		if got := behindProxy.ClientIP(r); got != netip.MustParseAddr("198.51.100.7") {
			t.Errorf("spoofed: %v", got)
		}
	})
}

func FuzzProxiesHost(f *testing.F) {
	for _, s := range []string{"app.example", "a:1", "a, b", "a@b", "[::1]:80", "a:x", "%zz", "a\"<b>", "a%20b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, forwarded string) {
		r := request("GET", "/")
		r.Header["X-Forwarded-Host"] = []string{forwarded}
		r.RemoteAddr = "203.0.113.1:5"
		if got := behindProxy.Host(r); got != r.Host {
			t.Errorf("a stranger made it %q", got)
		}
		r.RemoteAddr = "10.0.0.1:5"
		got := behindProxy.Host(r)
		u, err := url.Parse("https://" + got + "/path")
		if err != nil || u.Host != got || u.Path != "/path" || u.User != nil {
			t.Errorf("%q is no host: %v, %v", got, u, err)
		}
	})
}

// Where every proxy appends, nothing that a client wrote changes the scheme or host.
func FuzzProxiesWalk(f *testing.F) {
	for _, s := range []string{"", "http", "https, http", "a\nb", ",", "10.0.0.9", "10.0.0.9, unknown", " , ,"} {
		f.Add(s, s, true)
		f.Add(s, "evil.example", false)
	}
	f.Fuzz(func(t *testing.T, addresses, said string, two bool) {
		r := request("GET", "/")
		r.RemoteAddr = "10.0.0.1:5"
		r.Header["X-Forwarded-For"] = append(strings.Split(addresses, "\n"), "203.0.113.1")
		r.Header["X-Forwarded-Proto"] = append(strings.Split(said, "\n"), "wss")
		r.Header["X-Forwarded-Host"] = append(strings.Split(said, "\n"), "app.example")
		if two {
			for name, value := range map[string]string{"For": "10.0.0.2", "Proto": "http", "Host": "inner.example"} {
				lines := r.Header["X-Forwarded-"+name]
				lines[len(lines)-1] += ", " + value
			}
		}
		if scheme, host := behindProxy.Scheme(r), behindProxy.Host(r); scheme != "https" || host != "app.example" {
			t.Errorf("spoofed: %s, %s", scheme, host)
		}
	})
}
