package auth

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// Router is a handler that can tell which of its patterns a request matches,
// as [*net/http.ServeMux] can. The patterns are those of ServeMux.
//
// Other routers have other rules, such as for escaped slashes, so that a pattern
// here could miss a request that they serve. Put guard.Require into their own
// middleware instead.
type Router interface {
	http.Handler
	Handler(r *http.Request) (h http.Handler, pattern string)
}

// RouteOption is a rule for some routes of [Guard.Protect].
type RouteOption func(*rules)

// Open makes the routes of these patterns public: their requests are not
// authenticated at all. A pattern opens the route that was registered with it,
// whatever its wildcards are called, and not a more specific one below it or one of
// another host. One without a method opens all methods of that path. "/x/" also
// opens a route "/x/{$}" below which nothing is registered. CONNECT is opened only by
// a pattern that names it.
//
// A path with an escape is open only if the unescaped path is open too: a handler may
// unescape it.
func Open(patterns ...string) RouteOption {
	return func(rs *rules) {
		for _, pattern := range patterns {
			rs.add(pattern, nil)
		}
	}
}

// Route asks policies about the requests to every route that a pattern covers:
// "DELETE /users/{id}" is for one method of one path, "/users/" for all routes below
// it. Wildcards may have other names than in the router.
//
// As in ServeMux, of several patterns the most specific one counts alone: it
// replaces the policies of a broader one. Beside Route("/admin/", isAdmin), a
// Route("DELETE /admin/users", fresh) is not only for admins, unless it names isAdmin
// again. Where two cross, such as "/acme/" and "/{tenant}/admin/", both are asked. So
// are those of a pattern that matches a request which a broader route serves, because
// its own route has other methods.
//
// A pattern must be as broad as the route: one of a single value of a wildcard, such as
// "/users/admin" where the router has "/users/{id}", is an error of [Protected.Check].
//
// For a path with an escape, the policies of the unescaped path are asked too, with the
// path values of that one, because a handler may unescape it.
func Route(pattern string, policies ...Policy) RouteOption {
	policies = append([]Policy{}, policies...)
	return func(rs *rules) { rs.add(pattern, policies) }
}

// Protected is a router behind a guard: see [Guard.Protect]. It is safe for
// concurrent use.
type Protected struct {
	guard   *Guard
	router  Router
	rules   *rules
	checked atomic.Bool // Check returned nil
	logged  sync.Map    // routes that logClosedRoute has logged
}

// Protect returns a handler that requires authentication of every request to
// router, except those to a route named by [Open]. A route that is added to the
// router and forgotten here is closed, and so is a path that matches no pattern:
// strangers do not learn which paths exist. A path with an escaped "." or ".." between
// its slashes is answered with 400: handlers such as http.FileServer take these out,
// and could then serve another route's files.
//
//	app := guard.Protect(mux,
//		auth.Open("GET /healthz"), handlers.Open("/auth"),
//		auth.Route("DELETE /users/{id}", auth.UserIs(isAdmin)))
//	if err := app.Check(); err != nil {
//		log.Fatal(err)
//	}
//
// Policies see the request as the handler will, with its Pattern and PathValue.
// A pattern that is both opened and given policies is closed. Handlers have a
// method Open that names what they authenticate themselves.
//
// A pattern that no route is registered for is a mistake that would leave a
// route without its policies. [Protected.Check] returns it as an error. Until
// Check has returned nil, it is called by every request, and if it fails, every
// request is answered with 500 and the log names the pattern.
func (g *Guard) Protect(router Router, options ...RouteOption) *Protected {
	rs := &rules{}
	for _, option := range options {
		if option == nil {
			rs.faults = append(rs.faults, errors.New("auth: Protect: an option is nil"))
			continue
		}
		option(rs)
	}
	return &Protected{guard: g, router: router, rules: rs}
}

