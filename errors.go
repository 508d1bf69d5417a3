package auth

import (
	"context"
	"errors"
	"reflect"
	"time"
)

// The kinds of outcome other than proof. Every error that a backend or policy
// returns is one of these, told apart with [KindOf], or means that it could not
// be decided: 503.
var (
	// ErrNoCredentials: nothing here for this backend, which includes a scheme
	// it does not speak.
	ErrNoCredentials = errors.New("no credentials")
	// ErrUnrecognized: a scheme this backend speaks, but by its prefix, shape
	// or issuer not one of its tokens.
	ErrUnrecognized = errors.New("unrecognized credential")
	// ErrInvalid: a credential of this backend that is unknown, expired,
	// revoked, wrongly signed, or of a user that is gone or inactive.
	ErrInvalid = errors.New("invalid credential")
	// ErrMalformed: a credential that breaks the syntax of its carrier.
	ErrMalformed = errors.New("malformed credential")
	// ErrInsufficient: proved, but not enough for this route.
	ErrInsufficient = errors.New("insufficient credential")
	// ErrCrossOrigin: an unsafe request from another origin, with a credential
	// that the browser adds by itself.
	ErrCrossOrigin = errors.New("cross-origin request")
	// ErrThrottled: too many tries.
	ErrThrottled = errors.New("throttled")

	// ErrUserNotFound and ErrUserInactive are what a UserLoader returns for a
	// user that does not exist or may not log in. Both are ErrInvalid.
	ErrUserNotFound error = &Error{Kind: ErrInvalid, Code: CodeAuthenticationFailed, Detail: detailUserGone,
		Cause: errors.New("there is no such user")}
	ErrUserInactive error = &Error{Kind: ErrInvalid, Code: CodeAuthenticationFailed, Detail: detailUserGone,
		Cause: errors.New("the user is inactive")}

	// ErrInternal: a backend broke the contract of Authenticator, or the
	// service is set up wrongly. The answer is 500.
	ErrInternal = errors.New("bug or wrong setting")
)

// Codes are what a client's program reads in the "code" member of an answer.
// invalid_request, invalid_token and insufficient_scope are those of RFC 6750
// §3.1, insufficient_user_authentication is that of RFC 9470 §3.
const (
	CodeNotAuthenticated               = "not_authenticated"
	CodeAuthenticationFailed           = "authentication_failed"
	CodeInvalidRequest                 = "invalid_request"
	CodeInvalidToken                   = "invalid_token"
	CodeInsufficientScope              = "insufficient_scope"
	CodeInsufficientUserAuthentication = "insufficient_user_authentication"
	CodeCrossOrigin                    = "cross_origin"
	CodeThrottled                      = "throttled"
	CodeUnavailable                    = "unavailable"
	CodeInternal                       = "internal_error"
	CodeNotFound                       = "not_found"
	CodeMethodNotAllowed               = "method_not_allowed"
)

const detailUserGone = "User inactive or deleted."

// Error is an outcome with what the client is told of it. Backends return it
// where the sentence of the bare kind would not do.
type Error struct {
	// Kind is one of the Err… variables of this package. Nil is an outcome
	// that could not be decided: 503.
	Kind error
	// Code is for the client's program. Empty is the kind's own.
	Code string
	// Detail is a sentence for the client. It must be a constant, or built
	// from constants and numbers: never from Cause, and never from what the client
	// sent. Empty is the kind's own.
	Detail string
	// Status is the status of the answer in place of the kind's own, within 400
	// and 499. 401 adds the challenges. 0 is the kind's own. It does not count for
	// ErrThrottled, ErrInternal and undecided outcomes.
	Status int
	// RetryAfter is how long to wait before the next try, rounded up to
	// seconds. Used with ErrThrottled and undecided outcomes.
	RetryAfter time.Duration
	// Params are added to the challenge of the scheme that was presented, such
	// as the scope that would do.
	Params []Param
	// Extensions are further members of the body (RFC 9457 §3.2), of constants
	// and numbers as Detail is. They are shared and must not be changed.
	Extensions map[string]any
	// Cause says why, for the log and the Observer. It is never sent. A refusal
	// without it leaves the operator of the service without a reason. It holds no
	// secret, and nothing of a token that was not verified.
	Cause error
}

