package auth

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Policy decides whether a proved request may go on. It returns nil to agree
// and an error to refuse: ErrInsufficient, which is answered with 403, or an
// [Error] of that kind with more to say. An error of another kind is answered as that
// kind is. One without a kind says that it cannot be decided, and is answered with 503.
// The credential may be nil.
type Policy func(r *http.Request, user User, credential Credential) error

// errMachinesAllowed is how AllowMachines agrees: it says more than nil.
var errMachinesAllowed error = &Error{Kind: ErrInsufficient, Detail: "machines allowed"}

// errNilPolicy refuses what no policy decided.
var errNilPolicy = fmt.Errorf("%w: nil policy", ErrInternal)

// admit runs policies over a proved request.
func admit(r *http.Request, user User, credential Credential, policies []Policy) error {
	switch err := askAll(policies, r, user, credential); {
	case err == errMachinesAllowed:
		return nil
	case err != nil:
		return err
	case isMachine(user):
		return &Error{Kind: ErrInsufficient, Detail: "This resource is for users only."}
	}
	return nil
}

func isMachine(user User) bool {
	if _, ok := As[Machine](user); ok {
		return true
	}
	_, ok := As[*Machine](user)
	return ok
}

// AllowMachines is the policy of a route that is also for programs with no
// user behind them: see [Machine]. It admits everything, so what machines
// need besides goes into the same [All] or the same list.
func AllowMachines(*http.Request, User, Credential) error { return errMachinesAllowed }

// All admits if every policy does, and refuses as the first that does not.
func All(policies ...Policy) Policy {
	return func(r *http.Request, user User, credential Credential) error {
		return askAll(policies, r, user, credential)
	}
}

func askAll(policies []Policy, r *http.Request, user User, credential Credential) (agreed error) {
	for _, policy := range policies {
		if policy == nil {
			return errNilPolicy
		}
		switch err := policy(r, user, credential); err {
		case nil:
		case errMachinesAllowed:
			agreed = err
		default:
			return err
		}
	}
	return agreed
}

// Any admits if some policy does. If no policy does, it refuses as the last one.
// One that cannot decide ends the search, since it might have agreed. Any of
// no policies refuses.
func Any(policies ...Policy) Policy {
	return func(r *http.Request, user User, credential Credential) error {
		refusal := ErrInsufficient
		agreed := false
		for _, policy := range policies {
			if policy == nil {
				return errNilPolicy
			}
			err := policy(r, user, credential)
			switch {
			case err == errMachinesAllowed:
				return err
			case err == nil && !isMachine(user):
				return nil
			case err == nil:
				agreed = true // and perhaps another branch allows machines
			case KindOf(err) != ErrInsufficient:
				return err
			default:
				refusal = err
			}
		}
		if agreed {
			return nil
		}
		return refusal
	}
}

// FullAccessOr admits credentials with full access, and those that are limited
// to scopes and have all of these. It is the policy of a route that users call
// with their own session or token, and applications with one that was limited.
// Without scopes it is [FullAccess].
func FullAccessOr(scopes ...string) Policy { return Any(FullAccess, Scopes(scopes...)) }

// Scopes admits credentials that are limited to scopes and have all of these. It
// refuses those with full access: a route that names a scope is meant for
// credentials that were given it. [FullAccessOr] admits both. Without scopes it refuses
// everybody.
func Scopes(all ...string) Policy {
	refusal := insufficientScope(all)
	return func(_ *http.Request, _ User, credential Credential) error {
		have, limited := scopesOf(credential)
		if !limited || len(all) == 0 {
			return refusal
		}
		for _, scope := range all {
			if !slices.Contains(have, scope) {
				return refusal
			}
		}
		return nil
	}
}

// AnyScope admits credentials that are limited to scopes and have at least one
// of these. It refuses those with full access, as [Scopes] does.
func AnyScope(some ...string) Policy {
	refusal := insufficientScope(some)
	return func(_ *http.Request, _ User, credential Credential) error {
		have, limited := scopesOf(credential)
		if limited && slices.ContainsFunc(some, func(s string) bool { return slices.Contains(have, s) }) {
			return nil
		}
		return refusal
	}
}

// FullAccess admits credentials that are not limited to scopes, such as a user's
// own session, as opposed to one given to a third party. A nil credential is not
// limited. One without [Scoped] is limited to nothing.
func FullAccess(_ *http.Request, _ User, credential Credential) error {
	if _, limited := scopesOf(credential); limited {
		return ErrInsufficient
	}
	return nil
}

// ReadOnlyOr agrees with the safe methods GET, HEAD, OPTIONS and TRACE (RFC
// 9110 §9.2.1), and with others if policy does.
func ReadOnlyOr(policy Policy) Policy {
	return func(r *http.Request, user User, credential Credential) error {
		switch r.Method {
		case "", http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
			return nil
		}
		return policy(r, user, credential)
	}
}

// UserIs admits if is returns true. It refuses users of another type than U.
//
//	guard.Require(auth.UserIs(func(u *app.User) bool { return u.Admin }))
func UserIs[U User](is func(U) bool) Policy {
	return func(_ *http.Request, user User, _ Credential) error {
		if u, ok := As[U](user); ok && is(u) {
			return nil
		}
		return ErrInsufficient
	}
}

// Fresh admits if the user proved their identity at most maxAge ago, and, if any
// acr is given, in one of these authentication contexts. It refuses with 401
// and insufficient_user_authentication, which tells a client what to ask for
// (RFC 9470). A maxAge of 0 or less asks for the context alone. Credentials
// that do not know of a login are refused.
func Fresh(maxAge time.Duration, acr ...string) Policy {
	refusal := &Error{Kind: ErrInsufficient, Code: CodeInsufficientUserAuthentication, Status: http.StatusUnauthorized,
		Detail: "A more recent or stronger authentication is required."}
	if maxAge > 0 {
		refusal.Params = append(refusal.Params, Param{"max_age", strconv.FormatInt(int64(maxAge/time.Second), 10)})
	}
	if len(acr) > 0 {
		refusal.Params = append(refusal.Params, Param{"acr_values", strings.Join(acr, " ")})
	}
	return func(_ *http.Request, _ User, credential Credential) error {
		informer, ok := As[AuthInformer](credential)
		if !ok {
			return refusal
		}
		info := informer.AuthInfo()
		if maxAge > 0 && (info.AuthTime.IsZero() || time.Since(info.AuthTime) > maxAge) {
			return refusal
		}
		if len(acr) > 0 && !slices.Contains(acr, info.ACR) {
			return refusal
		}
		return nil
	}
}

func scopesOf(credential Credential) (scopes []string, limited bool) {
	if credential == nil {
		return nil, false
	}
	if scoped, ok := As[Scoped](credential); ok {
		return scoped.Scopes()
	}
	return nil, true
}

// insufficientScope is the refusal of RFC 6750 §3.1 that names the scopes.
func insufficientScope(scopes []string) error {
	return &Error{Kind: ErrInsufficient, Params: []Param{{"scope", strings.Join(scopes, " ")}}}
}