// Check returns an error that names each pattern of Route or Open for which it finds no
// route. Call it once all routes are registered. Route("/") needs no route.
//
// It asks the router about example requests, so it cannot see every route. Where it
// reports a Route for a tree, such as "/admin/", below which only fixed paths are
// registered, name each route, or register a handler for the tree too, such as
// http.NotFoundHandler().
func (p *Protected) Check() error {
	if p.guard == nil || isNil(p.router) {
		return errors.New("auth: Protect was called with a nil guard or router")
	}
	err := errors.Join(p.rules.faults...)
	for _, rule := range p.rules.all {
		if fault := rule.check(p.router); fault != nil {
			err = errors.Join(err, fault)
		}
	}
	if err == nil {
		p.checked.Store(true)
	}
	return err
}

// ServeHTTP authenticates r, asks the policies of its route and calls the router.
func (p *Protected) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !p.checked.Load() {
		if err := p.Check(); err != nil {
			p.guard.Refuse(w, p.guard.withoutStripped(r), fmt.Errorf("%w: %w", ErrInternal, err))
			return
		}
	}
	if hasEscapedDots(r) {
		p.guard.Refuse(w, p.guard.withoutStripped(r), errEscapedDots)
		return
	}
	found := p.access(r)
	if found.open {
		p.router.ServeHTTP(w, p.guard.withoutStripped(p.guard.WithProxies(r)))
		return
	}
	l := middlewareOptions{policies: found.policies, route: found.route}
	if !found.named {
		l.closed = p
	}
	p.guard.serve(w, found.request, p.router, l)
}

// access is what the rules say of a request.
type access struct {
	request  *http.Request // with the pattern and the path values that policies see
	route    string        // the pattern that the router serves, or ""
	open     bool
	named    bool // Route or Open names the route
	policies []Policy
}

// access finds the rules for r, and for its path without escapes: see [Route].
func (p *Protected) access(r *http.Request) access {
	found := access{request: r, open: true}
	for i, read := range p.pathReadings(r) {
		asSent := i == 0
		if asSent {
			found.route = read.route.text
		}
		if asSent && found.route == "" {
			found.open = false // 404 or 405 for a user that is signed in
			continue
		}
		matched, open := p.rules.find(read)
		found.open, found.named = found.open && open, found.named || len(matched) > 0 || open
		for _, each := range matched {
			if asSent && each.route.text == read.route.text {
				found.addOwn(each)
			} else {
				found.addRead(each, read)
			}
		}
	}
	return found
}

// addOwn adds the policies of a rule that see the route which the router serves.
func (a *access) addOwn(matched matchedRule) {
	if len(matched.policies) > 0 {
		a.request, _ = withRoute(a.request, matched.route)
		a.policies = append(a.policies, matched.policies...)
	}
}

// addRead adds the policies of a rule that see the request as another reading of its path, or
// with another route.
func (a *access) addRead(matched matchedRule, read pathReading) {
	for _, policy := range matched.policies {
		a.policies = append(a.policies, read.wrapPolicy(policy, matched.route))
	}
}

// logClosedRoute logs once for each route that a request without credentials was refused, and
// what to do if the route should be open, because the answer looks like that of a login
// which did not read its body. There are as many routes as the router has patterns.
func (p *Protected) logClosedRoute(r *http.Request, route string) {
	if route == "" {
		return
	}
	if _, logged := p.logged.LoadOrStore(route, true); !logged {
		p.guard.Logger().InfoContext(r.Context(), "auth: a request without credentials was refused, because Protect "+
			"closes this route. If its handler authenticates by itself, as a login does, name it with auth.Open or "+
			"with the method Open of its handlers", "route", route, "method", r.Method)
	}
}

// rules are what a Protected knows of its routes: which are open, and the policies.
type rules struct {
	all    []*rule
	faults []error
}

// rule is one Route, or one pattern of Open.
type rule struct {
	pattern  pattern
	policies []Policy    // nil opens the route
	below    atomic.Bool // check found that the tree itself, or a route below it, is registered
}

