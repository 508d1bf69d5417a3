package auth

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// AskingProxy is a proxy that asks about each request before it passes it on: see
// [Guard.ForwardAuth].
type AskingProxy int

// The proxies of [ForwardAuthConfig].
const (
	// AskingNginx is nginx with auth_request. It lets 401 and 403 through to the
	// client and makes 500 of every other refusal. Refusals are therefore 401 or 403,
	// and the header X-Auth-Code has the code of the real one, such as "throttled".
	// Outages stay 503, of which nginx makes 500: a client must not take them for a
	// refusal. Config.Render is not called, since nginx shows pages of its own.
	AskingNginx AskingProxy = iota + 1
	// AskingCaddy is Caddy with forward_auth. The client sees each refusal as it is.
	AskingCaddy
	// AskingTraefik is Traefik with forwardAuth. The client sees each refusal as it is.
	AskingTraefik
	// AskingEnvoy is Envoy with ext_authz and an HTTP service. It asks with the
	// method and path of the request itself. Where path_prefix is set, mount the handler with
	// http.StripPrefix. The client sees each refusal as it is. Envoy makes 403 of an outage,
	// unless its status_on_error is ServiceUnavailable.
	AskingEnvoy
)

// ForwardAuthConfig is the configuration of [Guard.ForwardAuth]. Proxy is required.
type ForwardAuthConfig struct {
	// Proxy decides which headers are read, and which statuses are answered.
	Proxy AskingProxy
	// MethodHeader and URIHeader are the names of the headers with the method, and
	// the path and query, of the request that is asked about. The proxy must overwrite them. If
	// empty, they are X-Original-Method and X-Original-URI for nginx, and else
	// X-Forwarded-Method and X-Forwarded-Uri. Leave them empty for Envoy.
	MethodHeader, URIHeader string
	// UserHeader, BackendHeader and AccessHeader are the names of the headers of a
	// positive answer, which the proxy copies into the request that it passes on: the
	// UserID, the name of the backend that proved the request, and what the credential may
	// do. That is "full", or "limited" and each of its scopes behind a space. If empty,
	// they are X-Auth-User, X-Auth-Backend and X-Auth-Access. On a route that is open
	// they are sent with an empty value. The proxy must remove what a client sent.
	UserHeader, BackendHeader, AccessHeader string
	// AllowPreflight lets CORS preflight requests pass, which carry no credentials.
	// The service behind must answer them and do nothing else, whatever the path
	// is. Without it, they are refused with 401.
	AllowPreflight bool
}

// ForwardAuth returns a handler that a proxy asks whether it may pass a request on to
// another service. It takes the method, path and host of that request from the proxy,
// which must be in Config.Proxies, and proves the request as [Guard.Require] would, with
// the check of its origin. The answer is 200 with the user in its headers, or a refusal.
//
// The options are those of [Guard.Protect], for the paths of the service behind:
//
//	ask, err := guard.ForwardAuth(auth.ForwardAuthConfig{Proxy: auth.AskingTraefik},
//		auth.Open("GET /static/"),
//		auth.Route("/admin/", auth.UserIs(isAdmin)))
//
// Whatever no option names requires authentication. Policies see the request that is
// asked about, without its body. A path that the service behind could read in another way is
// refused with 403, if there are options: one with empty or dot segments, a backslash, ";" or
// "#", escaped or not, an escaped "?", an escape in an escape, a control character, or bytes that
// are not UTF-8. Where the service ignores case, or a slash, dot or space at the end of a segment, only
// a policy of "/" is safe, with no Open.
//
// ForwardAuth returns an error if a setting is missing or contradictory, if
// Config.Proxies is empty, if two patterns conflict, or if a backend reads a header that
// the answer sets.
func (g *Guard) ForwardAuth(config ForwardAuthConfig, options ...RouteOption) (http.Handler, error) {
	if g == nil {
		return nil, errNilGuard
	}
	if config.Proxy < AskingNginx || config.Proxy > AskingEnvoy {
		return nil, errors.New("auth: ForwardAuthConfig.Proxy is not set")
	}
	if len(g.config.Proxies.Trusted) == 0 {
		return nil, errors.New("auth: ForwardAuth: Config.Proxies is empty, so no proxy may ask")
	}
	f := &forwardAuth{preflights: config.AllowPreflight}
	names := config.names()
	f.user, f.backend, f.access = names[0], names[1], names[2]
	if err := f.checkNames(g, names); err != nil {
		return nil, err
	}
	if config.Proxy != AskingEnvoy {
		f.method, f.uri = names[3], names[4]
	}
	asked := *g
	f.guard = &asked
	if config.Proxy == AskingNginx {
		f.guard.config.Render = renderForNginx
		f.guard.mapProblem = func(r *http.Request, p *Problem) {
			if g.mapProblem != nil {
				g.mapProblem(r, p)
			}
			f.guard.mapForNginx(p)
		}
	}
	f.guard.config.Render = f.guard.noteOutages()
	return f, f.protect(options)
}

