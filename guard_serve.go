package auth

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"

	"github.com/gatewarden/auth/internal/testidentity"
)

func (g *Guard) middleware(policies []Policy, optional bool) func(http.Handler) http.Handler {
	l := middlewareOptions{policies: slices.Clone(policies), optional: optional}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			g.serve(w, r, next, l)
		})
	}
}

// middlewareOptions is what one Require, Optional or Protect asks of a request.
type middlewareOptions struct {
	policies []Policy
	optional bool
	route    string     // the pattern of the router inside, known to Protect, or ""
	closed   *Protected // is told of a refusal without credentials, or nil
}

// serve is the whole path of a request through the guard.
func (g *Guard) serve(w http.ResponseWriter, r *http.Request, next http.Handler, l middlewareOptions) {
	if g == nil {
		g.Refuse(w, r, nil)
		return
	}
	if isPreflight(r) {
		g.preflight(w, r)
		return
	}
	switch known := r.Context().Value(guardKey{g}).(type) {
	case *identity: // this guard, further out
		g.serveKnown(w, r, next, known, l)
		return
	case *testidentity.Context: // authtest
		user, _ := known.User.(User)
		credential, _ := known.Credential.(Credential)
		if isNil(user) {
			break // as if there was no identity
		}
		r = g.withoutStripped(r)
		if err := admit(r, user, credential, l.policies); err != nil {
			g.fail(w, r, failure{err: err, user: user, route: l.route})
			return
		}
		g.pass(w, r, next, authenticated{user: user, credential: credential})
		return
	}

	proved, fault := g.authenticate(w, r, l.route)
	fault.route = l.route
	r = g.withoutStripped(r) // for policies, Render and handlers alike
	switch {
	case fault.err == nil:
		if err := admit(r, proved.user, proved.credential, l.policies); err != nil {
			fault.err, fault.user = err, proved.user
			g.fail(w, r, fault)
			return
		}
		g.pass(w, r, next, proved)
	case l.optional && KindOf(fault.err) == ErrNoCredentials:
		setHeaders(w, fault.err, nil)
		g.passAnonymous(w, r, next)
	default:
		if l.closed != nil && fault.err == ErrNoCredentials {
			l.closed.logClosedRoute(r, l.route)
		}
		g.fail(w, r, fault)
	}
}

// serveKnown serves a request that this guard proved further out.
func (g *Guard) serveKnown(
	w http.ResponseWriter, r *http.Request, next http.Handler, known *identity, l middlewareOptions,
) {
	r = g.withoutStripped(r) // it may be another request by now, such as one of a batch
	err := error(nil)
	if known.ambient && !known.method.is(r.Method) {
		// A layer in between made another request of it, which may be unsafe.
		err = g.CheckOrigin(r)
	}
	if err == nil {
		err = admit(r, known.user, known.credential, l.policies)
	}
	switch {
	case err != nil:
		g.fail(w, r, failure{err: err, user: known.user, route: l.route})
	case r.Context().Value(identityKey{}) != known:
		// Another layer in between set an identity. The handler must see the user
		// that the policies admitted.
		g.pass(w, r, next, known.authenticated)
	default:
		next.ServeHTTP(w, r)
	}
}

// authenticated is what a backend proved.
type authenticated struct {
	user       User
	credential Credential
	ambient    bool // a browser may have added it, or a guard inside did not say
	method     method
}

// method is the position of a request's method in knownMethods, or what follows the last.
// It takes less room in each request than the name.
type method uint8

// The methods of RFC 9110 §9.3, RFC 5789 and RFC 4918 §9, and QUERY. Layers of one guard
// take another one for a change, and check the origin again.
var knownMethods = [...]string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch,
	http.MethodDelete, http.MethodOptions, http.MethodTrace, http.MethodConnect, "QUERY", "PROPFIND", "PROPPATCH",
	"MKCOL", "COPY", "MOVE", "LOCK", "UNLOCK", "REPORT", "SEARCH"}

func methodOf(name string) method {
	for i, known := range knownMethods {
		if name == known {
			return method(i)
		}
	}
	return method(len(knownMethods))
}

// is reports whether m stands for this method. All that are not known count as different.
func (m method) is(name string) bool { return int(m) < len(knownMethods) && knownMethods[m] == name }

// failure is an error and the backend it came from.
type failure struct {
	err     error
	backend *backendInfo // nil if no single one
	user    User         // nil if not proved
	route   string       // pattern of the router inside, or "" for that of the request
}