// Error returns the kind and the cause, for a log. A nil *Error that became an error is
// a bug of the code that returned it, and undecided.
func (e *Error) Error() string {
	if e == nil {
		return "auth: undecided: a nil *auth.Error was returned as an error"
	}
	text := "auth: undecided"
	if e.Kind != nil {
		text = "auth: " + e.Kind.Error()
	}
	if e.Detail != "" {
		text += ": " + e.Detail
	}
	if e.Cause != nil {
		text += ": " + e.Cause.Error()
	}
	return text
}

// Unwrap returns the kind and the cause.
func (e *Error) Unwrap() []error {
	if e == nil {
		return nil
	}
	var errs []error
	if e.Kind != nil {
		errs = append(errs, e.Kind)
	}
	if e.Cause != nil {
		errs = append(errs, e.Cause)
	}
	return errs
}

// KindOf returns which of this package's kinds err is. It returns nil for a nil
// error, and for every error that has no kind, which is an outage. The kind that
// an outer [Error] states counts, whatever its cause is.
//
// After ErrNoCredentials and ErrUnrecognized the next backend is asked. An error
// that joins one of them with an outage is therefore an outage. So is one that wraps
// one of them and has a method Is that matches no kind: it may be a list of errors.
func KindOf(err error) error {
	switch err {
	case nil:
		return nil
	case ErrNoCredentials, ErrUnrecognized: // the usual ones, found fast
		return err
	}
	if stated, ok := err.(*Error); ok {
		if stated == nil {
			return nil
		}
		return KindOf(stated.Kind) // which may be ErrUserInactive, an Error itself
	}
	if too, ok := err.(*unrecognizedError); ok {
		return KindOf(too.first)
	}
	if list, ok := elements(err); ok {
		return strongest(ownKind(err), list)
	}
	own := ownKind(err)
	switch wrapper := err.(type) {
	case interface{ Unwrap() []error }:
		return strongest(own, wrapper.Unwrap())
	case interface{ Unwrap() error }:
		inner := wrapper.Unwrap()
		switch {
		case inner == nil:
			return own
		case own == nil && !hasIsMethod(err):
			return KindOf(inner)
		case own == nil: // perhaps an outage itself, with another error behind it
			return strongest(nil, []error{errOutage, inner})
		}
		return strongest(own, []error{inner})
	}
	return own
}

// errOutage is an error without a kind.
var errOutage = errors.New("outage")

// hasIsMethod reports whether err has a method Is, which [errors.Is] calls.
func hasIsMethod(err error) bool {
	_, ok := err.(interface{ Is(error) bool })
	return ok
}

// elements returns the errors of an error that is a slice of them, as in some libraries.
// Such a list may unwrap to its rest, and its method Is may look at the first alone.
func elements(err error) (all []error, ok bool) {
	v := reflect.ValueOf(err)
	if v.Kind() != reflect.Slice || !v.Type().Elem().Implements(reflect.TypeFor[error]()) {
		return nil, false
	}
	for i := range v.Len() {
		if each, ok := v.Index(i).Interface().(error); ok {
			all = append(all, each)
		}
	}
	return all, true
}

// kinds are in the order in which they count where an error has several.
var kinds = [...]error{ErrInternal, ErrInvalid, ErrMalformed, ErrInsufficient, ErrCrossOrigin, ErrThrottled,
	ErrUnrecognized, ErrNoCredentials}

// ownKind returns the kind that err is by itself, whatever it wraps.
func ownKind(err error) error {
	is, ok := err.(interface{ Is(error) bool })
	for _, kind := range kinds {
		if err == kind || ok && is.Is(kind) {
			return kind
		}
	}
	return nil
}

// strongest returns the kind of an error that wraps several and is of the kind own
// itself, or nil. One that decides counts first, then an outage, then
// ErrUnrecognized.
func strongest(own error, wrapped []error) error {
	var found [len(kinds)]bool
	outage := false
	note := func(kind error) {
		for i, each := range kinds {
			found[i] = found[i] || each == kind
		}
	}
	if own != nil {
		note(own)
	}
	for _, each := range wrapped {
		kind := KindOf(each)
		note(kind)
		outage = outage || kind == nil
	}
	for i, kind := range kinds {
		if found[i] && !(outage && (kind == ErrUnrecognized || kind == ErrNoCredentials)) {
			return kind
		}
	}
	return nil
}

// clientGone reports whether err only says that the client went away.
func clientGone(ctx context.Context, err error) bool {
	return errors.Is(ctx.Err(), context.Canceled) && errors.Is(err, context.Canceled)
}
