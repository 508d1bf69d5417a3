package auth

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
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
// names a route that was registered as "/x/{$}", if no route was as "/x/". CONNECT is
// opened only by a pattern that names it.
func Open(patterns ...string) RouteOption {
	return func(rs *rules) {
		for _, pattern := range patterns {
			rs.add(pattern, nil)
		}
	}
}

// Route asks policies about the requests that a pattern matches. A pattern means
// what it means to ServeMux: "DELETE /users/{id}" is for one method, "/users/"
// for all paths below it, and wildcards may have other names than in the router.
//
// As in ServeMux, of several patterns that match, the most specific one counts
// alone: it replaces the policies of a broader one. Beside
// Route("/admin/", isAdmin), a Route("DELETE /admin/users", fresh) is not only for
// admins, unless it names isAdmin again.
//
// A path with escaped slashes or dots is also matched as a handler would see it
// that unescapes it, and the policies of both readings are asked.
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
}

// Protect returns a handler that requires authentication of every request to
// router, except those to a route named by [Open]. A route that is added to the
// router and forgotten here is closed, and so is a path that matches no pattern:
// strangers do not learn which paths exist.
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
	rs := &rules{mux: http.NewServeMux()}
	for _, option := range options {
		if option == nil {
			rs.faults = append(rs.faults, errors.New("auth: Protect: an option is nil"))
			continue
		}
		option(rs)
	}
	return &Protected{guard: g, router: router, rules: rs}
}

// Check returns an error that names each pattern of Route or Open that can never
// apply. Call it once all routes are registered.
//
// It asks the router about example requests, so it cannot see every route. Where
// it reports a tree, such as "/admin/", below which only fixed paths are
// registered, register a handler for the tree too, such as http.NotFoundHandler().
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
			p.guard.Refuse(w, r, fmt.Errorf("%w: %w", ErrInternal, err))
			return
		}
	}
	route := p.route(r)
	switch open, policies := p.rules.decide(route); {
	case open && p.opens(r, route):
		p.router.ServeHTTP(w, p.guard.withoutStripped(p.guard.WithProxies(r)))
	case len(policies) == 0:
		p.guard.serve(w, r, p.router, nil, false)
	default:
		p.guard.serve(w, route.request(r), p.router, policies, false)
	}
}

// routed is a request with the route to which the router will send it.
type routed struct {
	pattern pattern     // of the route
	known   bool        // there is a route, in the form of ServeMux
	values  [][2]string // of its wildcards
	targets []target    // the path as the router reads it and, if that differs, as a handler might
}

// route asks the router where r will go.
func (p *Protected) route(r *http.Request) routed {
	escaped := r.URL.EscapedPath()
	if r.Method != http.MethodConnect {
		escaped = cleanPath(escaped)
	}
	var to routed
	if _, matched := p.router.Handler(r); matched != "" {
		to.pattern, to.known = splitPattern(matched)
	}
	t := targetOf(r, escaped)
	if values, ok := to.pattern.matches(t); ok {
		to.values = values
	} else if slashed := targetOf(r, escaped+"/"); to.known && !t.slashed {
		// The router redirects to the tree of that name.
		if _, ok := to.pattern.matches(slashed); ok {
			t = slashed
		}
	}
	to.targets = []target{t}
	if plain := cleanPath(r.URL.Path); plain != escaped {
		to.targets = append(to.targets, targetOf(r, (&url.URL{Path: plain}).EscapedPath()))
	}
	return to
}

// request returns a copy of r with the Pattern and the path values that the router
// will set, because policies run before it does.
func (to routed) request(r *http.Request) *http.Request {
	if !to.known {
		return r
	}
	r = r.Clone(r.Context()) // with path values of its own
	r.Pattern = to.pattern.text
	for _, value := range to.values {
		r.SetPathValue(value[0], value[1])
	}
	return r
}

// opens reports whether the rules that open a route are about this very route.
func (p *Protected) opens(r *http.Request, to routed) bool {
	if !to.known {
		return false
	}
	for _, t := range to.targets {
		rule := p.rules.find(t) // not nil: all readings are open
		if rule.pattern.host != to.pattern.host || !rule.pattern.samePath(to.pattern) ||
			r.Method == http.MethodConnect && rule.pattern.method != http.MethodConnect {
			return false
		}
		if rule.pattern.end == endsTree && to.pattern.end == endsExact && rule.hasTree(p.router, r) {
			return false // that other route is the one that is open
		}
	}
	return true
}

// rules are the exceptions of a Protected.
type rules struct {
	mux    *http.ServeMux // refuses a pattern where it could not be said which is more specific
	all    []*rule
	faults []error
}

// rule is one exception.
type rule struct {
	pattern  pattern
	policies []Policy // nil opens the route
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
	if err := register(rs.mux, text, http.NotFoundHandler()); err != nil {
		rs.faults = append(rs.faults, err)
		return
	}
	rs.all = append(rs.all, &rule{parsed, policies})
}

// find returns the rule that is the most specific for a target, or nil.
func (rs *rules) find(t target) (found *rule) {
	for _, each := range rs.all {
		if _, ok := each.pattern.matches(t); ok && (found == nil || each.pattern.beats(found.pattern)) {
			found = each
		}
	}
	return found
}

// decide returns the policies that apply to a request, and whether all of its
// readings are open.
func (rs *rules) decide(to routed) (open bool, policies []Policy) {
	open = true
	var asked []*rule
	for _, t := range to.targets {
		rule := rs.find(t)
		if rule == nil || rule.policies != nil {
			open = false
		}
		if rule != nil && !slices.Contains(asked, rule) {
			asked = append(asked, rule)
			policies = append(slices.Clip(policies), rule.policies...)
		}
	}
	return open, policies
}

// hasTree reports whether the router has a route for the whole tree of the rule.
func (ru *rule) hasTree(router Router, r *http.Request) bool {
	for _, example := range ru.pattern.examples() {
		if example.Method != r.Method {
			continue
		}
		example.Host = r.Host
		if _, matched := router.Handler(example); matched != "" {
			if route, ok := splitPattern(matched); ok && route.end == endsTree && ru.pattern.samePath(route) {
				return true
			}
		}
	}
	return false
}

// check returns an error if no route of the router is one that the rule is about.
func (ru *rule) check(router Router) error {
	p := ru.pattern
	if ru.policies != nil && p.end == endsTree && p.host == "" && len(p.segments) == 0 {
		return nil // "/" is about whatever there is
	}
	served := ""
	for _, r := range p.examples() {
		_, matched := router.Handler(r)
		route, ok := splitPattern(matched)
		if matched == "" || !ok {
			continue
		}
		if p.host == route.host && p.samePath(route) || ru.policies != nil && p.covers(route) {
			return nil
		}
		served = matched
	}
	if served != "" {
		return fmt.Errorf("auth: Protect: no route is registered as %q. Such requests are served by %q: name that "+
			"pattern, or guard the routes behind it there", p.text, served)
	}
	hint := ""
	if p.end == endsTree {
		hint = ". For a whole tree of fixed paths, register a handler for the tree too, such as http.NotFoundHandler()"
	}
	return fmt.Errorf("auth: Protect: no route is registered as %q%s", p.text, hint)
}
