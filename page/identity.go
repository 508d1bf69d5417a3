package page

import (
	"context"
	"net/http"

	"github.com/gatewarden/auth"
)

// guardKey is the key of the guard that [WithGuard] keeps in a request.
type guardKey struct{}

// WithGuard returns r with a guard that [Site.Layout] asks about the signed-in user, if no middleware has proved
// r. It is for pages that everybody sees, such as errors and 404. What the guard says changes the look of a page
// only.
func WithGuard(r *http.Request, guard *auth.Guard) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), guardKey{}, guard))
}

// SignedOut returns r without its user, for the page that follows a logout.
func SignedOut(r *http.Request) *http.Request {
	ctx := context.WithValue(r.Context(), guardKey{}, (*auth.Guard)(nil))
	return r.WithContext(auth.WithIdentity(ctx, nil, nil))
}

// identified returns r with its user, and reports whether it is known if there is one.
func identified(r *http.Request) (*http.Request, bool) {
	if _, ok := auth.UserFrom[auth.User](r.Context()); ok {
		return r, true
	}
	guard, _ := r.Context().Value(guardKey{}).(*auth.Guard)
	if guard == nil {
		return r, true
	}
	user, credential, err := guard.Authenticate(r)
	switch {
	case err != nil && auth.KindOf(err) == auth.ErrNoCredentials:
		return r, true
	case err != nil:
		return r, false
	}
	return r.WithContext(auth.WithIdentity(r.Context(), user, credential)), true
}
