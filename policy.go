package auth

import (
	"errors"
	"fmt"
	"net/http"
	"reflect"
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
var errMachinesAllowed error = &Error{Kind: ErrInsufficient, Detail: "machines allowed",
	Cause: errors.New("auth.AllowMachines was called, and its answer was not understood")}

// errNilPolicy refuses what no policy decided.
var errNilPolicy = fmt.Errorf("%w: nil policy", ErrInternal)

// admit runs policies over a proved request.
func admit(r *http.Request, user User, credential Credential, policies []Policy) error {
	switch err := askAll(policies, r, user, credential); {
	case err == errMachinesAllowed:
		return nil
	case err != nil && KindOf(err) == nil:
		return fmt.Errorf("a policy of the route cannot decide: %w", err)
	case err != nil:
		return err
	case isMachine(user):
		return errMachine
	}
	return nil
}

var errMachine error = &Error{Kind: ErrInsufficient, Detail: "This resource is for users only.",
	Cause: errors.New("the credential stands for a program and not for a user, and the route does not have " +
		"auth.AllowMachines")}

// isMachine reports whether user is a Machine or wraps one, as As would find it.
func isMachine(user User) bool {
	v := any(user)
	for range maxWrapped {
		switch v.(type) {
		case nil:
			return false
		case Machine, *Machine:
			return true
		}
		v = unwrapped(v)
	}
	return false
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
		refusal := errNoPolicy
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
				agreed = true // a later policy may be AllowMachines, and admit refuses a machine without it
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

var errNoPolicy = insufficient("auth.Any was called without policies")

// insufficient is a refusal in the words of its kind, with a cause for the log.
func insufficient(why string) error { return &Error{Kind: ErrInsufficient, Cause: errors.New(why)} }

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
	all = slices.Clone(all)
	params := []Param{{"scope", strings.Join(all, " ")}}
	return func(_ *http.Request, _ User, credential Credential) error {
		have, limited := scopesOf(credential)
		missing := slices.ContainsFunc(all, func(scope string) bool { return !slices.Contains(have, scope) })
		if !limited || len(all) == 0 || missing {
			return insufficientScope(params, scopeError{credential, "all", all})
		}
		return nil
	}
}

// AnyScope admits credentials that are limited to scopes and have at least one
// of these. It refuses those with full access, as [Scopes] does.
func AnyScope(some ...string) Policy {
	some = slices.Clone(some)
	params := []Param{{"scope", strings.Join(some, " ")}}
	return func(_ *http.Request, _ User, credential Credential) error {
		have, limited := scopesOf(credential)
		if limited && slices.ContainsFunc(some, func(s string) bool { return slices.Contains(have, s) }) {
			return nil
		}
		return insufficientScope(params, scopeError{credential, "one", some})
	}
}

// FullAccess admits credentials that are not limited to scopes, such as a user's
// own session, as opposed to one given to a third party. A nil credential is not
// limited. One without [Scoped] is limited to nothing.
func FullAccess(_ *http.Request, _ User, credential Credential) error {
	switch _, limited := scopesOf(credential); {
	case !limited:
		return nil
	case whyLimited(credential) != "":
		return &Error{Kind: ErrInsufficient, Cause: limitError{credential}}
	}
	return errLimited
}

var errLimited = insufficient(limitedText)

const limitedText = "the credential is limited to scopes, and the route asks for full access. See auth.FullAccessOr"

// limitError is why FullAccess refuses a credential that says why it is limited.
type limitError struct{ credential Credential }

func (e limitError) Error() string { return limitedText + ". " + whyLimited(e.credential) }

// whyLimited returns what a credential says of its limit, or "".
func whyLimited(credential Credential) string {
	if explainer, ok := As[LimitExplainer](credential); ok {
		return explainer.WhyLimited()
	}
	return ""
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
		u, ok := As[U](user)
		switch {
		case !ok:
			return &Error{Kind: ErrInsufficient, Cause: userTypeError{user, reflect.TypeFor[U]()}}
		case !is(u):
			return errNotAdmitted
		}
		return nil
	}
}

