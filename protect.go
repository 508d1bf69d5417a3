package auth

import "net/http"

// Router is a handler that can tell which of its patterns a request matches,
// as [*net/http.ServeMux] can.
type Router interface {
	http.Handler
	Handler(r *http.Request) (h http.Handler, pattern string)
}

// RouteOption is an exception to what [Guard.Protect] requires.
type RouteOption func(*routes)

type routes struct {
	open     map[string]bool
	policies map[string][]Policy
}

// Open leaves the routes of these patterns to everybody: their requests are
// not authenticated at all. A pattern must be written as it was registered.
func Open(patterns ...string) RouteOption {
	return func(rs *routes) {
		for _, pattern := range patterns {
			rs.open[pattern] = true
		}
	}
}

// Route asks policies of the requests that match a pattern, which must be
// written as it was registered.
func Route(pattern string, policies ...Policy) RouteOption {
	return func(rs *routes) { rs.policies[pattern] = append(rs.policies[pattern], policies...) }
}

// Protect returns a handler that requires authentication of every request to
// router but those that match a pattern named by [Open]. A route that is added
// to the router and forgotten here is closed, and so is a path that matches no
// pattern: strangers learn nothing of which paths exist.
//
//	http.ListenAndServe(addr, guard.Protect(mux,
//		auth.Open("GET /healthz", "POST /auth/login/"),
//		auth.Route("DELETE /users/{id}", auth.UserIs(isAdmin))))
//
// A pattern that is both opened and given policies is closed.
func (g *Guard) Protect(router Router, options ...RouteOption) http.Handler {
	rs := routes{open: make(map[string]bool), policies: make(map[string][]Policy)}
	for _, option := range options {
		option(&rs)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, pattern := router.Handler(r)
		policies, restricted := rs.policies[pattern]
		if pattern != "" && rs.open[pattern] && !restricted {
			router.ServeHTTP(w, g.withoutStripped(r))
			return
		}
		g.serve(w, r, router, policies, false)
	})
}