// add adds the rule of a pattern. A nil policies opens it.
func (rs *rules) add(text string, policies []Policy) {
	parsed, err := parsePattern(text)
	if err == nil && slices.ContainsFunc(policies, func(policy Policy) bool { return policy == nil }) {
		err = fmt.Errorf("auth: Protect: a policy of %q is nil", text)
	}
	if err != nil {
		rs.faults = append(rs.faults, err)
		return
	}
	for _, other := range rs.all {
		if !other.pattern.same(parsed) {
			continue
		}
		// Open and Route together are closed.
		if policies != nil {
			other.policies = append(append([]Policy{}, other.policies...), policies...)
		}
		return
	}
	rs.all = append(rs.all, &rule{pattern: parsed, policies: policies})
}

// opens reports whether the rule opens a route for a method.
func (ru *rule) opens(route pattern, method string) bool {
	p := ru.pattern
	switch {
	case ru.policies != nil, p.host != route.host, !p.samePath(route),
		p.method != "" && route.method != "" && !route.takes(p.method),
		method == http.MethodConnect && p.method != http.MethodConnect:
		return false
	case p.end == route.end:
		return true
	case p.end == endsTree: // for an exact route
		return !ru.below.Load() && slices.Contains(exampleMethods[:], method)
	}
	return false
}

// check returns an error if no route of the router is one that the rule is about.
func (ru *rule) check(router Router) error {
	p, found := ru.pattern, ru.search(router)
	ru.below.Store(p.end == endsTree && found.pattern || found.below != "")
	if !found.method {
		return fmt.Errorf("auth: Protect: %q is no method that is in common use, and no route of %q names it. "+
			"Is it misspelled?", p.method, p.text)
	}
	// Policies are good for a tree, and for routes below it.
	isRoot := p.end == endsTree && p.host == "" && len(p.segments) == 0
	if ru.policies != nil && (found.exact || found.below != "" || isRoot) {
		return nil
	}
	// Open needs a route of the pattern itself.
	if found.pattern || found.exact && found.below == "" {
		return nil
	}
	return ru.fault(found.below, found.other)
}

// registered is what a router has for the pattern of a rule.
type registered struct {
	method  bool   // the method is in common use, or a route has it
	pattern bool   // a route of this very pattern
	exact   bool   // the pattern is a tree "/x/", and there is a route "/x/{$}"
	below   string // a route that the pattern covers, or ""
	other   string // a route that serves the requests in place of the pattern, or ""
}

// search asks the router about the examples of the rule's pattern.
func (ru *rule) search(router Router) registered {
	p := ru.pattern
	found := registered{method: p.method == "" || slices.Contains(exampleMethods[:], p.method)}
	for _, r := range p.examples() {
		_, matched := router.Handler(r)
		route, ok := splitPattern(matched)
		found.method = found.method || route.method == p.method
		samePath := p.host == route.host && p.samePath(route)
		switch {
		case matched == "" || !ok:
		case samePath && p.end == route.end:
			found.pattern = true
		case samePath && p.end == endsTree:
			found.exact = true
		case p.covers(route):
			found.below = matched
		default:
			found.other = matched
		}
	}
	return found
}

// fault says what is wrong with a rule that is about no route.
func (ru *rule) fault(covered, elsewhere string) error {
	text, hint := ru.pattern.text, "Is it misspelled? If the route has a host or a rare method, name that too"
	switch {
	case covered != "":
		hint = fmt.Sprintf("Open opens no route below it, such as %q: name each route, and a page of that path alone "+
			"with {$} at its end", covered)
	case ru.pattern.host != "" && !strings.ContainsAny(ru.pattern.host, ".:"):
		hint = fmt.Sprintf("It is for the host %q. If that is a part of the path, a slash is missing before it",
			ru.pattern.host)
	case elsewhere != "":
		hint = fmt.Sprintf("Such requests are served by %q: register a route of that pattern, name the one that "+
			"serves it, or guard the routes behind it there", elsewhere)
	case ru.pattern.end == endsTree && ru.policies != nil:
		hint = "Name each route, or for a whole tree of fixed paths register a handler for the tree too, such as " +
			"http.NotFoundHandler()"
	}
	return fmt.Errorf("auth: Protect: no route is registered as %q. %s", text, hint)
}
