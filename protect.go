package auth

import (
	"errors"
	"fmt"
	"net/http"
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

// RouteOption is an exception to what [Guard.Protect] requires.
type RouteOption func(*rules)

// Open leaves the routes of these patterns to everybody: their requests are not
// authenticated at all. A pattern opens the route that was registered with it,
// whatever its wildcards are called, and not a more specific one below it. As in
// ServeMux, one without a method opens all methods, and "/x/" also names a route
// that was registered as "/x/{$}".
func Open(patterns ...string) RouteOption {
	return func(rs *rules) {
		for _, pattern := range patterns {
			rs.add(pattern, nil)
		}
	}
}

// Route asks policies about the requests that a pattern matches. A pattern means
// what it means to ServeMux: "DELETE /users/{id}" is for one method, "/users/"
// for all paths below it, wildcards may have other names than in the router, and
// of several patterns that match, the most specific one counts alone.
func Route(pattern string, policies ...Policy) RouteOption {
	return func(rs *rules) {
		if policies == nil {
			policies = []Policy{}
		}
		rs.add(pattern, policies)
	}
}

// Protected is a router behind a guard; see [Guard.Protect]. It is safe for
// concurrent use.
type Protected struct {
	guard  *Guard
	router Router
	rules  *rules

	checked atomic.Bool // Check returned nil
	probes  sync.Map    // of the router's patterns: *http.ServeMux
	parsed  sync.Map    // of the router's patterns: pattern
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
		option(rs)
	}
	return &Protected{guard: g, router: router, rules: rs}
}

// Check returns an error that names each pattern of Route or Open that can never
// apply. Call it once all routes are registered.
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
			if p.guard == nil {
				p.guard.serve(w, r, p.router, nil, false) // 500
				return
			}
			p.guard.fail(w, r, failure{err: fmt.Errorf("%w: %w", ErrInternal, err)})
			return
		}
	}
	rule := p.rules.find(r)
	if rule == nil {
		p.guard.serve(w, r, p.router, nil, false)
		return
	}
	_, matched := p.router.Handler(r)
	if rule.policies == nil {
		if matched != "" && rule.pattern.samePath(p.parse(matched)) {
			p.router.ServeHTTP(w, p.guard.withoutStripped(p.guard.WithProxies(r)))
			return
		}
		p.guard.serve(w, r, p.router, nil, false)
		return
	}
	p.guard.serve(w, p.routed(r, matched), p.router, rule.policies, false)
}

// parse takes a pattern of the router apart, once. One that is not of ServeMux is
// the zero pattern, whose path no rule has.
func (p *Protected) parse(text string) pattern {
	if known, ok := p.parsed.Load(text); ok {
		return known.(pattern)
	}
	parsed, _ := parsePattern(text)
	p.parsed.Store(text, parsed)
	return parsed
}

// routed returns a copy of r with the Pattern and the path values that the router
// will set, because policies run before it does.
func (p *Protected) routed(r *http.Request, matched string) *http.Request {
	if matched == "" {
		return r
	}
	probe, ok := p.probes.Load(matched)
	if !ok {
		mux := http.NewServeMux()
		mux.HandleFunc(matched, func(w http.ResponseWriter, r *http.Request) {
			w.(*captured).r = r
		})
		probe, _ = p.probes.LoadOrStore(matched, mux)
	}
	var seen captured
	probe.(*http.ServeMux).ServeHTTP(&seen, r.WithContext(r.Context()))
	if seen.r == nil { // a redirect to a clean path, which has no path values
		return r
	}
	return seen.r
}

// captured is where the handler of a probe leaves the request.
type captured struct {
	http.ResponseWriter
	r *http.Request
}

func (*captured) Header() http.Header         { return make(http.Header) }
func (*captured) Write(b []byte) (int, error) { return len(b), nil }
func (*captured) WriteHeader(int)             {}

// rules are the exceptions of a Protected, matched as ServeMux matches.
type rules struct {
	mux    *http.ServeMux
	all    []*rule
	faults []error
}

// rule is one exception.
type rule struct {
	pattern  pattern
	policies []Policy // nil opens the route
}

// ServeHTTP is what makes a rule a handler that find can get from a ServeMux.
func (*rule) ServeHTTP(http.ResponseWriter, *http.Request) {}

// add adds the rule of a pattern. A nil policies opens it.
func (rs *rules) add(text string, policies []Policy) {
	parsed, err := parsePattern(text)
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
	added := &rule{parsed, policies}
	if err := register(rs.mux, text, added); err != nil {
		rs.faults = append(rs.faults, err)
		return
	}
	rs.all = append(rs.all, added)
}

// register adds a pattern to a mux, and returns as an error what the mux thinks
// of it.
func register(mux *http.ServeMux, pattern string, h http.Handler) (err error) {
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("auth: Protect: pattern %q: %v", pattern, fault)
		}
	}()
	mux.Handle(pattern, h)
	return nil
}

// find returns the rule that is the most specific for r, or nil.
func (rs *rules) find(r *http.Request) *rule {
	h, matched := rs.mux.Handler(r)
	if matched == "" {
		return nil
	}
	if found, ok := h.(*rule); ok {
		return found
	}
	// The mux would redirect to a clean path. The pattern is that of its rule.
	for _, each := range rs.all {
		if each.pattern.text == matched {
			return each
		}
	}
	return nil
}

// check returns an error if no route of the router is one that the rule is about.
func (ru *rule) check(router Router) error {
	p := ru.pattern
	if ru.policies != nil && p.tree && p.host == "" && len(p.segments) == 0 {
		return nil // of the whole site
	}
	served := ""
	for _, r := range p.examples() {
		_, matched := router.Handler(r)
		if matched == "" {
			continue
		}
		if p.names(matched) || ru.policies != nil && p.covers(matched) {
			return nil
		}
		served = matched
	}
	if served != "" {
		return fmt.Errorf("auth: Protect: no route is registered as %q. Such requests are served by %q: name that pattern, "+
			"or guard the routes behind it there", p.text, served)
	}
	hint := ""
	if strings.HasSuffix(p.path, "/") {
		hint = ". To give policies to a whole tree, register a handler for the tree too, such as http.NotFoundHandler()"
	}
	return fmt.Errorf("auth: Protect: no route is registered as %q%s", p.text, hint)
}