// authenticate asks the backends and checks what they say. With a nil failure.err, the
// request is proved, and failure.backend is the one that proved it, for a policy
// that refuses later. w may be nil.
func (g *Guard) authenticate(w http.ResponseWriter, r *http.Request, route string) (authenticated, failure) {
	asked := g.unstripped(r)
	asked, err := g.checkAuthorization(asked)
	if err != nil {
		return authenticated{}, failure{err: err}
	}
	if asked != r {
		defer func() { r.Body = asked.Body }() // a backend that read it has put it back
	}
	var (
		v    = chainResult{nested: w == nil}
		last *backendInfo // the one that has the verdict which stands
	)
	for i := range g.backends {
		b := &g.backends[i]
		user, credential, err := g.ask(b, asked, &v)
		if err == nil {
			proved, err := g.accept(r, b, user, credential, v.ambientState, route)
			if err != nil {
				setHeaders(w, v.absent, nil)
				return authenticated{}, failure{err: err, backend: b}
			}
			setHeaders(w, v.absent, credential)
			return proved, failure{backend: b}
		}
		if v.add(b.Authenticator, err) {
			setHeaders(w, v.absent, nil)
			return authenticated{}, failure{err: err, backend: b}
		}
		if v.unrecognized != nil && last == nil { // the first that stands
			last = b
		}
	}
	if v.unrecognized != nil {
		setHeaders(w, v.absent, nil)
	}
	return authenticated{}, failure{err: v.result(), backend: last}
}

// checkAuthorization refuses two Authorization lines and one that is too long: they concern
// every backend, also those that read another header. It returns r, for which backends can
// read a value that is longer than usual, if the configuration allows it.
func (g *Guard) checkAuthorization(r *http.Request) (*http.Request, error) {
	lines := r.Header["Authorization"]
	if len(lines) == 0 || len(lines) == 1 && len(lines[0]) <= MaxAuthorization {
		return r, nil
	}
	r = g.withAuthorizationLimit(r, len(lines[0]))
	if _, _, err := Authorization(r); KindOf(err) == ErrMalformed {
		return nil, err
	}
	return r, nil
}

// ask calls a backend, with a request for which it can ask the proxies, and whether this
// is a login.
func (g *Guard) ask(b *backendInfo, r *http.Request, v *chainResult) (User, Credential, error) {
	if !b.readsProxies && !g.atLogin {
		return v.ask(b.Authenticator, b.ambient, b.nests, r)
	}
	asked := g.WithProxies(r)
	user, credential, err := v.ask(b.Authenticator, b.ambient, b.nests, asked)
	r.Body = asked.Body // a backend that read it has put it back
	return user, credential, err
}

// accept checks a proof and tells the observer. It refuses a nil user, a typed nil
// credential, a UserID that is empty or reserved for a Machine, a type of user that
// could hide another one, and a credential that a page of another origin made a browser
// send.
func (g *Guard) accept(
	r *http.Request, b *backendInfo, user User, credential Credential, how ambientState, route string,
) (authenticated, error) {
	if isNil(user) {
		return authenticated{}, fmt.Errorf("%w: %s returned neither user nor error", ErrInternal, b.name)
	}
	if credential != nil && isNil(credential) {
		return authenticated{}, fmt.Errorf("%w: %s returned a typed nil credential", ErrInternal, b.name)
	}
	if id := user.UserID(); id == "" || isMachineID(id) && !isMachine(user) {
		return authenticated{}, fmt.Errorf("%w: %s returned the reserved UserID %q", ErrInternal, b.name, id)
	}
	if err := g.users.check(user); err != nil {
		return authenticated{}, err
	}
	ambient := how != ambientNo
	if ambient {
		if err := g.CheckOrigin(r); err != nil {
			return authenticated{}, err
		}
	}
	if g.config.Observer != nil {
		e := Event{Kind: EventSuccess, Backend: b.name, UserID: user.UserID(), Method: r.Method,
			Route: cmp.Or(route, r.Pattern)}
		if identified, ok := As[interface{ ID() string }](credential); ok {
			e.CredentialID = identified.ID()
		}
		g.observe(r, e)
	}
	return authenticated{user, credential, ambient || b.nests, methodOf(r.Method)}, nil
}

// pass calls next with the identity in the request's context.
func (g *Guard) pass(w http.ResponseWriter, r *http.Request, next http.Handler, proved authenticated) {
	id := &identity{Context: r.Context(), guard: g, authenticated: proved}
	h := w.Header()
	g.addVary(h)
	// Whatever the handler answers is for this user. It may say otherwise.
	if _, set := h["Cache-Control"]; !set {
		h["Cache-Control"] = private
	}
	next.ServeHTTP(w, r.WithContext(id))
}

// private is shared by all answers, so it is never changed.
var private = []string{"private"}

// passAnonymous calls next for a request without credentials. An identity that
// came from further out is hidden: the innermost guard decides.
func (g *Guard) passAnonymous(w http.ResponseWriter, r *http.Request, next http.Handler) {
	g.addVary(w.Header())
	next.ServeHTTP(w, g.anonymous(r))
}

// anonymous returns r without an identity, and with the guard's proxies.
func (g *Guard) anonymous(r *http.Request) *http.Request {
	if r.Context().Value(identityKey{}) == nil {
		return g.WithProxies(r)
	}
	return r.WithContext(&identity{Context: r.Context(), guard: g})
}

// isPreflight reports a CORS preflight (Fetch §3.2.2).
func isPreflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header["Origin"] != nil &&
		r.Header["Access-Control-Request-Method"] != nil
}

// preflight answers a CORS preflight. No protected handler sees it.
func (g *Guard) preflight(w http.ResponseWriter, r *http.Request) {
	if g.config.Preflight == nil {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	g.config.Preflight.ServeHTTP(w, g.withoutStripped(g.anonymous(r)))
}
