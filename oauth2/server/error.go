package server

import (
	"cmp"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gatewarden/auth"
)

// Error is a refusal that a client is told of: the members "error" and
// "error_description" of RFC 6749 §4.1.2.1 and §5.2. Any other error of a grant
// says that the server cannot tell, and is answered with 503.
type Error struct {
	Code string // such as "invalid_grant"
	// Description is for developers. It must be a constant: nothing that a client
	// sent is told back. Of other characters than those of RFC 6749 §5.2 nothing is
	// sent.
	Description string
	Status      int   // 0 is 400, and 401 of invalid_client
	Cause       error // for the log
}

// Error returns code, description and cause.
func (e *Error) Error() string {
	text := "oauth2/server: " + e.Code + ": " + e.Description
	if e.Cause != nil {
		text += ": " + e.Cause.Error()
	}
	return text
}

// description is what may be sent: %x20-21 / %x23-5B / %x5D-7E (RFC 6749 §5.2).
func (e *Error) description() string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || r == '"' || r == '\\' {
			return -1
		}
		return r
	}, e.Description)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// The codes of RFC 6749 §4.1.2.1 and §5.2, RFC 7009 §2.2.1, RFC 8707 §2 and
// OpenID Connect Core §3.1.2.6.
const (
	CodeInvalidRequest           = "invalid_request"
	CodeInvalidClient            = "invalid_client"
	CodeInvalidGrant             = "invalid_grant"
	CodeUnauthorizedClient       = "unauthorized_client"
	CodeUnsupportedGrantType     = "unsupported_grant_type"
	CodeInvalidScope             = "invalid_scope"
	CodeInvalidTarget            = "invalid_target"
	CodeAccessDenied             = "access_denied"
	CodeUnsupportedResponseType  = "unsupported_response_type"
	CodeServerError              = "server_error"
	CodeTemporarilyUnavailable   = "temporarily_unavailable"
	CodeLoginRequired            = "login_required"
	CodeConsentRequired          = "consent_required"
	CodeRequestNotSupported      = "request_not_supported"
	CodeRequestURINotSupported   = "request_uri_not_supported"
	CodeRegistrationNotSupported = "registration_not_supported"
)

// refuse returns a refusal. The cause says in the log what the client is not told.
func refuse(code, description string, cause error) *Error {
	return &Error{Code: code, Description: description, Cause: cause}
}

// errGrant is the one answer to every code and refresh token that is no good.
func errGrant(cause error) *Error {
	return refuse(CodeInvalidGrant,
		"The code or token is unknown, expired, revoked, used, or not for this client.", cause)
}

// errLoadUser turns what a UserLoader says of a user into an answer to a client.
func errLoadUser(err error) error {
	if auth.KindOf(err) == auth.ErrInvalid {
		return errGrant(err)
	}
	return err
}

// statusOf returns the status of the answer to a refusal or an outage.
func statusOf(err error) int {
	var e *Error
	switch {
	case !errors.As(err, &e):
		return http.StatusServiceUnavailable
	case e.Status == 0 && e.Code == CodeInvalidClient:
		return http.StatusUnauthorized
	}
	return cmp.Or(e.Status, http.StatusBadRequest)
}

// answerError answers a request of a client that failed.
func (s *Server) answerError(w http.ResponseWriter, r *http.Request, err error) {
	s.report(r, statusOf(err), err)
	var e *Error
	if !errors.As(err, &e) {
		w.Header().Set("Retry-After", "5")
		e = &Error{Code: CodeTemporarilyUnavailable, Description: "The server cannot answer now.",
			Status: http.StatusServiceUnavailable, Cause: err}
	}
	status := statusOf(e)
	if throttled := (*auth.Error)(nil); status == http.StatusTooManyRequests && errors.As(e.Cause, &throttled) {
		seconds := (throttled.RetryAfter + time.Second - 1) / time.Second // not too early
		w.Header().Set("Retry-After", strconv.FormatInt(int64(seconds), 10))
	}
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", auth.Challenge{Scheme: "Basic",
			Params: []auth.Param{{Name: "realm", Value: s.config.Pages.Name}}}.String())
	}
	answerJSON(w, status, struct {
		Error       string `json:"error"`
		Description string `json:"error_description,omitempty"`
	}{e.Code, e.description()})
}

// answerJSON answers what must not be kept anywhere (RFC 6749 §5.1).
func answerJSON(w http.ResponseWriter, status int, body any) {
	text, err := json.Marshal(body)
	if err != nil { // claims of the application
		status, text = http.StatusServiceUnavailable, []byte(`{"error":"`+CodeTemporarilyUnavailable+`"}`)
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("Pragma", "no-cache")
	w.WriteHeader(status)
	_, _ = w.Write(append(text, '\n'))
}

// isRefusal reports an error that is an answer to a client, and no outage.
func isRefusal(err error) bool {
	var e *Error
	return errors.As(err, &e)
}