var errNotAdmitted = insufficient("the function of auth.UserIs did not admit the user")

// userTypeError is why UserIs refuses a user of another type.
type userTypeError struct {
	user User
	want reflect.Type
}

func (e userTypeError) Error() string {
	return fmt.Sprintf("the user is a %T, and auth.UserIs asks for a %v. A decorator around a user needs a method "+
		"Unwrap() auth.User", e.user, e.want)
}

// Fresh admits if the user proved their identity at most maxAge ago, and, if any
// acr is given, in one of these authentication contexts. A login more than a minute in the
// future is not believed. It refuses with 401
// and insufficient_user_authentication, which tells a client what to ask for
// (RFC 9470). A maxAge of 0 or less asks for the context alone. Credentials
// that do not know of a login are refused.
func Fresh(maxAge time.Duration, acr ...string) Policy {
	refusal := &Error{Kind: ErrInsufficient, Code: CodeInsufficientUserAuthentication, Status: http.StatusUnauthorized,
		Detail: "A more recent or stronger authentication is required.", Cause: errors.New("see auth.Fresh")}
	if maxAge > 0 {
		refusal.Params = append(refusal.Params, Param{"max_age", strconv.FormatInt(int64(maxAge/time.Second), 10)})
	}
	if len(acr) > 0 {
		refusal.Params = append(refusal.Params, Param{"acr_values", strings.Join(acr, " ")})
	}
	return func(_ *http.Request, _ User, credential Credential) error {
		why := notFresh(credential, maxAge, acr, time.Now())
		if why == "" {
			return nil
		}
		told := *refusal
		told.Cause = errors.New(why)
		return &told
	}
}

// clockSkew is how far in the future a login may be, because the clocks of two machines
// differ.
const clockSkew = time.Minute

// notFresh returns why Fresh refuses a credential at now, or "".
func notFresh(credential Credential, maxAge time.Duration, acr []string, now time.Time) string {
	informer, ok := As[AuthInformer](credential)
	if !ok {
		return "the credential does not know of a login (auth.AuthInformer)"
	}
	info := informer.AuthInfo()
	age := now.Sub(info.AuthTime)
	switch {
	case maxAge > 0 && info.AuthTime.IsZero():
		return "the credential does not know when its user logged in: the login, or the provider of an external " +
			"login, does not tell. See Config.Accounts.AllowAssumedAuthTime of package external"
	case maxAge > 0 && age > maxAge:
		return fmt.Sprintf("the user logged in %v ago, and auth.Fresh asks for %v", age.Round(time.Second), maxAge)
	case maxAge > 0 && age < -clockSkew:
		return fmt.Sprintf("the time of the login is %v in the future, so it is not believed", -age.Round(time.Second))
	case len(acr) > 0 && !slices.Contains(acr, info.ACR):
		return fmt.Sprintf("the authentication context is %.100q, and auth.Fresh asks for one of %q", info.ACR, acr)
	}
	return ""
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
func insufficientScope(params []Param, cause error) error {
	return &Error{Kind: ErrInsufficient, Params: params, Cause: cause}
}

// scopeError is why Scopes or AnyScope refuses a credential.
type scopeError struct {
	credential Credential
	count      string // "all" or "one"
	want       []string
}

func (e scopeError) Error() string {
	have, limited := scopesOf(e.credential)
	switch {
	case !limited:
		return "the credential has full access, which a route with auth.Scopes or auth.AnyScope refuses. " +
			"auth.FullAccessOr admits both"
	case len(e.want) == 0:
		return "the route names no scopes"
	}
	text := fmt.Sprintf("the credential has the scopes %.200q, and the route asks for %s of %q",
		strings.Join(have, " "), e.count, e.want)
	if why := whyLimited(e.credential); why != "" {
		text += ". " + why
	}
	return text
}
