package server

import (
	"errors"
	"net/http"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/internal/cause"
)

// failedCheck is the cause of a refusal that needs no value to be understood.
func failedCheck(failed string) error { return &cause.Reason{Check: failed} }

// failedValue is the cause of a refusal for a value that came, and what would have passed. The value must not be
// secret.
func failedValue(failed, came string, want ...string) error {
	return &cause.Reason{Check: failed, Came: came, Want: want}
}

// failedSetting is failedValue where a setting of the server or of the client is likely to be changed.
func failedSetting(see, failed, came string, want ...string) error {
	return &cause.Reason{Check: failed, Came: came, Want: want, See: see}
}

// clientError is an error about a request of a client that is registered.
type clientError struct {
	id  string
	err error
}

// Error returns the client and the error.
func (e *clientError) Error() string { return "client " + cause.Quote(e.id) + ": " + e.err.Error() }

// Unwrap returns the error.
func (e *clientError) Unwrap() error { return e.err }

// ofClient adds to an error which client it is about. A nil error stays nil.
func ofClient(id string, err error) error {
	if err == nil {
		return nil
	}
	return &clientError{id, err}
}

// reuseError is the cause of a refusal after which a grant was ended, because its code or refresh token came again.
type reuseError struct {
	failed string
	grant  *Grant
}

// Error returns the failed check and the grant.
func (e *reuseError) Error() string {
	return e.failed + ", so that the grant " + e.grant.ID + " has ended"
}

// report tells the Observer and the log that a request was refused with a status, or could not be answered. An
// outage is not reported if the client went away, because that is what ended the request.
func (s *Server) report(r *http.Request, status int, err error) {
	kind := kindOf(err)
	if kind == nil && r.Context().Err() != nil {
		return
	}
	event := auth.Event{Status: status, UserID: userOfRequest(r), Err: err}
	if auth.KindOf(err) != kind {
		event.Err = &auth.Error{Kind: kind, Cause: err}
	}
	if again := (*reuseError)(nil); errors.As(err, &again) {
		event.Kind, event.UserID, event.CredentialID = auth.EventReuse, again.grant.UserID, again.grant.ID
	}
	s.events.Failed(r, s.config.Logger, event)
}

// userOfRequest returns the user that the guard of the pages proved, or "".
func userOfRequest(r *http.Request) string {
	if user, ok := auth.UserFrom[auth.User](r.Context()); ok {
		return user.UserID()
	}
	return ""
}

// kindOf returns the kind of a refusal, or nil for an outage.
func kindOf(err error) error {
	if of := (*clientError)(nil); errors.As(err, &of) {
		err = of.err
	}
	var e *Error
	if _, ok := err.(*auth.Error); ok || !errors.As(err, &e) {
		return auth.KindOf(err)
	}
	if kind := auth.KindOf(e.Cause); kind == auth.ErrCrossOrigin || kind == auth.ErrThrottled {
		return kind
	}
	if kind, ok := codeKinds[e.Code]; ok {
		return kind
	}
	return codeKinds[CodeInvalidRequest]
}

// codeKinds are the kinds of the codes. A code that is not among them is as invalid_request.
var codeKinds = map[string]error{
	CodeInvalidRequest:         auth.ErrMalformed,
	CodeInvalidClient:          auth.ErrInvalid,
	CodeInvalidGrant:           auth.ErrInvalid,
	CodeUnauthorizedClient:     auth.ErrInsufficient,
	CodeInvalidScope:           auth.ErrInsufficient,
	CodeInvalidTarget:          auth.ErrInsufficient,
	CodeAccessDenied:           auth.ErrInsufficient,
	CodeLoginRequired:          auth.ErrInsufficient,
	CodeConsentRequired:        auth.ErrInsufficient,
	CodeServerError:            nil,
	CodeTemporarilyUnavailable: nil,
}