// names returns the canonical names of the headers: user, backend, access, and except
// for Envoy method and URI.
func (config ForwardAuthConfig) names() []string {
	names := []string{cmp.Or(config.UserHeader, "X-Auth-User"), cmp.Or(config.BackendHeader, "X-Auth-Backend"),
		cmp.Or(config.AccessHeader, "X-Auth-Access")}
	switch config.Proxy {
	case AskingEnvoy:
		if asked := config.MethodHeader + config.URIHeader; asked != "" {
			names = append(names, "") // Envoy has no such headers, which checkNames refuses
		}
	case AskingNginx:
		names = append(names, cmp.Or(config.MethodHeader, "X-Original-Method"),
			cmp.Or(config.URIHeader, "X-Original-Uri"))
	default:
		names = append(names, cmp.Or(config.MethodHeader, "X-Forwarded-Method"),
			cmp.Or(config.URIHeader, "X-Forwarded-Uri"))
	}
	for i, name := range names {
		names[i] = http.CanonicalHeaderKey(name)
	}
	return names
}

// forwardAuth is the handler of ForwardAuth.
type forwardAuth struct {
	guard                 *Guard
	protected             *Protected
	method, uri           string // headers that are read, "" for the request's own
	user, backend, access string // headers that are set
	preflights            bool
	missing               [2]error // method, URI
}

func (f *forwardAuth) checkNames(g *Guard, names []string) error {
	for i, name := range names {
		if name == "" {
			return errors.New("auth: ForwardAuthConfig: Envoy asks with the method and path themselves. " +
				"Leave MethodHeader and URIHeader empty")
		}
		if !isToken(name) {
			return fmt.Errorf("auth: ForwardAuthConfig: %q is no name of a header", name)
		}
		for _, other := range names[:i] {
			if sameVariable(name, other) {
				return fmt.Errorf("auth: ForwardAuthConfig names the header %s twice", name)
			}
		}
		for _, read := range slices.Concat(g.strip, []string{"Authorization", "Cookie", "Set-Cookie", "Host"}) {
			if sameVariable(name, read) {
				return fmt.Errorf("auth: ForwardAuthConfig names the header %s, which has another meaning here or is "+
					"read by a backend", name)
			}
		}
	}
	return nil
}

// protect makes the router, in which the routes are those that options name.
func (f *forwardAuth) protect(options []RouteOption) error {
	f.missing = [2]error{f.missingHeader(f.method), f.missingHeader(f.uri)}
	router := &askedRouter{http.NewServeMux(), f}
	f.protected = f.guard.Protect(router, options...)
	patterns := []string{"/"}
	for _, rule := range f.protected.rules.all {
		if rule.pattern.text != "/" {
			patterns = append(patterns, rule.pattern.text)
		}
	}
	for _, pattern := range patterns {
		if err := register(router.ServeMux, pattern, http.NotFoundHandler()); err != nil {
			return err
		}
	}
	f.protected.logged.Store("/", true) // there is no handler that could log in by itself
	return f.protected.Check()
}

func (f *forwardAuth) missingHeader(name string) error {
	return &Error{Kind: ErrInternal, Cause: errors.New("the proxy asks without the header " + name +
		", or with several. Have it set the header, see ForwardAuthConfig")}
}

// askedRouter knows the patterns of the options, and lets every request pass that the
// Guard has admitted.
type askedRouter struct {
	*http.ServeMux
	*forwardAuth
}

func (a *askedRouter) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.allow(w, r) }

// ServeHTTP answers a proxy.
func (f *forwardAuth) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	answer := &answer{ResponseWriter: w}
	twin := f.hasUnderscoreVariant(r)
	r = f.withoutResponseHeaders(r)
	asked, err := f.asked(r)
	if err == nil && twin {
		err = errUnderscoreHeader
	}
	switch {
	case err != nil:
		f.guard.fail(answer, f.guard.withoutStripped(r), failure{err: err})
	case !isPreflight(asked):
		f.protected.ServeHTTP(answer, asked)
	case f.preflights:
		f.allow(answer, asked)
	default:
		f.guard.fail(answer, f.guard.withoutStripped(asked), failure{err: errPreflight})
	}
	if !answer.wrote { // by a Config.Render that failed: net/http would answer 200
		answer.WriteHeader(answer.refusal())
	}
}

var errUnderscoreHeader error = &Error{Kind: ErrMalformed, Status: http.StatusForbidden, Detail: "Malformed request.",
	Cause: errors.New("the client sent a header that a service could take for one of the answer, such as " +
		"X_Auth_User. Have the proxy remove it")}

// hasUnderscoreVariant reports a header that differs from one of the answer by "_" for "-" only. The proxy
// overwrites the header of the answer and passes on the twin, and a service behind WSGI
// or CGI reads both as one.
func (f *forwardAuth) hasUnderscoreVariant(r *http.Request) bool {
	for name := range r.Header {
		for _, own := range []string{f.user, f.backend, f.access} {
			if http.CanonicalHeaderKey(name) != own && sameVariable(name, own) {
				return true
			}
		}
	}
	return false
}

// withoutResponseHeaders returns r without the headers of the answer, which a client has
// sent, and without those of a body, which a proxy leaves out.
func (f *forwardAuth) withoutResponseHeaders(r *http.Request) *http.Request {
	r = r.WithContext(r.Context())
	names := []string{f.user, f.backend, f.access, "Content-Type", "Content-Length", "Content-Encoding"}
	if header, found := stripped(r.Header, names); found {
		r.Header = header
	}
	r.Body, r.ContentLength, r.TransferEncoding = http.NoBody, 0, nil
	r.Form, r.PostForm, r.MultipartForm = nil, nil, nil
	return r
}

var (
	errPreflight error = &Error{Kind: ErrNoCredentials,
		Cause: errors.New("a CORS preflight request has no credentials. " +
			"If the service behind answers it, see ForwardAuthConfig.AllowPreflight")}
	errAskedMethod error = &Error{Kind: ErrMalformed, Status: http.StatusForbidden, Detail: "Malformed request.",
		Cause: errors.New("the method that the proxy asks about is no token (RFC 9110 §9.1)")}
	errAskedURI error = &Error{Kind: ErrMalformed, Status: http.StatusForbidden, Detail: "Malformed request.",
		Cause: errors.New("the URI that the proxy asks about is no path, or longer than 32 KiB")}
)

// maxAskedURI is the longest path and query, in bytes: what proxies take for a whole
// header by default, or more.
const maxAskedURI = 32 << 10

// asked returns the request that the proxy asks about.
func (f *forwardAuth) asked(r *http.Request) (*http.Request, error) {
	if peer := Peer(r); !f.guard.config.Proxies.Trusts(peer) {
		return nil, &Error{Kind: ErrInsufficient, Status: http.StatusNotFound, Code: CodeNotFound, Detail: "Not found.",
			Cause: untrustedProxyError{peer.String()}}
	}
	asked := r.WithContext(r.Context())
	asked.Pattern, asked.Host = "", f.guard.config.Proxies.Host(r)
	if f.method == "" { // Envoy
		asked.RequestURI = r.URL.RequestURI() // without the prefix of this handler
		return asked, f.pathFault(asked.RequestURI, r.URL)
	}
	method, uri := r.Header[f.method], r.Header[f.uri]
	switch {
	case len(method) != 1:
		return nil, f.missing[0]
	case len(uri) != 1:
		return nil, f.missing[1]
	case !isToken(method[0]):
		return nil, errAskedMethod
	case len(uri[0]) > maxAskedURI || !strings.HasPrefix(uri[0], "/"):
		return nil, errAskedURI
	}
	u, err := url.ParseRequestURI(uri[0])
	if err != nil {
		return nil, errAskedURI
	}
	asked.Method, asked.URL, asked.RequestURI = method[0], u, uri[0]
	return asked, f.pathFault(uri[0], u)
}

var errAskedPath error = &Error{Kind: ErrMalformed, Status: http.StatusForbidden,
	Detail: "The path can be read in two ways.",
	Cause: errors.New("the path has empty or dot segments, a backslash, \";\", \"#\", an escaped \"?\", an escape in " +
		"an escape, a control character or bytes that are not UTF-8, and " +
		"the service behind could read it as that of another route")}

// pathFault refuses a path that the service behind the proxy could read in another way
// than the rules here do. The proxy passes it on as the client wrote it. Without rules all
// paths are alike.
func (f *forwardAuth) pathFault(target string, u *url.URL) error {
	if len(f.protected.rules.all) == 0 {
		return nil
	}
	path, _, _ := strings.Cut(target, "?")
	plain := unescape(u.EscapedPath())
	switch {
	case u.Host != "", u.EscapedPath() != cleanPath(u.EscapedPath()), plain != cleanPath(plain),
		strings.ContainsAny(path, `#\;`), strings.ContainsAny(plain, `#\;?`), !utf8.ValidString(plain),
		hasEscape(plain),
		strings.ContainsFunc(plain, func(c rune) bool { return c < 0x20 || c == 0x7f }):
		return errAskedPath
	}
	return nil
}

// hasEscape reports a "%" with two hexadecimal digits. Another "%" beside it does not hide
// it: a lenient service reads each escape by itself.
func hasEscape(path string) bool {
	for i := range len(path) {
		if path[i] == '%' && i+3 <= len(path) && unescape(path[i:i+3]) != path[i:i+3] {
			return true
		}
	}
	return false
}

// untrustedProxyError is the cause for a request that no trusted proxy sent.
type untrustedProxyError struct{ peer string }

func (c untrustedProxyError) Error() string {
	return c.peer + " asks for forward authentication, and is not in Config.Proxies"
}

// allow lets the proxy pass the request on.
func (f *forwardAuth) allow(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	user, proved := UserFrom[User](r.Context())
	if id, ok := r.Context().Value(guardKey{f.guard}).(*identity); proved && ok {
		access, err := accessOf(id.credential)
		backend := ""
		if id.credential != nil {
			backend = id.credential.Backend()
		}
		if err == nil && (!isHeaderText(user.UserID()) || backend != "" && !isHeaderText(backend)) {
			err = errHeaderText
		}
		if err != nil {
			f.guard.fail(w, r, failure{err: err, user: user})
			return
		}
		h.Set(f.user, user.UserID())
		h.Set(f.backend, backend)
		h.Set(f.access, access)
	} else {
		// Empty, because a proxy may pass on what the client sent in place of
		// a header that is missing.
		h.Set(f.user, "")
		h.Set(f.backend, "")
		h.Set(f.access, "")
	}
	h.Set("Cache-Control", "no-store")
	if granted, ok := w.(*answer); ok {
		granted.granted = true
	}
	w.WriteHeader(http.StatusOK) // Envoy takes no other status
}

var (
	errHeaderText error = &Error{Kind: ErrInternal, Cause: errors.New("a UserID or the name of a backend has control " +
		"characters or outer spaces, or is no UTF-8, so no header can carry it")}
	errScopeText error = &Error{Kind: ErrInternal, Cause: errors.New("a scope of the credential is no scope-token " +
		"(RFC 6749 §3.3), so it cannot stand in a list")}
)

// accessOf writes what a credential may do.
func accessOf(credential Credential) (string, error) {
	scopes, limited := scopesOf(credential)
	if !limited {
		return "full", nil
	}
	for _, scope := range scopes {
		if scope == "" || attribute(scope) != scope || strings.Contains(scope, " ") {
			return "", errScopeText
		}
	}
	return strings.Join(append([]string{"limited"}, scopes...), " "), nil
}
